//! States that do not belong together, or are damaged, are refused.

use crate::{creel, printed, refused, state_of, text_files};

#[test]
fn a_state_of_another_program_or_of_other_options_is_refused_with_both_named() {
    let (folder, _) = state_of("words | frequencies");
    let folder = folder.path();
    for (args, says) in [
        (
            &["words | count", "1.txt"][..],
            &["its program is 'words | count', not 'words | frequencies'"][..],
        ),
        (
            &["--invalid", "skip", "words | frequencies", "1.txt"],
            &["its --invalid is skip, not fail"],
        ),
        (
            &["--delimiter", ",", "words | frequencies", "1.txt"],
            &[r"its --delimiter is ',', not '\n'"],
        ),
        (
            &["--encoding", "latin1", "words | frequencies", "1.txt"],
            &["its --encoding is latin1, not auto"],
        ),
    ] {
        let args: Vec<&str> = ["--partial", "other.creel"].iter().chain(args).copied().collect();
        printed(creel(folder, &args));
        let output = creel(folder, &["--merge", "0.creel", "other.creel"]);
        refused(&output, 2, &["other.creel is a state of another plan than 0.creel: its "]);
        refused(&output, 2, says);
        // The other way round, whichever comes first.
        let output = creel(folder, &["--merge", "other.creel", "0.creel"]);
        refused(&output, 2, &["0.creel is a state of another plan than other.creel: its "]);
    }
}

#[test]
fn a_state_of_another_version_is_refused_with_both_named() {
    let (folder, state) = state_of("words | frequencies");
    let mut bytes = std::fs::read(&state).expect("a state");
    bytes[8] = 99;
    std::fs::write(&state, bytes).expect("it is written");
    let output = creel(folder.path(), &["--merge", "0.creel"]);
    refused(&output, 3, &["0.creel", "version 99 of the format", "has version 10"]);
}

#[test]
fn damaged_states_are_refused_wherever_the_damage_is() {
    for program in ["words | frequencies", "words", "count, (words | sort(length))"] {
        let (folder, state) = state_of(program);
        let whole = std::fs::read(&state).expect("a state");
        for n in 0..24 {
            let at = whole.len() * n / 24;
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (n % 8);
            std::fs::write(&state, &bytes).expect("it is written");
            refused(&creel(folder.path(), &["--merge", "0.creel"]), 3, &["0.creel"]);
            std::fs::write(&state, &whole[..at]).expect("it is written");
            refused(&creel(folder.path(), &["--merge", "0.creel"]), 3, &["0.creel"]);
        }
    }
}

#[test]
fn a_file_that_holds_no_state_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    text_files(folder.path());
    refused(&creel(folder.path(), &["--merge", "1.txt"]), 3, &["1.txt", "this is not a state"]);
    refused(&creel(folder.path(), &["--merge"]), 2, &["--merge needs the states"]);
    let output = creel(folder.path(), &["--merge", "--delimiter", ",", "1.txt"]);
    refused(&output, 2, &["--delimiter"]);
    let output = creel(folder.path(), &["--partial", "a", "-o", "b", "count", "1.txt"]);
    refused(&output, 2, &["--partial"]);
}

#[test]
fn records_are_not_counted_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    text_files(folder);
    let partial = |state: &str, file: &str| {
        printed(creel(folder, &["--partial", state, "count", file]));
    };
    for state in ["1.creel", "again.creel"] {
        partial(state, "1.txt");
    }
    partial("2.creel", "2.txt");
    printed(creel(folder, &["--merge", "--partial", "both.creel", "1.creel", "2.creel"]));
    let twice = "records would be counted twice";
    for (states, says) in [
        (["1.creel", "1.creel"], "1.creel is named twice"),
        (["1.creel", "./1.creel"], "./1.creel is named twice"),
        (["1.creel", "again.creel"], "again.creel holds what 1.creel holds"),
        (["2.creel", "both.creel"], "both.creel holds what 2.creel holds"),
    ] {
        let output = creel(folder, &["--merge", states[0], states[1]]);
        refused(&output, 2, &[says, twice]);
        let output = creel(folder, &["--merge", "--partial", "x.creel", states[0], states[1]]);
        refused(&output, 2, &[says, twice]);
    }
    // Lists that only overlap, in another order, by another path and by a pattern.
    let lists = [
        ("12.creel", &["1.txt", "2.txt"][..]),
        ("21.creel", &["2.txt", "1.txt"]),
        ("23.creel", &["./2.txt", "3.txt"]),
        ("all.creel", &["*.txt"]),
        ("4.creel", &["4.txt"]),
    ];
    std::fs::create_dir(folder.join("of-lists")).expect("a folder");
    for (state, files) in lists {
        let state = format!("of-lists/{state}");
        let args = ["--partial", &state, "count"];
        printed(creel(folder, &args.into_iter().chain(files.iter().copied()).collect::<Vec<_>>()));
    }
    for (one, other, shared) in [
        ("1.creel", "of-lists/12.creel", "1.txt"),
        ("of-lists/12.creel", "of-lists/21.creel", ".txt"),
        ("of-lists/12.creel", "of-lists/23.creel", "2.txt"),
        ("both.creel", "of-lists/23.creel", "2.txt"),
        ("of-lists/4.creel", "of-lists/all.creel", "4.txt"),
    ] {
        for [first, second] in [[one, other], [other, one]] {
            let output = creel(folder, &["--merge", first, second]);
            let says = format!("{second} holds what {first} holds: both have read ");
            refused(&output, 2, &[&says, &format!("{shared}, and its"), twice]);
        }
    }
    let lines = |files: &[&str]| {
        let args: Vec<&str> = ["count"].iter().chain(files).copied().collect();
        printed(creel(folder, &args))
    };
    let output = creel(folder, &["--merge", "of-lists/4.creel", "both.creel"]);
    assert_eq!(printed(output), lines(&["1.txt", "2.txt", "4.txt"]));
    // What was named twice is read twice, by one run; by several it is refused.
    printed(creel(folder, &["--partial", "twice.creel", "count", "4.txt", "4.txt"]));
    assert_eq!(printed(creel(folder, &["--merge", "twice.creel"])), lines(&["4.txt", "4.txt"]));
    // Another file of that name is another part of the input.
    std::fs::write(folder.join("1.txt"), "one fish\n".repeat(10)).expect("it is written");
    partial("again.creel", "1.txt");
    assert_eq!(printed(creel(folder, &["--merge", "1.creel", "again.creel"])), "20\n");
}
