//! Records in a text of their own, which outlive the block that they are of.

use std::ops::ControlFlow;

use super::batch::{Batch, Kind};

/// Records, and the text that they are pieces of.
pub(super) struct Taken {
    pub(super) text: String,
    pub(super) batch: Batch,
}

impl Taken {
    pub(super) fn new(kind: Kind) -> Self {
        Self { text: String::new(), batch: Batch::new(kind) }
    }

    /// The bytes of memory that it takes.
    pub(super) fn weight(&self) -> usize {
        self.text.capacity() + self.batch.weight()
    }

    /// Adds copies of records, until there are `most`.
    pub(super) fn extend(&mut self, text: &str, batch: &mut Batch, most: usize) -> ControlFlow<()> {
        let Self { text: own, batch: taken } = self;
        batch.truncate(most - taken.len());
        let Batch { record, fields, origins } = &*batch;
        let before = taken.record.spans.len();
        taken.record.append(text, record, own);
        taken.set_fields(Kind::Json, fields.len());
        for (field, other) in taken.fields.iter_mut().zip(fields) {
            // Fields are within their records.
            field.append_within(other, |n, at| {
                let copy = taken.record.spans[before + n].start;
                copy + at.saturating_sub(record.spans[n].start)
            });
        }
        taken.origins.extend_from_slice(origins);
        if self.batch.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}
