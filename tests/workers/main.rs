//! The operations on a plan, each by a process of its own: `creel worker`.

#![cfg(all(feature = "cli", unix))]

mod docs;
mod faults;
mod launchers;
mod memory;
mod records;
mod shards;
mod steps;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The programs of the README, and one by key: options, program, and sources.
const PROGRAMS: [(&[&str], &str, &[&str]); 6] = [
    (&[], "words | filter(length > 5) | frequencies | topk(3)", &["fixtures/peps/*.rst"]),
    (&[], "filter(test(\"\\\" 404 \")) | count", &["fixtures/access.log"]),
    (
        &[],
        "filter(contains(\"Googlebot\")) | split(\" \") | flatten | filter(startswith(\"/\")) | frequencies | topk(3)",
        &["fixtures/access.log"],
    ),
    (&["-t", "text"], "filter(startswith(\"Title:\")) | take(2)", &["fixtures/peps/*.rst"]),
    (
        &[],
        "ascii_downcase | words | filter(test(\"^[a-z]+$\")) | frequencies | topk(3)",
        &["fixtures/{peps/*.rst,access.log}"],
    ),
    (
        &[],
        "groupby(.status; {n: count, bytes: sum(.bytes), p50: p50(.bytes), u: nunique(.path)})",
        &["fixtures/access.jsonl"],
    ),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The command in a folder.
fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_creel"));
    command.args(args).current_dir(folder).stdin(Stdio::null()).env_remove("NO_COLOR");
    command
}

fn creel(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().expect("the command runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a process prints that goes well and has nothing to say.
#[track_caller]
fn printed(output: Output) -> Vec<u8> {
    assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()));
    output.stdout
}

/// Checks a process that is refused: its code, and what it says.
#[track_caller]
fn refused(output: &Output, code: i32, says: &[&str]) {
    let message = said(output);
    assert_eq!(output.status.code(), Some(code), "{message}");
    for part in says {
        assert!(message.contains(part), "no {part:?} in: {message}");
    }
}

/// A plan in a folder of its own, the answer of one run over all that it reads, and tasks.
struct Planned {
    folder: TempDir,
    /// The options of the last step.
    options: Vec<String>,
    /// What one run prints.
    answer: Vec<u8>,
    tasks: Vec<String>,
}

impl Planned {
    /// Plans a program over sources below `home`, and lists so many tasks at most.
    fn new(
        home: &Path,
        (options, program, sources): (&[&str], &str, &[&str]),
        tasks: usize,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let asked = [&[program], sources].concat();
        let one = creel(home, &[options, &asked].concat());
        let plan = path("plan");
        printed(creel(home, &[&["--plan-to", &plan], asked.as_slice()].concat()));
        let list = ["worker", "list", "plan", "--into", "parts", "--tasks", &tasks.to_string()];
        let names = printed(creel(folder.path(), &list));
        let tasks = String::from_utf8(names).expect("names").lines().map(str::to_owned).collect();
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        Self { options, answer: one.stdout, tasks, folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// A step of the plan.
    fn step(&self, step: &str, args: &[&str]) -> Output {
        creel(self.path(), &[&["worker", step, "plan"], args].concat())
    }

    /// Runs each task; returns the names of the states.
    fn states(&self) -> Vec<String> {
        let run = |task: &String| {
            let state = format!("{task}.state");
            assert_eq!(printed(self.step("run", &[task, "-o", &state])), b"");
            state
        };
        self.tasks.iter().map(run).collect()
    }

    /// Checks that the answer of states is that of one run.
    #[track_caller]
    fn finishes(&self, states: &[String]) {
        let options = self.options.iter().map(String::as_str);
        let args: Vec<&str> = options.chain(states.iter().map(String::as_str)).collect();
        let output = self.step("finish", &args);
        let answer = printed(output);
        assert!(answer == self.answer, "{}", String::from_utf8_lossy(&answer));
    }
}

/// Lines of words, of which few occur twice.
fn words(lines: u32) -> String {
    let line = |n: u32| {
        let mixed =
            |by: u32| n.wrapping_mul(0x9e37_79b9).wrapping_add(by).wrapping_mul(0x85eb_ca6b);
        format!("{:08x} {:08x} w{} {n}\n", mixed(1), mixed(2), n % 100)
    };
    (0..lines).map(line).collect()
}
