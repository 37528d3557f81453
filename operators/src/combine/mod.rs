//! Records to one: a file for each combiner.

mod collect;
mod count;
mod exact;
mod first;
mod fold;
mod frequencies;
mod max;
mod min;
mod sum;
mod topk;
mod topk_by;

pub use collect::Collect;
pub use count::Count;
pub use exact::ExactSum;
pub use first::First;
pub use fold::Fold;
pub use frequencies::Frequencies;
pub use max::Max;
pub use min::Min;
pub use sum::{Sum, Summand, Total};
pub use topk::TopK;
pub use topk_by::TopKBy;
