//! The primitives that the core of the engine and that of the lanes of a run stand on, in one place
//! so that a model checker can put its own here.

use std::io;
pub(super) use std::sync::atomic::AtomicU8;
pub(crate) use std::sync::atomic::{AtomicUsize, Ordering};
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
pub(super) use std::thread::{JoinHandle, Thread, current, park};
pub(super) use std::thread_local;

/// Whether a thread has ended.
pub(super) fn is_finished(thread: &JoinHandle<()>) -> bool {
    thread.is_finished()
}

/// Starts a thread.
pub(super) fn spawn(
    name: String,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name).spawn(work)
}
