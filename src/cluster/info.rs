//! What a cluster has to say of itself.

use std::fmt;

use serde_json::Value;

use crate::watch::bytes;

/// A cluster; as text, for people to read.
///
/// ```text
/// a client of tcp://127.0.0.1:8786: 2 workers, 4 threads, 16.00 GiB of memory
/// dashboard: http://127.0.0.1:8787/status
/// worker tcp://127.0.0.1:40001 (w0): 2 threads, 1 task; 312.00 MiB of 8.00 GiB
/// worker tcp://127.0.0.1:40002 (w1): 2 threads, idle; 120.00 MiB of 8.00 GiB
/// ```
///
/// ```no_run
/// # fn main() -> creel::Result<()> {
/// # creel::worker::init();
/// let info = creel::Client::connect("tcp://127.0.0.1:8786")?.info()?;
/// let threads: u64 = info.workers.iter().map(|worker| worker.threads).sum();
/// assert!(threads > 0, "no worker is there");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// The address of the scheduler.
    pub scheduler: String,
    /// The address of its dashboard, if it has one.
    pub dashboard: Option<String>,
    /// Its workers.
    pub workers: Vec<Worker>,
}

/// A worker of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Worker {
    /// Its address.
    pub address: String,
    /// Its name.
    pub name: String,
    /// Tasks that it runs at once.
    pub threads: u64,
    /// Tasks that it runs.
    pub running: u64,
    /// Bytes that its process takes.
    pub memory: u64,
    /// How many it may take, if there is a limit.
    pub memory_limit: Option<u64>,
}

impl Info {
    pub(super) fn of(told: &Value) -> Self {
        let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).map(str::to_owned);
        let number = |of: &Value, name: &str| of.get(name).and_then(Value::as_u64).unwrap_or(0);
        let workers = told.get("workers").and_then(Value::as_array);
        let workers = workers.into_iter().flatten().map(|of| Worker {
            address: text(of, "address").unwrap_or_default(),
            name: text(of, "name").unwrap_or_default(),
            threads: number(of, "threads"),
            running: number(of, "running"),
            memory: number(of, "memory"),
            memory_limit: Some(number(of, "memory_limit")).filter(|limit| *limit > 0),
        });
        Self {
            scheduler: text(told, "scheduler").unwrap_or_default(),
            dashboard: text(told, "dashboard"),
            workers: workers.collect(),
        }
    }

    /// Tasks that all workers run at once.
    pub fn threads(&self) -> u64 {
        self.workers.iter().map(|worker| worker.threads).sum()
    }

    /// Bytes that all workers may take; `None` if one has no limit.
    pub fn memory_limit(&self) -> Option<u64> {
        self.workers.iter().map(|worker| worker.memory_limit).sum()
    }
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (workers, threads) = (self.workers.len() as u64, self.threads());
        write!(
            f,
            "a client of {}: {}, {}",
            self.scheduler,
            counted(workers, "worker"),
            counted(threads, "thread")
        )?;
        if let Some(limit) = self.memory_limit() {
            write!(f, ", {} of memory", bytes(limit))?;
        }
        if let Some(dashboard) = &self.dashboard {
            write!(f, "\ndashboard: {dashboard}")?;
        }
        for Worker { address, name, threads, running, memory, memory_limit } in &self.workers {
            let (threads, memory) = (counted(*threads, "thread"), bytes(*memory));
            let tasks = if *running == 0 { "idle".to_owned() } else { counted(*running, "task") };
            write!(f, "\nworker {address} ({name}): {threads}, {tasks}; {memory}")?;
            if let Some(limit) = memory_limit {
                write!(f, " of {}", bytes(*limit))?;
            }
        }
        Ok(())
    }
}

fn counted(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cluster_is_told_worker_by_worker() {
        let worker = |name, running| {
            json!({
                "address": "tcp://127.0.0.1:1", "name": name, "threads": 2, "running": running,
                "memory": 1 << 20, "memory_limit": 1 << 30,
            })
        };
        let info = Info::of(&json!({
            "scheduler": "tcp://127.0.0.1:8786", "dashboard": "http://127.0.0.1:8787/status",
            "workers": [worker("w0", 1), worker("w1", 0)],
        }));
        assert_eq!(
            info.to_string().lines().collect::<Vec<_>>(),
            [
                "a client of tcp://127.0.0.1:8786: 2 workers, 4 threads, 2.00 GiB of memory",
                "dashboard: http://127.0.0.1:8787/status",
                "worker tcp://127.0.0.1:1 (w0): 2 threads, 1 task; 1.00 MiB of 1.00 GiB",
                "worker tcp://127.0.0.1:1 (w1): 2 threads, idle; 1.00 MiB of 1.00 GiB",
            ]
        );
    }
}
