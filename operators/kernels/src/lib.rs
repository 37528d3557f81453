//! The innermost loops of creel, as far as they need the instructions of a processor.
//!
//! [`Spaces`] finds white space in 64 bytes at a time, [`Words`] walks over what stands between,
//! [`plain`] passes over what needs no look in a string of JSON, and [`prefetch`] asks for memory before
//! it is needed, of which [`Huge`] is a slice in large pages. What looks at bytes is a pure function of
//! them, the same on every processor; the tests compare each with a plain twin, for any bytes.
//!
//! ```
//! let words: Vec<_> = creel_kernels::Words::new(b" one  fish ").collect();
//! assert_eq!(words, [(1, 4), (6, 10)]);
//! ```
//!
//! What is `unsafe` is one expression for each architecture, the hint itself in `prefetch`, and the
//! allocation in `huge`.
//! Vectors are those that every processor of an architecture has (SSE2 on x86-64, NEON on
//! AArch64), so that nothing is chosen at run time and all is inlined. Tried: AVX2, chosen at run
//! time: 9 ms instead of 10 for the masks of 256 MiB, in a count that takes 400. Memory is the
//! limit.

mod code_points;
mod edges;
mod huge;
mod padded;
mod places;
mod plain;
mod prefetch;
mod sixteen;
mod spaces;
mod words;

pub use code_points::code_points;
pub use huge::Huge;
pub use padded::{padded, padded_within};
pub use plain::plain;
pub use prefetch::prefetch;
pub use spaces::Spaces;
pub use words::Words;
