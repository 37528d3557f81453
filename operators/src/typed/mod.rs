//! Aggregates of typed records: for all of them, or for each group.
//!
//! Each function makes one aggregate. A closure says which value of a record it takes. Several
//! aggregates, as a tuple, are computed in one pass, and give a tuple of results.
//!
//! ```
//! use creel_operators::run;
//! use creel_operators::typed::{count, max, mean};
//!
//! let requests = [("/a", 0.5), ("/b", 4.0), ("/a", 1.5)];
//! let by_url = run(requests, |requests| {
//!     requests.group_by(|(url, _)| *url).aggregate((
//!         count(),
//!         mean(|request: &(&str, f64)| request.1),
//!         max(|request: &(&str, f64)| request.1),
//!     ))
//! });
//! let (a, b) = ("/a".to_owned(), "/b".to_owned());
//! assert_eq!(by_url, [(a, (2, Some(1.0), Some(1.5))), (b, (1, Some(4.0), Some(4.0)))]);
//! ```
//!
//! # What there is
//!
//! | function | result | missing and other values |
//! |---|---|---|
//! | [`count()`], [`count_if(p)`](count_if) | `u64` | |
//! | [`sum(f)`](sum) | `i128` of integers, `f64` of floats | `None` is passed over |
//! | [`mean(f)`](mean), [`var(f)`](var), [`std(f)`](std()) | `Option<f64>` | `None` is passed over |
//! | [`min(f)`](min), [`max(f)`](max) | `Option<V>` | |
//! | [`any(p)`](any), [`all(p)`](all) | `bool` | |
//! | [`first(f)`](first), [`last(f)`](last) | `Option<V>` | |
//! | [`min_by(f)`](min_by), [`max_by(f)`](max_by) | `Option` of the record | |
//! | [`topk(k, f)`](topk), [`bottomk(k, f)`](bottomk) | `Vec<V>` | |
//! | [`frequencies(f)`](frequencies) | [`Counts<V>`](crate::Counts) | |
//! | [`nunique(f)`](nunique), [`approx_nunique(f)`](approx_nunique) | `u64` | `None` is passed over |
//! | [`quantile(q, f)`](quantile), [`p50(f)`](p50), [`p90(f)`](p90), [`p99(f)`](p99) | `Option<f64>` | `None` is passed over |
//! | [`histogram(width, f)`](histogram) | `Vec<(f64, u64)>` | `None` is passed over |
//! | [`list(f)`](list) | `Vec<V>` | |
//! | [`sample(n, seed, f)`](sample) | `Vec<V>` | `None` is passed over |
//! | [`named(name, parameters, f)`](named) | `Option` of what it gives | any aggregate by its name, a new one too |
//! | [`combine(combiner, f)`](combine) | what the [`Combiner`](crate::Combiner) gives | |
//!
//! Each is the aggregate of that name in [`aggregate`](crate::aggregate), or the combiner of that
//! name: no arithmetic is done here. So no result depends on where the input was cut, and sums of
//! floats are the same to the last bit.

mod by_combiner;
mod by_kind;
mod cell;
mod fold_by;
mod group_by;
mod keys;
mod of_combiners;
mod of_kinds;
mod take;
#[cfg(test)]
mod tests;
mod tuples;
mod whole;

pub use by_combiner::{ByCombiner, Give};
pub use by_kind::{ByKind, Fed, Fill};
pub use cell::{FromDatum, FromResult, Numeric};
pub use fold_by::{FoldBy, Folded};
pub use group_by::{GroupBy, Grouped, GroupedRecords};
pub use keys::Keys;
pub use of_combiners::{
    bottomk, combine, first, frequencies, last, list, max, max_by, min, min_by, topk,
};
pub use of_kinds::*;
pub use take::{By, Every, Highest, Itself, Lowest};
pub use whole::Whole;

use crate::aggregate::Reader;

/// One or several aggregates: their states for all groups, and their results.
///
/// What the functions of [this module](self) return implements it, and so do tuples of up to
/// twelve of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no aggregate",
    note = "`count()`, `mean(|record: &Record| record.time)` and others of `aggregate` are, and tuples of up to twelve of them"
)]
pub trait Aggregates {
    /// The states of all groups.
    type State: Send + 'static;
    /// The result of a group.
    type Output: Send + 'static;
    /// The same aggregates without their closures: what can merge and finish states.
    type Bare: Aggregates<State = Self::State, Output = Self::Output> + Send + Sync + 'static;

    /// Whether the order of the records shows in a result.
    const ORDERED: bool;

    /// The same aggregates without their closures.
    fn bare(&self) -> Self::Bare;

    /// A state of no groups.
    fn start(&self) -> Self::State;

    /// Makes groups, of no records as yet, until there are so many. There are never fewer.
    fn resize(&self, state: &mut Self::State, groups: usize);

    /// Adds what `from` has seen, which comes after what `into` has seen: `map` has for each group
    /// of `from` the group that it is in `into`, which is there.
    fn merge(&self, into: &mut Self::State, from: Self::State, map: &[u32]);

    /// Cuts a state by groups: `part` has for each group the part that it goes to, in which groups
    /// keep their order and are numbered anew.
    fn split(&self, state: Self::State, part: &[u32], parts: usize) -> Vec<Self::State>;

    /// Adds records that wait to become a batch.
    fn settle(&self, state: &mut Self::State);

    /// Whether no further record changes any group that is there.
    fn full(&self, state: &Self::State) -> bool;

    /// The bytes of memory that a state holds, as far as it knows.
    fn held(&self, state: &Self::State) -> usize;

    /// Returns true if states have a form in bytes.
    fn has_form(&self) -> bool;

    /// Appends a settled state to bytes; `false` if it has no form in bytes, and then some may have
    /// been appended.
    fn save(&self, state: &Self::State, bytes: &mut Vec<u8>) -> bool;

    /// Reads the state of so many groups; `None` if none was saved as these bytes.
    fn load(&self, groups: usize, bytes: &mut Reader<'_>) -> Option<Self::State>;

    /// The result of each group.
    fn finish(&self, state: Self::State) -> Vec<Self::Output>;

    /// The bytes that its closures hold: what they have captured.
    ///
    /// ```
    /// use creel_operators::typed::{Aggregates, count_if};
    ///
    /// let least = 3;
    /// assert_eq!(count_if(|n: &i32| *n > 3).captured(), 0);
    /// assert!(count_if(move |n: &i32| *n > least).captured() > 0);
    /// ```
    fn captured(&self) -> usize {
        0
    }

    /// Gives the numbers that it was made with: they tell it from others of its type.
    ///
    /// ```
    /// use creel_operators::typed::{Aggregates, quantile};
    ///
    /// let given = |q: f64| {
    ///     let mut given = Vec::new();
    ///     quantile(q, |n: &i32| *n).parameters(&mut |number| given.push(number));
    ///     given
    /// };
    /// assert_eq!(given(0.5), given(0.5));
    /// assert_ne!(given(0.5), given(0.9));
    /// ```
    fn parameters(&self, _each: &mut dyn FnMut(u64)) {}
}

/// Aggregates of records of a type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not take records that are `{T}`",
    note = "its closures are given a reference to a record: `mean(|record: &{T}| ...)`"
)]
pub trait Takes<T>: Aggregates {
    /// Adds a record to a group, which is there or is the next one.
    fn feed(&self, state: &mut Self::State, group: u32, record: &T);
}
