//! Groups and aggregates beside a naive evaluator, and in small by hand.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::tests::{Options, run_over, run_within};
use super::{InputFormat, Program};
use crate::record::Invalid;

fn options(input: InputFormat, blocksize: usize, threads: usize) -> Options {
    Options { input, invalid: Invalid::Fail, blocksize, threads }
}

/// What a program prints of records of JSON.
fn printed(program: &str, text: &str) -> String {
    let (printed, ended) = run_over(program, text, &options(InputFormat::JSONL, 16, 2));
    ended.unwrap_or_else(|error| panic!("{program}: {error}"));
    printed
}

const REQUESTS: &str = r#"{"uri":"/a","status":200,"rt":1.5}
{"uri":"/b","status":500,"rt":0.5}
{"uri":"/a","status":503,"rt":2.5}
{"uri":null,"status":200}
{"uri":"/a","status":200}
{"status":404,"rt":4}
"#;

#[test]
fn a_row_has_the_key_under_its_own_name_and_each_aggregate_under_its_label() {
    let program =
        "groupby(.uri; {n: count, err: count(.status >= 500), mean: mean(.rt), p99: p99(.rt)})";
    assert_eq!(
        printed(program, REQUESTS),
        r#"{"uri":null,"n":2,"err":0,"mean":4,"p99":4}
{"uri":"/a","n":3,"err":1,"mean":2,"p99":2.5}
{"uri":"/b","n":1,"err":1,"mean":0.5,"p99":0.5}
"#
    );
}

#[test]
fn one_aggregate_of_groups_gives_pairs_and_of_all_a_value() {
    for (program, expected) in [
        ("groupby(.uri; count)", "[null,2]\n[\"/a\",3]\n[\"/b\",1]\n"),
        ("groupby(.status >= 500; max(.rt))", "[false,4]\n[true,2.5]\n"),
        ("map(.status) | groupby(length; count)", "[200,3]\n[404,1]\n[500,1]\n[503,1]\n"),
        ("agg({n: count, s: sum(.rt)})", "{\"n\":6,\"s\":8.5}\n"),
        ("agg(count(.rt))", "4\n"),
        ("mean(.rt)", "2.125\n"),
        ("map(.rt) | mean", "2.125\n"),
        ("nunique(.uri)", "3\n"),
        ("first(.uri)", "\"/a\"\n"),
        ("last(.status)", "404\n"),
        ("any(.status == 404)", "true\n"),
        ("all(.status == 404)", "false\n"),
        ("min_by(.status) | map(.rt)", "1.5\n"),
        (
            "groupby(.uri; list(.status))",
            "[null,[200,404]]\n[\"/a\",[200,503,200]]\n[\"/b\",[500]]\n",
        ),
        ("groupby(.uri; topk(1; .status)) | map(.[1]) | flatten | map(.status) | sum", "1407\n"),
        ("groupby(.uri; {n: count}) | filter(.n > 1) | map(.n) | sum", "5\n"),
        ("quantile(0.5; .status)", "200\n"),
        ("map(.status) | bottomk(4) | take(2)", "200\n200\n"),
        ("map(.status) | bottomk(4) | count", "4\n"),
        ("map(.status) | bottomk(5) | topk(2)", "500\n404\n"),
        ("map(.uri) | bottomk(2)", "null\nnull\n"),
        ("groupby(.uri; count) | topk(1)", "[\"/a\",3]\n"),
        ("groupby(.status; count) | topk(3)", "[200,3]\n[404,1]\n[500,1]\n"),
        ("groupby(.status; count) | filter(.[1] < 3) | bottomk(2)", "[404,1]\n[500,1]\n"),
        ("groupby(.uri; {n: count}) | topk(1; .n)", "{\"uri\":\"/a\",\"n\":3}\n"),
        ("frequencies(.uri) | bottomk(1)", "[\"/b\",1]\n"),
        ("topk(1; .rt)", "{\"status\":404,\"rt\":4}\n"),
        ("topk(2; .rt) | map(.rt) | sum", "6.5\n"),
        ("topk(2; .rt) | topk(1) | map(.status)", "503\n"),
        ("bottomk(2; .status) | count", "2\n"),
        ("filter(.status > 999) | mean(.rt)", "null\n"),
        ("filter(.status > 999) | groupby(.uri; count)", ""),
    ] {
        assert_eq!(printed(program, REQUESTS), expected, "{program}");
    }
    let (words, _) = run_over(
        "words | groupby(length; {n: count, top: max})",
        "b aa c aa a",
        &options(InputFormat::TEXT, 4, 2),
    );
    assert_eq!(words, "{\"key\":1,\"n\":3,\"top\":\"c\"}\n{\"key\":2,\"n\":2,\"top\":\"aa\"}\n");
}

#[test]
fn values_that_are_compared_are_printed_as_they_were_written() {
    let text = "{\"z\":1.50,\"a\":1e2}\n{\"z\":1.5,\"a\":7}\n{\"z\":0.10,\"a\":2.0}\n";
    for (program, expected) in [
        ("max", "{\"z\":1.50,\"a\":1e2}\n"),
        ("min", "{\"z\":0.10,\"a\":2.0}\n"),
        ("topk(1)", "{\"z\":1.50,\"a\":1e2}\n"),
        ("bottomk(2)", "{\"z\":0.10,\"a\":2.0}\n{\"z\":1.5,\"a\":7}\n"),
        ("topk(1; .a)", "{\"z\":1.50,\"a\":1e2}\n"),
        ("map(.a) | max", "1e2\n"),
        ("min(.z)", "0.10\n"),
        // Of equal values the one that is written first in the order of texts.
        ("max(.z)", "1.5\n"),
        ("map(.z) | topk(2)", "1.5\n1.50\n"),
        ("groupby(.z > 1; max(.a))", "[false,2.0]\n[true,1e2]\n"),
        (
            "agg({least: min(.a), all: topk(2; .z)})",
            "{\"least\":2.0,\"all\":[{\"z\":1.5,\"a\":7},{\"z\":1.50,\"a\":1e2}]}\n",
        ),
    ] {
        assert_eq!(printed(program, text), expected, "{program}");
    }
}

#[test]
fn a_sample_is_the_same_however_the_input_is_read() {
    let text: String =
        (0..300).map(|n| format!("{{\"n\":{},\"k\":{}}}\n", n % 50, n % 3)).collect();
    let programs = [
        "sample(5)",
        "sample(5; 1)",
        "map(.n) | sample(20; 9) | sum",
        "agg({some: sample(3; 1), n: count})",
        "groupby(.k; sample(2; 4; .n))",
        "(sample(4) | map(.n)), count",
    ];
    let mut all = Vec::new();
    for program in programs {
        let expected = run_over(program, &text, &options(InputFormat::JSONL, 1 << 20, 1)).0;
        for (blocksize, threads) in [(1, 3), (100, 2), (4096, 4)] {
            let (printed, ended) =
                run_over(program, &text, &options(InputFormat::JSONL, blocksize, threads));
            assert!(ended.is_ok());
            assert_eq!(printed, expected, "{program}");
        }
        all.push(expected);
    }
    assert_eq!((all[0].lines().count(), all[1].lines().count()), (5, 5));
    assert_ne!(all[0], all[1], "of two seeds");
    // All records, if there are fewer; and of equal ones each is drawn by itself.
    assert_eq!(printed("sample(9) | count", REQUESTS), "6\n");
    let ones = "1\n".repeat(40);
    assert_eq!(printed("sample(7) | count", &ones), "7\n");
}

#[test]
fn a_record_that_cannot_be_evaluated_fails_the_run_or_is_left_out_of_all_aggregates() {
    let text = "{\"a\":{\"b\":1},\"c\":5}\n{\"a\":7,\"c\":6}\n{\"a\":{\"b\":1},\"c\":7}\n";
    let program = "groupby(.a.b; {n: count, c: sum(.c)})";
    let (printed, ended) = run_over(program, text, &options(InputFormat::JSONL, 8, 2));
    assert_eq!(printed, "");
    let error = ended.expect_err("a number has no fields").to_string();
    assert!(error.contains("byte 20"), "{error}");
    let skips = Options { invalid: Invalid::Skip, ..options(InputFormat::JSONL, 8, 2) };
    let (printed, ended) = run_over(program, text, &skips);
    assert_eq!((printed.as_str(), ended.ok()), ("{\"b\":1,\"n\":2,\"c\":12}\n", Some(1)));
}

#[test]
fn a_value_that_is_no_number_is_an_error_of_its_record_in_each_aggregate_of_numbers() {
    let text = "{\"a\":1}\n{\"a\":null}\n{\"b\":2}\n{\"a\":\"1.5\"}\n{\"a\":3}\n";
    for program in ["mean(.a)", "agg({s: sum(.a), n: count})", "groupby(.b; p99(.a))", "sum(.a)"] {
        let (_, ended) = run_over(program, text, &options(InputFormat::JSONL, 8, 2));
        let error = ended.expect_err("a text is no number").to_string();
        assert!(error.contains("byte 27") && error.contains("a number is needed"), "{error}");
    }
    let skips = Options { invalid: Invalid::Skip, ..options(InputFormat::JSONL, 8, 2) };
    let (printed, ended) = run_over("agg({s: sum(.a), n: count})", text, &skips);
    assert_eq!((printed.as_str(), ended.ok()), ("{\"s\":4,\"n\":4}\n", Some(1)));
}

#[test]
fn a_fault_of_a_grouping_points_at_its_place_and_says_what_to_write() {
    for (program, place, says) in [
        ("groupby(.a)", ".a", "write groupby(f; r)"),
        ("groupby(.a; .b)", ".b", "such as count"),
        ("groupby(.a; {n: cuont})", "cuont", "did you mean `count`?"),
        ("groupby(.a; {n: count, n: count})", "count", "another name"),
        ("groupby(.a; {a: count})", "count", "another name"),
        ("groupby(.a; quantile(2; .b))", "quantile", "from 0 to 1"),
        ("groupby(.a; mean(.a; .b))", "mean", "write mean, mean(f)"),
        ("groupby(.a; min_by)", "min_by", "write min_by(f)"),
        ("groupby(.a; {n: count}) | topk(3)", "topk", "topk(3; .n)"),
        ("groupby(.a; {n: count}) | filter(.n > 1) | bottomk(3)", "bottomk", "bottomk(3; .n)"),
        ("groupby(.a; {n: length})", "length", "`length` is no aggregate"),
        ("groupby(.a; sort)", "sort", "`sort` is no aggregate"),
        ("map(.a) | words | mean", "mean", "needs numbers"),
        ("agg(sample)", "sample", "write sample(n)"),
        ("map({a: .b})", "{a: .b}", "an object"),
    ] {
        let fault = Program::compile(program, InputFormat::JSONL).expect_err(program);
        let message = format!("{} / {}", fault.message, fault.hint.unwrap_or_default());
        assert!(message.contains(says), "{program}: {message}");
        if !place.starts_with('{') {
            assert_eq!(&program[fault.span], place, "{program}: {message}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn groups_are_what_a_naive_evaluator_makes_whatever_the_blocks_and_threads(
        records in prop::collection::vec(("[a-d]{0,2}", -50..50_i64), 0..60),
        blocksize in 1..80_usize,
        threads in 1..4_usize,
    ) {
        let mut groups: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        let mut text = String::new();
        for (key, n) in &records {
            groups.entry(key).or_default().push(*n);
            text.push_str(&format!("{{\"k\":\"{key}\",\"n\":{n}}}\n"));
        }
        let expected: String = groups.iter().map(|(key, values)| {
            let (count, sum) = (values.len(), values.iter().sum::<i64>());
            let (least, most) = (values.iter().min().unwrap(), values.iter().max().unwrap());
            let negative = values.iter().filter(|n| **n < 0).count();
            let (first, all) = (values[0], serde_json::to_string(values).unwrap());
            format!(
                "{{\"k\":\"{key}\",\"n\":{count},\"s\":{sum},\"least\":{least},\"most\":{most},\
                 \"neg\":{negative},\"first\":{first},\"all\":{all}}}\n"
            )
        }).collect();
        let unordered = "n: count, s: sum(.n), least: min(.n), most: max(.n), neg: count(.n < 0)";
        let program = format!("groupby(.k; {{{unordered}, first: first(.n), all: list(.n)}})");
        let run = |program: &str| {
            let (printed, ended) = run_over(program, &text, &options(InputFormat::JSONL, blocksize, threads));
            ended.unwrap_or_else(|error| panic!("{program}: {error}"));
            printed
        };
        prop_assert_eq!(run(&program), expected.as_str());
        let fewer = run(&format!("groupby(.k; {{{unordered}}})"));
        let cut = expected.lines().map(|row| row.split(",\"first\"").next().unwrap());
        let cut: String = cut.map(|row| format!("{row}}}\n")).collect();
        prop_assert_eq!(fewer, cut);
    }
}

#[test]
fn groups_over_the_budget_spill_and_are_restored_in_order() {
    let records = (0..3000_u32).map(|n| {
        let (key, m) = (n * 7919 % 911, n % 13);
        format!("{{\"k\":\"{key:x}\",\"n\":{key},\"m\":{m}}}\n")
    });
    let text: String = records.collect();
    for program in [
        "groupby(.k; count)",
        "groupby(.n; {c: count, sum: sum(.m), top: topk(2; .m), p50: p50(.m)})",
        "map(.n) | groupby(length; frequencies)",
        "groupby(.k; {all: nunique(.m)}) | count(.all > 2)",
        "groupby(.k; mean(.m)), (frequencies(.k) | topk(3)), count, sum(.m)",
        "groupby(.k; {all: list(.m), first: first(.m), last: last(.n)})",
        "groupby(.n; list(.k)), frequencies(.k), sort(.m)",
    ] {
        let expected = printed(program, &text);
        for (limit, threads) in [(10_000, 1), (10_000, 3), (60_000, 2), (1 << 20, 2)] {
            let options = options(InputFormat::JSONL, 4096, threads);
            let (printed, ended) = run_within(Some(limit), program, &text, &options);
            ended.unwrap_or_else(|error| panic!("{program} in {limit}: {error}"));
            assert!(printed == expected, "{program} in {limit} on {threads}");
        }
    }
    let options = options(InputFormat::JSONL, 4096, 2);
    let (_, ended) = run_within(Some(10_000), "groupby(.k; sample(2; .m))", &text, &options);
    let error = ended.expect_err("records are drawn by their numbers").to_string();
    assert!(error.contains("groupby does not fit"), "{error}");
}

#[test]
fn distinct_values_alone_are_counted_as_in_a_row() {
    let values = [
        "1",
        "1.0",
        "10e-1",
        "-0",
        "0.0",
        "9007199254740993",
        "9007199254740992.0",
        "1e400",
        "null",
        "true",
        "\"1\"",
        "\"a\"",
        "\"\\u0061\"",
        "[1, {\"a\":1,\"b\":2}]",
        "[1.0,{\"b\":2,\"a\":1}]",
    ];
    let text: String = values.iter().map(|value| format!("{{\"k\":{value}}}\n")).collect();
    let text = format!("{text}{{}}\n");
    for of in [".k", ".k == 1", ".k | type"] {
        let Ok(_) = Program::compile(&format!("nunique({of})"), InputFormat::JSONL) else {
            continue;
        };
        let expected = printed(&format!("agg({{n: nunique({of})}}) | map(.n)"), &text);
        for alone in [format!("nunique({of})"), format!("agg(nunique({of}))")] {
            assert_eq!(printed(&alone, &text), expected, "{alone}");
        }
    }
}
