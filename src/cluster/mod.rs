//! Computations on a Dask cluster, which is reached through the Python package creel-dask.
//!
//! The package speaks Dask's protocol, in a process of its own: see `submission` for plans and `connection` for calls.
//! What it runs on workers are processes, of the command (`creel worker`) or of a program in Rust, which is started
//! there as it was started here: see [`worker`](mod@crate::worker).

mod client;
mod connection;
mod executable;
mod functions;
mod history;
mod info;
mod passes;
mod process;
mod python;
mod scheduler;
mod submission;

pub use client::ClusterClient;
pub(crate) use executable::note_executable;
pub use functions::Registered;
pub(crate) use functions::{call, fallible, register};
pub(crate) use history::{Call, begin, end, note_main};
pub use info::{Info, Worker};
pub(crate) use passes::{Resources, Submitter};
pub(crate) use python::INSTALL;
pub use scheduler::Scheduler;
pub(crate) use submission::{Asked, Submission, Telling};
