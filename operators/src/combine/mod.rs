//! Records to one: a file for each combiner.

mod collect;
mod count;
mod frequencies;

pub use collect::Collect;
pub use count::Count;
pub use frequencies::Frequencies;
