//! Partial results beside one run over all sources.

use std::sync::Arc;

use creel_operators::aggregate::Reader;
use proptest::prelude::*;

use super::tests::{Options, printed_by, read, run_over};
use super::{
    Carries, InputFormat, Program, State, finish_rows, finish_state, run_to_rows, run_to_state,
};
use crate::Result;
use crate::block::{Block, Delimiter};
use crate::record::Invalid;
use crate::run::{self, Context};

use super::Records;

fn options(input: InputFormat, blocksize: usize, threads: usize) -> Options {
    Options { input, invalid: Invalid::Fail, blocksize, threads }
}

const TEXT: &[&str] = &[
    "count",
    "words | frequencies",
    "words | frequencies | topk(2)",
    "words | frequencies | count",
    "words | map(length) | frequencies",
    "words | map(startswith(\"a\")) | frequencies",
    "words | topk(3)",
    "words | map(length) | topk(3) | take(2)",
    "words | topk(3) | count",
    "words | map(length) | sum",
    "words | min",
    "words | map(length) | max",
    "words | groupby(length; {n: count, least: min, first: first, all: list})",
    "words | groupby(startswith(\"a\"); frequencies)",
    "words | frequencies | filter(.[1] > 1) | map(.[0]) | topk(2)",
    "words | nunique",
    "words | frequencies, (map(length) | sum), count",
    // Rows.
    ".",
    "words | map(length)",
    "words | filter(length > 1)",
    "split(\"b\")",
    "words | take(3)",
    "words | take(3) | frequencies",
    "words | take(3) | frequencies, count",
    "words | (take(3) | frequencies), count",
    "words | (take(2)), (frequencies | topk(1))",
    "words | sample(3; 5)",
    "words | groupby(length; {n: count, some: sample(2; 1)})",
    "words | groupby(length; count) | topk(1)",
    "words | map(length) | take(4) | map(. == 2)",
    "split(\"b\") | take(3) | flatten | map(length) | sum",
    "words | map(startswith(\"a\")) | take(4) | frequencies",
    "words | take(5) | filter(startswith(\"a\")) | take(2) | map(length)",
];

const JSON: &[&str] = &[
    "sum(.n)",
    "min(.n)",
    "max",
    "topk(2)",
    "topk(2; .n)",
    "agg(sample(2)), count",
    "frequencies(.k) | bottomk(2)",
    "frequencies(.k)",
    "groupby(.k; {n: count, sum: sum(.n), p50: p50(.n), top: topk(2; .n)})",
    "agg({n: count, mean: mean(.n), std: std(.n)})",
    "take(3) | map(.k)",
    "map(.k) | take(3) | frequencies",
    "filter(.n > 0)",
    "filter(.n > 0) | take(2) | groupby(.k; sum(.n))",
];

/// The state of a part, encoded and read back.
fn through_bytes(program: &Program, state: &dyn State) -> (Box<dyn State>, Vec<u8>) {
    let mut bytes = Vec::new();
    state.encode(&mut bytes);
    let mut read = program.start(Invalid::Fail);
    let mut reader = Reader::new(&bytes);
    read.absorb(&mut reader).and_then(|()| reader.end()).unwrap();
    let mut again = Vec::new();
    read.encode(&mut again);
    assert_eq!(again, bytes);
    (read, bytes)
}

/// The rows of parts, a block each.
struct Parts(Vec<Vec<u8>>);

impl run::Input for Parts {
    type Reader = Part;

    fn partitions(&self) -> usize {
        self.0.len()
    }

    fn open(&self, partition: usize) -> Part {
        let block = Block::made(&self.0[partition], &"rows".into(), partition);
        Part((!self.0[partition].is_empty()).then_some(block))
    }
}

struct Part(Option<Block>);

impl run::Reader for Part {
    type Block = Block;

    async fn next(&mut self) -> Result<Option<Block>> {
        Ok(self.0.take())
    }
}

/// What the parts of a text come to, merged.
fn merged(text: &str, parts: &[&str], options: &Options) -> String {
    let program = Program::compile(text, options.input).unwrap();
    let records = Records { delimiter: Delimiter::Line, invalid: Invalid::Fail };
    let context = Context { threads: options.threads, ..Context::default() };
    let (printed, ended) = match program.carries() {
        Carries::State => {
            let run = |part: &&str| {
                let state = read(None, &program, part, options, |input, records, context| {
                    run_to_state(&program, input, records, context)
                });
                through_bytes(&program, &*state.unwrap()).0
            };
            let mut state = program.start(Invalid::Fail);
            parts.iter().map(run).for_each(|part| state.merge(part));
            printed_by(|out| finish_state(&program, state, &records, &context, out))
        }
        Carries::Rows => {
            let run = |part: &&str| {
                let mut rows = Vec::new();
                let ran = read(None, &program, part, options, |input, records, context| {
                    run_to_rows(&program, input, records, context, &mut rows)
                });
                ran.map(|()| rows).unwrap()
            };
            let rows = Arc::new(Parts(parts.iter().map(run).collect()));
            printed_by(|out| finish_rows(&program, &rows, &records, &context, out))
        }
    };
    ended.unwrap_or_else(|error| panic!("{text}: {error}"));
    printed
}

/// A text cut into parts of whole lines.
fn cut<'t>(text: &'t str, cuts: &[usize]) -> Vec<&'t str> {
    let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
    let mut cuts: Vec<usize> =
        cuts.iter().filter_map(|cut| ends.get(cut % ends.len().max(1)).copied()).collect();
    cuts.sort_unstable();
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    starts.zip(cuts.iter().copied().chain([text.len()])).map(|(a, b)| &text[a..b]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn parts_that_are_merged_print_what_one_run_prints(
        lines in prop::collection::vec(("[ab\u{e9} ]{0,6}", -3..9_i64), 0..30),
        cuts in prop::collection::vec(0..30_usize, 0..4),
        blocksize in 1..64_usize,
        threads in 1..4_usize,
    ) {
        let text: String = lines.iter().map(|(line, _)| format!("{line}\n")).collect();
        let json: String =
            lines.iter().map(|(k, n)| format!("{{\"k\":\"{k}\",\"n\":{n}}}\n")).collect();
        for (input, text, programs) in [(InputFormat::TEXT, &text, TEXT), (InputFormat::JSONL, &json, JSON)] {
            for program in programs {
                let options = options(input, blocksize, threads);
                let (expected, ended) = run_over(program, text, &options);
                ended.unwrap();
                let merged = merged(program, &cut(text, &cuts), &options);
                prop_assert_eq!(merged, expected, "{}", program);
            }
        }
    }

    #[test]
    fn any_bytes_are_a_state_or_are_refused(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0..4_u8], 0..40),
        at in 0..1000_usize,
        byte: u8,
    ) {
        let text = "b a a\nab b c\n{\"k\":1}\n";
        for program in TEXT {
            let options = options(InputFormat::TEXT, 64, 1);
            let program = Program::compile(program, InputFormat::TEXT).unwrap();
            if program.carries() == Carries::Rows {
                continue;
            }
            let state = read(None, &program, text, &options, |input, records, context| {
                run_to_state(&program, input, records, context)
            });
            let mut damaged = Vec::new();
            state.unwrap().encode(&mut damaged);
            let place = at % damaged.len();
            damaged[place] = byte;
            for bytes in [&bytes, &damaged] {
                let (mut state, mut reader) = (program.start(Invalid::Fail), Reader::new(bytes));
                if state.absorb(&mut reader).is_ok() {
                    let ended: Result<()> = printed_by(|out| {
                        state.print(&Context::default(), out)
                    }).1;
                    ended.unwrap();
                }
            }
        }
    }
}

#[test]
fn states_are_the_same_bytes_however_the_records_were_cut() {
    let text = "one fish two fish\nred fish blue fish\nold fish new fish\n";
    for program in TEXT {
        let program = Program::compile(program, InputFormat::TEXT).unwrap();
        if program.carries() == Carries::Rows {
            continue;
        }
        let encoded = |blocksize, threads| {
            let options = options(InputFormat::TEXT, blocksize, threads);
            let state = read(None, &program, text, &options, |input, records, context| {
                run_to_state(&program, input, records, context)
            });
            through_bytes(&program, &*state.unwrap()).1
        };
        let expected = encoded(1000, 1);
        for (blocksize, threads) in [(1, 1), (7, 2), (20, 3)] {
            assert_eq!(encoded(blocksize, threads), expected);
        }
    }
}
