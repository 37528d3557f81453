//! What was read of a file, by all its readers: enough to know later that it still stands there.
//!
//! Bytes of a file that was touched a short time before are summed as they are read, so that they
//! can be read again and compared once all was read. Of other files only samples are kept: summing
//! would cost some percent of the time that counting lines takes.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::hash::Hasher;
use std::io::{self, Read};

use twox_hash::XxHash3_64;

/// Bytes between samples of what was read.
pub(super) const BETWEEN: u64 = 1 << 20;
/// The most samples of a file; then every second is let go.
const MOST_SAMPLES: usize = 8192;
/// Bytes of a sample.
pub(super) const SAMPLE: usize = 32;
/// Bytes that are read again at a time.
const AGAIN: usize = 1 << 20;
/// After so many of these, others have their turn.
const TURN: u64 = 16;

/// The sum of bytes, as they are read.
#[derive(Default)]
pub(super) struct Sum(XxHash3_64);

impl Sum {
    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    pub(super) fn finish(&self) -> u64 {
        self.0.finish()
    }
}

impl fmt::Debug for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.finish())
    }
}

/// The bytes that the reader of one slice has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) from: u64,
    pub(super) to: u64,
    /// Their sum, if they were summed.
    pub(super) sum: Option<u64>,
    /// They may be of a content whose times are those of the next one.
    pub(super) fresh: bool,
}

impl Range {
    /// Whether a file still holds these bytes. Reads them again, with pauses.
    pub(super) async fn is_held_by(&self, file: &File) -> io::Result<bool> {
        let mut again = Again::new(self);
        while again.read(file)? {
            if (again.at / AGAIN as u64).is_multiple_of(TURN) {
                tokio::task::yield_now().await;
            }
        }
        Ok(again.found(self))
    }

    /// The same without pauses, for a thread that does nothing else.
    #[cfg(unix)]
    pub(super) fn is_held_now(&self, file: &File) -> io::Result<bool> {
        let mut again = Again::new(self);
        while again.read(file)? {}
        Ok(again.found(self))
    }
}

/// A range that is read again.
struct Again {
    bytes: Vec<u8>,
    sum: Sum,
    at: u64,
    to: u64,
}

impl Again {
    fn new(range: &Range) -> Self {
        Self { bytes: vec![0; AGAIN], sum: Sum::default(), at: range.from, to: range.to }
    }

    /// Reads some more; `false` at the end of the range or of the file.
    fn read(&mut self, file: &File) -> io::Result<bool> {
        let most = usize::try_from(self.to - self.at).unwrap_or(AGAIN).min(AGAIN);
        let read = read_at(file, &mut self.bytes[..most], self.at)?;
        self.sum.write(&self.bytes[..read]);
        self.at += read as u64;
        Ok(read > 0)
    }

    /// Whether all of it was there, and the same.
    fn found(&self, range: &Range) -> bool {
        self.at == self.to && range.sum.is_none_or(|expected| expected == self.sum.finish())
    }
}

/// What is known of a file.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    samples: Vec<(u64, Vec<u8>)>,
    /// What was read of each slice, by its start.
    slices: BTreeMap<u64, Range>,
    /// Bytes of the slices, of which the last is as long as can be.
    covered: u64,
}

impl Evidence {
    /// Takes samples of bytes that were read.
    pub(super) fn sample(&mut self, at: u64, bytes: &[u8]) {
        let most = bytes.len().min(SAMPLE);
        let last = bytes.len() - most;
        // From both ends: many files begin alike.
        if self.samples.len() >= MOST_SAMPLES {
            let mut kept = false;
            self.samples.retain(|_| {
                kept = !kept;
                kept
            });
        }
        self.samples.push((at, bytes[..most].to_vec()));
        self.samples.push((at + last as u64, bytes[last..].to_vec()));
    }

    /// Whether a file still holds the samples, and begins with this.
    pub(super) fn samples_are_held_by(&self, file: &File, head: &[u8]) -> bool {
        holds(file, 0, head) && self.samples.iter().all(|(at, bytes)| holds(file, *at, bytes))
    }

    /// Adds what was read of a slice; `false` if that was read before, and was something else.
    pub(super) fn add(&mut self, start: u64, end: Option<u64>, read: Range) -> bool {
        match self.slices.insert(start, read) {
            None => {
                let length = end.unwrap_or(u64::MAX).saturating_sub(start);
                self.covered = self.covered.saturating_add(length);
                true
            }
            Some(before) => {
                let same = (before.from, before.to) == (read.from, read.to);
                let summed = before.sum.is_some() && read.sum.is_some();
                !(same && summed) || before.sum == read.sum
            }
        }
    }

    /// Whether all slices were read.
    pub(super) fn is_whole(&self) -> bool {
        self.covered == u64::MAX
    }

    /// Whether something was read of which there is no sum.
    pub(super) fn has_gaps(&self) -> bool {
        self.slices.values().any(|read| read.sum.is_none())
    }

    /// What there are sums of; or only what may be of a content before this.
    pub(super) fn summed(&self, only_fresh: bool) -> Vec<Range> {
        let wanted = |read: &&Range| read.sum.is_some() && (read.fresh || !only_fresh);
        self.slices.values().filter(wanted).copied().collect()
    }
}

fn holds(file: &File, at: u64, bytes: &[u8]) -> bool {
    let mut now = vec![0; bytes.len()];
    let mut filled = 0;
    while filled < now.len() {
        match read_at(file, &mut now[filled..], at + filled as u64) {
            Ok(read @ 1..) => filled += read,
            _ => return false,
        }
    }
    now == bytes
}

/// Reads from an offset on, whoever else reads through the same descriptor.
#[cfg(unix)]
pub(super) fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    use std::os::unix::fs::FileExt;
    again(|| file.read_at(into, at))
}

/// Reads from an offset on. Readers share no descriptors here.
#[cfg(not(unix))]
pub(super) fn read_at(mut file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    use std::io::{Seek, SeekFrom};
    file.seek(SeekFrom::Start(at))?;
    again(|| file.read(into))
}

/// Reads on from where the only reader of a descriptor has read to.
pub(super) fn read_on(mut file: &File, into: &mut [u8]) -> io::Result<usize> {
    again(|| file.read(into))
}

fn again(mut read: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match read() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}
