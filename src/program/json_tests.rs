//! Programs over JSON, beside an evaluator of serde_json's values that takes one record after another.

use std::cmp::Ordering;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::InputFormat;
use super::tests::{Options, run_over};
use crate::Error;
use crate::record::Invalid;
use crate::record::json::tests::{documents, order};

/// What an expression gives of a value: some values; or none, for it fails.
type Outcome = Result<Vec<Value>, ()>;
type Function = fn(&Value) -> Outcome;

fn get(value: &Value, name: &str) -> Result<Value, ()> {
    match value {
        Value::Null => Ok(Value::Null),
        Value::Object(object) => Ok(object.get(name).cloned().unwrap_or_default()),
        _ => Err(()),
    }
}

fn at(value: &Value, index: i64) -> Result<Value, ()> {
    match value {
        Value::Null => Ok(Value::Null),
        Value::Array(list) => {
            let index = if index < 0 { index + list.len() as i64 } else { index };
            Ok(usize::try_from(index).ok().and_then(|i| list.get(i)).cloned().unwrap_or_default())
        }
        _ => Err(()),
    }
}

fn text(value: &Value) -> Result<&str, ()> {
    value.as_str().ok_or(())
}

fn truth(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}

fn length(value: &Value) -> Result<Value, ()> {
    Ok(match value {
        Value::Null => json!(0),
        Value::Bool(_) => return Err(()),
        Value::Number(number) => json!(number.as_f64().map(f64::abs)),
        Value::String(text) => json!(text.chars().count()),
        Value::Array(list) => json!(list.len()),
        Value::Object(object) => json!(object.len()),
    })
}

fn one(value: impl Into<Value>) -> Outcome {
    Ok(vec![value.into()])
}

/// Drops what fails, as `?` does.
fn optional(value: Result<Value, ()>) -> Vec<Value> {
    value.into_iter().collect()
}

const TESTS: &[(&str, Function)] = &[
    (".a >= 1", |v| one(order(&get(v, "a")?, &json!(1)) != Ordering::Less)),
    ("\"a\" == .a", |v| one(get(v, "a")? == json!("a"))),
    (".a < 1.5", |v| one(order(&get(v, "a")?, &json!(1.5)) == Ordering::Less)),
    (".a.b == null", |v| one(get(&get(v, "a")?, "b")? == Value::Null)),
    (".a != false", |v| one(get(v, "a")? != json!(false))),
    (". > true", |v| one(order(v, &json!(true)) == Ordering::Greater)),
    (".a and .b", |v| one(truth(&get(v, "a")?) && truth(&get(v, "b")?))),
    (".a or .b | not", |v| one(!(truth(&get(v, "a")?) || truth(&get(v, "b")?)))),
    (".b | startswith(\"a\")", |v| one(text(&get(v, "b")?)?.starts_with('a'))),
    (".a? > 0", |v| {
        let greater = |a: &Value| json!(order(a, &json!(0)) == Ordering::Greater);
        Ok(optional(get(v, "a")).iter().map(greater).collect())
    }),
    (".b[0] != false", |v| one(at(&get(v, "b")?, 0)? != json!(false))),
    ("length > 1", |v| one(order(&length(v)?, &json!(1)) == Ordering::Greater)),
    (".a < .b", |v| one(order(&get(v, "a")?, &get(v, "b")?) == Ordering::Less)),
    (".a != null and (.a | test(\"^.b|a\"))", |v| match get(v, "a")? {
        Value::Null => one(false),
        a => one(text(&a)?.contains('a') || text(&a)?.chars().nth(1) == Some('b')),
    }),
    (".\"a b\" | length == 1", |v| one(order(&length(&get(v, "a b")?)?, &json!(1)).is_eq())),
];

const VALUES: &[(&str, Function)] = &[
    (".a", |v| one(get(v, "a")?)),
    (".[\"a\"].b", |v| one(get(&get(v, "a")?, "b")?)),
    (".b[0]?", |v| Ok(optional(at(&get(v, "b")?, 0)))),
    (".b[-1]", |v| one(at(&get(v, "b")?, -1)?)),
    ("length", |v| one(length(v)?)),
    (".a | ascii_upcase", |v| one(text(&get(v, "a")?)?.to_ascii_uppercase())),
    (".a == .b", |v| one(order(&get(v, "a")?, &get(v, "b")?).is_eq())),
];

/// A program, and its expressions.
#[derive(Debug, Clone)]
struct Chain {
    program: String,
    steps: Vec<(bool, Function)>,
}

impl Chain {
    fn of(choices: &[usize]) -> Self {
        let mut chain = Self { program: ".".to_owned(), steps: Vec::new() };
        for choice in choices {
            let (filter, pick) = (choice % 2 == 0, choice / 2);
            let (written, function) = match filter {
                true => TESTS[pick % TESTS.len()],
                false => VALUES[pick % VALUES.len()],
            };
            chain.program += &match filter {
                true => format!(" | filter({written})"),
                false => format!(" | {written}"),
            };
            chain.steps.push((filter, function));
            // Text and truth values have no fields, and programs that take some do not compile.
            if !filter && (written.ends_with("upcase") || written.contains("==")) {
                break;
            }
        }
        chain
    }

    /// Sends a value on; `false` after a failure that ends the run.
    fn run(&self, step: usize, value: Value, run: &mut Run) -> bool {
        let Some((filter, function)) = self.steps.get(step) else {
            run.out.push(value);
            return true;
        };
        match function(&value) {
            Err(()) => {
                run.failed += 1;
                run.skip
            }
            Ok(values) if *filter => values
                .iter()
                .all(|met| if truth(met) { self.run(step + 1, value.clone(), run) } else { true }),
            Ok(values) => values.into_iter().all(|value| self.run(step + 1, value, run)),
        }
    }
}

struct Run {
    out: Vec<Value>,
    failed: u64,
    skip: bool,
}

fn same(printed: &str, expected: &[Value]) -> bool {
    let values: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).expect("JSON is printed")).collect();
    values.len() == expected.len()
        && values.iter().zip(expected).all(|(a, b)| order(a, b) == Ordering::Equal)
}

/// Records in lines, of which some are damaged; with what each is, and where it begins.
fn inputs() -> impl Strategy<Value = Vec<String>> {
    let one_line = documents().prop_map(|text| text.replace(['\n', '\r'], " ")).boxed();
    let good = prop_oneof![
        4 => one_line.clone().prop_map(|value| format!("{{\"a\":{value},\"b\": [{value}]}}")),
        2 => (one_line.clone(), one_line.clone())
            .prop_map(|(a, b)| format!(" {{\"b\":{a}, \"\\u0061\" :{b},\"a b\":\"é\"}}")),
        1 => one_line,
    ];
    prop::collection::vec(prop_oneof![30 => good, 1 => Just("{\"a\":".to_owned())], 0..12)
}

proptest! {
    #[test]
    fn programs_over_json_print_what_an_evaluator_of_values_does(
        lines in inputs(),
        choices in prop::collection::vec(0_usize..60, 0..4),
        end in 0_usize..8,
        skip: bool,
        blocksize in 1_usize..200,
        threads in 1_usize..4,
    ) {
        let mut chain = Chain::of(&choices);
        // Truth values have no order in creel's programs.
        let end = if chain.program.ends_with("== .b") && end > 4 { 0 } else { end };
        let mut run = Run { out: Vec::new(), failed: 0, skip };
        let (mut whole, take) = (true, if end == 1 { 2 } else { usize::MAX });
        for line in lines.iter().filter(|line| !line.trim().is_empty()) {
            if run.out.len() >= take {
                break;
            }
            whole = match serde_json::from_str(line) {
                Ok(value) => chain.run(0, value, &mut run),
                Err(_) => {
                    run.failed += 1;
                    skip
                }
            };
            if !whole {
                break;
            }
        }
        let mut expected = run.out;
        let enough = expected.len() >= take;
        match end {
            1 => {
                chain.program += " | take(2)";
                expected.truncate(2);
            }
            2 => {
                chain.program += " | count";
                expected = vec![json!(expected.len())];
            }
            3 | 4 => {
                chain.program += " | frequencies";
                expected.sort_by(order);
                let mut rows: Vec<(Value, u64)> = Vec::new();
                for value in expected {
                    match rows.last_mut() {
                        Some((last, n)) if order(last, &value).is_eq() => *n += 1,
                        _ => rows.push((value, 1)),
                    }
                }
                rows.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
                expected = rows.into_iter().map(|(value, n)| json!([value, n])).collect();
            }
            5 | 6 => {
                chain.program += ["topk(2)", "max"].map(|end| format!(" | {end}"))[end - 5].as_str();
                expected.sort_by(|a, b| order(b, a));
                expected.truncate(if end == 5 { 2 } else { 1 });
                if end == 6 && expected.is_empty() {
                    expected.push(Value::Null);
                }
            }
            _ => {}
        }
        let streams = !(2..7).contains(&end);
        let invalid = if skip { Invalid::Skip } else { Invalid::Fail };
        let options = Options { input: InputFormat::JSONL, invalid, blocksize, threads };
        let (printed, ended) = run_over(&chain.program, &(lines.join("\n") + "\n"), &options);
        if whole || enough {
            prop_assert!(same(&printed, &expected), "{}\n{}\n{:?}", chain.program, printed, expected);
            let left_out = ended.expect("nothing fails");
            prop_assert!(enough || left_out == run.failed, "{} {}", left_out, run.failed);
        } else {
            let failed = matches!(&ended, Err(Error::Record { place, .. }) if place.offset.is_some());
            prop_assert!(failed, "{}: {:?}", chain.program, ended);
            let before = !streams || same(&printed, &expected);
            prop_assert!(before, "{}\n{}\n{:?}", chain.program, printed, expected);
        }
    }
}

fn over(program: &str, text: &str, invalid: Invalid) -> (String, crate::Result<u64>) {
    let options = Options { input: InputFormat::JSONL, invalid, blocksize: 64, threads: 2 };
    run_over(program, text, &options)
}

fn prints(program: &str, text: &str) -> String {
    let (printed, ended) = over(program, text, Invalid::Fail);
    ended.unwrap_or_else(|error| panic!("{program}: {error}"));
    printed
}

#[test]
fn records_are_printed_as_they_stand_and_values_as_they_are_written() {
    let text = "{\"b\": 1.0,  \"a\":\"\\u0061\"} \r\n\n \t\n{\"b\":1e2}";
    assert_eq!(prints(".", text), "{\"b\": 1.0,  \"a\":\"\\u0061\"}\n{\"b\":1e2}\n");
    assert_eq!(prints(".b", text), "1.0\n1e2\n");
    assert_eq!(prints(".a", text), "\"\\u0061\"\nnull\n");
    assert_eq!(prints("frequencies(.a)", text), "[null,1]\n[\"a\",1]\n");
}

#[test]
fn members_become_records_and_those_of_objects_come_in_their_order() {
    let text = "{\"e\":[{\"t\":1},{\"t\":\"x\"},{}]}\n{\"e\":[]}\n{\"e\":{\"b\":{\"t\":2},\"a\":{\"t\":3}}}\n";
    assert_eq!(prints(".e[].t", text), "1\n\"x\"\nnull\n2\n3\n");
    assert_eq!(prints(".e[] | frequencies(.t) | topk(2)", text), "[null,1]\n[1,1]\n");
    assert_eq!(prints(".[]", "{\"b\":1,\"a\":2,\"b\":3}"), "3\n2\n");
    assert_eq!(prints("take(1) | .e | flatten | count", text), "3\n");
    assert!(over(".e[]", "{}", Invalid::Fail).1.is_err());
    assert!(over(".e | flatten", "{\"e\":{}}", Invalid::Fail).1.is_err());
}

#[test]
fn numbers_are_summed_exactly_and_what_is_missing_adds_nothing() {
    let text = "{\"a\":1}\n{\"a\":2.5}\n{}\n{\"a\":0.1}\n{\"a\":-2.5}\n{\"a\":0.2}\n";
    assert_eq!(prints("sum(.a)", text), "1.3\n");
    assert_eq!(prints("filter(.a == 1) | sum(.a)", text), "1\n");
    assert!(over("sum(.a)", "{\"a\":\"1\"}", Invalid::Fail).1.is_err());
}

#[test]
fn the_place_of_a_bad_record_is_told_to_the_byte() {
    let good = "{\"a\":\"é\"}\n".repeat(20);
    let start = good.len() as u64;
    for (bad, at, program) in [
        ("{\"a\":}\n", 5, "count"),
        ("{\"a\":1} x\n", 8, ".a"),
        ("  {\"a\":1}\n", 2, "map(.a | ascii_upcase)"),
        ("  {\"a\":1}\n", 2, "filter(.a | test(\"é\")) | count"),
        ("[1]\n", 0, "take(100) | .a"),
    ] {
        let text = format!("{good}{bad}{good}");
        let (_, ended) = over(program, &text, Invalid::Fail);
        let place = ended.expect_err(program).place().cloned().expect("a place");
        assert_eq!(place.offset, Some(start + at), "{program}");
        assert_eq!(over(program, &text, Invalid::Skip).1.expect(program), 1);
    }
}
