//! The temporary file: extents of bytes with checksums, compressed where that saves time.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use creel_kernels::{reserve, zeroed};
use creel_operators::Spill;
use lz4_flex::block::{compress_into, decompress_into, get_maximum_output_size};
use twox_hash::XxHash3_64;

use super::Budget;
use crate::error::remedy;
use crate::watch::bytes as shown;
use crate::{Error, Place, Result};

/// Bytes that are gathered before they are written.
const WRITE: usize = 1 << 20;

/// Bytes that are compressed at a time.
const BLOCK: usize = 256 << 10;

/// A piece of the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    at: u64,
    /// Bytes of the file, and bytes that were written.
    len: usize,
    holds: usize,
    /// Whether it is blocks of LZ4, each behind its length.
    packed: bool,
    /// The checksum of the bytes of the file.
    sum: u64,
}

impl Extent {
    /// The number of bytes that were written.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))]
    pub(crate) fn holds(self) -> usize {
        self.holds
    }
}

impl Spill for Extent {
    const HAS_FORM: bool = true;

    fn save(&self, bytes: &mut Vec<u8>) -> bool {
        (self.at, self.len, self.holds, self.packed, self.sum).save(bytes)
    }

    fn load(bytes: &mut &[u8]) -> Option<Self> {
        let (at, len, holds, packed, sum) = Spill::load(bytes)?;
        Some(Self { at, len, holds, packed, sum })
    }

    fn heap_size(&self) -> usize {
        0
    }
}

/// The file, which the first write makes.
///
/// Reads and writes name their offset, and a write reserves its range before: threads that spill at once do
/// not wait for each other.
#[derive(Debug)]
pub(super) struct SpillFile {
    pub(super) folder: PathBuf,
    file: OnceLock<File>,
    /// The largest size of the file, if there is a limit.
    pub(super) most: Option<u64>,
    pub(super) check: Check,
    reserved: AtomicU64,
    written: AtomicU64,
    codec: Codec,
}

/// Asked before the file is read or written, whether the run goes on.
#[derive(Default)]
pub(super) struct Check(Option<Box<dyn Fn() -> Result<()> + Send + Sync>>);

impl Check {
    pub(super) fn new(check: impl Fn() -> Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(check)))
    }

    fn ask(&self) -> Result<()> {
        self.0.as_ref().map_or(Ok(()), |check| check())
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").finish_non_exhaustive()
    }
}

/// Whether compressed writes take less time than plain ones: the nanoseconds per MiB of each, as measured.
/// 0 stands for not measured.
#[derive(Debug, Default)]
struct Codec {
    packed: AtomicU64,
    plain: AtomicU64,
    writes: AtomicU64,
}

impl Codec {
    /// Chooses for the next write. One of 16 writes measures the form that was slower.
    fn packs(&self) -> bool {
        let is_faster = self.packed.load(Relaxed) <= self.plain.load(Relaxed);
        let measures_other = self.writes.fetch_add(1, Relaxed) % 16 == 15;
        is_faster != measures_other
    }

    /// Enters the time of a write of so many bytes, as they were before compression.
    fn enter(&self, packed: bool, bytes: usize, spent: Duration) {
        if bytes < BLOCK {
            return;
        }
        let measured = (spent.as_nanos() << 20).checked_div(bytes as u128).unwrap_or(0);
        let measured = u64::try_from(measured).unwrap_or(u64::MAX).max(1);
        let of_form = if packed { &self.packed } else { &self.plain };
        let before = of_form.load(Relaxed);
        of_form
            .store(if before == 0 { measured } else { before / 4 * 3 + measured / 4 + 1 }, Relaxed);
    }
}

impl SpillFile {
    /// A file in a folder; nothing is made as yet.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            file: OnceLock::new(),
            most: None,
            check: Check::default(),
            reserved: AtomicU64::new(0),
            written: AtomicU64::new(0),
            codec: Codec::default(),
        }
    }

    #[cfg(any(feature = "cli", test))]
    pub(super) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// Writes bytes of the file; returns their offset.
    fn write(&self, bytes: &[u8]) -> Result<u64> {
        self.check.ask()?;
        let file = self.file()?;
        let len = bytes.len() as u64;
        // A refused write reserves nothing: another thread may reserve the range behind it at the same time.
        let most = self.most.unwrap_or(u64::MAX);
        let end = |at: u64| at.checked_add(len).filter(|end| *end <= most);
        let at = self.reserved.fetch_update(Relaxed, Relaxed, end).map_err(|_| self.over(most))?;
        write_all_at(file, bytes, at).map_err(|error| self.fault(error))?;
        self.written.fetch_add(len, Relaxed);
        Ok(at)
    }

    /// Reads the bytes of an extent.
    pub(super) fn read(&self, extent: Extent) -> Result<Vec<u8>> {
        let mut frame = zeroed(extent.len);
        self.read_frame(extent, &mut frame)?;
        if !extent.packed {
            return Ok(frame);
        }
        let mut bytes = zeroed(extent.holds);
        self.unpack(extent, &frame, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads the bytes of an extent into buffers that were used before; returns them.
    pub(super) fn read_into<'b>(
        &self,
        extent: Extent,
        [frame, bytes]: &'b mut [Vec<u8>; 2],
    ) -> Result<&'b [u8]> {
        frame.clear();
        reserve(frame, extent.len);
        frame.resize(extent.len, 0);
        self.read_frame(extent, frame)?;
        if !extent.packed {
            return Ok(frame);
        }
        bytes.clear();
        reserve(bytes, extent.holds);
        bytes.resize(extent.holds, 0);
        self.unpack(extent, frame, bytes)?;
        Ok(bytes)
    }

    /// Appends the bytes of an extent to a buffer.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))]
    pub(super) fn append(&self, extent: Extent, bytes: &mut Vec<u8>) -> Result<()> {
        let start = bytes.len();
        reserve(bytes, extent.holds);
        bytes.resize(start + extent.holds, 0);
        if !extent.packed {
            return self.read_frame(extent, &mut bytes[start..]);
        }
        let mut frame = zeroed(extent.len);
        self.read_frame(extent, &mut frame)?;
        self.unpack(extent, &frame, &mut bytes[start..])
    }

    /// Reads an extent as it stands in the file.
    fn read_frame(&self, extent: Extent, frame: &mut [u8]) -> Result<()> {
        self.check.ask()?;
        read_exact_at(self.file()?, frame, extent.at).map_err(|error| self.fault(error))?;
        match XxHash3_64::oneshot(frame) == extent.sum {
            true => Ok(()),
            false => Err(self.damaged(extent, "its checksum is another")),
        }
    }

    fn unpack(&self, extent: Extent, frame: &[u8], bytes: &mut [u8]) -> Result<()> {
        unpack(frame, bytes).ok_or_else(|| self.damaged(extent, "it is not LZ4"))
    }

    /// The error for an extent that is not what was written there.
    pub(super) fn damaged(&self, extent: Extent, what: &str) -> Error {
        let reason = format!(
            "what was spilled there has changed ({what}); the disk may be failing, so choose another \
             folder (--tmpdir)"
        );
        Error::Corrupt { place: self.place().at(extent.at), reason }
    }

    /// The error for an extent that holds what was written there, of which no records of `T` can be read.
    pub(super) fn misread<T>(&self, extent: Extent) -> Error {
        let reason = format!(
            "records of `{}` are not read as they were written: `Spill::load` of the type has to read all that \
             its `Spill::save` writes, and no more",
            std::any::type_name::<T>()
        );
        Error::Corrupt { place: self.place().at(extent.at), reason }
    }

    fn place(&self) -> Place {
        Place::object(format!("the temporary file in {}", self.folder.display()))
    }

    fn fault(&self, error: io::Error) -> Error {
        let remedy = match remedy(&error) {
            "" => {
                "; choose another folder (--tmpdir, Run::tmpdir), or allow more memory (--memory, Run::memory)"
            }
            remedy => remedy,
        };
        let told = format!("{error}{remedy}");
        Error::Io { place: self.place(), source: io::Error::new(error.kind(), told).into() }
    }

    /// The error for a file that would outgrow its limit.
    fn over(&self, most: u64) -> Error {
        let told = format!(
            "it would outgrow the {} that it may have; allow a larger file (--spill-max, Run::spill_max), or more memory (--memory, Run::memory)",
            shown(most)
        );
        let source = io::Error::new(io::ErrorKind::QuotaExceeded, told);
        Error::Io { place: self.place(), source: source.into() }
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

/// Writes pieces of bytes, many in one call.
#[derive(Debug)]
pub(crate) struct Batch<'b> {
    budget: &'b Budget,
    /// Frames that wait to be written.
    frames: Vec<u8>,
    /// The bytes of the pieces that they hold, and the time that it took to make them.
    holds: usize,
    spent: Duration,
    packs: bool,
    /// The extents of all pieces. From `waiting` on, their offsets count from the first waiting frame.
    extents: Vec<Extent>,
    waiting: usize,
}

impl<'b> Batch<'b> {
    /// A batch that has no pieces.
    pub(crate) fn new(budget: &'b Budget) -> Self {
        Self {
            budget,
            frames: Vec::new(),
            holds: 0,
            spent: Duration::ZERO,
            packs: false,
            extents: Vec::new(),
            waiting: 0,
        }
    }

    /// Adds a piece, and writes what waits if it is enough.
    ///
    /// # Errors
    ///
    /// If the folder has no room for it, or the file may not grow.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> Result<()> {
        let start = self.frames.len();
        if start == 0 {
            self.packs = self.budget.file.codec.packs();
        }
        let begun = Instant::now();
        let packed = self.packs && pack(bytes, &mut self.frames);
        if !packed {
            self.frames.extend_from_slice(bytes);
        }
        self.spent += begun.elapsed();
        let frame = &self.frames[start..];
        let (at, len, sum) = (start as u64, frame.len(), XxHash3_64::oneshot(frame));
        self.extents.push(Extent { at, len, holds: bytes.len(), packed, sum });
        self.holds += bytes.len();
        if self.frames.len() >= WRITE { self.flush() } else { Ok(()) }
    }

    /// Writes what waits.
    fn flush(&mut self) -> Result<()> {
        let file = &self.budget.file;
        let begun = Instant::now();
        let at = file.write(&self.frames)?;
        file.codec.enter(self.packs, self.holds, self.spent + begun.elapsed());
        self.extents[self.waiting..].iter_mut().for_each(|extent| extent.at += at);
        (self.waiting, self.holds, self.spent) = (self.extents.len(), 0, Duration::ZERO);
        self.frames.clear();
        // A single large piece must not keep its memory.
        self.frames.shrink_to(2 * WRITE);
        Ok(())
    }

    /// Writes the rest; returns the extent of each piece, in the order in which they were added.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub(crate) fn finish(mut self) -> Result<Vec<Extent>> {
        if self.waiting < self.extents.len() {
            self.flush()?;
        }
        Ok(self.extents)
    }
}

/// Appends bytes as blocks of LZ4. Returns false, and appends nothing, if they do not shrink.
fn pack(bytes: &[u8], frames: &mut Vec<u8>) -> bool {
    let start = frames.len();
    for block in bytes.chunks(BLOCK) {
        let head = frames.len();
        frames.resize(head + 4 + get_maximum_output_size(block.len()), 0);
        let len = compress_into(block, &mut frames[head + 4..]).unwrap_or(usize::MAX);
        let Ok(written) = u32::try_from(len) else {
            frames.truncate(start);
            return false;
        };
        frames[head..head + 4].copy_from_slice(&written.to_le_bytes());
        frames.truncate(head + 4 + len);
    }
    let shrinks = frames.len() - start < bytes.len();
    if !shrinks {
        frames.truncate(start);
    }
    shrinks
}

/// Fills `bytes` with what was packed; `None` if it was something else.
fn unpack(mut frame: &[u8], bytes: &mut [u8]) -> Option<()> {
    for block in bytes.chunks_mut(BLOCK) {
        let (len, rest) = frame.split_first_chunk()?;
        let (packed, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        let unpacked = decompress_into(packed, block).ok()?;
        if unpacked != block.len() {
            return None;
        }
        frame = rest;
    }
    frame.is_empty().then_some(())
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

#[cfg(test)]
mod tests;
