//! A batch of records: what stages work on, a call per batch and never one per record.

pub(crate) use creel_operators::column::Span;

/// Records that a batch holds, about: its columns stay in the first level of cache.
///
/// Tests make do with three, so that every text has many batches and boundaries between them.
pub(crate) const BATCH: usize = if cfg!(test) { 3 } else { 1024 };

/// The longest text that spans point into: they are 32 bits wide, which halves what goes through the
/// caches. Pieces of a text may be one more than it has bytes.
pub(crate) const LONGEST_TEXT: usize = u32::MAX as usize - 1;

/// What every record of a batch is; known when a program is compiled.
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
            _ => 4,
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

/// Some records of one kind, in columns that are used again.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) kind: Kind,
    /// Text, JSON: one a record, empty for a value that is missing. List: the pieces of all records.
    pub(crate) spans: Vec<Span>,
    /// List: where each record's pieces end in `spans`.
    pub(crate) ends: Vec<u32>,
    /// Number: the value. Bool: 0 or 1.
    pub(crate) numbers: Vec<i64>,
    /// For each field that the program uses of records, its value in each.
    pub(crate) fields: Vec<Vec<Span>>,
    /// JSON: where the record that each came from begins in its block.
    pub(crate) origins: Vec<u32>,
}

impl Batch {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            spans: Vec::new(),
            ends: Vec::new(),
            numbers: Vec::new(),
            fields: Vec::new(),
            origins: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self.kind {
            Kind::List => self.ends.len(),
            Kind::Number | Kind::Bool => self.numbers.len(),
            _ => self.spans.len(),
        }
    }

    /// The bytes of memory that it takes.
    pub(crate) fn weight(&self) -> usize {
        let fields: usize = self.fields.iter().map(Vec::capacity).sum();
        (self.spans.capacity() + fields) * size_of::<Span>()
            + self.numbers.capacity() * size_of::<i64>()
            + (self.ends.capacity() + self.origins.capacity()) * size_of::<u32>()
    }

    pub(crate) fn clear(&mut self) {
        self.spans.clear();
        self.ends.clear();
        self.numbers.clear();
        self.fields.iter_mut().for_each(Vec::clear);
        self.origins.clear();
    }

    /// Makes this batch the same as another.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        let Self { kind, spans, ends, numbers, fields, origins } = other;
        self.kind = *kind;
        self.spans.clone_from(spans);
        self.ends.clone_from(ends);
        self.numbers.clone_from(numbers);
        self.fields.clone_from(fields);
        self.origins.clone_from(origins);
    }

    /// The pieces of each record of a batch of lists.
    pub(crate) fn lists(&self) -> impl Iterator<Item = &[Span]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let pieces = &self.spans[start..end as usize];
            start = end as usize;
            pieces
        })
    }

    /// Keeps the first `n` records.
    pub(crate) fn truncate(&mut self, n: usize) {
        match self.kind {
            Kind::Number | Kind::Bool => self.numbers.truncate(n),
            Kind::List => {
                self.ends.truncate(n);
                self.spans.truncate(self.ends.last().map_or(0, |&end| end as usize));
            }
            _ => self.spans.truncate(n),
        }
        self.fields.iter_mut().for_each(|field| field.truncate(n));
        self.origins.truncate(n);
    }

    /// Makes this batch the `n`th record of another, alone.
    pub(crate) fn set_to_one_of(&mut self, other: &Self, n: usize) {
        self.clear();
        self.kind = other.kind;
        self.fields.resize(other.fields.len(), Vec::new());
        match self.kind {
            Kind::Number | Kind::Bool => self.numbers.push(other.numbers[n]),
            Kind::List => {
                let start = n.checked_sub(1).map_or(0, |before| other.ends[before] as usize);
                self.spans.extend_from_slice(&other.spans[start..other.ends[n] as usize]);
                self.ends.push(self.spans.len() as u32);
            }
            _ => self.spans.push(other.spans[n]),
        }
        for (field, others) in self.fields.iter_mut().zip(&other.fields) {
            field.push(others[n]);
        }
        self.origins.extend(other.origins.get(n));
    }

    /// Keeps the records that `keep` marks; it holds a mark for each.
    pub(crate) fn retain(&mut self, keep: &[bool]) {
        match self.kind {
            Kind::Number | Kind::Bool => compact(&mut self.numbers, keep),
            Kind::List => self.retain_lists(keep),
            _ => compact(&mut self.spans, keep),
        }
        self.fields.iter_mut().for_each(|field| compact(field, keep));
        if !self.origins.is_empty() {
            compact(&mut self.origins, keep);
        }
    }

    fn retain_lists(&mut self, keep: &[bool]) {
        let (mut kept, mut start, mut end_of_kept) = (0, 0, 0);
        for (i, &keep) in keep.iter().enumerate() {
            let end = self.ends[i] as usize;
            if keep {
                self.spans.copy_within(start..end, end_of_kept);
                end_of_kept += end - start;
                self.ends[kept] = end_of_kept as u32;
                kept += 1;
            }
            start = end;
        }
        self.ends.truncate(kept);
        self.spans.truncate(end_of_kept);
    }

    /// Whether all of the text under this batch is ASCII, so that bytes count code points.
    ///
    /// Spans go upwards through the text, so one look at the range that they cover is enough;
    /// it costs a fraction of counting code points span by span.
    pub(crate) fn is_ascii(&self, text: &str) -> bool {
        let (Some(first), Some(last)) = (self.spans.first(), self.spans.last()) else {
            return true;
        };
        let end = last.start as usize + last.len as usize;
        text.as_bytes()[first.start as usize..end].is_ascii()
    }
}

/// Without a branch on `keep`, which would be mispredicted on half of all words.
fn compact<T: Copy>(column: &mut Vec<T>, keep: &[bool]) {
    let mut kept = 0;
    for (i, &keep) in keep.iter().enumerate() {
        column[kept] = column[i];
        kept += usize::from(keep);
    }
    column.truncate(kept);
}
