//! Programs over real files, beside a naive evaluator that knows nothing of batches.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use proptest::prelude::*;

use super::{InputFormat, Program, Records, run};
use crate::Result;
use crate::block::{BlockOptions, Compression, Damaged, Delimiter, Encoding, Windows};
use crate::output::Target;
use crate::record::Invalid;
use crate::run::{Context, Job, Text};
use crate::sink::{Encoder, Format, Printer};
use crate::source::{Access, Source};
use crate::spill::Budget;

/// What a program prints, as JSON Lines, run over a file in blocks of a size.
fn printed(program: &str, text: &str, blocksize: usize, threads: usize) -> String {
    let options = Options { input: InputFormat::TEXT, invalid: Invalid::Fail, blocksize, threads };
    let (printed, ended) = run_over(program, text, &options);
    ended.unwrap();
    printed
}

/// How a program is run over a file.
#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) input: InputFormat,
    pub(super) invalid: Invalid,
    pub(super) blocksize: usize,
    pub(super) threads: usize,
}

/// What a program prints, and how it ends: how many records were left out, or an error.
pub(super) fn run_over(program: &str, text: &str, options: &Options) -> (String, Result<u64>) {
    run_within(None, program, text, options)
}

/// The same, where states may hold so many bytes.
pub(super) fn run_within(
    limit: Option<u64>,
    program: &str,
    text: &str,
    options: &Options,
) -> (String, Result<u64>) {
    run_in(limit.map(|limit| Arc::new(Budget::new(limit, None))), program, text, options)
}

/// The same, in this memory and with its temporary file.
pub(super) fn run_in(
    budget: Option<Arc<Budget>>,
    program: &str,
    text: &str,
    options: &Options,
) -> (String, Result<u64>) {
    let program = Program::compile(program, options.input);
    let program = program.unwrap_or_else(|fault| panic!("{fault:?}"));
    let mut left_out = 0;
    let (printed, ended) = printed_by(|out| {
        read_in(budget, &program, text, options, |input, records, context| {
            let ended = run(&program, input, records, context, out);
            left_out = context.progress.records_skipped();
            ended
        })
    });
    (printed, ended.map(|()| left_out))
}

/// What is printed, as JSON Lines.
pub(super) fn printed_by(
    print: impl FnOnce(&mut Printer<'_>) -> Result<()>,
) -> (String, Result<()>) {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("out");
    let mut target = Target::file(&output).unwrap();
    let mut printer = Printer::new(Encoder::new(Format::Jsonl, false), None, &mut target);
    let ended = print(&mut printer);
    printer.flush().unwrap();
    target.finish().unwrap();
    (std::fs::read_to_string(output).unwrap(), ended)
}

/// Opens a file of a text for a program, where states may hold so many bytes.
pub(super) fn read<T>(
    limit: Option<u64>,
    program: &Program,
    text: &str,
    options: &Options,
    work: impl FnOnce(&Arc<Text>, &Records, &Context) -> T,
) -> T {
    let budget = limit.map(|limit| Arc::new(Budget::new(limit, None)));
    read_in(budget, program, text, options, work)
}

fn read_in<T>(
    budget: Option<Arc<Budget>>,
    program: &Program,
    text: &str,
    options: &Options,
    work: impl FnOnce(&Arc<Text>, &Records, &Context) -> T,
) -> T {
    let Options { invalid, blocksize, threads, .. } = *options;
    let directory = tempfile::tempdir().unwrap();
    let input = directory.path().join("in");
    std::fs::File::create(&input).unwrap().write_all(text.as_bytes()).unwrap();
    let patterns = [input.to_str().unwrap().to_owned()];
    let blocks = BlockOptions {
        blocksize,
        compression: Compression::None,
        encoding: Encoding::Auto,
        delimiter: Delimiter::Line,
        max_record: None,
        windows: Windows::default(),
        allow_binary: false,
        max_ratio: crate::block::MAX_RATIO,
        damaged: Damaged::Fail,
        ahead: 1 << 20,
    };
    let partition_size = Some(blocksize as u64 * 2);
    let source = Source::parse(&patterns, Access::default()).unwrap();
    let job = Job { source, blocks, partition_size };
    let context = Context { threads, budget, ..Context::default() };
    let records = Records { delimiter: Delimiter::Line, invalid };
    let input = Arc::new(job.open(&context, program.order()).unwrap());
    work(&input, &records, &context)
}

/// A record of the naive evaluator.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Bool(bool),
    Number(i64),
    Text(String),
    List(Vec<String>),
}

impl Value {
    fn json(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => serde_json::to_string(text).unwrap(),
            Self::List(list) => serde_json::to_string(list).unwrap(),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            other => panic!("{other:?} is not text"),
        }
    }

    fn length(&self) -> i64 {
        match self {
            Self::Text(text) => text.chars().count() as i64,
            Self::List(list) => list.len() as i64,
            Self::Number(number) => number.abs(),
            Self::Bool(_) => panic!("a truth value has no length"),
        }
    }
}

type Test = fn(&Value) -> bool;
type Function = fn(Value) -> Value;

/// Conditions on text, as written and as they are.
const TESTS: &[(&str, Test)] = &[
    ("length > 2", |v| v.length() > 2),
    ("3 >= length", |v| v.length() <= 3),
    ("length == 2", |v| v.length() == 2),
    ("length != 1", |v| v.length() != 1),
    ("test(\"[ab]é\")", |v| v.text().contains("aé") || v.text().contains("bé")),
    ("test(\"^A\"; \"i\")", |v| v.text().starts_with(['a', 'A'])),
    ("startswith(\"a\")", |v| v.text().starts_with('a')),
    ("endswith(\"é\")", |v| v.text().ends_with('é')),
    ("contains(\"ab\")", |v| v.text().contains("ab")),
    (". == \"ab\"", |v| v.text() == "ab"),
    ("\"b\" <= .", |v| v.text() >= "b"),
    ("length > 1 and contains(\"a\")", |v| v.length() > 1 && v.text().contains('a')),
    ("startswith(\"b\") or (length < 2 | not)", |v| v.text().starts_with('b') || v.length() >= 2),
    ("contains(\"é\") | not", |v| !v.text().contains('é')),
    ("ascii_downcase | startswith(\"ab\")", |v| v.text().to_ascii_lowercase().starts_with("ab")),
    ("(split(\"a\") | length) > 1", |v| pieces(v.text(), "a").len() > 1),
    (".", |_| true),
    ("false", |_| false),
];

const FUNCTIONS: &[(&str, Function)] = &[
    ("ascii_downcase", |v| Value::Text(v.text().to_ascii_lowercase())),
    ("ascii_upcase", |v| Value::Text(v.text().to_ascii_uppercase())),
    ("length", |v| Value::Number(v.length())),
    ("split(\" \")", |v| Value::List(pieces(v.text(), " "))),
    ("split(\"\")", |v| Value::List(pieces(v.text(), ""))),
    ("startswith(\"a\")", |v| Value::Bool(v.text().starts_with('a'))),
    ("ascii_upcase | split(\"A\") | length", |v| {
        Value::Number(pieces(&v.text().to_ascii_uppercase(), "A").len() as i64)
    }),
    (".", |v| v),
];

fn pieces(text: &str, separator: &str) -> Vec<String> {
    match (text, separator) {
        ("", _) => Vec::new(),
        (text, "") => text.chars().map(String::from).collect(),
        (text, separator) => text.split(separator).map(String::from).collect(),
    }
}

/// A program as text, and the records that it leaves, evaluated one step after the other.
struct Naive {
    program: Vec<String>,
    records: Vec<Value>,
    kind: fn(&Value) -> bool,
    limits: Vec<usize>,
}

fn is_text(value: &Value) -> bool {
    matches!(value, Value::Text(_))
}

impl Naive {
    /// Appends the stage that a number chooses, if it suits the kind that records now have.
    fn step(&mut self, choice: usize, kind: &mut Kind) {
        let pick = choice / 8;
        match (choice % 8, *kind) {
            (0, Kind::Text) => {
                self.program.push("words".to_owned());
                let words = |v: &Value| -> Vec<Value> {
                    v.text().split_whitespace().map(|w| Value::Text(w.to_owned())).collect()
                };
                self.records = self.records.iter().flat_map(words).collect();
            }
            (1 | 2, Kind::Text) => {
                let (written, test) = TESTS[pick % TESTS.len()];
                let remove = choice % 8 == 2;
                let verb = if remove { "remove" } else { "filter" };
                self.program.push(format!("{verb}({written})"));
                self.records.retain(|value| test(value) != remove);
            }
            (3 | 4, Kind::Text) => {
                let (written, function) = FUNCTIONS[pick % FUNCTIONS.len()];
                let bare = choice % 8 == 4 && written != "split(\"\")";
                self.program.push(if bare {
                    written.to_owned()
                } else {
                    format!("map({written})")
                });
                self.records = self.records.drain(..).map(function).collect();
                *kind = match written {
                    "length" | "ascii_upcase | split(\"A\") | length" => Kind::Number,
                    "split(\" \")" | "split(\"\")" => Kind::List,
                    "startswith(\"a\")" => Kind::Bool,
                    _ => Kind::Text,
                };
            }
            (0..=2, Kind::List) => {
                self.program.push(["flatten", ".[]"][pick % 2].to_owned());
                let members = |value: Value| match value {
                    Value::List(list) => list.into_iter().map(Value::Text).collect(),
                    other => vec![other],
                };
                self.records = self.records.drain(..).flat_map(members).collect();
                *kind = Kind::Text;
            }
            (3, Kind::List | Kind::Number) => {
                self.program.push("filter(length > 2)".to_owned());
                self.records.retain(|value| value.length() > 2);
            }
            (5, _) => {
                self.program.push(format!("take({})", pick % 7));
                self.records.truncate(pick % 7);
                self.limits.push(pick % 7);
            }
            _ => {}
        }
        debug_assert!(*kind != Kind::Text || self.records.iter().all(self.kind));
    }

    /// Appends the end that a number chooses, and gives what is to be printed.
    fn end(&mut self, choice: usize, kind: Kind) -> Vec<String> {
        let pick = choice / 8;
        let each = |records: &[Value]| records.iter().map(Value::json).collect();
        match (choice % 8, kind) {
            (0, Kind::Text) => {
                self.program.push("count(length > 1)".to_owned());
                self.records.retain(|value| value.length() > 1);
                vec![self.records.len().to_string()]
            }
            (0, _) => {
                self.program.push("count".to_owned());
                vec![self.records.len().to_string()]
            }
            (1..=3, Kind::Text | Kind::Number | Kind::Bool) => {
                self.program.push("frequencies".to_owned());
                let mut counts = BTreeMap::new();
                self.records.drain(..).for_each(|value| *counts.entry(value).or_insert(0) += 1);
                let mut rows: Vec<_> = counts.into_iter().collect();
                // The sort is stable: equal counts stay in the order of keys.
                rows.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
                if choice % 8 == 1 {
                    self.program.push(format!("topk({})", pick % 4));
                    rows.truncate(pick % 4);
                }
                if choice % 8 == 2 {
                    self.program.push("take(2) | count".to_owned());
                    return vec![rows.len().min(2).to_string()];
                }
                rows.iter().map(|(key, n)| format!("[{},{n}]", key.json())).collect()
            }
            (4, Kind::Text | Kind::Number) => {
                self.program.push(format!("topk({})", pick % 4));
                self.records.sort_by(|a, b| b.cmp(a));
                self.records.truncate(pick % 4);
                each(&self.records)
            }
            (5, Kind::Number) => {
                self.program.push("sum".to_owned());
                vec![self.records.iter().map(Value::length).sum::<i64>().to_string()]
            }
            (6, Kind::Text | Kind::Number) => {
                let name = ["min", "max"][pick % 2];
                self.program.push(name.to_owned());
                let found = if name == "min" {
                    self.records.iter().min()
                } else {
                    self.records.iter().max()
                };
                vec![found.map_or("null".to_owned(), Value::json)]
            }
            _ => each(&self.records),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Number,
    Bool,
    List,
}

proptest! {
    #[test]
    fn any_program_prints_what_a_naive_evaluator_does_whatever_the_blocks_and_threads(
        text in "([aAbBéa ]{0,5}[ \n\n\u{2003}])*[ab]{0,3}",
        steps in prop::collection::vec(0_usize..8 * 126, 0..5),
        end in 0_usize..8 * 12,
        blocksize in 1_usize..80,
        threads in 1_usize..4,
    ) {
        let records = text.lines().map(|line| Value::Text(line.to_owned())).collect();
        let mut naive = Naive { program: Vec::new(), records, kind: is_text, limits: Vec::new() };
        let mut kind = Kind::Text;
        steps.into_iter().for_each(|choice| naive.step(choice, &mut kind));
        let expected = naive.end(end, kind);
        if naive.program.is_empty() {
            naive.program.push(".".to_owned());
        }
        let program = naive.program.join(" | ");
        let printed = printed(&program, &text, blocksize, threads);
        prop_assert_eq!(printed.lines().collect::<Vec<_>>(), expected, "{}", program);
    }
}

/// The programs that the language is made for. Those that need stages or formats which are not
/// there yet must say so, and none may fail to parse.
const SAMPLES: &[&str] = &[
    "ascii_downcase | words | frequencies | topk(20)",
    "split(\" \") | flatten | filter(length > 5) | frequencies | topk(10)",
    "filter(.status >= 500) | frequencies(.uri) | topk(10)",
    "groupby(.uri; {n: count, p50: p50(.rt), p99: p99(.rt)}) | topk(20; .p99)",
    "filter(.level==\"error\") | frequencies(bucket(.ts; \"1m\")) | sort(.[0])",
    "groupby(bucket(.ts; \"1d\"); {users: nunique(.user)})",
    "foldby(.remote_addr | split(\".\")[0:3] | join(\".\"); $acc + .bytes; 0) | topk(10)",
    "join(\"users.csv\"; .user_id; .id) | frequencies(.plan)",
    "random_sample(0.001)",
    "filter(test(\"OutOfMemory\")) | {file: $file, line: $line, text: .}",
    "sessions(.user; .ts; \"30m\") | mean(.end - .start)",
    "groupby(.status; mean(.bytes))",
    "filter(.status==404) | frequencies(.agent) | topk(10)",
    "frequencies([.service, .level])",
    "filter(.lvl==\"ERROR\") | frequencies(.msg | gsub(\"[0-9]+\"; \"N\")) | topk(20)",
    "filter(.country==\"DE\")",
    "frequencies(.type)",
    ".events[] | frequencies(.type)",
    "distinct(.id)",
    "frequencies([bucket(.ts; \"1h\"), .status])",
    "frequencies(bucket(.rt; 0.05)) | sort(.[0])",
    "fromjson? | .log | fromjson? | filter(.level==\"error\") | count",
    "groupby(.uri; {n: count, err: count(.status >= 500)}) | .rate = .err / .n | filter(.n > 100) | topk(10; .rate)",
    "groupby(.user; max_by(.ts)) | .[1]",
    "count",
    "# words of a log\nwords # of each line\n| count",
    "def long: length > 5; words | filter(long) | count",
    "filter(test(\"a|b\")) | split(\"|\") | flatten",
    "count, frequencies",
    "select(length > 3) | ascii_upcase",
];

#[test]
fn parts_that_do_not_fit_are_cut_again_and_come_to_the_same_rows() {
    let words: Vec<_> = (0..3000_u32).map(|n| format!("{} {}", n % 700, n * n)).collect();
    let text = words.join("\n");
    for program in [
        "words | frequencies",
        "words | frequencies | topk(9)",
        "words | frequencies | topk(2000)",
        "words | frequencies | count",
    ] {
        let expected = printed(program, &text, 4096, 1);
        for threads in [1, 3] {
            let options = Options {
                input: InputFormat::TEXT,
                invalid: Invalid::Fail,
                blocksize: 4096,
                threads,
            };
            let (printed, ended) = run_within(Some(10_000), program, &text, &options);
            ended.unwrap();
            assert!(printed == expected, "{program} on {threads}");
        }
    }
}

#[test]
fn every_sample_program_parses() {
    for program in SAMPLES {
        if let Err(fault) = super::parse::parse(program) {
            panic!("{program}: {fault:?}");
        }
        if let Err(fault) = Program::compile(program, InputFormat::TEXT) {
            assert!(!fault.message.contains("expected"), "{program}: {fault:?}");
            assert!(fault.span.end <= program.len() && fault.span.start < program.len());
        }
    }
}
