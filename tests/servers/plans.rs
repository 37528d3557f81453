//! Plans over stores: one process lists, others read the partitions and run the plan over them, and their
//! states merge to the answer of one run.

use std::env;
use std::process::ExitCode;

use creel::plan::{self, InputFormat, Partitions, Plan, State};

use crate::store::Store;
use crate::{Case, For};

/// The promises.
pub(crate) const CASES: &[Case] = &[
    ("partitions_that_are_read_apart_merge_to_the_answer_of_one_run", For::Network, apart),
    ("states_of_processes_merge_to_the_answer_of_one_run", For::All, processes),
];

const PROGRAM: &str = "words | groupby(length; {n: count, least: min, kinds: nunique})";

/// The variable that names the sources of a plan, one a line, to a process of this file.
const SOURCES: &str = "SERVERS_TEST_PLAN";

/// Sources of several objects: by a pattern, if the store lists.
fn sources(store: &Store) -> Vec<String> {
    let exact = ["tree/peps/pep-0672.rst", "tree/peps/pep-0008.rst"].map(|key| store.url(key));
    let pattern = store.lists().then(|| store.url("small/*.txt"));
    exact.into_iter().chain(pattern).collect()
}

fn one_run(store: &Store) -> String {
    store.creel([PROGRAM.to_owned()].into_iter().chain(sources(store))).ok()
}

fn apart(store: &Store) {
    let ran = store.this_process(&[(SOURCES, &sources(store).join("\n"))]);
    assert_eq!(ran.ok(), one_run(store));
}

fn processes(store: &Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let states = sources(store).into_iter().enumerate().map(|(n, source)| {
        let state = folder.path().join(format!("{n}.creel")).display().to_string();
        assert_eq!(store.creel(["--partial", &state, PROGRAM, &source]).ok(), "");
        state
    });
    let states: Vec<String> = states.collect();
    let merge = ["--merge".to_owned()].into_iter();
    assert_eq!(store.creel(merge.chain(states.clone())).ok(), one_run(store));
    // A second state of the same version of an object is refused.
    let again = folder.path().join("again.creel").display().to_string();
    store.creel(["--partial", &again, PROGRAM, &sources(store)[0]]).ok();
    let twice = store.creel(["--merge", &states[0], &again]);
    twice.fails(2, &["again.creel", "would be counted twice"]);
}

/// Runs a plan part by part, if this process was started for that.
pub(crate) fn run_if_asked() -> Option<ExitCode> {
    let sources = env::var(SOURCES).ok()?;
    Some(match rows(&sources) {
        Ok(rows) => {
            print!("{rows}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    })
}

fn rows(sources: &str) -> creel::Result<String> {
    let plan = Plan::new(PROGRAM, InputFormat::TEXT, sources.lines())?;
    let partitions = plan::list(&plan)?.split();
    assert!(partitions.len() > 1, "{} partitions", partitions.len());
    let states = partitions.iter().map(|part| {
        // As another process reads it: from bytes.
        let (plan, part) = (plan.to_bytes(), part.to_bytes());
        let (plan, part) = (Plan::from_bytes(&plan)?, Partitions::from_bytes(&part)?);
        State::from_bytes(plan::run(&plan, &part)?.into_bytes())
    });
    let states: Vec<State> = states.collect::<creel::Result<_>>()?;
    let rows = plan::finish(&plan, &plan::merge(&plan, &states)?)?;
    Ok(rows.iter().map(|row| format!("{row}\n")).collect())
}
