//! Partial results beside one run over all sources.

use std::sync::Arc;

use creel_operators::aggregate::{Damaged, Reader};
use proptest::prelude::*;

use super::tests::{Options, printed_by, read, run_over};
use super::{
    Carries, Carry, InputFormat, Parts, Program, ReadChunks, Run, finish_parts, merge_parts,
    run_part,
};
use crate::block::{Block, Delimiter};
use crate::record::Invalid;
use crate::run::{self, Context};
use crate::spill::Budget;
use crate::{Error, Place, Result};

use super::Records;

pub(super) fn options(input: InputFormat, blocksize: usize, threads: usize) -> Options {
    Options { input, invalid: Invalid::Fail, blocksize, threads }
}

pub(super) const TEXT: &[&str] = &[
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
    "words | agg({n: count, u: nunique, last: last, v: nunique(length)})",
    "words | agg({f: frequencies(length), u: nunique, all: list})",
    "words | groupby(length; {n: count, u: nunique, first: first, f: frequencies})",
    "words | groupby(.; {u: nunique(length), v: nunique})",
    "words | agg(frequencies)",
    "count, sort",
    "words | (sort | take(2)), count, distinct, (distinct(length) | count)",
    "words | (map(length) | sort), (sort | count), ((distinct | take(2)), nunique)",
    "words | (distinct | frequencies | count), (sort(length; desc) | take(3) | map(length))",
    "words | (map(startswith(\"a\")) | distinct), (sort(length) | take(4) | count)",
    // Rows.
    "sort",
    "words | sort(length)",
    "words | sort(length; desc) | take(3)",
    "words | map(length) | sort | take(4) | frequencies",
    "words | map(startswith(\"a\")) | sort",
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
    "distinct",
    "words | distinct | count",
    "words | distinct(length)",
    "words | map(length) | distinct | take(2)",
    "split(\"b\") | distinct | map(length)",
    "words | map(startswith(\"a\")) | distinct",
    "words | take(5) | distinct",
    "words | sort | count",
    "words | take(5) | filter(startswith(\"a\")) | take(2) | map(length)",
];

pub(super) const JSON: &[&str] = &[
    "sort",
    "sort(.n)",
    "sort(.k; desc) | take(2)",
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
    "agg({u: nunique(.k), v: nunique(.n), w: nunique})",
    "groupby(.k; {u: nunique(.n), f: frequencies})",
    "take(3) | map(.k)",
    "map(.k) | take(3) | frequencies",
    "filter(.n > 0)",
    "filter(.n > 0) | take(2) | groupby(.k; sum(.n))",
    "distinct(.k)",
    "filter(.n > 0) | distinct(.n) | map(.k)",
    "map(.n) | distinct | count",
    "distinct | groupby(.k; sum(.n))",
    "sort(.n), (filter(.n > 0) | distinct(.k)), (map(.n) | sort(.; desc) | take(2)), count",
    "distinct(.k), (sort(.k; desc) | map(.n)), sum(.n)",
];

/// Chunks in memory.
#[derive(Debug, Clone, Default, PartialEq)]
struct Chunks(Vec<Vec<u8>>);

impl ReadChunks for Chunks {
    fn read(&self, number: usize, bytes: &mut Vec<u8>) -> Result<()> {
        bytes.clone_from(&self.0[number]);
        Ok(())
    }

    fn damaged(&self, _: usize, damaged: &Damaged) -> Error {
        Error::Corrupt { place: Place::object("chunks"), reason: damaged.to_string() }
    }
}

/// What a partial result has of each result of the program.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Partial(Vec<(Chunks, Vec<u8>)>);

impl Partial {
    fn of(&mut self, result: usize) -> &mut (Chunks, Vec<u8>) {
        self.0.resize_with(self.0.len().max(result + 1), Default::default);
        &mut self.0[result]
    }
}

impl Carry for Partial {
    fn chunk(&mut self, result: usize, bytes: &[u8]) -> Result<()> {
        self.of(result).0.0.push(bytes.to_vec());
        Ok(())
    }

    fn rows(&mut self, result: usize, lines: &[u8]) -> Result<()> {
        self.of(result).1.extend_from_slice(lines);
        Ok(())
    }
}

/// The partial result that a run of the program writes.
pub(super) fn partial(
    program: &Program,
    text: &str,
    options: &Options,
    budget: Option<u64>,
) -> Partial {
    shards(program, text, options, budget, 1).remove(0)
}

/// The partial result of each of so many shards.
pub(super) fn shards(
    program: &Program,
    text: &str,
    options: &Options,
    budget: Option<u64>,
    number: usize,
) -> Vec<Partial> {
    let mut partials = vec![Partial::default(); number];
    let mut carries: Vec<&mut dyn Carry> = Vec::new();
    carries.extend(partials.iter_mut().map(|partial| partial as &mut dyn Carry));
    let written = read(None, program, text, options, |input, records, context| {
        run_part(program, input, records, &with_budget(context, budget), &mut carries)
    });
    written.unwrap();
    partials
}

/// The same run with so much memory for states.
fn with_budget(context: &Context, limit: Option<u64>) -> Context {
    let budget = limit.map(|limit| Arc::new(Budget::new(limit, None)));
    Context { threads: context.threads, budget, ..Context::default() }
}

/// What several partial results have of each result.
fn parts(program: &Program, partials: &[Partial]) -> Vec<Parts<Rows>> {
    let parts = program.carries(Invalid::Fail).into_iter().enumerate().map(|(result, carries)| {
        let of = partials.iter().map(|partial| partial.0.get(result).cloned().unwrap_or_default());
        let Carries::State(_) = carries else {
            return Parts::Rows(Arc::new(Rows(of.map(|(_, rows)| rows).collect())));
        };
        let run = |(chunks, _): (Chunks, _)| {
            let largest = chunks.0.iter().map(Vec::len).max().unwrap_or(0);
            let bytes = chunks.0.iter().map(|chunk| chunk.len() as u64).sum();
            Run { number: chunks.0.len(), largest, bytes, chunks: Arc::new(chunks) }
        };
        Parts::Chunks(of.map(run).collect())
    });
    parts.collect()
}

/// The partial result of many.
pub(super) fn merge(program: &Program, partials: &[Partial], context: &Context) -> Partial {
    let mut merged = Partial::default();
    let parts = parts(program, partials);
    merge_parts(program, parts, Invalid::Fail, context, &mut merged).unwrap();
    merged
}

/// What is printed of many partial results.
pub(super) fn finish(program: &Program, partials: &[Partial], context: &Context) -> String {
    let records = Records { delimiter: Delimiter::Line, invalid: Invalid::Fail };
    let parts = parts(program, partials);
    let (printed, ended) = printed_by(|out| finish_parts(program, parts, &records, context, out));
    ended.unwrap();
    printed
}

pub(super) fn carries_records(program: &Program) -> bool {
    matches!(program.carries(Invalid::Fail).as_slice(), [Carries::Records])
}

/// The rows of parts, a block each.
#[derive(Debug)]
struct Rows(Vec<Vec<u8>>);

impl run::Input for Rows {
    type Reader = Part;

    fn partitions(&self) -> usize {
        self.0.len()
    }

    fn open(&self, partition: usize) -> Part {
        let block = Block::made(&self.0[partition], &"rows".into(), partition, 0);
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

/// What the parts of a text come to, merged, with so much memory for states.
fn merged(text: &str, parts: &[&str], options: &Options, budget: Option<u64>) -> String {
    let program = Program::compile(text, options.input).unwrap();
    let context = Context { threads: options.threads, ..Context::default() };
    let context = with_budget(&context, budget);
    let mut partials: Vec<_> =
        parts.iter().map(|part| partial(&program, part, options, budget)).collect();
    if !carries_records(&program) {
        // Some of them by way of another.
        let some: Vec<_> = partials.drain(..partials.len() / 2).collect();
        partials.insert(0, merge(&program, &some, &context));
    }
    finish(&program, &partials, &context)
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
                // Other states are kept in memory as a whole.
                let spills = program == &"frequencies(.k)"
                    || program.starts_with("words | frequencies") && !program.contains(',');
                for budget in [None, Some(1 << 30), Some(600).filter(|_| spills)] {
                    let merged = merged(program, &cut(text, &cuts), &options, budget);
                    prop_assert_eq!(merged, expected.as_str(), "{} {:?}", program, budget);
                }
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
            let whole = partial(&program, text, &options, None);
            for (result, carries) in program.carries(Invalid::Fail).iter().enumerate() {
                let Carries::State(empty) = carries else { continue };
                let Some((Chunks(chunks), _)) = whole.0.get(result) else { continue };
                let chunk = chunks.get(at % 3).or(chunks.first());
                let Some(mut damaged) = chunk.cloned() else { continue };
                let place = at % damaged.len();
                damaged[place] = byte;
                for bytes in [&bytes, &damaged] {
                    let _ = empty.first_key(bytes);
                    let (mut state, mut reader) = (empty.empty(), Reader::new(bytes));
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
}

#[test]
fn states_are_the_same_bytes_however_the_records_were_cut() {
    let text = "one fish two fish\nred fish blue fish\nold fish new fish\n";
    for program in TEXT {
        let name = program;
        let program = Program::compile(program, InputFormat::TEXT).unwrap();
        if carries_records(&program) {
            continue;
        }
        let run = |blocksize, threads, budget| {
            let options = options(InputFormat::TEXT, blocksize, threads);
            partial(&program, text, &options, budget)
        };
        let expected = run(1000, 1, None);
        for (blocksize, threads) in [(1, 1), (7, 2), (20, 3)] {
            assert_eq!(run(blocksize, threads, None), expected, "{name}");
            assert_eq!(run(blocksize, threads, Some(1 << 30)), expected, "{name}");
        }
        // And however their parts were merged.
        let parts: Vec<_> = text.split_inclusive('\n').collect();
        let options = options(InputFormat::TEXT, 1000, 1);
        let partials: Vec<_> =
            parts.iter().map(|part| partial(&program, part, &options, None)).collect();
        let context = Context::default();
        assert_eq!(merge(&program, &partials, &context), expected, "{name}");
        let some = merge(&program, &partials[..2], &context);
        assert_eq!(merge(&program, &[some, partials[2].clone()], &context), expected, "{name}");
    }
}

#[test]
fn states_over_the_budget_are_the_same_bytes() {
    let words = |n: u32| format!("{} word-{} {n}\n", n % 7, n.wrapping_mul(0x9e37_79b9) % 500);
    let text: String = (0..600).map(words).collect();
    for program in [
        "words | frequencies",
        "words | groupby(.; {n: count, l: mean(length)})",
        "words | groupby(length; {n: count, u: nunique, most: max})",
        "words | agg({n: count, u: nunique})",
        "words | agg({u: nunique, least: min, v: nunique, first: first})",
        "words | count, agg(nunique), (groupby(startswith(\"w\"); nunique) | topk(2))",
        "words | sort",
        "words | sort(length; desc)",
        "words | distinct",
        "words | count, sort(length), frequencies, distinct(length), (distinct | count)",
    ] {
        let name = program;
        let program = Program::compile(program, InputFormat::TEXT).unwrap();
        let options = options(InputFormat::TEXT, 512, 2);
        let expected = partial(&program, &text, &options, None);
        assert!(partial(&program, &text, &options, Some(20_000)) == expected, "{name}");
        // Merged range by range, they are what they are as a whole.
        let halves = text.split_at(text.match_indices('\n').nth(200).unwrap().0 + 1);
        let partials = [halves.0, halves.1].map(|half| partial(&program, half, &options, None));
        let budget = Arc::new(Budget::new(20_000, None));
        let context = Context { budget: Some(Arc::clone(&budget)), ..Context::default() };
        assert!(merge(&program, &partials, &context) == expected, "{name}");
        let printed = finish(&program, &partials, &context);
        // Of one group no rows are kept, and of its values only their number.
        assert!(budget.written() > 0 || name.starts_with("words | agg"), "{name}");
        assert_eq!(printed, finish(&program, &partials, &Context::default()), "{name}");
        assert_eq!(printed, run_over(name, &text, &options).0, "{name}");
    }
}

#[test]
fn states_that_are_larger_in_memory_than_in_bytes_are_merged_some_at_a_time() {
    let options =
        Options { input: InputFormat::TEXT, invalid: Invalid::Fail, blocksize: 64, threads: 1 };
    let program = "words | groupby(.; {n: count, l: mean(length), p: p99(length)})";
    let program = Program::compile(program, options.input).unwrap();
    let partials = (0..12).map(|part| {
        let text: String = (0..40).map(|n| format!("word{}\n", n * 12 + part)).collect();
        partial(&program, &text, &options, None)
    });
    let partials: Vec<_> = partials.collect();
    let merged = |limit: Option<u64>| {
        let context = Context { threads: 1, ..Context::default() };
        let context = with_budget(&context, limit);
        let all = merge(&program, &partials, &context);
        (all, context.budget.map_or(0, |budget| budget.written()))
    };
    let (expected, _) = merged(None);
    // A chunk of each state fits by its bytes, and not in tables.
    let largest = partials.iter().flat_map(|of| &of.0[0].0.0).map(Vec::len).max().unwrap() as u64;
    let (all, written) = merged(Some(12 * 4 * 3 * largest));
    assert_eq!(all, expected);
    assert!(written > 0, "all of them were in memory at once");
    let (all, written) = merged(Some(1 << 30));
    assert_eq!((all, written), (expected, 0));
}

#[test]
fn rows_that_their_end_does_not_take_are_damage_and_never_left_out() {
    let rows = b"{\"k\":1}\nno JSON\n";
    for text in ["sort(.k)", "count, distinct(.k)"] {
        let program = Program::compile(text, InputFormat::JSONL).unwrap();
        let of_rows = || {
            let parts = program.carries(Invalid::Skip).into_iter().map(|carries| match carries {
                Carries::State(_) => Parts::Chunks(Vec::new()),
                Carries::Rows | Carries::Records => {
                    Parts::Rows(Arc::new(Rows(vec![rows.to_vec()])))
                }
            });
            parts.collect::<Vec<_>>()
        };
        let (context, policy) = (Context::default(), Invalid::Skip);
        let mut to = Partial::default();
        assert!(merge_parts(&program, of_rows(), policy, &context, &mut to).is_err(), "{text}");
        let records = Records { delimiter: Delimiter::Line, invalid: policy };
        let ended = printed_by(|out| finish_parts(&program, of_rows(), &records, &context, out)).1;
        assert!(ended.is_err(), "{text}");
    }
}
