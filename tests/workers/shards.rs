//! States that are cut by a hash of their keys.

use crate::{PROGRAMS, Planned, printed, refused, root};

const SHARDS: usize = 3;

/// Runs each task in shards; returns the names of the states of each shard.
fn sharded(planned: &Planned, folder: &str) -> Vec<Vec<String>> {
    let mut shards = vec![Vec::new(); SHARDS];
    for (n, task) in planned.tasks.iter().enumerate() {
        let into = format!("{folder}{n}");
        let number = SHARDS.to_string();
        let output = planned.step("run", &[task, "--into", &into, "--shards", &number]);
        let names = String::from_utf8(printed(output)).expect("names");
        assert_eq!(names.lines().count(), SHARDS);
        names.lines().zip(&mut shards).for_each(|(name, shard)| shard.push(name.to_owned()));
    }
    shards
}

fn strings(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

#[test]
fn shards_are_merged_by_themselves_and_finished_together() {
    let more: [(&[&str], &str, &[&str]); 4] = [
        (&[], "words | frequencies", &["fixtures/peps/*.rst"]),
        (
            &[],
            "words | (map(length) | frequencies), count, (sort | take(3))",
            &["fixtures/access.log"],
        ),
        (
            &[],
            "words | groupby(.; {n: count, u: nunique(length), l: list})",
            &["fixtures/access.log"],
        ),
        (&[], ".", &["fixtures/access.log"]),
    ];
    for program in PROGRAMS.into_iter().chain(more) {
        let planned = Planned::new(root(), program, 3);
        let shards = sharded(&planned, "shards");
        let mut merged = Vec::new();
        for (n, shard) in shards.iter().enumerate() {
            let name = format!("shard{n}");
            let args = [strings(shard), vec!["-o", &name]].concat();
            printed(planned.step("merge", &args));
            merged.push(name);
        }
        planned.finishes(&merged);
        planned.finishes(&shards.concat());
        // All shards make the whole, to the byte.
        let states = planned.states();
        printed(planned.step("merge", &[strings(&states), vec!["-o", "whole"]].concat()));
        printed(planned.step("merge", &[strings(&merged), vec!["-o", "of-shards"]].concat()));
        let bytes = |name: &str| std::fs::read(planned.file(name)).expect("a state");
        assert!(bytes("whole") == bytes("of-shards"), "{program:?}");
        planned.finishes(&["of-shards".to_owned()]);
    }
}

#[test]
fn shards_that_are_missing_doubled_or_mixed_are_refused_by_name() {
    let planned = Planned::new(root(), PROGRAMS[4], 2);
    let shards = sharded(&planned, "a");
    let states = planned.states();
    let [zero, one, two] = [0, 1, 2].map(|n| strings(&shards[n]));
    let refuse = |states: &[&str], says: &[&str]| {
        let output = planned.step("finish", states);
        refused(&output, 2, says);
        assert!(output.stdout.is_empty());
    };
    refuse(&zero, &["there is no state of shard 1 of 3"]);
    refuse(&[zero.clone(), two.clone()].concat(), &["there is no state of shard 1 of 3"]);
    refuse(&[two[0], one[0]], &["there is no state of shard 0 of 3"]);
    refuse(
        &[zero.clone(), vec![one[0]], two.clone()].concat(),
        &["of which the states of shard 1 have not read the same bytes", "fixtures/"],
    );
    refuse(
        &[vec![zero[1]], one.clone(), two.clone()].concat(),
        &["of which the states of shard 0 have not read the same bytes", "fixtures/"],
    );
    // The same shard of the same run, by another worker.
    let again = sharded(&planned, "again");
    refuse(
        &[zero.clone(), one.clone(), two.clone(), vec![&again[2][1]]].concat(),
        &["holds what", "(shard 2 of 3)", "counted twice"],
    );
    refuse(
        &[zero.clone(), one.clone(), two.clone(), vec![&states[0]]].concat(),
        &["is of all keys", "with the same --shards"],
    );
    printed(planned.step("run", &["parts/0000.parts", "--into", "four", "--shards", "4"]));
    refuse(
        &[&zero, ["four/0001.state"].as_slice()].concat(),
        &["is shard 1 of 4", "is shard 0 of 3"],
    );
    // Merged states are held to the same.
    printed(planned.step("merge", &[zero.clone(), vec!["-o", "zero"]].concat()));
    printed(planned.step("merge", &[vec![one[0]], vec!["-o", "one"]].concat()));
    refuse(
        &[vec!["zero", "one"], two].concat(),
        &["states of shard 1 have not read the same bytes"],
    );
    refused(&planned.step("run", &["parts/0000.parts", "--shards", "2"]), 2, &["--into"]);
    let many = ["parts/0000.parts", "--into", "x", "--shards", "257"];
    refused(&planned.step("run", &many), 2, &["a number from 1 to 256"]);
}

#[test]
fn runs_of_shards_report_each_skipped_record_once() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a"), b"one\n\xff\ntwo\n").expect("it is written");
    let planned = Planned::new(folder.path(), (&["--invalid", "skip"], "count", &["a"]), 1);
    let plan = planned.file("plan").display().to_string();
    let asked = ["--plan-to", &plan, "--invalid", "skip", "frequencies", "a"];
    printed(crate::creel(folder.path(), &asked));
    printed(planned.step("list", &["--into", "again", "--tasks", "1"]));
    let run = ["again/0000.parts", "--into", "s", "--shards", "3", "-q"];
    printed(planned.step("run", &run));
    let output = planned.step("finish", &["s/0000.state", "s/0001.state", "s/0002.state"]);
    refused(&output, 0, &["skipped 1 record at "]);
    assert_eq!(output.stdout, b"[\"one\",1]\n[\"two\",1]\n");
}
