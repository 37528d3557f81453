//! What a merge reads, tells and writes.

use std::process::{Command, Output};

use crate::{creel, printed, refused, said, state_of, text_files};

#[test]
fn sources_that_could_not_be_read_are_told_at_the_merge() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    text_files(folder);
    let one = creel(folder, &["count", "1.txt", "no-such.txt", "2.txt"]);
    // The process that has nothing to read writes a state all the same.
    for (state, file) in [("0", "1.txt"), ("1", "no-such.txt"), ("2", "2.txt")] {
        let output = creel(folder, &["--partial", &format!("{state}.creel"), "count", file]);
        let code = if file == "no-such.txt" { 3 } else { 0 };
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    }
    let output = creel(folder, &["--merge", "0.creel", "1.creel", "2.creel"]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!((said(&output), &output.stdout), (said(&one), &one.stdout));
    assert!(said(&output).contains("no-such.txt"));
    // That none of all can be read is a failure, as of one run.
    let output = creel(folder, &["--merge", "1.creel"]);
    refused(&output, 3, &["no-such.txt"]);
    let skipped = ["--partial", "s.creel", "--on-missing", "skip", "count", "no-such.txt", "1.txt"];
    assert_eq!(creel(folder, &skipped).status.code(), Some(0));
    let output = creel(folder, &["--merge", "s.creel"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(said(&output).contains("passed over 1 entry"), "{}", said(&output));
}

#[test]
fn records_that_were_left_out_are_told_at_the_merge() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    std::fs::write(folder.join("a"), b"one\n\xff\ntwo\n").expect("it is written");
    std::fs::write(folder.join("b"), b"bad \xff\xfe\n\xff\n").expect("it is written");
    for how in ["skip", "replace"] {
        let one = creel(folder, &["--invalid", how, "words | frequencies", "a", "b"]);
        for file in ["a", "b"] {
            let state = format!("{file}.creel");
            let args = ["--partial", &state, "--invalid", how, "words | frequencies", file];
            assert_eq!(creel(folder, &args).status.code(), Some(0));
        }
        let output = creel(folder, &["--merge", "a.creel", "b.creel"]);
        let without = |text: String| text.replace(" (partition 0, ", " (");
        assert_eq!(said(&output), without(said(&one)));
        assert!(said(&output).contains("records, the first at a (byte 4)"), "{}", said(&output));
        assert_eq!(output.stdout, one.stdout);
    }
    // What fails one run fails its part, and leaves no state.
    let output = creel(folder, &["--partial", "f.creel", "count", "b"]);
    refused(&output, 4, &["b (partition 0, byte 4)"]);
    assert!(!folder.join("f.creel").exists());
}

#[test]
fn records_that_stages_of_the_merge_leave_out_are_told_as_by_one_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let parts = [
        "{\"k\":\"a\",\"y\":1}\n{\"k\":{\"a\":1}}\n{\"k\":5}\nno JSON\n",
        "{\"k\":7,\"y\":1}\n{\"k\":{\"a\":2}}\n{\"k\":{\"a\":\"x\"},\"y\":1}\n",
    ];
    for (name, text) in ["a.jsonl", "b.jsonl"].iter().zip(parts) {
        std::fs::write(folder.join(name), text).expect("it is written");
    }
    for program in [
        // Stages behind the first reduction.
        "groupby(.k; count) | map(.[0].a)",
        "frequencies(.k) | map(.[0]) | sum",
        "count, (frequencies(.k) | map(.[0].a) | count)",
        "frequencies(.k) | map(.[0].a) | frequencies | map(.[0].b)",
        // Stages of the first phase that need the records of all parts.
        "groupby(.k.a; sample(9; 5))",
        "take(5) | map(.k.a)",
        "take(9) | groupby(.k.a; sum(.k.a))",
        "(take(3) | map(.k.a)), nunique(.k.a)",
        "sample(9; 1) | map(.k.a)",
        // Stages that ran in the parts.
        "sort(.k.a)",
        "distinct(.k.a)",
        "map(.k.a)",
        "sum(.k.a)",
        "sum(.k.a), mean(.y)",
    ] {
        let one = creel(folder, &["--invalid", "skip", program, "a.jsonl", "b.jsonl"]);
        for part in ["a", "b"] {
            let (state, file) = (format!("{part}.creel"), format!("{part}.jsonl"));
            let args = ["--partial", &state, "--invalid", "skip", program, &file];
            assert_eq!(creel(folder, &args).status.code(), Some(0));
        }
        let written = creel(folder, &["--merge", "--partial", "m.creel", "a.creel", "b.creel"]);
        assert_eq!(written.status.code(), Some(0), "{}", said(&written));
        // Of a record that a stage of the merge leaves out, the place in the input is not known.
        let number = |output: &Output| {
            said(output).split(" at ").next().map(str::to_owned).unwrap_or_default()
        };
        assert!(number(&one).starts_with("creel: skipped "), "{program}: {}", said(&one));
        for states in [vec!["a.creel", "b.creel"], vec!["m.creel"]] {
            let args: Vec<_> = ["--merge"].into_iter().chain(states).collect();
            let output = creel(folder, &args);
            assert_eq!(output.status.code(), one.status.code(), "{program}");
            assert_eq!(output.stdout, one.stdout, "{program}");
            assert_eq!(number(&output), number(&one), "{program}: {}", said(&output));
        }
        // The library tells the same.
        let state = std::fs::read(folder.join("m.creel")).expect("a state");
        let state = creel::plan::State::from_bytes(state).expect("a state");
        let rows = creel::plan::finish(state.plan(), &state).expect("an answer");
        let told = format!("skipped {} record", rows.report().records_skipped());
        assert!(number(&one).contains(&told), "{program}: {told}, {}", said(&one));
    }
}

#[cfg(feature = "gzip")]
#[test]
fn damaged_sources_are_told_at_the_merge() {
    use std::io::Write;
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&b"one fish\n".repeat(9000)).expect("into memory");
    let bytes = encoder.finish().expect("into memory");
    std::fs::write(folder.join("a.gz"), &bytes[..bytes.len() - 9]).expect("it is written");
    let one = creel(folder, &["words | frequencies", "a.gz"]);
    let output = creel(folder, &["--partial", "a.creel", "words | frequencies", "a.gz"]);
    assert_eq!(output.status.code(), Some(3));
    let output = creel(folder, &["--merge", "a.creel"]);
    assert_eq!((output.status.code(), &output.stdout), (Some(3), &one.stdout));
    assert_eq!(said(&output), said(&one).replace(" (partition 0, ", " ("));
    let output = creel(folder, &["--merge", "-o", "out.jsonl", "a.creel"]);
    refused(&output, 3, &["truncated", "out.jsonl was not written"]);
    assert!(!folder.join("out.jsonl").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn states_come_through_pipes_and_leave_through_them() {
    let folder = tempfile::tempdir().expect("a folder");
    text_files(folder.path());
    let creel_path = env!("CARGO_BIN_EXE_creel");
    let script = format!(
        "mkfifo p q && ({creel_path} --partial - 'words | frequencies' 3.txt 4.txt > p &) \
         && ({creel_path} --partial q 'words | frequencies' 5.txt &) && {creel_path} --merge p q"
    );
    // A writer that no reader comes for would wait for it forever.
    let mut command = Command::new("timeout");
    command.args(["120", "sh", "-c", &script]).current_dir(&folder);
    let output = command.output().expect("sh starts");
    let one = creel(folder.path(), &["words | frequencies", "3.txt", "4.txt", "5.txt"]);
    assert_eq!(printed(output), printed(one));
}

#[test]
fn a_state_holds_no_credential() {
    let folder = tempfile::tempdir().expect("a folder");
    text_files(folder.path());
    let signed = "http://127.0.0.1:1/a?X-Amz-Signature=s3cret";
    let output = creel(folder.path(), &["--partial", "a.creel", "count", "1.txt", signed]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let bytes = std::fs::read(folder.path().join("a.creel")).expect("a state");
    assert!(!bytes.windows(6).any(|bytes| bytes == b"s3cret"));
    assert!(bytes.windows(18).any(|bytes| bytes == b"http://127.0.0.1:1"));
}

#[test]
fn states_are_named_as_sources_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let files = text_files(folder);
    std::fs::create_dir(folder.join("s")).expect("a folder");
    for (state, of) in [("s/0.creel", &files[..3]), ("s/1.creel", &files[3..])] {
        let args = ["--partial", state, "words | frequencies"];
        let of = of.iter().map(String::as_str);
        printed(creel(folder, &args.into_iter().chain(of).collect::<Vec<_>>()));
    }
    let all: Vec<&str> =
        ["words | frequencies"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let expected = printed(creel(folder, &all));
    for named in ["s/*.creel", "s", "s/{0,1}.creel"] {
        assert_eq!(printed(creel(folder, &["--merge", named])), expected, "{named}");
    }
    let input = std::fs::File::open(folder.join("s/0.creel")).expect("a state");
    let mut command = Command::new(env!("CARGO_BIN_EXE_creel"));
    command.args(["--merge", "-", "s/1.creel"]).current_dir(folder).stdin(input);
    assert_eq!(printed(command.output().expect("it runs")), expected);
    // What is not there is told as of sources.
    for missing in ["no.creel", "s/*.state", "no/such/*", "zz/0.creel"] {
        let [of_states, of_sources] = [
            creel(folder, &["--merge", missing]),
            creel(folder, &["--on-missing", "fail", "count", missing]),
        ];
        refused(&of_states, 3, &[missing]);
        assert_eq!(said(&of_states), said(&of_sources));
        assert!(!said(&of_states).contains("os error"), "{}", said(&of_states));
    }
    for program in ["words | frequencies", "count", ".a"] {
        let output = creel(folder, &["--merge", program, "s/0.creel"]);
        refused(&output, 2, &["this is a program, where a state is needed"]);
    }
    refused(&creel(folder, &["--merge", "s3://bucket/0.creel", "-"]), 3, &["0.creel"]);
}

#[cfg(unix)]
#[test]
fn sources_that_could_not_be_read_may_be_read_by_another_part() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    text_files(folder);
    // A loop of links is listed, and cannot be opened; later the file is there.
    std::os::unix::fs::symlink("late.txt", folder.join("late.txt")).expect("a link");
    let output = creel(folder, &["--partial", "a.creel", "count", "1.txt", "late.txt"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    std::fs::remove_file(folder.join("late.txt")).expect("it is removed");
    std::fs::write(folder.join("late.txt"), "one fish\n").expect("it is written");
    printed(creel(folder, &["--partial", "b.creel", "count", "late.txt"]));
    let output = creel(folder, &["--merge", "a.creel", "b.creel"]);
    let all = printed(creel(folder, &["count", "1.txt", "late.txt"]));
    assert_eq!((output.status.code(), said(&output).contains("late.txt")), (Some(3), true));
    assert_eq!(String::from_utf8_lossy(&output.stdout), all);
}

#[test]
fn states_of_a_take_hold_no_more_than_it_takes() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    for file in ["a", "b", "c", "d"] {
        let text: String = (0..500).map(|n| format!("{file} number {n}\n")).collect();
        std::fs::write(folder.join(file), text).expect("it is written");
        let state = format!("{file}.creel");
        printed(creel(folder, &["--partial", &state, "take(100) | map(length)", file]));
    }
    let size = |state: &str| std::fs::metadata(folder.join(state)).expect("a state").len();
    printed(creel(folder, &["--merge", "--partial", "ab.creel", "a.creel", "b.creel"]));
    printed(creel(
        folder,
        &["--merge", "--partial", "all.creel", "ab.creel", "c.creel", "d.creel"],
    ));
    assert!(size("all.creel") < size("a.creel") * 3 / 2, "{} bytes", size("all.creel"));
    let one = printed(creel(folder, &["take(100) | map(length)", "a", "b", "c", "d"]));
    assert_eq!(printed(creel(folder, &["--merge", "all.creel"])), one);
}

#[test]
fn progress_of_a_merge_is_of_its_states() {
    let (folder, state) = state_of("words | frequencies");
    let size = std::fs::metadata(state).expect("a state").len();
    let args: &[&str] = &["--merge", "--progress", "always", "-v", "0.creel"];
    let output = creel(folder.path(), args);
    assert_eq!(output.status.code(), Some(0));
    let bytes = if size < 1024 { format!("{size} B") } else { "KiB".to_owned() };
    for line in said(&output).lines() {
        assert!(line.contains("read ") && line.contains(&bytes), "{line}");
        assert!(!line.contains("read 0 B,"), "{line}");
    }
    assert!(said(&output).lines().count() >= 2, "{}", said(&output));
}
