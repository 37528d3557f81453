//! The bar, on a terminal of its own.

use std::env;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::tests::Story;
use super::{Bar, What};

/// Three tasks, of which the last one starts.
fn begin(bar: &Bar) {
    let story = Story::of(bar);
    for id in 1..=3 {
        story.at(0, "lane", id, What::Planned);
    }
    story.at(10, "lane", 1, What::Read { bytes: 3 << 20, records: 0 });
    // Now it is drawn, with what was told before.
    story.at(1000, "lane", 3, What::Started);
}

#[test]
fn a_bar_as_text_is_one_line() {
    let bar = Bar::new();
    begin(&bar);
    assert_eq!(bar.to_string(), "0 tasks, 3.00 MiB, 3.00 MiB/s, 1.0s, lane");
    let story = Story::of(&bar);
    story.at(900, "lane", 2, What::Started);
    story.at(900, "merge\n", 4, What::Started);
    assert!(bar.to_string().ends_with(", lane x2, merge\\n"), "{bar}");
    story.at(900, "lane", 2, What::Done);
    assert!(bar.to_string().starts_with("1 task, "), "{bar}");
    assert!(bar.to_string().ends_with(", lane, merge\\n"), "{bar}");
}

/// What this test binary's helper of that name prints on a terminal of 80 columns.
#[cfg(target_os = "linux")]
fn on_a_terminal(helper: &str) -> String {
    let exe = env::current_exe().expect("this test has a path");
    let line = format!(
        "stty cols 80 rows 24; '{}' --exact --ignored --nocapture watch::bar_tests::{helper}",
        exe.display()
    );
    let output = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .envs([("NO_COLOR", "1"), ("TERM", "xterm")])
        .stdin(Stdio::null())
        .output()
        .expect("script, of util-linux, starts");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
#[ignore = "run on a terminal by another test"]
fn draws() {
    let bar = Bar::new().at_once();
    begin(&bar);
    bar.clear();
    eprintln!("cleared");
}

#[test]
#[ignore = "run on a terminal by another test"]
fn draws_a_run() {
    let bar = Arc::new(Bar::new().at_once());
    let run = crate::Run::new().observer(Arc::clone(&bar));
    let result = run.compute_blocking(&crate::delayed(1).map(|n| n + 1).named("one more"));
    eprintln!("computed {}", result.expect("nothing fails"));
}

#[test]
#[ignore = "run on a terminal by another test"]
fn draws_nothing() {
    begin(&Bar::new());
    eprintln!("dropped");
}

#[cfg(target_os = "linux")]
#[test]
fn a_bar_is_drawn_and_erased() {
    let shown = on_a_terminal("draws");
    assert!(shown.contains("0/3 tasks, 3.00 MiB, "), "{shown:?}");
    assert!(shown.contains(", lane "), "{shown:?}");
    assert!(shown.contains("\r\u{1b}[2Kcleared\r\n"), "{shown:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_bar_is_gone_when_its_run_is_over() {
    let shown = on_a_terminal("draws_a_run");
    assert!(shown.contains(" tasks, ") && shown.contains("\r\u{1b}[2Kcomputed 2"), "{shown:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_that_is_over_at_once_shows_no_bar() {
    let shown = on_a_terminal("draws_nothing");
    assert!(shown.contains("dropped") && !shown.contains("lane"), "{shown:?}");
}
