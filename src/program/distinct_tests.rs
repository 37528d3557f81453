//! First records beside a model that reads records one after another.

use std::collections::HashSet;

use proptest::prelude::*;

use super::InputFormat;
use super::tests::{Options, run_over, run_within};
use crate::record::Invalid;

fn options(input: InputFormat, blocksize: usize, threads: usize) -> Options {
    Options { input, invalid: Invalid::Fail, blocksize, threads }
}

fn printed(program: &str, text: &str, input: InputFormat) -> String {
    let (printed, ended) = run_over(program, text, &options(input, 16, 2));
    ended.unwrap_or_else(|error| panic!("{program}: {error}"));
    printed
}

#[test]
fn the_first_of_equal_records_stands_where_it_stood_in_the_input() {
    let text = "b\naa\nb\nc\naa\nbb\n";
    for (program, expected) in [
        ("distinct", "\"b\"\n\"aa\"\n\"c\"\n\"bb\"\n"),
        ("distinct(length)", "\"b\"\n\"aa\"\n"),
        ("map(length) | distinct", "1\n2\n"),
        ("map(startswith(\"b\")) | distinct", "true\nfalse\n"),
        ("split(\"a\") | distinct", "[\"b\"]\n[\"\",\"\",\"\"]\n[\"c\"]\n[\"bb\"]\n"),
        ("distinct | count", "4\n"),
        ("distinct | take(2)", "\"b\"\n\"aa\"\n"),
        ("distinct | take(0)", ""),
        ("distinct | take(9) | count", "4\n"),
        ("distinct | map(length) | sum", "6\n"),
        ("distinct | map(length) | distinct", "1\n2\n"),
        ("distinct | topk(1)", "\"c\"\n"),
        ("take(3) | distinct", "\"b\"\n\"aa\"\n"),
        ("(distinct | count), count, (distinct(length) | take(1))", "4\n6\n\"b\"\n"),
        ("filter(length > 2) | distinct", ""),
        ("filter(length > 2) | distinct | count", "0\n"),
    ] {
        assert_eq!(printed(program, text, InputFormat::TEXT), expected, "{program}");
    }
}

#[test]
fn values_of_json_are_equal_as_in_jq_and_printed_as_they_were_written() {
    let text = "{\"k\":1.0,\"n\":\"a\"}\n{\"k\":1,\"n\":\"\\u0061\"}\n{\"n\":\"a\",\"k\":1e0}\n{\"n\":\"b\"}\n{\"k\":null,\"n\":\"c\"}\n";
    for (program, expected) in [
        ("distinct", "{\"k\":1.0,\"n\":\"a\"}\n{\"n\":\"b\"}\n{\"k\":null,\"n\":\"c\"}\n"),
        ("distinct(.k)", "{\"k\":1.0,\"n\":\"a\"}\n{\"n\":\"b\"}\n"),
        ("map(.k) | distinct", "1.0\nnull\n"),
        ("distinct(.n) | map(.k)", "1.0\nnull\nnull\n"),
        ("map(.n) | distinct | count", "3\n"),
        ("distinct(.n) | count", "3\n"),
    ] {
        assert_eq!(printed(program, text, InputFormat::JSONL), expected, "{program}");
    }
}

#[test]
fn a_record_without_a_key_fails_the_run_or_is_left_out() {
    let text = "{\"k\":\"a\"}\n7\n{\"k\":\"b\"}\n{\"k\":\"a\"}\n";
    let mut options = options(InputFormat::JSONL, 16, 2);
    let (_, ended) = run_over("distinct(.k)", text, &options);
    assert!(ended.is_err());
    options.invalid = Invalid::Skip;
    let (rows, ended) = run_over("distinct(.k)", text, &options);
    assert_eq!((rows.as_str(), ended.unwrap()), ("{\"k\":\"a\"}\n{\"k\":\"b\"}\n", 1));
}

/// Lines of which many, half or none are one line, or all are; or a few very long ones.
fn lines() -> impl Strategy<Value = Vec<String>> {
    let few = prop::collection::vec("[abé]{0,2}", 0..120);
    let heavy = |percent: u32| {
        prop::collection::vec((0..100_u32, 0..5_000_u32), 0..400).prop_map(move |draws| {
            let line = |(draw, n): (u32, u32)| match draw < percent {
                true => "the line of most records".to_owned(),
                false => format!("line {n}"),
            };
            draws.into_iter().map(line).collect()
        })
    };
    let all_distinct = (0..500_usize)
        .prop_map(|lines| (0..lines).map(|n| format!("{}", n * 7919 % 1009)).collect());
    let long = prop::collection::vec(0..4_usize, 0..12)
        .prop_map(|lines| lines.into_iter().map(|n| format!("{n}").repeat(9_000)).collect());
    prop_oneof![few, heavy(10), heavy(50), heavy(100), all_distinct, long]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn first_records_are_the_same_for_any_blocks_threads_and_memory(
        lines in lines(),
        blocksize in 1..200_usize,
        threads in 1..4_usize,
        limit in prop::sample::select(vec![None, Some(0_u64), Some(300), Some(20_000), Some(1 << 20)]),
    ) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let mut seen = HashSet::new();
        let first: Vec<&String> = lines.iter().filter(|line| seen.insert(*line)).collect();
        let mut lengths = HashSet::new();
        let by_length = lines.iter().filter(|line| lengths.insert(line.chars().count()));
        let rows = |lines: &mut dyn Iterator<Item = &String>| -> String {
            lines.map(|line| format!("{}\n", serde_json::to_string(line).unwrap())).collect()
        };
        let options = options(InputFormat::TEXT, blocksize, threads);
        for (program, expected) in [
            ("distinct", rows(&mut first.iter().copied())),
            ("distinct(length)", rows(&mut by_length.into_iter())),
            ("distinct | count", format!("{}\n", first.len())),
            ("distinct | take(3)", rows(&mut first.iter().copied().take(3))),
            ("distinct | take(20000)", rows(&mut first.iter().copied())),
        ] {
            let (printed, ended) = run_within(limit, program, &text, &options);
            ended.unwrap();
            prop_assert!(printed == expected, "{}: {} {}", program, printed, expected);
        }
    }
}

#[test]
fn first_records_over_the_budget_are_spilled_and_come_back_in_order() {
    let long = "key ".repeat(1 << 18);
    let text: String = (0..12).map(|n| format!("{long}{}\n", n % 5)).collect();
    let expected: String = (0..5).map(|n| format!("\"{long}{n}\"\n")).collect();
    for limit in [0, 1 << 20, 3 << 20, 64 << 20] {
        let options = options(InputFormat::TEXT, 1 << 20, 2);
        let (printed, ended) = run_within(Some(limit), "distinct", &text, &options);
        ended.unwrap();
        assert!(printed == expected, "{limit}");
    }
}
