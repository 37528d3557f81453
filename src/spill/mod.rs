//! The memory budget of a run, and the temporary file for what does not fit.
//!
//! [`Budget`] counts the bytes that states hold and owns the file. [`Batch`] writes pieces of bytes and
//! returns their [`Extent`]s. [`RowWriter`] writes sorted rows as a [`Run`], and [`Merged`] reads the rows of
//! many runs in one order. [`RecordRun`] and [`MergedRecords`] do so with records of any type, which are compared
//! in their type.
//!
//! The file is unlinked as soon as it is opened, so that no exit of the process leaves it behind. Every
//! extent has a checksum.

mod budget;
mod file;
#[cfg(any(feature = "cli", test))]
mod merge;
mod records;
#[cfg(any(feature = "cli", test))]
mod runs;

pub(crate) use budget::{Budget, FAN_IN, Share};
pub(crate) use file::{Batch, Extent};
#[cfg(feature = "cli")]
pub(crate) use merge::{Merged, merge_into_one};
pub(crate) use records::{Head, MergedRecords, RecordRun, reduce_runs};
#[cfg(feature = "cli")]
pub(crate) use runs::{RowWriter, Run};
