//! Any cut of the input, any number of threads and any memory: the same bytes, of every stage and aggregate.
//!
//! The programs are made of the tables of stages and aggregates, so that a new row is tested as it is added.

use std::fmt::Write;
use std::sync::Arc;

use creel_operators::aggregate::{self, Kind, Needs};
use proptest::prelude::*;

use super::InputFormat;
use super::tests::{Options, run_in, run_within};
use super::verbs;
use crate::Error;
use crate::record::Invalid;
use crate::spill::Budget;

/// How an aggregate is called in these tests: with parameters within their ranges, of `.n` where it takes numbers,
/// and else of `.k`.
fn call(kind: &Kind) -> String {
    let parameters = kind.parameters.iter().filter(|parameter| parameter.default.is_none());
    let parameter =
        |most: f64| if most <= 1.0 { "0.5".to_owned() } else { most.min(3.0).to_string() };
    let mut arguments: Vec<String> = parameters.map(|of| parameter(of.most)).collect();
    match (kind.columns, kind.needs) {
        ((0, 0), _) => {}
        (_, Needs::Conditions) => arguments.push(".n > 1".to_owned()),
        (_, Needs::Numbers | Needs::Records) => arguments.push(".n".to_owned()),
        (_, Needs::Values) => arguments.push(".k".to_owned()),
    }
    match arguments.is_empty() {
        true => kind.name.to_owned(),
        false => format!("{}({})", kind.name, arguments.join("; ")),
    }
}

/// A stage with arguments that it takes, of records that are objects with `.n` and `.k`; `None` for one that is
/// no end, and has no state.
fn end(verb: &str) -> Option<String> {
    Some(match verb {
        "words" | "split" | "flatten" | "filter" | "remove" | "map" => return None,
        "take" => "take(7)".to_owned(),
        "topk" | "bottomk" => format!("{verb}(5; .n)"),
        "sort" => "sort(.k)".to_owned(),
        "distinct" => "distinct(.k)".to_owned(),
        "sum" | "min" | "max" => format!("{verb}(.n)"),
        "groupby" => "groupby(.k; {n: count, all: list(.n), f: frequencies(.n)})".to_owned(),
        "agg" => "agg({n: count, m: mean(.n), u: nunique(.k)})".to_owned(),
        _ => format!("{verb}(.k)").replace("count(.k)", "count"),
    })
}

/// Programs of each end by itself, of groups of each aggregate, and of some ends together.
fn programs() -> Vec<String> {
    let ends: Vec<String> = verbs::VERBS.iter().filter_map(|verb| end(verb.name)).collect();
    let calls: Vec<String> = aggregate::KINDS.iter().map(|kind| call(kind)).collect();
    let mut programs = ends.clone();
    programs.extend(calls.iter().map(|of| format!("agg({{a: {of}, n: count}})")));
    programs.extend(calls.iter().map(|of| format!("groupby(.k; {of})")));
    programs.extend(ends.iter().zip(ends.iter().skip(1)).map(|(a, b)| format!("({a}), ({b})")));
    programs
        .extend(["topk(2000; .n)", "bottomk(2000)", "sort(.n; desc) | take(30)"].map(String::from));
    programs.extend(ends.iter().map(|end| format!("(map(.k) | sort | take(20)), ({end})")));
    programs.extend(["frequencies(.k)", "distinct(.k)", "sort(.k)", "groupby(.k; count)"].map(
        |end| {
            // A phase over the rows of the one before it.
            format!("{end} | frequencies | sort(.[1])")
        },
    ));
    programs
}

/// Records of which a share has one key, and the others have keys of their own; some keys are long.
fn records(share: usize, count: usize, long: usize) -> String {
    let mut text = String::new();
    for n in 0..count {
        let key = if n % 100 < share { "one".to_owned() } else { format!("k{n}") };
        let key = if n % 17 == 3 { key.repeat(long) } else { key };
        writeln!(text, "{{\"n\":{},\"k\":\"{key}\"}}", n * 7 % 23).expect("a string");
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5))]

    #[test]
    fn any_cut_threads_and_memory_give_the_same_bytes_of_every_stage_and_aggregate(
        share in prop::sample::select(vec![0, 10, 50, 100]),
        count in 0..900_usize,
        long in prop::sample::select(vec![1, 40]),
        blocksize in 20..2000_usize,
        threads in 1..5_usize,
        turn in 0..4_usize,
    ) {
        let text = records(share, count, long);
        let input = InputFormat::JSONL;
        let options = |blocksize, threads| Options { input, invalid: Invalid::Fail, blocksize, threads };
        for program in programs().into_iter().skip(turn).step_by(4) {
            let (expected, ended) = run_within(None, &program, &text, &options(1 << 20, 1));
            ended.unwrap_or_else(|error| panic!("{program}: {error}"));
            let mut was_enough = false;
            for limit in [Some(30_000), Some(200_000), Some(1 << 20), None] {
                let (printed, ended) = run_within(limit, &program, &text, &options(blocksize, threads));
                match ended {
                    Ok(_) => {
                        prop_assert_eq!(&printed, &expected, "{} in {:?}", program, limit);
                        was_enough = true;
                    }
                    // A state that cannot be spilled is refused, but not if less memory was enough.
                    Err(Error::Memory { .. }) if !was_enough && limit.is_some_and(|limit| limit < 1 << 20) => {}
                    Err(error) => prop_assert!(false, "{program} in {limit:?}: {error}"),
                }
            }
        }
    }
}

#[test]
fn keys_of_a_mebibyte_are_grouped_sorted_and_counted_in_little_memory() {
    let key = |n: usize| format!("{:04}", n * 31 % 12).repeat(1 << 18);
    let text: String = (0..24).map(|n| format!("{{\"n\":{n},\"k\":\"{}\"}}\n", key(n))).collect();
    for program in [
        "frequencies(.k) | count",
        "distinct(.k) | map(.n)",
        "sort(.k) | map(.n)",
        "groupby(.k; count) | count",
    ] {
        let options = |threads| Options {
            input: InputFormat::JSONL,
            invalid: Invalid::Fail,
            blocksize: 3 << 20,
            threads,
        };
        let (expected, ended) = run_within(None, program, &text, &options(1));
        ended.unwrap_or_else(|error| panic!("{program}: {error}"));
        for threads in 1..4 {
            let (printed, ended) = run_within(Some(4 << 20), program, &text, &options(threads));
            ended.unwrap_or_else(|error| panic!("{program}: {error}"));
            assert_eq!(printed, expected, "{program} on {threads} threads");
        }
    }
}

#[test]
fn a_temporary_file_that_is_full_at_any_size_is_an_error_or_the_answer_is_right() {
    /// How many sizes are tried, from nothing to all that is written.
    const SIZES: u64 = 24;
    let text = records(10, 900, 40);
    for program in [
        "frequencies(.k) | count",
        "groupby(.k; {n: count, all: list(.n)}) | count",
        "agg({u: nunique(.k), n: count})",
        "sort(.k) | map(.n)",
        "distinct(.k) | map(.n)",
        "topk(2000; .k) | map(.n)",
        "(frequencies(.k) | count), (sort(.n) | take(3))",
        "frequencies(.k) | sort(.[0]) | count",
    ] {
        for threads in [1, 3] {
            let options = Options {
                input: InputFormat::JSONL,
                invalid: Invalid::Fail,
                blocksize: 700,
                threads,
            };
            let within = |most| {
                let budget = Arc::new(Budget::new(30_000, None).with_largest_file(most));
                let (printed, ended) = run_in(Some(Arc::clone(&budget)), program, &text, &options);
                (printed, ended, budget.written())
            };
            let (expected, ended, written) = within(None);
            ended.unwrap_or_else(|error| panic!("{program}: {error}"));
            assert!(written > 0, "{program} spills nothing");
            for size in 0..SIZES {
                match within(Some(written * size / SIZES)) {
                    (printed, Ok(_), _) => assert_eq!(printed, expected, "{program}"),
                    (_, Err(error), _) => {
                        let told = error.to_string();
                        assert!(matches!(error, Error::Io { .. }), "{program}: {told}");
                        assert!(
                            told.contains("temporary file") && told.contains("--spill-max"),
                            "{told}"
                        );
                    }
                }
            }
        }
    }
}
