//! The stages by name: one table, a row each. Help, arity and building all come from it.

use creel_operators::aggregate;

use super::batch::Kind;
use super::compile::{Compiler, number_argument, text_argument};
use super::edits::distance;
use super::end::{Distinct, Frequencies, RowShape, Sort};
use super::expression;
use super::fault::Fault;
use super::grouping::{self, Grouping};
use super::stage::Stage;
use super::syntax::{Call, Node};
use super::value::Value;
use super::words::Separator;
use crate::record::json::Step;

/// A stage that programs may name.
#[derive(Debug)]
pub(crate) struct Verb {
    pub(crate) name: &'static str,
    /// How it is written, with its arguments.
    pub(crate) usage: &'static str,
    /// What it does, in a line of help.
    pub(crate) help: &'static str,
    /// How few and how many arguments it takes.
    pub(crate) arity: (usize, usize),
    pub(crate) build: fn(&mut Compiler, &Call) -> Result<(), Fault>,
}

/// Every stage, in the order of the help.
pub(crate) static VERBS: &[Verb] = &[
    Verb {
        name: "words",
        usage: "words",
        help: "the words of each text, cut at Unicode white space",
        arity: (0, 0),
        build: |c, call| {
            c.json_as(Value::StringText);
            c.needs(call, &[Kind::Text])?;
            c.push(Stage::Words);
            Ok(())
        },
    },
    Verb {
        name: "split",
        usage: "split(\"sep\")",
        help: "each text to a list of pieces; flatten makes records of them",
        arity: (1, 1),
        build: |c, call| {
            c.json_as(Value::StringText);
            c.needs(call, &[Kind::Text])?;
            let separator = text_argument(call, 0)?;
            c.push(Stage::Map(Value::Split(Separator::new(separator))));
            Ok(())
        },
    },
    Verb {
        name: "flatten",
        usage: "flatten",
        help: "the members of each list, as .[] gives them",
        arity: (0, 0),
        build: |c, call| {
            if c.kind.is_json() {
                c.push(Stage::Members { arrays_only: true });
                return Ok(());
            }
            c.needs(call, &[Kind::List])?;
            c.push(Stage::Flatten);
            Ok(())
        },
    },
    Verb {
        name: "filter",
        usage: "filter(p)",
        help: "keep what meets p: length > 5, test(\"re\"), startswith(\"s\"),\nendswith(\"s\"), contains(\"s\"), . == \"s\", .a[0].b > 5, and, not",
        arity: (1, 1),
        build: |c, call| {
            let predicate = expression::predicate(&call.args[0], c.kind)?;
            c.filter(predicate);
            Ok(())
        },
    },
    Verb {
        name: "remove",
        usage: "remove(p)",
        help: "drop what meets p",
        arity: (1, 1),
        build: |c, call| {
            let predicate = expression::predicate(&call.args[0], c.kind)?;
            c.filter(predicate.negate());
            Ok(())
        },
    },
    Verb {
        name: "map",
        usage: "map(f)",
        help: "each record to f: .a, length, ascii_downcase, ascii_upcase, ...",
        arity: (1, 1),
        build: |c, call| {
            let value = expression::value(&call.args[0], c.kind)?;
            c.map(value);
            Ok(())
        },
    },
    Verb {
        name: "take",
        usage: "take(n)",
        help: "the first n; reading stops there",
        arity: (1, 1),
        build: |c, call| {
            let n = number_argument(call, 0)?;
            if c.is_reduced() {
                return c.limit(call, n);
            }
            c.push(Stage::Take(n));
            Ok(())
        },
    },
    Verb {
        name: "count",
        usage: "count",
        help: "how many there are; count(p): how many meet p",
        arity: (0, 1),
        build: |c, call| {
            if c.is_reduced() {
                return c.count_rows(call);
            }
            if let Some(of) = call.args.first() {
                let predicate = expression::predicate(of, c.kind)?;
                c.filter(predicate);
            }
            c.end(Grouping::of_records("count", Vec::new(), c.kind));
            Ok(())
        },
    },
    Verb {
        name: "frequencies",
        usage: "frequencies",
        help: "how often each record occurs; frequencies(f): each f of a record",
        arity: (0, 1),
        build: frequencies,
    },
    Verb {
        name: "distinct",
        usage: "distinct",
        help: "the first of equal records; distinct(f): the first of each f",
        arity: (0, 1),
        build: |c, call| {
            let value = match call.args.first() {
                Some(of) => expression::value(of, c.kind)?,
                None => Value::Identity,
            };
            c.end(Distinct::by(value, c.kind));
            Ok(())
        },
    },
    Verb {
        name: "topk",
        usage: "topk(k)",
        help: "the k largest, bottomk the least; topk(k; f): by f;\nof frequencies by the count, of groups by the value",
        arity: (1, 2),
        build: |c, call| {
            let k = number_argument(call, 0)?;
            if c.is_reduced() {
                return c.limit(call, k);
            }
            if c.rows() == RowShape::Counts && call.args.len() == 1 {
                c.push(Stage::Take(k));
                return Ok(());
            }
            ranked(c, call, k)
        },
    },
    Verb {
        name: "bottomk",
        usage: "bottomk(k; f)",
        help: "",
        arity: (1, 2),
        build: |c, call| {
            let k = number_argument(call, 0)?;
            ranked(c, call, k)
        },
    },
    Verb {
        name: "sort",
        usage: "sort",
        help: "all in order; sort(f): by f, ties as they came; sort(f; desc)",
        arity: (0, 2),
        build: sorted,
    },
    Verb { name: "sum", usage: "sum", help: "the sum of numbers", arity: (0, 1), build: reduced },
    Verb {
        name: "min",
        usage: "min, max",
        help: "the smallest, the largest",
        arity: (0, 1),
        build: reduced,
    },
    Verb { name: "max", usage: "", help: "", arity: (0, 1), build: reduced },
    Verb {
        name: "groupby",
        usage: "groupby(f; r)",
        help: "r of the records of each f: count, mean(.a), or several, as the\nfields of a row: {n: count, mean: mean(.a), p99: p99(.a)}",
        arity: (2, 2),
        build: |c, call| {
            let grouping = Grouping::by(call, c.kind)?;
            c.end(grouping);
            Ok(())
        },
    },
    Verb {
        name: "agg",
        usage: "agg(r)",
        help: "r of all records: mean, p99(.a); creel --aggregates has them all",
        arity: (1, 1),
        build: |c, call| {
            if let Node::Call(reducer) = &call.args[0].node
                && aggregate::find(&reducer.name).is_some_and(|of| of.traits.counts_distinct)
            {
                return grouping::single(c, reducer);
            }
            let grouping = Grouping::of(&call.args[0], c.kind, None)?;
            c.end(grouping);
            Ok(())
        },
    },
];

/// `topk` and `bottomk` of the records: by `f`, by the values of groups, or by themselves.
fn ranked(c: &mut Compiler, call: &Call, k: u64) -> Result<(), Fault> {
    // No input has as many records as the largest parameter.
    let k = (k as f64).min(9_007_199_254_740_991.0);
    let grouping = match (call.args.get(1), c.rows()) {
        (Some(_), _) => return grouping::single(c, call),
        (None, RowShape::Counts | RowShape::Pairs) => {
            let value = Value::Path([(Step::Index(1), false)].into());
            Grouping::ranked_by(&call.name, k, c.kind, (value, Kind::Json))
        }
        (None, RowShape::Objects) => {
            let name = &call.name;
            let message = format!("`{name}` of rows of several values");
            return Err(Fault::new(call.name_span.clone(), message)
                .hint(format!("say by which: {name}({k}; .n)")));
        }
        (None, RowShape::Values) => {
            c.fit(call, None)?;
            Grouping::of_records(&call.name, vec![k], c.kind)
        }
    };
    grouping::end_in_one(c, grouping);
    Ok(())
}

/// `sort`, by the records or by `f` of each, ascending or not.
fn sorted(c: &mut Compiler, call: &Call) -> Result<(), Fault> {
    let descending = match call.args.get(1).map(|arg| (&arg.node, arg)) {
        None => false,
        Some((Node::Call(order), _)) if order.name == "desc" && order.args.is_empty() => true,
        Some((_, arg)) => {
            let message = "the order of a sort is `desc`, or is left out";
            return Err(Fault::new(arg.span.clone(), message).hint("write sort(f; desc)"));
        }
    };
    let by = match call.args.first() {
        Some(of) => expression::value(of, c.kind)?,
        None => Value::Identity,
    };
    let kind = by.kind(c.kind);
    if kind == Kind::List {
        let span = call.args.first().map_or(&call.name_span, |of| &of.span);
        return Err(Fault::new(span.clone(), "a list is nothing to sort by")
            .hint("flatten makes a record of each member"));
    }
    c.end(Sort::new(c.kind, by, descending));
    Ok(())
}

/// How often each record occurs, or each `f` of a record.
pub(super) fn frequencies(c: &mut Compiler, call: &Call) -> Result<(), Fault> {
    if let Some(of) = call.args.first() {
        let value = expression::value(of, c.kind)?;
        c.map(value);
    }
    c.json_as(Value::Key);
    c.fit(call, call.args.first())?;
    c.end(Frequencies::new(c.kind));
    Ok(())
}

/// `sum`, `min` and `max`, of the records or of `f` of each.
fn reduced(c: &mut Compiler, call: &Call) -> Result<(), Fault> {
    if let Some(of) = call.args.first() {
        let value = expression::value(of, c.kind)?;
        c.map(value);
    }
    c.fit(call, call.args.first())?;
    c.end(Grouping::of_records(&call.name, Vec::new(), c.kind));
    Ok(())
}

/// Stages and functions of the language that this version does not know yet.
static LATER: &[&str] = &[
    "accumulate",
    "ascii",
    "bucket",
    "explode",
    "fold",
    "foldby",
    "fromjson",
    "fromlogfmt",
    "gsub",
    "implode",
    "join",
    "keys",
    "ltrimstr",
    "pluck",
    "random_sample",
    "rtrimstr",
    "scan",
    "sessions",
    "skip",
    "sub",
    "time",
    "tojson",
    "tonumber",
    "tostring",
    "trim",
    "ltrim",
    "rtrim",
];

/// What other tools call a stage or a function.
static SPELLINGS: &[(&str, &str)] = &[
    ("add", "sum"),
    ("average", "mean"),
    ("avg", "mean"),
    ("count_distinct", "nunique"),
    ("cut", "split"),
    ("dropwhile", "remove"),
    ("exclude", "remove"),
    ("flat_map", "flatten"),
    ("frequency", "frequencies"),
    ("grep", "filter"),
    ("group_by", "groupby"),
    ("head", "take"),
    ("hist", "histogram"),
    ("len", "length"),
    ("limit", "take"),
    ("lower", "ascii_downcase"),
    ("lowercase", "ascii_downcase"),
    ("match", "test"),
    ("median", "p50"),
    ("p95", "p(95; f)"),
    ("percentile", "p"),
    ("reject", "remove"),
    ("size", "length"),
    ("order", "sort"),
    ("sort_by", "sort"),
    ("stddev", "std"),
    ("tokenize", "words"),
    ("tolower", "ascii_downcase"),
    ("top", "topk"),
    ("toupper", "ascii_upcase"),
    ("uniq", "distinct"),
    ("unique", "distinct"),
    ("unique_by", "distinct"),
    ("dedup", "distinct"),
    ("upper", "ascii_upcase"),
    ("uppercase", "ascii_upcase"),
    ("value_counts", "frequencies"),
    ("variance", "var"),
    ("wc", "count"),
    ("where", "filter"),
];

/// The row of a stage.
pub(crate) fn find(name: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.name == name)
}

/// Returns true if a name is that of an aggregate which ends a chain by itself. One that gives rows
/// has a row of its own, or comes later.
pub(crate) fn is_aggregate(name: &str) -> bool {
    aggregate::find(name).is_some() && !LATER.contains(&name)
}

/// The help of all aggregates, a row for each.
pub(crate) fn aggregates() -> String {
    format!(
        "Aggregates: of all records by agg(r), of those of each f by groupby(f; r), or\n\
         alone behind |. To those of numbers null and missing values add nothing; they\n\
         take no condition, such as .rt > 1: count(.rt > 1) is how many meet it.\n\n{}",
        aggregate::help(aggregate::KINDS.iter().copied()),
    )
}

/// Whether a name is a stage, now or later.
pub(crate) fn is_known(name: &str) -> bool {
    find(name).is_some() || is_aggregate(name) || LATER.contains(&name)
}

/// The fault of a name that is neither a stage nor a function.
pub(crate) fn unknown(call: &Call) -> Fault {
    let name = call.name.as_str();
    let span = call.name_span.clone();
    if LATER.contains(&name) {
        return not_yet(span, &format!("`{name}`"));
    }
    let fault = Fault::new(span, format!("unknown name `{name}`"));
    match nearest(name) {
        Some(known) => fault.hint(format!("did you mean `{known}`?")),
        None => fault.hint("creel --help lists the stages, and creel --aggregates the aggregates"),
    }
}

/// The fault of something that the language has and this version has not.
pub(crate) fn not_yet(span: std::ops::Range<usize>, what: &str) -> Fault {
    let names: Vec<_> = VERBS.iter().map(|verb| verb.name).collect();
    Fault::new(span, format!("not there yet: {what}"))
        .hint(format!("so far: {}, and what creel --aggregates lists", names.join(", ")))
}

fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let name = name.as_str();
    if let Some((_, known)) = SPELLINGS.iter().find(|(spelling, _)| *spelling == name) {
        return Some(known);
    }
    let verbs = VERBS.iter().map(|verb| verb.name);
    let aggregates = aggregate::KINDS.iter();
    verbs
        .chain(aggregates.map(|kind| kind.name))
        .chain(expression::FUNCTIONS.iter().copied())
        .chain(LATER.iter().copied())
        .map(|known| (distance(name, known), known))
        .min()
        .filter(|(distance, known)| *distance <= known.len().max(name.len()).div_ceil(3))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found() {
        for (typed, meant) in [
            ("frequency", "frequencies"),
            ("frequncies", "frequencies"),
            ("fliter", "filter"),
            ("word", "words"),
            ("lenght", "length"),
            ("startwith", "startswith"),
            ("limit", "take"),
            ("Words", "words"),
            ("group_by", "groupby"),
            ("nuniqe", "nunique"),
            ("quantil", "quantile"),
            ("avg", "mean"),
        ] {
            assert_eq!(nearest(typed), Some(meant), "{typed}");
        }
        assert_eq!(nearest("xyzzy_plugh"), None);
    }
}
