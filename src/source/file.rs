//! A file, read in place: one file from its listing to its end.
//!
//! The size that a file system tells is a hint. Files of /proc say that they are empty, files of
//! /sys that they are a page long, and logs grow. So a file ends where reading it ends, unless it
//! has grown since it was listed: then it ends where it did.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

use super::evidence::{BETWEEN, Range, SAMPLE, Sum, read_at, read_on};
use super::fetch::Feed;
use super::local::error;
use super::object::{Home, Object, io_error};
use super::one_file::{OneFile, Open};
use super::pack::Slice;
use super::version::Fate;
use crate::Result;

/// A slice of a file that is being read, from some offset on.
#[derive(Debug)]
pub(super) struct LocalFile(Arc<Mutex<Reading>>);

/// The same, for the one who looks at its end.
#[derive(Debug)]
pub(super) struct Finish(Arc<Mutex<Reading>>);

#[derive(Debug)]
struct Reading {
    open: Open,
    slice: Slice,
    from: u64,
    at: u64,
    /// Of what was read, where that is to be summed.
    sum: Option<Sum>,
    /// Where the next sample may begin.
    sampled: u64,
    /// The last bytes that were read, as a sample for the end.
    tail: Vec<u8>,
    /// It may hold more than its size, so that this tells nothing.
    understated: bool,
    ended: bool,
}

impl LocalFile {
    /// Opens the file of a slice at an offset.
    ///
    /// # Errors
    /// If it cannot be opened, or is not the file that was listed and that others read.
    pub(super) fn open(slice: &Slice, from: u64) -> Result<Self> {
        let object = &slice.object;
        let divided = slice.start > 0 || slice.end.is_some();
        let open = file_of(object)?.open(divided).map_err(|fault| object.fault(fault, from))?;
        Ok(Self(Arc::new(Mutex::new(Reading {
            sum: open.live.then(Sum::default),
            open,
            slice: slice.clone(),
            from,
            at: from,
            sampled: from,
            tail: Vec::new(),
            understated: false,
            ended: false,
        }))))
    }

    /// What is to be called when the slice was read, by whoever read it through any decoder.
    pub(super) fn finish(&self) -> Finish {
        Finish(Arc::clone(&self.0))
    }
}

impl Finish {
    /// The object that was read.
    pub(super) fn object(&self) -> Arc<Object> {
        Arc::clone(&lock(&self.0).slice.object)
    }

    /// Looks whether what was read is of the file that all slices are of.
    ///
    /// # Errors
    /// If it cannot be read, or has changed.
    pub(super) async fn look(self) -> Result<()> {
        let (slice, open, read) = {
            let mut reading = lock(&self.0);
            reading.sample_tail();
            let sum = reading.sum.as_ref().map(Sum::finish);
            let fresh = reading.open.fresh;
            let read = Range { from: reading.from, to: reading.at, sum, fresh };
            (reading.slice.clone(), reading.open.clone(), read)
        };
        let (object, bounds) = (&slice.object, (slice.start, slice.end));
        let finished = file_of(object)?.finish(&open.file, bounds, read, object.known_head());
        finished.await.map_err(|fault| object.fault(fault, read.to))
    }
}

fn lock(reading: &Mutex<Reading>) -> MutexGuard<'_, Reading> {
    reading.lock().unwrap_or_else(PoisonError::into_inner)
}

fn file_of(object: &Object) -> Result<&OneFile> {
    match &object.home {
        Home::File(file) => Ok(file),
        _ => Err(error(object.place(), io::ErrorKind::Unsupported.into())),
    }
}

impl Reading {
    fn file(&self) -> io::Result<&OneFile> {
        file_of(&self.slice.object).map_err(io_error)
    }

    /// Looks, at the end that the size tells or that reading has found, at what it is.
    fn reach_end(&mut self, found: bool) -> io::Result<()> {
        let file = self.file()?;
        let listed = file.size();
        if found && self.at >= listed {
            self.ended = true;
            return Ok(());
        }
        let (fate, size) = file.fate(&self.open.file)?;
        // An early end of a file that has not changed: its size is overstated.
        let early = found && self.at < listed && fate != Fate::Same;
        if fate == Fate::Changed || early {
            return Err(self.changed());
        }
        // Its size may be understated: there is only one way to know.
        self.ended = found || size > listed;
        self.understated = !self.ended;
        Ok(())
    }

    fn changed(&self) -> io::Error {
        io_error(self.slice.object.fault(None, self.at))
    }

    /// Whether the whole file is one slice, read through a descriptor of its own.
    fn is_alone(&self) -> bool {
        self.slice.start == 0 && self.slice.end.is_none()
    }

    /// Keeps a sample of the last bytes.
    fn sample_tail(&mut self) {
        let tail = std::mem::take(&mut self.tail);
        if let Ok(file) = self.file()
            && !tail.is_empty()
        {
            file.sample(self.at - tail.len() as u64, &tail);
        }
    }

    /// The next bytes, as many as were put there; none at the end.
    fn read(&mut self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        let listed = self.file()?.size();
        if !self.understated && self.at >= listed && !self.ended {
            self.reach_end(false)?;
        }
        if self.ended || buf.remaining() == 0 {
            return Ok(());
        }
        let left = listed.saturating_sub(self.at);
        // One byte more than there should be: a read that gives no more has met the end.
        let most = if self.understated { u64::MAX } else { left.saturating_add(1) };
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let room = buf.initialize_unfilled_to(most.min(buf.remaining()));
        let asked = room.len();
        // Some files that are made as they are read have no offsets.
        let mut read = match self.is_alone() {
            true => read_on(&self.open.file, room)?,
            false => read_at(&self.open.file, room, self.at)?,
        };
        if read == 0 {
            return self.reach_end(true);
        }
        let all = usize::try_from(left).unwrap_or(usize::MAX);
        if self.understated || read > all {
            // It may have grown since, by these bytes.
            self.understated = false;
            self.reach_end(false)?;
            if self.ended {
                read = read.min(all);
            }
            if read == 0 {
                return Ok(());
            }
        } else if read == all && read < asked {
            self.ended = true;
        }
        self.keep(&room[..read])?;
        buf.advance(read);
        Ok(())
    }

    /// Keeps what tells later that these bytes were read.
    fn keep(&mut self, read: &[u8]) -> io::Result<()> {
        if let Some(sum) = &mut self.sum {
            sum.write(read);
        }
        // Bytes that one read gives, from the beginning to the end, are of one content: no sample
        // has to show that later.
        let at_once = self.is_alone() && self.at == 0 && self.ended;
        if !at_once {
            if self.at >= self.sampled {
                self.file()?.sample(self.at, read);
                self.sampled = self.at + BETWEEN;
            }
            self.tail.clear();
            self.tail.extend_from_slice(&read[read.len().saturating_sub(SAMPLE)..]);
        }
        self.at += read.len() as u64;
        Ok(())
    }
}

impl Feed for LocalFile {}

impl AsyncRead for LocalFile {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(lock(&self.0).read(buf))
    }
}

#[cfg(test)]
mod tests;
