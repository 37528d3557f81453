//! Counts of texts.

use std::ops::{ControlFlow, Range};

use creel_operators::aggregate::{Damaged, Reader, Writer};
use creel_operators::table::saved;
use creel_operators::{Combiner as _, Counting, Counts};

use super::super::super::rows;
use super::super::chunks::{self, Sizes};
use super::super::shards::shard_of;
use super::super::{Batch, LaneState, State};
use super::{Frequencies, Settled, occurs};
use crate::Result;
use crate::run::Context;
use crate::sink::Printer;

/// Counts of texts, or of keys of values of JSON.
#[derive(Debug)]
pub(super) struct Texts {
    pub(super) of: Frequencies,
    pub(super) counting: Counting<String>,
}

/// What counts texts.
const COUNT: creel_operators::Frequencies<String> = creel_operators::Frequencies::new();

impl Texts {
    /// The bytes that are needed beside the texts that wait, to count them: a table of few at a time, or one of all, for
    /// which their memory is given back by quarters.
    fn to_count(&self) -> usize {
        let waiting = self.counting.waiting();
        match rows::are_few(self.of.wanted) {
            true => waiting / 64,
            false => self.counting.counted().saturating_sub(waiting) + waiting / 4,
        }
    }

    /// The rows that are wanted. Where these are few, tables of some texts each are made, one after another: they fit
    /// the caches, and the memory of all is not needed.
    fn rows(self, context: &Context) -> Result<rows::Rows> {
        let wanted = self.of.wanted;
        if !rows::are_few(wanted) {
            return rows::Rows::settle(self.counting.finish(), context, wanted);
        }
        let mut rows = rows::Rows::default();
        self.counting.each_part(&mut |counts| rows.add(rows::Rows::few(counts, wanted)));
        Ok(rows)
    }
}

impl LaneState for Texts {
    fn fresh(&self) -> Self {
        Self { of: self.of, counting: Counting::default() }
    }

    fn feed(&mut self, text: &str, batch: &mut Batch) -> ControlFlow<()> {
        self.counting.add_pieces(text, batch.record.spans.iter().map(|span| span.range()));
        ControlFlow::Continue(())
    }

    fn merge(&mut self, other: Self) {
        COUNT.merge(&mut self.counting, other.counting);
    }

    fn parts(self, bits: u32) -> Vec<Self> {
        let Self { of, counting } = self;
        COUNT.parts(counting, bits).into_iter().map(|counting| Self { of, counting }).collect()
    }

    fn shards(self, shards: usize) -> Vec<Option<Self>> {
        let mut counts: Vec<Counts<String>> = (0..shards).map(|_| Counts::default()).collect();
        let Self { of, counting } = self;
        counting.each_part(&mut |part| {
            for (text, n) in part.iter() {
                counts[shard_of(text.as_bytes(), shards)].add(text, n);
            }
        });
        let shard =
            |counts: Counts<_>| (!counts.is_empty()).then(|| Self { of, counting: counts.into() });
        counts.into_iter().map(shard).collect()
    }

    fn join(self, others: Vec<Self>) -> Self {
        let others = others.into_iter().map(|part| part.counting);
        let parts = std::iter::once(self.counting).chain(others);
        Self { of: self.of, counting: COUNT.join(parts.collect()) }
    }

    fn weight(&self) -> usize {
        COUNT.weight(&self.counting) + self.to_count()
    }

    fn held(&self) -> usize {
        COUNT.held(&self.counting) + self.to_count()
    }

    fn whole(&self) -> usize {
        // Whatever rows are wanted of it, all texts leave the process.
        COUNT.held(&self.counting) + self.counting.counted()
    }

    fn unused(&self) -> usize {
        self.counting.unused()
    }

    fn merging(&self) -> usize {
        let waiting = self.counting.waiting();
        // A table that grows has its old and its new place at once.
        2 * (COUNT.weight(&self.counting) - waiting) + waiting + self.to_count()
    }

    fn name(&self) -> String {
        "frequencies".to_owned()
    }

    fn save(&self, bytes: &mut Vec<u8>) -> bool {
        COUNT.save(&self.counting, bytes)
    }

    fn save_parts(
        self,
        bits: u32,
        write: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<Self>> {
        let mut written = Ok(());
        let saved = self.counting.save_parts(bits, |bytes| {
            written = write(bytes);
            written.is_ok()
        });
        debug_assert!(saved, "texts have a form in bytes");
        written.map(|()| None)
    }

    fn load(&mut self, bytes: &[u8]) -> bool {
        COUNT.load(&mut self.counting, bytes)
    }

    fn has_form(&self) -> bool {
        true
    }

    fn settle(self, context: &Context) -> Result<Box<dyn State>> {
        let (of, rows) = (self.of, self.rows(context)?);
        Ok(Box::new(Settled { of, rows }))
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        let counts = self.counting.clone().finish();
        bytes.put_u64(counts.len() as u64);
        counts.save_by_key(bytes);
    }

    fn decode(&mut self, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        let number = bytes.count(2)?;
        let mut rows = bytes.clone();
        let mut before = None;
        for _ in 0..number {
            let damaged = bytes.damaged("texts that are not in order");
            let text = bytes.bytes()?;
            if before.replace(text).is_some_and(|before| before >= text) {
                return Err(damaged);
            }
            occurs(bytes)?;
        }
        // Looked up many at a time, of which each is checked to be text.
        let damaged = rows.damaged("bytes that are no text");
        match self.counting.add_rows(rows.take(rows.left() - bytes.left())?) {
            true => Ok(()),
            false => Err(damaged),
        }
    }

    fn absorb(&mut self, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        // Texts that are decoded are counted beside those that are there.
        LaneState::decode(self, bytes)
    }

    fn can_cut(&self) -> bool {
        true
    }

    fn cut(self, key: &[u8]) -> (Self, Self) {
        let Self { of, counting } = self;
        let counts = counting.finish();
        let below = counts.filter(|text, _| text.as_bytes() < key);
        let rest = counts.filter(|text, _| text.as_bytes() >= key);
        (Self { of, counting: below.into() }, Self { of, counting: rest.into() })
    }

    fn first_key(&self, bytes: &[u8]) -> Result<Vec<u8>, Damaged> {
        let mut bytes = Reader::new(bytes);
        let damaged = bytes.damaged("no texts");
        match bytes.u64()? {
            0 => Err(damaged),
            _ => Ok(bytes.bytes()?.to_vec()),
        }
    }

    fn write_chunks(
        self,
        sizes: &mut Sizes,
        last: bool,
        write: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<Vec<u8>>> {
        let mut all = Vec::new();
        let counts = self.counting.finish();
        counts.save_by_key(&mut all);
        let number = counts.len();
        drop(counts);
        let mut rest = all.as_slice();
        let encode = |rows: Range<usize>, bytes: &mut Vec<u8>| {
            let start = rest;
            bytes.put_u64(rows.len() as u64);
            for _ in rows {
                saved::load(&mut rest);
            }
            bytes.extend_from_slice(&start[..start.len() - rest.len()]);
        };
        sizes.cut(number, last, encode, write)
    }

    fn store(self, context: &Context) -> Result<Box<dyn State>> {
        chunks::store(self, context)
    }

    fn print(self, context: &Context, out: &mut Printer<'_>) -> Result<()> {
        let of = self.of;
        self.rows(context)?.print(of.wanted, of.kind, context, out)
    }
}
