//! A run is a graph of tasks: what each needs, and what it makes of it.
//!
//! A graph is built from leaves to roots through typed [`Handle`]s, so a cycle cannot be written,
//! and then run once by [`Graph::run`]. The graph knows nothing of blocks and records: reading a
//! lane is a task to it like any other.

#[cfg(test)]
mod picture;
mod schedule;
mod tree;

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;

use crate::Result;

pub(crate) use schedule::caught;

/// What a task hands to its user. Erased here and nowhere else: handles give the type back.
pub(crate) type Value = Box<dyn Any + Send>;

/// The work of a task: from the values of its inputs, in their order, to its own.
type Work<'a> = Box<dyn FnOnce(Vec<Value>) -> Result<Value> + Send + 'a>;

/// A graph under construction. Tasks may borrow for `'a`, since running it blocks.
#[derive(Default)]
pub(crate) struct Graph<'a> {
    nodes: Vec<Node<'a>>,
}

/// One task.
struct Node<'a> {
    name: Name,
    inputs: Vec<usize>,
    work: Work<'a>,
}

/// What people call a task: the operation, and which one of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) operation: &'static str,
    pub(crate) index: usize,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operation, self.index)
    }
}

/// The result of one task, which one other task or the caller will take.
///
/// Not `Clone`: a value has one user, so that states move through the tree and are never copied.
#[must_use = "a result that nobody takes need not be computed"]
pub(crate) struct Handle<T> {
    node: usize,
    value: PhantomData<fn() -> T>,
}

/// The results of a run that were asked for.
pub(crate) struct Results {
    values: Vec<Option<Value>>,
}

impl<'a> Graph<'a> {
    /// A task that needs nothing.
    pub(crate) fn task<T: Send + 'static>(
        &mut self,
        operation: &'static str,
        work: impl FnOnce() -> Result<T> + Send + 'a,
    ) -> Handle<T> {
        self.add(operation, Vec::new(), Box::new(|_| Ok(Box::new(work()?))))
    }

    /// A task over the result of another.
    pub(crate) fn map<A: Send + 'static, T: Send + 'static>(
        &mut self,
        operation: &'static str,
        a: Handle<A>,
        work: impl FnOnce(A) -> Result<T> + Send + 'a,
    ) -> Handle<T> {
        let work = |inputs: Vec<Value>| {
            let [a] = take_all(inputs);
            Ok(Box::new(work(given(a))?) as Value)
        };
        self.add(operation, vec![a.node], Box::new(work))
    }

    /// A task over the results of two others.
    pub(crate) fn zip<A: Send + 'static, B: Send + 'static, T: Send + 'static>(
        &mut self,
        operation: &'static str,
        (a, b): (Handle<A>, Handle<B>),
        work: impl FnOnce(A, B) -> Result<T> + Send + 'a,
    ) -> Handle<T> {
        let work = |inputs: Vec<Value>| {
            let [a, b] = take_all(inputs);
            Ok(Box::new(work(given(a), given(b))?) as Value)
        };
        self.add(operation, vec![a.node, b.node], Box::new(work))
    }

    fn add<T>(&mut self, operation: &'static str, inputs: Vec<usize>, work: Work<'a>) -> Handle<T> {
        let node = self.nodes.len();
        let name = Name { operation, index: node };
        self.nodes.push(Node { name, inputs, work });
        Handle { node, value: PhantomData }
    }
}

impl Results {
    /// The result of a task that no other task took.
    pub(crate) fn take<T: 'static>(&mut self, handle: Handle<T>) -> T {
        given(self.values[handle.node].take().expect("a root's value stays until it is taken"))
    }
}

/// The values of a task's inputs, as many as the builder above has named.
fn take_all<const N: usize>(inputs: Vec<Value>) -> [Value; N] {
    inputs.try_into().unwrap_or_else(|_| unreachable!("a task is given one value for each input"))
}

/// A value in the type that its handle promised.
fn given<T: 'static>(value: Value) -> T {
    *value.downcast().unwrap_or_else(|_| unreachable!("a handle has the type of its task"))
}
