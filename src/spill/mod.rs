//! The memory budget of a run, and the temporary file for what does not fit.
//!
//! [`Budget`] counts the bytes that states hold and owns the file. [`Batch`] writes pieces of bytes and
//! returns their [`Extent`]s. [`RunWriter`] writes sorted records of any type as a [`RecordRun`], and
//! [`MergedRecords`] reads the records of many runs in one order, compared in their type. [`KeyedRow`]s are such
//! records, of which long ones are not moved.
//!
//! The file is unlinked as soon as it is opened, so that no exit of the process leaves it behind. Every
//! extent has a checksum.

mod budget;
mod file;
#[cfg(feature = "cli")]
mod keyed;
mod records;

pub(crate) use budget::{Budget, FAN_IN, Share};
pub(crate) use file::{Batch, Extent};
#[cfg(feature = "cli")]
pub(crate) use keyed::{KeyedRow, KeyedWriter, merge_rows, merged_rows};
pub(crate) use records::{Head, MergedRecords, RecordRun, most_of_merge, reduce_runs};
