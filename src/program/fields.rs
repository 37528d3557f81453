//! The fields of records that a program uses: found while a record is read, and never again.
//!
//! What a path begins with, of a whole record, becomes the number of a column when the program is
//! compiled. Every stage, value and condition is named here, so that a new one with a path inside cannot
//! be left out.

use super::end::End;
use super::predicate::Predicate;
use super::stage::Stage;
use super::value::Value;
use crate::record::json::Step;

/// Makes columns of the first keys of paths into whole records, and appends their names. The expressions
/// of the end are evaluated on what the stages leave.
pub(super) fn resolve(
    stages: &mut [Stage],
    end: Option<&mut (dyn End + 'static)>,
    fields: &mut Vec<Box<str>>,
) {
    for stage in stages {
        match stage {
            Stage::Filter(predicate) => of_predicate(predicate, fields),
            Stage::Take(_) => {}
            // What comes behind these is no whole record any more.
            Stage::Map(value) => return of_value(value, fields),
            Stage::Words | Stage::Flatten | Stage::Members { .. } => return,
        }
    }
    if let Some(end) = end {
        end.resolve(fields);
    }
}

/// Makes columns of the first keys of paths of a value.
pub(super) fn of_value(value: &mut Value, fields: &mut Vec<Box<str>>) {
    match value {
        // What comes second is evaluated on what the first gives.
        Value::Chain(values) => {
            let mut values = std::mem::take(values).into_iter();
            let mut first = values.next().unwrap_or(Value::Identity);
            of_value(&mut first, fields);
            *value = Value::of_chain(first.into_chain().into_iter().chain(values).collect());
        }
        Value::Test(predicate) => of_predicate(predicate, fields),
        Value::Path(steps) => {
            let Some((first @ (Step::Key(name), _), rest)) = steps.split_first() else { return };
            let n = fields.iter().position(|field| field == name).unwrap_or_else(|| {
                fields.push(name.clone());
                fields.len() - 1
            });
            let field = Value::Field(n, first.clone());
            *value = match rest {
                [] => field,
                rest => Value::Chain(vec![field, Value::Path(rest.into())]),
            };
        }
        Value::Identity
        | Value::Length
        | Value::Lower
        | Value::Upper
        | Value::Split(_)
        | Value::Field(..)
        | Value::StringText
        | Value::Key
        | Value::Summand
        | Value::JsonLength
        | Value::JsonInteger
        | Value::JsonTexts => {}
    }
}

fn of_predicate(predicate: &mut Predicate, fields: &mut Vec<Box<str>>) {
    match predicate {
        Predicate::And(of) | Predicate::Or(of) => {
            of.iter_mut().for_each(|of| of_predicate(of, fields));
        }
        Predicate::Not(of) => of_predicate(of, fields),
        Predicate::On(value, _) => of_value(value, fields),
        Predicate::Keys(_, values) => values.iter_mut().for_each(|value| of_value(value, fields)),
        Predicate::Always(_)
        | Predicate::IsTrue
        | Predicate::Length(..)
        | Predicate::Number(..)
        | Predicate::Bool(..)
        | Predicate::Text(..)
        | Predicate::StartsWith(_)
        | Predicate::EndsWith(_)
        | Predicate::Contains(_)
        | Predicate::Matches(_)
        | Predicate::Truthy
        | Predicate::Json(..) => {}
    }
}
