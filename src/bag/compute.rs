//! Computing items and tasks: one graph for all that are asked for together.

use super::Bag;
use super::computation::Compute;
use super::item::Item;
use super::run::Run;
use crate::Result;

/// Computes a tuple of items and tasks in one run; items over one source share one pass over it,
/// and each task runs once.
///
/// What is read comes first: a pass over a source works on every thread until its end, also where it
/// waits for a network, and tasks beside it that it does not need run as its lanes end.
///
/// Nothing is kept for the sharing: each block is fed to every item's combiner in turn. One source
/// is what one call of [`read_text`](crate::read_text) or its like named, in all bags that came of
/// it. Two kinds of item have a pass of their own: that of [`take`](Bag::take), which ends early,
/// and that of a bag [`from_iter`](Bag::from_iter), whose records are made for one taker.
///
/// # Errors
///
/// As [`Item::compute`].
///
/// ```
/// # futures::executor::block_on(async {
/// let lines = creel::read_text("fixtures/access.log")?;
/// let (lines, bytes) = creel::compute_all((
///     lines.clone().count(),
///     lines.map(|line| line.len()).sum(),
/// )).await?;
/// assert!(bytes > i128::from(lines));
/// # Ok::<(), creel::Error>(()) }).unwrap();
/// ```
pub async fn compute_all<C>(items: C) -> Result<C::Output>
where
    C: Compute<Output: Send> + Send + 'static,
{
    Run::new().compute(items).await
}

/// [`compute_all`] on this thread and helpers.
///
/// # Errors
///
/// As [`Item::compute`].
///
/// ```
/// let lines = creel::read_text("fixtures/access.log")?.map(|line| line.len());
/// let (least, greatest) = creel::compute_all_blocking(&(lines.clone().min(), lines.max()))?;
/// assert!(least < greatest);
/// # Ok::<(), creel::Error>(())
/// ```
pub fn compute_all_blocking<C: Compute>(items: &C) -> Result<C::Output> {
    Run::new().compute_blocking(items)
}

impl<T: Send + 'static> Item<T> {
    /// The value, waiting for it without blocking the caller's runtime, whichever that is.
    ///
    /// Dropping the future cancels the run.
    ///
    /// # Errors
    ///
    /// Whatever went wrong with a source, a record, or a function of the caller's: see
    /// [`Error`](crate::Error).
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// assert_eq!(creel::Bag::from_iter(0..7).count().compute().await?, 7);
    /// # Ok::<(), creel::Error>(()) }).unwrap();
    /// ```
    pub async fn compute(self) -> Result<T> {
        Run::new().compute(self).await
    }

    /// The value, waiting for it on this thread, which works too.
    ///
    /// # Errors
    ///
    /// As [`compute`](Self::compute).
    ///
    /// ```
    /// assert_eq!(creel::Bag::from_iter(0..7).count().compute_blocking()?, 7);
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn compute_blocking(&self) -> Result<T> {
        Run::new().compute_blocking(self)
    }
}

impl<T: Send + 'static> Bag<T> {
    /// All records, in input order: [`collect`](Self::collect), computed.
    ///
    /// # Errors
    ///
    /// As [`Item::compute`].
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// let even = creel::Bag::from_iter(0..5).filter(|n| n % 2 == 0);
    /// assert_eq!(even.compute().await?, [0, 2, 4]);
    /// # Ok::<(), creel::Error>(()) }).unwrap();
    /// ```
    pub async fn compute(self) -> Result<Vec<T>> {
        self.collect().compute().await
    }

    /// All records, in input order: [`collect`](Self::collect), computed on this thread.
    ///
    /// # Errors
    ///
    /// As [`Item::compute`].
    pub fn compute_blocking(&self) -> Result<Vec<T>> {
        self.clone().collect().compute_blocking()
    }
}
