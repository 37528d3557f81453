//! Rows sent to where their keys belong: to ranges of keys, or to parts by the hashes of keys. Sorts and
//! first records of any size are made of them.
//!
//! [`Ranges`] takes rows and keeps each in the part of its range, in memory or in the temporary file. Both
//! have one form, so that a sort that spills does no other work. [`in_order`] sorts part by part, side by
//! side, and hands the rows on in order. A part that is too large is cut into ranges again.
//!
//! [`Hashed`] takes records and keeps each in the part of its key's hash. [`count`] counts the keys of
//! all parts, and [`first_records`] sends the first record of each key to ranges of their places in the
//! input. A part that is too large is cut by more bits of the hashes.

mod cut;
mod hashed;
mod part;
mod parts;
mod ranges;
mod sorted;
#[cfg(test)]
mod tests;

pub(crate) use hashed::{Hashed, count, first_records};
pub(crate) use ranges::{Ranges, Shared};
pub(crate) use sorted::in_order;
