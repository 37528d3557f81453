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
    /// from block to block. It is also called once on no lines, to learn the combiner; so it must
    /// not depend on what it was called for.
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
        let combiner = plan(Records::new(Lines::of_records(&[]), &mut C::State::default()));
        Item::reduced(Lent { source: LentLines::of(&self), origin: self.origin, combiner, plan })
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
        let source = LentLines::of(&self);
        let stage = move |chunk: &mut Chunk, progress: &Progress, emit: &mut Emit<'_, U>| {
            let mut batch = Vec::new();
            source.each(chunk, progress, &mut |lines| {
                plan(Records::new(lines, &mut batch));
                let flow = emit(&mut batch);
                batch.clear();
                flow
            })
        };
        Bag { origin: self.origin, stage: Arc::new(stage) }
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
        let combiner = plan(Records::new(RawLines::of_records(&[]), &mut C::State::default()));
        Item::reduced(Lent { source: LentBytes::of(&self), origin: self.origin, combiner, plan })
    }
}

/// Where lent lines come from.
enum LentLines {
    Block(Cut),
    Stage(Arc<dyn Stage<String>>),
}

impl LentLines {
    fn of(bag: &Bag<String>) -> Self {
        let cut = Cut::of(&bag.origin).filter(|_| bag.stage.is_origin());
        cut.map_or_else(|| Self::Stage(Arc::clone(&bag.stage)), Self::Block)
    }

    fn each(
        &self,
        chunk: &mut Chunk,
        progress: &Progress,
        take: &mut dyn FnMut(Lines<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        match self {
            Self::Block(cut) => cut.lines(chunk, progress, take)?,
            Self::Stage(stage) => {
                stage.run(chunk, progress, &mut |batch| take(Lines::of_records(batch)))
            }
        }
    }
}

/// Where lent bytes come from.
enum LentBytes {
    Block(Cut),
    Stage(Arc<dyn Stage<Vec<u8>>>),
}

impl LentBytes {
    fn of(bag: &Bag<Vec<u8>>) -> Self {
        let cut = Cut::of(&bag.origin).filter(|_| bag.stage.is_origin());
        cut.map_or_else(|| Self::Stage(Arc::clone(&bag.stage)), Self::Block)
    }

    fn each(
        &self,
        chunk: &mut Chunk,
        progress: &Progress,
        take: &mut dyn FnMut(RawLines<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        match self {
            Self::Block(cut) => cut.raw(chunk, take),
            Self::Stage(stage) => {
                stage.run(chunk, progress, &mut |batch| take(RawLines::of_records(batch)))
            }
        }
    }
}

/// A plan that ends in a combiner, as a reduction.
struct Lent<S, C, P> {
    source: S,
    origin: Origin,
    combiner: C,
    plan: P,
}

impl<C, P> Feeding for Lent<LentLines, C, P>
where
    C: Combiner,
    P: Fn(Records<'_, Lines<'_>, C::State>) -> C + Send + Sync,
{
    type Combiner = C;

    fn combiner(&self) -> &C {
        &self.combiner
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn feed(&self, state: &mut C::State, chunk: &mut Chunk, progress: &Progress) -> Result<()> {
        let feed = &mut |lines: Lines<'_>| {
            (self.plan)(Records::new(lines, state));
            Ok(ControlFlow::Continue(()))
        };
        self.source.each(chunk, progress, feed).map(drop)
    }
}

impl<C, P> Feeding for Lent<LentBytes, C, P>
where
    C: Combiner,
    P: Fn(Records<'_, RawLines<'_>, C::State>) -> C + Send + Sync,
{
    type Combiner = C;

    fn combiner(&self) -> &C {
        &self.combiner
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn feed(&self, state: &mut C::State, chunk: &mut Chunk, progress: &Progress) -> Result<()> {
        let feed = &mut |records: RawLines<'_>| {
            (self.plan)(Records::new(records, state));
            Ok(ControlFlow::Continue(()))
        };
        self.source.each(chunk, progress, feed).map(drop)
    }
}
