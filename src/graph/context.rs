//! Where and how a run happens.

use std::sync::Arc;
use std::time::Instant;

use super::Stop;
use super::engine::next_number;
#[cfg(feature = "cli")]
use super::node::Shared;
use super::node::{Name, Node, Outcome};
use super::seats::StandIns;
use super::worker::caught;
use crate::spill::Budget;
use crate::watch::{self, Event, Observers, What};
use crate::{Progress, Result};

/// Where and how a run happens; while a task works, what it is given to know of that.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// Threads that work; the caller's may be one of them.
    pub(crate) threads: usize,
    /// Threads that a client may have beside these.
    pub(crate) stand_ins: StandIns,
    /// Bytes that values of tasks may hold before no new task is started.
    pub(crate) memory: Option<u64>,
    /// What states may hold before they are put away, if that was said.
    pub(crate) budget: Option<Arc<Budget>>,
    /// How the run, or the task, is told to end early.
    pub(crate) stop: Stop,
    /// What the run tells.
    pub(crate) progress: Arc<Progress>,
    /// Who watches.
    pub(crate) observers: Observers,
    /// Where passes over sources are made, if not here.
    #[cfg(feature = "cli")]
    pub(crate) elsewhere: Option<Shared>,
    /// The task, if somebody watches.
    pub(crate) task: Option<(u64, Arc<Node>)>,
}

impl Context {
    /// The same for the rows of what was read: a run that is told to stop reading prints these.
    #[cfg(feature = "cli")]
    pub(crate) fn after_reading(&self) -> Self {
        Self { stop: self.stop.after_reading(), ..self.clone() }
    }

    /// Tells those who watch what happens to the task.
    pub(super) fn tell(&self, what: What<'_>) {
        if self.task.is_some() {
            self.tell_at(Instant::now(), what);
        }
    }

    /// Tells them what happened at another time.
    pub(super) fn tell_at(&self, at: Instant, what: What<'_>) {
        if let Some((id, node)) = &self.task {
            self.observers.tell(&Event { at, task: node.task(*id), what });
        }
    }

    /// Does work on this thread that those who watch see as a task of this name, though it is none
    /// of a graph.
    ///
    /// # Errors
    ///
    /// [`Error::Panic`](crate::Error::Panic) for an observer that panics.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))]
    pub(crate) fn within_task<T>(&self, name: Name, work: impl FnOnce(&Self) -> T) -> Result<T> {
        let id = next_number() << 32;
        let node = Node::new(name, [], |_, _| Ok(Outcome::value(())));
        let span = watch::span(node.task(id));
        let _entered = span.enter();
        if self.observers.is_empty() {
            return Ok(work(self));
        }
        let context = Self { task: Some((id, node)), ..self.clone() };
        let tell = |what: &[What<'_>]| {
            caught("that an observer watches", || {
                what.iter().for_each(|what| context.tell(*what));
                Ok(())
            })
        };
        tell(&[What::Planned, What::Ready, What::Started])?;
        let result = work(&context);
        tell(&[What::Done, What::Dropped]).map(|()| result)
    }

    /// Counts a block that the task has read; those who watch are told the bytes and the records.
    pub(crate) fn read(&self, amount: impl FnOnce() -> (usize, usize)) {
        self.progress.add_block();
        self.tell_read(amount);
    }

    /// Tells those who watch the bytes and the records of a block that was read.
    pub(crate) fn tell_read(&self, amount: impl FnOnce() -> (usize, usize)) {
        if self.task.is_some() {
            let (bytes, records) = amount();
            self.tell(What::Read { bytes: bytes as u64, records: records as u64 });
        }
    }
}

impl Default for Context {
    /// One thread a core that this process may use, which on Linux respects control groups.
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            threads,
            stand_ins: StandIns::default(),
            memory: None,
            budget: None,
            stop: Stop::default(),
            progress: Arc::default(),
            observers: Observers::default(),
            #[cfg(feature = "cli")]
            elsewhere: None,
            task: None,
        }
    }
}
