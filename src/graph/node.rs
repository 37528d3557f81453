//! Nodes: what a task needs, what it does, and what people call it.

use std::any::{Any, TypeId};
use std::cell::RefCell;
#[cfg(feature = "cli")]
use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use creel_kernels::prefetch;
use smallvec::{SmallVec, smallvec};

use super::policy::{Limit, Policy, Retry};
use super::{Context, Sketch};
use crate::Result;
use crate::watch::Task;

/// What a task hands to its users. Erased here; typed handles give the type back.
pub(crate) type Shared = Arc<dyn Any + Send + Sync>;

/// The value of a task that waits for something else than another task.
pub(super) type Pending = Pin<Box<dyn Future<Output = Result<Shared>> + Send>>;

/// What a task does with the values of its inputs.
type Work = Box<dyn Fn(&Context, &mut Inputs) -> Result<Outcome> + Send + Sync>;

/// What became of a task when its work has returned.
pub(crate) enum Outcome {
    /// Its value.
    Value(Shared),
    /// A task whose value will be its value: the graph grows while it runs.
    Node(Arc<Node>),
    /// A future of its value.
    Future(Pending),
}

impl Outcome {
    /// A value that is there.
    pub(crate) fn value<T: Send + Sync + 'static>(value: T) -> Self {
        Self::Value(Arc::new(value))
    }
}

/// A task. Its handles and the tasks that need it share it; a cycle cannot be made of it.
///
/// In the order of how often they are looked at, behind the counts of its `Arc`: in a large graph
/// each part of a node that is not near the others is a cache miss for each task.
#[repr(C)]
pub(crate) struct Node {
    pub(super) place: NodePlace,
    pub(super) inputs: Needed,
    work: Work,
    /// What it is allowed, if that was said.
    pub(super) policy: Option<Box<Policy>>,
    pub(super) name: Name,
}

/// What a task needs. Up to four, as most do, stand in its node, so that finding them is no cache
/// miss of its own.
pub(super) type Needed = SmallVec<[Arc<Node>; 4]>;

/// Where a node stands in the first of the plans that it is in, so that finding it there costs
/// no look into a table: with a million tasks that is a cache miss for each input.
#[derive(Default)]
pub(super) struct NodePlace(AtomicU64);

impl NodePlace {
    /// The place in the plan of this number, if it is that which is remembered.
    pub(super) fn get(&self, plan: u64) -> Option<u32> {
        let place = self.0.load(Relaxed);
        (place >> 32 == plan).then_some(place as u32)
    }

    /// Remembers a place in the plan of this number, which is not 0; not if another has that, or
    /// the number does not fit beside the place. Such a plan finds its nodes by address.
    pub(super) fn set(&self, plan: u64, at: u32) -> bool {
        let place = plan << 32 | u64::from(at);
        plan >> 32 == 0 && self.0.compare_exchange(0, place, Relaxed, Relaxed).is_ok()
    }

    /// Forgets this place in the plan of this number, if it is that which is remembered.
    pub(super) fn clear(&self, plan: u64, at: u32) -> bool {
        let is_it = self.get(plan) == Some(at);
        if is_it {
            self.0.store(0, Relaxed);
        }
        is_it
    }
}

/// What makes two tasks one: a content key, and the type of the value.
pub(super) type Key = (TypeId, u64, u64);

/// What people call a task.
#[derive(Clone)]
pub(crate) enum Name {
    /// As the user did.
    Given(Arc<str>),
    /// A value that was there, and the line that gave it: no task to those who count these.
    Value(&'static Location<'static>),
    /// An operation, and the line that asked for it.
    At(&'static str, &'static Location<'static>),
    /// One of many that a run has made.
    Numbered(&'static str, usize),
    /// The only one of its kind.
    Only(&'static str),
    /// One that a picture tells more of; its number, if it is one of many.
    Sketched(Arc<Sketch>, Option<usize>),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(name) => f.write_str(name),
            Self::Value(at) | Self::At(_, at) => {
                write!(f, "{} ({}:{})", self.kind(), at.file(), at.line())
            }
            Self::Numbered(operation, index) => write!(f, "{operation} {index}"),
            Self::Only(operation) => f.write_str(operation),
            Self::Sketched(sketch, Some(index)) => write!(f, "{} {index}", sketch.operation),
            Self::Sketched(sketch, None) => f.write_str(sketch.operation),
        }
    }
}

impl Name {
    /// What tasks of its kind have in common.
    pub(crate) fn kind(&self) -> &str {
        match self {
            Self::Given(name) => name,
            Self::Value(_) => "value",
            Self::At(operation, _) | Self::Numbered(operation, _) | Self::Only(operation) => {
                operation
            }
            Self::Sketched(sketch, _) => sketch.operation,
        }
    }
}

impl Node {
    /// A task over others.
    pub(crate) fn new(
        name: Name,
        inputs: impl IntoIterator<Item = Arc<Self>>,
        work: impl Fn(&Context, &mut Inputs) -> Result<Outcome> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            name,
            place: NodePlace::default(),
            policy: None,
            inputs: inputs.into_iter().collect(),
            work: Box::new(work),
        })
    }

    /// The same task, which begins this pass over a source.
    #[cfg(feature = "cli")]
    pub(crate) fn of_pass(mut self: Arc<Self>, pass: Shared) -> Arc<Self> {
        if let Some(node) = Arc::get_mut(&mut self) {
            node.policy_mut().pass = Some(pass);
        }
        self
    }

    /// A task that hands on the value of another.
    pub(super) fn alias(of: &Arc<Self>) -> Self {
        Self {
            name: of.name.clone(),
            place: NodePlace::default(),
            policy: None,
            inputs: smallvec![Arc::clone(of)],
            work: Box::new(|_, inputs| Ok(Outcome::Value(inputs.take(0)))),
        }
    }

    /// A task that hands on the value of another, and keeps something as long as it may.
    pub(super) fn keeping(of: &Arc<Self>, kept: impl Send + Sync + 'static) -> Arc<Self> {
        let mut alias = Self::alias(of);
        alias.work = Box::new(move |_, inputs| {
            let _ = &kept;
            Ok(Outcome::Value(inputs.take(0)))
        });
        Arc::new(alias)
    }

    /// The task as those who watch see it, by this number.
    pub(super) fn task(&self, id: u64) -> Task<'_> {
        Task { id, kind: self.name.kind(), name: &self.name }
    }

    /// What people call it.
    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// What it is allowed, to change.
    pub(super) fn policy_mut(&mut self) -> &mut Policy {
        self.policy.get_or_insert_default()
    }

    /// What makes other tasks the same as this, if anything does.
    pub(super) fn key(&self) -> Option<&Key> {
        self.policy.as_ref()?.key.as_ref()
    }

    /// How the task is tried again, if it is.
    pub(super) fn retry(&self) -> Option<&Retry> {
        self.policy.as_ref().filter(|policy| !policy.once)?.retry.as_ref()
    }

    /// How many of it may run at once, with others.
    pub(super) fn limit(&self) -> Option<&Limit> {
        self.policy.as_ref()?.limit.as_ref()
    }

    /// Whether the user has said how to tell what its value holds.
    pub(super) fn has_weight(&self) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.weigh.is_some())
    }

    /// How many bytes its value holds, as far as the user has said how to tell.
    pub(super) fn weight(&self, value: &Shared) -> u64 {
        let weigh = self.policy.as_ref().and_then(|policy| policy.weigh.as_ref());
        weigh.map_or(0, |weigh| weigh(value))
    }

    /// Runs the task.
    pub(super) fn run(&self, context: &Context, inputs: &mut Inputs) -> Result<Outcome> {
        (self.work)(context, inputs)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)
    }
}

thread_local! {
    /// What nodes that were dropped on this thread held, while the first of them is at it.
    static REMAINS: RefCell<Option<Vec<Remains>>> = const { RefCell::new(None) };
}

/// What a node held: other nodes, in its inputs and in what its work captured.
type Remains = (Needed, Work);

impl Drop for Node {
    /// Drops what the node holds one by one: a chain of a million nodes must not take a million
    /// frames of the stack, whether they hang on inputs or on captures.
    fn drop(&mut self) {
        let nothing: Work = Box::new(|_, _| unreachable!("the node is gone"));
        let remains =
            (std::mem::take(&mut self.inputs), std::mem::replace(&mut self.work, nothing));
        let queued = REMAINS.try_with(|queue| {
            let mut queue = queue.borrow_mut();
            let first = queue.is_none();
            // Soon one user fewer, each: of a large graph that is a miss for each task.
            remains.0.iter().take(AHEAD).for_each(|input| prefetch(&**input));
            queue.get_or_insert_default().push(remains);
            first
        });
        // Where the thread itself ends there is no queue, and the closure has dropped them.
        if queued != Ok(true) {
            return;
        }
        let _end = EndOfRemains;
        while let Some(next) = next_remains() {
            drop(next);
        }
    }
}

/// How many remains stay behind while those before them are dropped, so that what was asked for
/// has come from memory when it is their turn.
const AHEAD: usize = 8;

/// What is to be dropped next: of the last few the first.
fn next_remains() -> Option<Remains> {
    REMAINS.with(|queue| {
        let mut queue = queue.borrow_mut();
        let queue = queue.as_mut()?;
        let at = queue.len().saturating_sub(AHEAD);
        (at < queue.len()).then(|| queue.swap_remove(at))
    })
}

/// Opens the queue to the next node also when a caller's value panics as it is dropped.
struct EndOfRemains;

impl Drop for EndOfRemains {
    fn drop(&mut self) {
        let rest = REMAINS.with(|queue| queue.borrow_mut().take());
        drop(rest);
    }
}

/// The passes over sources that tasks begin, as far as they are known before a run: each behind those that it needs.
#[cfg(feature = "cli")]
pub(crate) fn passes(roots: &[Arc<Node>]) -> Vec<Shared> {
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    // Each task, and how many of its inputs were looked at.
    let mut path: Vec<(&Arc<Node>, usize)> = Vec::new();
    for root in roots {
        if seen.insert(Arc::as_ptr(root)) {
            path.push((root, 0));
        }
        while let Some((node, at)) = path.last_mut() {
            let node = *node;
            match node.inputs.get(*at) {
                Some(input) => {
                    *at += 1;
                    if seen.insert(Arc::as_ptr(input)) {
                        path.push((input, 0));
                    }
                }
                None => {
                    path.pop();
                    found.extend(node.policy.as_ref().and_then(|policy| policy.pass.clone()));
                }
            }
        }
    }
    found
}

/// The values that a task is given, in the order of its inputs.
#[derive(Clone, Default)]
pub(crate) struct Inputs {
    pub(super) values: Vec<Option<Shared>>,
}

impl Inputs {
    /// One of them, to look at.
    pub(super) fn get<T: 'static>(&self, n: usize) -> &T {
        seen(&self.values[n])
    }

    /// One of them, to keep: nobody else holds it if this was the last task to use it.
    pub(crate) fn take(&mut self, n: usize) -> Shared {
        self.values[n].take().unwrap_or_else(|| unreachable!("a task takes an input once"))
    }

    /// All that were not taken, to keep.
    pub(crate) fn take_all(&mut self) -> Vec<Shared> {
        self.values.iter_mut().filter_map(Option::take).collect()
    }

    /// Nothing, in the room of these.
    pub(super) fn cleared(mut self) -> Self {
        self.values.clear();
        self
    }

    /// One of them, to keep, in its type.
    pub(crate) fn take_as<T: Send + Sync + 'static>(&mut self, n: usize) -> Arc<T> {
        typed(self.take(n))
    }
}

/// A value to look at, in the type that its handle promised.
pub(super) fn seen<T: 'static>(value: &Option<Shared>) -> &T {
    let value = value.as_deref().and_then(|value| value.downcast_ref());
    value.unwrap_or_else(|| unreachable!("a handle has the type of its task"))
}

/// A value in the type that its handle promised.
pub(crate) fn typed<T: Send + Sync + 'static>(value: Shared) -> Arc<T> {
    value.downcast().unwrap_or_else(|_| unreachable!("a handle has the type of its task"))
}

/// A value that one user takes out, so that states move through a graph and are never copied.
pub(crate) struct Moved<T>(Mutex<Option<T>>);

impl<T: Send + 'static> Moved<T> {
    /// What a task hands to its one user.
    pub(crate) fn outcome(value: T) -> Outcome {
        Outcome::value(Self(Mutex::new(Some(value))))
    }

    /// The value out of what a task has handed on.
    pub(crate) fn out_of(value: Shared) -> T {
        let value = typed::<Self>(value);
        let taken = value.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.unwrap_or_else(|| unreachable!("a value that moves has one user"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_whose_number_does_not_fit_beside_a_place_is_not_taken_for_an_earlier_one() {
        let place = NodePlace::default();
        assert!(place.set(7, 3));
        assert_eq!((place.get(7), place.get(7 + (1 << 32))), (Some(3), None));
        assert!(!place.clear(7 + (1 << 32), 3) && place.clear(7, 3));
        assert!(!place.set(7 + (1 << 32), 3), "it finds its nodes by address");
        assert_eq!((place.get(7), place.get(7 + (1 << 32))), (None, None));
    }
}
