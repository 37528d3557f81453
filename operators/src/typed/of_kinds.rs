//! The aggregates of typed records that are those of the table of aggregates.

use super::{By, ByKind, Every, FromDatum, FromResult, Itself, Numeric};
use crate::aggregate::{AsRow, Order, Refused, find};
use crate::column::OwnedColumn;

/// An aggregate of the table, by its name.
fn by_kind<P, O>(
    name: &str,
    parameters: &[f64],
    take: P,
    read: fn(&OwnedColumn, usize) -> O,
) -> ByKind<P, O> {
    let kind = find(name).unwrap_or_else(|| unreachable!("{name} is in the table"));
    let made = ByKind::new(kind, parameters, take, read);
    made.unwrap_or_else(|refused| panic!("{refused}"))
}

fn cell_or_default<V: FromResult + Default>(column: &OwnedColumn, row: usize) -> V {
    V::from_result(column, row).unwrap_or_default()
}

/// The aggregate of a name, with its parameters: one that is chosen when the program runs, or that has no
/// function in this module.
///
/// `named::<_, _, _, f64>` leaves the types of the record, of the value that `f` takes of it and of `f` to the
/// compiler, and says that of the result. The result is `None` of nothing, or if it is of another type.
///
/// The compiler does not compare the type of the values with the aggregate. One that
/// [needs](crate::aggregate::Needs) numbers passes over texts without an error, and of texts alone its
/// result is that of nothing.
///
/// # Errors
///
/// If there is none of that name, the parameters are refused, or the order of the records shows in it.
///
/// ```
/// use creel_operators::run;
/// use creel_operators::typed::named;
///
/// let p75 = named::<_, _, _, f64>("quantile", &[0.75], |n: &i32| *n)?;
/// assert_eq!(run(0..5, |n| n.group_by(|n| n % 2).aggregate(p75)), [(0, Some(4.0)), (1, Some(3.0))]);
///
/// let tens = named("histogram", &[10.0], |n: &i32| *n)?;
/// let tens: Option<Vec<(f64, u64)>> = run([3, 7, 25], |n| n.aggregate(tens));
/// assert_eq!(tens.unwrap(), [(0.0, 2), (20.0, 1)]);
///
/// let of_texts = named::<_, _, _, f64>("mean", &[], |text: &&str| *text)?;
/// assert_eq!(run(["1", "2"], |texts| texts.aggregate(of_texts)), None);
///
/// let unknown = named::<_, _, _, f64>("p98", &[], |n: &i32| *n).unwrap_err();
/// assert!(unknown.to_string().starts_with("there is no aggregate `p98`: there are count, sum, "));
/// # Ok::<(), creel_operators::aggregate::Refused>(())
/// ```
pub fn named<T, V, F, O>(
    name: &str,
    parameters: &[f64],
    f: F,
) -> Result<ByKind<By<F>, Option<O>>, Refused>
where
    V: AsRow,
    F: Fn(&T) -> V,
    O: FromResult,
{
    let kind = find(name).ok_or_else(|| Refused::unknown(name))?;
    if kind.order == Order::Input {
        return Err(Refused::ordered(kind));
    }
    ByKind::new(kind, parameters, By(f), O::from_result)
}

/// How many records there are.
///
/// ```
/// use creel_operators::{run, typed::count};
///
/// let by_half = run(0..5, |n| n.group_by(|n| n % 2).aggregate(count()));
/// assert_eq!(by_half, [(0, 3), (1, 2)]);
/// ```
pub fn count() -> ByKind<Every, u64> {
    by_kind("count", &[], Every, cell_or_default)
}

/// How many records meet a condition.
///
/// ```
/// use creel_operators::{run, typed::count_if};
///
/// assert_eq!(run(0..5, |n| n.aggregate(count_if(|n: &i32| *n > 2))), 2);
/// ```
pub fn count_if<T, F>(meets: F) -> ByKind<By<F>, u64>
where
    F: Fn(&T) -> bool,
{
    by_kind("count", &[], By(meets), cell_or_default)
}

/// The sum: of integers an `i128`, which does not overflow; of floats the `f64` nearest to the exact
/// sum. That of nothing is zero.
///
/// ```
/// use creel_operators::{run, typed::sum};
///
/// assert_eq!(run([u64::MAX, 1], |n| n.aggregate(sum(|n: &u64| *n))), 1 << 64);
/// assert_eq!(run([0.1; 10], |x| x.aggregate(sum(|x: &f64| *x))), 1.0);
/// ```
pub fn sum<T, V, F>(f: F) -> ByKind<By<F>, V::Sum>
where
    V: Numeric,
    F: Fn(&T) -> V,
{
    by_kind("sum", &[], By(f), cell_or_default)
}

/// The arithmetic mean, of the exact sum; `None` of nothing.
///
/// ```
/// use creel_operators::{run, typed::mean};
///
/// assert_eq!(run([1, 2, 6], |n| n.aggregate(mean(|n: &i32| *n))), Some(3.0));
/// assert_eq!(run([0.5; 0], |x| x.aggregate(mean(|x: &f64| *x))), None);
/// ```
pub fn mean<T, V, F>(f: F) -> ByKind<By<F>, Option<f64>>
where
    V: Numeric,
    F: Fn(&T) -> V,
{
    by_kind("mean", &[], By(f), FromResult::from_result)
}

/// The variance of all of them: what is squared is divided by how many they are. It is never negative;
/// `None` of nothing.
///
/// ```
/// use creel_operators::{run, typed::var};
///
/// let far = [1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0];
/// assert_eq!(run(far, |x| x.aggregate(var(|x: &f64| *x))), Some(22.5));
/// ```
pub fn var<T, V, F>(f: F) -> ByKind<By<F>, Option<f64>>
where
    V: Numeric,
    F: Fn(&T) -> V,
{
    by_kind("var", &[], By(f), FromResult::from_result)
}

/// The standard deviation: the square root of [`var`].
///
/// ```
/// use creel_operators::{run, typed::std};
///
/// assert_eq!(run([1, 3], |n| n.aggregate(std(|n: &i32| *n))), Some(1.0));
/// ```
pub fn std<T, V, F>(f: F) -> ByKind<By<F>, Option<f64>>
where
    V: Numeric,
    F: Fn(&T) -> V,
{
    by_kind("std", &[], By(f), FromResult::from_result)
}

/// Whether any record meets a condition; `false` of nothing.
///
/// ```
/// use creel_operators::{run, typed::any};
///
/// assert!(run([1, 2], |n| n.aggregate(any(|n: &i32| *n > 1))));
/// ```
pub fn any<T, F>(meets: F) -> ByKind<By<F>, bool>
where
    F: Fn(&T) -> bool,
{
    by_kind("any", &[], By(meets), cell_or_default)
}

/// Whether all records meet a condition; `true` of nothing.
///
/// ```
/// use creel_operators::{run, typed::all};
///
/// assert!(!run([1, 2], |n| n.aggregate(all(|n: &i32| *n > 1))));
/// ```
pub fn all<T, F>(meets: F) -> ByKind<By<F>, bool>
where
    F: Fn(&T) -> bool,
{
    by_kind("all", &[], By(meets), cell_or_default)
}

/// How many distinct values there are; numbers are equal by value.
///
/// ```
/// use creel_operators::{run, typed::nunique};
///
/// assert_eq!(run([7, 8, 7], |n| n.aggregate(nunique(|n: &i64| *n))), 2);
/// ```
pub fn nunique<T, V, F>(f: F) -> ByKind<By<F>, u64>
where
    V: AsRow,
    F: Fn(&T) -> V,
{
    by_kind("nunique", &[], By(f), cell_or_default)
}

/// About how many distinct values there are: exact up to 1,024, then with a standard error of 0.81 %,
/// in 16 KiB for a group.
///
/// ```
/// use creel_operators::{run, typed::approx_nunique};
///
/// let about = run(0..100_000, |n| n.aggregate(approx_nunique(|n: &i64| *n)));
/// assert!((97_000..103_000).contains(&about));
/// ```
pub fn approx_nunique<T, V, F>(f: F) -> ByKind<By<F>, u64>
where
    V: AsRow,
    F: Fn(&T) -> V,
{
    by_kind("approx_nunique", &[], By(f), cell_or_default)
}

/// The number that the share `q` of all does not exceed, from 0 to 1; `None` of nothing. It is exact
/// up to a million numbers in a group, then to 0.4 %, and below 2^-1022 to 2^-1030.
///
/// # Panics
///
/// If `q` is not from 0 to 1.
///
/// ```
/// use creel_operators::{run, typed::quantile};
///
/// assert_eq!(run(0..5, |n| n.aggregate(quantile(0.75, |n: &i32| *n))), Some(3.0));
/// ```
pub fn quantile<T, V, F>(q: f64, f: F) -> ByKind<By<F>, Option<f64>>
where
    V: Numeric,
    F: Fn(&T) -> V,
{
    by_kind("quantile", &[q], By(f), FromResult::from_result)
}

/// The number that 50 percent of all do not exceed: [`quantile`] of 0.50.
///
/// ```
/// use creel_operators::{run, typed::p50};
///
/// assert_eq!(run(1..=100, |n| n.aggregate(p50(|n: &i32| *n))), Some(50.0));
/// ```
pub fn p50<T, V, F>(f: F) -> ByKind<By<F>, Option<f64>>
where
    V: Numeric,
    F: Fn(&T) -> V,
{
    by_kind("p50", &[], By(f), FromResult::from_result)
}

/// The number that 90 percent of all do not exceed: [`quantile`] of 0.90.
///
/// ```
/// use creel_operators::{run, typed::p90};
///
/// assert_eq!(run(1..=100, |n| n.aggregate(p90(|n: &i32| *n))), Some(90.0));
/// ```
pub fn p90<T, V, F>(f: F) -> ByKind<By<F>, Option<f64>>
where
    V: Numeric,
    F: Fn(&T) -> V,
{
    by_kind("p90", &[], By(f), FromResult::from_result)
}

/// The number that 99 percent of all do not exceed: [`quantile`] of 0.99.
///
/// ```
/// use creel_operators::{run, typed::p99};
///
/// assert_eq!(run(1..=100, |n| n.aggregate(p99(|n: &i32| *n))), Some(99.0));
/// ```
pub fn p99<T, V, F>(f: F) -> ByKind<By<F>, Option<f64>>
where
    V: Numeric,
    F: Fn(&T) -> V,
{
    by_kind("p99", &[], By(f), FromResult::from_result)
}

/// How many numbers lie in each interval of a width that has any: where the interval begins, and the
/// number, in the order of the intervals.
///
/// # Panics
///
/// If the width is not from 1e-300 to 1e300.
///
/// ```
/// use creel_operators::{run, typed::histogram};
///
/// let tens = run([3, 7, 25], |n| n.aggregate(histogram(10.0, |n: &i32| *n)));
/// assert_eq!(tens, [(0.0, 2), (20.0, 1)]);
/// ```
pub fn histogram<T, V, F>(width: f64, f: F) -> ByKind<By<F>, Vec<(f64, u64)>>
where
    V: Numeric,
    F: Fn(&T) -> V,
{
    by_kind("histogram", &[width], By(f), cell_or_default)
}

/// `n` of the values by chance, the same ones for a seed, in no order that means anything. Values are
/// drawn by their own hashes: of equal ones all or none, as far as there is room.
///
/// ```
/// use creel_operators::{run, typed::sample};
///
/// let drawn = run(0..1000, |n| n.aggregate(sample(3, 7, |n: &i64| *n)));
/// assert_eq!(drawn.len(), 3);
/// assert_eq!(drawn, run((0..1000).rev(), |n| n.aggregate(sample(3, 7, |n: &i64| *n))));
/// ```
pub fn sample<T, V, F>(n: usize, seed: u64, f: F) -> ByKind<By<F>, Vec<V>>
where
    V: AsRow + FromDatum,
    F: Fn(&T) -> V,
{
    by_kind("sample", &sample_parameters(n, seed), By(f), cell_or_default)
}

/// As [`sample`], of the records themselves.
///
/// ```
/// use creel_operators::{run, typed::sample_of_all};
///
/// assert_eq!(run([7_i64; 2], |n| n.aggregate(sample_of_all::<i64>(5, 0))), [7, 7]);
/// ```
pub fn sample_of_all<T: FromDatum>(n: usize, seed: u64) -> ByKind<Itself, Vec<T>> {
    by_kind("sample", &sample_parameters(n, seed), Itself, cell_or_default)
}

/// Numbers that a double has.
fn sample_parameters(n: usize, seed: u64) -> [f64; 2] {
    const MOST: u64 = (1 << f64::MANTISSA_DIGITS) - 1;
    [(n as u64).min(MOST) as f64, ((seed ^ seed >> f64::MANTISSA_DIGITS) & MOST) as f64]
}
