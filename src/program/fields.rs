//! The fields of records that a program uses: found while a record is checked, and never again.

use super::batch::Kind;
use super::predicate::Predicate;
use super::stage::Stage;
use super::value::Value;
use crate::record::json::Step;

/// Makes columns of the first keys of paths into records, and gives their names.
pub(crate) fn resolve(stages: &mut [Stage], mut kind: Kind) -> Vec<Box<str>> {
    let mut fields = Vec::new();
    for stage in stages {
        if kind != Kind::Record {
            break;
        }
        kind = stage.kind(kind);
        match stage {
            Stage::Map(value) => of_value(value, &mut fields),
            Stage::Filter(predicate) => of_predicate(predicate, &mut fields),
            _ => {}
        }
    }
    fields
}

fn of_value(value: &mut Value, fields: &mut Vec<Box<str>>) {
    match value {
        // What comes second is evaluated on what the first gives.
        Value::Then(first, _) => of_value(first, fields),
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
                rest => Value::Then(Box::new(field), Box::new(Value::Path(rest.into()))),
            };
        }
        _ => {}
    }
}

fn of_predicate(predicate: &mut Predicate, fields: &mut Vec<Box<str>>) {
    match predicate {
        Predicate::And(a, b) | Predicate::Or(a, b) => {
            of_predicate(a, fields);
            of_predicate(b, fields);
        }
        Predicate::Not(of) => of_predicate(of, fields),
        Predicate::On(value, _) => of_value(value, fields),
        Predicate::Keys(_, values) => values.iter_mut().for_each(|value| of_value(value, fields)),
        _ => {}
    }
}
