//! `groupby` and `agg` as a program says them: the key, and the aggregates with their arguments.

use creel_operators::aggregate::{self, Gives, Needs, Order};

use super::batch::Kind;
use super::compile::Compiler;
use super::end::{Sort, Wanted};
use super::expression;
use super::fault::Fault;
use super::syntax::{Call, Expr, Node, Span};
use super::value::Value;
use super::verbs;
use crate::record::json::Step;

/// What is made of the records of each group, and by what they are grouped.
#[derive(Debug, Clone)]
pub(super) struct Grouping {
    /// What records are grouped by, and what that is; without it all are of one group.
    pub(super) key: Option<(Value, Kind)>,
    pub(super) reducers: Vec<Reducer>,
    pub(super) shape: Shape,
}

/// One aggregate of the records of a group.
#[derive(Debug, Clone)]
pub(super) struct Reducer {
    pub(super) kind: &'static aggregate::Kind,
    pub(super) parameters: Vec<f64>,
    /// Its columns, and what they hold.
    pub(super) columns: Vec<(Value, Kind)>,
    /// Whether its one column stands for two: values are compared in one form, and given back as they
    /// were written.
    pub(super) by_itself: bool,
}

/// What the row of a group is.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// The value of the one aggregate; behind the key, as a pair, where there is one.
    Value,
    /// A row for each member of the one list of the one aggregate of all records, which are ranked.
    Members(Wanted),
    /// An object: the name of the key, and those of the aggregates.
    Object(Option<String>, Vec<String>),
}

impl Grouping {
    /// `groupby(key; reducers)`
    pub(super) fn by(call: &Call, kind: Kind) -> Result<Self, Fault> {
        let of = expression::value(&call.args[0], kind)?;
        let of = if of.kind(kind).is_json() { expression::then(of, Value::Key) } else { of };
        let kind_of_key = of.kind(kind);
        if kind_of_key == Kind::List {
            return Err(Fault::new(call.args[0].span.clone(), "a list is no key of a group")
                .hint("flatten makes a record of each member"));
        }
        let name = name_of(&call.args[0]).unwrap_or("key");
        let grouping = Self::of(&call.args[1], kind, Some(name))?;
        Ok(Self { key: Some((of, kind_of_key)), ..grouping })
    }

    /// `agg(reducers)`, or what stands for the reducers in `groupby`.
    pub(super) fn of(reducers: &Expr, kind: Kind, key: Option<&str>) -> Result<Self, Fault> {
        let Node::Object(members) = &reducers.node else {
            let reducers = vec![Reducer::compile(reducers, kind)?];
            return Ok(Self { key: None, reducers, shape: Shape::Value });
        };
        let mut names: Vec<String> = Vec::new();
        let mut all = Vec::new();
        for (name, of) in members {
            if names.contains(name) || key == Some(name) {
                let message = format!("two fields of the row are called `{name}`");
                return Err(Fault::new(of.span.clone(), message).hint("give one another name"));
            }
            all.push(Reducer::compile(of, kind)?);
            names.push(name.clone());
        }
        let shape = Shape::Object(key.map(str::to_owned), names);
        Ok(Self { key: None, reducers: all, shape })
    }

    /// One aggregate of the records themselves, of a kind.
    pub(super) fn of_records(name: &str, parameters: Vec<f64>, kind: Kind) -> Self {
        let found = row(name);
        let columns = if found.columns.0 == 0 { 0 } else { 1 };
        let columns = std::iter::repeat_n((Value::Identity, kind), columns).collect();
        Self::alone(Reducer::new(found, parameters, columns))
    }

    /// The records with the largest, or the smallest, values of an expression.
    pub(super) fn ranked_by(name: &str, k: f64, kind: Kind, by: (Value, Kind)) -> Self {
        let found = row(name);
        Self::alone(Reducer::new(found, vec![k], vec![(Value::Identity, kind), by]))
    }

    /// One aggregate of all records. If it gives records, each is a row.
    fn alone(reducer: Reducer) -> Self {
        let shape = match reducer.kind.traits.gives {
            Gives::Members | Gives::Ranked => Shape::Members(Wanted::default()),
            Gives::Value => Shape::Value,
        };
        Self { key: None, reducers: vec![reducer], shape }
    }

    /// All records, each of them a row.
    pub(super) fn of_all(kind: Kind) -> Self {
        let list = Self::of_records("list", Vec::new(), kind);
        Self { shape: Shape::Members(Wanted::default()), ..list }
    }

    /// What records are grouped by, if they are.
    pub(super) fn kind_of_key(&self) -> Option<Kind> {
        self.key.as_ref().map(|(_, kind)| *kind)
    }

    /// Returns true if the order of the records shows in a row.
    pub(super) fn has_ordered(&self) -> bool {
        self.draws() || self.reducers.iter().any(|reducer| reducer.kind.order == Order::Input)
    }

    /// Returns true if it draws records by their numbers.
    pub(super) fn draws(&self) -> bool {
        self.reducers.iter().any(|reducer| reducer.kind.traits.is_numbered)
    }

    /// How many records it ranks, by what, and whether the largest come first, if this is all that it does.
    fn ranking(&self) -> Option<(u64, &Value, bool)> {
        let (Shape::Members(_), [reducer]) = (&self.shape, self.reducers.as_slice()) else {
            return None;
        };
        let descending = match reducer.kind.name {
            "topk" => true,
            "bottomk" => false,
            _ => return None,
        };
        Some((*reducer.parameters.first()? as u64, &reducer.columns.last()?.0, descending))
    }

    /// How many rows of all records may be kept, if these are the result.
    pub(super) fn most_rows(&self) -> Option<u64> {
        match (&self.shape, self.reducers.as_slice()) {
            (Shape::Members(_), [Reducer { parameters, .. }]) => {
                parameters.first().map(|k| *k as u64)
            }
            _ => None,
        }
    }

    /// All expressions on records.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        let columns = self.reducers.iter_mut().flat_map(|reducer| &mut reducer.columns);
        self.key.iter_mut().chain(columns).map(|(value, _)| value)
    }
}

impl Reducer {
    fn new(
        kind: &'static aggregate::Kind,
        parameters: Vec<f64>,
        columns: Vec<(Value, Kind)>,
    ) -> Self {
        let as_written = match columns.as_slice() {
            [(_, of)] if of.is_json() => kind.traits.as_written,
            _ => None,
        };
        let (kind, by_itself) = (as_written.map_or(kind, row), as_written.is_some());
        Self { kind, parameters, columns, by_itself }
    }

    /// How many columns the aggregate is given.
    pub(super) fn width(&self) -> usize {
        self.columns.len() + usize::from(self.by_itself)
    }

    fn compile(expr: &Expr, kind: Kind) -> Result<Self, Fault> {
        let Node::Call(call) = &expr.node else {
            return Err(Fault::new(expr.span.clone(), "an aggregate is needed here")
                .hint("such as count, mean(.rt), p99(.rt), or {n: count, mean: mean(.rt)}"));
        };
        Self::of_call(call, kind)
    }

    /// A call of an aggregate: its parameters, then its columns; without columns, the record itself.
    pub(super) fn of_call(call: &Call, kind: Kind) -> Result<Self, Fault> {
        let Some(found) = aggregate::find(&call.name) else {
            let name = call.name.as_str();
            let is_other = expression::FUNCTIONS.contains(&name) || verbs::find(name).is_some();
            return Err(match is_other {
                true => {
                    Fault::new(call.name_span.clone(), format!("`{}` is no aggregate", call.name))
                        .hint("an aggregate is, such as count, mean(.rt), p99(.rt)")
                }
                false => verbs::unknown(call),
            });
        };
        let numbers = call.args.iter().map_while(|arg| match &arg.node {
            Node::Number(digits) => digits.parse::<f64>().ok(),
            _ => None,
        });
        let parameters: Vec<f64> = numbers.take(found.parameters.len()).collect();
        let made = found.make(&parameters);
        made.map_err(|refused| usage(call, found, &refused.to_string()))?;
        let arguments = &call.args[parameters.len()..];
        // Aggregates of two columns give records back, which the second ranks.
        let (least, most) = found.columns;
        let gives_records = most == 2;
        let given =
            arguments.len() + usize::from(gives_records || arguments.is_empty() && least > 0);
        if !(least..=most).contains(&given) {
            return Err(usage(
                call,
                found,
                &format!("`{}` with {} arguments", call.name, call.args.len()),
            ));
        }
        let mut columns = Vec::new();
        if gives_records || arguments.is_empty() && least > 0 {
            columns.push((Value::Identity, kind));
        }
        for argument in arguments {
            let value = expression::value(argument, kind)?;
            let kind = value.kind(kind);
            columns.push((value, kind));
        }
        // The record itself, which no argument names, comes first.
        let unnamed = columns.len() - arguments.len();
        for (at, (value, kind)) in columns.iter_mut().enumerate() {
            let argument = at.checked_sub(unnamed).and_then(|at| arguments.get(at));
            let place = argument.map_or(&call.name_span, |of| &of.span);
            let fitted = fit(found, *kind, place)?;
            *value = expression::then(std::mem::replace(value, Value::Identity), fitted);
            *kind = value.kind(*kind);
        }
        Ok(Self::new(found, parameters, columns))
    }
}

/// What is made of values of a kind before an aggregate takes them; a fault at their place in the program
/// if it does not take them. Every form in which an aggregate is called asks here.
pub(super) fn fit(found: &aggregate::Kind, kind: Kind, place: &Span) -> Result<Value, Fault> {
    let refused = |message: String, hint: &str| Err(Fault::new(place.clone(), message).hint(hint));
    let name = found.name;
    match (found.needs, kind) {
        (_, Kind::List) => refused(
            format!("`{name}` of lists is not there yet"),
            "flatten makes a record of each member",
        ),
        // What is no number is an error of its record.
        (Needs::Numbers, Kind::Json | Kind::Key) => Ok(Value::Summand),
        (Needs::Numbers, Kind::Text) => refused(
            format!("`{name}` needs numbers, and these are texts"),
            "length is a number: the length of each text",
        ),
        // A condition is no number, and `true` of JSON is none either.
        (Needs::Numbers, Kind::Bool) => refused(
            format!("`{name}` needs numbers, and these are true or false"),
            "count(p) is how many are true; beside count it gives their share",
        ),
        (Needs::Numbers, Kind::Number)
        | (
            Needs::Conditions | Needs::Values | Needs::Records,
            Kind::Number | Kind::Text | Kind::Bool | Kind::Json | Kind::Key,
        ) => Ok(Value::Identity),
    }
}

/// Ends a chain of records in one aggregate: `mean(.rt)` is `agg(mean(.rt))`, but records that it gives
/// back are rows.
pub(super) fn single(compiler: &mut Compiler, call: &Call) -> Result<(), Fault> {
    let reducer = Reducer::of_call(call, compiler.kind)?;
    // The same number, of a state that is spilled in parts: that of one group is not.
    if reducer.kind.traits.counts_distinct {
        verbs::frequencies(compiler, call)?;
        return compiler.count_rows(call);
    }
    end_in_one(compiler, Grouping::alone(reducer));
    Ok(())
}

/// Ends a chain of records in one aggregate of all of them. Many of the largest, or smallest, records are
/// those that a sort begins with, which spills.
pub(super) fn end_in_one(compiler: &mut Compiler, grouping: Grouping) {
    /// The most that are kept in a table, which costs less for few.
    const MOST_IN_TABLE: u64 = 1000;
    match grouping.ranking() {
        Some((k, by, descending)) if k > MOST_IN_TABLE => {
            compiler.end(Sort::new(compiler.kind, by.clone(), descending).ranked(k));
        }
        _ => compiler.end(grouping),
    }
}

/// The row of an aggregate that stages are made of.
pub(super) fn row(name: &str) -> &'static aggregate::Kind {
    aggregate::find(name).unwrap_or_else(|| unreachable!("a row of the table"))
}

fn usage(call: &Call, kind: &aggregate::Kind, message: &str) -> Fault {
    let usage = if kind.usage.is_empty() { kind.name } else { kind.usage };
    Fault::new(call.name_span.clone(), message).hint(format!("write {usage}"))
}

/// The name of the field that a path leads to.
fn name_of(expr: &Expr) -> Option<&str> {
    let Node::Path(_, steps) = &expr.node else { return None };
    match steps.last() {
        Some((Step::Key(name), _)) => Some(name),
        _ => None,
    }
}
