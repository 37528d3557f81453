//! `distinct`: the first record of each key, in input order.
//!
//! A lane keeps records with their places in logs by the hashes of their keys, see
//! [`creel_operators::distinct`]; what is over the budget is spilled as it stands there. Of each part only
//! the first records are left in the end, in the order of their places, and the parts are merged as they
//! are printed.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::ControlFlow;
use std::sync::Arc;

use creel_operators::aggregate::{Damaged, Reader};
use creel_operators::column::Span;
use creel_operators::distinct::{FirstRecords, Form, Place, SortedRecords};

use super::super::batch::{Batch, Kind};
use super::super::column::ColumnBuffer;
use super::super::expression;
use super::super::failure::{Failures, Told};
use super::super::fields;
use super::super::value::{Base, Evaluated, Value};
use super::{Carried, End, LaneState, Rows, State, Wanted};
use crate::Result;
use crate::progress::InputOrder;
use crate::record::Invalid;
use crate::record::json::write_string;
use crate::run::Context;
use crate::sink::{Cell, Printer};
use crate::spill::{Budget, Merged, RowWriter, Run, merge_into_one};

/// The most records that reading may stop after: they are told apart as they come, on one thread.
const EARLY: u64 = 10_000;

/// So many records are added before it is asked whether there are enough.
const TOGETHER: usize = 64;

/// The end of a phase in the first record of each key.
#[derive(Debug, Clone)]
pub(in super::super) struct Distinct {
    /// What records are told apart by; the identity for the records themselves.
    key: Value,
    /// What the records are.
    kind: Kind,
    wanted: Wanted,
}

impl Distinct {
    /// The first records, of a kind, of those that have the same value.
    pub(in super::super) fn by(value: Value, kind: Kind) -> Self {
        let is_json = value.kind(kind).is_json();
        let key = if is_json { expression::then(value, Value::Key) } else { value };
        Self { key, kind, wanted: Wanted::default() }
    }

    /// How many records are wanted, if these are so few that reading ends as soon as they are there.
    fn early(&self) -> Option<u64> {
        self.wanted.limit.filter(|limit| *limit <= EARLY)
    }

    /// What is kept of each record.
    fn form(&self) -> Form {
        match self.key {
            _ if self.wanted.counted => Form::Keys,
            Value::Identity => Form::Records,
            _ => Form::Pairs,
        }
    }

    /// A record, as it is printed.
    fn cell<'r>(&self, record: &'r str) -> Cell<'r> {
        match self.kind {
            Kind::Text => Cell::Text(record),
            Kind::Key => Cell::Key(record),
            Kind::Number | Kind::Bool | Kind::List | Kind::Json => Cell::Json(record),
        }
    }
}

impl End for Distinct {
    fn start(self: Arc<Self>, policy: Invalid) -> Box<dyn State> {
        Box::new(Seen::new(self, policy))
    }

    fn rows(&mut self) -> Rows<'_> {
        Rows::Ordered(&mut self.wanted)
    }

    fn resolve(&mut self, fields: &mut Vec<Box<str>>) {
        fields::of_value(&mut self.key, fields);
    }

    /// If few are wanted, reading stops as soon as they are there.
    fn is_ordered(&self) -> bool {
        self.early().is_some()
    }

    /// The rows of a part are in its order, which counts.
    fn carried(&self) -> Carried {
        Carried::Rows
    }

    fn uncounted(&self) -> Option<Arc<dyn End>> {
        let wanted = Wanted { counted: false, ..self.wanted };
        self.wanted.counted.then(|| Arc::new(Self { wanted, ..self.clone() }) as _)
    }

    fn state_of_lane(&self) -> u64 {
        /// Logs that are not full, and a part that is spilled.
        const LOGS: u64 = 16 << 20;
        LOGS
    }
}

/// What a lane has seen.
struct Seen {
    of: Arc<Distinct>,
    first: FirstRecords,
    /// Where the next record stands.
    place: Place,
    /// The keys of a batch.
    evaluated: Evaluated,
    /// Keys and records of a batch as texts, where they are none.
    texts: [Texts; 2],
    failures: Failures,
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seen").field("first", &self.first).finish_non_exhaustive()
    }
}

/// The values of a column as texts, which are equal if the values are.
#[derive(Debug, Default)]
struct Texts {
    made: String,
    spans: Vec<Span>,
}

impl Texts {
    /// The text of each value of a column, whose pieces are of `text`.
    fn of<'t>(&'t mut self, text: &'t str, column: &'t ColumnBuffer) -> (&'t str, &'t [Span]) {
        if let Kind::Text | Kind::Json | Kind::Key = column.kind {
            return (text, &column.spans);
        }
        self.made.clear();
        self.spans.clear();
        let mut each = |write: &mut dyn FnMut(&mut String)| {
            let start = self.made.len();
            write(&mut self.made);
            self.spans.push(Span::new(start, self.made.len()));
        };
        match column.kind {
            Kind::Bool => column.bools.iter().for_each(|met| {
                each(&mut |made| made.push_str(if *met { "true" } else { "false" }));
            }),
            Kind::List => column.lists().for_each(|list| {
                each(&mut |made| {
                    made.push('[');
                    for (n, member) in list.iter().enumerate() {
                        made.push_str(if n > 0 { "," } else { "" });
                        write_string(member.of(text), made);
                    }
                    made.push(']');
                });
            }),
            _ => column.numbers.iter().for_each(|number| {
                each(&mut |made| made.push_str(&number.to_string()));
            }),
        }
        (&self.made, &self.spans)
    }
}

impl Seen {
    fn new(of: Arc<Distinct>, policy: Invalid) -> Self {
        let first = match of.early() {
            Some(_) => FirstRecords::of_few(of.form()),
            None => FirstRecords::new(of.form()),
        };
        Self {
            first,
            place: Place::default(),
            evaluated: Evaluated::new(of.key.kind(of.kind)),
            texts: Default::default(),
            failures: Failures::new(policy),
            of,
        }
    }

    /// The same with other records.
    fn with(&self, first: FirstRecords) -> Self {
        Self { first, ..self.fresh() }
    }

    /// Adds what is left of a batch without the records that have no key.
    #[cold]
    fn feed_without_bad(&mut self, text: &str, batch: &mut Batch) -> ControlFlow<()> {
        let origins = batch.origins.clone();
        let mut keep = vec![true; batch.len()];
        let policy = self.failures.policy;
        let mut failures = std::mem::replace(&mut self.failures, Failures::new(policy));
        failures.found.append(&mut self.evaluated.failures);
        let flow = failures.settle(&origins, batch, &mut keep, |batch| match batch.len() {
            0 => ControlFlow::Continue(()),
            _ => LaneState::feed(self, text, batch),
        });
        self.failures = failures;
        flow
    }
}

/// Adds records, or the first ones, as soon as there are as many keys as are wanted; returns true then.
fn add<'a>(
    first: &mut FirstRecords,
    place: &mut Place,
    records: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    early: Option<u64>,
) -> bool {
    let Some(limit) = early else {
        first.add_all(place, records);
        return false;
    };
    let mut records = records.peekable();
    while records.peek().is_some() {
        first.add_all(place, records.by_ref().take(TOGETHER));
        if first.few().is_some_and(|few| few as u64 >= limit) {
            return true;
        }
    }
    false
}

impl LaneState for Seen {
    fn fresh(&self) -> Self {
        Self::new(Arc::clone(&self.of), self.failures.policy)
    }

    fn begin_block(&mut self, place: InputOrder) {
        let InputOrder { listing, object, member, byte } = place;
        self.place = Place::new([listing, object as u64, member, byte]);
    }

    fn feed(&mut self, text: &str, batch: &mut Batch) -> ControlFlow<()> {
        let of = Arc::clone(&self.of);
        let base = match &of.key {
            Value::Identity => Base::Given(text),
            value => value.evaluate(text, batch, &mut self.evaluated),
        };
        if !self.evaluated.failures.is_empty() {
            return self.feed_without_bad(text, batch);
        }
        let Self { first, place, evaluated, texts: [keys, records], .. } = self;
        let early = of.early();
        let is_enough = match of.form() {
            Form::Pairs => {
                let (key_text, keys) = keys.of(base.of(&evaluated.text), &evaluated.batch.record);
                let (text, records) = records.of(text, &batch.record);
                let both = keys.iter().zip(records);
                let both = both
                    .map(|(key, record)| (key.of(key_text).as_bytes(), record.of(text).as_bytes()));
                add(first, place, both, early)
            }
            Form::Keys | Form::Records => {
                let (text, keys) = match &of.key {
                    Value::Identity => keys.of(text, &batch.record),
                    _ => keys.of(base.of(&evaluated.text), &evaluated.batch.record),
                };
                let keys = keys.iter().map(|key| (key.of(text).as_bytes(), &b""[..]));
                add(first, place, keys, early)
            }
        };
        if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn told(&mut self) -> Told {
        std::mem::take(&mut self.failures.told)
    }

    fn merge(&mut self, other: Self) {
        self.first.merge(other.first);
    }

    fn parts(mut self, bits: u32) -> Vec<Self> {
        let empty = FirstRecords::new(self.first.form());
        let first = std::mem::replace(&mut self.first, empty);
        first.parts(bits).into_iter().map(|part| self.with(part)).collect()
    }

    fn weight(&self) -> usize {
        if self.first.is_empty() { 0 } else { self.first.held() }
    }

    fn held(&self) -> usize {
        self.first.held()
    }

    fn name(&self) -> String {
        "distinct".to_owned()
    }

    fn save(&self, bytes: &mut Vec<u8>) -> bool {
        self.first.save(bytes);
        true
    }

    fn load(&mut self, bytes: &[u8]) -> bool {
        self.first.load(bytes)
    }

    fn has_form(&self) -> bool {
        true
    }

    fn settle(self, context: &Context) -> Result<Box<dyn State>> {
        Ok(Box::new(Settled::of(self, context)?))
    }

    fn encode(&self, _: &mut Vec<u8>) {
        unreachable!("partial results of first records are rows")
    }

    fn decode(&mut self, _: &mut Reader<'_>) -> Result<(), Damaged> {
        unreachable!("partial results of first records are rows")
    }

    fn print(self, context: &Context, out: &mut Printer<'_>) -> Result<()> {
        LaneState::print(Settled::of(self, context)?, context, out)
    }
}

/// What is wanted of first records, to which no more will be added.
#[derive(Debug)]
struct Settled {
    of: Arc<Distinct>,
    /// How many there are, if that is all that is wanted.
    number: usize,
    sorted: Vec<SortedRecords>,
    /// Runs in the spill file.
    runs: Vec<Run>,
}

impl Settled {
    fn empty(of: Arc<Distinct>) -> Self {
        Self { of, number: 0, sorted: Vec::new(), runs: Vec::new() }
    }

    /// Keeps what is wanted of a state.
    fn of(seen: Seen, context: &Context) -> Result<Self> {
        let Seen { of, first, .. } = seen;
        let limit = of.wanted.limit;
        let mut settled = Self::empty(of);
        let budget = context.budget.as_deref().filter(|budget| budget.is_spilling());
        match budget {
            _ if settled.of.wanted.counted => settled.number = first.count(),
            None => settled.sorted.push(first.into_sorted(limit)),
            Some(budget) => {
                let mut writer = RowWriter::new(budget);
                first.each_sorted(limit, |place, record| writer.add(place, record))?;
                settled.runs.push(writer.finish()?);
            }
        }
        Ok(settled)
    }

    /// Spills what is in memory beside runs that were spilled.
    fn spill(&mut self, budget: &Budget) -> Result<()> {
        for sorted in self.sorted.drain(..) {
            let mut writer = RowWriter::new(budget);
            sorted.iter().try_for_each(|(place, record)| writer.add(place, record))?;
            self.runs.push(writer.finish()?);
        }
        Ok(())
    }
}

/// A record that was kept as bytes.
fn text(record: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(record)
}

impl LaneState for Settled {
    fn fresh(&self) -> Self {
        Self::empty(Arc::clone(&self.of))
    }

    fn feed(&mut self, _: &str, _: &mut Batch) -> ControlFlow<()> {
        unreachable!("lanes are fed before their states are settled")
    }

    fn merge(&mut self, other: Self) {
        let Self { of: _, number, sorted, runs } = other;
        self.number += number;
        self.sorted.extend(sorted);
        self.runs.extend(runs);
    }

    fn held(&self) -> usize {
        self.sorted.iter().map(SortedRecords::weight).sum()
    }

    fn name(&self) -> String {
        "distinct".to_owned()
    }

    fn settle(mut self, context: &Context) -> Result<Box<dyn State>> {
        let Some(budget) = context.budget.as_deref().filter(|_| !self.runs.is_empty()) else {
            return Ok(Box::new(self));
        };
        self.spill(budget)?;
        if self.runs.len() > 1 {
            let runs = std::mem::take(&mut self.runs);
            let limit = self.of.wanted.of(usize::MAX);
            self.runs.push(merge_into_one(budget, runs, limit)?);
        }
        Ok(Box::new(self))
    }

    fn encode(&self, _: &mut Vec<u8>) {
        unreachable!("states are encoded before they are settled")
    }

    fn decode(&mut self, _: &mut Reader<'_>) -> Result<(), Damaged> {
        unreachable!("states that are encoded are not settled")
    }

    fn print(mut self, context: &Context, out: &mut Printer<'_>) -> Result<()> {
        let wanted = self.of.wanted;
        if wanted.counted {
            return out.value(Cell::Number(wanted.of(self.number) as i128));
        }
        let of = Arc::clone(&self.of);
        let mut left = wanted.of(usize::MAX);
        let mut print = |record: &str| -> Result<ControlFlow<()>> {
            if left == 0 {
                return Ok(ControlFlow::Break(()));
            }
            left -= 1;
            out.value(of.cell(record)).map(ControlFlow::Continue)
        };
        if let Some(budget) = context.budget.as_deref().filter(|_| !self.runs.is_empty()) {
            self.spill(budget)?;
            let runs = std::mem::take(&mut self.runs);
            let mut rows = Merged::new(budget, runs, wanted.of(usize::MAX))?;
            return rows.try_for_each(|row| print(&text(&row?.1)).map(drop));
        }
        // The next record of each part; the first of all is on top.
        let mut parts: Vec<_> = self.sorted.iter().map(SortedRecords::iter).collect();
        let firsts = parts.iter_mut().enumerate();
        let firsts = firsts.filter_map(|(n, part)| Some(Reverse((part.next()?, n))));
        let mut heads: BinaryHeap<_> = firsts.collect();
        while let Some(mut head) = heads.peek_mut() {
            let Reverse(((_, record), n)) = *head;
            if print(&text(record))?.is_break() {
                break;
            }
            match parts[n].next() {
                Some(record) => *head = Reverse((record, n)),
                None => drop(PeekMut::pop(head)),
            }
        }
        Ok(())
    }
}
