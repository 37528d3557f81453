//! Plans that bags build: of the same bytes as those of the command, and errors that name the stage.

#![cfg(feature = "cli")]

use std::fs;
use std::process::Command;

use creel::plan::{self, InputFormat, Plan, State};
use creel::{Bag, Error, Invalid, Missing, ReadOptions};

const PEPS: [&str; 3] =
    ["fixtures/peps/pep-0001.rst", "fixtures/peps/pep-0008.rst", "fixtures/peps/pep-0020.rst"];

fn lines(sources: &[&str]) -> Bag<String> {
    ReadOptions::new().on_missing(Missing::Report).read_text(sources).expect("plain patterns")
}

fn rows(plan: &Plan) -> Vec<String> {
    let partitions = plan::list(plan).expect("listed");
    let state = plan::run(plan, &partitions).expect("run");
    let rows = plan::finish(plan, &state).expect("finished");
    rows.iter().map(str::to_owned).collect()
}

#[track_caller]
fn refused(plan: creel::Result<Plan>, says: &[&str]) {
    match plan {
        Err(Error::Plan { reason }) => {
            for part in says {
                assert!(reason.contains(part), "no {part:?} in: {reason}");
            }
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn states_of_a_bag_and_of_the_command_merge() {
    const PROGRAM: &str = "words | frequencies | topk(10)";
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("command.creel");
    let creel = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_creel")).args(args).output();
        let output = output.expect("the command runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let path = file.to_str().expect("UTF-8");
    creel(&["--partial", path, PROGRAM, PEPS[0], PEPS[1]]);

    let top = lines(&PEPS[2..]).words().frequencies().topk(10);
    let plan = top.plan().expect("all stages are data");
    let ours = plan::run(&plan, &plan::list(&plan).expect("listed")).expect("run");
    let theirs = State::from_bytes(fs::read(&file).expect("written")).expect("a state");
    let merged = plan::merge(&plan, &[ours, theirs]).expect("of one plan");
    let merged = plan::finish(&plan, &merged).expect("finished");
    let both: Vec<String> = merged.iter().map(str::to_owned).collect();

    let at_once = creel(&[&["-t", "jsonl", PROGRAM][..], &PEPS].concat());
    assert_eq!(both, at_once.lines().collect::<Vec<_>>());
}

#[test]
fn rows_of_a_plan_are_the_value_of_its_bag() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.txt");
    fs::write(&file, "b a,\nc \"x\" a\n\nb a,\n").expect("written");
    let bag = || lines(&[file.to_str().expect("UTF-8")]);
    let words = || bag().words();
    let texts = |texts: Vec<String>| -> Vec<String> {
        texts.iter().map(|text| format!("\"{}\"", text.replace('"', "\\\""))).collect()
    };
    let pairs = |pairs: Vec<(String, u64)>| -> Vec<String> {
        let row = |(text, n): &(String, u64)| format!("[\"{}\",{n}]", text.replace('"', "\\\""));
        pairs.iter().map(row).collect()
    };
    macro_rules! same {
        ($($item:expr, $rows:expr, $program:expr;)*) => {$({
            let item = $item;
            let plan = item.plan().expect($program);
            assert_eq!(plan.program(), $program);
            assert_eq!(rows(&plan), $rows(item.compute_blocking().expect($program)), "{}", $program);
        })*};
    }
    let number = |n: u64| vec![n.to_string()];
    let one = |text: Option<String>| texts(text.into_iter().collect());
    same! {
        bag().count(), number, "count";
        words().count(), number, "words | count";
        words().nunique(), number, "words | nunique";
        words().frequencies().topk(2), pairs, "words | frequencies | topk(2)";
        words().topk(3), texts, "words | topk(3)";
        words().bottomk(3), texts, "words | bottomk(3)";
        bag().min(), one, "min";
        words().max(), one, "words | max";
        bag().words().first(), one, "words | first";
        bag().words().last(), one, "words | last";
        bag().take(2), texts, "take(2)";
        bag().collect(), texts, ".";
        bag().words().collect(), texts, "words";
    }
    let plan = bag().words().plan().expect("all stages are data");
    assert_eq!(rows(&plan), texts(bag().words().compute_blocking().expect("read")));
}

#[test]
fn stages_that_are_no_data_are_named_with_their_place() {
    let words = || lines(&PEPS).words();
    let here = "tests/bag_plan.rs:";
    refused(words().map(|word| word).plan(), &["stage 2, `map`, is a closure (", here]);
    refused(words().filter(|_| true).count().plan(), &["stage 2, `filter`, is a closure"]);
    refused(lines(&PEPS).filter(|_| true).words().plan(), &["stage 1, `filter`, is a closure"]);
    refused(words().lend(|words| words.count()).plan(), &["stage 2, `lend`, is a closure"]);
    refused(words().fold(|| 0, |n, _| n + 1, |a, b| a + b).plan(), &["stage 2, `fold`"]);
    refused(
        words().frequencies().filter(|_, n| n > 1).plan(),
        &["stage 3, `filter`, is a closure"],
    );
    refused(words().count().map(|n| n + 1).plan(), &["stage 3, `map`, is a closure"]);
    refused(words().topk_by(3, |word| word.len()).plan(), &["stage 2, `topk_by`, is a closure"]);
    refused(words().sample(3, 7).plan(), &["stage 2, `sample`, is an aggregate of Rust types"]);
    refused(words().split(",").plan(), &["stage 2, `split`, is a cut that gives a piece"]);
    refused(words().frequencies().into_bag().count().plan(), &["stage 3, `into_bag`, is "]);
    refused(Bag::from_iter(["a".to_owned()]).words().plan(), &["reads text from sources"]);
    let bytes = creel::read_bytes(PEPS[0]).expect("a pattern");
    refused(bytes.count().plan(), &["begin with `read_text`"]);
}

#[test]
fn options_of_reading_go_into_the_plan() {
    let options = ReadOptions::new().invalid(Invalid::Skip).on_missing(Missing::Skip);
    let ours = options.read_text(["a.log"]).expect("a pattern").words().count().plan();
    let theirs = Plan::new("words | count", InputFormat::TEXT, ["a.log"]).expect("a program");
    assert_ne!(ours.as_ref().expect("data").digest(), theirs.digest());
    let theirs = theirs.invalid(Invalid::Skip).on_missing(Missing::Skip);
    assert_eq!(ours.expect("data").to_bytes(), theirs.to_bytes());
}
