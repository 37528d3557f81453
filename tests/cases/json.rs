//! JSON that is not one value a line.

use crate::{creel_in, creel_with, fails, prints, text};

#[test]
fn json_over_several_lines_says_how_it_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    for pretty in ["{\n \"a\": 1\n}\n", "[\n  {\"a\": 1}\n]\n", "{ \"a\": [1,\n2]}\n", "{\r\n}\r\n"]
    {
        std::fs::write(folder.path().join("p.json"), pretty).expect("a file");
        let output = creel_in(folder.path(), &["map(.a)", "p.json"]);
        fails(&output, 4, &["p.json", "ends within a value", "jq -c . p.json | creel -f jsonl"]);
        let output = creel_with(pretty.as_bytes(), &["-f", "jsonl", "map(.a)"]);
        fails(&output, 4, &["jq -c . | creel -f jsonl"]);
    }
}

#[test]
fn values_on_one_line_are_records_of_their_own() {
    let json = |program: &str, input: &str| creel_with(input.as_bytes(), &["-f", "jsonl", program]);
    prints(&json("map(.a) | sum", "{\"a\":1}{\"a\":2}\n"), "3\n");
    prints(
        &json(".", "1 2\t\"x\"[3]{}null true\n\n{\"a\":1} \n"),
        "1\n2\n\"x\"\n[3]\n{}\nnull\ntrue\n{\"a\":1}\n",
    );
    prints(&json("count", &format!("{}\n", "{} ".repeat(5000))), "5000\n");
    prints(&json("take(2)", "1 2 3 4\nno\n"), "1\n2\n");
    prints(
        &json("filter(.a > 1) | map(.b)", "{\"a\":1,\"b\":1}{\"a\":2,\"b\":2}{\"b\":3}\n"),
        "2\n",
    );
}

#[test]
fn a_line_that_is_wrong_anywhere_is_no_record() {
    for (line, at) in [("1 2 x", 8), ("12-3", 6), ("truefalse", 8), ("{}{\"a\":}", 11), ("1 }", 6)]
    {
        let input = format!("\"a\"\n{line}\n\"b\"\n");
        let output = creel_with(input.as_bytes(), &["-f", "jsonl", "."]);
        assert_eq!(text(&output.stdout), "\"a\"\n", "{line}");
        let place = format!("byte {at}");
        assert!(text(&output.stderr).contains(&place), "{line}: {}", text(&output.stderr));
        assert_eq!(output.status.code(), Some(4));
        let output = creel_with(input.as_bytes(), &["-f", "jsonl", "--invalid", "skip", "."]);
        assert_eq!(text(&output.stdout), "\"a\"\n\"b\"\n");
        assert!(text(&output.stderr).contains("skipped 1 record"), "{}", text(&output.stderr));
    }
}

#[test]
fn values_within_values_are_bounded_on_any_thread() {
    let deep = |n: usize| format!("{}{}\n", "[".repeat(n), "]".repeat(n));
    for program in [".", "frequencies", "map(length)", "topk(1)", "filter(. == .)"] {
        for threads in ["1", "4"] {
            let args = ["-f", "jsonl", "-j", threads, program];
            let output = creel_with(deep(512).as_bytes(), &args);
            assert_eq!(output.status.code(), Some(0), "{program}: {}", text(&output.stderr));
            let output = creel_with(deep(513).as_bytes(), &args);
            assert_eq!(output.status.code(), Some(4), "{program}");
            let output = creel_with(deep(1_000_000).as_bytes(), &args);
            assert_eq!(output.status.code(), Some(4), "{program}");
        }
    }
}

#[test]
fn marks_of_direction_do_not_reach_a_table_or_a_message() {
    let args = ["-t", "table", "-f", "text", "frequencies"];
    let table = creel_with("a\u{202e}b\u{2066}\n".as_bytes(), &args);
    prints(&table, " 1  a\\u{202e}b\\u{2066}\n");
    let output = creel_with("\u{202e}{\n".as_bytes(), &["-f", "jsonl", "."]);
    assert!(!text(&output.stderr).contains('\u{202e}'));
    assert!(text(&output.stderr).contains("\\u{202e}"));
    let output = creel_with(b"", &["filter(\u{202e})"]);
    assert!(!text(&output.stderr).contains('\u{202e}'));
}
