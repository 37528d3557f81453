//! Conditions as what aggregates are of: one answer in every form in which they are called.

use creel_operators::aggregate::{KINDS, Kind, Needs};

use super::tests::{Options, run_over};
use super::{InputFormat, Program};
use crate::record::Invalid;

const RECORDS: &str = r#"{"u":"a","s":500,"b":true}
{"u":"b","s":200,"b":false}
{"u":"a","s":200,"b":false}
{"u":"a","s":503,"b":true}
"#;

fn printed(program: &str, input: InputFormat, text: &str) -> String {
    let options = Options { input, invalid: Invalid::Fail, blocksize: 16, threads: 2 };
    let (printed, ended) = run_over(program, text, &options);
    ended.unwrap_or_else(|error| panic!("{program}: {error}"));
    printed
}

/// An aggregate with the parameters that have to be given, of what follows the records.
fn call(kind: &Kind, of: Option<&str>) -> String {
    let given = kind.parameters.iter().filter(|parameter| parameter.default.is_none());
    let mut arguments: Vec<_> =
        given.map(|parameter| if parameter.whole { "2" } else { "0.5" }).collect();
    arguments.extend(of);
    match arguments.is_empty() {
        true => kind.name.to_owned(),
        false => format!("{}({})", kind.name, arguments.join("; ")),
    }
}

/// A program for each form in which an aggregate is called.
fn forms(kind: &Kind, of: &str) -> Vec<String> {
    let direct = call(kind, Some(of));
    let mut forms = vec![
        direct.clone(),
        format!("agg({direct})"),
        format!("agg({{n: count, x: {direct}}})"),
        format!("groupby(.u; {direct})"),
        format!("groupby(.u; {{n: count, x: {direct}}})"),
        format!("({direct}), count"),
    ];
    // Those that rank records by a column need one.
    if kind.columns.0 < 2 {
        let mapped = call(kind, None);
        forms.extend([
            format!("map({of}) | {mapped}"),
            format!("map({of}) | agg({mapped})"),
            format!("map({of}) | groupby(.; {mapped})"),
            format!("(map({of}) | {mapped}), count"),
        ]);
    }
    forms
}

#[test]
fn aggregates_of_numbers_refuse_conditions_in_every_form_and_name_count() {
    let numeric: Vec<_> = KINDS.iter().filter(|kind| kind.needs == Needs::Numbers).collect();
    assert!(numeric.len() >= 9);
    for kind in numeric {
        for program in forms(kind, ".s >= 500") {
            let fault = Program::compile(&program, InputFormat::JSONL).expect_err(&program);
            assert!(fault.message.contains("true or false"), "{program}: {}", fault.message);
            assert!(fault.hint.is_some_and(|hint| hint.contains("count(p)")), "{program}");
        }
        let direct = call(kind, Some("length > 2"));
        for program in [format!("words | {direct}"), format!("groupby(length; {direct})")] {
            assert!(Program::compile(&program, InputFormat::TEXT).is_err(), "{program}");
        }
    }
}

#[test]
fn other_aggregates_take_conditions_in_every_form_as_they_take_true_and_false_of_json() {
    for kind in KINDS.iter().filter(|kind| kind.needs != Needs::Numbers) {
        for (of_condition, of_json) in forms(kind, ".s >= 500").iter().zip(forms(kind, ".b")) {
            assert_eq!(
                printed(of_condition, InputFormat::JSONL, RECORDS),
                printed(&of_json, InputFormat::JSONL, RECORDS),
                "{of_condition}"
            );
        }
    }
    for (program, expected) in [
        ("max(length > 2)", "true\n"),
        ("min(length > 2)", "false\n"),
        ("map(length > 2) | topk(3)", "true\ntrue\nfalse\n"),
        ("bottomk(1; length > 2)", "\"ab\"\n"),
        ("frequencies(length > 2)", "[true,2]\n[false,1]\n"),
        ("map(length > 2) | sort", "false\ntrue\ntrue\n"),
    ] {
        assert_eq!(printed(program, InputFormat::TEXT, "abc\nab\nabcd\n"), expected, "{program}");
    }
}
