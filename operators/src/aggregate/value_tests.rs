//! The result of each aggregate of the table: of a few records, and of none.

use super::tests::one;
use super::{KINDS, Kind};
use crate::column::{Column, Form, Span};

const FOUR: Column<'static> = Column::integers(&[3, 1, 2, 2]);
const FISH: Column<'static> = Column::text(
    "codeelrayeel",
    &[Span::new(0, 3), Span::new(3, 6), Span::new(6, 9), Span::new(9, 12)],
);
const MET: Column<'static> = Column::bools(&[true, false, true, true]);

/// A name, parameters and columns of an aggregate; its result of these columns, and of no records.
type Stated =
    (&'static str, &'static [f64], &'static [Column<'static>], &'static str, &'static str);

/// At least one line for each row of the table of aggregates.
const STATED: &[Stated] = &[
    ("count", &[], &[MET], "3", "0"),
    ("sum", &[], &[FOUR], "8", "0"),
    ("mean", &[], &[FOUR], "2", "null"),
    ("min", &[], &[FOUR], "1", "null"),
    ("min", &[], &[FISH], "\"cod\"", "null"),
    ("max", &[], &[FISH], "\"ray\"", "null"),
    ("var", &[], &[FOUR], "0.5", "null"),
    ("std", &[], &[FOUR], "0.7071067811865476", "null"),
    ("any", &[], &[MET], "true", "false"),
    ("all", &[], &[MET], "false", "true"),
    ("first", &[], &[FISH], "\"cod\"", "null"),
    ("last", &[], &[FISH], "\"eel\"", "null"),
    ("min_by", &[], &[FISH, FOUR], "\"eel\"", "null"),
    ("max_by", &[], &[FISH, FOUR], "\"cod\"", "null"),
    ("topk", &[2.0], &[FISH], "[\"ray\",\"eel\"]", "[]"),
    ("topk", &[2.0], &[FISH, FOUR], "[\"cod\",\"eel\"]", "[]"),
    ("bottomk", &[2.0], &[FOUR], "[1,2]", "[]"),
    ("frequencies", &[], &[FISH], "[[\"eel\",2],[\"cod\",1],[\"ray\",1]]", "[]"),
    ("nunique", &[], &[FISH], "3", "0"),
    ("approx_nunique", &[], &[FISH], "3", "0"),
    ("quantile", &[0.25], &[FOUR], "1", "null"),
    ("p", &[75.0], &[FOUR], "2", "null"),
    ("p50", &[], &[FOUR], "2", "null"),
    ("p90", &[], &[FOUR], "3", "null"),
    ("p99", &[], &[FOUR], "3", "null"),
    ("histogram", &[2.0], &[FOUR], "[[0,1],[2,3]]", "[]"),
    ("list", &[], &[FOUR], "[3,1,2,2]", "[]"),
    ("sample", &[9.0], &[FISH], "[\"ray\",\"cod\",\"eel\",\"eel\"]", "[]"),
];

#[test]
fn each_aggregate_has_a_stated_value() {
    for Kind { name, .. } in KINDS {
        let is_stated = STATED.iter().any(|(stated, ..)| stated == name);
        assert!(is_stated, "{name} has no expected value: add a line to STATED in value_tests.rs");
    }
}

#[test]
fn each_aggregate_gives_what_its_help_says() {
    for &(name, parameters, columns, expected, _) in STATED {
        let mut result = one(name, parameters, columns);
        if name == "sample" {
            // Without places, in no order that means anything.
            assert_eq!(result.matches("eel").count(), 2);
            result = expected.to_owned();
        }
        assert_eq!(result, expected, "{name}");
    }
    let met = one(
        "count",
        &[],
        &[Column::texts(Form::Json, "0null", &[Span::new(0, 1), Span::new(1, 5)])],
    );
    assert_eq!(met, "1");
}

#[test]
fn results_of_no_records_are_stated() {
    let none = [Column::integers(&[]); 2];
    for &(name, parameters, columns, _, expected) in STATED {
        assert_eq!(one(name, parameters, &none[..columns.len()]), expected, "{name}");
    }
}
