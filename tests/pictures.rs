//! A picture shows what a run would be, and reads nothing for it.

use std::collections::HashMap;
use std::fs;

use creel::delayed::{all, call, delayed};
use creel::{Bag, Compute, ReadOptions};

/// The labels of a picture's boxes, and its arrows from label to label.
struct Picture {
    boxes: Vec<String>,
    arrows: Vec<(String, String)>,
}

impl Picture {
    fn of(draw: impl FnOnce(&std::path::Path) -> creel::Result<()>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("picture.dot");
        draw(&path).expect("it is drawn");
        Self::parse(&fs::read_to_string(path).expect("a file"))
    }

    fn of_all(what: &impl Compute) -> Self {
        Self::of(|path| creel::visualize(what, path))
    }

    fn parse(dot: &str) -> Self {
        let mut labels = HashMap::new();
        let (mut boxes, mut arrows) = (Vec::new(), Vec::new());
        for line in dot.lines().map(str::trim) {
            if let Some((number, label)) = line.split_once(" [label=\"") {
                let label = label.split('"').next().expect("a label has an end");
                labels.insert(number, label.to_owned());
                boxes.push(label.to_owned());
            } else if let Some((from, to)) = line.trim_end_matches(';').split_once(" -> ") {
                arrows.push((labels[from].clone(), labels[to].clone()));
            }
        }
        Self { boxes, arrows }
    }

    /// How many boxes say this first.
    fn count(&self, start: &str) -> usize {
        self.boxes.iter().filter(|label| label.starts_with(start)).count()
    }

    fn leads(&self, from: &str, to: &str) -> bool {
        self.arrows.iter().any(|(a, b)| a.starts_with(from) && b.starts_with(to))
    }
}

fn words(pattern: &str) -> Bag<String> {
    creel::read_text(pattern).expect("a pattern").words().filter(|word| word.len() > 5)
}

#[test]
fn an_item_is_its_source_lanes_merges_and_an_end_with_their_lines() {
    // It is not there, and nobody looks.
    let top = words("no/such/folder/*.txt").frequencies().topk(3);
    let picture = Picture::of(|path| top.visualize(path));
    assert_eq!(picture.boxes.len(), 4, "{:?}", picture.boxes);
    let line = line!() - 3;
    assert!(picture.boxes[0].starts_with("read_text\\nno/such/folder/*.txt\\ntests/pictures.rs:"));
    let lane = &picture.boxes[1];
    assert!(lane.starts_with("lane × threads\\nwords  tests/pictures.rs:"), "{lane}");
    assert!(lane.ends_with(&format!("\\nfrequencies  tests/pictures.rs:{line}")), "{lane}");
    assert_eq!(picture.boxes[3], format!("finish\\ntopk  tests/pictures.rs:{line}"));
    assert!(picture.leads("read_text", "lane") && picture.leads("lane", "merge"));
    assert!(picture.leads("merge", "finish"));
}

#[test]
fn where_order_counts_lanes_are_runs_of_partitions() {
    let bag = words("no/such/file");
    let picture = Picture::of(|path| bag.visualize(path));
    assert_eq!(picture.count("lane × runs of partitions"), 1, "{:?}", picture.boxes);
    let numbers = Picture::of(|path| Bag::from_iter(0..9).visualize(path));
    assert_eq!(numbers.boxes.len(), 3, "an iterator is one partition: {:?}", numbers.boxes);
    let first = Picture::of(|path| bag.clone().take(3).visualize(path));
    assert!(first.leads("lane × threads", "take\\ntests/pictures.rs:"), "{:?}", first.boxes);
}

#[test]
fn what_is_computed_together_is_read_once() {
    let bag = words("no/such/file");
    let (count, greatest) = (bag.clone().count(), bag.max());
    let both = Picture::of_all(&(&count, &greatest));
    assert_eq!((both.count("read_text"), both.count("lane")), (1, 1));
    let other = words("no/such/file").count();
    let picture = Picture::of_all(&vec![count, other]);
    assert_eq!((picture.count("read_text"), picture.count("lane")), (2, 2));
}

#[test]
fn arguments_lead_into_the_lanes_and_are_drawn_once() {
    let lengths = words("no/such/file").map(|word| word.len());
    let greatest = lengths.clone().max();
    let table = delayed(7_usize).named("table");
    let relative = lengths
        .map_with(&greatest, |n, greatest: &Option<usize>| n / greatest.unwrap_or(1))
        .map_with(&table, |n, table: &usize| n * table);
    let handles = relative.clone().sum().to_delayed();
    let again = call(|n: &i128, most: &Option<usize>| (*n, *most), (handles, &greatest));
    let picture = Picture::of_all(&(again, table));
    // One pass for the greatest, and one for what becomes of all.
    assert_eq!((picture.count("read_text"), picture.count("lane")), (2, 2));
    assert_eq!((picture.count("table"), picture.count("item")), (1, 2));
    assert!(picture.leads("table", "lane") && picture.leads("item", "lane"));
    assert!(picture.leads("item", "call"), "{:?}", picture.arrows);
}

#[test]
fn partitions_and_lanes_of_tasks_are_tasks() {
    let log = ReadOptions::new().partition_size(100_000).read_text(["fixtures/access.log"]);
    let log = log.expect("a pattern").filter(|line| line.len() > 10);
    let parts = log.to_delayed_blocking().expect("the log is there");
    let table = delayed(()).named("table");
    let sized = parts.iter().map(|part| {
        call(|part: &Vec<String>, (): &()| vec![part.len()], (part, &table)).named("size")
    });
    let sized: Vec<_> = sized.collect();
    let most = Bag::from_delayed(sized.iter().cloned()).max();
    let picture = Picture::of_all(&(most, all(sized)));
    let n = parts.len();
    assert!((2..8).contains(&n), "{n} partitions");
    for (label, count) in [
        ("read_text", 1),
        ("partition\\nfilter  tests/pictures.rs:", n),
        ("size", n),
        ("lane\\nfrom_delayed", n),
        ("merge", n - 1),
        ("finish", 1),
        ("all", 1),
    ] {
        assert_eq!(picture.count(label), count, "{label}: {:?}", picture.boxes);
    }
    for (from, to) in [("read_text", "partition"), ("size", "lane"), ("size", "all")] {
        assert!(picture.leads(from, to), "{from} to {to}: {:?}", picture.arrows);
    }
}

#[test]
fn many_that_are_alike_are_one_box() {
    let parts = (0..30).map(|n| delayed(vec![n]).named("load"));
    let picture = Picture::of(|path| Bag::from_delayed(parts).count().visualize(path));
    assert!(picture.boxes.len() < 30, "{:?}", picture.boxes);
    assert!(picture.boxes.iter().all(|label| label.contains('×') || !label.starts_with("load")));
}

#[cfg(feature = "http")]
#[test]
fn a_web_address_is_drawn_without_what_signs_it() {
    let url = "https://host/a.txt?sig=secret";
    let picture = Picture::of(|path| words(url).count().visualize(path));
    assert!(picture.boxes[0].contains("https://host/a.txt"), "{:?}", picture.boxes);
    assert!(!picture.boxes.concat().contains("secret"));
}

/// Where a child of [`a_program_that_is_killed_leaves_nothing_beside_later_pictures`] draws.
#[cfg(unix)]
const KILLED: &str = "CREEL_TEST_KILLED_PICTURE";

#[cfg(unix)]
#[test]
fn a_program_that_is_killed_leaves_nothing_beside_later_pictures() {
    let handle = delayed(1).named("one");
    if let Some(path) = std::env::var_os(KILLED) {
        // The first write kills this process.
        handle.visualize(path).expect("it never returns");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("picture.dot");
    fs::write(&path, "before").expect("a file");
    for _ in 0..2 {
        let name = "a_program_that_is_killed_leaves_nothing_beside_later_pictures";
        let child = std::process::Command::new("sh")
            .args(["-c", "ulimit -c 0; ulimit -f 0; exec \"$0\" --exact \"$1\" --nocapture"])
            .arg(std::env::current_exe().expect("a program"))
            .arg(name)
            .env(KILLED, &path)
            .output();
        let child = child.expect("sh runs");
        assert_eq!(child.status.code(), None, "a signal kills it: {child:?}");
        assert_eq!(fs::read_to_string(&path).expect("a file"), "before");
        // The next one sweeps what this one left.
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 2);
    }
    handle.visualize(&path).expect("it is drawn");
    assert!(fs::read_to_string(&path).expect("a file").starts_with("digraph"));
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 1);
}

#[test]
fn pictures_that_are_drawn_at_the_same_time_are_all_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let path = folder.path().join(format!("{}.dot", thread % 2));
            scope.spawn(move || {
                for _ in 0..20 {
                    delayed(1).visualize(&path).expect("it is drawn");
                    let drawn = fs::read_to_string(&path).expect("a file");
                    assert!(drawn.starts_with("digraph") && drawn.trim_end().ends_with('}'));
                }
            });
        }
    });
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 2);
}
