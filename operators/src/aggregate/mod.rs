//! Aggregates: one result from many records, for each group, a file and a row for each.
//!
//! An [`Aggregate`] holds the state of all groups, and is called once for a batch, with [columns] of
//! what its arguments are and with the group of each record. States are made on any thread and in
//! any process, [merged](Aggregate::merge), cut [by groups](Aggregate::split) or
//! [by what they hold](Aggregate::divide), written as [bytes](Aggregate::encode) and read back; and
//! in the end each group has a [result](Aggregate::finish).
//!
//! ```
//! use creel_operators::aggregate::find;
//! use creel_operators::column::{Column, Columns, Groups};
//!
//! // Two batches of a run, in each of which groups are numbered as they come.
//! let p50 = find("p50").unwrap();
//! let (mut fish, mut more) = (p50.make(&[]).unwrap(), p50.make(&[]).unwrap());
//! fish.resize(2);
//! let columns = [Column::floats(&[4.5, 0.25, 7.0])];
//! fish.update(Groups::Each(&[0, 1, 0]), &Columns::arguments(3, &columns));
//! more.resize(1);
//! let columns = [Column::integers(&[1, 3])];
//! more.update(Groups::One, &Columns::arguments(2, &columns));
//! // The only group of the second is the second group of the first.
//! fish.merge(more, &[1]);
//! assert_eq!(fish.finish().to_json(), ["4.5", "1"]);
//! ```
//!
//! # Laws
//!
//! 1. A state of no records is neutral, and merging is associative.
//! 2. Any cut is one result: records fed to one state, or to several which are merged.
//! 3. Of an aggregate whose [`Order`] is `Any`, no order of records or of states shows.
//! 4. States that are split by groups, or divided, and merged part by part, come to the same.
//! 5. A group of many is what it is alone.
//! 6. States are written as bytes that are equal if they have seen the same records, in whatever
//!    order groups were numbered, however they were cut, and whatever seeds tables have. What is read
//!    from bytes goes on as what was written; bytes that are no state are refused.
//!
//! They hold to the bit, for floats too, and states of several machines come to the same as those of one.
//! So an aggregate keeps two rules:
//!
//! - Its states add up without rounding: integers, or [`ExactSum`]s of doubles. An [`ExactSum`] is a window
//!   of 128 bits for each group, and 1 KiB more for a group whose numbers do not fit.
//! - `update` and `finish` compute with `+`, `-`, `*`, `/` and `sqrt`, which IEEE 754 rounds in one way.
//!   They do not call `ln`, `exp`, `powi`, `powf`, `sin` or the like of the standard library: the last bits
//!   of these differ by processor and by system.
//!
//! [`laws::check_aggregate`](crate::laws::check_aggregate) checks the laws on one machine. A test looks for
//! calls of those functions in this folder.
//!
//! # Combiners
//!
//! [`Count`], [`Sum`], [`Min`], [`Max`], [`First`], [`Last`], [`TopK`], [`BottomK`], [`TopKBy`],
//! [`Frequencies`] and [`Collect`] are the typed face of the aggregates of those names: combiners of
//! records of one type, which go through no columns. Each stands in the file of its aggregate, and both
//! hold the same state by the same rules. Where the states of an aggregate lie better in columns, as
//! those of `list` and of `frequencies` of many groups do, the file says so.
//!
//! # Order
//!
//! `min`, `max`, `topk`, `bottomk`, `min_by` and `max_by` go by an order of values.
//!
//! - Values of columns are in jq's order, that of [`Canonical`](crate::column::Canonical): null, false,
//!   true, numbers, strings, lists, objects. Numbers are compared by value: `-0.0` is `0.0`, a double
//!   has the value of its bits, which an integer of any size may equal, and NaN is below all numbers.
//! - Records of a type are in the order of their [`Value`](crate::Value). That of `f64` and `f32` is the
//!   total order of IEEE 754, as `f64::total_cmp` has it: `-0.0` is below `0.0`, and NaN is above all
//!   numbers, or with its sign set below all. A Rust type has no value but its bits, so two floats of
//!   other bits are never taken for one.
//!
//! So both differ for zeros with a sign and for NaN alone. JSON has no NaN.
//!
//! ```
//! use creel_operators::aggregate::find;
//! use creel_operators::column::{Column, Columns, Groups};
//! use creel_operators::run;
//!
//! let numbers = [0.0, -0.0, f64::NAN];
//! let mut max = find("max").unwrap().make(&[]).unwrap();
//! max.resize(1);
//! max.update(Groups::One, &Columns::arguments(3, &[Column::floats(&numbers)]));
//! assert_eq!(max.finish().to_json(), ["0"]);
//! assert!(run(numbers, |numbers| numbers.max()).is_some_and(f64::is_nan));
//! ```
//!
//! # To add one
//!
//! Write one file in this folder, its `mod` line, one row in [`KINDS`], and one line in `value_tests.rs` with
//! the values that it gives. The row alone makes these:
//!
//! - the command: `harmonic_mean` and `harmonic_mean(f)` end a chain, and stand in `agg(...)`;
//! - the help: `creel --aggregates` prints its usage and its line of help;
//! - groups: `groupby(.uri; harmonic_mean(.rt))`;
//! - partial states: `--partial` and `--merge`, and the temporary file of groups that exceed the memory;
//! - the library, by name: `typed::named::<_, _, _, f64>("harmonic_mean", &[], |trip: &Trip| trip.speed)`,
//!   see [`named`](crate::typed::named);
//! - tests: its laws over columns of every kind, and its bytes.
//!
//! A function of the library, as [`typed::mean`](crate::typed::mean()) is, takes three more places: the
//! function in `typed/of_kinds.rs`, a row of the table in `typed/mod.rs`, and its name in the list of
//! `README.md`.
//!
//! An aggregate cannot refuse a record: [`Needs`] says what becomes of values that it does not take. Of a
//! number outside its domain, the result of the group is null, and `help` says so. As an example, the
//! harmonic mean, in `harmonic_mean.rs`:
//!
//! ```
//! use creel_operators::aggregate::{
//!     Damaged, Each, Kind, Needs, NoBytes, Order, PerGroup, Reader, Traits, Writer,
//! };
//! use creel_operators::column::{Column, Columns, Datum, Groups, OwnedColumn};
//! use creel_operators::{ExactSum, laws};
//!
//! // In the file: `pub(super)`, and names from `super` and `crate::column`.
//! static HARMONIC_MEAN: Kind = Kind {
//!     name: "harmonic_mean",
//!     usage: "harmonic_mean, harmonic_mean(f)",
//!     help: "the harmonic mean of numbers above zero; null if there are others",
//!     parameters: &[],        // numbers it takes: see `topk.rs`, `histogram.rs`
//!     columns: (1, 1),        // how few and how many columns
//!     needs: Needs::Numbers,  // the values of the columns
//!     order: Order::Any,      // whether the order of the records shows
//!     traits: Traits::PLAIN,  // other traits for the command: see `topk.rs`, `sample.rs`
//!     new: |_parameters| Box::new(Each::new(HarmonicMean)),
//! };
//!
//! #[derive(Clone, Copy)]
//! struct HarmonicMean;
//!
//! // A state for each group: by default, that of no records.
//! #[derive(Default)]
//! struct Reciprocals {
//!     sum: ExactSum,
//!     count: u64,
//!     has_others: bool,
//! }
//!
//! impl PerGroup for HarmonicMean {
//!     type Group = Reciprocals;
//!
//!     fn update(&self, states: &mut [Reciprocals], groups: Groups<'_>, columns: &Columns<'_>) {
//!         // It visits numbers only: missing values and values of other kinds add nothing.
//!         columns.argument(0).doubles(|row, x| {
//!             let group = &mut states[groups.of(row)];
//!             let reciprocal = 1.0 / x;
//!             // That of a number very near to zero is infinite.
//!             if x > 0.0 && reciprocal.is_finite() {
//!                 group.sum.add(reciprocal);
//!                 group.count += 1;
//!             } else {
//!                 group.has_others = true;
//!             }
//!         });
//!     }
//!
//!     fn merge(&self, into: &mut Reciprocals, from: Reciprocals) {
//!         into.sum.add_sum(&from.sum);
//!         into.count += from.count;
//!         into.has_others |= from.has_others;
//!     }
//!
//!     fn encode(&self, group: &Reciprocals, bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
//!         bytes.put_u64(group.count);
//!         bytes.push(u8::from(group.has_others));
//!         group.sum.encode(bytes);
//!         Ok(())
//!     }
//!
//!     fn decode(&self, bytes: &mut Reader<'_>) -> Result<Reciprocals, Damaged> {
//!         let (count, has_others) = (bytes.records()?, bytes.flag()?);
//!         Ok(Reciprocals { sum: ExactSum::decode(bytes)?, count, has_others })
//!     }
//!
//!     fn finish(&self, groups: Vec<Reciprocals>) -> OwnedColumn {
//!         OwnedColumn::of(groups.iter().map(|group| {
//!             let mean = group.sum.mean(group.count).filter(|_| !group.has_others);
//!             mean.map(|mean| Datum::Float(1.0 / mean))
//!         }))
//!     }
//!
//!     // The memory limit goes by it.
//!     fn heap(&self, group: &Reciprocals) -> usize {
//!         group.sum.heap()
//!     }
//! }
//!
//! // The row is `mod harmonic_mean;` and `&harmonic_mean::HARMONIC_MEAN` in `KINDS`, the line of values
//! // `("harmonic_mean", &[], &[FOUR], "1.7142857142857142", "null")`. Tests run over each row; they do this.
//! let numbers = [Column::floats(&[1.0, 4.0, 4.0, 8.0, 0.0])];
//! let (batch, groups) = (Columns::arguments(5, &numbers), [0, 0, 0, 1, 1]);
//! let mut means = HARMONIC_MEAN.make(&[]).unwrap();
//! means.resize(2);
//! means.update(Groups::Each(&groups), &batch);
//! assert_eq!(means.finish().to_json(), ["2", "null"]);
//! laws::check_aggregate(&HARMONIC_MEAN, &[], &batch, &groups);
//! ```
//!
//! The compiler warns of a file without a row, as its `Kind` is never used, and a test fails. A test fails
//! too for a row without a line of values ("has no expected value"), and for one that has only one of usage
//! and help; a row without both is in the help of the row before it.
//!
//! Two other ways to write one:
//!
//! - Implement [`State`] where arrays of the state suit better than one value for each group. `list.rs` is
//!   the shortest.
//! - Wrap a [`Combiner`](crate::Combiner) in [`FromCombiner`]. [`AsCombiner`] does the opposite.
//!
//! [columns]: crate::column

// What aggregates are made of.
mod as_combiner;
mod bytes;
mod dictionary;
mod exact;
mod exact_sum;
#[cfg(test)]
mod exact_sum_tests;
mod extreme;
pub(crate) mod first_k;
mod from_combiner;
mod kind;
mod moments;
mod per_group;
mod ranked;
mod sets;
mod sketch;
mod state;
mod tables;
mod tally;
#[cfg(test)]
mod tests;
mod truth;
#[cfg(test)]
mod value_tests;
mod wide;

// The aggregates.
mod all;
mod any;
mod approx_nunique;
mod bottomk;
mod count;
mod first;
mod frequencies;
mod histogram;
mod last;
mod list;
mod max;
mod max_by;
mod mean;
mod min;
mod min_by;
mod nunique;
mod quantile;
mod sample;
mod std;
mod sum;
mod topk;
mod topk_by;
mod var;

pub use as_combiner::{AsCombiner, AsRow, Fed};
pub use bottomk::BottomK;
pub use bytes::{Damaged, Reader, Writer};
pub use count::Count;
pub use exact_sum::ExactSum;
pub use first::First;
pub use frequencies::{Counting, Frequencies};
pub use from_combiner::{Floats, FromCombiner, Integers, Record, Texts};
pub use kind::{Gives, Kind, Needs, Order, Parameter, Refused, Traits, help};
pub use last::Last;
pub use list::Collect;
pub use max::Max;
pub use min::Min;
pub use per_group::{Each, PerGroup};
pub use sets::{EncodedSets, SetValues};
pub use state::{Aggregate, NoBytes, State};
pub use sum::{Sum, Summand, Total};
pub use tables::Tables;
pub use topk::TopK;
pub use topk_by::TopKBy;

/// Every aggregate, a row for each, in the order of the help.
pub static KINDS: &[&Kind] = &[
    &count::COUNT,
    &sum::SUM,
    &mean::MEAN,
    &min::MIN,
    &max::MAX,
    &var::VAR,
    &std::STD,
    &any::ANY,
    &all::ALL,
    &first::FIRST,
    &last::LAST,
    &min_by::MIN_BY,
    &max_by::MAX_BY,
    &topk::TOPK,
    &bottomk::BOTTOMK,
    &frequencies::FREQUENCIES,
    &nunique::NUNIQUE,
    &approx_nunique::APPROX_NUNIQUE,
    &quantile::QUANTILE,
    &quantile::P,
    &quantile::P50,
    &quantile::P90,
    &quantile::P99,
    &histogram::HISTOGRAM,
    &list::LIST,
    &sample::SAMPLE,
];

/// The aggregate of a name.
///
/// ```
/// use creel_operators::aggregate::find;
///
/// assert_eq!(find("p99").unwrap().name, "p99");
/// assert!(find("p98").is_none());
/// ```
pub fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name).copied()
}
