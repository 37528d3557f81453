//! Sorted rows in the temporary file: the one form of them, and its writer.

use std::ops::Range;

use creel_operators::aggregate::{Reader, Writer};

use super::{Batch, Budget, Extent};
use crate::Result;

/// A row with more bytes is long: it stands outside of the pieces, and a merge moves only its place. So a
/// piece of each run takes little memory, whatever the rows are.
pub(super) const LONG: usize = if cfg!(test) { 64 } else { 8 << 10 };

/// The bytes of the key of a long row that its piece has.
pub(super) const PREFIX: usize = if cfg!(test) { 8 } else { 256 };

/// Bytes of a long row in one extent.
const PART: usize = 1 << 20;

/// Rows in the order of their keys, in the temporary file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Run {
    /// The pieces that hold the rows, first to last, and how many long rows there are up to each one's end.
    pub(super) pieces: Vec<(Extent, usize)>,
    /// The extents of each long row.
    pub(super) long: Vec<Vec<Extent>>,
}

/// A row as it stands in a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored<'p> {
    /// The key and what belongs to it.
    Short { key: &'p [u8], row: &'p [u8] },
    /// The first bytes of the key; the key and the row stand elsewhere, one behind the other.
    Long { prefix: &'p [u8], key: usize },
}

impl Stored<'_> {
    fn save(self, bytes: &mut Vec<u8>) {
        match self {
            Self::Short { key, row } => {
                bytes.put_u64(0);
                bytes.put_u64(key.len() as u64);
                bytes.put_u64(row.len() as u64);
                bytes.extend_from_slice(key);
                bytes.extend_from_slice(row);
            }
            Self::Long { prefix, key } => {
                bytes.put_u64(1);
                bytes.put_u64(key as u64);
                bytes.put_u64(prefix.len() as u64);
                bytes.extend_from_slice(prefix);
            }
        }
    }
}

/// Where the row that stands at `at` in a piece is, and where the next one begins; `None` if there is none.
pub(super) fn load(piece: &[u8], at: usize) -> Option<(Stored<'_>, usize)> {
    let mut rest = Reader::new(piece.get(at..)?);
    let mut number = || usize::try_from(rest.u64().ok()?).ok();
    let (form, first, second) = (number()?, number()?, number()?);
    let stored = match form {
        0 => Stored::Short { key: rest.take(first).ok()?, row: rest.take(second).ok()? },
        1 => Stored::Long { prefix: rest.take(second).ok()?, key: first },
        _ => return None,
    };
    Some((stored, piece.len() - rest.left()))
}

/// Writes rows, which come in the order of their keys, as a run.
#[derive(Debug)]
pub(crate) struct RowWriter<'b> {
    batch: Batch<'b>,
    /// The bytes of a piece, and the rows of the one that is not full yet.
    piece: usize,
    bytes: Vec<u8>,
    /// For each piece: its number among the extents, and how many long rows there are up to its end.
    pieces: Vec<(usize, usize)>,
    /// The extents of each long row: numbers of those of the batch, or those of another run.
    long: Vec<Long>,
    /// How many extents the batch has.
    extents: usize,
}

#[derive(Debug)]
enum Long {
    Own(Range<usize>),
    Of(Vec<Extent>),
}

impl<'b> RowWriter<'b> {
    /// A writer of no rows yet.
    pub(crate) fn new(budget: &'b Budget) -> Self {
        Self {
            batch: Batch::new(budget),
            piece: budget.piece(),
            bytes: Vec::new(),
            pieces: Vec::new(),
            long: Vec::new(),
            extents: 0,
        }
    }

    /// Adds a row behind its key.
    ///
    /// # Errors
    ///
    /// If the folder cannot hold it.
    pub(crate) fn add(&mut self, key: &[u8], row: &[u8]) -> Result<()> {
        if key.len() + row.len() <= LONG {
            return self.add_stored(Stored::Short { key, row });
        }
        let start = self.extents;
        for part in key.chunks(PART).chain(row.chunks(PART)) {
            self.batch.add(part)?;
            self.extents += 1;
        }
        self.long.push(Long::Own(start..self.extents));
        let prefix = &key[..key.len().min(PREFIX)];
        self.add_stored(Stored::Long { prefix, key: key.len() })
    }

    /// Adds a long row of another run, which stays where it is.
    pub(super) fn add_long(&mut self, row: Stored<'_>, extents: Vec<Extent>) -> Result<()> {
        self.long.push(Long::Of(extents));
        self.add_stored(row)
    }

    pub(super) fn add_stored(&mut self, row: Stored<'_>) -> Result<()> {
        row.save(&mut self.bytes);
        if self.bytes.len() >= self.piece { self.end_piece() } else { Ok(()) }
    }

    fn end_piece(&mut self) -> Result<()> {
        self.batch.add(&self.bytes)?;
        self.pieces.push((self.extents, self.long.len()));
        self.extents += 1;
        self.bytes.clear();
        Ok(())
    }

    /// Writes the rest.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub(crate) fn finish(mut self) -> Result<Run> {
        if !self.bytes.is_empty() {
            self.end_piece()?;
        }
        let extents = self.batch.finish()?;
        let long = self.long.into_iter().map(|long| match long {
            Long::Own(range) => extents[range].to_vec(),
            Long::Of(extents) => extents,
        });
        let pieces = self.pieces.into_iter().map(|(number, long)| (extents[number], long));
        Ok(Run { long: long.collect(), pieces: pieces.collect() })
    }
}
