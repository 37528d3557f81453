//! Phases beside separate runs, of which each reads what the one before has printed.

use proptest::prelude::*;

use super::InputFormat;
use super::tests::{Options, run_over};
use crate::record::Invalid;

fn options(input: InputFormat, blocksize: usize, threads: usize) -> Options {
    Options { input, invalid: Invalid::Fail, blocksize, threads }
}

/// What a program prints of a text.
fn printed(program: &str, text: &str, options: &Options) -> String {
    let (printed, ended) = run_over(program, text, options);
    ended.unwrap_or_else(|error| panic!("{program}: {error}"));
    printed
}

/// A reduction, and what may follow its rows.
const REDUCTIONS: &[(&str, &[&str])] = &[
    (
        "words | frequencies",
        &[
            "filter(.[1] > 1)",
            "map(.[0]) | frequencies",
            "map(.[1]) | frequencies",
            ".[0] | split(\"a\") | flatten | filter(length > 0) | frequencies",
            "count(.[1] == 1)",
            "map(.[1]) | sum",
            "map(.[0]) | topk(3)",
            "filter(.[1] > 1) | take(2) | map(.[0])",
        ],
    ),
    (
        "words | topk(5)",
        &["frequencies", "ascii_upcase | count", "filter(length > 1)", "map(length)"],
    ),
    ("words | map(length) | topk(5)", &["sum", "filter(. > 1)", "frequencies"]),
    ("words | frequencies | topk(3)", &["map(.[1]) | max", "filter(.[1] > 1)"]),
    ("words | frequencies | take(3)", &["map(.[0])"]),
    ("words | frequencies | count", &["map(. == 2)", "sum"]),
    ("words | map(length) | sum", &["filter(. > 5)"]),
    ("words | min", &["filter(. == \"a\")", "frequencies"]),
    ("words | take(4) | frequencies", &["map(.[1]) | sum"]),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_phase_reads_the_rows_that_a_run_of_its_own_would_print(
        words in prop::collection::vec("[abé]{1,3}", 0..40),
        reduction in 0..REDUCTIONS.len(),
        blocksize in 1..64_usize,
        threads in 1..4_usize,
    ) {
        let text = words.join(if words.len() % 2 == 0 { " " } else { "\n" });
        let (first, rest) = REDUCTIONS[reduction];
        let rows = printed(first, &text, &options(InputFormat::TEXT, blocksize, threads));
        for next in rest {
            let whole = format!("{first} | {next}");
            let together = printed(&whole, &text, &options(InputFormat::TEXT, blocksize, threads));
            let apart = printed(next, &rows, &options(InputFormat::JSONL, 1 << 20, 1));
            prop_assert_eq!(together, apart, "{}", whole);
        }
    }
}

#[test]
fn reductions_follow_reductions_any_number_of_times() {
    let text = "a/b a/c a/b d/b a/b d/b e/f";
    let program = "words | frequencies | filter(.[1] > 1) | map(.[0]) | split(\"/\") | flatten \
                   | frequencies | topk(1) | map(.[0]) | frequencies | map(.[1]) | sum";
    assert_eq!(printed(program, text, &options(InputFormat::TEXT, 4, 2)), "1\n");
    let pairs =
        "words | frequencies | filter(.[1] > 1) | map(.[0]) | split(\"/\") | flatten | frequencies";
    assert_eq!(
        printed(pairs, text, &options(InputFormat::TEXT, 4, 2)),
        "[\"b\",2]\n[\"a\",1]\n[\"d\",1]\n"
    );
}

#[test]
fn topk_of_pairs_that_were_filtered_ranks_by_the_count() {
    let text = "z z z y y y y x x w v v";
    let program = "words | frequencies | filter(.[1] < 4) | topk(2)";
    assert_eq!(printed(program, text, &options(InputFormat::TEXT, 4, 2)), "[\"z\",3]\n[\"v\",2]\n");
    // Once the pairs are mapped, it ranks values as everywhere.
    let values = "words | frequencies | map(.[0]) | topk(2)";
    assert_eq!(printed(values, text, &options(InputFormat::TEXT, 4, 2)), "\"z\"\n\"y\"\n");
}

#[test]
fn a_single_result_is_one_record_of_what_follows() {
    let text = "b a b\nc a\nb\n";
    for (program, expected) in [
        ("words | count | count", "1\n"),
        ("words | count | topk(3)", "6\n"),
        ("words | count | take(0)", ""),
        ("words | frequencies | count | count", "1\n"),
        ("words | frequencies | count | take(1)", "3\n"),
        ("words | frequencies | filter(.[1] > 2) | max | topk(3)", "[\"b\",3]\n"),
        ("words | sort | count | topk(2)", "6\n"),
        ("words | nunique | count", "1\n"),
        // A list is one value, whose members are records once it is flattened.
        ("words | list | count", "1\n"),
        ("words | list | flatten | count", "6\n"),
        ("words | list | topk(2)", "[\"b\",\"a\",\"b\",\"c\",\"a\",\"b\"]\n"),
        ("words | agg(topk(2)) | count", "1\n"),
        ("words | agg(topk(2)) | flatten | count", "2\n"),
        ("words | agg(frequencies) | flatten | topk(1)", "[\"c\",1]\n"),
        ("words | (list | count), (topk(2) | count), count", "1\n2\n6\n"),
        // Rows are records, each of them one.
        ("words | topk(2) | count", "2\n"),
        ("words | agg({n: count, all: list}) | count", "1\n"),
    ] {
        assert_eq!(
            printed(program, text, &options(InputFormat::TEXT, 4, 2)),
            expected,
            "{program}"
        );
    }
}

#[test]
fn a_row_that_a_phase_cannot_evaluate_is_named_or_left_out() {
    let strict = options(InputFormat::TEXT, 4, 2);
    let (printed, ended) = run_over("words | frequencies | words", "b a b", &strict);
    assert_eq!(printed, "");
    let error = ended.expect_err("pairs are no text").to_string();
    assert!(error.contains("rows of the program (partition 0, byte 0)"), "{error}");
    let skips = Options { invalid: Invalid::Skip, ..strict };
    let (printed, ended) = run_over("words | frequencies | words", "b a b", &skips);
    assert_eq!((printed.as_str(), ended.ok()), ("", Some(2)));
}
