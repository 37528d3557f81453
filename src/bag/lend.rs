//! Plans: the same verbs over records that are lent, so that nothing is allocated for each.
//!
//! A plan is one closure over the records of one block. Asking one closure to work for every
//! block's lifetime, instead of each small closure in a chain, is what lets plain closures that
//! return borrowed records infer, in safe stable Rust; and the chain in it is a chain of plain
//! iterators, compiled as one loop.

use std::ops::ControlFlow;
use std::sync::Arc;

use creel_operators::{Collect, Combiner, Records};

use super::chain::{Emit, Stage};
use super::item::Feeding;
use super::origin::{Chunk, Cut, Origin};
use super::{Bag, Item};

use crate::record::{Lines, RawLines};
use crate::{Progress, Result};

impl Bag<String> {
    /// Runs a plan over records that are lent from their block, to one result.
    ///
    /// The plan is called for every block with its lines, and ends in a combiner, whose state goes
    /// from block to block. It is also called once on no lines, here and now, to learn the combiner;
    /// so it must not depend on what it was called for.
    ///
    /// Lines are lent straight from the block if this bag is what
    /// [`read_text`](crate::read_text) returned; after an operator they are lent from the owned
    /// records that it made.
    ///
    /// ```
    /// let lines = creel::Bag::from_iter(["a bb ccc", "bb"].map(String::from));
    /// let top = lines
    ///     .lend(|lines| lines.flat_map(|l| l.split(' ')).filter(|w| w.len() > 1).frequencies())
    ///     .topk(1);
    /// assert_eq!(top.compute_blocking()?, [("bb".to_string(), 2)]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    ///
    /// What a plan borrows cannot leave it:
    ///
    /// ```compile_fail,E0521
    /// let mut longest = "";
    /// creel::Bag::from_iter([String::from("a")])
    ///     .lend(|lines| lines.map(|line| longest = line).count());
    /// ```
    pub fn lend<C, P>(self, plan: P) -> Item<C::Output>
    where
        C: Combiner,
        P: Fn(Records<'_, Lines<'_>, C::State>) -> C + Send + Sync + 'static,
    {
        item(self, plan)
    }

    /// Runs a plan over lent records to owned ones: the bag of what the plan collects.
    ///
    /// For each block the records that the plan collected go on as one batch; a bag that is
    /// streamed is never held as a whole.
    ///
    /// ```
    /// let lines = creel::Bag::from_iter(["GET /a 200", "GET /b 404"].map(String::from));
    /// let failed = lines.lend_bag(|lines| {
    ///     lines.filter(|l| l.ends_with("404")).filter_map(|l| l.split(' ').nth(1)).map(str::to_owned).collect()
    /// });
    /// assert_eq!(failed.compute_blocking()?, ["/b"]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn lend_bag<U, P>(self, plan: P) -> Bag<U>
    where
        U: Send + 'static,
        P: Fn(Records<'_, Lines<'_>, Vec<U>>) -> Collect<U> + Send + Sync + 'static,
    {
        bag(self, plan)
    }
}

impl Bag<Vec<u8>> {
    /// Runs a plan over records of bytes that are lent from their block, to one result; see
    /// [`lend`](Bag::lend) of text.
    ///
    /// ```
    /// let records = creel::Bag::from_iter([b"\xff\x00".to_vec(), b"ok".to_vec()]);
    /// let invalid = records.lend(|r| r.filter(|b| std::str::from_utf8(b).is_err()).count());
    /// assert_eq!(invalid.compute_blocking()?, 1);
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn lend<C, P>(self, plan: P) -> Item<C::Output>
    where
        C: Combiner,
        P: Fn(Records<'_, RawLines<'_>, C::State>) -> C + Send + Sync + 'static,
    {
        item(self, plan)
    }

    /// Runs a plan over lent records of bytes to owned ones; see
    /// [`lend_bag`](Bag::lend_bag) of text.
    ///
    /// ```
    /// let records = creel::Bag::from_iter([b"GET /a".to_vec(), b"\xff".to_vec()]);
    /// let text = records.lend_bag(|r| {
    ///     r.filter_map(|b| std::str::from_utf8(b).ok()).map(str::to_owned).collect()
    /// });
    /// assert_eq!(text.compute_blocking()?, ["GET /a"]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn lend_bag<U, P>(self, plan: P) -> Bag<U>
    where
        U: Send + 'static,
        P: Fn(Records<'_, RawLines<'_>, Vec<U>>) -> Collect<U> + Send + Sync + 'static,
    {
        bag(self, plan)
    }
}

/// Owned records that can be lent, from their block or one by one.
trait Lend: Sized + Send + 'static {
    type Lent<'b>: Iterator;

    /// Lends the records of a block.
    fn block<R>(
        cut: &Cut,
        chunk: &Chunk,
        progress: &Progress,
        take: impl FnOnce(Self::Lent<'_>) -> R,
    ) -> Result<R>;

    /// Lends records that were made before.
    fn records(records: &[Self]) -> Self::Lent<'_>;
}

impl Lend for String {
    type Lent<'b> = Lines<'b>;

    fn block<R>(
        cut: &Cut,
        chunk: &Chunk,
        progress: &Progress,
        take: impl FnOnce(Lines<'_>) -> R,
    ) -> Result<R> {
        cut.lines(chunk, progress, take)
    }

    fn records(records: &[Self]) -> Lines<'_> {
        Lines::of_records(records)
    }
}

impl Lend for Vec<u8> {
    type Lent<'b> = RawLines<'b>;

    fn block<R>(
        cut: &Cut,
        chunk: &Chunk,
        _progress: &Progress,
        take: impl FnOnce(RawLines<'_>) -> R,
    ) -> Result<R> {
        Ok(cut.raw(chunk, take))
    }

    fn records(records: &[Self]) -> RawLines<'_> {
        RawLines::of_records(records)
    }
}

/// Where lent records come from.
enum Source<T> {
    Block(Cut),
    Stage(Arc<dyn Stage<T>>),
}

impl<T: Lend> Source<T> {
    fn of(bag: &Bag<T>) -> Self {
        let cut = Cut::of(&bag.origin).filter(|_| bag.stage.is_origin());
        cut.map_or_else(|| Self::Stage(Arc::clone(&bag.stage)), Self::Block)
    }

    fn each(
        &self,
        chunk: &mut Chunk,
        progress: &Progress,
        take: &mut dyn FnMut(T::Lent<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        match self {
            Self::Block(cut) => T::block(cut, chunk, progress, take)?,
            Self::Stage(stage) => stage.run(chunk, progress, &mut |batch| take(T::records(batch))),
        }
    }
}

/// The item of a plan that ends in a combiner.
fn item<T, C, P>(bag: Bag<T>, plan: P) -> Item<C::Output>
where
    T: Lend,
    C: Combiner,
    P: Fn(Records<'_, T::Lent<'_>, C::State>) -> C + Send + Sync + 'static,
{
    let combiner = plan(Records::new(T::records(&[]), &mut C::State::default()));
    Item::reduced(Lent { source: Source::of(&bag), origin: bag.origin, combiner, plan })
}

/// The bag of what a plan collects.
fn bag<T, U, P>(bag: Bag<T>, plan: P) -> Bag<U>
where
    T: Lend,
    U: Send + 'static,
    P: Fn(Records<'_, T::Lent<'_>, Vec<U>>) -> Collect<U> + Send + Sync + 'static,
{
    let source = Source::of(&bag);
    let stage = move |chunk: &mut Chunk, progress: &Progress, emit: &mut Emit<'_, U>| {
        let mut batch = Vec::new();
        source.each(chunk, progress, &mut |records| {
            plan(Records::new(records, &mut batch));
            let flow = emit(&mut batch);
            batch.clear();
            flow
        })
    };
    Bag { origin: bag.origin, stage: Arc::new(stage) }
}

/// A plan that ends in a combiner, as a reduction.
struct Lent<T, C, P> {
    source: Source<T>,
    origin: Origin,
    combiner: C,
    plan: P,
}

impl<T, C, P> Feeding for Lent<T, C, P>
where
    T: Lend,
    C: Combiner,
    P: Fn(Records<'_, T::Lent<'_>, C::State>) -> C + Send + Sync,
{
    type Combiner = C;

    fn combiner(&self) -> &C {
        &self.combiner
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn feed(&self, state: &mut C::State, chunk: &mut Chunk, progress: &Progress) -> Result<()> {
        let feed = &mut |records: T::Lent<'_>| {
            (self.plan)(Records::new(records, state));
            Ok(ControlFlow::Continue(()))
        };
        self.source.each(chunk, progress, feed).map(drop)
    }
}
