//! The operators and combiners of creel: pure kernels, with no I/O, no async and no clock.

mod combiner;
mod records;

pub use combiner::{Combiner, Feed};
pub use records::Records;
