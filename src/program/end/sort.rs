//! `sort`, `sort(f)` and `sort(f; desc)`: the records in order, ties in the order of the input.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use creel_operators::aggregate::{Damaged, Reader, Writer as _};
use creel_operators::column::Datum;
use creel_operators::sort::SortKey;

use super::super::column::ColumnBuffer;
use super::super::expression;
use super::super::failure::{Failures, Told, feed_without_bad};
use super::super::fields;
use super::super::records::each_cell;
use super::super::value::{Evaluated, Value};
use super::keys::number_bytes;
use super::rows::encode;
use super::{Batch, Carried, End, Kind, LaneState, Rows, State, Wanted};
use crate::Result;
use crate::exchange::{Ranges, Shared, in_order};
use crate::progress::InputOrder;
use crate::record::Invalid;
use crate::run::Context;
use crate::sink::{Cell, Encoder, Format, Printer};
use crate::spill::Budget;

/// The most rows that are kept by themselves, where only the first ones are wanted.
const MOST_KEPT: u64 = 1 << 16;

/// The order of records with the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ties {
    /// That of the input.
    Input,
    /// That of the records, and then of how they are written.
    Records,
}

/// The end of a phase in its records, sorted.
#[derive(Debug)]
pub(in super::super) struct Sort {
    /// By what, and what that is; `None` for the records themselves, if they sort as they are.
    by: Option<(Value, Kind)>,
    /// What the records are.
    kind: Kind,
    descending: bool,
    ties: Ties,
    wanted: Wanted,
    /// What the lanes of a run have in common.
    shared: OnceLock<Arc<Shared>>,
}

impl Sort {
    /// Sorts records of a kind by a value of each.
    pub(in super::super) fn new(kind: Kind, by: Value, descending: bool) -> Self {
        let by = match (by.kind(kind), by) {
            (Kind::Json, by) => Some((expression::then(by, Value::Key), Kind::Key)),
            (_, Value::Identity) => None,
            (of, by) => Some((by, of)),
        };
        let (wanted, shared) = (Wanted::default(), OnceLock::new());
        Self { by, kind, descending, ties: Ties::Input, wanted, shared }
    }

    /// The first `k` records alone. Those with the same key are in the order of the records, and equal ones in
    /// that of their writing, as in the tables of `topk` and `bottomk`.
    pub(in super::super) fn ranked(self, k: u64) -> Self {
        Self { ties: Ties::Records, wanted: Wanted { limit: Some(k), ..self.wanted }, ..self }
    }

    /// Whether the records are texts that are their own keys.
    fn is_plain(&self) -> bool {
        self.by.is_none() && self.kind == Kind::Text && !self.descending
    }

    /// How many records are kept of those that a lane has seen, if these are few.
    fn kept(&self) -> Option<usize> {
        let limit = self.wanted.limit.filter(|limit| *limit <= MOST_KEPT);
        limit.map(|limit| limit as usize)
    }
}

impl End for Sort {
    fn start(self: Arc<Self>, policy: Invalid) -> Box<dyn State> {
        Box::new(Sorting::new(self, policy))
    }

    fn rows(&mut self) -> Rows<'_> {
        Rows::Ordered(&mut self.wanted)
    }

    fn resolve(&mut self, fields: &mut Vec<Box<str>>) {
        self.by.iter_mut().for_each(|(value, _)| fields::of_value(value, fields));
    }

    fn state_of_lane(&self) -> u64 {
        /// Chunks of all ranges, and the rows of a part as they are sorted.
        const CHUNKS: u64 = 16 << 20;
        CHUNKS
    }

    /// The number of records is a state; the order of the rows of a part counts.
    fn carried(&self) -> Carried {
        if self.wanted.counted { Carried::State } else { Carried::Rows }
    }
}

/// What a lane has seen of the records of a sort.
struct Sorting {
    of: Arc<Sort>,
    /// `None` before there is a record.
    ranges: Option<Ranges>,
    /// What other lanes have seen.
    others: Vec<Ranges>,
    /// The memory for states, and the lanes that share it.
    memory: (Option<Arc<Budget>>, usize),
    /// The records that were seen.
    number: u64,
    /// Where the block stands that is read, as parts of a key, and the number of the next record in it.
    place: SortKey,
    row: u64,
    key: SortKey,
    evaluated: Evaluated,
    failures: Failures,
    /// Of the first records alone: the key that the next must be before, and how many were added since
    /// there were as many as are wanted.
    last: Option<Vec<u8>>,
    added: usize,
}

impl fmt::Debug for Sorting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sorting").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Sorting {
    fn new(of: Arc<Sort>, policy: Invalid) -> Self {
        let kind = of.by.as_ref().map_or(of.kind, |(_, kind)| *kind);
        Self {
            of,
            ranges: None,
            others: Vec::new(),
            memory: (None, 1),
            number: 0,
            place: SortKey::default(),
            row: 0,
            key: SortKey::default(),
            evaluated: Evaluated::new(kind),
            failures: Failures::new(policy),
            last: None,
            added: 0,
        }
    }

    fn ranges(&mut self) -> &mut Ranges {
        let Self { of, ranges, memory: (budget, lanes), .. } = self;
        ranges.get_or_insert_with(|| {
            let new = || match of.kept() {
                Some(_) => Shared::of_few(!of.is_plain()),
                None => Shared::new(!of.is_plain(), budget.as_deref(), *lanes),
            };
            Ranges::new(Arc::clone(of.shared.get_or_init(|| Arc::new(new()))))
        })
    }

    /// Adds texts that are their own keys.
    fn feed_plain(&mut self, text: &str, batch: &Batch) {
        let spans = batch.record.spans.iter().map(|span| span.range());
        if self.of.kept().is_none() {
            return self.ranges().add_keys(text.as_bytes(), spans);
        }
        for span in spans {
            self.add_first(text[span].as_bytes(), None);
        }
    }

    /// Adds a row, if it may be among the first.
    fn add_first(&mut self, key: &[u8], row: Option<&[u8]>) {
        if self.last.as_deref().is_some_and(|last| key >= last) {
            return;
        }
        match row {
            Some(row) => self.ranges().add(key, row),
            None => self.ranges().add_keys(key, std::iter::once(0..key.len())),
        }
        self.added += 1;
        if let Some(k) = self.of.kept()
            && self.added > k.max(1024)
        {
            self.added = 0;
            self.last = self.ranges().keep_first(k).or(self.last.take());
        }
    }

    /// Adds records behind their keys.
    fn feed_keyed(&mut self, text: &str, batch: &mut Batch) -> ControlFlow<()> {
        let of = Arc::clone(&self.of);
        let Some((value, kind)) = &of.by else {
            self.add_keyed(text, batch, text, &batch.record);
            return ControlFlow::Continue(());
        };
        let mut evaluated = std::mem::replace(&mut self.evaluated, Evaluated::new(*kind));
        let base = value.evaluate(text, batch, &mut evaluated);
        self.failures.found.append(&mut evaluated.failures);
        let flow = match self.failures.found.is_empty() {
            true => {
                self.add_keyed(text, batch, base.of(&evaluated.text), &evaluated.batch.record);
                ControlFlow::Continue(())
            }
            false => feed_without_bad(
                self,
                |state| &mut state.failures,
                batch,
                |state, batch| state.feed_keyed(text, batch),
            ),
        };
        self.evaluated = evaluated;
        flow
    }

    /// Adds the records of a batch behind their keys, which are pieces of another text.
    fn add_keyed(&mut self, text: &str, batch: &Batch, keys: &str, of: &ColumnBuffer) {
        self.number += batch.len() as u64;
        if self.of.wanted.counted {
            return;
        }
        let (is_few, descending, of_ties) =
            (self.of.kept().is_some(), self.of.descending, self.of.ties);
        let mut key = std::mem::take(&mut self.key);
        let (mut n, mut made, mut canonical) = (0, Vec::new(), String::new());
        each_cell(text, batch, |cell| {
            key.clear();
            match of.kind {
                Kind::Number => key.put(&number_bytes(of.numbers[n]), descending),
                Kind::Bool => key.put(&[u8::from(of.bools[n])], descending),
                _ => key.put(of.spans[n].of(keys).as_bytes(), descending),
            }
            n += 1;
            let row = match cell {
                Cell::Text(text) | Cell::Json(text) | Cell::Key(text) => text.as_bytes(),
                Cell::Bool(_) | Cell::Number(_) | Cell::List(_) => {
                    made.clear();
                    Encoder::new(Format::Jsonl, false).value(&mut made, cell);
                    made.pop();
                    &made
                }
            };
            match of_ties {
                Ties::Records => {
                    canonical.clear();
                    match cell {
                        Cell::Json("") => Datum::Null.write_key(&mut canonical),
                        Cell::Json(json) => Datum::Json(json).write_key(&mut canonical),
                        Cell::Number(n) => Datum::Number(&n.to_string()).write_key(&mut canonical),
                        // Their writing has their order.
                        Cell::Text(_) | Cell::Key(_) | Cell::Bool(_) | Cell::List(_) => {}
                    }
                    key.put(canonical.as_bytes(), false);
                    key.put(row, false);
                }
                Ties::Input => {
                    key.append(&self.place);
                    key.put_number(self.row);
                    self.row += 1;
                }
            }
            match is_few {
                true => self.add_first(key.bytes(), Some(row)),
                false => self.ranges().add(key.bytes(), row),
            }
        });
        self.key = key;
    }
}

impl LaneState for Sorting {
    fn fresh(&self) -> Self {
        let memory = self.memory.clone();
        Self { memory, ..Self::new(Arc::clone(&self.of), self.failures.policy) }
    }

    fn prepare(&mut self, context: &Context) {
        self.memory = (context.budget.clone(), context.threads);
    }

    fn begin_block(&mut self, place: InputOrder) {
        let InputOrder { listing, object, member, byte } = place;
        self.place.clear();
        for number in [listing, object as u64, member, byte] {
            self.place.put_number(number);
        }
        self.row = 0;
    }

    fn feed(&mut self, text: &str, batch: &mut Batch) -> ControlFlow<()> {
        if !self.of.is_plain() {
            return self.feed_keyed(text, batch);
        }
        self.number += batch.len() as u64;
        if !self.of.wanted.counted {
            self.feed_plain(text, batch);
        }
        ControlFlow::Continue(())
    }

    fn told(&mut self) -> Told {
        std::mem::take(&mut self.failures.told)
    }

    fn merge(&mut self, other: Self) {
        self.number = self.number.saturating_add(other.number);
        self.others.extend(other.ranges);
        self.others.extend(other.others);
    }

    fn held(&self) -> usize {
        self.ranges.iter().chain(&self.others).map(Ranges::held).sum()
    }

    fn unused(&self) -> usize {
        self.ranges.iter().chain(&self.others).map(Ranges::unused).sum()
    }

    fn name(&self) -> String {
        "sort".to_owned()
    }

    fn spill(&mut self, budget: &Budget) -> Result<bool> {
        let kept = self.of.kept();
        let mut spilled = false;
        for other in &mut self.others {
            spilled |= other.spill(budget)?;
        }
        let Some(ranges) = &mut self.ranges else { return Ok(spilled) };
        if let Some(k) = kept {
            let before = ranges.held();
            self.last = ranges.keep_first(k).or(self.last.take());
            self.added = 0;
            if ranges.held() < before / 2 {
                return Ok(true);
            }
        }
        Ok(ranges.spill(budget)? | spilled)
    }

    /// The number of records: where rows are wanted, these are carried.
    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.put_u64(self.number);
    }

    fn decode(&mut self, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        self.number = bytes.u64()?;
        Ok(())
    }

    fn print(self, context: &Context, out: &mut Printer<'_>) -> Result<()> {
        let reserved = LaneState::held(&self) as u64;
        let _reserved = context.budget.as_ref().map(|budget| budget.reserve(reserved));
        let Self { of, ranges, others, number, .. } = self;
        if of.wanted.counted {
            return out.value(Cell::Number(i128::from(
                of.wanted.limit.map_or(number, |limit| limit.min(number)),
            )));
        }
        let context = context.after_reading();
        let (encoder, kind, is_plain) = (out.encoder(), of.kind, of.is_plain());
        let encode = |key: &[u8], row: &[u8], out: &mut Vec<u8>| {
            encode(encoder, kind, if is_plain { key } else { row }, out)
        };
        let lanes = ranges.into_iter().chain(others).collect();
        let mut write = |bytes: &[u8]| out.encoded(bytes);
        in_order(lanes, !is_plain, of.wanted.limit, &context, encode, &mut write)
    }
}
