//! Functions of several arguments: tuples of handles and plain values, of up to eight.

use std::panic::Location;
use std::sync::Arc;

use creel_operators::Spill;

use super::{Delayed, delayed};
use crate::graph::node::{Name, Node, Outcome, Shared, seen};

/// What can stand where a task wants a `T`: a [`Delayed`] or an [`Item`](crate::Item), a reference
/// to either, or a plain value.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot stand where a task wants a `{T}`",
    label = "this is no `{T}`, nor a handle on one",
    note = "an argument is a value of just that type, a `Delayed`, an `Item` or a `TaskFuture` of it, or a reference to one of these three",
    note = "text is given owned: `String::from(\"text\")` where the function takes `&String`"
)]
pub trait Argument<T> {
    /// The handle.
    #[track_caller]
    fn into_delayed(self) -> Delayed<T>;
}

impl<T: Send + Sync + 'static> Argument<T> for T {
    fn into_delayed(self) -> Delayed<T> {
        delayed(self)
    }
}

impl<T> Argument<T> for Delayed<T> {
    fn into_delayed(self) -> Self {
        self
    }
}

impl<T> Argument<T> for &Delayed<T> {
    fn into_delayed(self) -> Delayed<T> {
        self.clone()
    }
}

/// Arguments for a function of `A`, a tuple of up to eight types. See [`call`](super::call).
#[diagnostic::on_unimplemented(
    message = "`{Self}` are not the arguments `{A}` of a task",
    note = "write a tuple, also for one argument: `(value,)`; and `()` for none",
    note = "the function has as many parameters, each a reference: eight at most"
)]
pub trait Arguments<A> {
    /// The handles, their types forgotten.
    #[doc(hidden)]
    #[track_caller]
    fn tasks(self) -> impl IntoIterator<Item = Delayed<()>>;
}

/// A function of references to `A`, a tuple of up to eight types. See [`call`](super::call).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a function that a task can call with `{A}`",
    label = "not a function of references to these arguments",
    note = "values are shared by tasks, so each parameter is a reference: for `fn f(n: u32)` write `|n: &u32| f(*n)`",
    note = "text and lists are lent as the owned type that the argument is: for `fn f(text: &str)` write `|text: &String| f(text)`, for `&[T]` write `|list: &Vec<T>| f(list)`",
    note = "a closure names the types of its parameters: `|a: &u32, b: &String| ...`",
    note = "an async function is given to `Delayed::map_async`, which lends it an `Arc` of the value",
    note = "what it captures is `Send + Sync + 'static`: write `move` and clone what it shares"
)]
pub trait Function<A, U>: Send + Sync + 'static {
    /// Calls it with what tasks have given.
    #[doc(hidden)]
    fn apply(&self, values: &[Option<Shared>]) -> U;
}

/// Arguments that go to another process: a tuple of types with a form in bytes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` are not arguments that can go to another process",
    note = "each type is `creel::operators::Spill`, with a form in bytes"
)]
pub trait Sent: Sized + 'static {
    /// Whether all types have a form.
    #[doc(hidden)]
    const HAVE_FORM: bool;

    /// Appends what tasks have given to bytes.
    #[doc(hidden)]
    fn send(values: &[Option<Shared>], bytes: &mut Vec<u8>);

    /// Reads them back.
    #[doc(hidden)]
    fn receive(bytes: &[u8]) -> Option<Vec<Option<Shared>>>;
}

impl Sent for () {
    const HAVE_FORM: bool = true;

    fn send(_: &[Option<Shared>], _: &mut Vec<u8>) {}

    fn receive(bytes: &[u8]) -> Option<Vec<Option<Shared>>> {
        bytes.is_empty().then(Vec::new)
    }
}

/// Handles that become the handle of a tuple. See [`join`](super::join).
pub trait Join {
    /// The tuple, of shares of the values.
    type Output;

    /// The handle of the tuple.
    #[doc(hidden)]
    fn join(self, at: &'static Location<'static>) -> Delayed<Self::Output>;
}

macro_rules! arity {
    ($($name:ident $argument:ident $at:tt),+) => {
        impl<$($name,)+ $($argument: Argument<$name>),+> Arguments<($($name,)+)> for ($($argument,)+) {
            fn tasks(self) -> impl IntoIterator<Item = Delayed<()>> {
                [$(Delayed::of(self.$at.into_delayed().node)),+]
            }
        }

        impl<Fun, U, $($name: 'static),+> Function<($($name,)+), U> for Fun
        where
            Fun: Fn($(&$name),+) -> U + Send + Sync + 'static,
        {
            fn apply(&self, values: &[Option<Shared>]) -> U {
                self($(seen::<$name>(&values[$at])),+)
            }
        }

        impl<$($name: Spill),+> Sent for ($($name,)+) {
            const HAVE_FORM: bool = $($name::HAS_FORM)&&+;

            fn send(values: &[Option<Shared>], bytes: &mut Vec<u8>) {
                $(seen::<$name>(&values[$at]).save(bytes);)+
            }

            fn receive(mut bytes: &[u8]) -> Option<Vec<Option<Shared>>> {
                let values = vec![$(Some(Arc::new($name::load(&mut bytes)?) as Shared)),+];
                bytes.is_empty().then_some(values)
            }
        }

        impl<$($name: Send + Sync + 'static),+> Join for ($(Delayed<$name>,)+) {
            type Output = ($(Arc<$name>,)+);

            fn join(self, at: &'static Location<'static>) -> Delayed<Self::Output> {
                let inputs = [$(self.$at.node),+];
                Delayed::of(Node::new(Name::At("join", at), inputs, |_, inputs| {
                    Ok(Outcome::value(($(inputs.take_as::<$name>($at),)+)))
                }))
            }
        }
    };
}

impl Arguments<()> for () {
    fn tasks(self) -> impl IntoIterator<Item = Delayed<()>> {
        []
    }
}

impl<Fun, U> Function<(), U> for Fun
where
    Fun: Fn() -> U + Send + Sync + 'static,
{
    fn apply(&self, _values: &[Option<Shared>]) -> U {
        self()
    }
}

arity!(A X 0);
arity!(A X 0, B Y 1);
arity!(A X 0, B Y 1, C Z 2);
arity!(A X 0, B Y 1, C Z 2, D W 3);
arity!(A X 0, B Y 1, C Z 2, D W 3, E V 4);
arity!(A X 0, B Y 1, C Z 2, D W 3, E V 4, F T 5);
arity!(A X 0, B Y 1, C Z 2, D W 3, E V 4, F T 5, G S 6);
arity!(A X 0, B Y 1, C Z 2, D W 3, E V 4, F T 5, G S 6, H R 7);

macro_rules! unzip {
    ($($name:ident $at:tt),+) => {
        impl<$($name: Clone + Send + Sync + 'static),+> Delayed<($($name,)+)> {
            /// A handle on each member of the tuple, so that what needs one does not keep the
            /// others alive. Members are cloned.
            ///
            /// ```
            /// let (low, high) = creel::delayed(vec![3, 1, 2])
            ///     .map(|numbers| (numbers.iter().min().copied(), numbers.iter().max().copied()))
            ///     .unzip();
            /// assert_eq!(creel::compute_all_blocking(&(low, high))?, (Some(1), Some(3)));
            /// # Ok::<(), creel::Error>(())
            /// ```
            #[track_caller]
            pub fn unzip(&self) -> ($(Delayed<$name>,)+) {
                ($(self.member(|tuple| tuple.$at.clone()),)+)
            }
        }
    };
}

unzip!(A 0, B 1);
unzip!(A 0, B 1, C 2);
unzip!(A 0, B 1, C 2, D 3);
unzip!(A 0, B 1, C 2, D 3, E 4);
unzip!(A 0, B 1, C 2, D 3, E 4, F 5);
unzip!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
unzip!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
