//! Programs that are long are run, and programs that are nested too deep are told so; nothing of either
//! is left to the size of a stack.

use std::process::{Command, Stdio};

use crate::{creel_with, fails, prints, text};

fn chain(part: impl Fn(usize) -> String, between: &str, n: usize) -> String {
    (0..n).map(part).collect::<Vec<_>>().join(between)
}

/// Runs a program of any length over two lines.
fn run(program: &str) -> std::process::Output {
    creel_with(b"w1\nx\n", &["-f", "text", program])
}

#[test]
fn long_chains_simply_work() {
    let equals = |i| format!(".==\"w{i}\"");
    for (program, printed) in [
        (format!("filter({}) | count", chain(equals, " or ", 8000)), "1\n"),
        (format!("filter({}) | count", chain(|i| format!(".!=\"v{i}\""), " and ", 8000)), "2\n"),
        (chain(|_| ".".into(), "|", 20_000), "\"w1\"\n\"x\"\n"),
        (format!("map({})", chain(|_| ".".into(), "|", 20_000)), "\"w1\"\n\"x\"\n"),
        (chain(|_| "ascii_upcase".into(), "|", 5000), "\"W1\"\n\"X\"\n"),
        (format!("map({})", chain(|_| "ascii_upcase".into(), "|", 5000)), "\"W1\"\n\"X\"\n"),
        (format!("{} | count", chain(|i| format!("filter(. != \"v{i}\")"), "|", 5000)), "2\n"),
        (chain(|_| "words".into(), " | ", 3000), "\"w1\"\n\"x\"\n"),
        (chain(|_| "take(2)".into(), " | ", 3000), "\"w1\"\n\"x\"\n"),
        (chain(|_| "filter(length > 0) | map(.)".into(), " | ", 1000), "\"w1\"\n\"x\"\n"),
        (format!("{} | count", chain(|_| "split(\"w\") | flatten".into(), " | ", 500)), "2\n"),
        (format!("filter({}true{})", "(".repeat(190), ")".repeat(190)), "\"w1\"\n\"x\"\n"),
    ] {
        let shown: String = program.chars().take(60).collect();
        let output = run(&program);
        assert_eq!(text(&output.stderr), "", "{shown}");
        assert_eq!(text(&output.stdout), printed, "{shown}");
    }
    let output =
        creel_with(b"[[[[1]]]]\n", &["-f", "jsonl", &format!(".{} | count", "[]".repeat(4))]);
    prints(&output, "1\n");
    let output = creel_with(b"{}\n", &["-f", "jsonl", &format!("map({})", ".a".repeat(20_000))]);
    prints(&output, "null\n");
    let output =
        creel_with(b"[]\n", &["-f", "jsonl", &format!(".{} | count", "[]".repeat(20_000))]);
    prints(&output, "0\n");
}

/// Chains of what the language has and the command has not yet: told in a message, whatever the length.
#[test]
fn long_chains_of_other_operators_are_told_in_a_message() {
    for between in [",", "+", "-", "*", "/", "%", "//"] {
        let message = if between == "," { "gives records" } else { "not there yet" };
        fails(&run(&chain(|_| ".".into(), between, 20_000)), 2, &[message]);
        let within = format!("map({})", chain(|i| i.to_string(), between, 8000));
        fails(&run(&within), 2, &["not there yet"]);
    }
    let statements = chain(|i| format!("def f{i}: .; "), "", 5000) + ".";
    fails(&run(&statements), 2, &["not there yet"]);
    fails(&run(&chain(|_| "if . then . else . end".into(), "|", 3000)), 2, &["not there yet"]);
    fails(&run(&chain(|_| "reduce . as $x (0; .)".into(), "|", 3000)), 2, &["not there yet"]);
    fails(&run(&chain(|_| "try . catch .".into(), ",", 3000)), 2, &["not there yet"]);
    let elifs = format!("if . {} end", chain(|_| "then . ".into(), "elif . ", 5000));
    fails(&run(&elifs), 2, &["not there yet"]);
    let object = format!("{{{}}}", chain(|i| format!("a{i}: -1"), ",", 5000));
    fails(&run(&object), 2, &["not there yet"]);
    fails(&run(&format!("[{}]", chain(|_| "-1".into(), ",", 8000))), 2, &["not there yet"]);
    fails(&run(&format!("\"{}\"", "\\(.)".repeat(8000))), 2, &["not there yet"]);
    fails(
        &run(&format!(". as [{}] | .", chain(|i| format!("$x{i}"), ",", 5000))),
        2,
        &["not there yet"],
    );
    fails(&run(&format!(".{}", "?".repeat(50_000))), 2, &["not there yet"]);
}

#[test]
fn everything_that_is_nested_has_one_bound() {
    let nested = |open: &str, inner: &str, close: &str, n: usize| {
        format!("{}{inner}{}", open.repeat(n), close.repeat(n))
    };
    for (open, inner, close) in [
        ("(", ".", ")"),
        ("[", ".", "]"),
        ("{a: ", ".", "}"),
        ("{(", "\"a\"", "): .}"),
        ("f(", ".", ")"),
        (".[", "0", "]"),
        (" -", "1", ""),
        ("if ", ".", " then . else . end"),
        ("if . then ", ".", " end"),
        ("if . then . else ", ".", " end"),
        ("try ", ".", ""),
        ("try . catch ", ".", ""),
        ("def f: ", ".", "; ."),
        ("def f: .; . | ", ".", ""),
        ("label $x | ", ".", ""),
        (". as $x | ", ".", ""),
        (". as [$x] | ", ".", ""),
        ("reduce ", ".", " as $x (0; .)"),
        ("reduce . as $x (0; ", ".", ")"),
        ("foreach . as $x (0; ", ".", ")"),
        ("\"\\(", ".", ")\""),
        ("(\")\" | ", ".", ")"),
        ("(\"\\\")\" | ", ".", ")"),
        ("( # )\n", ".", ")"),
        ("( # ) \\\n ) \n", ".", ")"),
        (". = ", ".", ""),
        (". |= ", ".", ""),
        (". += ", ".", ""),
        (". //= ", ".", ""),
        ("1 == ", "1", ""),
        ("1 < ", "1", ""),
        (". as [", "$x", "] | ."),
        ("filter(", ".", ")"),
        ("test(", ".", ")"),
        ("@json \"\\(", ".", ")\""),
    ] {
        for n in [5000, 201] {
            let output = run(&nested(open, inner, close, n));
            fails(&output, 2, &["more than 200 levels are open here"]);
        }
        // What is refused is refused for something else.
        let output = run(&nested(open, inner, close, 60));
        assert!(matches!(output.status.code(), Some(0 | 2)), "{open}: {:?}", output.status);
        assert!(!text(&output.stderr).contains("levels"), "{open}: {}", text(&output.stderr));
    }
}

#[test]
fn conditions_that_are_nested_are_evaluated_on_any_thread() {
    let mut condition = ". == \"w1\"".to_owned();
    for n in 0..95 {
        condition = match n % 3 {
            0 => format!("({condition} | not)"),
            1 => format!("(. != \"v\" and {condition})"),
            _ => format!("(. == \"v\" or {condition})"),
        };
    }
    for threads in ["1", "4"] {
        for program in
            [format!("filter({condition}) | count"), format!("map({condition}) | frequencies")]
        {
            let output = creel_with(b"w1\nx\n", &["-j", threads, &program]);
            assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        }
    }
    prints(&run(&format!("filter({condition}) | count")), "1\n");
}

#[cfg(unix)]
#[test]
fn the_stack_of_the_first_thread_is_not_relied_on() {
    let program = format!("filter({}) | count", chain(|i| format!(".==\"w{i}\""), " or ", 1000));
    let nested = format!("filter({}. == \"w1\"{}) | count", "(".repeat(190), ")".repeat(190));
    for program in [program, nested] {
        let script = format!(
            "ulimit -s 256; printf 'w1\\nx\\n' | {} '{program}'",
            env!("CARGO_BIN_EXE_creel")
        );
        let output = Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::null())
            .output()
            .expect("a shell");
        prints(&output, "1\n");
    }
}
