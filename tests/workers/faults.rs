//! Bytes that are damaged, old or of another plan; processes that are killed; sources that are gone.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use crate::{PROGRAMS, Planned, command, creel, printed, refused, root, said, words};

#[test]
fn bytes_that_are_cut_or_damaged_are_refused_by_name() {
    let planned = Planned::new(root(), PROGRAMS[0], 2);
    let states = planned.states();
    let cases: [(&str, &str, Vec<&str>); 4] = [
        ("plan", "list", vec![]),
        ("parts/0000.parts", "run", vec!["parts/0000.parts"]),
        (&states[0], "merge", vec![&states[0], &states[1]]),
        (&states[1], "finish", vec![&states[0], &states[1]]),
    ];
    for (file, step, args) in cases {
        let whole = std::fs::read(planned.file(file)).expect("it is there");
        let refuse = |bytes: &[u8], says: &[&str]| {
            std::fs::write(planned.file(file), bytes).expect("it is written");
            let output = planned.step(step, &args);
            refused(&output, 3, says);
            assert!(output.stdout.is_empty());
        };
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 4;
        refuse(&flipped, &[file]);
        refuse(&whole[..whole.len() - 7], &[file, "it is cut off; write it again"]);
        refuse(&[&whole, b"x".as_slice()].concat(), &[file, "something follows its end"]);
        let mut other = whole.clone();
        other[8] = 99;
        refuse(&other, &[file, "version 99 of the format", "has version 10"]);
        refuse(b"no bytes of ours", &[file, "this is not"]);
        std::fs::write(planned.file(file), whole).expect("it is written");
        printed(planned.step(step, &args));
    }
    refused(&planned.step("run", &[&states[0]]), 3, &["this is a state", "and not partitions"]);
    refused(&planned.step("run", &["no-such"]), 3, &["no-such: not found"]);
    refused(&planned.step("merge", &["parts/0000.parts"]), 3, &["this is partitions of a plan"]);
}

#[test]
fn states_and_partitions_of_another_plan_are_refused_with_the_difference() {
    let planned = Planned::new(root(), PROGRAMS[0], 2);
    let other = Planned::new(root(), PROGRAMS[4], 2);
    let state = other.file(&other.states()[0]).display().to_string();
    let parts = other.file("parts/0000.parts").display().to_string();
    refused(&planned.step("run", &[&parts]), 2, &["these partitions are of the plan"]);
    for step in ["merge", "finish"] {
        let output = planned.step(step, &[&state]);
        refused(&output, 2, &["is a state of another plan than plan: its program is 'ascii_down"]);
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_run_that_is_killed_leaves_nothing_and_is_run_again() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.txt"), words(60_000)).expect("it is written");
    let planned =
        Planned::new(folder.path(), (&[], "words | frequencies | topk(5)", &["a.txt"]), 2);
    assert_eq!(planned.tasks.len(), 2);
    // It writes more than a pipe takes, of which nobody takes more.
    let args = ["worker", "run", "plan", "parts/0000.parts"];
    let mut killed =
        command(planned.path(), &args).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut first = [0; 8];
    killed.stdout.as_mut().expect("a pipe").read_exact(&mut first).expect("it writes");
    killed.kill().expect("it runs");
    let ended = killed.wait_with_output().expect("it ends");
    assert_eq!(ended.status.signal(), Some(9));
    let half = [first.as_slice(), &ended.stdout].concat();
    std::fs::write(planned.file("half"), half).expect("it is written");
    // Its bytes are known to be cut.
    refused(&planned.step("finish", &["half"]), 3, &["half", "it is cut off"]);
    let states = planned.states();
    planned.finishes(&states);
    // The same task by two workers is refused, for its records would be counted twice.
    printed(planned.step("run", &["parts/0000.parts", "-o", "again"]));
    let output = planned.step("finish", &[&states[0], &states[1], "again"]);
    refused(&output, 2, &["again holds what", "counted twice", "a.txt"]);
    let again = std::fs::read(planned.file("again")).expect("a state");
    assert!(again == std::fs::read(planned.file(&states[0])).expect("a state"));
}

#[test]
fn a_killed_run_leaves_no_file_under_the_name_of_its_state() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.txt"), words(60_000)).expect("it is written");
    let planned = Planned::new(folder.path(), (&[], "words | frequencies", &["a.txt"]), 1);
    std::fs::create_dir(planned.file("out")).expect("a folder");
    let args = ["worker", "run", "plan", "parts/0000.parts", "-o", "out/state", "-j", "1"];
    let mut run = command(planned.path(), &args).stderr(Stdio::null()).spawn().expect("it starts");
    let files = || std::fs::read_dir(planned.file("out")).expect("a folder").count();
    while files() == 0 {
        assert!(run.try_wait().expect("it is there").is_none(), "it ended");
    }
    run.kill().expect("it runs");
    let killed = run.wait().expect("it ends").signal() == Some(9);
    assert!(!planned.file("out/state").exists() || !killed);
    // The next run removes what is left.
    printed(planned.step("run", &["parts/0000.parts", "-o", "out/state"]));
    assert_eq!(files(), 1);
    planned.finishes(&["out/state".to_owned()]);
}

#[test]
fn a_source_that_is_gone_fails_a_run_or_is_told_at_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    for name in ["a.txt", "b.txt", "c.txt"] {
        std::fs::write(folder.join(name), format!("{name}\n").repeat(20_000))
            .expect("it is written");
    }
    let asked = (&[] as &[&str], "count", &["a.txt", "b.txt", "c.txt"] as &[&str]);
    let planned = Planned::new(folder, asked, 3);
    assert_eq!(planned.tasks.len(), 3);
    let (moved, b) = (folder.join("moved"), folder.join("b.txt"));
    std::fs::rename(&b, &moved).expect("it is moved");
    let states: Vec<String> = planned.tasks.iter().map(|task| format!("{task}.state")).collect();
    for (task, state) in planned.tasks.iter().zip(&states) {
        let output = planned.step("run", &[task, "-o", state]);
        // What the worker wrote is whole; what it could not read is in it.
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert_eq!(said(&output).contains("b.txt: not found"), task.contains("0001"));
    }
    let args: Vec<&str> = states.iter().map(String::as_str).collect();
    let output = planned.step("finish", &args);
    let one = creel(folder, &["count", "a.txt", "b.txt", "c.txt"]);
    assert_eq!((output.status.code(), &output.stdout), (one.status.code(), &one.stdout));
    refused(&output, 3, &["b.txt: not found"]);
}

#[test]
fn a_plan_may_say_that_a_source_that_is_gone_fails_its_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    for name in ["a.txt", "b.txt"] {
        std::fs::write(folder.join(name), format!("{name}\n").repeat(20_000))
            .expect("it is written");
    }
    let mut planned = Planned::new(folder, (&[], "count", &["a.txt", "b.txt"]), 2);
    let plan = planned.file("plan").display().to_string();
    printed(creel(
        folder,
        &["--plan-to", &plan, "--on-missing", "fail", "count", "a.txt", "b.txt"],
    ));
    printed(planned.step("list", &["--into", "both", "--tasks", "2"]));
    std::fs::rename(folder.join("b.txt"), folder.join("moved")).expect("it is moved");
    let output = planned.step("run", &["both/0001.parts", "-o", "state"]);
    refused(&output, 3, &["b.txt: not found"]);
    assert!(!planned.file("state").exists());
    // An object that is another one than that which was listed.
    std::fs::write(folder.join("b.txt"), "another\n").expect("it is written");
    let output = planned.step("run", &["both/0001.parts", "-o", "state"]);
    refused(&output, 3, &["b.txt", "changed while it was being read"]);
    // It is listed again, in a folder of its own: whoever runs all files of one would run the old ones too.
    let output = planned.step("list", &["--into", "both", "--tasks", "2"]);
    refused(&output, 2, &["it has partitions of another listing (000", "name a new folder"]);
    let names = printed(planned.step("list", &["--into", "again", "--tasks", "2"]));
    let names = String::from_utf8(names).expect("names");
    planned.tasks = names.lines().map(str::to_owned).collect();
    let states: Vec<String> = planned.states();
    let args: Vec<&str> = states.iter().map(String::as_str).collect();
    assert_eq!(printed(planned.step("finish", &args)), b"20001\n");
}

#[test]
fn an_output_that_cannot_be_written_fails_a_step() {
    let planned = Planned::new(root(), PROGRAMS[0], 1);
    let states = planned.states();
    for (step, args) in [
        ("list", vec!["-o", "/dev/full"]),
        ("run", vec!["parts/0000.parts", "-o", "/dev/full"]),
        ("merge", vec![&*states[0], "-o", "/dev/full"]),
        ("finish", vec![&*states[0], "-o", "/dev/full"]),
        ("list", vec!["-o", "no/such/folder"]),
        ("list", vec!["--into", "/dev/full/x", "--tasks", "2"]),
    ] {
        let output = planned.step(step, &args);
        refused(&output, 2, &["cannot write "]);
    }
}

#[test]
fn a_listing_has_nothing_of_one_that_was_killed_and_writes_nowhere_but_in_its_folder() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.txt"), words(60_000)).expect("it is written");
    let planned = Planned::new(folder.path(), (&[], "count", &["a.txt"]), 1);
    // The folder is on another disk, and nobody may write beside it.
    let (disk, parts) = (planned.file("disk"), planned.file("disk/into"));
    std::fs::create_dir_all(parts.join(".partial-7")).expect("a folder");
    std::fs::write(parts.join(".partial-7/0063.parts"), "of another").expect("it is written");
    symlink(&parts, planned.file("link")).expect("a link");
    let may = |mode| std::fs::set_permissions(&disk, PermissionsExt::from_mode(mode));
    may(0o555).expect("it is closed");
    let output = planned.step("list", &["--into", "link", "--tasks", "2"]);
    may(0o755).expect("it is opened");
    let names = String::from_utf8(printed(output)).expect("names");
    let mut there: Vec<String> = std::fs::read_dir(&parts)
        .expect("a folder")
        .map(|entry| format!("link/{}", entry.expect("an entry").file_name().display()))
        .collect();
    there.sort();
    let listed: Vec<&str> = names.lines().map(|name| &name[name.len() - 15..]).collect();
    assert_eq!(there, listed);
}

#[test]
fn a_run_that_is_interrupted_says_so_and_writes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.txt"), words(60_000)).expect("it is written");
    let planned = Planned::new(folder.path(), (&[], "words | frequencies", &["a.txt"]), 1);
    std::fs::create_dir(planned.file("out")).expect("a folder");
    for out in [["-o", "out/state"].as_slice(), &["--into", "out", "--shards", "3"]] {
        let args =
            [&["worker", "run", "plan", "parts/0000.parts", "--errors", "json"], out].concat();
        let mut command = command(planned.path(), &args);
        let mut run =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let files = || std::fs::read_dir(planned.file("out")).expect("a folder").count();
        while files() == 0 {
            assert!(run.try_wait().expect("it is there").is_none(), "it ended");
        }
        let id = run.id().to_string();
        let sent = std::process::Command::new("kill").args(["-INT", &id]).status();
        assert!(sent.expect("kill runs").success());
        let output = run.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(130), "{}", said(&output));
        assert!(said(&output).contains("{\"error\":{\"kind\":\"cancelled\""), "{}", said(&output));
        assert_eq!((output.stdout.as_slice(), files()), (b"".as_slice(), 0), "{out:?}");
    }
}
