//! The examples run, and print what the golden outputs say.

use std::path::Path;
use std::process::Command;

/// What an example prints over a fixture.
///
/// Cargo builds the examples before it runs the tests, and puts them beside this program's folder.
/// It is not asked to run them: it might build all dependencies again, for other features.
fn example(name: &str, source: &str) -> String {
    let own = std::env::current_exe().expect("this program's path");
    let profile = own.parent().and_then(Path::parent).expect("target/PROFILE/deps");
    let program = profile.join("examples").join(name);
    assert!(program.exists(), "{} is missing: run cargo build --examples", program.display());
    let output = Command::new(program)
        .arg(source)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the example to start");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn golden(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden").join(name);
    std::fs::read_to_string(path).expect("a golden output")
}

/// Golden pairs, as the examples print them: a count in eight columns, and the key.
fn pairs(name: &str) -> String {
    let text = golden(name);
    let lines = text.lines().map(|line| {
        let pair = line.trim_start_matches("[\"").trim_end_matches(']');
        let (key, count) = pair.rsplit_once("\",").expect("a pair");
        format!("{count:>8} {key}\n")
    });
    lines.collect()
}

#[test]
fn word_count_prints_the_golden_words() {
    assert_eq!(example("word_count", "fixtures/peps/*.rst"), pairs("peps-top10.jsonl"));
}

#[test]
fn top_urls_prints_the_golden_urls_and_how_many_failed() {
    let (all, missing) = (pairs("access-urls-top10.jsonl"), pairs("access-404-top3.jsonl"));
    let failures = golden("access-404.jsonl");
    let expected = format!(
        "asked for most:\n{all}{} were not there, most of all:\n{missing}",
        failures.trim_end()
    );
    assert_eq!(example("top_urls", "fixtures/access.log"), expected);
}
