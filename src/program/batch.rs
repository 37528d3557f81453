//! A batch of records: what stages work on, a call per batch and never one per record.

use std::ops::Range;

pub(crate) use creel_operators::column::Span;

use super::column::{ColumnBuffer, compact};

/// Records that a batch holds, about: its columns stay in the first level of cache.
///
/// Tests make do with three, so that every text has many batches and boundaries between them.
pub(crate) const BATCH: usize = if cfg!(test) { 3 } else { 1024 };

/// The longest text that spans point into: they are 32 bits wide, which halves what goes through the
/// caches. Pieces of a text may be one more than it has bytes.
pub(crate) const LONGEST_TEXT: usize = u32::MAX as usize - 1;

/// The type of all values of a column; known when a program is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Bool,
    /// A list of texts.
    List,
    /// A value of JSON, as it was written.
    Json,
    /// A value of JSON as a text that is equal, and sorts, as it does.
    Key,
}

impl Kind {
    /// jq's order of types: null, false, true, numbers, strings, arrays, objects. Values of JSON have
    /// each its own, and are never asked.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Self::Bool => 1,
            Self::Number => 2,
            Self::Text => 3,
            Self::List | Self::Json | Self::Key => 4,
        }
    }

    /// Whether records are values of JSON, whose types are known one by one.
    pub(crate) fn is_json(self) -> bool {
        self == Self::Json
    }

    /// As a message names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "a number",
            Self::Bool => "true or false",
            Self::List => "a list",
            Self::Json | Self::Key => "a value of JSON",
        }
    }
}

/// Some records: several columns over them, whose buffers are used again.
///
/// The first column is the records themselves: texts, numbers, or whole values of JSON. The others are the
/// fields of these that the program uses; their names are resolved to numbers of columns when the program
/// is compiled.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    /// The records themselves.
    pub(crate) record: ColumnBuffer,
    /// The value of a field of each record, for each field that is read.
    pub(crate) fields: Vec<ColumnBuffer>,
    /// JSON: where the record that each came from begins in its block.
    pub(crate) origins: Vec<u32>,
}

impl Batch {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { record: ColumnBuffer::new(kind), fields: Vec::new(), origins: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.record.len()
    }

    /// The bytes of memory that it takes.
    pub(crate) fn weight(&self) -> usize {
        let fields: usize = self.fields.iter().map(ColumnBuffer::weight).sum();
        self.record.weight() + fields + self.origins.capacity() * size_of::<u32>()
    }

    pub(crate) fn clear(&mut self) {
        self.record.clear();
        self.fields.iter_mut().for_each(ColumnBuffer::clear);
        self.origins.clear();
    }

    /// Makes columns of fields of a kind, this many.
    pub(crate) fn set_fields(&mut self, kind: Kind, number: usize) {
        self.fields.resize(number, ColumnBuffer::new(kind));
    }

    /// Makes this batch the same as another.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        let Self { record, fields, origins } = other;
        self.record.copy_from(record);
        self.set_fields(Kind::Json, fields.len());
        self.fields.iter_mut().zip(fields).for_each(|(field, other)| field.copy_from(other));
        self.origins.clone_from(origins);
    }

    /// Keeps the first `n` records.
    pub(crate) fn truncate(&mut self, n: usize) {
        self.record.truncate(n);
        self.fields.iter_mut().for_each(|field| field.truncate(n));
        self.origins.truncate(n);
    }

    /// Makes this batch some of the records of another.
    pub(crate) fn set_to_part_of(&mut self, other: &Self, part: Range<usize>) {
        self.record.set_to_part_of(&other.record, part.clone());
        self.set_fields(Kind::Json, other.fields.len());
        let fields = self.fields.iter_mut().zip(&other.fields);
        fields.for_each(|(field, other)| field.set_to_part_of(other, part.clone()));
        self.origins.clear();
        self.origins.extend_from_slice(other.origins.get(part).unwrap_or_default());
    }

    /// Keeps the records that `keep` marks; it holds a mark for each.
    pub(crate) fn retain(&mut self, keep: &[bool]) {
        self.record.retain(keep);
        self.fields.iter_mut().for_each(|field| field.retain(keep));
        if !self.origins.is_empty() {
            compact(&mut self.origins, keep);
        }
    }
}
