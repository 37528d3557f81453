//! Computations on a Dask cluster, which is reached through the Python package creel-dask.
//!
//! The package speaks Dask's protocol, in a process of its own: see [`submission`]. What it runs on workers are
//! processes, of the command (`creel worker`) or of a program in Rust, which is started there as it was started here:
//! see [`passes`] and [`worker`](mod@crate::worker).

mod passes;
mod python;
mod scheduler;
mod submission;

pub(crate) use passes::{Resources, Submitter};
pub(crate) use python::INSTALL;
pub use scheduler::Scheduler;
pub(crate) use submission::{Asked, Submission, Telling};
