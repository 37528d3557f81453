//! Streaming bags: word counts, log mining and task graphs over text in files and object stores.
//!
//! ```
//! let top = creel::read_text("fixtures/peps/*.rst")?
//!     .lend(|lines| lines.words().filter(|word| word.len() > 5).frequencies())
//!     .topk(3);
//! assert_eq!(top.compute_blocking()?[0], ("Python".to_string(), 267));
//! # Ok::<(), creel::Error>(())
//! ```
//!
//! The same over `s3://`, `gs://`, `az://` and `http(s)://` URLs, over .gz, .zst, .bz2, .xz and
//! .lz4, and from the command line:
//!
//! ```text
//! creel 'words | filter(length > 5) | frequencies | topk(3)' 's3://peps/**/*.rst.gz'
//! ```
//!
//! # Two ways to write it
//!
//! **Owned records** go through a chain of methods on a [`Bag`], as in dask.bag. Records are
//! values, closures take and return values.
//!
//! **Lent records** go through a plan: one closure over the records of a block, given to
//! [`Bag::lend`]. It has the same verbs, as methods of [`Records`](operators::Records), and
//! allocates nothing for a record. A plan ends in a combiner.
//!
//! Both are lazy, and both make [`Bag`]s and [`Item`]s, which [`compute_all`] computes in one pass.
//!
//! # Tasks of your own
//!
//! A [`Delayed`] is a lazy handle on the result of a task: see [`mod@delayed`]. Bags and tasks are one
//! graph, run by one engine: [`Bag::to_delayed`] gives a handle for each partition,
//! [`Bag::from_delayed`] makes a bag of handles, items go both ways too, and [`compute_all`] takes
//! items and handles together.
//!
//! ```
//! use creel::{Bag, delayed};
//!
//! let shift = delayed(10_i64);
//! let parts = (0..3_i64).map(|n| shift.map(move |shift| vec![n, n + shift]));
//! let sum = Bag::from_delayed(parts).sum();
//! assert_eq!(creel::compute_all_blocking(&(sum, shift))?, (36, 10));
//! # Ok::<(), creel::Error>(())
//! ```
//!
//! A value of a task or an item goes back into a bag as an argument:
//! [`map_with`](Bag::map_with), [`filter_with`](Bag::filter_with),
//! [`flat_map_with`](Bag::flat_map_with) and [`lend_with`](Bag::lend_with) compute it once, before
//! records are read, and share it.
//!
//! ```
//! let sizes = creel::read_text("fixtures/access.log")?.map(|line| line.len());
//! let largest = sizes.clone().max().map(|size| size.unwrap_or(1));
//! let percent = sizes.map_with(&largest, |size, largest: &usize| 100 * size / largest);
//! assert_eq!(percent.max().compute_blocking()?, Some(100));
//! # Ok::<(), creel::Error>(())
//! ```
//!
//! [`visualize`] draws what a run would be, of items and tasks, several together or, as a method,
//! each by itself and bags too; it reads nothing.
//!
//! A [`Client`] runs tasks as they are submitted, and gives futures of what they come to: see
//! [`mod@client`]. Whatever runs can be watched: see [`watch`].
//!
//! # How the data goes
//!
//! | noun | what it is | module |
//! |---|---|---|
//! | source | a URL pattern and the objects it names | `source` |
//! | partition | ranges of objects, in input order: the unit of work | `source` |
//! | block | about a MiB of whole records, decompressed, in a recycled buffer | `block` |
//! | record | one element: a line, lent from its block or owned | `record` |
//! | operator | records to records | [`operators`] |
//! | combiner | records to one; a state for each lane, merged in a tree | [`operators`] |
//!
//! A *lane* is a thread's share of a run: it takes a block, runs it through the operators, and
//! feeds the combiner's state; `run` says which block it takes. Listing, lanes, merges and tasks of
//! your own are nodes of one graph, and `graph` runs them. Data moves from left to right, and so
//! do imports: a module uses only those before it, in the order `error`, `output`, `progress`, `watch`, `runtime`, `spill`, `graph`, `source`, `block`, `record`,
//! `run`, `bag`, `sink`, `program`, `plan`, `cluster`, `cli`, `worker`.
//!
//! # What is promised
//!
//! - A result does not depend on the number of threads, on block sizes or on partitions.
//! - A record is never lost or changed silently. What is damaged or invalid is an [`Error`] that
//!   names object, partition and byte, or is counted by the policy that let it pass.
//! - A panic in a closure is an [`Error::Panic`], with the tasks that led to it; a dropped future
//!   cancels its run.
//! - Memory is bounded by what combiners hold, and by some MiB for each thread.
//!
//! # Features
//!
//! All on by default: `cli` (the command), `s3`, `gcs`, `azure`, `http` (stores), `gzip`, `zstd`,
//! `bzip2`, `xz`, `lz4` (codecs), `tar` (archives), `encoding` (UTF-16, Latin-1 and their kin), `bar` (a progress bar, part of
//! `cli`), `tracing` (spans). With none, creel reads plain UTF-8 from local files, and needs
//! neither TLS nor a C compiler.

mod bag;
mod block;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "cli")]
pub mod cluster;
mod error;
#[cfg(feature = "cli")]
mod exchange;
mod graph;
mod memory;
mod output;
#[cfg(feature = "cli")]
pub mod plan;
#[cfg(feature = "cli")]
mod program;
mod progress;
mod record;
mod run;
mod runtime;
#[cfg(feature = "cli")]
mod sink;
mod source;
mod spill;
pub mod watch;
#[cfg(feature = "cli")]
pub mod worker;

pub use bag::{
    Bag, Compute, Groups, Item, Lend, LentRecords, ReadOptions, RecordStream, Run, compute_all,
    compute_all_blocking, read_bytes, read_text, visualize,
};
#[doc(hidden)]
pub use bag::{Computation, Values};
pub use block::{Compression, Damaged, Delimiter, Encoding, SingleByte};
/// The operators and combiners, which need nothing but memory.
pub use creel_operators as operators;
/// What [`Bag::aggregate`](crate::Bag::aggregate) and [`Groups::aggregate`](crate::Groups::aggregate) take.
pub use creel_operators::typed as aggregate;
pub use error::{Error, Place, Result};
pub use graph::client::{self, Client};
pub use graph::{Delayed, delayed};
pub use progress::Progress;
pub use record::{Invalid, Lines, RawLines};
pub use source::Missing;

/// The README's Rust, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
