//! Plans: the same verbs over records that are lent, so that nothing is allocated for each.
//!
//! A plan is one closure over the records of one block. Asking one closure to work for every
//! block's lifetime, instead of each small closure in a chain, is what lets plain closures that
//! return borrowed records infer, in safe stable Rust; and the chain in it is a chain of plain
//! iterators, compiled as one loop.

use std::ops::ControlFlow;
use std::sync::Arc;

use creel_operators::{Collect, Combiner, Records, Whole};

use super::broadcast::Env;
use super::chain::{Chunk, Emit, Stage};
use super::reduction::{Feeding, Reduction};
use super::verbs::Code;
use super::{Bag, Item};
use crate::Result;
use crate::graph::Step;
use crate::record::{Lines, RawLines};

/// Records that can be lent: `String` as `&str`, `Vec<u8>` as `&[u8]`, your own as you say.
///
/// ```
/// use creel::{Bag, Lend};
///
/// struct Visit {
///     host: String,
///     bytes: u64,
/// }
///
/// impl Lend for Visit {
///     type Lent<'b> = std::slice::Iter<'b, Self>;
///     fn lend(records: &[Self]) -> Self::Lent<'_> {
///         records.iter()
///     }
/// }
///
/// let visits = Bag::from_iter(["a", "b", "a"])
///     .map(|host| Visit { host: host.to_string(), bytes: 10 });
/// let hosts = visits.clone().lend(|visits| visits.map(|v| v.host.as_str()).frequencies());
/// let bytes = visits.lend(|visits| visits.map(|v| v.bytes).sum());
/// assert_eq!(hosts.topk(1).compute_blocking()?, [("a".to_string(), 2)]);
/// assert_eq!(bytes.compute_blocking()?, 30);
/// # Ok::<(), creel::Error>(())
/// ```
pub trait Lend: Sized + Send + 'static {
    /// The records of one block or batch, lent: an iterator of `&str` for text, of `&[u8]` for
    /// bytes.
    type Lent<'b>: Iterator;

    /// Lends records that are owned already.
    fn lend(records: &[Self]) -> Self::Lent<'_>;

    /// The text that these records are pieces of, if they are cut at white space.
    fn whole<'b>(_: &Self::Lent<'b>) -> Whole<'b> {
        Whole::default()
    }
}

/// What a plan is given: the records of a block, lent, with the state that they will feed.
pub type LentRecords<'s, 'b, T, S> = Records<'s, <T as Lend>::Lent<'b>, S, Whole<'b>>;

/// The same, made.
pub(super) fn lent<'s, 'b, T: Lend, S>(
    records: T::Lent<'b>,
    state: &'s mut S,
) -> LentRecords<'s, 'b, T, S> {
    Records::within(T::whole(&records), records, state)
}

impl Lend for String {
    type Lent<'b> = Lines<'b>;

    fn lend(records: &[Self]) -> Lines<'_> {
        Lines::of_records(records)
    }

    fn whole<'b>(lines: &Self::Lent<'b>) -> Whole<'b> {
        lines.whole()
    }
}

impl Lend for Vec<u8> {
    type Lent<'b> = RawLines<'b>;

    fn lend(records: &[Self]) -> RawLines<'_> {
        RawLines::of_records(records)
    }
}

impl<T: Lend> Bag<T> {
    /// Runs a plan over records that are lent from their block, to one result.
    ///
    /// The plan is called for every block with its records, and ends in a combiner, whose state
    /// goes from block to block. It is also called once on no records, here and now, to learn the
    /// combiner; so it must not depend on what it was called for.
    ///
    /// Records are lent straight from the block if this bag is what
    /// [`read_text`](crate::read_text) or [`read_bytes`](crate::read_bytes) returned; after an
    /// operator they are lent from the owned records that it made.
    ///
    /// ```
    /// let lines = creel::Bag::from_iter(["a bb ccc", "bb"].map(String::from));
    /// let top = lines
    ///     .lend(|lines| lines.flat_map(|l| l.split(' ')).filter(|w| w.len() > 1).frequencies())
    ///     .topk(1);
    /// assert_eq!(top.compute_blocking()?, [("bb".to_string(), 2)]);
    ///
    /// let records = creel::Bag::from_iter([b"\xff\x00".to_vec(), b"ok".to_vec()]);
    /// let invalid = records.lend(|r| r.filter(|b| std::str::from_utf8(b).is_err()).count());
    /// assert_eq!(invalid.compute_blocking()?, 1);
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
    #[track_caller]
    pub fn lend<C, P>(self, plan: P) -> Item<C::Output>
    where
        C: Combiner,
        P: Fn(LentRecords<'_, '_, T, C::State>) -> C + Send + Sync + 'static,
    {
        let step = Step::here("lend");
        let code = Code::of(&plan);
        let combiner = plan(lent::<T, _>(T::lend(&[]), &mut C::State::default()));
        let plan = move |_: &Env<'_>, records: LentRecords<'_, '_, T, C::State>| plan(records);
        let planned: Arc<dyn Reduction> =
            Arc::new(Planned::new(self.stage, combiner, Arc::new(plan)));
        Item::reduced::<C>(self.base.then(step, code), move |_| Arc::clone(&planned))
    }

    /// Runs a plan over lent records to owned ones: the bag of what the plan collects.
    ///
    /// For each block the records that the plan collected go on as one batch; a bag that is
    /// streamed is never held as a whole.
    ///
    /// ```
    /// let lines = creel::Bag::from_iter(["GET /a 200", "GET /b 404"].map(String::from));
    /// let failed = lines.lend_bag(|lines| {
    ///     let failed = lines.filter(|line| line.ends_with("404"));
    ///     failed.filter_map(|line| line.split(' ').nth(1)).map(str::to_owned).collect()
    /// });
    /// assert_eq!(failed.compute_blocking()?, ["/b"]);
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn lend_bag<U, P>(self, plan: P) -> Bag<U>
    where
        U: Send + 'static,
        P: Fn(LentRecords<'_, '_, T, Vec<U>>) -> Collect<U> + Send + Sync + 'static,
    {
        let (lender, code) = (self.stage, Code::of(&plan));
        let stage = move |chunk: &mut Chunk, env: &Env<'_>, emit: &mut Emit<'_, U>| {
            let mut batch = Vec::new();
            lender.lend(chunk, env, &mut |records| {
                plan(lent::<T, _>(records, &mut batch));
                let flow = emit(&mut batch);
                batch.clear();
                flow
            })
        };
        Bag { base: self.base.then(Step::here("lend_bag"), code), stage: Arc::new(stage) }
    }
}

/// A plan that ends in a combiner, as a reduction.
pub(super) struct Planned<T, C, P> {
    stage: Arc<dyn Stage<T>>,
    combiner: C,
    plan: Arc<P>,
}

impl<T, C, P> Planned<T, C, P>
where
    T: Lend,
    C: Combiner,
    P: Fn(&Env<'_>, LentRecords<'_, '_, T, C::State>) -> C,
{
    pub(super) fn new(stage: Arc<dyn Stage<T>>, combiner: C, plan: Arc<P>) -> Self {
        Self { stage, combiner, plan }
    }
}

impl<T, C, P> Feeding for Planned<T, C, P>
where
    T: Lend,
    C: Combiner,
    P: Fn(&Env<'_>, LentRecords<'_, '_, T, C::State>) -> C + Send + Sync,
{
    type Combiner = C;

    fn combiner(&self) -> &C {
        &self.combiner
    }

    fn feed(&self, state: &mut C::State, chunk: &mut Chunk, env: &Env<'_>) -> Result<()> {
        let feed = &mut |records: T::Lent<'_>| {
            (self.plan)(env, lent::<T, _>(records, state));
            Ok(ControlFlow::Continue(()))
        };
        self.stage.lend(chunk, env, feed).map(drop)
    }
}
