//! Functions that workers call, by their names.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use creel_operators::Spill;

use crate::graph::caught;
use crate::graph::delayed::{Function, Sent};
use crate::{Error, Result};

/// Takes the bytes of arguments, and gives those of the result.
type Call = dyn Fn(&[u8]) -> Result<Vec<u8>> + Send + Sync;

static FUNCTIONS: Mutex<Option<HashMap<Arc<str>, Arc<Call>>>> = Mutex::new(None);

/// A function that workers call: of the arguments `A`, a tuple, to `U`. [`worker::register`](crate::worker::register)
/// makes it. Cheap to clone.
///
/// ```
/// use creel::cluster::Registered;
///
/// let add: Registered<(u64, u64), u64> = creel::worker::register("add", |a: &u64, b: &u64| a + b);
/// assert_eq!(format!("{add:?}"), "Registered(add)");
/// ```
pub struct Registered<A, U> {
    pub(super) name: Arc<str>,
    types: PhantomData<fn(A) -> U>,
}

impl<A, U> Clone for Registered<A, U> {
    fn clone(&self) -> Self {
        Self { name: Arc::clone(&self.name), types: PhantomData }
    }
}

impl<A, U> fmt::Debug for Registered<A, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registered({})", self.name)
    }
}

/// Makes a function known by a name.
///
/// # Panics
///
/// If there is one of that name already.
pub(crate) fn register<A, U, F>(
    name: &str,
    apply: impl Fn(&F, &[Option<crate::graph::Shared>]) -> Result<U> + Send + Sync + 'static,
    f: F,
) -> Registered<A, U>
where
    A: Sent,
    U: Spill,
    F: Send + Sync + 'static,
{
    const {
        assert!(
            size_of::<F>() == 0,
            "the function has captured a local value, which workers do not have"
        );
        assert!(
            A::HAVE_FORM,
            "an argument has no form in bytes: implement `Spill` for its type, with `HAS_FORM`"
        );
        assert!(
            U::HAS_FORM,
            "the result has no form in bytes: implement `Spill` for its type, with `HAS_FORM`"
        );
    };
    let name: Arc<str> = name.into();
    let task = Arc::clone(&name);
    let call = move |bytes: &[u8]| {
        let values = A::receive(bytes).ok_or_else(|| Error::Plan {
            reason: format!("the arguments of {task} are not those that the function takes"),
        })?;
        let named = |error: Error| error.in_task(|| (task.to_string(), task.to_string()));
        let result = caught("", || apply(&f, &values)).map_err(named)?;
        let mut bytes = Vec::new();
        result.save(&mut bytes);
        Ok(bytes)
    };
    let mut known = FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let before = known.get_or_insert_default().insert(Arc::clone(&name), Arc::new(call));
    drop(known);
    assert!(before.is_none(), "there is a function {name:?} already");
    Registered { name, types: PhantomData }
}

/// A function whose error is one of its caller.
pub(crate) fn fallible<A, U, E, F>(f: &F, values: &[Option<crate::graph::Shared>]) -> Result<U>
where
    F: Function<A, Result<U, E>>,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    f.apply(values).map_err(Error::task)
}

/// Calls the function of a name.
///
/// # Errors
///
/// [`Error::Plan`] if there is none; what the function fails with.
pub(crate) fn call(name: &str, arguments: &[u8]) -> Result<Vec<u8>> {
    let known = FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let function = known.as_ref().and_then(|known| known.get(name)).cloned();
    drop(known);
    let function = function.ok_or_else(|| Error::Plan {
        reason: format!(
            "no function {name:?} is registered; register it before the client connects"
        ),
    })?;
    function(arguments)
}
