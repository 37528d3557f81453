//! What does not fit in memory: in one file of a run, which has no name.
//!
//! States of combiners are weighed while they grow. When all of them are over the budget, a lane
//! writes its own to the file, in parts, and begins anew; in the end the same parts of all are read
//! back and merged, a part after another. The file is unlinked as soon as it is opened, so that no
//! way out of the process leaves it behind. What is written is compressed lightly and has a checksum.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use creel_kernels::zeroed;
use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

use crate::error::remedy;
use crate::{Error, Place, Result};

/// What the states of a run may hold, and the file for the rest.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: u64,
    held: AtomicU64,
    folder: PathBuf,
    /// Made by the first who writes. Reads and writes name their offset, and a write reserves its
    /// range before: lanes that spill at once do not wait for each other.
    file: OnceLock<File>,
    reserved: AtomicU64,
    written: AtomicU64,
    /// Whether states are known not to fit, before any is written.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))]
    spills: AtomicBool,
}

/// A piece of the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    at: u64,
    /// Bytes of the file, and what was written in them.
    len: usize,
    holds: usize,
}

impl Extent {
    /// The bytes that were written.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))]
    pub(crate) fn holds(self) -> usize {
        self.holds
    }
}

/// What one lane holds of a budget; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share<'b> {
    budget: &'b Budget,
    held: u64,
}

impl Budget {
    /// So many bytes, and a folder for the file; nothing is made as yet.
    pub(crate) fn new(limit: u64, folder: Option<&Path>) -> Self {
        let folder = folder.map_or_else(std::env::temp_dir, Path::to_owned);
        Self {
            limit,
            held: AtomicU64::new(0),
            folder,
            file: OnceLock::new(),
            reserved: AtomicU64::new(0),
            written: AtomicU64::new(0),
            spills: AtomicBool::new(false),
        }
    }

    /// The bytes that states may hold.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Counts bytes that something else than a state holds, for as long as it does.
    pub(crate) fn hold(&self, bytes: u64) {
        self.held.fetch_add(bytes, Relaxed);
    }

    /// Counts them no more.
    pub(crate) fn release(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Relaxed);
    }

    /// The bytes that are held now.
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Relaxed)
    }

    /// What a lane holds, nothing as yet.
    pub(crate) fn share(&self) -> Share<'_> {
        Share { budget: self, held: 0 }
    }

    /// Bytes that were written so far.
    #[cfg(any(feature = "cli", test))]
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// From now on whatever has a form for the disk is spilled: not all of it fits.
    #[cfg(feature = "cli")]
    pub(crate) fn spill(&self) {
        self.spills.store(true, Relaxed);
    }

    /// Whether something was spilled, or is to be.
    #[cfg(any(feature = "cli", test))]
    pub(crate) fn is_spilling(&self) -> bool {
        self.spills.load(Relaxed) || self.written() > 0
    }

    /// Puts bytes away.
    ///
    /// # Errors
    ///
    /// If the folder cannot hold them; it is named.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<Extent> {
        let fail = |error| self.fault(error);
        let info = FrameInfo::new()
            .block_mode(BlockMode::Independent)
            // Its buffers are as large, for each lane that writes or reads.
            .block_size(BlockSize::Max256KB)
            .content_size(Some(bytes.len() as u64))
            .content_checksum(true);
        let mut frame = FrameEncoder::with_frame_info(info, Vec::new());
        frame.write_all(bytes).map_err(fail)?;
        let frame = frame.finish().map_err(|error| self.fault(error.into()))?;
        let file = self.file()?;
        let len = frame.len();
        let at = self.reserved.fetch_add(len as u64, Relaxed);
        let extent = Extent { at, len, holds: bytes.len() };
        write_all_at(file, &frame, extent.at).map_err(fail)?;
        self.written.fetch_add(len as u64, Relaxed);
        Ok(extent)
    }

    /// Reads back what was put away.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is not what was written.
    pub(crate) fn read(&self, extent: Extent) -> Result<Vec<u8>> {
        let mut frame = zeroed(extent.len);
        read_exact_at(self.file()?, &mut frame, extent.at).map_err(|e| self.fault(e))?;
        let mut bytes = zeroed(extent.holds);
        let mut decoder = FrameDecoder::new(&frame[..]);
        // To its end, where its checksum is.
        let read = decoder.read_exact(&mut bytes).and_then(|()| decoder.read(&mut [0]));
        match read {
            Ok(0) => Ok(bytes),
            Ok(_) => Err(self.damaged(extent, "it is longer")),
            Err(error) => Err(self.damaged(extent, &error.to_string())),
        }
    }

    /// The error for a piece that is not what was written there.
    pub(crate) fn damaged(&self, extent: Extent, what: &str) -> Error {
        let reason = format!(
            "what was put away there has changed ({what}); the disk may be failing, so choose another \
             folder"
        );
        Error::Corrupt { place: self.place().at(extent.at), reason }
    }

    fn place(&self) -> Place {
        Place::object(format!("the temporary file in {}", self.folder.display()))
    }

    fn fault(&self, error: io::Error) -> Error {
        let remedy = match remedy(&error) {
            "" => "; choose another folder, or allow more memory",
            remedy => remedy,
        };
        let told = format!("{error}{remedy}");
        Error::Io { place: self.place(), source: io::Error::new(error.kind(), told).into() }
    }

    /// The file, made by the first who asks for it.
    fn file(&self) -> Result<&File> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let made = tempfile::tempfile_in(&self.folder).map_err(|error| self.fault(error))?;
        // Of two that are made at once the second is closed, and so gone.
        Ok(self.file.get_or_init(|| made))
    }
}

/// Writes at an offset, wherever others write or read.
#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

/// Reads at an offset, wherever others write or read.
#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => (bytes, at) = (&bytes[n..], at + n as u64),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut bytes: &mut [u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => (bytes, at) = (&mut bytes[n..], at + n as u64),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Share<'_> {
    /// The budget that it is a share of.
    pub(crate) fn budget(&self) -> &Budget {
        self.budget
    }

    /// Tells what the lane holds now. Whether it is to put that away: all lanes hold more than they
    /// may, and this one has its part in it.
    pub(crate) fn is_over(&mut self, weight: usize, lanes: usize) -> bool {
        let weight = weight as u64;
        let before = self.budget.held.fetch_add(weight, Relaxed);
        self.budget.held.fetch_sub(self.held, Relaxed);
        let all = before + weight - self.held;
        self.held = weight;
        let limit = self.budget.limit;
        all > limit && weight >= limit / (2 * lanes.max(1) as u64)
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.held, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_away_comes_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let budget = Budget::new(0, Some(folder.path()));
        let texts: Vec<Vec<u8>> = (0..5).map(|n| vec![n; 100_000 * usize::from(n)]).collect();
        let extents: Vec<_> =
            texts.iter().map(|text| budget.write(text).expect("there is room")).collect();
        for (text, extent) in texts.iter().zip(extents).rev() {
            assert_eq!(budget.read(extent).expect("it is there"), *text);
        }
        let left = std::fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(left, 0, "the file has no name");
        assert!((1..1_000_000).contains(&budget.written()));
    }

    #[test]
    fn extents_written_and_read_on_many_threads_at_once_do_not_overlap() {
        let budget = Budget::new(0, None);
        let text = |lane: usize, n: usize| vec![(lane * 16 + n) as u8; 1000 * n + lane];
        std::thread::scope(|scope| {
            for lane in 0..8 {
                let budget = &budget;
                scope.spawn(move || {
                    let write = |n| budget.write(&text(lane, n)).expect("there is room");
                    let extents: Vec<_> = (0..16).map(write).collect();
                    for (n, extent) in extents.into_iter().enumerate().rev() {
                        assert_eq!(budget.read(extent).expect("it is there"), text(lane, n));
                    }
                });
            }
        });
        assert_eq!(budget.written(), budget.reserved.load(Relaxed));
    }

    #[test]
    fn what_has_changed_is_an_error_that_names_the_folder() {
        let budget = Budget::new(0, None);
        let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let extent = budget.write(&text).expect("there is room");
        for at in (0..extent.len as u64).step_by(extent.len / 50) {
            let mut byte = [0];
            let change = |byte: &mut [u8; 1]| {
                let file = budget.file.get().expect("it was written");
                read_exact_at(file, byte, at)?;
                byte[0] ^= 0x10;
                write_all_at(file, byte, at)
            };
            change(&mut byte).expect("a byte is changed");
            match budget.read(extent) {
                Err(error) => {
                    let message = error.to_string();
                    let folder = std::env::temp_dir().display().to_string();
                    assert!(message.contains(&folder), "{message}");
                }
                // Some bits of the head of a frame say nothing of what is in it.
                Ok(bytes) => assert!(bytes == text && at < 16, "byte {at}"),
            }
            change(&mut byte).expect("it is changed back");
        }
        assert_eq!(budget.read(extent).expect("it is whole again"), text);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let budget = Budget::new(0, Some(Path::new("/there/is/no/such")));
        let error = budget.write(b"text").expect_err("there is no folder");
        assert!(error.to_string().contains("/there/is/no/such"), "{error}");
    }

    /// The system has a file for it that is always full.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_disk_that_is_full_is_told_with_the_folder_and_what_to_do() {
        let folder = tempfile::tempdir().expect("a folder");
        let budget = Budget::new(0, Some(folder.path()));
        let file = File::options().read(true).write(true).open("/dev/full").expect("it is there");
        budget.file.set(file).expect("nothing was written");
        let error = budget.write(b"text").expect_err("there is no room");
        let full = matches!(&error, Error::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull);
        assert!(full, "{error:?}");
        let message = error.to_string();
        for part in [&*folder.path().to_string_lossy(), "No space left", "choose another folder"] {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(budget.written(), 0, "nothing counts as put away");
    }

    #[test]
    fn only_who_holds_much_of_too_much_is_over() {
        let budget = Budget::new(100, None);
        let (mut small, mut large) = (budget.share(), budget.share());
        assert!(!small.is_over(20, 2) && !large.is_over(80, 2));
        assert!(large.is_over(81, 2) && !small.is_over(20, 2));
        assert!(!large.is_over(0, 2), "it was put away");
        assert!(!small.is_over(100, 2) && small.is_over(101, 2));
        drop(small);
        assert!(!large.is_over(100, 2));
    }
}
