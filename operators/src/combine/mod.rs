//! Records to one: a file for each combiner.

/// What a combiner has that is nothing but the mark of a type, whatever that type has: derived, it
/// would be `Copy` only for types that are.
macro_rules! mark {
    ($combiner:ident<$param:ident>, $doc:literal) => {
        impl<$param> $combiner<$param> {
            #[doc = $doc]
            pub fn new() -> Self {
                Self(PhantomData)
            }
        }

        impl<$param> Default for $combiner<$param> {
            fn default() -> Self {
                Self::new()
            }
        }

        impl<$param> Clone for $combiner<$param> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<$param> Copy for $combiner<$param> {}

        impl<$param> std::fmt::Debug for $combiner<$param> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($combiner))
            }
        }
    };
}

mod bottomk;
mod collect;
mod count;
mod exact;
mod first;
mod fold;
mod frequencies;
mod last;
mod max;
mod min;
mod sum;
mod topk;
mod topk_by;

pub use bottomk::BottomK;
pub use collect::Collect;
pub use count::Count;
pub use exact::ExactSum;
pub use first::First;
pub use fold::Fold;
pub use frequencies::{Counting, Frequencies};
pub use last::Last;
pub use max::Max;
pub use min::Min;
pub use sum::{Sum, Summand, Total};
pub use topk::TopK;
pub use topk_by::TopKBy;
