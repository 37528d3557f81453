//! Rows sent to ranges of their keys, and read back in order: what a sort of any size is made of.
//!
//! [`Ranges`] takes rows and keeps each in the part of its range, in memory or in the temporary file. Both
//! have one form, so that a sort that spills does no other work. [`in_order`] sorts part by part, side by
//! side, and hands the rows on in order. A part that is too large is cut into ranges again.

mod cut;
mod part;
mod ranges;
mod sorted;
#[cfg(test)]
mod tests;

pub(crate) use ranges::{Ranges, Shared};
pub(crate) use sorted::in_order;
