//! Which awaited runs go on at once: a few for each core, the others in the order of their calls.
//!
//! Each run that is awaited has threads of its own. A program that awaits thousands at once, as a
//! server may, would have as many threads and open objects. Rejected: a pool of threads for runs,
//! because runs that wait for each other (by a channel between their closures) would hang in it. Here
//! one more run starts whenever none has ended for [`STALL`], so that such runs end too.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot::{Receiver, Sender, channel};

use crate::graph::Lineage;
use crate::runtime::TASKS;

/// Runs that go on at once: most of their time is spent waiting for a network.
const MOST: usize = 64;

/// If no run ends for so long while others wait, one more starts.
const STALL: Duration = Duration::from_secs(1);

static QUEUE: Mutex<Queue> =
    Mutex::new(Queue { running: 0, ended: 0, is_watched: false, waiting: VecDeque::new() });

struct Queue {
    running: usize,
    /// Runs that have ended so far.
    ended: u64,
    /// Whether a task looks for stalls.
    is_watched: bool,
    waiting: VecDeque<Sender<Admitted>>,
}

/// A run that may go on, until this is dropped.
#[derive(Debug)]
pub(super) struct Admitted {
    _private: (),
}

/// Waits until a run may start. One that a task of another run awaits need not wait: that run would
/// wait for it.
pub(super) async fn admitted() -> Option<Admitted> {
    if Lineage::is_within_run() {
        return None;
    }
    let turn = {
        let mut queue = lock();
        if queue.running < MOST && queue.waiting.is_empty() {
            return Some(queue.admit());
        }
        queue.wait()
    };
    // The sender is dropped only after it has sent.
    turn.await.ok()
}

fn lock() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    fn admit(&mut self) -> Admitted {
        self.running += 1;
        Admitted { _private: () }
    }

    fn wait(&mut self) -> Receiver<Admitted> {
        let (turn, waits) = channel();
        self.waiting.push_back(turn);
        // Without the watch the queue goes on as runs end.
        if !self.is_watched {
            self.is_watched = TASKS.spawn_detached(watch()).is_ok();
        }
        waits
    }

    /// Starts the next run whose future still waits. What is returned is dropped without the lock:
    /// it may be the run of a future that was dropped just now.
    #[must_use]
    fn start_next(&mut self) -> Option<Admitted> {
        while let Some(turn) = self.waiting.pop_front() {
            if !turn.is_closed() {
                let run = self.admit();
                return turn.send(run).err();
            }
        }
        None
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let unwanted = {
            let mut queue = lock();
            queue.running -= 1;
            queue.ended += 1;
            if queue.running < MOST { queue.start_next() } else { None }
        };
        drop(unwanted);
    }
}

/// Starts one more run where those that go on may wait for it.
async fn watch() {
    let mut ended = lock().ended;
    loop {
        tokio::time::sleep(STALL).await;
        let unwanted = {
            let mut queue = lock();
            if queue.waiting.is_empty() {
                queue.is_watched = false;
                return;
            }
            match std::mem::replace(&mut ended, queue.ended) == queue.ended {
                true => queue.start_next(),
                false => None,
            }
        };
        drop(unwanted);
    }
}
