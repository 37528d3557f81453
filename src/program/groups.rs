//! Groups of records and the states of their aggregates: what a lane has seen, and the rows of all.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use creel_operators::aggregate::Aggregate;
use creel_operators::column::{Column, Columns, Data, Form, Groups as OfRows, OwnedColumn};
use hashbrown::HashMap;

use super::batch::{Batch, Kind};
use super::failure::{Failures, Told};
use super::grouping::{Grouping, Shape};
use super::value::{self, Base, Value};
use crate::Result;
use crate::record::Invalid;
use crate::record::json::{write_string, write_value};
use crate::sink::{Cell, Printer};

/// What a lane has seen of the groups of a grouping.
pub(crate) struct Groups {
    grouping: Arc<Grouping>,
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
    pub(super) fn new(grouping: &Arc<Grouping>, policy: Invalid) -> Self {
        let keys = match grouping.key {
            None => Keys::One,
            Some((_, Kind::Text | Kind::Key)) => Keys::Texts(HashMap::new()),
            Some(_) => Keys::Numbers(HashMap::new()),
        };
        let make = |reducer: &super::grouping::Reducer| {
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
            grouping: Arc::clone(grouping),
            keys,
            states,
            groups: Vec::new(),
            failures: Failures::new(policy),
        }
    }

    /// The same grouping, of no records.
    pub(super) fn fresh(&self) -> Self {
        Self::new(&self.grouping, self.failures.policy)
    }

    /// How many groups there are.
    pub(super) fn len(&self) -> usize {
        match &self.keys {
            Keys::One => 1,
            Keys::Texts(keys) => keys.len(),
            Keys::Numbers(keys) => keys.len(),
        }
    }

    /// The bytes of memory that it holds.
    pub(super) fn held(&self) -> usize {
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

    /// What it had to say of bad records since it was last asked.
    pub(super) fn told(&mut self) -> Told {
        std::mem::take(&mut self.failures.told)
    }

    /// Adds a batch of records. `Break` means that one of them is bad.
    pub(super) fn feed(&mut self, text: &str, batch: &mut Batch) -> ControlFlow<()> {
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
            _ => self.feed(text, batch),
        });
        self.failures = failures;
        flow
    }

    /// Adds what another lane has seen of what comes after.
    pub(super) fn merge(&mut self, other: Self) {
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

    /// Prints a row for each group, sorted by key.
    pub(super) fn print(self, out: &mut Printer<'_>) -> Result<()> {
        let Self { grouping, keys, states, .. } = self;
        let results: Vec<OwnedColumn> = states.into_iter().map(|state| state.finish()).collect();
        let labels = Labels::new(&grouping.shape);
        let mut row = String::new();
        let mut print = |key: Option<&str>, group: u32| {
            labels.write(key, &results, group as usize, &mut row);
            out.value(Cell::Json(&row))
        };
        let kind = grouping.key.as_ref().map(|(_, kind)| *kind);
        match keys {
            Keys::One => print(None, 0),
            Keys::Texts(keys) => {
                let mut keys: Vec<(String, u32)> = keys.into_iter().collect();
                keys.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
                keys.into_iter().try_for_each(|(key, group)| {
                    let mut spelled = String::new();
                    match kind {
                        Some(Kind::Key) => write_value(&key, &mut spelled),
                        _ => write_string(&key, &mut spelled),
                    }
                    print(Some(&spelled), group)
                })
            }
            Keys::Numbers(keys) => {
                let mut keys: Vec<(i64, u32)> = keys.into_iter().collect();
                keys.sort_unstable();
                keys.into_iter().try_for_each(|(key, group)| {
                    let spelled = match kind {
                        Some(Kind::Bool) => (key != 0).to_string(),
                        _ => key.to_string(),
                    };
                    print(Some(&spelled), group)
                })
            }
        }
    }
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

/// What stands around the values of a row.
struct Labels {
    is_object: bool,
    key: String,
    names: Vec<String>,
}

impl Labels {
    fn new(shape: &Shape) -> Self {
        let label = |name: &String| {
            let mut label = String::new();
            write_string(name, &mut label);
            label.push(':');
            label
        };
        match shape {
            Shape::Value => Self { is_object: false, key: String::new(), names: Vec::new() },
            Shape::Object(key, names) => Self {
                is_object: true,
                key: key.as_ref().map(label).unwrap_or_default(),
                names: names.iter().map(label).collect(),
            },
        }
    }

    /// Writes the row of a group.
    fn write(&self, key: Option<&str>, results: &[OwnedColumn], group: usize, row: &mut String) {
        row.clear();
        let (open, close) = match (self.is_object, key) {
            (true, _) => ("{", "}"),
            (false, Some(_)) => ("[", "]"),
            (false, None) => ("", ""),
        };
        row.push_str(open);
        if let Some(key) = key {
            row.push_str(&self.key);
            row.push_str(key);
        }
        for (at, result) in results.iter().enumerate() {
            if at > 0 || key.is_some() {
                row.push(',');
            }
            row.push_str(self.names.get(at).map_or("", String::as_str));
            result.write_json(group, row);
        }
        row.push_str(close);
    }
}
