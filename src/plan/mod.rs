//! A plan is data: what is read, in which format, and what is asked of it, in bytes that any process can
//! read back.
//!
//! Everything that a run does is one of four operations on it, and each may be done by another process:
//!
//! | operation | from | to |
//! |---|---|---|
//! | [`list`] | a [`Plan`] | [`Partitions`]: ranges of objects, with their versions |
//! | [`run`] | a plan and some of its partitions | a [`State`] |
//! | [`merge`] | states | a state |
//! | [`finish`] | a state | [`Rows`] |
//!
//! Printing is apart from finishing: rows are values of JSON, however they are then shown. The command
//! runs the same: `creel --partial` writes a state, `creel --merge` merges and prints.
//!
//! ```
//! use creel::plan::{self, InputFormat, Partitions, Plan, State};
//!
//! let plan = Plan::new("words | frequencies | topk(2)", InputFormat::TEXT, ["fixtures/peps/*.rst"])?;
//! let partitions = plan::list(&plan)?;
//!
//! // Each part by itself, as another process does it: all that it needs is bytes.
//! let (plan_bytes, mut states) = (plan.to_bytes(), Vec::new());
//! for part in partitions.split() {
//!     let bytes = part.to_bytes();
//!     let (plan, part) = (Plan::from_bytes(&plan_bytes)?, Partitions::from_bytes(&bytes)?);
//!     states.push(plan::run(&plan, &part)?.into_bytes());
//! }
//!
//! let states: Vec<State> = states.into_iter().map(State::from_bytes).collect::<Result<_, _>>()?;
//! let rows = plan::finish(&plan, &plan::merge(&plan, &states)?)?;
//! assert_eq!(rows.iter().next(), Some(r#"["the",2415]"#));
//! # Ok::<(), creel::Error>(())
//! ```
//!
//! # What is promised
//!
//! - The rows of merged states are those of one run over all that they have read, to the byte, for any
//!   split of the partitions and any number of threads. Where no order shows in the answer, states may be
//!   merged in any order; records, `take`, `sample`, `first`, `last` and `list` are of states in their order.
//! - Bytes are *canonical*: what states hold of the same records is the same bytes, however the records were
//!   cut and whichever process read them. Keys stand in their order, and no seed is in them. Beside that a
//!   state has what it was made of: its sources, how they were read, and what was passed over.
//! - No record is counted twice: a state knows the objects that it is of, by path or URL and by version, and
//!   which bytes of them. States that share any are refused, with both and the object named. Of objects
//!   without a version, as standard input, nothing is known.
//! - Bytes are bound to their version and to the [digest](Plan::digest) of their plan. Those of another
//!   are refused, with both named. Damaged bytes are refused, whatever the damage; no bytes make
//!   a reader panic, or take memory that they do not justify.
//! - No credential is in a plan: the process that reads finds its own.
//! - What could not be read, or was left out, is remembered in a state: [`State::report`]. [`Rows::report`] adds
//!   what the stages behind the first reduction left out.
//!
//! # The program is text
//!
//! A program is written as the text that it was compiled from, and whoever reads it compiles it again, with
//! all checks. So no bytes can make a tree of stages that the compiler would not make, and a stage may change
//! its form from one version to the next; what the text means is a version of its own. Rejected: the compiled
//! stages in bytes. Each would need a form that lasts and checks of its own, and expressions, regular
//! expressions above all, would be compiled again all the same.
//!
//! A closure has no text. A bag whose stages all have one builds a plan, by [`Bag::plan`](crate::Bag::plan);
//! for another that is an error, which names the stage.
//!
//! # States in bytes
//!
//! A state is its plan, then what there is of each result of the first phase, then the objects that were read,
//! then its report. Of a result there is what its reduction carries:
//!
//! - The state of an aggregate or of counts, in chunks, in the order of their keys, each of which is read by
//!   itself: a state that is larger than memory is written chunk by chunk, and many of them are merged key
//!   range by key range.
//! - The rows of a `sort` or a `distinct`, as JSON, one a line: the records of the part in their order, and the first
//!   ones of the part. They are records of the same reduction again, and a merge writes the rows that it makes
//!   of those of all states.
//!
//! A phase that prints records, or one with a `take`, has its records instead: those that reach the `take`, cut to
//! as many as it may take, and the merge takes again. So has a `sample`, which draws by the numbers that records
//! have in the whole input. Stages behind the first reduction run at the merge.
//!
//! # Shards
//!
//! One merge of the states of all parts is the end of every run. [`run_shards`] cuts the groups and counts of a state by
//! a hash of their keys, so that many processes merge them, each some shards. A state says which shard it is, and of which
//! partitions: states of one shard are merged into one of it, those of all shards into the whole, and where one is
//! missing or there twice, that is an error which names it. Rejected: cutting the keys in ranges, whose bounds all runs
//! would have to know before they begin.
//!
//! # Workers
//!
//! `creel worker` does each operation in a process of its own. Its protocol, with the layout of the bytes, is in
//! `docs/workers.md`.

mod bytes;
mod coverage;
mod data;
mod failure;
mod index;
mod listing;
mod operations;
mod overlap;
mod partials;
mod partition;
mod pass;
mod question;
mod report;
mod shard;
mod state;
mod step;
mod tasks;
mod writer;

/// Damaged bytes of a plan, of partitions or of a state with checksums, and the digest of the plan, that fit:
/// what the fuzzer reads.
#[cfg(fuzzing)]
pub fn sealed(bytes: &[u8]) -> Vec<u8> {
    let first = bytes::first_frame(bytes);
    // In a state a byte says what a frame is of.
    let digest =
        first.and_then(|part| data::digest_of(part).or_else(|| data::digest_of(part.get(1..)?)));
    bytes::sealed(bytes, digest)
}

pub use crate::program::InputFormat;
pub use bytes::Digest;
pub(crate) use coverage::Coverage;
pub use data::Plan;
pub(crate) use failure::Failure;
pub(crate) use listing::Listing;
pub use operations::{Rows, State, finish, list, merge, run, run_shards};
pub(crate) use partials::{Partials, RunOf, RunOfPartitions, list_in, list_job};
pub use partition::Partitions;
pub(crate) use pass::{PassReader, PassWriter, Piece, ReadPartitions, StateTail};
pub use report::Report;
pub(crate) use shard::MOST_SHARDS;
pub(crate) use state::Stored;
pub(crate) use step::{
    Before, KnownState, Outcome, StateBytes, StateFile, StepPlan, digest_of_values,
};
