//! The examples run, and print what the golden outputs say.

use std::path::Path;
use std::process::Command;

/// What an example prints.
///
/// Cargo builds the examples before it runs the tests, and puts them beside this program's folder.
/// It is not asked to run them: it might build all dependencies again, for other features.
fn example(name: &str, arguments: &[&str]) -> String {
    let own = std::env::current_exe().expect("this program's path");
    let profile = own.parent().and_then(Path::parent).expect("target/PROFILE/deps");
    let program = profile.join("examples").join(name);
    assert!(program.exists(), "{} is missing: run cargo build --examples", program.display());
    let output = Command::new(program)
        .args(arguments)
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

fn log() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/access.log");
    std::fs::read_to_string(path).expect("the log")
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
    assert_eq!(example("word_count", &["fixtures/peps/*.rst"]), pairs("peps-top10.jsonl"));
}

#[test]
fn top_urls_prints_the_golden_urls_and_how_many_failed() {
    let (all, missing) = (pairs("access-urls-top10.jsonl"), pairs("access-404-top3.jsonl"));
    let failures = golden("access-404.jsonl");
    let expected = format!(
        "asked for most:\n{all}{} were not there, most of all:\n{missing}",
        failures.trim_end()
    );
    assert_eq!(example("top_urls", &["fixtures/access.log"]), expected);
}

#[test]
fn custom_tasks_counts_each_line_of_the_log_once() {
    let out = example("custom_tasks", &["fixtures/access.log"]);
    let counts = out.lines().filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    assert_eq!(counts.sum::<u64>(), log().lines().count() as u64, "{out}");
    assert!(out.contains("served"), "{out}");
}

#[test]
fn report_gives_three_results_of_one_read() {
    let out = example("report", &["fixtures/access.log"]);
    let counts: Vec<&str> = out.lines().filter(|line| line.starts_with(' ')).collect();
    let (classes, urls) = counts.split_at(counts.len() - 5);
    let total =
        classes.iter().filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    assert_eq!(total.sum::<u64>(), log().lines().count() as u64, "{out}");
    let golden = pairs("access-urls-top10.jsonl");
    assert!(golden.lines().take(5).eq(urls.iter().copied()), "{out}");
    assert!(out.contains(&format!("{} bytes of log were read", log().len())), "{out}");
}

#[test]
fn delayed_pipeline_finds_the_turn_of_the_weather_and_draws_its_graph() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("graph.svg");
    let picture = path.to_str().expect("UTF-8");
    let out = example("delayed_pipeline", &[picture]);
    assert!(out.starts_with(&format!("The graph is drawn in {picture}\nOf 30 days ")), "{out}");

    let svg = std::fs::read_to_string(&path).expect("a picture");
    for task in ["load × 30", "usual", "normalise × 30", "roll × 28", "compare × 27", "sharpest"]
    {
        assert!(svg.contains(&format!(">{task}<")), "{task} is not drawn");
    }

    // Files of one's own: the fifth day is two degrees colder for half of its hours.
    let days: Vec<String> = (1..=7)
        .map(|number| {
            let day = folder.path().join(number.to_string());
            let hours = if number == 5 { "8\n10\n" } else { "10\n10\n" };
            std::fs::write(&day, hours.repeat(12)).expect("a day");
            day.to_string_lossy().into_owned()
        })
        .collect();
    let given: Vec<&str> = [picture].into_iter().chain(days.iter().map(String::as_str)).collect();
    let out = example("delayed_pipeline", &given);
    assert!(out.ends_with("from days 2-4 to days 3-5: by -0.3 degrees.\n"), "{out}");
}

#[test]
fn block_argmax_agrees_with_the_plain_way_in_blocks_of_any_size_with_few_alive() {
    for (axis, block) in [("0", "7"), ("1", "7"), ("2", "7"), ("1", "64"), ("2", "1")] {
        let out = example("block_argmax", &[axis, "21", "13", "8", block]);
        assert!(out.contains("is 0.99999"), "{out}");
        assert!(out.ends_with("The plain way finds the same elements.\n"), "{out}");
        let alive = out.split(" were alive").next().and_then(|out| out.rsplit(' ').next()).unwrap();
        // Of chains one or two on each thread.
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        assert!(alive.parse::<usize>().unwrap() <= 2 * threads, "{out}");
    }
}

#[test]
fn rosenbrock_finds_the_bottom_of_the_valley() {
    let out = example("rosenbrock", &[]);
    assert!(out.contains("the least is 0.000"), "{out}");
    assert!(out.contains("at (1.00") || out.contains("at (0.99"), "{out}");
    assert!(out.contains("tasks: 0 waiting, 0 running, 0 done, 0 failed"), "{out}");
}

#[test]
fn hosts_prints_the_golden_aggregates_of_each_host() {
    assert_eq!(example("hosts", &["fixtures/access.jsonl"]), golden("access-json-hosts.txt"));
}
