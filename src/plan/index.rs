//! Where the chunks of a state are, and where rows are: made as a file is checked.

use creel_operators::aggregate::Reader;

use super::data::Plan;
use crate::program::{Carries, State};

/// Where frames are that stand one behind the other: the frames and the bytes before the first, and how many
/// they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChunkPlace {
    pub(super) frame: u64,
    pub(super) at: u64,
    pub(super) frames: u64,
}

/// What a file has of a result.
#[derive(Debug)]
pub(super) enum Indexed {
    Chunks(IndexedChunks),
    Rows(IndexedRows),
}

/// The chunks of a state, in the order of their keys.
#[derive(Debug)]
pub(super) struct IndexedChunks {
    pub(super) places: Vec<ChunkPlace>,
    /// Bytes of the largest, and of all.
    pub(super) largest: usize,
    pub(super) bytes: u64,
}

/// The frames of rows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct IndexedRows {
    pub(super) place: Option<ChunkPlace>,
    pub(super) rows: u64,
}

/// An index, as it is made.
pub(super) struct Index {
    results: Vec<IndexOf>,
    /// The result whose frames are read.
    at: usize,
    /// The bytes of the last chunk.
    bytes: usize,
    /// What was seen of the last chunk, if its first key was not yet.
    head: Option<Vec<u8>>,
}

/// What is known of a result of the plan.
enum IndexOf {
    /// An empty state, and chunks of others.
    Chunks(Box<dyn State>, Chunks),
    Rows(IndexedRows),
}

#[derive(Default)]
struct Chunks {
    places: Vec<ChunkPlace>,
    /// The first key of the last chunk.
    first: Option<Vec<u8>>,
    largest: usize,
    bytes: u64,
}

/// What is wrong with a frame.
type Wrong = &'static str;

/// The number of a result that a frame begins with, and what is behind it.
fn result(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut reader = Reader::new(bytes);
    let result = usize::try_from(reader.u64().ok()?).ok()?;
    Some((result, &bytes[bytes.len() - reader.left()..]))
}

/// The rows of a frame behind the number of their result.
pub(super) fn rows(bytes: &[u8]) -> &[u8] {
    result(bytes).map_or(&[], |(_, lines)| lines)
}

impl Index {
    pub(super) fn new(plan: &Plan) -> Self {
        let results = plan.program.carries(plan.records().invalid).into_iter().map(|of| match of {
            Carries::State(empty) => IndexOf::Chunks(empty, Chunks::default()),
            Carries::Rows | Carries::Records => IndexOf::Rows(IndexedRows::default()),
        });
        Self { results: results.collect(), at: 0, bytes: 0, head: None }
    }

    /// Rows in a frame, behind the number of their result.
    pub(super) fn add_rows(&mut self, place: ChunkPlace, bytes: &[u8]) -> Result<(), Wrong> {
        self.end_chunk()?;
        let wrong = "rows are of no result; write it again";
        let (result, lines) = result(bytes).ok_or(wrong)?;
        let Some(IndexOf::Rows(of)) = self.results.get_mut(result).filter(|_| result >= self.at)
        else {
            return Err(wrong);
        };
        if !lines.ends_with(b"\n") {
            return Err("a row has no end; write it again");
        }
        self.at = result;
        of.place.get_or_insert(ChunkPlace { frames: 0, ..place }).frames += 1;
        of.rows += memchr::memchr_iter(b'\n', lines).count() as u64;
        Ok(())
    }

    /// A chunk begins with these bytes, behind the number of its result.
    pub(super) fn begin(&mut self, place: ChunkPlace, bytes: &[u8]) -> Result<(), Wrong> {
        self.end_chunk()?;
        let wrong = "a chunk is of no result; write it again";
        let (result, bytes) = result(bytes).ok_or(wrong)?;
        let Some(IndexOf::Chunks(_, chunks)) =
            self.results.get_mut(result).filter(|_| result >= self.at)
        else {
            return Err(wrong);
        };
        chunks.places.push(place);
        (self.at, self.bytes, self.head) = (result, 0, Some(Vec::new()));
        self.add(bytes)
    }

    /// The last chunk goes on with these bytes.
    pub(super) fn go_on(&mut self, bytes: &[u8]) -> Result<(), Wrong> {
        let last = match self.results.get_mut(self.at) {
            Some(IndexOf::Chunks(_, chunks)) => chunks.places.last_mut(),
            Some(IndexOf::Rows(_)) | None => None,
        };
        let Some(last) = last else { return Err("a chunk has no beginning; write it again") };
        last.frames += 1;
        self.add(bytes)
    }

    fn add(&mut self, bytes: &[u8]) -> Result<(), Wrong> {
        self.bytes += bytes.len();
        let Some(IndexOf::Chunks(empty, chunks)) = self.results.get_mut(self.at) else {
            return Ok(());
        };
        chunks.bytes += bytes.len() as u64;
        chunks.largest = chunks.largest.max(self.bytes);
        let Some(head) = &mut self.head else { return Ok(()) };
        head.extend_from_slice(bytes);
        // A key may be longer than a frame.
        let Ok(first) = empty.first_key(head) else { return Ok(()) };
        if chunks.first.as_ref().is_some_and(|before| *before >= first) {
            return Err("its chunks are not in the order of their keys; write it again");
        }
        chunks.first = Some(first);
        self.head = None;
        Ok(())
    }

    fn end_chunk(&mut self) -> Result<(), Wrong> {
        match self.head.take() {
            None => Ok(()),
            Some(_) => Err("a chunk has no key; write it again"),
        }
    }

    /// What there is of each result of the plan.
    pub(super) fn finish(mut self) -> Result<Vec<Indexed>, Wrong> {
        self.end_chunk()?;
        let indexed = self.results.into_iter().map(|of| match of {
            IndexOf::Rows(rows) => Indexed::Rows(rows),
            IndexOf::Chunks(_, Chunks { places, largest, bytes, .. }) => {
                Indexed::Chunks(IndexedChunks { places, largest, bytes })
            }
        });
        Ok(indexed.collect())
    }
}
