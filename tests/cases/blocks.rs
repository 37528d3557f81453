//! Neither the size of blocks, nor the number of threads, nor how the input is cut into files shows in
//! what is printed, in what is said of bad records, or in the exit code.

use std::path::Path;

use proptest::prelude::*;

use crate::{command, creel_with, text};

/// What a run comes to: its output, what it says, with places in the whole input, and its exit code.
type Outcome = (String, String, Option<i32>);

/// Runs a program over files that are one input, in this many bytes a block on this many threads.
fn outcome(folder: &Path, files: &[Vec<u8>], block: &str, threads: &str, args: &[&str]) -> Outcome {
    let mut all = args.to_vec();
    all.extend(["--blocksize", block, "-j", threads]);
    let names: Vec<String> = (0..files.len()).map(|n| format!("f{n:03}.jsonl")).collect();
    for (name, bytes) in names.iter().zip(files) {
        std::fs::write(folder.join(name), bytes).expect("a file");
    }
    all.extend(names.iter().map(String::as_str));
    let output = command(&all).current_dir(folder).output().expect("the command runs");
    let mut said = text(&output.stderr).to_owned();
    let mut before = 0;
    for (name, bytes) in names.iter().zip(files) {
        said = in_whole(&said, name, before);
        before += bytes.len();
    }
    // What to do depends on how the object begins.
    if let Some(advice) = said.find("; ") {
        said.truncate(advice);
    }
    (text(&output.stdout).to_owned(), said, output.status.code())
}

/// A message with the place in the whole input for one in this file.
fn in_whole(said: &str, name: &str, before: usize) -> String {
    let Some(at) = said.find(name) else { return said.to_owned() };
    let place = &said[at..];
    let byte = place.find("byte ").expect("a place has a byte") + 5;
    let digits = place[byte..].find(')').expect("a place ends") + byte;
    let offset: usize = place[byte..digits].parse().expect("a number");
    format!("{}at {}{}", &said[..at], before + offset, &place[digits..]).replace(name, "FILE")
}

const PROGRAMS: &[&[&str]] = &[
    &["."],
    &["map(.a)"],
    &["filter(.a > 1) | map(.b)"],
    &["map(.a) | take(2)"],
    &["take(3) | map(.a | length) | take(2)"],
    &["take(1)"],
    &["take(4) | filter(.a > 1) | take(1)"],
    &["count"],
    &["frequencies(.a)"],
    &["map(.a) | sum"],
    &["max(.a)"],
    &[".c[] | take(3)"],
    &["-f", "text", "."],
    &["-f", "text", "map(length) | take(3)"],
    &["-f", "text", "words | take(5)"],
    &["-f", "text", "words | frequencies"],
    &["-f", "text", "filter(test(\"a\")) | count"],
];

/// Lines of which some are no JSON, some no text, and some fail in an expression.
fn lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let line = prop_oneof![
        12 => (0..4_u8).prop_map(|n| format!("{{\"a\":{n},\"b\":\"x\",\"c\":[{n},2]}}").into_bytes()),
        2 => Just(b"{\"a\":3}{\"a\":1,\"c\":[]}".to_vec()),
        1 => Just(b"broken".to_vec()),
        1 => Just(b"{\"a\":".to_vec()),
        1 => Just(b"{\"a\":\"\xff\"}".to_vec()),
        1 => Just(b"x\xff\xffy\xff".to_vec()),
        1 => Just(b"7".to_vec()),
        1 => Just(b"{\"a\":\"text\",\"c\":1}".to_vec()),
        1 => Just(b"".to_vec()),
    ];
    prop::collection::vec(line, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn blocks_threads_and_files_do_not_show(
        lines in lines(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        policy in prop::sample::select(&["fail", "skip", "replace"][..]),
        program in prop::sample::select(PROGRAMS),
    ) {
        let lines: Vec<Vec<u8>> = lines.into_iter().map(|mut line| { line.push(b'\n'); line }).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(lines.len() + 1)).collect();
        cuts.sort_unstable();
        let mut files = Vec::new();
        let mut from = 0;
        for cut in cuts.into_iter().chain([lines.len()]) {
            files.push(lines[from..cut].concat());
            from = cut;
        }
        let args: Vec<&str> = ["--invalid", policy].iter().chain(program).copied().collect();
        let whole = [lines.concat()];
        let folder = tempfile::tempdir().expect("a folder");
        let expected = outcome(folder.path(), &whole, "1", "1", &args);
        prop_assert_ne!(expected.2, Some(2), "{}", expected.1);
        for (block, threads) in [("1", "4"), ("17", "2"), ("64", "3"), ("1M", "1"), ("1M", "4")] {
            let one = outcome(folder.path(), &whole, block, threads, &args);
            prop_assert_eq!(&one, &expected, "{:?} in blocks of {} on {}", args, block, threads);
            let many = outcome(folder.path(), &files, block, threads, &args);
            prop_assert_eq!(&many, &expected, "{:?} in files, {} on {}", args, block, threads);
        }
    }
}

#[test]
fn the_first_bad_record_is_named_after_those_before_it_are_printed() {
    let input = b"{\"a\":1}\nbroken\n{\"a\":3}\n{\"a\":\n\xff\n{\"a\":5}\n";
    for block in ["1", "20", "1M"] {
        let output = creel_with(input, &["-f", "jsonl", "--blocksize", block, "map(.a)"]);
        assert_eq!(text(&output.stdout), "1\n");
        assert!(text(&output.stderr).contains("byte 8)"), "{}", text(&output.stderr));
        assert_eq!(output.status.code(), Some(4));
        let output = creel_with(input, &["-f", "jsonl", "--blocksize", block, "take(1)"]);
        crate::prints(&output, "{\"a\":1}\n");
        // Text has its records before the bad one, too.
        let output = creel_with(b"a\nb\n\xff\nc\n", &["--blocksize", block, "."]);
        assert_eq!(text(&output.stdout), "\"a\"\n\"b\"\n");
        crate::prints(
            &creel_with(b"a\nb\n\xff\nc\n", &["--blocksize", block, "take(2)"]),
            "\"a\"\n\"b\"\n",
        );
    }
}

#[test]
fn notes_name_the_first_object_whatever_partition_it_shares() {
    let folder = tempfile::tempdir().expect("a folder");
    // The second is bad at an earlier byte than the first.
    std::fs::write(folder.path().join("a.txt"), b"fine\nfine\nx\xff\n").expect("a file");
    std::fs::write(folder.path().join("b.txt"), b"\xff\nfine\n").expect("a file");
    for (policy, words) in
        [("skip", "skipped 2 records"), ("replace", "replaced bytes in 2 records")]
    {
        for threads in ["1", "4"] {
            for block in ["1", "1M"] {
                let args = [
                    "--invalid",
                    policy,
                    "-j",
                    threads,
                    "--blocksize",
                    block,
                    "count",
                    "a.txt",
                    "b.txt",
                ];
                let output = command(&args).current_dir(folder.path()).output().expect("it runs");
                let said = text(&output.stderr);
                assert!(said.contains(words) && said.contains("a.txt"), "{said}");
                assert!(said.contains("byte 11)"), "{said}");
            }
        }
    }
}

#[test]
fn records_behind_the_last_one_taken_are_not_counted() {
    let input = b"1\nbad\n2\nbad\n3\n\xff\n4\n";
    for block in ["1", "1M"] {
        let args = ["-f", "jsonl", "--invalid", "skip", "--blocksize", block];
        for (n, said) in [
            ("1", ""),
            ("2", "skipped 1 record at"),
            ("3", "skipped 2 records"),
            ("4", "skipped 3 records"),
        ] {
            let take = format!("take({n})");
            let output = creel_with(input, &[&args[..], &[&take]].concat());
            assert!(text(&output.stderr).contains(said), "{n}: {}", text(&output.stderr));
            assert_eq!(text(&output.stderr).is_empty(), said.is_empty());
        }
    }
}

#[test]
fn records_before_one_that_is_too_long_are_printed() {
    for block in ["1", "7", "1M"] {
        for threads in ["1", "4"] {
            let args = ["--max-record", "3", "--blocksize", block, "-j", threads];
            let output = creel_with(b"ab\nabc\nabcd\nc\n", &[&args[..], &["."]].concat());
            assert_eq!(text(&output.stdout), "\"ab\"\n\"abc\"\n");
            assert!(text(&output.stderr).contains("byte 7): a record is longer than 3"));
            assert_eq!(output.status.code(), Some(4));
            let output = creel_with(b"ab\nabc\nabcd\nc\n", &[&args[..], &["take(2)"]].concat());
            crate::prints(&output, "\"ab\"\n\"abc\"\n");
        }
    }
}

#[test]
fn damage_behind_the_last_record_that_is_taken_is_not_told() {
    use std::io::Write as _;

    let folder = tempfile::tempdir().expect("a folder");
    let whole = {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
        (0..100_000).for_each(|n| writeln!(encoder, "{}", n * 7919).expect("a line"));
        encoder.finish().expect("a frame")
    };
    std::fs::write(folder.path().join("a.zst"), &whole).expect("a file");
    for name in ["b.zst", "c.zst"] {
        std::fs::write(folder.path().join(name), &whole[..whole.len() / 2]).expect("a file");
    }
    for threads in ["1", "4"] {
        for block in ["100", "1M"] {
            let run = |program: &str| {
                let args =
                    ["-j", threads, "--blocksize", block, program, "a.zst", "b.zst", "c.zst"];
                command(&args).current_dir(folder.path()).output().expect("the command runs")
            };
            crate::prints(&run("take(100000) | count"), "100000\n");
            let output = run("take(100001) | count");
            assert_eq!(text(&output.stdout), "100001\n");
            assert_eq!((text(&output.stderr), output.status.code()), ("", Some(0)));
            // All faults, in the order of the sources.
            let output = run("count");
            let said = text(&output.stderr);
            assert!(said.find("b.zst").expect(said) < said.find("c.zst").expect(said), "{said}");
            assert_eq!(output.status.code(), Some(3));
        }
    }
}
