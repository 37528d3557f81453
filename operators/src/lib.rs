//! The operators and combiners of creel: pure kernels, with no I/O, no async and no clock.

mod adapt;
mod combine;
mod combiner;
mod counts;
mod key;
pub mod laws;
mod records;
pub mod table;
mod value;

pub use adapt::Pieces;
pub use combine::{
    Collect, Count, ExactSum, First, Fold, Frequencies, Max, Min, Sum, Summand, TopK, TopKBy, Total,
};
pub use combiner::{Combiner, Feed};
pub use counts::{Counted, Counts};
pub use key::{Key, Stored};
pub use records::{Records, run};
pub use value::Value;
