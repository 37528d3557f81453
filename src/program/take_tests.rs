//! What stands behind `take` sees the records that it lets through, whatever the blocks and threads.

use proptest::prelude::*;

use super::InputFormat;
use super::tests::{Options, run_within};
use crate::record::Invalid;

/// Stages and ends over records with fields, some of which fail over some records.
const BEHIND: [&str; 12] = [
    ".",
    ".a",
    "map(.a | startswith(\"a\"))",
    "map(.b) | sum",
    "select(.b > 3) | .a",
    "select(.b > 3) | count",
    "map(.a | startswith(\"a\")) | frequencies",
    "map(.b) | take(4) | map(. > 2)",
    "map(.a | startswith(\"a\")) | take(3) | frequencies",
    "sort(.b) | map(.a)",
    "distinct(.a) | map(.b)",
    "groupby(.a; {n: count, of: list(.b)})",
];

fn record() -> impl Strategy<Value = String> {
    let b = prop_oneof![9 => (0..9).prop_map(|b: i32| b.to_string()), 1 => Just("\"x\"".into())];
    let a = prop_oneof![9 => "[a-c]{1,2}".prop_map(|a| format!("\"{a}\"")), 1 => Just("7".into())];
    (a, b).prop_map(|(a, b): (String, String)| format!("{{\"a\":{a},\"b\":{b}}}\n"))
}

/// What an error says behind the name of the file and the partition.
fn said(error: &crate::Error) -> String {
    let said = error.to_string();
    said[said.find("byte ").unwrap_or(0)..].to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn a_program_behind_take_gives_what_it_gives_over_the_first_records_alone(
        lines in prop::collection::vec(record(), 0..60),
        n in 0..70_usize,
        behind in prop::sample::select(&BEHIND[..]),
        skip: bool,
        blocksize in 1..600_usize,
        threads in 1..5_usize,
        limit in prop::option::of(100..100_000_u64),
    ) {
        let invalid = if skip { Invalid::Skip } else { Invalid::Fail };
        let options = Options { input: InputFormat::JSONL, invalid, blocksize, threads };
        let all = lines.concat();
        let taken = run_within(limit, &format!("take({n}) | {behind}"), &all, &options);
        let first = lines.iter().take(n).map(String::as_str).collect::<String>();
        let alone = Options { blocksize: 1 << 20, threads: 1, ..options };
        let expected = run_within(None, behind, &first, &alone);
        prop_assert_eq!(taken.0, expected.0);
        match (taken.1, expected.1) {
            (Ok(left_out), Ok(expected)) => prop_assert_eq!(left_out, expected),
            (Err(error), Err(expected)) => prop_assert_eq!(said(&error), said(&expected)),
            (taken, expected) => prop_assert!(false, "{taken:?} {expected:?}"),
        }
    }
}
