//! The temporary file: extents of bytes with checksums, compressed where that saves time.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use creel_kernels::{reserve, zeroed};
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
    reserved: AtomicU64,
    written: AtomicU64,
    codec: Codec,
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

    fn place(&self) -> Place {
        Place::object(format!("the temporary file in {}", self.folder.display()))
    }

    fn fault(&self, error: io::Error) -> Error {
        let remedy = match remedy(&error) {
            "" => "; choose another folder (--tmpdir), or allow more memory (--memory)",
            remedy => remedy,
        };
        let told = format!("{error}{remedy}");
        Error::Io { place: self.place(), source: io::Error::new(error.kind(), told).into() }
    }

    /// The error for a file that would outgrow its limit.
    fn over(&self, most: u64) -> Error {
        let told = format!(
            "it would outgrow the {} that it may have; allow a larger file (--spill-max), or more memory (--memory)",
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
            packs: budget.file.codec.packs(),
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
        self.packs = file.codec.packs();
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
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn spilled_bytes_come_back() {
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
        assert_eq!(budget.written(), budget.file.reserved.load(Relaxed));
    }

    #[test]
    fn changed_bytes_are_an_error_that_names_the_folder() {
        let budget = Budget::new(0, None);
        let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let extent = budget.write(&text).expect("there is room");
        for at in (0..extent.len as u64).step_by(extent.len / 50) {
            let mut byte = [0];
            let change = |byte: &mut [u8; 1]| {
                let file = budget.file.file.get().expect("it was written");
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
                Ok(_) => panic!("byte {at}"),
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
    fn a_full_disk_is_named_with_the_folder_and_the_remedy() {
        let folder = tempfile::tempdir().expect("a folder");
        let budget = Budget::new(0, Some(folder.path()));
        let file = File::options().read(true).write(true).open("/dev/full").expect("it is there");
        budget.file.file.set(file).expect("nothing was written");
        let error = budget.write(b"text").expect_err("there is no room");
        let full = matches!(&error, Error::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull);
        assert!(full, "{error:?}");
        let message = error.to_string();
        for part in [&*folder.path().to_string_lossy(), "No space left", "choose another folder"] {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(budget.written(), 0, "nothing counts as put away");
    }

    #[cfg(feature = "cli")]
    #[test]
    fn a_file_is_written_up_to_its_largest_size_and_no_further() {
        let budget = Budget::new(0, None).with_largest_file(Some(1000));
        let noise: Vec<u8> = (0..600_u64).map(|n| ((n * n * 7919) >> 8) as u8).collect();
        let extent = budget.write(&noise).expect("there is room");
        let error = budget.write(&noise).expect_err("there is no room");
        let message = error.to_string();
        assert!(message.contains("1000 B") && message.contains("--spill-max"), "{message}");
        let small = budget.write(&noise[..100]).expect("there is room");
        assert_eq!(budget.read(extent).expect("it is there"), noise);
        assert_eq!(budget.read(small).expect("it is there"), noise[..100]);
    }

    #[cfg(feature = "cli")]
    #[test]
    fn writes_that_are_refused_leave_the_ranges_of_others_alone() {
        let budget = Budget::new(0, None).with_largest_file(Some(200_000));
        std::thread::scope(|scope| {
            for lane in 1..5_u8 {
                let budget = &budget;
                scope.spawn(move || {
                    let noise = |n: usize| -> Vec<u8> {
                        (0..n).map(|m| ((m * m * 7919) >> 8) as u8 ^ lane).collect()
                    };
                    // Large ones are refused in between from some time on, small ones to the end.
                    for n in (0..200).map(|n| if n % 2 == 0 { 50 } else { 9_000 }) {
                        let Ok(extent) = budget.write(&noise(n)) else { continue };
                        assert_eq!(budget.read(extent).expect("it is there"), noise(n));
                    }
                });
            }
        });
        assert_eq!(budget.written(), budget.file.reserved.load(Relaxed));
    }

    #[test]
    fn pieces_of_a_batch_come_back_in_their_order_packed_or_not() {
        let budget = Budget::new(0, None);
        let piece = |n: usize| -> Vec<u8> {
            (0..n * 9_001)
                .map(|m| if n.is_multiple_of(3) { 7 } else { ((m * m * 31) >> 7) as u8 })
                .collect()
        };
        for _ in 0..40 {
            let mut batch = Batch::new(&budget);
            (0..20).try_for_each(|n| batch.add(&piece(n))).expect("there is room");
            let extents = batch.finish().expect("there is room");
            assert_eq!(extents.len(), 20);
            for (n, extent) in extents.into_iter().enumerate() {
                assert_eq!(budget.read(extent).expect("it is there"), piece(n));
                let mut bytes = vec![1, 2];
                budget.append(extent, &mut bytes).expect("it is there");
                assert_eq!(bytes, [&[1, 2], piece(n).as_slice()].concat());
            }
        }
    }
}
