//! Writes the state of a run, frame by frame.
//!
//! After the frame of the plan, and that of the shard if it is one, come those of each result of the first phase, by its number: the chunks of a state,
//! in the order of their keys, or rows (whole lines of JSON); then the objects that were read, in the order
//! of their ids; and last the report. Where frames are cut depends on nothing but what is in them.
//!
//! A chunk is as small as a state is cut: few keys, in bytes that are read by themselves. So the states of
//! many files are merged with a chunk of each in memory.

use creel_operators::aggregate::Writer as _;

use super::bytes::{Kind, Writer};
use super::coverage::{Covered, NAMED};
use super::data::{Plan, encoded};
use super::report::Report;
use super::shard::Shard;
use crate::Result;
use crate::program::Carry;
use crate::sink::Write;

/// What a frame is of: its first byte.
pub(super) const PLAN: u8 = b'P';
pub(super) const SHARD: u8 = b'H';
pub(super) const ROWS: u8 = b'R';
pub(super) const CHUNK: u8 = b'S';
/// More of the chunk before.
pub(super) const MORE: u8 = b'C';
pub(super) const OBJECTS: u8 = b'O';
pub(super) const REPORT: u8 = b'T';

/// Bytes of a frame, about.
const FRAME: usize = if cfg!(test) { 64 } else { 1 << 20 };

/// Bytes of a frame of objects, about: a merge holds one of each state.
const OBJECTS_FRAME: usize = if cfg!(test) { 64 } else { 16 << 10 };

/// Writes a state.
pub(super) struct StateWriter<'w> {
    writer: Writer<'w>,
    /// The frame that is being filled, or nothing.
    frame: Vec<u8>,
    /// The result whose rows are in that frame, and the bytes of it that say so.
    rows: Option<(usize, usize)>,
    /// Objects that were written with their names.
    named: usize,
}

impl<'w> StateWriter<'w> {
    /// Writes the state of a shard, or of all keys.
    pub(super) fn new(plan: &Plan, shard: Option<Shard>, out: &'w mut dyn Write) -> Result<Self> {
        let mut writer = Writer::new(Kind::State, plan.digest(), out)?;
        let mut frame = vec![PLAN];
        frame.extend_from_slice(&plan.encoded());
        writer.frame(&frame)?;
        if let Some(shard) = shard {
            writer.frame(&[&[SHARD], encoded(&shard).as_slice()].concat())?;
        }
        Ok(Self { writer, frame: Vec::new(), rows: None, named: 0 })
    }

    /// Writes the rows that are less than a frame, to which no more are added.
    fn end_rows(&mut self) -> Result<()> {
        let Self { writer, frame, rows, .. } = self;
        if let Some((_, head)) = rows.take() {
            if frame.len() > head {
                writer.frame(frame)?;
            }
            frame.clear();
        }
        Ok(())
    }

    fn write_chunk(&mut self, result: usize, bytes: &[u8]) -> Result<()> {
        let (first, rest) = bytes.split_at(bytes.len().min(FRAME));
        self.end_rows()?;
        self.frame.push(CHUNK);
        self.frame.put_u64(result as u64);
        self.frame.extend_from_slice(first);
        self.writer.frame(&self.frame)?;
        for piece in rest.chunks(FRAME) {
            self.frame.clear();
            self.frame.push(MORE);
            self.frame.extend_from_slice(piece);
            self.writer.frame(&self.frame)?;
        }
        // Many shards may be written side by side.
        self.frame = Vec::new();
        Ok(())
    }

    fn write_rows(&mut self, result: usize, lines: &[u8]) -> Result<()> {
        if self.rows.is_none_or(|(of, _)| of != result) {
            self.end_rows()?;
            self.frame.push(ROWS);
            self.frame.put_u64(result as u64);
            self.rows = Some((result, self.frame.len()));
        }
        let Self { writer, frame, rows: Some((_, head)), .. } = self else { return Ok(()) };
        // Piece by piece: one that is printed may be many frames.
        for piece in lines.chunks(FRAME) {
            let mut searched = frame.len();
            frame.extend_from_slice(piece);
            // After the last line that ends within a frame, or else after the first.
            while frame.len() > FRAME {
                let within = memchr::memrchr(b'\n', &frame[*head..FRAME]).map(|at| *head + at);
                let behind = || Some(searched + memchr::memchr(b'\n', frame.get(searched..)?)?);
                let Some(end) = within.or_else(behind) else { break };
                writer.frame(&frame[..=end])?;
                frame.drain(*head..=end);
                searched = *head;
            }
        }
        Ok(())
    }

    /// Writes an object that was read. They come in the order of their ids.
    pub(super) fn object(&mut self, object: &Covered) -> Result<()> {
        self.end_rows()?;
        if self.frame.is_empty() {
            self.frame.push(OBJECTS);
        }
        self.named += usize::from(object.name.is_some());
        if self.named > NAMED && object.name.is_some() {
            let nameless = Covered { name: None, ..object.clone() };
            self.frame.extend_from_slice(&encoded(&nameless));
        } else {
            self.frame.extend_from_slice(&encoded(object));
        }
        if self.frame.len() >= OBJECTS_FRAME {
            self.writer.frame(&self.frame)?;
            self.frame.clear();
        }
        Ok(())
    }

    /// Writes the report, and the end.
    pub(super) fn end(mut self, report: &Report) -> Result<()> {
        self.end_rows()?;
        if !self.frame.is_empty() {
            self.writer.frame(&self.frame)?;
        }
        let mut frame = vec![REPORT];
        frame.extend_from_slice(&encoded(report));
        self.writer.frame(&frame)?;
        self.writer.end()
    }
}

impl Carry for StateWriter<'_> {
    fn chunk(&mut self, result: usize, bytes: &[u8]) -> Result<()> {
        self.write_chunk(result, bytes)
    }

    fn rows(&mut self, result: usize, lines: &[u8]) -> Result<()> {
        self.write_rows(result, lines)
    }
}
