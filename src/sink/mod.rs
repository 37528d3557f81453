//! Results as text: values in a format, printed to standard output or to a file.

mod encode;
mod table;

pub(crate) use encode::{Cell, Encoder, Format};
pub(crate) use table::Page;

use crate::Result;
use crate::output::Target;

/// Bytes that are gathered before they are written.
const BUFFER: usize = 64 << 10;

/// What printed bytes go to.
pub(crate) trait Write: Send {
    /// Takes bytes.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Self::write(self, bytes)
    }
}

/// Prints values in a format to a target.
pub(crate) struct Printer<'t> {
    encoder: Encoder,
    /// Columns of the terminal, for tables; `None` where lines may be as long as they are.
    width: Option<u16>,
    target: &'t mut dyn Write,
    buffer: Vec<u8>,
    before_first: Option<Box<dyn FnOnce() + Send>>,
}

impl<'t> Printer<'t> {
    /// Prints to a target; tables are fitted to `width` columns, if there is one.
    pub(crate) fn new(encoder: Encoder, width: Option<u16>, target: &'t mut dyn Write) -> Self {
        Self { encoder, width, target, buffer: Vec::with_capacity(BUFFER), before_first: None }
    }

    /// Has something done right before the first byte is written, such as clearing what else was
    /// drawn on the terminal.
    pub(crate) fn before_first(&mut self, act: impl FnOnce() + Send + 'static) {
        self.before_first = Some(Box::new(act));
    }

    /// How values are written, for those who encode on other threads.
    pub(crate) fn encoder(&self) -> Encoder {
        self.encoder
    }

    /// Prints one value.
    pub(crate) fn value(&mut self, cell: Cell<'_>) -> Result<()> {
        self.encoder.value(&mut self.buffer, cell);
        self.spill()
    }

    /// Prints some of the JSON of a list or an object, which [`last_part`](Self::last_part) ends.
    pub(crate) fn part(&mut self, json: &str) -> Result<()> {
        self.encoder.part(&mut self.buffer, json);
        self.spill()
    }

    /// Prints the rest of a value, of which parts were printed.
    pub(crate) fn last_part(&mut self, json: &str) -> Result<()> {
        self.encoder.part(&mut self.buffer, json);
        self.buffer.push(b'\n');
        self.spill()
    }

    /// Prints rows of keys and counts.
    pub(crate) fn pairs<'a>(&mut self, rows: impl Iterator<Item = (Cell<'a>, u64)>) -> Result<()> {
        if self.encoder.format() == Format::Table {
            let mut rows = rows.peekable();
            while rows.peek().is_some() {
                let page = table::page(&mut rows, self.width);
                self.buffer.extend_from_slice(page.as_bytes());
                self.spill()?;
            }
            return Ok(());
        }
        for (key, count) in rows {
            self.encoder.pair(&mut self.buffer, key, count);
            self.spill()?;
        }
        Ok(())
    }

    /// Prints what an encoder has written already, at once: whoever reads a stream of records
    /// is not kept waiting for a buffer to fill.
    pub(crate) fn encoded(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        // What was printed before stands before it.
        self.write_out()?;
        self.begin();
        self.target.write(bytes)
    }

    /// Writes out what is left.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.write_out()
    }

    fn spill(&mut self) -> Result<()> {
        if self.buffer.len() < BUFFER { Ok(()) } else { self.write_out() }
    }

    fn write_out(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.begin();
        self.target.write(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn begin(&mut self) {
        if let Some(act) = self.before_first.take() {
            act();
        }
    }
}
