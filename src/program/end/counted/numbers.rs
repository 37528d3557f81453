//! Counts of numbers.

use std::ops::{ControlFlow, Range};

use creel_operators::Counts;
use creel_operators::aggregate::{Damaged, Reader, Writer};

use super::super::super::column::ColumnBuffer;
use super::super::super::rows;
use super::super::chunks::{self, Sizes};
use super::super::keys::number_bytes;
use super::super::shards::shard_of;
use super::super::{Batch, Kind, LaneState, State};
use super::{Frequencies, Settled, occurs};
use crate::Result;
use crate::record::json::write_key;
use crate::run::Context;
use crate::sink::Printer;

/// The memory to settle numbers, as a multiple of their table: the table itself, a table of their keys, and the keys in
/// order.
const TIMES_SETTLED: usize = 3;

/// Counts of numbers, or of booleans as 0 and 1.
#[derive(Debug)]
pub(super) struct Numbers {
    pub(super) of: Frequencies,
    pub(super) counts: Counts<i64>,
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
