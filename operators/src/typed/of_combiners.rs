//! The aggregates of typed records that are combiners.

use std::cmp::Reverse;

use super::{By, ByCombiner, Highest, Lowest};
use crate::aggregate::first_k;
use crate::{
    BottomK, Collect, Counts, Feed, First, Frequencies, Key, Last, Max, Min, TopK, TopKBy, Value,
};

/// The least value, as [`Min`] finds it; `None` of nothing.
///
/// ```
/// use creel_operators::{run, typed::min};
///
/// let by_half = run(0..5, |n| n.group_by(|n| n % 2).aggregate(min(|n: &i32| *n)));
/// assert_eq!(by_half, [(0, Some(0)), (1, Some(1))]);
/// ```
pub fn min<T, V, F>(f: F) -> ByCombiner<By<F>, Min<V::Owned>, Option<V::Owned>>
where
    V: Value,
    F: Fn(&T) -> V,
{
    combine(Min::new(), f)
}

/// The greatest value, as [`Max`] finds it; `None` of nothing.
///
/// ```
/// use creel_operators::{run, typed::max};
///
/// assert_eq!(run([0.5, 2.5], |x| x.aggregate(max(|x: &f64| *x))), Some(2.5));
/// ```
pub fn max<T, V, F>(f: F) -> ByCombiner<By<F>, Max<V::Owned>, Option<V::Owned>>
where
    V: Value,
    F: Fn(&T) -> V,
{
    combine(Max::new(), f)
}

/// The first value, in input order; `None` of nothing.
///
/// ```
/// use creel_operators::{run, typed::first};
///
/// let by_half = run(0..5, |n| n.group_by(|n| n % 2).aggregate(first(|n: &i32| n * 10)));
/// assert_eq!(by_half, [(0, Some(0)), (1, Some(10))]);
/// ```
pub fn first<T, V, F>(f: F) -> ByCombiner<By<F>, First<V>, Option<V>>
where
    V: Send + 'static,
    F: Fn(&T) -> V,
{
    ByCombiner::new(First::new(1), By(f), |first: Vec<V>| first.into_iter().next())
}

/// The last value, in input order; `None` of nothing.
///
/// ```
/// use creel_operators::{run, typed::last};
///
/// let by_half = run(0..5, |n| n.group_by(|n| n % 2).aggregate(last(|n: &i32| n * 10)));
/// assert_eq!(by_half, [(0, Some(40)), (1, Some(30))]);
/// ```
pub fn last<T, V, F>(f: F) -> ByCombiner<By<F>, Last<V>, Option<V>>
where
    V: Send + 'static,
    F: Fn(&T) -> V,
{
    combine(Last::new(), f)
}

/// The record of the lowest rank, and of several the least; `None` of nothing.
///
/// ```
/// use creel_operators::{run, typed::min_by};
///
/// let shortest = min_by(|word: &&str| word.len());
/// assert_eq!(run(["crab", "ray", "eel"], |w| w.aggregate(shortest)), Some("eel".to_owned()));
/// ```
// Named once, and seen where results are: not worth an alias.
#[allow(clippy::type_complexity)]
pub fn min_by<T, V, F>(
    rank: F,
) -> ByCombiner<Lowest<F>, TopKBy<Reverse<V::Owned>, T::Owned>, Option<T::Owned>>
where
    T: Value,
    V: Value,
    F: Fn(&T) -> V,
{
    ByCombiner::new(TopKBy::new(1), Lowest(rank), |least: Vec<T::Owned>| least.into_iter().next())
}

/// The record of the highest rank, and of several the least; `None` of nothing.
///
/// ```
/// use creel_operators::{run, typed::max_by};
///
/// let longest = max_by(|word: &&str| word.len());
/// assert_eq!(run(["crab", "ray", "bass"], |w| w.aggregate(longest)), Some("bass".to_owned()));
/// ```
// Named once, and seen where results are: not worth an alias.
#[allow(clippy::type_complexity)]
pub fn max_by<T, V, F>(
    rank: F,
) -> ByCombiner<Highest<F>, TopKBy<V::Owned, T::Owned>, Option<T::Owned>>
where
    T: Value,
    V: Value,
    F: Fn(&T) -> V,
{
    ByCombiner::new(TopKBy::new(1), Highest(rank), |most: Vec<T::Owned>| most.into_iter().next())
}

/// The `k` greatest values, the greatest first, as [`TopK`] finds them.
///
/// ```
/// use creel_operators::{run, typed::topk};
///
/// assert_eq!(run(0..5, |n| n.aggregate(topk(2, |n: &i32| *n))), [4, 3]);
/// ```
pub fn topk<T, V, F>(k: usize, f: F) -> ByCombiner<By<F>, TopK<V::Owned>, Vec<V::Owned>>
where
    V: Value,
    F: Fn(&T) -> V,
{
    combine(TopK::new(k), f)
}

/// The `k` least values, the least first, as [`BottomK`] finds them.
///
/// ```
/// use creel_operators::{run, typed::bottomk};
///
/// assert_eq!(run(0..5, |n| n.aggregate(bottomk(2, |n: &i32| *n))), [0, 1]);
/// ```
pub fn bottomk<T, V, F>(k: usize, f: F) -> ByCombiner<By<F>, BottomK<V::Owned>, Vec<V::Owned>>
where
    V: Value,
    F: Fn(&T) -> V,
{
    combine(BottomK::new(k), f)
}

/// How often each value occurs, as [`Frequencies`] counts them.
///
/// ```
/// use creel_operators::{run, typed::frequencies};
///
/// let letters = frequencies(|word: &&str| word.len());
/// let counts = run(["cod", "crab", "eel"], |words| words.aggregate(letters));
/// assert_eq!(counts.sorted(), [(3, 2), (4, 1)]);
/// ```
pub fn frequencies<T, V, F>(f: F) -> ByCombiner<By<F>, Frequencies<V::Owned>, Counts<V::Owned>>
where
    V: Key,
    F: Fn(&T) -> V,
{
    combine(Frequencies::new(), f)
}

/// All values, in input order.
///
/// ```
/// use creel_operators::{run, typed::list};
///
/// let by_half = run(0..5, |n| n.group_by(|n| n % 2).aggregate(list(|n: &i32| *n)));
/// assert_eq!(by_half, [(0, vec![0, 2, 4]), (1, vec![1, 3])]);
/// ```
pub fn list<T, V, F>(f: F) -> ByCombiner<By<F>, Collect<V>, Vec<V>>
where
    V: Value<Owned = V> + Send + 'static,
    F: Fn(&T) -> V,
{
    combine(Collect::new(), f)
        .holding(|_, list| first_k::held(list, |value| first_k::allocated(value.heap())))
}

/// Any [`Combiner`](crate::Combiner), your own too, over what `f` makes of a record.
///
/// ```
/// use creel_operators::{Fold, run, typed::combine};
///
/// let bits = combine(Fold::new(|| 0, |all, n: u8| all | n, |a, b| a | b), |n: &u8| *n);
/// assert_eq!(run([1, 4], |n| n.aggregate(bits)), 5);
/// ```
pub fn combine<T, V, C, F>(combiner: C, f: F) -> ByCombiner<By<F>, C, C::Output>
where
    C: Feed<V>,
    F: Fn(&T) -> V,
{
    ByCombiner::new(combiner, By(f), |output| output)
}
