//! Several results of one pass, beside a run for each.

use proptest::prelude::*;

use super::tests::{Options, run_over, run_within};
use super::{InputFormat, Program};
use crate::record::Invalid;

fn options(input: InputFormat, blocksize: usize, threads: usize) -> Options {
    Options { input, invalid: Invalid::Fail, blocksize, threads }
}

/// What a program prints of a text.
fn printed(limit: Option<u64>, program: &str, text: &str, options: &Options) -> String {
    let (printed, ended) = run_within(limit, program, text, options);
    ended.unwrap_or_else(|error| panic!("{program}: {error}"));
    printed
}

const OF_WORDS: &[&str] = &[
    "count",
    "frequencies",
    "(frequencies | topk(2))",
    "(frequencies | count)",
    "(map(length) | sum)",
    "(filter(length > 1) | count)",
    "(map(length) | frequencies | filter(.[1] > 1) | map(.[0]))",
    "topk(3)",
    "min",
    "groupby(length; {n: count, first: first})",
    "(frequencies | map(.[1]) | (sum, max), count)",
    "(count, max)",
    "take(3)",
    "(take(2) | frequencies)",
    "(filter(length > 1) | take(2) | map(length))",
    "(take(4) | take(1) | count)",
    "(take(2), (take(0) | count))",
    "(frequencies | topk(1), count)",
    "sample(2; 7)",
];

const OF_JSON: &[&str] = &[
    "count",
    "count(.n > 0)",
    "sum(.n)",
    "(filter(.n > 0) | map(.k) | frequencies)",
    "(map(.k) | words | count)",
    "groupby(.k; mean(.n))",
    "(.k | length | max)",
    "(map(.k) | take(2))",
    "(filter(.n > 0) | take(3) | sum(.n))",
    "agg(sample(2))",
    "topk(2; .n)",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn several_results_are_what_runs_for_each_print(
        lines in prop::collection::vec(("[ab\u{e9} ]{0,6}", -3..9_i64), 0..30),
        picks in prop::collection::vec(0..100_usize, 2..5),
        blocksize in 1..64_usize,
        threads in 1..4_usize,
        limit in prop_oneof![Just(None), Just(Some(20_000)), Just(Some(1 << 20))],
    ) {
        let text: String = lines.iter().map(|(line, _)| format!("{line}\n")).collect();
        let json: String =
            lines.iter().map(|(k, n)| format!("{{\"k\":\"{k}\",\"n\":{n}}}\n")).collect();
        for (input, text, before, chains) in [
            (InputFormat::TEXT, &text, "words | ", OF_WORDS),
            (InputFormat::TEXT, &text, "words | take(5) | ", OF_WORDS),
            (InputFormat::JSONL, &json, "", OF_JSON),
            (InputFormat::JSONL, &json, "filter(.n != 1) | ", OF_JSON),
        ] {
            let options = options(input, blocksize, threads);
            let chains: Vec<&str> = picks.iter().map(|pick| chains[pick % chains.len()]).collect();
            let program = format!("{before}{}", chains.join(", "));
            let together = printed(limit, &program, text, &options);
            let apart: String = chains
                .iter()
                .map(|chain| printed(None, &format!("{before}{chain}"), text, &options))
                .collect();
            prop_assert_eq!(together, apart, "{}", program);
        }
    }
}

#[test]
fn several_results_of_a_phase_are_of_its_rows() {
    let program = "words | frequencies | filter(.[1] > 1) | count, (map(.[0]) | max)";
    let text = "b a b c a";
    assert_eq!(printed(None, program, text, &options(InputFormat::TEXT, 4, 2)), "2\n\"b\"\n");
}

#[test]
fn rows_of_several_results_are_records_of_the_stages_behind_them() {
    let text = "b a b c a";
    for (program, expected) in [
        ("words | frequencies, count | count", "4\n"),
        ("words | (frequencies | map(.[1])), count | sum", "10\n"),
        ("words | min, max | take(1)", "\"a\"\n"),
        ("words | min, max | bottomk(1), topk(1)", "\"a\"\n\"c\"\n"),
        ("words | frequencies | (topk(2)), (map(.[1]) | sum)", "[\"a\",2]\n[\"b\",2]\n5\n"),
    ] {
        for (blocksize, threads) in [(4, 2), (64, 1)] {
            let options = options(InputFormat::TEXT, blocksize, threads);
            assert_eq!(printed(None, program, text, &options), expected, "{program}");
        }
    }
}

#[test]
fn a_take_in_one_result_ends_neither_the_others_nor_hides_their_faults() {
    let text = "{\"a\":1}\n{\"a\":2}\n{\"a\":\"x\"}\n{\"a\":4}\n";
    for blocksize in [4, 64] {
        let options = options(InputFormat::JSONL, blocksize, 2);
        let taken = printed(None, "(take(2) | sum(.a)), count", text, &options);
        assert_eq!(taken, "3\n4\n");
        let (_, ended) = run_over("(take(1) | map(.a)), sum(.a)", text, &options);
        let error = ended.expect_err("a text is no number").to_string();
        assert!(error.contains("a number is needed"), "{error}");
        let skips = Options { invalid: Invalid::Skip, ..options };
        let (printed, ended) = run_over("sum(.a), (map(.a) | take(3))", text, &skips);
        assert_eq!((printed.as_str(), ended.ok()), ("7\n1\n2\n\"x\"\n", Some(1)));
    }
}

#[test]
fn counts_that_do_not_fit_are_spilled_beside_other_results() {
    let text: String = (0..4000_u32).map(|n| format!("{}\n", n % 900)).collect();
    for program in
        ["words | frequencies, count", "words | (frequencies | topk(5)), (map(length) | sum)"]
    {
        let expected = printed(None, program, &text, &options(InputFormat::TEXT, 4096, 1));
        for threads in [1, 3] {
            let options = options(InputFormat::TEXT, 4096, threads);
            assert!(printed(Some(10_000), program, &text, &options) == expected, "{program}");
        }
    }
}

#[test]
fn the_first_bad_record_of_any_result_is_told() {
    let text = "{\"a\":1}\n{\"a\":\"x\"}\n{\"a\":[]}\n";
    let options = options(InputFormat::JSONL, 1000, 1);
    for program in ["(map(.a) | flatten | count), sum(.a)", "sum(.a), (map(.a) | flatten | count)"]
    {
        let (printed, ended) = run_over(program, text, &options);
        assert_eq!(printed, "");
        let error = ended.expect_err("a number has no members").to_string();
        assert!(error.contains("byte 0"), "{error}");
    }
}

#[test]
fn a_bad_record_is_left_out_of_the_results_that_cannot_use_it_and_told_once() {
    let text = "{\"a\":\"x\"}\n{\"a\":3}\n{\"a\":null}\n{\"a\":[1]}\nno JSON\n{\"a\":5}\n";
    for (program, expected, skipped) in [
        // Two records are no numbers, and one is no JSON, which no result has.
        ("count, sum(.a), mean(.a)", "5\n8\n4\n", 3),
        ("sum(.a), count, (count, sum(.a))", "8\n5\n5\n8\n", 3),
        // A stage that stands before them drops records for all.
        ("map(.a) | flatten | count, sum", "1\n1\n", 5),
        // Other records for each: the text and the list, and all but the list.
        ("sum(.a), (map(.a) | flatten | count)", "8\n1\n", 6),
        ("agg({c: count, s: sum(.a)})", "{\"c\":3,\"s\":8}\n", 3),
    ] {
        for (blocksize, threads) in [(4, 2), (1000, 1)] {
            let options = options(InputFormat::JSONL, blocksize, threads);
            let options = Options { invalid: Invalid::Skip, ..options };
            let (printed, ended) = run_over(program, text, &options);
            assert_eq!((printed.as_str(), ended.ok()), (expected, Some(skipped)), "{program}");
        }
    }
}

#[test]
fn a_fault_of_several_results_says_what_to_write() {
    for (program, place, says) in [
        ("words, count", "words", "such as count"),
        ("(words | filter(length > 1)), count", "words | filter(length > 1)", "such as count"),
        ("(split(\" \") | take(3)), count", "split(\" \") | take(3)", "such as"),
        ("map(.a, .b)", ".a, .b", "more than one value"),
    ] {
        let fault = Program::compile(program, InputFormat::TEXT).expect_err(program);
        let message = format!("{} / {}", fault.message, fault.hint.clone().unwrap_or_default());
        assert!(message.contains(says), "{program}: {message}");
        assert_eq!(&program[fault.span], place, "{program}: {message}");
    }
}

#[test]
fn any_number_of_results_is_compiled() {
    let program = vec!["count"; 3000].join(", ");
    assert!(Program::compile(&program, InputFormat::TEXT).is_ok());
}
