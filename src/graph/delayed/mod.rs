//! Tasks of your own: lazy, typed handles on their results.
//!
//! A [`Delayed<T>`] stands for a value that a task will make. Tasks over other handles make a
//! graph; nothing runs until one is computed, and then what it needs runs, each task once
//! however many want it, on one thread a core.
//!
//! ```
//! use creel::delayed::{all, call};
//!
//! fn load(year: &u32) -> Vec<u32> {
//!     vec![*year, *year + 1]
//! }
//!
//! let base = creel::delayed(2000).named("base");
//! let years = (0..3).map(|n| call(|base: &u32, n: &u32| base + n, (&base, n)).map(load));
//! let total = all(years).map(|loaded| loaded.iter().flat_map(|years| years.iter()).sum::<u32>());
//! assert_eq!(total.compute_blocking()?, 12_009);
//! # Ok::<(), creel::Error>(())
//! ```
//!
//! # What is alive
//!
//! Values are shared, not copied: a task sees `&T`, and a value is dropped when the last task
//! that needs it has run. Tasks run depth first, in the order of their arguments, so that few
//! values are alive at once: of a tree over n leaves log2 n + 2 on each thread, of chains one or
//! two on each thread. Of a grid in which each task needs its neighbours, one thread holds a line
//! and two more, in the direction of the last argument; where threads share it, those that run
//! ahead of a slow task hold what waits for it: at worst a line and a column, since what is done
//! has the form of stairs and only its edge is needed, and three values on each thread.
//!
//! # What goes wrong
//!
//! A task that panics is an [`Error::Panic`], one whose function returns an error an
//! [`Error::Task`], with the task's name and those of the tasks that needed it. Of several the first is
//! reported; tasks that had not started never do. A cycle cannot be written; one
//! that equal keys make is an [`Error::Task`].
//!
//! # Futures
//!
//! A task may be a future ([`Delayed::map_async`]). Futures go on beside the threads of the run,
//! on a tokio runtime of creel's, whatever runtime `compute` was called in, if any: they may
//! spawn, sleep and use the network. When nobody wants a future's value any more it is dropped.
//!
//! That runtime is one for the process and has a thread a core, at least two. So futures that
//! compute use every core, whatever [`Run::threads`](crate::Run::threads) says of the others; a
//! [`Limit`] bounds how many are under way.
//!
//! # Runs within tasks
//!
//! A task may compute what it likes. Such a run works on the task's thread, and has helpers as far as
//! the run of the task leaves threads idle: all runs within each other have as many threads
//! together as the one among them that may have most. A run of `T` threads whose tasks all compute has
//! at most `2 T` at any time.

mod arity;
mod options;

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;

use crate::graph::node::{Inputs, Name, Node, Outcome, Shared, typed};
pub use crate::graph::policy::{Limit, Retry};
use crate::{Error, Result};
pub use arity::{Argument, Arguments, Function, Join, Sent};

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A lazy handle on a task's result. Cheap to clone: all clones are one task.
///
/// See [the module](self).
#[must_use = "tasks are lazy: nothing runs until one is computed"]
pub struct Delayed<T> {
    node: Arc<Node>,
    value: PhantomData<fn() -> T>,
}

impl<T> Clone for Delayed<T> {
    fn clone(&self) -> Self {
        Self { node: Arc::clone(&self.node), value: PhantomData }
    }
}

impl<T> fmt::Debug for Delayed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Delayed({})", self.node.name)
    }
}

/// A value that is there already, as a task's argument.
///
/// ```
/// let ten = creel::delayed(10);
/// assert_eq!(ten.map(|n| n + 1).compute_blocking()?, 11);
/// # Ok::<(), creel::Error>(())
/// ```
#[track_caller]
pub fn delayed<T: Send + Sync + 'static>(value: T) -> Delayed<T> {
    Delayed::ready(Name::Value(Location::caller()), Arc::new(value))
}

impl<T: Send + Sync + 'static> Delayed<T> {
    /// A function of the value.
    ///
    /// ```
    /// let length = creel::delayed("four").map(|text| text.len());
    /// assert_eq!(length.compute_blocking()?, 4);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn map<U: Send + Sync + 'static>(
        &self,
        f: impl Fn(&T) -> U + Send + Sync + 'static,
    ) -> Delayed<U> {
        self.over("map", move |inputs| Ok(Outcome::value(f(inputs.get(0)))))
    }

    /// A function of the value that can fail, with an error of yours.
    ///
    /// ```
    /// let number = creel::delayed("4x").try_map(|text| text.parse::<u32>()).named("parse");
    /// let error = number.compute_blocking().expect_err("no number");
    /// assert_eq!(error.to_string(), "the task parse failed: invalid digit found in string");
    /// ```
    #[track_caller]
    pub fn try_map<U: Send + Sync + 'static, E: Into<Cause>>(
        &self,
        f: impl Fn(&T) -> Result<U, E> + Send + Sync + 'static,
    ) -> Delayed<U> {
        self.over("try_map", move |inputs| {
            f(inputs.get(0)).map(Outcome::value).map_err(Error::task)
        })
    }

    /// A task that makes more tasks once it knows the value.
    ///
    /// The tasks run beside all others; those of them that are waiting or whose value is alive
    /// are not run again.
    ///
    /// ```
    /// fn halve(n: u64) -> creel::Delayed<u32> {
    ///     match n {
    ///         0 => creel::delayed(0),
    ///         _ => creel::delayed(n / 2).then(|&half| halve(half)).map(|steps| steps + 1),
    ///     }
    /// }
    /// assert_eq!(halve(1000).compute_blocking()?, 10);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn then<U: Send + Sync + 'static>(
        &self,
        f: impl Fn(&T) -> Delayed<U> + Send + Sync + 'static,
    ) -> Delayed<U> {
        self.over("then", move |inputs| Ok(Outcome::Node(f(inputs.get(0)).node)))
    }

    /// [`then`](Self::then) for a function that can fail, with an error of yours.
    ///
    /// ```
    /// let count = creel::delayed("fixtures/access.log").try_then(|path| {
    ///     std::fs::metadata(path).map(|file| creel::delayed(file.len()))
    /// });
    /// assert!(count.compute_blocking()? > 0);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn try_then<U: Send + Sync + 'static, E: Into<Cause>>(
        &self,
        f: impl Fn(&T) -> Result<Delayed<U>, E> + Send + Sync + 'static,
    ) -> Delayed<U> {
        self.over("try_then", move |inputs| {
            f(inputs.get(0)).map(|made| Outcome::Node(made.node)).map_err(Error::task)
        })
    }

    /// A future of the value. It is given a share of the value, since it may outlive the call.
    ///
    /// Futures of tasks run on threads of their own, one for each core that this process may use and
    /// at least two, whatever the threads of the run; so they may compute.
    ///
    /// ```
    /// let length = creel::delayed("four").map_async(|text| async move { text.len() });
    /// assert_eq!(length.compute_blocking()?, 4);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn map_async<U, F>(&self, f: impl Fn(Arc<T>) -> F + Send + Sync + 'static) -> Delayed<U>
    where
        U: Send + Sync + 'static,
        F: Future<Output = U> + Send + 'static,
    {
        self.over("map_async", move |inputs| {
            let future = f(inputs.take_as(0));
            Ok(Outcome::Future(Box::pin(async move { Ok(Arc::new(future.await) as Shared) })))
        })
    }

    /// A future of the value that can fail, with an error of yours.
    ///
    /// ```
    /// let number = creel::delayed("4").try_map_async(|text| async move { text.parse::<u32>() });
    /// assert_eq!(number.compute_blocking()?, 4);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn try_map_async<U, E, F>(
        &self,
        f: impl Fn(Arc<T>) -> F + Send + Sync + 'static,
    ) -> Delayed<U>
    where
        U: Send + Sync + 'static,
        E: Into<Cause>,
        F: Future<Output = Result<U, E>> + Send + 'static,
    {
        self.over("try_map_async", move |inputs| {
            let future = f(inputs.take_as(0));
            Ok(Outcome::Future(Box::pin(async move {
                future.await.map(|value| Arc::new(value) as Shared).map_err(Error::task)
            })))
        })
    }

    /// A task over this one.
    #[track_caller]
    fn over<U>(
        &self,
        operation: &'static str,
        work: impl Fn(&mut Inputs) -> Result<Outcome> + Send + Sync + 'static,
    ) -> Delayed<U> {
        let name = Name::At(operation, Location::caller());
        let inputs = [Arc::clone(&self.node)];
        Delayed::of(Node::new(name, inputs, move |_, inputs| work(inputs)))
    }

    /// A part of the value.
    #[track_caller]
    fn member<U: Send + Sync + 'static>(
        &self,
        of: impl Fn(&T) -> U + Send + Sync + 'static,
    ) -> Delayed<U> {
        self.over("unzip", move |inputs| Ok(Outcome::value(of(inputs.get(0)))))
    }

    /// A task whose value is there.
    pub(crate) fn ready(name: Name, value: Arc<T>) -> Self {
        let shared: Shared = value;
        Self::of(Node::new(name, [], move |_, _| Ok(Outcome::Value(Arc::clone(&shared)))))
    }
}

impl<T> From<&Self> for Delayed<T> {
    fn from(handle: &Self) -> Self {
        handle.clone()
    }
}

impl<T> Delayed<T> {
    /// A handle on a task that makes a `T`.
    pub(crate) fn of(node: Arc<Node>) -> Self {
        Self { node, value: PhantomData }
    }

    /// The task, without the handle.
    pub(super) fn into_node(self) -> Arc<Node> {
        self.node
    }

    /// The task.
    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }
}

/// A function of one to eight arguments, each an [`Argument`]: a [`Delayed`], an
/// [`Item`](crate::Item), a reference to either, or a plain value.
///
/// Closures name their arguments' types.
///
/// ```
/// use creel::delayed::call;
///
/// fn repeat(text: &String, times: &usize) -> String {
///     text.repeat(*times)
/// }
///
/// let text = creel::delayed(String::from("ab"));
/// let repeated = call(repeat, (&text, 3));
/// assert_eq!(repeated.compute_blocking()?, "ababab");
/// let longer = call(|a: &String, b: &String| a.len() > b.len(), (repeated, text));
/// assert!(longer.compute_blocking()?);
/// # Ok::<(), creel::Error>(())
/// ```
#[track_caller]
pub fn call<A, U: Send + Sync + 'static>(
    f: impl Function<A, U>,
    arguments: impl Arguments<A>,
) -> Delayed<U> {
    called("call", arguments.tasks(), move |inputs| Ok(Outcome::value(f.apply(&inputs.values))))
}

/// [`call`] for a function that can fail, with an error of yours.
///
/// ```
/// use creel::delayed::try_call;
///
/// let parsed = try_call(|text: &String, radix: &u32| u32::from_str_radix(text, *radix),
///     (String::from("ff"), 16));
/// assert_eq!(parsed.compute_blocking()?, 255);
/// # Ok::<(), creel::Error>(())
/// ```
#[track_caller]
pub fn try_call<A, U: Send + Sync + 'static, E: Into<Cause>>(
    f: impl Function<A, Result<U, E>>,
    arguments: impl Arguments<A>,
) -> Delayed<U> {
    called("try_call", arguments.tasks(), move |inputs| {
        f.apply(&inputs.values).map(Outcome::value).map_err(Error::task)
    })
}

/// A task of this name that sends its arguments somewhere, and is the future of what comes back.
#[cfg(feature = "cli")]
pub(crate) fn called_elsewhere<A: Sent, U, F>(
    name: std::sync::Arc<str>,
    arguments: impl Arguments<A>,
    call: impl Fn(Vec<u8>) -> F + Send + Sync + 'static,
) -> Delayed<U>
where
    F: Future<Output = Result<Shared>> + Send + 'static,
{
    let inputs = arguments.tasks().into_iter().map(|task| task.node);
    Delayed::of(Node::new(Name::Given(name), inputs, move |_, inputs| {
        let mut bytes = Vec::new();
        A::send(&inputs.values, &mut bytes);
        Ok(Outcome::Future(Box::pin(call(bytes))))
    }))
}

#[track_caller]
fn called<U>(
    operation: &'static str,
    tasks: impl IntoIterator<Item = Delayed<()>>,
    work: impl Fn(&mut Inputs) -> Result<Outcome> + Send + Sync + 'static,
) -> Delayed<U> {
    let name = Name::At(operation, Location::caller());
    let inputs = tasks.into_iter().map(|task| task.node);
    Delayed::of(Node::new(name, inputs, move |_, inputs| work(inputs)))
}

/// One handle of a tuple of handles. What follows sees shares of the values.
///
/// ```
/// let both = creel::delayed::join((creel::delayed(2), creel::delayed("b")));
/// assert_eq!(both.map(|(n, text)| text.repeat(**n)).compute_blocking()?, "bb");
/// # Ok::<(), creel::Error>(())
/// ```
#[track_caller]
pub fn join<J: Join>(handles: J) -> Delayed<J::Output> {
    handles.join(Location::caller())
}

/// One handle of many handles. What follows sees shares of the values, in the handles' order.
///
/// ```
/// let squares = creel::delayed::all((0..4).map(|n| creel::delayed(n).map(|n| n * n)));
/// let sum = squares.map(|squares| squares.iter().map(|n| **n).sum::<i32>());
/// assert_eq!(sum.compute_blocking()?, 14);
/// # Ok::<(), creel::Error>(())
/// ```
#[track_caller]
pub fn all<T: Send + Sync + 'static>(
    handles: impl IntoIterator<Item = Delayed<T>>,
) -> Delayed<Vec<Arc<T>>> {
    let inputs = handles.into_iter().map(|handle| handle.node);
    Delayed::of(Node::new(Name::At("all", Location::caller()), inputs, |_, inputs| {
        let values = std::mem::take(&mut inputs.values).into_iter().flatten();
        Ok(Outcome::value(Vec::from_iter(values.map(typed::<T>))))
    }))
}
