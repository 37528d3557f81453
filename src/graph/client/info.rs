//! What a client has to say of itself.

use std::fmt;
use std::sync::Arc;

use crate::graph::engine::Engine;
use crate::watch::bytes;

/// What a client is, and does right now; as text, for people to read.
///
/// ```text
/// a local client of 2 threads on 2 cores; values hold 1.50 GiB of 4.00 GiB
/// tasks: 12 waiting, 2 running, 40 done, 1 failed
/// thread 0: load (src/main.rs:10)
/// thread 1: idle
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// Threads that it works on at most; they start as they are needed.
    pub threads: usize,
    /// Cores that this process may use.
    pub cores: usize,
    /// Bytes that values hold, as far as [`Delayed::weighed`](crate::Delayed::weighed) tells.
    pub memory_held: u64,
    /// How many they may.
    pub memory_limit: Option<u64>,
    /// Tasks that wait for others, a thread or memory.
    pub waiting: usize,
    /// Tasks that run, or wait for a future, a limit or their next try.
    pub running: usize,
    /// Tasks whose values are held.
    pub done: usize,
    /// Tasks that failed and are held.
    pub failed: usize,
    /// Tasks that were cancelled and are held.
    pub cancelled: usize,
    /// The threads that have started.
    pub workers: Vec<Worker>,
}

/// A thread of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Worker {
    /// Its number.
    pub number: usize,
    /// The name of the task that it is on; of one that was given up and has not returned, that.
    pub task: Option<String>,
}

impl Info {
    pub(super) fn of(engine: &Arc<Engine>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        engine.with(|state| {
            let counts = state.plan.counts();
            let running: Vec<(u32, String)> = state.plan.running().collect();
            let task =
                |seat| running.iter().find(|(at, _)| *at == seat).map(|(_, name)| name.clone());
            let late = |late: bool| late.then(|| "a task that was given up".to_owned());
            let workers = state.present().enumerate().map(|(number, (seat, is_late))| Worker {
                number,
                task: task(seat).or_else(|| late(is_late)),
            });
            Self {
                threads: engine.context.threads,
                cores,
                memory_held: state.plan.held(),
                memory_limit: state.plan.limit,
                waiting: counts.waiting,
                running: counts.running,
                done: counts.done,
                failed: counts.failed,
                cancelled: counts.cancelled,
                workers: workers.collect(),
            }
        })
    }
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (threads, cores) = (counted(self.threads, "thread"), counted(self.cores, "core"));
        write!(
            f,
            "a local client of {threads} on {cores}; values hold {}",
            bytes(self.memory_held)
        )?;
        match self.memory_limit {
            Some(limit) => writeln!(f, " of {}", bytes(limit))?,
            None => writeln!(f)?,
        }
        let Self { waiting, running, done, failed, cancelled, .. } = self;
        write!(f, "tasks: {waiting} waiting, {running} running, {done} done, {failed} failed")?;
        if *cancelled > 0 {
            write!(f, ", {cancelled} cancelled")?;
        }
        for Worker { number, task } in &self.workers {
            write!(f, "\nthread {number}: {}", task.as_deref().unwrap_or("idle"))?;
        }
        Ok(())
    }
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
