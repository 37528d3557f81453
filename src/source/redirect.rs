//! A regular file on standard input, which is one file from the beginning to its end.
//!
//! It is read by the descriptor that the process was started with, from where that stands on, and
//! to where the file ended then. All that is read is summed: if the file was touched meanwhile, it
//! is read once more and compared. Rejected: to open `/dev/stdin` again as a file. Whoever runs the
//! process may not be allowed to, and what was read before by another process would come again.

use std::fs::File;
use std::io::{self, Seek};
use std::os::fd::AsFd;

use super::evidence::{Range, Sum};
use super::object::io_error;
use super::version::{Fate, Version, is_made_when_read};
use crate::{Error, Place};

/// The file, and what was read of it.
pub(super) struct Redirect {
    file: File,
    begun: Version,
    /// Its times may not tell the next write.
    fresh: bool,
    place: Place,
    from: u64,
    at: u64,
    sum: Sum,
    /// Another process reads by the same descriptor: bytes between ours are its own.
    shared: bool,
}

impl Redirect {
    /// The file on standard input; `None` if that is a pipe or a device.
    pub(super) fn of_stdin(place: Place) -> io::Result<Option<Self>> {
        let mut file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let found = file.metadata()?;
        // Of a file that is made as it is read, the size tells nothing.
        if !found.is_file() || found.len() == 0 || is_made_when_read(&file) {
            return Ok(None);
        }
        let from = file.stream_position()?;
        let begun = Version::of(&found);
        let (fresh, sum) = (begun.is_fresh(), Sum::default());
        Ok(Some(Self { file, begun, fresh, place, from, at: from, sum, shared: false }))
    }

    /// Reads on; nothing at the end.
    ///
    /// # Errors
    /// [`Error::Changed`] if the file is not the one that it was.
    pub(super) fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
        let stands = self.file.stream_position()?;
        self.shared |= stands != self.at;
        self.at = stands;
        let left = usize::try_from(self.begun.size.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = left.min(chunk.len());
        let read = io::Read::read(&mut self.file, &mut chunk[..most])?;
        if read == 0 {
            return self.end().map(|()| 0);
        }
        self.sum.write(&chunk[..read]);
        self.at += read as u64;
        Ok(read)
    }

    /// Looks, when all was read, whether it is still there.
    fn end(&self) -> io::Result<()> {
        let now = Version::of(&self.file.metadata()?);
        let held = match self.begun.fate(&now, &self.file) {
            Fate::Changed => false,
            Fate::Same if !self.fresh => true,
            _ if self.shared => true,
            _ => {
                let sum = Some(self.sum.finish());
                let range = Range { from: self.from, to: self.at, sum, fresh: false };
                range.is_held_now(&self.file)?
            }
        };
        if held {
            return Ok(());
        }
        Err(io_error(Error::Changed { place: self.place.clone().at(self.at) }))
    }
}
