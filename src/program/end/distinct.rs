//! `distinct`: the first record of each key, in input order.
//!
//! A lane keeps records with their places in logs by the hashes of their keys, see
//! [`creel_operators::distinct`]; what is over the budget is spilled as it stands there. In the end the
//! first records of each log are found and sent to ranges of their places, which are sorted, log by log and
//! range by range on all threads: see [`exchange`](crate::exchange).

use std::ops::ControlFlow;
use std::sync::Arc;

use creel_operators::aggregate::{Damaged, Reader};
use creel_operators::column::Span;
use creel_operators::distinct::{FirstRecords, Form, Place};

use super::super::batch::{Batch, Kind};
use super::super::column::ColumnBuffer;
use super::super::expression;
use super::super::failure::{Failures, Told, feed_without_bad};
use super::super::fields;
use super::super::value::{Base, Evaluated, Value};
use super::rows::encode;
use super::{Carried, End, LaneState, Rows, State, Wanted};
use crate::Result;
use crate::exchange::{Hashed, count, first_records, in_order};
use crate::progress::InputOrder;
use crate::record::Invalid;
use crate::record::json::write_string;
use crate::run::Context;
use crate::sink::{Cell, Printer};
use crate::spill::Budget;

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
    own: Hashed,
    /// What other lanes have seen.
    others: Vec<Hashed>,
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
        f.debug_struct("Seen").field("own", &self.own).finish_non_exhaustive()
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
        let own = match of.early() {
            Some(_) => Hashed::of_few(of.form()),
            None => Hashed::new(of.form()),
        };
        Self {
            own,
            others: Vec::new(),
            place: Place::default(),
            evaluated: Evaluated::new(of.key.kind(of.kind)),
            texts: Default::default(),
            failures: Failures::new(policy),
            of,
        }
    }
}

impl Seen {
    /// What all lanes have seen whose states were merged.
    fn lanes(&self) -> impl Iterator<Item = &Hashed> {
        std::iter::once(&self.own).chain(&self.others)
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
            self.failures.found.append(&mut self.evaluated.failures);
            return feed_without_bad(
                self,
                |seen| &mut seen.failures,
                batch,
                |seen, batch| LaneState::feed(seen, text, batch),
            );
        }
        let Self { own, place, evaluated, texts: [keys, records], .. } = self;
        let (first, early) = (own.records_mut(), of.early());
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
        if self.of.is_ordered() {
            self.own.merge(other.own);
        } else {
            self.others.push(other.own);
        }
        self.others.extend(other.others);
    }

    fn held(&self) -> usize {
        self.lanes().map(|lane| lane.records().held()).sum()
    }

    fn unused(&self) -> usize {
        self.lanes().map(|lane| lane.records().unused()).sum()
    }

    fn name(&self) -> String {
        "distinct".to_owned()
    }

    fn spill(&mut self, budget: &Budget) -> Result<bool> {
        let mut spilled = self.own.spill(budget)?;
        for other in &mut self.others {
            spilled |= other.spill(budget)?;
        }
        Ok(spilled)
    }

    fn encode(&self, _: &mut Vec<u8>) {
        unreachable!("partial results of first records are rows")
    }

    fn decode(&mut self, _: &mut Reader<'_>) -> Result<(), Damaged> {
        unreachable!("partial results of first records are rows")
    }

    fn print(self, context: &Context, out: &mut Printer<'_>) -> Result<()> {
        let Self { of, own, mut others, .. } = self;
        let (form, wanted, kind) = (of.form(), of.wanted, of.kind);
        others.push(own);
        let context = context.after_reading();
        if wanted.counted {
            let keys = count(form, others, &context)?;
            return out.value(Cell::Number(wanted.of(keys) as i128));
        }
        let encoder = out.encoder();
        let ranges = first_records(form, others, &context)?;
        let encode = |_: &[u8], row: &[u8], out: &mut Vec<u8>| encode(encoder, kind, row, out);
        in_order(ranges, true, wanted.limit, &context, encode, &mut |bytes| out.encoded(bytes))
    }
}
