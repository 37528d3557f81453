//! The operators and combiners of creel: pure kernels, with no I/O, no async and no clock.
//!
//! A *plan* is one closure over the records of a block: [operators](Records) that turn records
//! into records, then one [combiner](Combiner) that makes one result of them all. The plan is
//! called for each block, feeds a state, and fuses into one loop; nothing is stored between two
//! operators, but for some records that go on from a filter together. States are merged in a tree and finished once. Records are lent: a word is a `&str`
//! into its block, and is stored only if the combiner keeps it.
//!
//! ```
//! let lines = ["the net and the creel", "the weir"];
//! let counts = creel_operators::run(lines, |lines| {
//!     lines.flat_map(|line| line.split_whitespace()).filter(|word| word.len() > 2).frequencies()
//! });
//! assert_eq!(counts.topk(2), [("the".to_owned(), 3), ("and".to_owned(), 1)]);
//! ```
//!
//! # What there is
//!
//! | records to records | |
//! |---|---|
//! | [`map`](Records::map), [`filter_map`](Records::filter_map) | each record becomes another |
//! | [`filter`](Records::filter), [`remove`](Records::remove) | some records go on |
//! | [`flat_map`](Records::flat_map), [`flatten`](Records::flatten) | a record becomes many |
//! | [`words`](Records::words), [`split`](Records::split) | text becomes its pieces |
//!
//! | records to one | gives |
//! |---|---|
//! | [`count`](Records::count) | `u64` |
//! | [`sum`](Records::sum) | `i128`, which cannot overflow; or the exact `f64` |
//! | [`min`](Records::min), [`max`](Records::max) | `Option` |
//! | [`frequencies`](Records::frequencies) | [`Counts`], with its own `topk` and `sorted` |
//! | [`topk`](Records::topk), [`topk_by`](Records::topk_by) | the largest records, largest first |
//! | [`bottomk`](Records::bottomk) | the smallest records, smallest first |
//! | [`first`](Records::first), [`last`](Records::last), [`collect`](Records::collect) | records, in input order |
//! | [`fold`](Records::fold), [`fold_by`](Records::fold_by) | what your closures make, of all or for each key |
//! | [`aggregate`](Records::aggregate) | means, variances, quantiles and others: see [`typed`] |
//! | [`group_by`](Records::group_by) | the same for each key |
//! | [`combine`](Records::combine) | what a combiner of your own, or a tuple of several, makes |
//!
//! No result depends on where the input was cut or on how many lanes it was fed to: each combiner
//! keeps the laws of [`Combiner`], and [`laws::check`] tests them for yours too. Types that are
//! compared, counted or kept in ranks are [`Value`]s and [`Key`]s, which [`key!`] makes of your
//! own.
//!
//! # Columns and groups
//!
//! Programs that are known only when they run, and records in groups, go by batches of
//! [columns](mod@column) in place of typed records: an [aggregate] is one result for each group, called
//! once for a batch. Each is a combiner too, by [`AsCombiner`](aggregate::AsCombiner), and each combiner
//! an aggregate, by [`FromCombiner`](aggregate::FromCombiner).
//!
//! ```
//! use creel_operators::aggregate::find;
//! use creel_operators::column::{Column, Columns, Groups};
//!
//! let mut mean = find("mean").unwrap().make(&[]).unwrap();
//! mean.resize(2);
//! let weights = [Column::floats(&[4.5, 0.25, 5.5])];
//! mean.update(Groups::Each(&[0, 1, 0]), &Columns::arguments(3, &weights));
//! assert_eq!(mean.finish().to_json(), ["5", "0.25"]);
//! ```
//!
//! # To add one
//!
//! An operator is one file in `adapt/`: the kernel, its method in an `impl Records` block, an example
//! that asserts, and one `mod` line.
//!
//! An aggregate is one file in `aggregate/`, its `mod` line, one row in [`aggregate::KINDS`] and one line of
//! values in a test: [its module](aggregate#to-add-one) shows how. The row makes the command, groups, partial
//! states and [`typed::named`] know it. Its combiner, if records of one type gain by one, stands in the same
//! file, with a test that calls [`laws::check`].
//!
//! # What the compiler says
//!
//! A plan has to end in a combiner ("a plan must end in a combiner, but returns ..."):
//!
//! ```compile_fail,E0277
//! creel_operators::run(["one fish"], |lines| lines.words());
//! ```
//!
//! Records that no combiner takes are a warning, here denied ("records are lazy"):
//!
//! ```compile_fail
//! #![deny(unused_must_use)]
//! creel_operators::run(["one fish"], |lines| {
//!     let mut other = 0;
//!     creel_operators::Records::new(0..9, &mut other).map(|n| n + 1);
//!     lines.count()
//! });
//! ```
//!
//! What is counted has to be a key ("for a type of your own ... write `key!`"):
//!
//! ```compile_fail,E0277
//! struct Fish;
//! creel_operators::run(["cod"], |lines| lines.map(|_| Fish).frequencies());
//! ```
//!
//! A lent record cannot leave its block ("borrowed data escapes"): store it, `.map(str::to_owned)`.
//!
//! ```compile_fail,E0521
//! use creel_operators::{Combiner, Records};
//!
//! fn lend<C, P>(plan: P)
//! where
//!     C: Combiner,
//!     P: Fn(Records<'_, std::str::Lines<'_>, C::State>) -> C,
//! {
//! }
//! lend(|lines| lines.collect());
//! ```

// Its macro is for those below.
#[macro_use]
mod combiner;

mod adapt;
pub mod aggregate;
pub mod column;
mod counts;
pub mod distinct;
mod fold;
pub mod form;
mod key;
pub mod laws;
mod records;
pub mod sort;
mod sorted;
mod spill;
pub mod table;
pub mod typed;
mod value;

pub use adapt::{Pieces, WholeOf};
pub use aggregate::{
    BottomK, Collect, Count, Counting, ExactSum, First, Frequencies, Last, Max, Min, Sum, Summand,
    TopK, TopKBy, Total,
};
pub use combiner::{Combiner, Feed};
pub use counts::{Counted, Counts};
pub use creel_kernels::code_points;
pub use fold::Fold;
pub use key::{Key, Stored};
pub use records::{Records, Whole, run};
pub use sorted::{Piece, Sorted};
pub use spill::{InMemory, Spill, save_bytes};
pub use typed::{FoldBy, GroupBy};
pub use value::Value;
