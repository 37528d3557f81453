//! The slices of a partition, one after another, as blocks.

use std::sync::Arc;

use tokio::io::AsyncReadExt;

use super::cut::{Bytes, Cutter, Rule, Start};
use super::delimiter::Ends;
use super::encoding::{Encoding, UTF8_MARK, Units};
use super::pool::Pool;
use super::{Block, BlockOptions, splittable};
use crate::error::Place;
use crate::progress::Progress;
use crate::source::{Fetch, HEAD, Opened, Partition};
use crate::{Error, Result};

/// The blocks of one partition.
#[derive(Debug)]
pub(crate) struct Blocks {
    fetch: Fetch,
    open: Open,
    current: Option<Cutter>,
    faults: Vec<Error>,
    progress: Arc<Progress>,
}

impl Blocks {
    pub(crate) fn new(
        partition: Partition,
        options: &BlockOptions,
        progress: Arc<Progress>,
    ) -> Self {
        let open = Open::new(options, partition.index);
        let lookback = open.rule.ends.len() as u64;
        let fetch = Fetch::new(partition.slices, lookback, options.ahead, Arc::clone(&progress));
        Self { fetch, open, current: None, faults: Vec::new(), progress }
    }

    /// The next block; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Block>> {
        loop {
            if let Some(cutter) = &mut self.current {
                if let Some(block) = cutter.next(&mut self.faults).await? {
                    return Ok(Some(block));
                }
                self.current = None;
            }
            self.faults.drain(..).for_each(|fault| self.progress.add_fault(fault));
            let Some(opened) = self.fetch.open().await? else { return Ok(None) };
            self.current = self.begin(opened).await?;
        }
    }

    /// Looks at an object's first bytes, and begins to cut the slice if it has any records.
    async fn begin(&mut self, opened: Opened) -> Result<Option<Cutter>> {
        let Opened { slice, at, bytes } = opened;
        let mut part = Part {
            object: slice.object.name().into(),
            start: slice.start,
            end: slice.end,
            at,
            bytes,
            read: Vec::new(),
        };
        if slice.start > 0 {
            let head = slice.object.head().await?;
            return self.open.later(part, head);
        }
        self.open.gather(&mut part).await?;
        slice.object.set_head(&part.read[..part.read.len().min(HEAD)]);
        self.open.first(part, &mut self.faults).await
    }
}

/// A slice of an object, and its bytes.
pub(super) struct Part {
    pub(super) object: Arc<str>,
    pub(super) start: u64,
    pub(super) end: Option<u64>,
    /// Where the bytes begin in the object.
    pub(super) at: u64,
    pub(super) bytes: Bytes,
    /// The first of the bytes, already read.
    pub(super) read: Vec<u8>,
}

/// Decides, from an object's first bytes, how it is read.
#[derive(Debug)]
pub(super) struct Open {
    rule: Rule,
    encoding: Encoding,
    splittable: bool,
}

impl Open {
    pub(super) fn new(options: &BlockOptions, partition: usize) -> Self {
        let target = options.blocksize.max(1);
        let rule = Rule {
            target,
            ends: Ends::new(&options.delimiter),
            max_record: options.max_record,
            damaged: options.damaged,
            pool: Pool::new(target.max(HEAD)),
            partition,
        };
        Self { rule, encoding: options.encoding, splittable: splittable(options) }
    }

    /// Reads until the first bytes that decide are there.
    pub(super) async fn gather(&self, part: &mut Part) -> Result<()> {
        part.read = self.rule.pool.take();
        while part.read.len() < HEAD {
            let read = part.bytes.read_buf(&mut part.read).await.map_err(|error| {
                let place = Place::object(&*part.object).partition(self.rule.partition);
                Error::io(place.at(part.read.len() as u64), error)
            })?;
            if read == 0 {
                break;
            }
        }
        Ok(())
    }

    /// An object's first slice.
    pub(super) async fn first(
        &self,
        mut part: Part,
        _faults: &mut Vec<Error>,
    ) -> Result<Option<Cutter>> {
        let mut offset = 0;
        if self.encoding == Encoding::Auto && part.read.starts_with(UTF8_MARK) {
            part.read.drain(..UTF8_MARK.len());
            offset = UTF8_MARK.len() as u64;
        }
        Ok(Some(Cutter::new(
            self.rule.clone(),
            Start {
                object: part.object,
                units: Units::Bytes,
                bytes: part.bytes,
                buffer: part.read,
                offset,
                after: None,
                end: part.end.filter(|_| self.splittable),
            },
        )))
    }

    /// Another slice, of an object that begins with `head`.
    pub(super) fn later(&self, part: Part, head: &[u8]) -> Result<Option<Cutter>> {
        if !self.splittable {
            return Ok(None);
        }
        // The mark is none of the first record's bytes, so no delimiter can begin in it.
        let marked = self.encoding == Encoding::Auto && head.starts_with(UTF8_MARK);
        let first = if marked { UTF8_MARK.len() as u64 } else { 0 };
        let after = part.start.saturating_sub(self.rule.ends.len() as u64).max(first);
        Ok(Some(Cutter::new(
            self.rule.clone(),
            Start {
                object: part.object,
                units: Units::Bytes,
                bytes: part.bytes,
                buffer: part.read,
                offset: part.at,
                after: Some(after),
                end: part.end,
            },
        )))
    }
}
