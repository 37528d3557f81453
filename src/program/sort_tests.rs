//! Sorts of any records, in blocks, threads and memory of any size, beside the stable sort of the standard
//! library.

use std::cmp::Ordering;

use creel_operators::column::Datum;
use proptest::prelude::*;

use super::tests::{Options, run_over, run_within};
use super::{InputFormat, Program};
use crate::record::Invalid;

/// The order of two records.
type Order = fn(&str, &str) -> Ordering;

fn length(text: &str) -> usize {
    text.chars().count()
}

/// Sorts of texts, with the order that they give.
const OF_TEXTS: &[(&str, Order)] = &[
    ("sort", |a, b| a.cmp(b)),
    ("sort(.)", |a, b| a.cmp(b)),
    ("sort(.; desc)", |a, b| b.cmp(a)),
    ("sort(length)", |a, b| length(a).cmp(&length(b))),
    ("sort(length; desc)", |a, b| length(b).cmp(&length(a))),
    ("sort(ascii_downcase)", |a, b| a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase())),
    ("sort(startswith(\"a\"))", |a, b| a.starts_with('a').cmp(&b.starts_with('a'))),
    ("sort(startswith(\"a\"); desc)", |a, b| b.starts_with('a').cmp(&a.starts_with('a'))),
    // Of the largest the sort knows too many for a table; those that are equal are in the order of their texts.
    ("topk(1000000)", |a, b| b.cmp(a)),
    ("bottomk(1000000)", |a, b| a.cmp(b)),
    ("topk(1000000; length)", |a, b| length(b).cmp(&length(a)).then(a.cmp(b))),
    ("bottomk(1000000; length)", |a, b| length(a).cmp(&length(b)).then(a.cmp(b))),
    ("sort(length) | sort(startswith(\"a\"))", |a, b| {
        a.starts_with('a').cmp(&b.starts_with('a')).then(length(a).cmp(&length(b)))
    }),
];

/// Sorts of objects of JSON.
const OF_JSON: &[(&str, Order)] = &[
    ("sort", |a, b| Datum::Json(a).canonical().cmp(&Datum::Json(b).canonical())),
    ("sort(.n)", |a, b| by_field("n", a, b)),
    ("sort(.n; desc)", |a, b| by_field("n", b, a)),
    ("sort(.k)", |a, b| by_field("k", a, b)),
    ("sort(.missing)", |_, _| Ordering::Equal),
    ("topk(1000000; .n)", |a, b| by_field("n", b, a).then_with(|| by_value(a, b))),
    ("bottomk(1000000; .k)", |a, b| by_field("k", a, b).then_with(|| by_value(a, b))),
];

/// The order of records, and of equal ones that of how they are written.
fn by_value(a: &str, b: &str) -> Ordering {
    Datum::Json(a).canonical().cmp(&Datum::Json(b).canonical()).then(a.cmp(b))
}

fn by_field(name: &str, a: &str, b: &str) -> Ordering {
    let field = |json: &str| {
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        value.get(name).unwrap_or(&serde_json::Value::Null).to_string()
    };
    let (a, b) = (field(a), field(b));
    Datum::Json(&a).canonical().cmp(&Datum::Json(&b).canonical())
}

/// What stands behind a sort, with the number of rows that it leaves.
const BEHIND: &[(&str, usize)] =
    &[("", usize::MAX), (" | take(0)", 0), (" | take(3)", 3), (" | take(70000)", 70_000)];

/// What is printed, whatever the blocks, threads and memory are.
fn check(input: InputFormat, lines: &[String], sorts: &[(&str, Order)], size: (usize, usize)) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    for (sort, order) in sorts {
        let mut sorted: Vec<&String> = lines.iter().collect();
        sorted.sort_by(|a, b| order(a, b));
        for (behind, most) in BEHIND {
            let program = format!("{sort}{behind}");
            let row = |line: &&String| match input == InputFormat::TEXT {
                true => serde_json::to_string(line).unwrap() + "\n",
                false => format!("{line}\n"),
            };
            let expected: String = sorted.iter().take(*most).map(row).collect();
            let options =
                Options { input, invalid: Invalid::Fail, blocksize: size.0, threads: size.1 };
            for limit in [None, Some(0), Some(3000)] {
                let (printed, ended) = run_within(limit, &program, &text, &options);
                ended.unwrap();
                assert_eq!(printed, expected, "{program}, {limit:?}");
            }
            let counted = run_over(&format!("{program} | count"), &text, &options).0;
            assert_eq!(counted, format!("{}\n", lines.len().min(*most)), "{program}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn sorted_texts_are_those_of_a_stable_sort(
        lines in prop::collection::vec("[abA é]{0,6}", 0..60),
        blocksize in 1..200_usize,
        threads in 1..4_usize,
    ) {
        check(InputFormat::TEXT, &lines, OF_TEXTS, (blocksize, threads));
    }

    #[test]
    fn sorted_values_are_those_of_a_stable_sort_in_the_order_of_jq(
        values in prop::collection::vec((0..4_u8, -2..3_i64, "[ab]{0,2}"), 0..40),
        blocksize in 1..200_usize,
        threads in 1..4_usize,
    ) {
        let line = |(form, n, k): &(u8, i64, String)| match form {
            0 => format!("{{\"n\":{n},\"k\":\"{k}\"}}"),
            1 => format!("{{\"k\":\"{k}\", \"n\": {n}.0}}"),
            2 => format!("{{\"n\":[{n}]}}"),
            _ => format!("{{\"k\":null,\"n\":\"{k}\"}}"),
        };
        let lines: Vec<String> = values.iter().map(line).collect();
        check(InputFormat::JSONL, &lines, OF_JSON, (blocksize, threads));
    }
}

#[test]
fn a_few_and_many_of_the_largest_are_the_same_records_in_the_same_order() {
    let record = |n: u32| match n % 5 {
        0 => format!("{{\"k\":{},\"n\":{}}}", n % 3, n % 12),
        1 => format!("{{\"n\":{}.0,\"k\":{}}}", n % 12, n % 3),
        2 => format!("{{\"k\":null,\"n\":\"{}\"}}", n % 12),
        3 => format!("{{\"n\":[{}]}}", n % 12),
        _ => format!("{{\"k\":{},\"n\":{}}}", n.is_multiple_of(2), n % 12),
    };
    let objects: String = (0..2500).map(|n| record(n * 7919 % 2500) + "\n").collect();
    let texts: String = (0..2500).map(|n| format!("{} {}\n", n * 7919 % 1700, n % 13)).collect();
    for (input, text, programs) in [
        (
            InputFormat::JSONL,
            &objects,
            &[
                "topk(K)",
                "bottomk(K)",
                "topk(K; .k)",
                "bottomk(K; .k)",
                "topk(K; .n)",
                "map(.n) | topk(K)",
                "map(.k) | bottomk(K)",
                "groupby(.n; count) | topk(K)",
                "frequencies | bottomk(K)",
                "frequencies(.k) | topk(K)",
                "(topk(K; .k) | map(.n)), count",
            ][..],
        ),
        (
            InputFormat::TEXT,
            &texts,
            &[
                "topk(K)",
                "bottomk(K; length)",
                "frequencies | bottomk(K)",
                "map(length) | topk(K)",
                "map(length) | bottomk(K; . > 5)",
                "words | frequencies | bottomk(K)",
                "map(. > \"5\") | topk(K)",
            ][..],
        ),
    ] {
        for program in programs {
            let options = Options { input, invalid: Invalid::Fail, blocksize: 500, threads: 3 };
            let printed = |k: &str| {
                let (printed, ended) = run_over(&program.replace('K', k), text, &options);
                ended.unwrap_or_else(|error| panic!("{program}: {error}"));
                printed.lines().take(900).map(str::to_owned).collect::<Vec<_>>()
            };
            // As many as a table has, and one more, which a sort has.
            assert_eq!(printed("1000"), printed("1001"), "{program}");
        }
    }
}

fn options(input: InputFormat, invalid: Invalid) -> Options {
    Options { input, invalid, blocksize: 20, threads: 2 }
}

#[test]
fn rows_of_a_sort_are_the_records_of_what_follows_and_any_records_are_sorted() {
    let text = "b c\na\nb b\n";
    for (program, expected) in [
        ("sort | map(length)", "1\n3\n3\n"),
        ("words | sort | take(3)", "\"a\"\n\"b\"\n\"b\"\n"),
        ("map(length) | sort(.; desc)", "3\n3\n1\n"),
        ("map(. == \"a\") | sort", "false\nfalse\ntrue\n"),
        ("split(\" \") | sort(length)", "[\"a\"]\n[\"b\",\"c\"]\n[\"b\",\"b\"]\n"),
        ("words | frequencies | sort(.[0])", "[\"a\",1]\n[\"b\",3]\n[\"c\",1]\n"),
        ("take(2) | sort", "\"a\"\n\"b c\"\n"),
        ("(sort | take(1)), count, sort(length)", "\"a\"\n3\n\"a\"\n\"b c\"\n\"b b\"\n"),
        ("sort | filter(length > 1) | take(1)", "\"b b\"\n"),
        ("sort | sort(.; desc) | take(1)", "\"b c\"\n"),
    ] {
        for limit in [None, Some(0)] {
            let options = options(InputFormat::TEXT, Invalid::Fail);
            let (printed, ended) = run_within(limit, program, text, &options);
            ended.unwrap();
            assert_eq!(printed, expected, "{program}");
        }
    }
}

#[test]
fn records_that_cannot_be_sorted_fail_the_run_or_are_left_out() {
    let text = "{\"a\":2}\n[1]\n{\"a\":1}\n";
    let (_, ended) = run_over("sort(.a)", text, &options(InputFormat::JSONL, Invalid::Fail));
    let message = ended.unwrap_err().to_string();
    assert!(message.contains("[1]"), "{message}");
    let (printed, ended) = run_over("sort(.a)", text, &options(InputFormat::JSONL, Invalid::Skip));
    assert_eq!((printed.as_str(), ended.unwrap()), ("{\"a\":1}\n{\"a\":2}\n", 1));
}

#[test]
fn orders_that_there_are_not_are_refused_with_those_that_there_are() {
    let fault = |program| Program::compile(program, InputFormat::TEXT).expect_err("it is none");
    for program in ["sort(.; asc)", "sort(.; 1)", "sort(split(\" \"))", "split(\" \") | sort"] {
        let fault = format!("{:?}", fault(program));
        assert!(fault.contains("sort(f; desc)") || fault.contains("flatten"), "{fault}");
    }
}
