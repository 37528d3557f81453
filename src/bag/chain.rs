//! The chain of operators behind a bag: from a block to batches of owned records.
//!
//! Each stage is erased, so that a bag is a type that a person can name; what is virtual is one
//! call for a batch of records. Inside a stage the operator is monomorphised, over a plain
//! iterator.

use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::vec::Drain;

use creel_operators::{Collect, Records};

use super::broadcast::Env;
use super::lend::Lend;
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
    /// A `Vec` of the origin's records.
    pub(super) records: Value,
    pub(super) len: usize,
}

/// Records in a batch, about: enough that the virtual call vanishes, few enough that a batch of
/// them stays in the nearest cache.
pub(super) const BATCH: usize = 1024;

/// Where batches go; it takes the records out, and breaks when it wants no more.
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

/// Calls `emit` with batches of what an iterator gives.
pub(super) fn in_batches<T>(
    mut records: impl Iterator<Item = T>,
    emit: &mut Emit<'_, T>,
) -> Result<ControlFlow<()>> {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        batch.clear();
        batch.extend(records.by_ref().take(BATCH));
        if batch.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        if emit(&mut batch)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
}
