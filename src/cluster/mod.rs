//! Computations on a Dask cluster, which is reached through the Python package creel-dask.
//!
//! The package speaks Dask's protocol, in a process of its own: see `submission` for plans and `connection` for calls. What it runs on workers are
//! processes, of the command (`creel worker`) or of a program in Rust, which is started there as it was started here:
//! see [`worker`](mod@crate::worker).

mod client;
mod connection;
mod functions;
mod info;
mod passes;
mod python;
mod scheduler;
mod submission;

pub use client::ClusterClient;
pub use functions::Registered;
pub(crate) use functions::{call, fallible, register};
pub use info::{Info, Worker};
pub(crate) use passes::{Resources, Submitter};
pub(crate) use python::INSTALL;
pub use scheduler::Scheduler;
pub(crate) use submission::{Asked, Submission, Telling};
