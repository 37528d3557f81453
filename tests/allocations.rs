//! Allocations are counted: none for a record that is lent, nor for one of the command's, and fewer
//! than one for an owned word.
//!
//! The counter counts the whole process. So this runs one test after another, and the command in a
//! process of its own, which is this program again.

use std::alloc::System;
use std::env;
use std::fs;
use std::process::{Command, ExitCode};

use creel::{Bag, Item, Run};
use libtest_mimic::{Arguments, Failed, Trial};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Set where this program is to be the command, and to tell of its allocations.
const AS_COMMAND: &str = "CREEL_TEST_AS_COMMAND";

const LINE: &str = "the quick brown foxes jumped over seventeen lazily sleeping dachshunds\n";
const RECORD: &str =
    "{\"uri\":\"/a/page-1.html\",\"status\":504,\"rt\":1.25,\"req\":{\"id\":7,\"host\":\"h\"}}\n";

/// Records whose values are of every kind, and whose numbers are alike.
const MIXED: &str = concat!(
    "{\"uri\":\"/a/long-page.html\",\"status\":200,\"rt\":0.25,\"tags\":[\"t1\",2,1.5],\"o\":{\"id\":7,\"h\":\"a\"}}\n",
    "{\"uri\":\"/a\",\"status\":404,\"rt\":2.5e-1,\"tags\":[0.30000000000000004],\"o\":{\"h\":[1],\"id\":1e300}}\n",
);

fn main() -> ExitCode {
    if env::var_os(AS_COMMAND).is_some() {
        let region = Region::new(ALLOCATOR);
        let code = creel::cli::main();
        eprintln!("{}", region.change().allocations);
        return code;
    }
    let trial = |name: &str, test: fn()| {
        Trial::test(name, move || {
            test();
            Ok::<(), Failed>(())
        })
    };
    let trials = vec![
        trial("the_lent_word_count_allocates_nothing_per_word", lent),
        trial("owned_words_take_the_room_of_those_before_them", owned),
        trial("closures_over_owned_records_cost_what_they_allocate_themselves", closures),
        trial("the_stages_of_the_command_allocate_nothing_per_record", command),
        trial("records_of_json_allocate_nothing_each", json),
        trial("keys_ties_and_members_allocate_nothing_each", mixed),
    ];
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Lines of text, this many.
fn text(record: &str, records: usize) -> tempfile::NamedTempFile {
    let suffix = if record.starts_with('{') { ".jsonl" } else { ".txt" };
    let file = tempfile::Builder::new().suffix(suffix).tempfile().expect("a temporary file");
    fs::write(file.path(), record.repeat(records)).expect("it can be written");
    file
}

/// What a number of records more costs: the allocations for so many beyond those for a tenth, which
/// are of what a run costs however much it reads (threads, buffers, listing).
fn more(records: usize, allocations: impl Fn(usize) -> usize) -> usize {
    let (small, large) = (allocations(records / 10), allocations(records));
    large.saturating_sub(small)
}

/// Blocks of a MiB in so many records: each costs some allocations, and none is a record's.
fn blocks(record: &str, records: usize) -> usize {
    (record.len() * records).div_ceil(1 << 20) + 1
}

/// Allocations of a count of the words of more than five letters.
fn counted(
    lines: usize,
    count: impl Fn(Bag<String>) -> Item<creel::operators::Counts<String>>,
) -> usize {
    let file = text(LINE, lines);
    let bag = creel::read_text(file.path().to_string_lossy()).expect("a path is a pattern");
    let top = count(bag).topk(3);
    let region = Region::new(ALLOCATOR);
    let top = Run::new().threads(2).compute_blocking(&top).expect("the file can be read");
    let made = region.change().allocations;
    assert_eq!(top[0], ("dachshunds".to_owned(), lines as u64));
    made
}

fn lent() {
    let made = more(300_000, |lines| {
        counted(lines, |bag| bag.lend(|l| l.words().filter(|w| w.len() > 5).frequencies()))
    });
    assert!(made < 8 * blocks(LINE, 300_000), "{made} allocations for 2.7 million words");
}

fn owned() {
    let made = more(300_000, |lines| {
        counted(lines, |bag| bag.words().filter(|w| w.len() > 5).frequencies())
    });
    // A block's first batch of a thousand words; those that follow are written over them.
    assert!(made < 1_500 * blocks(LINE, 300_000), "{made} allocations for 2.7 million words");
}

fn closures() {
    let words = |line: String| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let made = more(300_000, |lines| {
        counted(lines, |bag| bag.flat_map(words).filter(|w| w.len() > 5).frequencies())
    });
    // Ten words, their vector, which grows twice, and the line itself: 14 a line.
    assert!(made < 14 * 270_000 + 1_500 * blocks(LINE, 300_000), "{made} allocations");
}

/// Allocations of the command.
fn commanded(program: &str, record: &str, records: usize) -> usize {
    let file = text(record, records);
    let command = Command::new(env::current_exe().expect("this program"))
        .env(AS_COMMAND, "yes")
        .args(["-j", "2", program])
        .arg(file.path())
        .output()
        .expect("it starts");
    assert!(command.status.success(), "{program}: {}", String::from_utf8_lossy(&command.stderr));
    String::from_utf8_lossy(&command.stderr).trim().parse().expect("a number")
}

/// None of these programs allocates for a record, but for a thousand of them, and for a block.
fn nothing_each(record: &str, records: usize, programs: &[&str]) {
    for program in programs {
        let made = more(records, |records| commanded(program, record, records));
        let lines = records * record.lines().count();
        let most = 12 * blocks(record, records) + 16 * lines / 1024;
        assert!(made < most, "{program}: {made} allocations for {lines} records");
    }
}

fn command() {
    nothing_each(
        LINE,
        300_000,
        &[
            "count",
            "words | filter(length > 5) | frequencies | topk(3)",
            "filter(test(\"[aeiou]{2}\")) | count",
            "filter(contains(\"fox\") and length > 20) | map(ascii_upcase) | max",
            "split(\" \") | flatten | filter(startswith(\"s\")) | count",
            "filter(test(\"dachs\"))",
            "map(ascii_downcase) | split(\" \") | flatten | filter(length > 5) | map(length) | sum",
            "filter(length > 3) | groupby(.; count)",
            "map(ascii_upcase) | groupby(length; {n: count, least: min, first: first})",
            "(words | count), (filter(length > 5) | map(length) | max), count",
        ],
    );
}

fn json() {
    nothing_each(
        RECORD,
        300_000,
        &[
            "count",
            "filter(.status >= 500) | frequencies(.uri) | topk(10)",
            "map(.rt) | sum",
            "filter(.req.host == \"h\") | map(.uri)",
            "filter(.status >= 500) | map(.req) | filter(.id == 7) | map(.host) | ascii_upcase | count",
            "groupby(.uri; {n: count, err: count(.status >= 500), mean: mean(.rt), p99: p99(.rt)})",
            "filter(.rt > 0.25 and .rt != 7.5) | map(.uri) | count",
            "filter(.status >= 500) | groupby(.req.host; max(.rt))",
            "topk(3; .rt) | count",
        ],
    );
}

fn mixed() {
    nothing_each(
        MIXED,
        50_000,
        &[
            "groupby(.rt; count)",
            "groupby(.o; count)",
            "map(.o) | frequencies",
            "map(.tags) | flatten | frequencies",
            ".tags[] | groupby(.; count)",
            "groupby(.status; last(.uri))",
            "groupby(.rt; {first: first(.o), last: last(.o)})",
            "topk(3; .rt)",
            "groupby(.status; topk(3; .rt))",
            "groupby(.status; max_by(.rt))",
            "groupby(.status; min_by(.o))",
            "map(.o) | topk(3)",
            "filter(.o | length > 1) | count",
            "map(.tags | length) | sum",
            "groupby(.o | length; count)",
            "map(.tags[-1]) | frequencies",
            "groupby(.status; nunique(.o))",
            "agg({u: nunique(.o), f: frequencies(.tags)})",
        ],
    );
}
