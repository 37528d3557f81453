//! The chain of operators behind a bag: from a block to batches of owned records.
//!
//! Each stage is erased, so that a bag is a type that a person can name; what is virtual is one
//! call for a batch of records. Inside a stage the operator is monomorphised, over a plain
//! iterator.

use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::vec::Drain;

use creel_operators::{Collect, Pieces, Records};

use super::broadcast::Env;
use super::lend::Lend;
use super::memory::Pace;
use crate::Result;
use crate::block::Block;
use crate::graph::Value;

/// What lanes are handed, and the first stage of a chain takes apart.
pub(super) enum Chunk {
    /// A block of text.
    Text(Block),
    Records(Batch),
}

/// Records out of memory.
pub(super) struct Batch {
    /// A `Vec` of the origin's records, or the range of their places.
    pub(super) records: Value,
    pub(super) len: usize,
    /// Is told how long the records took to work on.
    pub(super) pace: Option<Arc<Pace>>,
}

/// The batches of a partition. They may have to be read.
pub(super) type BatchIter = Box<dyn Iterator<Item = Result<Batch>> + Send>;

impl Batch {
    /// A batch of these records.
    pub(super) fn of<T: Send + 'static>(records: Vec<T>) -> Self {
        let len = records.len();
        Self { records: Box::new(records), len, pace: None }
    }
}

/// Records in a batch, about: enough that the virtual call vanishes, few enough that a batch of
/// them stays in the nearest cache.
pub(super) const BATCH: usize = 1024;

/// Where batches go; it breaks when it wants no more. What it does not take out is spent: whoever made
/// the batch may write over it, so that a `String` for each word need not be an allocation.
pub(super) type Emit<'e, T> = dyn FnMut(&mut Vec<T>) -> Result<ControlFlow<()>> + 'e;

/// Where lent records go.
pub(super) type Take<'t, T> = dyn FnMut(<T as Lend>::Lent<'_>) -> Result<ControlFlow<()>> + 't;

/// A part of a chain that ends in records of type `T`.
pub(super) trait Stage<T>: Send + Sync {
    /// Turns a chunk of the origin into batches.
    fn run(
        &self,
        chunk: &mut Chunk,
        env: &Env<'_>,
        emit: &mut Emit<'_, T>,
    ) -> Result<ControlFlow<()>>;

    /// Lends the chunk's records instead: from the batches made here, or, by a stage that is the
    /// origin itself, straight from the block.
    fn lend(
        &self,
        chunk: &mut Chunk,
        env: &Env<'_>,
        take: &mut Take<'_, T>,
    ) -> Result<ControlFlow<()>>
    where
        T: Lend,
    {
        self.run(chunk, env, &mut |batch| take(T::lend(batch)))
    }
}

/// A first stage that is a function.
impl<T, F> Stage<T> for F
where
    F: Fn(&mut Chunk, &Env<'_>, &mut Emit<'_, T>) -> Result<ControlFlow<()>> + Send + Sync,
{
    fn run(
        &self,
        chunk: &mut Chunk,
        env: &Env<'_>,
        emit: &mut Emit<'_, T>,
    ) -> Result<ControlFlow<()>> {
        self(chunk, env, emit)
    }
}

/// What an operator's plan is given: a batch that it empties.
pub(super) type Drained<'a, T> = Drain<'a, T>;

/// A stage that runs an operator over the batches of the one before it.
pub(super) struct Operator<T, U, P> {
    before: Arc<dyn Stage<T>>,
    plan: P,
    records: PhantomData<fn(T) -> U>,
}

impl<T, U, P> Operator<T, U, P>
where
    P: for<'a> Fn(&Env<'_>, Records<'a, Drained<'a, T>, Vec<U>>) -> Collect<U>,
{
    pub(super) fn new(before: Arc<dyn Stage<T>>, plan: P) -> Self {
        Self { before, plan, records: PhantomData }
    }
}

impl<T, U, P> Stage<U> for Operator<T, U, P>
where
    P: for<'a> Fn(&Env<'_>, Records<'a, Drained<'a, T>, Vec<U>>) -> Collect<U> + Send + Sync,
{
    fn run(
        &self,
        chunk: &mut Chunk,
        env: &Env<'_>,
        emit: &mut Emit<'_, U>,
    ) -> Result<ControlFlow<()>> {
        let mut batch = Vec::new();
        self.before.run(chunk, env, &mut |records| {
            (self.plan)(env, Records::new(records.drain(..), &mut batch));
            let flow = emit(&mut batch)?;
            batch.clear();
            Ok(flow)
        })
    }
}

/// A stage that passes some records on, and leaves the others to whoever made them.
pub(super) struct Filter<T, P> {
    before: Arc<dyn Stage<T>>,
    /// Brings those that are kept to the front, and says how many they are.
    kept: P,
}

impl<T, P: Fn(&Env<'_>, &mut [T]) -> usize> Filter<T, P> {
    pub(super) fn new(before: Arc<dyn Stage<T>>, kept: P) -> Self {
        Self { before, kept }
    }
}

impl<T, P> Stage<T> for Filter<T, P>
where
    P: Fn(&Env<'_>, &mut [T]) -> usize + Send + Sync,
{
    fn run(
        &self,
        chunk: &mut Chunk,
        env: &Env<'_>,
        emit: &mut Emit<'_, T>,
    ) -> Result<ControlFlow<()>> {
        let mut spent = Vec::new();
        self.before.run(chunk, env, &mut |records| {
            let kept = (self.kept)(env, records);
            spent.extend(records.drain(kept..));
            let flow = emit(records)?;
            records.append(&mut spent);
            Ok(flow)
        })
    }
}

/// Brings the records for which `keep` says so to the front, in their order; returns their number.
///
/// Without a branch on what it says, which would be mispredicted on half of all words.
pub(super) fn to_front<T>(records: &mut [T], mut keep: impl FnMut(&T) -> bool) -> usize {
    let mut kept = 0;
    for at in 0..records.len() {
        let keeps = keep(&records[at]);
        records.swap(kept, at);
        kept += usize::from(keeps);
    }
    kept
}

/// A stage that copies the pieces of each text.
pub(super) struct Cut {
    before: Arc<dyn Stage<String>>,
    at: Separator,
}

/// What texts are cut at.
pub(super) enum Separator {
    /// Unicode white space, any amount.
    Space,
    Text(String),
}

impl Cut {
    pub(super) fn new(before: Arc<dyn Stage<String>>, at: Separator) -> Self {
        Self { before, at }
    }
}

impl Stage<String> for Cut {
    fn run(
        &self,
        chunk: &mut Chunk,
        env: &Env<'_>,
        emit: &mut Emit<'_, String>,
    ) -> Result<ControlFlow<()>> {
        let mut batch = Vec::new();
        self.before.lend(chunk, env, &mut |lines| match &self.at {
            Separator::Space => copied(lines.flat_map(Pieces::words), &mut batch, emit),
            Separator::Text(text) => copied(lines.flat_map(|l| l.split(&**text)), &mut batch, emit),
        })
    }
}

/// Calls `emit` with batches of copies of what is lent, made in a buffer that is used again: what
/// `emit` leaves there gives its room to the copies that follow.
///
/// The room stays below what has been copied, and goes with the buffer.
pub(super) fn copied<'b, B: ToOwned + ?Sized + 'b>(
    records: impl Iterator<Item = &'b B>,
    batch: &mut Vec<B::Owned>,
    emit: &mut Emit<'_, B::Owned>,
) -> Result<ControlFlow<()>> {
    let mut made = 0;
    for record in records {
        match batch.get_mut(made) {
            Some(spent) => record.clone_into(spent),
            None => batch.push(record.to_owned()),
        }
        made += 1;
        if made == BATCH {
            if emit(batch)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            made = 0;
        }
    }
    batch.truncate(made);
    if made == 0 { Ok(ControlFlow::Continue(())) } else { emit(batch) }
}
