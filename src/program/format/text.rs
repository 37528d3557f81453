//! Records that are texts: lines, or what else a delimiter ends.

use std::ops::ControlFlow;

use super::{Reading, RecordFormat};
use crate::Result;
use crate::block::{Block, Delimiter};
use crate::program::batch::{BATCH, Batch, Kind, Span};
use crate::program::failure::Told;
use crate::program::stage::Next;
use crate::record::{self, Checked, Invalid, Lines};

/// A text each.
pub(super) struct Text;

impl RecordFormat for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn title(&self) -> &'static str {
        "text"
    }

    fn kind(&self) -> Kind {
        Kind::Text
    }

    fn is_plain(&self) -> bool {
        true
    }

    fn text<'b>(
        &self,
        block: &'b Block,
        delimiter: &Delimiter,
        invalid: Invalid,
    ) -> Result<Checked<'b>> {
        record::text(block, delimiter, invalid)
    }

    fn read(
        &self,
        text: &str,
        reading: &Reading<'_>,
        batch: &mut Batch,
        _: &mut Told,
        next: &mut Next<'_>,
    ) -> ControlFlow<()> {
        batch.clear();
        for line in Lines::new(text, reading.delimiter) {
            let start = (line.as_ptr() as usize) - (text.as_ptr() as usize);
            batch.record.spans.push(Span::new(start, start + line.len()));
            if batch.record.spans.len() >= BATCH {
                next(text, batch)?;
                batch.clear();
            }
        }
        next(text, batch)
    }
}
