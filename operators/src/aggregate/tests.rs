//! The laws of every aggregate of the table, over columns of every kind.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::{Gives, KINDS, Kind, Needs, Order, Traits, find};
use crate::column::{Column, Columns, Form, Groups, OwnedColumn, Positions, Span, write_key};
use crate::laws::check_aggregate;
use crate::run;

/// Values of one kind, which a column is made of.
#[derive(Debug, Clone)]
enum Values {
    Integers(Vec<i64>),
    Floats(Vec<f64>),
    Bools(Vec<bool>),
    Texts(Form, Vec<String>),
    /// Lists of these lengths.
    Lists(Vec<u32>),
}

const JSON: &[&str] = &[
    "null",
    "true",
    "false",
    "",
    "0",
    "1",
    "1.0",
    "-1",
    "2.5",
    "1e2",
    "0.1",
    "-0.0",
    "1e300",
    "5e-324",
    "18446744073709551616",
    "\"a\"",
    "\"\\u0061\"",
    "\"b\"",
    "\"\"",
    "[1,2]",
    "[1.0, 2]",
    "{\"a\":1}",
];
const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "-0.0",
    "1",
    "1.0",
    "2.5",
    "0.1",
    "0.2",
    "-0.3",
    "1e300",
    "-1e300",
    "1e308",
    "5e-324",
    "12345678901234567",
    "9223372036854775807",
    "18446744073709551616",
    "-340282366920938463463374607431768211456",
    "1797693134862315700000000000000000000000000000000000000000000000000000000000000000000000000",
];

fn floats() -> impl Strategy<Value = f64> {
    let few = select(vec![
        0.0,
        -0.0,
        0.1,
        0.2,
        0.3,
        1.0,
        2.5,
        1e16,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ]);
    prop_oneof![few, -100.0..100.0_f64, prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL]
}

fn values(rows: usize) -> impl Strategy<Value = Values> {
    let texts = |of: &'static [&'static str]| {
        prop::collection::vec(select(of).prop_map(str::to_owned), rows)
    };
    let integers = prop_oneof![-3..3_i64, any::<i64>()];
    prop_oneof![
        prop::collection::vec(integers, rows).prop_map(Values::Integers),
        prop::collection::vec(floats(), rows).prop_map(Values::Floats),
        prop::collection::vec(any::<bool>(), rows).prop_map(Values::Bools),
        prop::collection::vec("[a-b]{0,2}", rows)
            .prop_map(|texts| Values::Texts(Form::Text, texts)),
        texts(NUMBERS).prop_map(|texts| Values::Texts(Form::Number, texts)),
        texts(JSON).prop_map(|texts| Values::Texts(Form::Json, texts)),
        texts(JSON).prop_map(|texts| {
            let key = |json: String| {
                let mut key = String::new();
                write_key(&json, &mut key);
                key
            };
            Values::Texts(Form::Key, texts.into_iter().map(key).collect())
        }),
        prop::collection::vec(0..3_u32, rows).prop_map(Values::Lists),
    ]
}

/// Calls with the column of these values.
fn with_column<R>(values: &Values, missing: &[bool], then: impl FnOnce(Column<'_>) -> R) -> R {
    match values {
        Values::Integers(values) => then(Column::integers(values).with_missing(missing)),
        Values::Floats(values) => then(Column::floats(values).with_missing(missing)),
        Values::Bools(values) => then(Column::bools(values).with_missing(missing)),
        Values::Texts(form, texts) => {
            let (mut text, mut spans) = (String::new(), Vec::new());
            for piece in texts {
                text.push_str(piece);
                spans.push(Span::new(text.len() - piece.len(), text.len()));
                text.push(' ');
            }
            let column = Column::texts(*form, &text, &spans);
            // Some columns have no marks at all.
            then(if missing.contains(&true) { column.with_missing(missing) } else { column })
        }
        Values::Lists(lengths) => {
            let mut offsets = vec![0];
            lengths.iter().for_each(|length| offsets.push(offsets[offsets.len() - 1] + length));
            let items: Vec<i64> = (0..i64::from(offsets[lengths.len()])).map(|n| n % 2).collect();
            let items = Column::integers(&items);
            let data = crate::column::Data::Lists { offsets: &offsets, items: &items };
            then(Column::new(data).with_missing(missing))
        }
    }
}

/// Parameters that are not far from the least.
fn parameters(kind: &Kind, choice: &[f64]) -> Vec<f64> {
    kind.parameters
        .iter()
        .zip(choice)
        .map(|(parameter, choice)| {
            let span = (parameter.most - parameter.least).min(4.0);
            let value = parameter.least + choice * span;
            if parameter.whole {
                value.round()
            } else {
                value.clamp(parameter.least.max(1e-3), parameter.most)
            }
        })
        .collect()
}

fn check(
    kind: &Kind,
    first: &Values,
    second: &Values,
    missing: &[bool],
    groups: &[u32],
    choice: &[f64],
) {
    let rows: Vec<u64> = (0..groups.len() as u64).collect();
    let none = vec![false; groups.len()];
    with_column(first, missing, |first| {
        with_column(second, &none, |second| {
            let columns = [first, second];
            for width in kind.columns.0..=kind.columns.1 {
                let batch = Columns::arguments(groups.len(), &columns[..width]);
                let batch = batch.with_positions(Positions { partition: 3, rows: &rows });
                check_aggregate(kind, &parameters(kind, choice), &batch, groups);
            }
        });
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_aggregate_keeps_the_laws(
        (first, second, missing, groups) in (0..7_usize).prop_flat_map(|rows| (
            values(rows),
            values(rows),
            prop::collection::vec(prop::bool::weighted(0.2), rows),
            prop_oneof![Just(vec![0; rows]), prop::collection::vec(0..5_u32, rows)],
        )),
        choice in prop::collection::vec(0.0..1.0_f64, 3),
    ) {
        for kind in KINDS {
            check(kind, &first, &second, &missing, &groups, &choice);
        }
    }

    #[test]
    fn any_bytes_are_a_state_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..60), groups in 0..4_usize) {
        for kind in KINDS {
            let parameters = parameters(kind, &[0.5, 0.5]);
            if let Ok(state) = kind.decode(&parameters, groups, &bytes) {
                prop_assert_eq!(state.finish().len(), groups);
            }
        }
    }

    #[test]
    fn parameters_are_refused_by_their_ranges(chosen in subsequence(KINDS.to_vec(), 1..5), x in -5.0..200.0_f64) {
        for kind in chosen {
            let all = vec![x; kind.parameters.len()];
            let fits = kind.parameters.iter().all(|p| {
                (p.least..=p.most).contains(&x) && (!p.whole || x.fract() == 0.0)
            });
            prop_assert_eq!(kind.make(&all).is_ok(), fits);
            prop_assert!(kind.make(&vec![x; all.len() + 1]).is_err());
        }
    }
}

/// The results of an aggregate for one group of these records.
pub(super) fn one(name: &str, parameters: &[f64], columns: &[Column<'_>]) -> String {
    let mut state = find(name).unwrap().make(parameters).unwrap();
    state.resize(1);
    state.update(Groups::One, &Columns::arguments(columns[0].len(), columns));
    state.finish().to_json().remove(0)
}

proptest! {
    #[test]
    fn both_faces_of_an_aggregate_give_the_same(
        numbers in prop::collection::vec(-3..4_i64, 0..20),
        k in 0..4_usize,
    ) {
        let columns = [Column::integers(&numbers)];
        let of_columns = |name| one(name, &[], &columns);
        let records = || numbers.iter().copied();
        let value = |value: Option<i64>| value.map_or("null".to_owned(), |n| n.to_string());
        let list = |values: Vec<i64>| {
            let values: Vec<_> = values.iter().map(i64::to_string).collect();
            format!("[{}]", values.join(","))
        };
        prop_assert_eq!(of_columns("count"), run(records(), |r| r.count()).to_string());
        prop_assert_eq!(of_columns("sum"), run(records(), |r| r.sum()).to_string());
        prop_assert_eq!(of_columns("min"), value(run(records(), |r| r.min())));
        prop_assert_eq!(of_columns("max"), value(run(records(), |r| r.max())));
        let first = run(records(), |r| r.first(1)).first().copied();
        prop_assert_eq!(of_columns("first"), value(first));
        prop_assert_eq!(of_columns("last"), value(run(records(), |r| r.last())));
        prop_assert_eq!(of_columns("list"), list(run(records(), |r| r.collect())));
        let top = one("topk", &[k as f64], &columns);
        prop_assert_eq!(top, list(run(records(), |r| r.topk(k))));
        let bottom = one("bottomk", &[k as f64], &columns);
        prop_assert_eq!(bottom, list(run(records(), |r| r.bottomk(k))));
        let counts = run(records(), |r| r.frequencies());
        prop_assert_eq!(of_columns("nunique"), counts.len().to_string());
        let rows: Vec<_> = counts.sorted().iter().map(|(n, of)| format!("[{n},{of}]")).collect();
        prop_assert_eq!(of_columns("frequencies"), format!("[{}]", rows.join(",")));
        let halves = numbers.iter().map(|n| *n as f64 / 2.0);
        let floats: Vec<f64> = halves.collect();
        let sum = run(&floats, |r| r.sum());
        prop_assert_eq!(one("sum", &[], &[Column::floats(&floats)]).parse(), Ok(sum));
    }
}

#[test]
fn the_traits_of_an_aggregate_say_what_it_is() {
    for kind in KINDS {
        let Traits { gives, is_numbered, as_written, counts_distinct } = kind.traits;
        if let Some(name) = as_written {
            let of_two = find(name).expect("an aggregate of the table");
            assert_eq!(of_two.columns.1, 2, "{}", kind.name);
            assert_eq!(of_two.parameters.len(), kind.parameters.len(), "{}", kind.name);
        }
        // Members are no more than the first parameter says.
        assert!(gives == Gives::Value || !kind.parameters.is_empty(), "{}", kind.name);
        assert!(!is_numbered || gives == Gives::Members, "{}", kind.name);
        assert!(!counts_distinct || kind.columns == (1, 1), "{}", kind.name);
    }
}

#[test]
fn integers_from_two_to_the_53_on_stay_exact() {
    let next = 9_007_199_254_740_993;
    let three = [next; 3];
    let three = [Column::integers(&three)];
    for name in ["p50", "min", "max", "p99"] {
        assert_eq!(one(name, &[], &three), "9007199254740993", "{name}");
    }
    assert_eq!(one("mean", &[], &three), "9007199254740992.0");
    let mixed = "1.5 18446744073709551617 9007199254740993 -1e300";
    let spans = [(0, 3), (4, 24), (25, 41), (42, 48)].map(|(from, to)| Span::new(from, to));
    let mixed = [Column::texts(Form::Json, mixed, &spans)];
    for (q, expected) in
        [(0.0, "-1e300"), (0.5, "1.5"), (0.75, "9007199254740993"), (1.0, "18446744073709551617")]
    {
        assert_eq!(one("quantile", &[q], &mixed), expected);
    }
    // Counts by size, of more numbers than are kept: doubles, within the least and the greatest.
    assert_eq!(one("p50", &[], &[Column::integers(&[next; 5])]), "9007199254740992.0");
}

/// The files of this folder without their tests, and where they are.
fn sources() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/aggregate");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    // Folders have the tests of a file.
    let is_code = |path: &PathBuf| path.is_file() && !path.to_str().unwrap().ends_with("tests.rs");
    let of_code = paths.filter(is_code);
    let read = |path: PathBuf| {
        let mut text = fs::read_to_string(&path).unwrap();
        text.truncate(text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len()));
        (path, text)
    };
    of_code.map(read).collect()
}

#[test]
fn no_aggregate_calls_a_function_whose_result_depends_on_the_machine() {
    const VARY: &str = "ln log log2 log10 ln_1p exp exp2 exp_m1 powi powf cbrt hypot sin cos tan sin_cos \
                        asin acos atan atan2 sinh cosh tanh asinh acosh atanh gamma ln_gamma";
    for (path, text) in sources() {
        for (at, line) in text.lines().enumerate() {
            let called = VARY.split_whitespace().find(|name| {
                line.contains(&format!(".{name}(")) || line.contains(&format!("f64::{name}"))
            });
            let place = format!("{}:{}", path.display(), at + 1);
            assert_eq!(called, None, "{place}: the standard library does not fix its result");
        }
    }
}

#[test]
fn every_file_has_a_row_and_every_row_its_own_name() {
    for (path, text) in sources() {
        // The code of the file: `mod.rs` has an example of one in its documentation.
        let code: Vec<_> = text.lines().filter(|line| !line.starts_with("//")).collect();
        for at in 0..code.len() {
            if code[at].contains(": Kind =") && at + 1 < code.len() {
                let both = code[at..code.len().min(at + 4)].concat();
                let name = both.split("name: \"").nth(1).and_then(|rest| rest.split('"').next());
                let name =
                    name.unwrap_or_else(|| panic!("{}: a kind without a name", path.display()));
                assert!(find(name).is_some(), "{}: {name} has no row in KINDS", path.display());
            }
        }
    }
    for kind in KINDS {
        assert!(std::ptr::eq(find(kind.name).unwrap(), *kind), "{} has two rows", kind.name);
        assert!(kind.columns.0 <= kind.columns.1, "{}", kind.name);
        assert_eq!(kind.usage.is_empty(), kind.help.is_empty(), "{}", kind.name);
    }
    assert!(KINDS.iter().any(|kind| kind.order == Order::Input));
    assert!(KINDS.iter().any(|kind| kind.needs == Needs::Records));
}

#[test]
fn owned_results_are_columns_again() {
    let column = OwnedColumn::from(Column::floats(&[1.0, 2.0]));
    let (mut spans, mut text) = Default::default();
    let lent = column.lend(0..2, &mut spans, &mut text);
    assert_eq!(one("sum", &[], &[lent]), "3");
}

#[test]
fn of_values_that_are_alike_in_two_forms_the_same_is_kept_in_any_order() {
    for kind in ["min_by", "max_by", "topk", "bottomk"] {
        let parameters = if kind.contains("by") { &[][..] } else { &[1.0][..] };
        let state = |spans: [Span; 2]| {
            let mut state = find(kind).unwrap().make(parameters).unwrap();
            state.resize(1);
            let columns = [Column::texts(Form::Json, "null", &spans), Column::bools(&[true; 2])];
            state.update(Groups::One, &Columns::arguments(2, &columns));
            let mut bytes = Vec::new();
            state.encode(&[0], &mut bytes).unwrap();
            bytes
        };
        // Null as JSON, and as an empty piece of it.
        let (null, empty) = (Span::new(0, 4), Span::new(0, 0));
        assert_eq!(state([null, empty]), state([empty, null]), "{kind}");
    }
}
