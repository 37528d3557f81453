//! The memory of a run: how much there is, how it is divided, and who has how much of it.
//!
//! A run has one [`Manager`]. Its owners are the lanes with their blocks, the states, windows of decoders,
//! the list of objects, rows between phases, and tasks that merge and sort. Each has a [`Reservation`], which
//! it sets before it takes memory, and which ends when it is dropped. No owner has a share of its own: what
//! one does not need, the others may have. Where all is reserved, states are spilled, and lanes end until
//! what cannot be spilled has room.

mod division;
mod manager;
mod system;

pub(crate) use division::{LaneNeeds, READY, longest_record};
pub(crate) use manager::{Manager, Reservation};
pub(crate) use system::default_limit;
