//! Panics that become errors, and the threads on which they do.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Error, Place};

thread_local! {
    /// Whether a panic on this thread becomes an error.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
    /// Where the last panic of this thread was, until it is told.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on the panics of this thread become errors of whoever waits for its work.
pub(crate) fn catch_panics() {
    CAUGHT.set(true);
}

/// Takes note of a panic on this thread; whether it becomes an error, so that it needs no report.
#[cfg(feature = "cli")]
pub(crate) fn is_caught(place: Option<&std::panic::Location<'_>>) -> bool {
    // A thread that is ending has no places any more.
    let caught = CAUGHT.try_with(Cell::get).unwrap_or_default();
    if caught {
        let _ = PLACE.try_with(|kept| *kept.borrow_mut() = place.map(ToString::to_string));
    }
    caught
}

/// The result of some work, or what its panic said.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let before = CAUGHT.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    CAUGHT.set(before);
    result.map_err(thrown)
}

/// The error of memory that the system refused, if that is what was thrown.
pub(crate) fn refused(panic: &(dyn Any + Send)) -> Option<Error> {
    let bytes = panic.downcast_ref::<creel_kernels::Refused>()?.bytes();
    let told = format!(
        "the system refused {bytes} bytes more; use fewer threads, smaller blocks or a lower limit on \
         memory, or raise the limit of the process (ulimit -v, or its container's)"
    );
    let source = io::Error::new(io::ErrorKind::OutOfMemory, told).into();
    Some(Error::Io { place: Place::object("the memory of this process"), source })
}

/// The message of a panic.
pub(crate) fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// What a panic said. What was thrown is the caller's, and may panic again as it is dropped.
pub(crate) fn thrown(panic: Box<dyn Any + Send>) -> String {
    let text = said(&*panic);
    let message = match PLACE.try_with(RefCell::take).ok().flatten() {
        Some(place) => format!("{text}, at {place}"),
        None => text.to_owned(),
    };
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
    message
}

/// An internal fault, as an error tells it.
pub(crate) fn fault(said: &str) -> String {
    format!("an internal fault: {said}; please report it")
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_where_it_becomes_an_error_and_nowhere_else() {
        let within = caught(|| is_caught(None)).expect("no panic");
        assert!(within && !is_caught(None));
        assert_eq!(caught(|| -> () { panic!("too {}", "far") }), Err("too far".to_owned()));
        assert!(!is_caught(None), "not behind it");
    }
}
