//! Launchers that know nothing of what they move: GNU parallel, and a script.

use std::path::Path;
use std::process::{Command, Output};

use crate::{PROGRAMS, Planned, printed, root};

/// Runs a script in a folder, with the command and GNU parallel on its path.
pub(super) fn shell(folder: &Path, script: &str) -> Output {
    let creel = Path::new(env!("CARGO_BIN_EXE_creel")).parent().expect("a folder");
    let parallel =
        Command::new(root().join("tests/workers/parallel.sh")).output().expect("it runs");
    let found = String::from_utf8(parallel.stdout).expect("a path");
    let parallel = Path::new(found.trim()).parent().unwrap_or_else(|| {
        panic!("GNU parallel is missing: {}", String::from_utf8_lossy(&parallel.stderr))
    });
    let old = std::env::var_os("PATH").unwrap_or_default();
    let folders = [creel.to_owned(), parallel.to_owned()];
    let path = std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&old)));
    let mut command = Command::new("sh");
    command.args(["-ec", script]).current_dir(folder).env("PATH", path.expect("folders"));
    command.output().expect("a shell runs")
}

#[test]
fn gnu_parallel_runs_programs() {
    for program in PROGRAMS {
        let planned = Planned::new(root(), program, 4);
        let options = planned.options.join(" ");
        let script = format!(
            "parallel -j 2 creel worker run plan {{}} -o {{}}.state ::: parts/*.parts
             creel worker finish plan {options} parts/*.state"
        );
        let output = shell(planned.path(), &script);
        assert!(printed(output) == planned.answer, "{program:?}");
    }
}

#[test]
fn a_script_runs_programs_by_several_processes() {
    for (options, program, sources) in PROGRAMS {
        for arguments in [
            ["--workers", "1"].as_slice(),
            &["--workers", "4"],
            &["--workers", "2", "--shards", "3"],
        ] {
            let planned = Planned::new(root(), (options, program, sources), 1);
            let mut command = Command::new("python3");
            command.arg(root().join("examples/launcher.py")).current_dir(root()).args(arguments);
            command.args(["--creel", env!("CARGO_BIN_EXE_creel")]).args(options).arg("--");
            command.arg(program).args(sources);
            let output = command.output().expect("python3 runs");
            assert!(printed(output) == planned.answer, "{program:?} {arguments:?}");
        }
    }
}

#[test]
fn a_script_ends_with_the_record_of_the_error_of_a_worker() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.jsonl"), "{\"a\":1}\n{\"a\":\n").expect("it is written");
    let mut command = Command::new("python3");
    command.arg(root().join("examples/launcher.py")).current_dir(folder.path());
    command.args(["--creel", env!("CARGO_BIN_EXE_creel"), "--", "sum(.a)", "a.jsonl"]);
    let output = command.output().expect("python3 runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("a.jsonl (partition 0, byte ") && !said.contains("Traceback"), "{said}");
}
