//! The innermost loops of creel, as far as they need the instructions of a processor.
//!
//! [`Spaces`] finds white space in 64 bytes at a time, [`Words`] and [`TextWords`] walk over what
//! stands between, [`plain`] passes over what needs no look in a string of JSON, and [`prefetch`]
//! asks for memory before it is needed, of which [`Huge`] is a slice in large pages, [`Scatter`] many
//! lists, and [`Slabs`] many buffers. [`reserve`] and
//! [`zeroed`] unwind where memory is refused, [`Telling`] tells of it, and [`return_freed`] keeps little of
//! what is freed. What looks at
//! bytes is a pure function of them, the same on every processor; the tests compare each with a
//! plain twin, for any bytes.
//!
//! ```
//! let words: Vec<_> = creel_kernels::Words::new(b" one  fish ").collect();
//! assert_eq!(words, [(1, 4), (6, 10)]);
//! ```
//!
//! What is `unsafe` is one expression for each architecture, the hint itself in `prefetch`, the
//! allocations in `huge`, `refused` and `telling`, places that were not written in `places`, `scatter` and `slabs`, words that are whole characters in
//! `text_words`, calls of what only some processors have in `edges`, a setting of the
//! allocator in `freed`, and the name of a section of the executable in `before_main`.
//!
//! Vectors are those that every processor of an architecture has (SSE2 on x86-64, NEON on AArch64), so
//! that all is inlined. Only where words begin and end is found by AVX2 or AVX-512 if the processor has
//! them, which is asked at run time, once in hundreds of words.

mod before_main;
mod code_points;
mod edges;
mod freed;
mod huge;
mod padded;
mod places;
mod plain;
mod prefetch;
mod refused;
mod scatter;
mod sixteen;
mod slabs;
mod spaces;
mod telling;
mod text_words;
mod words;

pub use code_points::code_points;
pub use freed::return_freed;
pub use huge::Huge;
pub use padded::{padded, padded_within};
pub use plain::plain;
pub use prefetch::prefetch;
pub use refused::{Refused, reserve, reserve_exact, zeroed};
pub use scatter::Scatter;
pub use slabs::{Buffer, Slabs};
pub use spaces::Spaces;
pub use telling::Telling;
pub use text_words::TextWords;
pub use words::Words;
