//! Where the chunks of a state are, by their first keys: made as a file is checked.

use std::sync::Arc;

use creel_operators::aggregate::Reader;

use super::data::Plan;
use crate::program::{Carries, State};

/// Where a chunk is: the frames and the bytes before it, and how many frames it takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChunkPlace {
    pub(super) frame: u64,
    pub(super) at: u64,
    pub(super) frames: u64,
}

/// The chunks of a branch, in the order of their keys.
#[derive(Debug)]
pub(super) struct Indexed {
    pub(super) places: Vec<ChunkPlace>,
    pub(super) firsts: Arc<[Box<[u8]>]>,
    /// Bytes of the largest.
    pub(super) largest: usize,
}

/// An index, as it is made.
pub(super) struct Index {
    /// Empty states of the branches that the plan has; none if its states are rows.
    empty: Vec<Box<dyn State>>,
    branches: Vec<Branch>,
    /// What was seen of the last chunk, if its first key was not yet.
    head: Option<Vec<u8>>,
    /// Bytes of the last chunk.
    bytes: usize,
}

#[derive(Default)]
struct Branch {
    places: Vec<ChunkPlace>,
    firsts: Vec<Box<[u8]>>,
    largest: usize,
}

/// What is wrong with a chunk.
type Wrong = &'static str;

impl Index {
    pub(super) fn new(plan: &Plan) -> Self {
        let empty = match plan.program.carries() {
            Carries::State => plan.program.branches(plan.records().invalid),
            Carries::Rows => Vec::new(),
        };
        Self { empty, branches: Vec::new(), head: None, bytes: 0 }
    }

    /// Whether states of the plan are rows.
    pub(super) fn is_of_rows(&self) -> bool {
        self.empty.is_empty()
    }

    /// A chunk begins with these bytes, behind the number of its branch.
    pub(super) fn begin(&mut self, place: ChunkPlace, bytes: &[u8]) -> Result<(), Wrong> {
        self.end_chunk()?;
        let mut reader = Reader::new(bytes);
        let branch = reader.u64().map_err(|_| "a chunk is of no branch; write it again")?;
        let branch = usize::try_from(branch).unwrap_or(usize::MAX);
        if branch >= self.empty.len() || branch + 1 < self.branches.len() {
            return Err("a chunk is of no branch; write it again");
        }
        self.branches.resize_with(branch + 1, Branch::default);
        let Some(last) = self.branches.last_mut() else { return Ok(()) };
        last.places.push(place);
        self.head = Some(Vec::new());
        self.bytes = 0;
        self.add(&bytes[bytes.len() - reader.left()..])
    }

    /// The last chunk goes on with these bytes.
    pub(super) fn go_on(&mut self, bytes: &[u8]) -> Result<(), Wrong> {
        let last = self.branches.last_mut().and_then(|branch| branch.places.last_mut());
        let Some(last) = last else { return Err("a chunk has no beginning; write it again") };
        last.frames += 1;
        self.add(bytes)
    }

    fn add(&mut self, bytes: &[u8]) -> Result<(), Wrong> {
        self.bytes += bytes.len();
        let at = self.branches.len().saturating_sub(1);
        let Some(branch) = self.branches.get_mut(at) else { return Ok(()) };
        branch.largest = branch.largest.max(self.bytes);
        let Some(head) = &mut self.head else { return Ok(()) };
        head.extend_from_slice(bytes);
        // A key may be longer than a frame.
        let Ok(first) = self.empty[at].first_key(head) else { return Ok(()) };
        if branch.firsts.last().is_some_and(|before| **before >= *first) {
            return Err("its chunks are not in the order of their keys; write it again");
        }
        branch.firsts.push(first.into());
        self.head = None;
        Ok(())
    }

    fn end_chunk(&mut self) -> Result<(), Wrong> {
        match self.head.take() {
            None => Ok(()),
            Some(_) => Err("a chunk has no key; write it again"),
        }
    }

    /// The chunks of each branch of the plan.
    pub(super) fn finish(mut self) -> Result<Vec<Indexed>, Wrong> {
        self.end_chunk()?;
        self.branches.resize_with(self.empty.len(), Branch::default);
        let indexed = self.branches.into_iter().map(|Branch { places, firsts, largest }| Indexed {
            places,
            firsts: firsts.into(),
            largest,
        });
        Ok(indexed.collect())
    }
}
