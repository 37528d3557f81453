//! A task's place in a plan: its node, whom it waits for, who waits for it, and how far it is.

use std::sync::Arc;

use creel_kernels::prefetch;
use smallvec::SmallVec;
use tokio::sync::OwnedSemaphorePermit;

use crate::Error;
use crate::graph::node::{Inputs, Node, Shared};
use crate::runtime::Task;

/// A task's number in a plan. Places are used again, at another turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id {
    pub(crate) at: u32,
    pub(crate) turn: u32,
}

/// A task that was begun, and which beginning of it: what an earlier one comes to is not wanted
/// any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) id: Id,
    pub(crate) attempt: u32,
}

/// Before which others a task goes: those of the latest growth first, then by number.
pub(crate) type Rank = u64;

/// Tasks that need a task. Few stand where this does, as most have few: room of their own would be
/// a cache miss each.
pub(crate) type Ids = SmallVec<[Id; 2]>;

/// What a task needs, by place: it is one of their users, so they are there. Few stand where this
/// does, too.
pub(crate) type Places = SmallVec<[u32; 4]>;

/// A task of a plan. In the order of how often it is looked at by those beside it in the graph,
/// which may be anywhere in a plan that is larger than the caches.
#[repr(C)]
pub(crate) struct Slot {
    pub(crate) turn: u32,
    /// Inputs that are still to come, and its turn.
    pub(crate) missing: u32,
    /// Users that have not taken the value, and handles on it.
    pub(crate) uses: u32,
    pub(crate) state: State,
    /// `None` for a place that is free.
    pub(crate) node: Option<Arc<Node>>,
    pub(crate) value: Option<Shared>,
    /// Those that wait for its value, and some that gave up.
    pub(crate) users: Ids,
    pub(crate) rank: Rank,
    /// What it needs, until it is begun.
    pub(crate) inputs: Places,
    /// How many bytes the value holds, as far as that was said.
    pub(crate) weight: u64,
}

/// How far a task has come.
pub(crate) enum State {
    /// There is no task; the next place that is free, if there is one.
    Free(Option<u32>),
    /// Not started.
    New,
    /// It waits for the task that will make its value.
    Forwards,
    /// Something else than a task goes on for it.
    Pending(Box<Pending>),
    /// That has come, and it can go on.
    Arrived(Box<Arrived>),
    /// The worker at this seat has it.
    Running {
        attempt: u32,
        seat: u32,
    },
    Done,
    Failed(Box<Error>),
}

/// What is kept of a task while a future of it goes on.
pub(crate) struct Pending {
    pub(crate) attempt: u32,
    pub(crate) tried: Tried,
    /// The tasks that the future waits for; none while it goes on by itself.
    pub(crate) waits_for: SmallVec<[Id; 1]>,
    /// Aborted when this is dropped.
    pub(crate) _future: Task<()>,
}

/// What a task has of its earlier steps.
#[derive(Default)]
pub(crate) struct Tried {
    /// The inputs, if it may be tried again.
    pub(crate) inputs: Inputs,
    /// How many tries have failed.
    pub(crate) failed: u32,
    /// Its place among the few that may run.
    pub(crate) permit: Option<OwnedSemaphorePermit>,
}

/// What a future has come to, for the task that waited for it.
pub(crate) struct Arrived {
    /// Why its work failed; `None` if it may begin now.
    pub(crate) failed: Option<Error>,
    pub(crate) tried: Tried,
}

impl Slot {
    /// A task that has not begun.
    pub(super) fn new(turn: u32, node: Arc<Node>, rank: Rank, inputs: Places) -> Self {
        Self {
            turn,
            node: Some(node),
            rank,
            inputs,
            users: Ids::new(),
            missing: 0,
            uses: 0,
            value: None,
            weight: 0,
            state: State::New,
        }
    }

    /// Asks for it, to be looked at soon.
    pub(super) fn ask(&self) {
        prefetch(&self.turn);
        prefetch(&self.users);
    }

    /// Its number among the tasks of the plan.
    pub(super) fn number(&self) -> u32 {
        self.rank as u32
    }

    /// Whether a worker can take it.
    pub(crate) fn is_ready(&self) -> bool {
        self.missing == 0 && matches!(self.state, State::New | State::Forwards | State::Arrived(_))
    }

    /// Whether the user has said how to tell what its value holds.
    pub(super) fn has_weight(&self) -> bool {
        self.node.as_ref().is_some_and(|node| node.has_weight())
    }

    /// Whether its value may still come.
    pub(crate) fn is_under_way(&self) -> bool {
        !matches!(self.state, State::Done | State::Failed(_) | State::Free(_))
    }
}
