//! A plan in steps gives what one run gives.

use std::io::Write;
use std::process::Stdio;

use crate::{PROGRAMS, Planned, command, creel, printed, refused, root, said};

#[test]
fn programs_in_steps_print_what_one_run_prints() {
    for program in PROGRAMS {
        for tasks in [1, 3] {
            let planned = Planned::new(root(), program, tasks);
            assert!((1..=tasks).contains(&planned.tasks.len()), "{:?}", planned.tasks);
            assert!(!planned.answer.is_empty());
            let states = planned.states();
            planned.finishes(&states);
            // Merged first, some by way of another.
            let mut last = states[0].clone();
            for (n, state) in states.iter().enumerate().skip(1) {
                let merged = format!("merged{n}");
                printed(planned.step("merge", &[&last, state, "-o", &merged]));
                last = merged;
            }
            planned.finishes(&[last]);
        }
    }
}

#[test]
fn steps_read_standard_input_and_write_to_standard_output() {
    let planned = Planned::new(root(), PROGRAMS[0], 2);
    let partitions = printed(planned.step("list", &[]));
    let piped = |args: &[&str], input: &[u8]| {
        let mut command = command(planned.path(), args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        child.stdin.take().expect("a pipe").write_all(input).expect("it is read");
        printed(child.wait_with_output().expect("it ends"))
    };
    let state = piped(&["worker", "run", "plan", "-"], &partitions);
    let merged = piped(&["worker", "merge", "plan", "-"], &state);
    // A merge of one state is that state.
    assert!(state == merged);
    assert_eq!(piped(&["worker", "finish", "plan", "-"], &merged), planned.answer);
    let plan = printed(creel(root(), &["--plan-to", "-", PROGRAMS[0].1, PROGRAMS[0].2[0]]));
    assert!(plan == std::fs::read(planned.file("plan")).expect("the plan"));
    assert!(piped(&["worker", "list", "-"], &plan) == partitions);
    let output = creel(planned.path(), &["worker", "merge", "-", "-"]);
    refused(&output, 2, &["standard input is named twice"]);
}

#[test]
fn a_plan_is_written_and_nothing_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let plan = |args: &[&str]| creel(folder, &[&["--plan-to", "plan"], args].concat());
    // Nothing is there, and nobody answers.
    printed(plan(&["count", "no-such.txt", "http://127.0.0.1:1/a"]));
    let bytes = std::fs::read(folder.join("plan")).expect("the plan");
    let holds =
        |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|of| of == text.as_bytes());
    // Another process may be in another folder.
    assert!(holds(&bytes, &folder.join("no-such.txt").display().to_string()));
    // What shapes the answer is in it, and what a process may use is not.
    let with = |args: &[&str]| {
        printed(plan(&[args, &["count", "a.txt"]].concat()));
        std::fs::read(folder.join("plan")).expect("the plan")
    };
    let plain = with(&[]);
    for process in [["-j", "2"], ["--memory", "64M"], ["--tmpdir", "/tmp"], ["--spill-max", "1M"]] {
        assert!(with(&process) == plain, "{process:?}");
    }
    for question in [
        ["-f", "jsonl"].as_slice(),
        &["--invalid", "skip"],
        &["--on-missing", "fail"],
        &["--delimiter", ","],
        &["--encoding", "latin1"],
        &["--compression", "none"],
        &["--blocksize", "64k"],
        &["--max-record", "1k"],
        &["--max-ratio", "7"],
        &["-a"],
        &["--anonymous"],
    ] {
        assert!(with(question) != plain, "{question:?}");
    }
    for (source, says) in [
        ("-", "- is read by this one alone"),
        ("https://u:pw@host/a", "a plan holds no credential"),
        ("https://host/a?X-Amz-Signature=00ff", "a plan holds no credential"),
    ] {
        let output = plan(&["count", source]);
        refused(&output, 2, &[says]);
        assert!(!said(&output).contains("00ff") && !said(&output).contains(":pw@"));
    }
    refused(&plan(&["frequency", "a.txt"]), 2, &["unknown name `frequency`"]);
    refused(&plan(&["-o", "x", "count", "a.txt"]), 2, &["cannot be used with"]);
}

#[test]
fn tasks_are_neighbouring_partitions_of_about_equal_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    for file in 0..40 {
        let text = format!("line of {file}\n").repeat(if file < 5 { 40_000 } else { 2_000 });
        std::fs::write(folder.join(format!("{file:02}.txt")), text).expect("it is written");
    }
    for (asked, fewest) in [(1, 1), (4, 4), (7, 6), (1000, 8)] {
        let planned = Planned::new(folder, (&[], ".", &["*.txt"]), asked);
        assert!((fewest..=asked).contains(&planned.tasks.len()), "{:?}", planned.tasks);
        let names: Vec<String> =
            (0..planned.tasks.len()).map(|n| format!("parts/{n:04}.parts")).collect();
        assert_eq!(planned.tasks, names);
        if asked > 7 {
            continue;
        }
        let states = planned.states();
        let sizes: Vec<u64> = states
            .iter()
            .map(|state| std::fs::metadata(planned.file(state)).expect("a state").len())
            .collect();
        let fair = sizes.iter().sum::<u64>() / sizes.len() as u64;
        assert!(sizes.iter().all(|size| *size < 2 * fair), "{sizes:?}");
        // Records come in the order of the input.
        planned.finishes(&states);
    }
    // Where there is nothing to read there is one task, which knows why.
    let planned = Planned::new(folder, (&["--on-missing", "skip"], "count", &["01.txt"]), 4);
    printed(creel(folder, &["--plan-to", "plan", "--on-missing", "skip", "count", "no/such/*"]));
    std::fs::rename(folder.join("plan"), planned.file("plan")).expect("it is moved");
    let output = planned.step("list", &["--into", "none", "--tasks", "4", "-q"]);
    assert_eq!(printed(output), b"none/0000.parts\n");
    let output = planned.step("run", &["none/0000.parts", "-o", "none/state", "-q"]);
    printed(output);
    let output = planned.step("finish", &["none/state"]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), b"0\n".as_slice()));
    assert!(said(&output).contains("passed over 1 entry"), "{}", said(&output));
}

#[test]
fn each_step_has_a_help_of_one_screen() {
    for step in ["", "list", "run", "merge", "finish"] {
        let args: Vec<&str> =
            ["worker", step, "--help"].into_iter().filter(|arg| !arg.is_empty()).collect();
        let help = String::from_utf8(printed(creel(root(), &args))).expect("text");
        assert!(help.lines().count() <= 30, "{} lines", help.lines().count());
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        assert!(help.contains(&format!("creel worker {step}").trim_end().to_owned()), "{help}");
    }
    let help = String::from_utf8(printed(creel(root(), &["--help"]))).expect("text");
    assert!(help.contains("creel worker"));
    // No program is called so.
    let output = creel(root(), &["worker", "fixtures/access.log"]);
    refused(&output, 2, &["unrecognized subcommand"]);
    refused(&creel(root(), &["--", "worker"]), 2, &["unknown name `worker`"]);
    refused(&creel(root(), &["worker", "run", "plan"]), 2, &["PARTITIONS"]);
    refused(&creel(root(), &["worker"]), 2, &["Usage: creel worker STEP"]);
}
