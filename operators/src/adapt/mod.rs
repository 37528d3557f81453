//! Records to records: a file for each operator.

mod filter;
mod filter_map;
mod flat_map;
mod flatten;
mod map;
mod pieces;
mod remove;
mod split;
mod words;

pub use pieces::Pieces;
pub use words::WholeOf;
