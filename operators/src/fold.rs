//! `fold`: a combiner made of three closures.

use std::fmt;

use crate::{Combiner, Feed, Records};

/// Folds records into an accumulator by closures: `init` makes a neutral one, `update` adds a
/// record, `merge` joins two.
///
/// The input is cut wherever it suits the machine: `update` runs on the pieces and `merge` joins
/// what they gave, in input order. So `merge` has to be associative with `init()` as its neutral
/// element, and `update` has to agree with it; [`laws::check`](crate::laws::check) tests that.
///
/// `init` is called for a piece once its first record comes, so it must make something neutral:
/// an empty list, a zero, not a starting value. (In a bag of dask's, `initial` is likewise used
/// once for each partition that is not empty, so that an initial of 10 over three partitions adds
/// 30. To start at 10 here, add 10 to the result.)
///
/// ```
/// use creel_operators::{Fold, run};
///
/// let longest = Fold::new(|| 0, |longest, word: &str| word.len().max(longest), usize::max);
/// assert_eq!(run(["net", "fish"], |words| words.combine(longest)), 4);
/// ```
#[derive(Clone, Copy)]
pub struct Fold<Init, Update, Merge> {
    init: Init,
    update: Update,
    merge: Merge,
}

impl<Init, Update, Merge> Fold<Init, Update, Merge> {
    /// A combiner from its three closures.
    ///
    /// In a plan over lent records, say the record's type (`|n, word: &str|`), or write
    /// [`Records::fold`], which infers it.
    pub fn new(init: Init, update: Update, merge: Merge) -> Self {
        Self { init, update, merge }
    }
}

impl<A, Init: Fn() -> A, Update, Merge> Fold<Init, Update, Merge> {
    /// The accumulator, which `update` takes and gives back.
    pub(crate) fn take(&self, state: &mut Option<A>) -> A {
        state.take().unwrap_or_else(&self.init)
    }
}

impl<Init, Update, Merge> fmt::Debug for Fold<Init, Update, Merge> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fold")
    }
}

// `Update` is free here: merging does not need it, and `Records::fold` leaves it out.
impl<A, Init, Update, Merge> Combiner for Fold<Init, Update, Merge>
where
    A: Send + 'static,
    Init: Fn() -> A + Send + Sync + 'static,
    Update: Send + Sync + 'static,
    Merge: Fn(A, A) -> A + Send + Sync + 'static,
{
    type State = Option<A>;
    type Output = A;
    const ORDERED: bool = true;

    fn merge(&self, into: &mut Option<A>, from: Option<A>) {
        *into = match (into.take(), from) {
            (Some(into), Some(from)) => Some((self.merge)(into, from)),
            (into, from) => into.or(from),
        };
    }

    fn finish(&self, state: Option<A>) -> A {
        state.unwrap_or_else(&self.init)
    }
}

impl<T, A, Init, Update, Merge> Feed<T> for Fold<Init, Update, Merge>
where
    A: Send + 'static,
    Init: Fn() -> A + Send + Sync + 'static,
    Update: Fn(A, T) -> A + Send + Sync + 'static,
    Merge: Fn(A, A) -> A + Send + Sync + 'static,
{
    fn feed(&self, state: &mut Option<A>, record: T) {
        *state = Some((self.update)(self.take(state), record));
    }
}

impl<I: Iterator, A: Send + 'static, W> Records<'_, I, Option<A>, W> {
    /// Folds the records into an accumulator by closures. See [`Fold`] for what they must keep.
    ///
    /// ```
    /// use creel_operators::run;
    ///
    /// let lines = ["one fish", "two fish"];
    /// let bytes = run(lines, |l| l.words().fold(|| 0, |n, word| n + word.len(), |m, n| m + n));
    /// assert_eq!(bytes, 14);
    /// ```
    ///
    /// The accumulator outlives the records, so it cannot hold lent ones; store what you keep:
    ///
    /// ```
    /// use creel_operators::run;
    ///
    /// let first = run(["one fish", "two fish"], |lines| {
    ///     let update = |first: Option<String>, line| first.or_else(|| Some(String::from(line)));
    ///     lines.fold(|| None, update, Option::or)
    /// });
    /// assert_eq!(first.as_deref(), Some("one fish"));
    /// ```
    pub fn fold<Init, Update, Merge>(
        self,
        init: Init,
        update: Update,
        merge: Merge,
    ) -> Fold<Init, (), Merge>
    where
        Init: Fn() -> A + Send + Sync + 'static,
        Update: Fn(A, I::Item) -> A,
        Merge: Fn(A, A) -> A + Send + Sync + 'static,
    {
        self.combine_by(Fold::new(init, (), merge), |fold, state, record| {
            *state = Some(update(fold.take(state), record));
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{laws, run};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_lawful_fold_keeps_the_laws(records in prop::collection::vec("[a-c]{0,2}", 0..20)) {
            let concat = Fold::new(String::new, |text, r: &str| text + r, |a, b: String| a + b.as_str());
            let lent: Vec<&str> = records.iter().map(String::as_str).collect();
            laws::check(&concat, &lent);
            prop_assert_eq!(run(lent, |r| r.combine(concat)), records.concat());
        }
    }

    #[test]
    fn the_fold_of_nothing_is_the_initial_accumulator() {
        let none: [u64; 0] = [];
        assert_eq!(run(none, |r| r.fold(|| 7, |a, b| a + b, |a, b| a + b)), 7);
    }
}
