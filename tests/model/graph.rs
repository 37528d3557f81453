//! The engine's sources, on the checker's primitives.

use std::sync::Arc;

use crate::Result;

#[path = "../../src/graph/client/mod.rs"]
pub mod client;
#[path = "../../src/graph/context.rs"]
mod context;
#[path = "../../src/graph/crew.rs"]
mod crew;
#[path = "../../src/graph/delayed/mod.rs"]
pub mod delayed;
#[path = "../../src/graph/engine.rs"]
mod engine;
#[path = "../../src/graph/node.rs"]
mod node;
#[path = "../../src/graph/pending.rs"]
mod pending;
#[path = "../../src/graph/plan/mod.rs"]
mod plan;
#[path = "../../src/graph/policy.rs"]
mod policy;
#[path = "../../src/graph/seats.rs"]
mod seats;
#[path = "../../src/graph/sketch.rs"]
mod sketch;
#[path = "../../src/graph/state.rs"]
mod state;
#[path = "../../src/graph/stop.rs"]
mod stop;
#[path = "../../src/graph/tree.rs"]
mod tree;
#[path = "../../src/graph/turns.rs"]
mod turns;
#[path = "../../src/graph/waiting.rs"]
mod waiting;
#[path = "../../src/graph/worker.rs"]
mod worker;

pub(crate) use context::Context;
pub(crate) use crew::Lineage;
pub(crate) use node::{Moved, Name, Node, Outcome, Shared, typed};
pub(crate) use seats::StandIns;
pub(crate) use sketch::Sketch;
pub(crate) use stop::{Entry as StopEntry, Stop};
pub(crate) use tree::tree;
pub(crate) use turns::take_in_turn;
pub(crate) use worker::caught;

/// As in `src/graph/mod.rs`.
pub(crate) fn run(context: &Context, roots: &[Arc<node::Node>]) -> Result<Vec<node::Shared>> {
    engine::Engine::run(context, roots)
}

/// What `src/graph/sync.rs` is elsewhere.
pub(crate) mod sync {
    use std::io;

    pub(super) use loom::sync::atomic::AtomicU8;
    pub(crate) use loom::sync::atomic::{AtomicUsize, Ordering};
    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
    pub(super) use loom::thread::JoinHandle;

    loom::thread_local! {
        static CURRENT: Thread = Thread(std::sync::Arc::new((Mutex::new(false), Condvar::new())));
    }

    /// loom's own forgets that a thread is not to park if it waits for a lock as it is told.
    #[derive(Clone)]
    pub(super) struct Thread(std::sync::Arc<(Mutex<bool>, Condvar)>);

    impl Thread {
        pub(super) fn unpark(&self) {
            *self.0.0.lock().expect("nothing panics") = true;
            self.0.1.notify_one();
        }
    }

    pub(super) fn current() -> Thread {
        CURRENT.with(Clone::clone)
    }

    pub(super) fn park() {
        let (token, told) = &*current().0;
        let mut token = token.lock().expect("nothing panics");
        while !*token {
            token = told.wait(token).expect("nothing panics");
        }
        *token = false;
    }

    /// loom's, which knows no constants.
    macro_rules! of_a_thread {
        ($(#[$doc:meta])* static $name:ident: $type:ty = const $init:block;) => {
            loom::thread_local! { $(#[$doc])* static $name: $type = $init }
        };
    }
    pub(super) use of_a_thread as thread_local;

    pub(super) fn is_finished(_: &JoinHandle<()>) -> bool {
        false
    }

    pub(super) fn spawn(
        _name: String,
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        Ok(loom::thread::spawn(work))
    }
}
