//! Aggregates of all records, or of groups of them: what a lane has seen, and the rows of all.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use creel_operators::aggregate::{Aggregate, Damaged, Reader, Writer};
use creel_operators::column::{Column, Columns, Data, Form, Groups as OfRows, OwnedColumn};
use hashbrown::HashMap;

use super::super::failure::{Failures, Told};
use super::super::fields;
use super::super::grouping::{Grouping, Reducer, Shape};
use super::super::value::{self, Base, Value};
use super::labels::Labels;
use super::{Batch, End, Kind, LaneState, Rows, State};
use crate::Result;
use crate::record::Invalid;
use crate::record::json::{write_string, write_value};
use crate::run::Context;
use crate::sink::{Cell, Printer};

impl End for Grouping {
    fn start(self: Arc<Self>, policy: Invalid) -> Box<dyn State> {
        Box::new(Groups::new(self, policy))
    }

    fn rows(&mut self) -> Rows<'_> {
        match (&self.key, &mut self.shape) {
            (_, Shape::Members(wanted)) => Rows::Ranked(wanted),
            (None, Shape::Value) => Rows::Single,
            (Some(_), Shape::Value) | (_, Shape::Object(..)) => Rows::OfGroups,
        }
    }

    fn resolve(&mut self, kind: Kind, fields: &mut Vec<Box<str>>) {
        if kind == Kind::Record {
            self.values_mut().for_each(|value| fields::of_value(value, fields));
        }
    }

    fn is_ordered(&self) -> bool {
        self.has_ordered()
    }

    fn state_of_lane(&self) -> u64 {
        /// What a row that is kept takes, at least.
        const ROW: u64 = 64;
        self.most_rows().map_or(0, |k| (2 * ROW).saturating_mul(k))
    }
}

/// What a lane has seen of the groups of a grouping.
struct Groups {
    grouping: Arc<Grouping>,
    /// Whether there is one aggregate of all records as they are, which is evaluated for none.
    is_direct: bool,
    keys: Keys,
    /// The state of each aggregate, for all groups.
    states: Vec<Box<dyn Aggregate>>,
    /// Whatever is evaluated of a batch: the key, then the columns of the aggregates.
    evaluated: Vec<Evaluated>,
    groups: Vec<u32>,
    failures: Failures,
}

/// The numbers of groups by their keys.
enum Keys {
    /// All records are of one group.
    One,
    Texts(HashMap<String, u32>),
    Numbers(HashMap<i64, u32>),
}

/// The values of one expression for a batch.
struct Evaluated {
    columns: value::Columns,
    bools: Vec<bool>,
}

impl fmt::Debug for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Groups").field("groups", &self.len()).finish_non_exhaustive()
    }
}

impl Groups {
    /// Groups of no records.
    fn new(grouping: Arc<Grouping>, policy: Invalid) -> Self {
        let keys = match grouping.key {
            None => Keys::One,
            Some((_, Kind::Text | Kind::Key)) => Keys::Texts(HashMap::new()),
            Some(_) => Keys::Numbers(HashMap::new()),
        };
        let make = |reducer: &Reducer| {
            let made = reducer.kind.make(&reducer.parameters);
            let mut state = made.unwrap_or_else(|_| unreachable!("parameters are checked"));
            state.resize(usize::from(grouping.key.is_none()));
            state
        };
        let states = grouping.reducers.iter().map(make).collect();
        let columns = grouping.reducers.iter().flat_map(|reducer| &reducer.columns);
        let evaluated = grouping.key.iter().chain(columns);
        let evaluated = evaluated
            .map(|(_, kind)| Evaluated { columns: value::Columns::new(*kind), bools: Vec::new() });
        Self {
            evaluated: evaluated.collect(),
            is_direct: is_direct(&grouping),
            grouping,
            keys,
            states,
            groups: Vec::new(),
            failures: Failures::new(policy),
        }
    }

    /// How many groups there are.
    fn len(&self) -> usize {
        match &self.keys {
            Keys::One => 1,
            Keys::Texts(keys) => keys.len(),
            Keys::Numbers(keys) => keys.len(),
        }
    }

    /// Adds a batch to the only group of the only aggregate, whose column is the record itself.
    fn feed_directly(&mut self, text: &str, batch: &Batch) {
        let reducer = &self.grouping.reducers[0];
        let column = reducer.columns.first().map(|(_, kind)| column(*kind, text, batch, &[]));
        let columns = column.as_slice();
        self.states[0].update(OfRows::One, &Columns::arguments(batch.len(), columns));
    }

    /// Adds a batch of which whatever is used is evaluated first.
    fn feed_evaluated(&mut self, text: &str, batch: &mut Batch) -> ControlFlow<()> {
        let grouping = Arc::clone(&self.grouping);
        let columns = grouping.reducers.iter().flat_map(|reducer| &reducer.columns);
        let values = grouping.key.iter().chain(columns);
        let mut bases = Vec::with_capacity(self.evaluated.len());
        for ((value, kind), evaluated) in values.clone().zip(&mut self.evaluated) {
            bases.push(evaluated.evaluate(value, *kind, text, batch));
            self.failures.found.append(&mut evaluated.columns.failures);
        }
        if !self.failures.found.is_empty() {
            return self.feed_without_bad(text, batch);
        }
        let columns = values.zip(&self.evaluated).zip(&bases);
        let columns = columns.map(|(((value, kind), evaluated), base)| match value {
            Value::Identity => column(*kind, text, batch, &evaluated.bools),
            _ => column(
                *kind,
                base.of(&evaluated.columns.text),
                &evaluated.columns.batch,
                &evaluated.bools,
            ),
        });
        let mut columns = columns.collect::<Vec<_>>().into_iter();
        if let Some(key) = grouping.key.as_ref().and_then(|_| columns.next()) {
            self.keys.number(&key, &mut self.groups);
        }
        let (all, groups) = (
            self.len(),
            match self.keys {
                Keys::One => OfRows::One,
                _ => OfRows::Each(&self.groups),
            },
        );
        for (reducer, state) in grouping.reducers.iter().zip(&mut self.states) {
            let own: Vec<Column<'_>> = columns.by_ref().take(reducer.columns.len()).collect();
            state.resize(all);
            state.update(groups, &Columns::arguments(batch.len(), &own));
        }
        ControlFlow::Continue(())
    }

    /// Adds what is left of a batch without the records that failed.
    #[cold]
    fn feed_without_bad(&mut self, text: &str, batch: &mut Batch) -> ControlFlow<()> {
        let origins = batch.origins.clone();
        let mut keep = vec![true; batch.len()];
        let policy = self.failures.policy;
        let mut failures = std::mem::replace(&mut self.failures, Failures::new(policy));
        let flow = failures.settle(&origins, batch, &mut keep, |batch| match batch.len() {
            0 => ControlFlow::Continue(()),
            _ => self.feed_evaluated(text, batch),
        });
        self.failures = failures;
        flow
    }

    /// The keys, spelled as JSON, and numbers of the groups, sorted by key.
    fn each_sorted(
        keys: Keys,
        kind: Kind,
        mut visit: impl FnMut(&str, u32) -> Result<()>,
    ) -> Result<()> {
        match keys {
            Keys::One => visit("null", 0),
            Keys::Texts(keys) => {
                let mut spelled = String::new();
                sorted(keys).into_iter().try_for_each(|(key, group)| {
                    spelled.clear();
                    match kind {
                        Kind::Key => write_value(&key, &mut spelled),
                        _ => write_string(&key, &mut spelled),
                    }
                    visit(&spelled, group)
                })
            }
            Keys::Numbers(keys) => sorted(keys).into_iter().try_for_each(|(key, group)| {
                let spelled = match kind {
                    Kind::Bool => (key != 0).to_string(),
                    _ => key.to_string(),
                };
                visit(&spelled, group)
            }),
        }
    }
}

impl LaneState for Groups {
    fn fresh(&self) -> Self {
        Self::new(Arc::clone(&self.grouping), self.failures.policy)
    }

    fn feed(&mut self, text: &str, batch: &mut Batch) -> ControlFlow<()> {
        if self.is_direct {
            self.feed_directly(text, batch);
            return ControlFlow::Continue(());
        }
        self.feed_evaluated(text, batch)
    }

    fn told(&mut self) -> Told {
        std::mem::take(&mut self.failures.told)
    }

    fn merge(&mut self, other: Self) {
        let map = match (&mut self.keys, other.keys) {
            (Keys::One, Keys::One) => vec![0],
            (Keys::Texts(keys), Keys::Texts(others)) => mapped(keys, others),
            (Keys::Numbers(keys), Keys::Numbers(others)) => mapped(keys, others),
            (Keys::One | Keys::Texts(_) | Keys::Numbers(_), _) => {
                unreachable!("lanes have one grouping")
            }
        };
        let all = self.len();
        for (into, from) in self.states.iter_mut().zip(other.states) {
            into.resize(all);
            into.merge(from, &map);
        }
    }

    fn held(&self) -> usize {
        /// What an entry of a table takes beside its key.
        const ENTRY: usize = 48;
        let keys = match &self.keys {
            Keys::One => 0,
            Keys::Texts(keys) => {
                let sample: usize = keys.keys().take(256).map(|key| key.len()).sum();
                keys.len() * (ENTRY + sample / keys.len().clamp(1, 256))
            }
            Keys::Numbers(keys) => keys.len() * ENTRY,
        };
        keys + self.states.iter().map(|state| state.weight()).sum::<usize>()
    }

    fn needed(&self) -> Option<u64> {
        match self.keys {
            Keys::One => {
                let most: Option<usize> = self.states.iter().map(|state| state.most_weight()).sum();
                most.map(|most| most as u64)
            }
            Keys::Texts(_) | Keys::Numbers(_) => None,
        }
    }

    fn name(&self) -> String {
        match (&self.grouping.key, self.grouping.reducers.as_slice()) {
            (None, [reducer]) => match reducer.parameters.as_slice() {
                [] => reducer.kind.name.to_owned(),
                [first, ..] => format!("{}({first})", reducer.kind.name),
            },
            (None, _) => "agg".to_owned(),
            (Some(_), _) => "groupby".to_owned(),
        }
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        let order: Vec<u32> = match &self.keys {
            Keys::One => vec![0],
            Keys::Texts(keys) => {
                bytes.put_u64(keys.len() as u64);
                let keys = sorted(keys.iter().map(|(key, group)| (&**key, *group)));
                keys.iter().for_each(|(key, _)| bytes.put_bytes(key.as_bytes()));
                keys.into_iter().map(|(_, group)| group).collect()
            }
            Keys::Numbers(keys) => {
                bytes.put_u64(keys.len() as u64);
                let keys = sorted(keys.iter().map(|(key, group)| (*key, *group)));
                keys.iter().for_each(|(key, _)| bytes.put_i64(*key));
                keys.into_iter().map(|(_, group)| group).collect()
            }
        };
        for state in &self.states {
            let encoded = state.encode(&order, bytes);
            encoded.unwrap_or_else(|_| unreachable!("all aggregates of the table have a form"));
        }
    }

    fn decode(&mut self, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        let is_bool = matches!(self.grouping.key, Some((_, Kind::Bool)));
        match &mut self.keys {
            Keys::One => {}
            Keys::Texts(keys) => read_keys(keys, bytes, |bytes| Ok(bytes.text()?.to_owned()))?,
            Keys::Numbers(keys) => read_keys(keys, bytes, |bytes| {
                let damaged = bytes.damaged("no key");
                let key = bytes.i64()?;
                if is_bool && !matches!(key, 0 | 1) { Err(damaged) } else { Ok(key) }
            })?,
        }
        let groups = self.len();
        for state in &mut self.states {
            *state = state.fresh();
            state.decode(groups, bytes)?;
        }
        Ok(())
    }

    fn print(self, _: &Context, out: &mut Printer<'_>) -> Result<()> {
        let Self { grouping, keys, states, .. } = self;
        let results: Vec<OwnedColumn> = states.into_iter().map(|state| state.finish()).collect();
        let mut row = String::new();
        if let Shape::Members(wanted) = &grouping.shape
            && let Some((members, range)) = results.first().and_then(|list| list.members(0))
        {
            let rows = wanted.of(range.len());
            if wanted.counted {
                return out.value(Cell::Number(rows as i128));
            }
            return range.take(rows).try_for_each(|at| {
                row.clear();
                members.write_json(at, &mut row);
                out.value(Cell::Json(&row))
            });
        }
        let labels = Labels::new(&grouping.shape);
        let mut print = |key: Option<&str>, group: u32| {
            labels.write(key, &results, group as usize, &mut row);
            out.value(Cell::Json(&row))
        };
        match &grouping.key {
            None => print(None, 0),
            Some((_, kind)) => Self::each_sorted(keys, *kind, |key, group| print(Some(key), group)),
        }
    }
}

/// Whether a grouping is one aggregate of the records as they are.
fn is_direct(grouping: &Grouping) -> bool {
    let [reducer] = grouping.reducers.as_slice() else { return false };
    let itself = |(value, kind): &(Value, Kind)| {
        matches!(value, Value::Identity) && !matches!(kind, Kind::Bool)
    };
    grouping.key.is_none() && reducer.columns.len() <= 1 && reducer.columns.iter().all(itself)
}

/// Keys and the numbers of their groups, by key.
fn sorted<K: Ord>(keys: impl IntoIterator<Item = (K, u32)>) -> Vec<(K, u32)> {
    let mut keys: Vec<(K, u32)> = keys.into_iter().collect();
    keys.sort_unstable();
    keys
}

/// Reads keys, which are numbered in their order.
fn read_keys<'b, K: Ord + Eq + std::hash::Hash + Clone>(
    keys: &mut HashMap<K, u32>,
    bytes: &mut Reader<'b>,
    read: impl Fn(&mut Reader<'b>) -> Result<K, Damaged>,
) -> Result<(), Damaged> {
    let damaged = bytes.damaged("more groups than there may be");
    let groups = u32::try_from(bytes.count(1)?).map_err(|_| damaged)?;
    let mut before: Option<K> = None;
    for group in 0..groups {
        let damaged = bytes.damaged("keys that are not in order");
        let key = read(bytes)?;
        if before.is_some_and(|before| before >= key) {
            return Err(damaged);
        }
        keys.insert(key.clone(), group);
        before = Some(key);
    }
    Ok(())
}

/// The group of each of another's, by its number there.
fn mapped<K: Eq + std::hash::Hash>(
    keys: &mut HashMap<K, u32>,
    others: HashMap<K, u32>,
) -> Vec<u32> {
    let mut map = vec![0; others.len()];
    for (key, group) in others {
        let next = keys.len() as u32;
        map[group as usize] = *keys.entry(key).or_insert(next);
    }
    map
}

impl Keys {
    /// Has the number of the group of each record.
    fn number(&mut self, key: &Column<'_>, groups: &mut Vec<u32>) {
        groups.clear();
        match (self, key.data()) {
            (Self::Texts(keys), Data::Texts { text, spans, .. }) => {
                groups.extend(spans.iter().map(|span| {
                    let next = keys.len() as u32;
                    *keys.entry_ref(span.of(text)).or_insert(next)
                }));
            }
            (Self::Numbers(keys), Data::Integers(numbers)) => {
                groups.extend(numbers.iter().map(|number| number_of(keys, *number)));
            }
            (Self::Numbers(keys), Data::Bools(bools)) => {
                groups.extend(bools.iter().map(|met| number_of(keys, i64::from(*met))));
            }
            (Self::One | Self::Texts(_) | Self::Numbers(_), _) => {
                unreachable!("keys are of the kind that the grouping says")
            }
        }
    }
}

fn number_of(keys: &mut HashMap<i64, u32>, key: i64) -> u32 {
    let next = keys.len() as u32;
    *keys.entry(key).or_insert(next)
}

impl Evaluated {
    fn evaluate<'t>(
        &mut self,
        value: &Value,
        kind: Kind,
        text: &'t str,
        batch: &Batch,
    ) -> Base<'t> {
        let (base, numbers) = match value {
            Value::Identity => (Base::Given(text), &batch.numbers),
            _ => (value.evaluate(text, batch, &mut self.columns), &self.columns.batch.numbers),
        };
        if kind == Kind::Bool {
            self.bools.clear();
            self.bools.extend(numbers.iter().map(|number| *number != 0));
        }
        base
    }
}

/// The values of a batch of a kind, lent.
fn column<'a>(kind: Kind, text: &'a str, batch: &'a Batch, bools: &'a [bool]) -> Column<'a> {
    let texts = |form| Column::new(Data::Texts { form, text, spans: &batch.spans });
    match kind {
        Kind::Text => texts(Form::Text),
        Kind::Record | Kind::Json => texts(Form::Json),
        Kind::Key => texts(Form::Key),
        Kind::Number => Column::new(Data::Integers(&batch.numbers)),
        Kind::Bool => Column::new(Data::Bools(bools)),
        Kind::List => unreachable!("lists are refused when a program is compiled"),
    }
}
