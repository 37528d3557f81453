//! `frequencies`: how often each record occurs, counted in the tables that are fastest at it.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use creel_operators::aggregate::{Damaged, Reader, Writer};
use creel_operators::table::saved;
use creel_operators::{Combiner as _, Counting, Counts};

use super::super::column::ColumnBuffer;
use super::super::rows;
use super::chunks::{self, Sizes};
use super::keys::number_bytes;
use super::shards::shard_of;
use super::{Batch, End, Kind, LaneState, Rows, State, Wanted};
use crate::Result;
use crate::record::Invalid;
use crate::record::json::write_key;
use crate::run::Context;
use crate::sink::{Cell, Printer};

/// The end of a phase in pairs of a record and how often it occurs, commonest first.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Frequencies {
    /// What the records are: texts, keys, numbers or booleans.
    kind: Kind,
    wanted: Wanted,
}

impl Frequencies {
    /// Counts records of a kind.
    pub(in super::super) fn new(kind: Kind) -> Self {
        Self { kind, wanted: Wanted::default() }
    }
}

impl End for Frequencies {
    fn start(self: Arc<Self>, _: Invalid) -> Box<dyn State> {
        match self.kind {
            Kind::Text | Kind::Key => Box::new(Texts { of: *self, counting: Counting::default() }),
            _ => Box::new(Numbers { of: *self, counts: Counts::default() }),
        }
    }

    fn rows(&mut self) -> Rows<'_> {
        Rows::Ranked(&mut self.wanted)
    }

    /// It has no expressions.
    fn resolve(&mut self, _: &mut Vec<Box<str>>) {}

    fn state_of_lane(&self) -> u64 {
        /// Counts that are saved and compressed as they are spilled, part by part.
        const COUNTS: u64 = 8 << 20;
        COUNTS
    }

    fn gives_pairs(&self) -> bool {
        !self.wanted.counted
    }
}

impl Kind {
    /// A text of this kind, as it is printed.
    pub(in super::super) fn cell(self, text: &str) -> Cell<'_> {
        match self {
            Self::Key => Cell::Key(text),
            _ => Cell::Text(text),
        }
    }
}

/// Counts of texts, or of keys of values of JSON.
#[derive(Debug)]
struct Texts {
    of: Frequencies,
    counting: Counting<String>,
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

/// Reads how often something occurs.
fn occurs(bytes: &mut Reader<'_>) -> Result<u64, Damaged> {
    let damaged = bytes.damaged("a record that does not occur");
    match bytes.records()? {
        0 => Err(damaged),
        n => Ok(n),
    }
}

/// The rows of counts to which no more will be added.
#[derive(Debug)]
struct Settled {
    of: Frequencies,
    rows: rows::Rows,
}

impl LaneState for Settled {
    fn fresh(&self) -> Self {
        Self { of: self.of, rows: rows::Rows::default() }
    }

    fn feed(&mut self, _: &str, _: &mut Batch) -> ControlFlow<()> {
        unreachable!("lanes are fed before their states are settled")
    }

    fn merge(&mut self, other: Self) {
        self.rows.add(other.rows);
    }

    fn held(&self) -> usize {
        0
    }

    fn name(&self) -> String {
        "frequencies".to_owned()
    }

    fn settle(self, context: &Context) -> Result<Box<dyn State>> {
        let Self { of, rows } = self;
        Ok(Box::new(Self { of, rows: rows.settle_again(context, of.wanted)? }))
    }

    fn encode(&self, _: &mut Vec<u8>) {
        unreachable!("states are encoded before they are settled")
    }

    fn decode(&mut self, _: &mut Reader<'_>) -> Result<(), Damaged> {
        unreachable!("states that are encoded are not settled")
    }

    fn print(self, context: &Context, out: &mut Printer<'_>) -> Result<()> {
        self.rows.print(self.of.wanted, self.of.kind, context, out)
    }
}

/// The memory to settle numbers, as a multiple of their table: the table itself, a table of their keys, and the keys in
/// order.
const TIMES_SETTLED: usize = 3;

/// Counts of numbers, or of booleans as 0 and 1.
#[derive(Debug)]
struct Numbers {
    of: Frequencies,
    counts: Counts<i64>,
}

impl Numbers {
    /// The wanted rows, by keys of values, which have the order of the numbers.
    fn settled(self, context: &Context) -> Result<Settled> {
        let Frequencies { kind, wanted } = self.of;
        let key = |number: i64| {
            let mut key = String::new();
            match kind {
                Kind::Bool => write_key(if number == 0 { "false" } else { "true" }, &mut key),
                _ => write_key(&number.to_string(), &mut key),
            }
            key
        };
        let rows = rows::Rows::settle_numbers(&self.counts, key, context, wanted)?;
        Ok(Settled { of: Frequencies { kind: Kind::Key, wanted }, rows })
    }

    /// The numbers in their order, and how often each occurs.
    fn by_number(&self) -> Vec<(i64, u64)> {
        let mut rows: Vec<(i64, u64)> =
            self.counts.iter().map(|(number, n)| (*number, n)).collect();
        rows.sort_unstable();
        rows
    }
}

/// Appends numbers, which are in order, and how often each occurs.
fn encode(rows: &[(i64, u64)], bytes: &mut Vec<u8>) {
    bytes.put_u64(rows.len() as u64);
    for (number, n) in rows {
        bytes.put_i64(*number);
        bytes.put_u64(*n);
    }
}

impl LaneState for Numbers {
    fn fresh(&self) -> Self {
        Self { of: self.of, counts: Counts::default() }
    }

    fn feed(&mut self, _: &str, batch: &mut Batch) -> ControlFlow<()> {
        let ColumnBuffer { kind, numbers, bools, .. } = &batch.record;
        match kind {
            Kind::Bool => self.counts.add_all(bools.iter().map(|met| i64::from(*met))),
            _ => self.counts.add_all(numbers.iter().copied()),
        }
        ControlFlow::Continue(())
    }

    fn merge(&mut self, other: Self) {
        self.counts.merge(other.counts);
    }

    fn parts(self, bits: u32) -> Vec<Self> {
        let Self { of, counts } = self;
        counts.parts(bits).into_iter().map(|counts| Self { of, counts }).collect()
    }

    fn shards(self, shards: usize) -> Vec<Option<Self>> {
        let mut counts: Vec<Counts<i64>> = (0..shards).map(|_| Counts::default()).collect();
        for (number, n) in self.counts.iter() {
            counts[shard_of(&number_bytes(*number), shards)].add(*number, n);
        }
        let shard =
            |counts: Counts<_>| (!counts.is_empty()).then_some(Self { of: self.of, counts });
        counts.into_iter().map(shard).collect()
    }

    fn join(self, others: Vec<Self>) -> Self {
        let parts = std::iter::once(self.counts).chain(others.into_iter().map(|part| part.counts));
        Self { of: self.of, counts: Counts::join(parts.collect()) }
    }

    fn weight(&self) -> usize {
        TIMES_SETTLED * self.counts.weight()
    }

    fn held(&self) -> usize {
        TIMES_SETTLED * self.counts.held()
    }

    fn merging(&self) -> usize {
        // More than a table that grows, which has its old and its new place at once.
        TIMES_SETTLED * self.counts.weight()
    }

    fn name(&self) -> String {
        "frequencies".to_owned()
    }

    fn save(&self, bytes: &mut Vec<u8>) -> bool {
        self.counts.save(bytes)
    }

    fn load(&mut self, bytes: &[u8]) -> bool {
        self.counts.load(bytes)
    }

    fn has_form(&self) -> bool {
        true
    }

    fn settle(self, context: &Context) -> Result<Box<dyn State>> {
        Ok(Box::new(self.settled(context)?))
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        encode(&self.by_number(), bytes);
    }

    fn decode(&mut self, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        let mut before = None;
        for _ in 0..bytes.count(2)? {
            let damaged = bytes.damaged("numbers that are not in order");
            let number = bytes.i64()?;
            let is_bool = self.of.kind == Kind::Bool;
            if before.replace(number).is_some_and(|before| before >= number)
                || is_bool && !matches!(number, 0 | 1)
            {
                return Err(damaged);
            }
            self.counts.add(number, occurs(bytes)?);
        }
        Ok(())
    }

    fn absorb(&mut self, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        // Numbers that are decoded are counted beside those that are there.
        LaneState::decode(self, bytes)
    }

    fn can_cut(&self) -> bool {
        true
    }

    fn cut(self, key: &[u8]) -> (Self, Self) {
        let below = self.counts.filter(|number, _| number_bytes(*number).as_slice() < key);
        let rest = self.counts.filter(|number, _| number_bytes(*number).as_slice() >= key);
        (Self { of: self.of, counts: below }, Self { of: self.of, counts: rest })
    }

    fn first_key(&self, bytes: &[u8]) -> Result<Vec<u8>, Damaged> {
        let mut bytes = Reader::new(bytes);
        let damaged = bytes.damaged("no numbers");
        match bytes.u64()? {
            0 => Err(damaged),
            _ => Ok(number_bytes(bytes.i64()?).to_vec()),
        }
    }

    fn write_chunks(
        self,
        sizes: &mut Sizes,
        last: bool,
        write: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<Vec<u8>>> {
        let rows = self.by_number();
        drop(self);
        let encode = |some: Range<usize>, bytes: &mut Vec<u8>| encode(&rows[some], bytes);
        sizes.cut(rows.len(), last, encode, write)
    }

    fn store(self, context: &Context) -> Result<Box<dyn State>> {
        chunks::store(self, context)
    }

    fn print(self, context: &Context, out: &mut Printer<'_>) -> Result<()> {
        LaneState::print(self.settled(context)?, context, out)
    }
}
