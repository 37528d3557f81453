//! What docs/workers.md shows is what is printed, and its recipes run.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::launchers::shell;
use crate::{PROGRAMS, Planned, printed, root};

fn text() -> String {
    std::fs::read_to_string(root().join("docs/workers.md")).expect("the document")
}

/// The commands of the sessions, and what each prints.
fn sessions(text: &str) -> Vec<(String, String)> {
    let blocks = text.split("```console\n").skip(1).filter_map(|block| block.split("```").next());
    let mut sessions: Vec<(String, String)> = Vec::new();
    for line in blocks.flat_map(str::lines) {
        match (line.strip_prefix("$ "), sessions.last_mut()) {
            (Some(command), _) => sessions.push((command.to_owned(), String::new())),
            (None, Some((_, output))) => *output += &format!("{line}\n"),
            (None, None) => panic!("a session starts with a command, not with {line:?}"),
        }
    }
    sessions
}

/// The first block of a language that holds a text.
fn block(language: &str, holds: &str) -> String {
    let (text, begin) = (text(), format!("```{language}\n"));
    let mut blocks = text.split(&begin).skip(1);
    let found = blocks.find_map(|block| {
        let block = block.split("```").next()?;
        block.contains(holds).then(|| block.to_owned())
    });
    found.unwrap_or_else(|| panic!("no block of {language} with {holds}"))
}

#[test]
fn sessions_print_what_they_show() {
    let folder = tempfile::tempdir().expect("a folder");
    symlink(root().join("fixtures"), folder.path().join("fixtures")).expect("a link");
    let sessions = sessions(&text());
    assert!(sessions.len() > 10);
    for (command, expected) in sessions {
        let output = shell(folder.path(), &command);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{command}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{command}");
        assert!(output.status.success(), "{command}");
    }
}

/// Runs a script for each task, as the scheduler does that sets its variables.
fn runs_each_task(script: &str, number: &str, others: &[(&str, &str)]) {
    let planned = Planned::new(root(), PROGRAMS[4], 3);
    let creel = Path::new(env!("CARGO_BIN_EXE_creel")).parent().expect("a folder");
    let path = format!("{}:{}", creel.display(), std::env::var("PATH").expect("a path"));
    for task in 0..planned.tasks.len() {
        let mut command = Command::new("bash");
        command.args(["-ec", script]).current_dir(planned.path()).env("PATH", &path);
        command.env(number, task.to_string()).envs(others.iter().copied());
        let output = command.output().expect("bash runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let states = (0..planned.tasks.len()).map(|task| format!("states/{task:04}.state"));
    planned.finishes(&states.collect::<Vec<_>>());
}

#[test]
fn the_script_of_the_slurm_array_runs_each_task() {
    let script = block("bash", "#SBATCH");
    // The script that submits it makes the folder.
    let script = format!("mkdir -p states\n{script}");
    runs_each_task(&script, "SLURM_ARRAY_TASK_ID", &[("SLURM_CPUS_PER_TASK", "2")]);
}

#[test]
fn the_script_of_the_kubernetes_job_runs_each_task() {
    let job = block("yaml", "completionMode: Indexed");
    let (_, script) = job.split_once("            - |\n").expect("a script");
    let lines = script.lines().take_while(|line| line.starts_with("              "));
    let script: Vec<&str> = lines.map(|line| &line[14..]).collect();
    runs_each_task(&script.join("\n"), "JOB_COMPLETION_INDEX", &[]);
}

#[test]
fn the_bytes_are_laid_out_as_they_are_told() {
    let planned = Planned::new(root(), PROGRAMS[4], 1);
    let state = planned.states().remove(0);
    let whole = std::fs::read(planned.file(&state)).expect("a state");
    for (kind, file) in [(1, "plan"), (2, "parts/0000.parts"), (3, &*state)] {
        let bytes = std::fs::read(planned.file(file)).expect("bytes");
        assert_eq!(bytes[..8], *b"\x93creel\r\n");
        assert_eq!(bytes[8..16], [10, 0, 2, 0, kind, 0, 0, 0]);
        // The digest of the plan is the same in all.
        assert_eq!(bytes[16..48], whole[16..48]);
    }
    let mut kinds = Vec::new();
    let mut at = 56;
    loop {
        let length = u32::from_le_bytes(whole[at..at + 4].try_into().expect("four bytes"));
        if length == 0 {
            assert_eq!(whole.len(), at + 12, "the end is the last");
            break;
        }
        kinds.push(whole[at + 12]);
        at += 12 + length as usize;
    }
    kinds.dedup();
    assert_eq!(kinds, *b"PSOT");
    printed(planned.step("run", &["parts/0000.parts", "--shards", "2", "--into", "shards"]));
    let shard = std::fs::read(planned.file("shards/0001.state")).expect("a state");
    let plan = u32::from_le_bytes(shard[56..60].try_into().expect("four bytes")) as usize;
    assert_eq!(shard[56 + 12 + plan + 12], b'H');
}
