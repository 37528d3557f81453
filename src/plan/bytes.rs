//! The form of plans, partitions and states in bytes: a header, and frames with checksums.
//!
//! ```text
//! header   magic, version of the format, version of the language, kind, digest of the plan, checksum
//! frame    length, checksum, bytes                           (any number of them)
//! end      length 0, checksum of nothing                     (so that a cut file is known to be cut)
//! ```
//!
//! All numbers are little-endian. The checksum of a frame depends on the header and on the number of the
//! frame: a frame of another file, or in another place, is damage. A reader takes no memory for a frame
//! before its bytes are there, and gives none that were not checked.

use std::hash::Hasher;
use std::io::{self, Read};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use twox_hash::XxHash3_64;

use crate::sink::Write;
use crate::{Error, Place, Result};

/// What the bytes begin with: no text, and broken by whoever changes line ends.
const MAGIC: [u8; 8] = *b"\x93creel\r\n";

/// The version of this form. It goes up when bytes of before cannot be read, or would mean another thing.
const FORMAT: u16 = 10;

/// The version of the language. It goes up when a program of before would give another answer.
const LANGUAGE: u16 = 2;

/// Bytes of a header, the last eight of which are its checksum.
const HEADER: usize = 56;

/// Bytes before those of a frame: its length, and its checksum.
const PREFIX: usize = 12;

/// What bytes are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plan = 1,
    Partitions = 2,
    State = 3,
    /// The plan of a pass of a program in Rust.
    Step = 4,
    /// What some partitions came to in such a pass.
    StateOfPass = 5,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [Self::Plan, Self::Partitions, Self::State, Self::Step, Self::StateOfPass]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }

    /// As a message names it.
    fn name(self) -> &'static str {
        match self {
            Self::Plan => "a plan",
            Self::Partitions => "partitions of a plan",
            Self::State => "a state (as --partial writes it)",
            Self::Step => "a plan of a program in Rust",
            Self::StateOfPass => "a state of a program in Rust",
        }
    }
}

/// The SHA-256 of what a plan asks: equal for two plans only if they ask the same of the same records.
///
/// ```
/// use creel::plan::{InputFormat, Plan};
///
/// let counts = Plan::new("count", InputFormat::TEXT, ["a.log"])?;
/// // What is read is no part of what is asked.
/// assert_eq!(counts.digest(), Plan::new("count", InputFormat::TEXT, ["b.log"])?.digest());
/// assert_ne!(counts.digest(), Plan::new("words | count", InputFormat::TEXT, ["a.log"])?.digest());
/// assert_eq!(counts.digest().to_string().len(), 64);
/// # Ok::<(), creel::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Digest([u8; 32]);

impl Digest {
    /// That of several, in their order.
    pub(crate) fn of_all(digests: &[Self]) -> Self {
        Self::of(digests.iter().map(|digest| digest.0).collect::<Vec<_>>().as_flattened())
    }

    pub(crate) fn of(question: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(MAGIC);
        hash.update(FORMAT.to_le_bytes());
        hash.update(LANGUAGE.to_le_bytes());
        hash.update(question);
        Self(hash.finalize().into())
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Gathers written bytes in memory.
impl Write for Vec<u8> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

/// Writes a header, then frames, then the end.
pub(super) struct Writer<'w> {
    out: &'w mut dyn Write,
    seed: u64,
    frames: u64,
}

impl<'w> Writer<'w> {
    pub(super) fn new(kind: Kind, digest: Digest, out: &'w mut dyn Write) -> Result<Self> {
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(&FORMAT.to_le_bytes());
        header.extend_from_slice(&LANGUAGE.to_le_bytes());
        header.extend_from_slice(&[kind as u8, 0, 0, 0]);
        header.extend_from_slice(&digest.0);
        let seed = XxHash3_64::oneshot(&header);
        header.extend_from_slice(&seed.to_le_bytes());
        out.write(&header)?;
        Ok(Self { out, seed, frames: 0 })
    }

    /// Writes a frame. One of no bytes would be the end.
    pub(super) fn frame(&mut self, bytes: &[u8]) -> Result<()> {
        self.frame_of(&[bytes])
    }

    /// Writes a frame of parts that stand one behind the other.
    pub(super) fn frame_of(&mut self, parts: &[&[u8]]) -> Result<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let Ok(length @ 1..) = u32::try_from(length) else {
            let reason = "a part of the state is longer than 4 GiB";
            let source = io::Error::new(io::ErrorKind::FileTooLarge, reason).into();
            return Err(Error::Output { path: "the state".to_owned(), source });
        };
        self.prefix(length, parts)?;
        parts.iter().try_for_each(|part| self.out.write(part))
    }

    /// Writes the end.
    pub(super) fn end(mut self) -> Result<()> {
        self.prefix(0, &[])
    }

    fn prefix(&mut self, length: u32, parts: &[&[u8]]) -> Result<()> {
        let sum = checksum(self.seed, self.frames, parts);
        self.frames += 1;
        let mut prefix = [0; PREFIX];
        prefix[..4].copy_from_slice(&length.to_le_bytes());
        prefix[4..].copy_from_slice(&sum.to_le_bytes());
        self.out.write(&prefix)
    }
}

fn checksum(seed: u64, number: u64, parts: &[&[u8]]) -> u64 {
    let seed = seed.wrapping_add(number);
    if let [bytes] = parts {
        return XxHash3_64::oneshot_with_seed(seed, bytes);
    }
    let mut hash = XxHash3_64::with_seed(seed);
    parts.iter().for_each(|part| hash.write(part));
    hash.finish()
}

/// Reads what a [`Writer`] wrote, and checks it.
#[derive(Debug)]
pub(super) struct Reader<R> {
    input: R,
    name: String,
    pub(super) digest: Digest,
    seed: u64,
    /// How many frames and bytes were read.
    pub(super) frames: u64,
    pub(super) at: u64,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Reads and checks a header. `name` stands for the bytes in messages.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for bytes that are nothing of ours or damaged; [`Error::Unsupported`] for
    /// those of another kind or another version, with both named.
    pub(super) fn new(mut input: R, kind: Kind, name: &str) -> Result<Self> {
        let mut header = [0; HEADER];
        let read = fill(&mut input, &mut header).map_err(|error| fault(name, error))?;
        let corrupt = |at: usize, reason: &str| damaged(name, at as u64, reason);
        if header[..MAGIC.len().min(read)] != MAGIC[..MAGIC.len().min(read)] || read == 0 {
            let reason = format!("this is not {}", kind.name());
            return Err(Error::Corrupt { place: Place::object(name), reason });
        }
        if read < HEADER {
            return Err(corrupt(read, "it is cut off; write it again"));
        }
        let number = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let (format, language) = (number(8), number(10));
        let other = |what: &str, found: u16, known: u16| Error::Unsupported {
            place: Place::object(name),
            reason: format!(
                "it is of version {found} of {what}, and this is creel {}, which has version {known}; \
                 write it again with the creel that reads it",
                env!("CARGO_PKG_VERSION"),
            ),
        };
        // Before the checksum: another version may have it elsewhere.
        if format != FORMAT {
            return Err(other("the format", format, FORMAT));
        }
        let seed = XxHash3_64::oneshot(&header[..HEADER - 8]);
        if header[HEADER - 8..] != seed.to_le_bytes() {
            return Err(corrupt(0, "its header is damaged; write it again"));
        }
        if language != LANGUAGE {
            return Err(other("the language", language, LANGUAGE));
        }
        match Kind::of(header[12]) {
            Some(found) if found == kind => {}
            Some(found) => {
                let reason = format!("this is {}, and not {}", found.name(), kind.name());
                return Err(Error::Unsupported { place: Place::object(name), reason });
            }
            None => return Err(corrupt(12, "its header is damaged; write it again")),
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(&header[16..48]);
        let (digest, at) = (Digest(digest), HEADER as u64);
        Ok(Self { input, name: name.to_owned(), digest, seed, frames: 0, at, ended: false })
    }

    /// A reader of the frames behind so many frames and bytes that this one has read, from an input that
    /// begins there.
    pub(super) fn again<I: Read>(&self, input: I, frames: u64, at: u64) -> Reader<I> {
        let (name, digest, seed) = (self.name.clone(), self.digest, self.seed);
        Reader { input, name, digest, seed, frames, at, ended: false }
    }

    /// Reads the next frame into a buffer; `false` at the end, behind which there is nothing.
    ///
    /// # Errors
    /// [`Error::Corrupt`] with the byte, or [`Error::Io`].
    pub(super) fn next(&mut self, bytes: &mut Vec<u8>) -> Result<bool> {
        bytes.clear();
        if self.ended {
            return Ok(false);
        }
        let mut prefix = [0; PREFIX];
        let read = fill(&mut self.input, &mut prefix).map_err(|error| fault(&self.name, error))?;
        if read < PREFIX {
            return Err(self.damaged("it is cut off; write it again"));
        }
        let length = u32::from_le_bytes([prefix[0], prefix[1], prefix[2], prefix[3]]);
        // The buffer grows as bytes come: a length that is a lie takes no memory.
        let mut frame = self.input.by_ref().take(length.into());
        let read = frame.read_to_end(bytes).map_err(|error| fault(&self.name, error))?;
        if read < length as usize {
            return Err(self.damaged("it is cut off; write it again"));
        }
        if prefix[4..] != checksum(self.seed, self.frames, &[bytes]).to_le_bytes() {
            return Err(self.damaged("its checksum does not fit; write it again"));
        }
        self.frames += 1;
        self.at += (PREFIX + bytes.len()) as u64;
        if length > 0 {
            return Ok(true);
        }
        self.ended = true;
        match fill(&mut self.input, &mut [0]).map_err(|error| fault(&self.name, error))? {
            0 => Ok(false),
            _ => Err(self.damaged("something follows its end; write it again")),
        }
    }

    /// The error for an input that cannot be read.
    pub(super) fn fault(&self, error: io::Error) -> Error {
        fault(&self.name, error)
    }

    /// The error for bytes that are not what they should be, after what was read.
    pub(super) fn damaged(&self, reason: &str) -> Error {
        damaged(&self.name, self.at, reason)
    }
}

/// Reads until a buffer is full or the input ends.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn damaged(name: &str, at: u64, reason: &str) -> Error {
    Error::Corrupt { place: Place::object(name).at(at), reason: reason.to_owned() }
}

fn fault(name: &str, source: io::Error) -> Error {
    Error::io(Place::object(name), source)
}

/// The only frame of these bytes.
pub(super) fn only_frame(bytes: impl Read, kind: Kind, name: &str) -> Result<(Digest, Vec<u8>)> {
    let mut reader = Reader::new(bytes, kind, name)?;
    let (mut frame, mut more) = (Vec::new(), Vec::new());
    if !reader.next(&mut frame)? || reader.next(&mut more)? {
        return Err(reader.damaged("it has not the one part that it should have"));
    }
    Ok((reader.digest, frame))
}

/// Bytes with the digest and the checksums that they should have, whatever else is wrong with them: what
/// the fuzzer reads, for which every checksum would be a wall.
#[cfg(fuzzing)]
pub(super) fn sealed(bytes: &[u8], digest: Option<Digest>) -> Vec<u8> {
    let mut sealed = bytes.to_vec();
    if sealed.len() < HEADER {
        return sealed;
    }
    if let Some(Digest(digest)) = digest {
        sealed[16..48].copy_from_slice(&digest);
    }
    let seed = XxHash3_64::oneshot(&sealed[..HEADER - 8]);
    sealed[HEADER - 8..HEADER].copy_from_slice(&seed.to_le_bytes());
    let (mut at, mut number) = (HEADER, 0);
    while let Some(prefix) = sealed.get(at..at + PREFIX) {
        let length = u32::from_le_bytes([prefix[0], prefix[1], prefix[2], prefix[3]]) as usize;
        let Some(frame) = sealed.get(at + PREFIX..at + PREFIX + length) else { break };
        let sum = checksum(seed, number, &[frame]).to_le_bytes();
        sealed[at + 4..at + PREFIX].copy_from_slice(&sum);
        (at, number) = (at + PREFIX + length, number + 1);
    }
    sealed
}

/// The bytes of the first frame, however they are sealed.
#[cfg(fuzzing)]
pub(super) fn first_frame(bytes: &[u8]) -> Option<&[u8]> {
    let prefix = bytes.get(HEADER..HEADER + PREFIX)?;
    let length = u32::from_le_bytes([prefix[0], prefix[1], prefix[2], prefix[3]]) as usize;
    bytes.get(HEADER + PREFIX..HEADER + PREFIX + length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(frames: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(Kind::State, Digest::of(b"a plan"), &mut bytes).unwrap();
        frames.iter().for_each(|frame| writer.frame(frame).unwrap());
        writer.end().unwrap();
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut reader = Reader::new(bytes, Kind::State, "bytes")?;
        let (mut frames, mut frame) = (Vec::new(), Vec::new());
        while reader.next(&mut frame)? {
            frames.push(frame.clone());
        }
        assert!(!reader.next(&mut frame)?, "the end stays the end");
        Ok(frames)
    }

    fn frames() -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..5)
    }

    proptest! {
        #[test]
        fn frames_are_read_as_they_were_written(frames in frames()) {
            prop_assert_eq!(read(&written(&frames)).unwrap(), frames);
        }

        #[test]
        fn a_flipped_bit_anywhere_is_refused(frames in frames(), at: prop::sample::Index, bit in 0..8_u8) {
            let mut bytes = written(&frames);
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            prop_assert!(read(&bytes).is_err(), "byte {at}");
        }

        #[test]
        fn bytes_that_end_early_or_late_are_refused(frames in frames(), cut: prop::sample::Index) {
            let mut bytes = written(&frames);
            prop_assert!(read(&bytes[..cut.index(bytes.len())]).is_err());
            bytes.push(0);
            prop_assert!(read(&bytes).is_err());
        }

        #[test]
        fn frames_in_another_order_or_of_another_file_are_refused(
            first in prop::collection::vec(any::<u8>(), 8),
            second in prop::collection::vec(any::<u8>(), 8),
        ) {
            prop_assume!(first != second);
            let bytes = written(&[first, second]);
            let (header, frames) = bytes.split_at(HEADER);
            let length = PREFIX + 8;
            let swapped =
                [header, &frames[length..2 * length], &frames[..length], &frames[2 * length..]];
            prop_assert!(read(&swapped.concat()).is_err());
            let mut other = Vec::new();
            Writer::new(Kind::State, Digest::of(b"another"), &mut other).unwrap();
            other.extend_from_slice(frames);
            prop_assert!(read(&other).is_err());
        }
    }

    #[test]
    fn another_version_and_another_kind_are_named_with_ours() {
        let mut bytes = written(&[]);
        bytes[8] = 99;
        let message = read(&bytes).unwrap_err().to_string();
        assert!(
            message.contains("version 99 of the format")
                && message.contains(&format!("has version {FORMAT}"))
        );
        let mut bytes = written(&[]);
        bytes[10] = 9;
        let sum = XxHash3_64::oneshot(&bytes[..HEADER - 8]);
        bytes[HEADER - 8..HEADER].copy_from_slice(&sum.to_le_bytes());
        let message = read(&bytes).unwrap_err().to_string();
        assert!(message.contains("version 9 of the language"), "{message}");
        let mut plan = Vec::new();
        Writer::new(Kind::Plan, Digest::of(b""), &mut plan).unwrap().end().unwrap();
        let message = read(&plan).unwrap_err().to_string();
        assert!(message.contains("this is a plan, and not a state"), "{message}");
        let message = read(b"one fish").unwrap_err().to_string();
        assert!(message.contains("this is not a state"), "{message}");
    }

    #[test]
    fn a_length_that_is_a_lie_takes_no_memory() {
        let mut bytes = written(&[]);
        bytes[HEADER..HEADER + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(read(&bytes).is_err());
    }
}
