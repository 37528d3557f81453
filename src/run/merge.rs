//! States of lanes to one: in a tree, or by parts, side by side.
//!
//! Small states are merged pairwise, and so are those of tasks, which may be many. Large ones that have parts are cut along them: each part of all
//! lanes is merged by a task of its own, so that all threads help, and a task has a part in memory
//! at a time. What lanes have put away is read back there.

use std::sync::{Arc, Mutex, PoisonError};

use super::dispatch::Failure;
use super::{Context, Pass};
use crate::graph::{Moved, Name, Node, Outcome, Shared, tree};
use crate::spill::Extent;
use crate::{Error, Result};

/// Bytes of all states from which on they are merged by parts: below, a merge takes less than a
/// millisecond.
const BY_PARTS: usize = if cfg!(test) { 1 } else { 4 << 20 };

/// The parts of what is put away, as a power of two: a part of what takes sixty times the memory
/// that there is fits into it.
const PUT_AWAY_BITS: u32 = 6;

/// What a lane has made: its state, and what it put away of it before.
pub(crate) struct Held<S> {
    pub(crate) state: S,
    /// For each time that it was over the budget, all parts.
    away: Vec<Vec<Extent>>,
    /// The first in input order that it has met, behind what it has seen.
    failure: Option<Failure>,
}

impl<S> Held<S> {
    /// A state of which nothing was put away.
    pub(crate) fn all(state: S) -> Self {
        Self { state, away: Vec::new(), failure: None }
    }

    /// Keeps a failure, if it is the first.
    pub(super) fn fails(&mut self, failure: Failure) {
        if self.failure.as_ref().is_none_or(|first| failure.at < first.at) {
            self.failure = Some(failure);
        }
    }

    /// Puts the state away, and leaves another that has seen nothing; or leaves it as it is, if it has
    /// no form in bytes.
    pub(super) fn put_away<B>(
        &mut self,
        context: &Context,
        pass: &impl Pass<B, State = S>,
        start: S,
    ) -> Result<bool> {
        let Some(budget) = &context.budget else { return Ok(false) };
        let state = std::mem::replace(&mut self.state, start);
        let mut parts = pass.parts(state, PUT_AWAY_BITS).into_iter();
        let mut extents = Vec::new();
        let mut bytes = Vec::new();
        while let Some(part) = parts.next() {
            bytes.clear();
            if !pass.save(&part, &mut bytes) {
                // The first of them, or none.
                self.state = pass.join(std::iter::once(part).chain(parts).collect());
                return Ok(false);
            }
            extents.push(budget.write(&bytes)?);
        }
        self.away.push(extents);
        Ok(true)
    }
}

/// The merges of the states that tasks have made, in their order, each as soon as it can be. What
/// lanes need is needed here for a state if there is no lane.
pub(crate) fn merged<B: 'static, P: Pass<B>>(
    lanes: Vec<Arc<Node>>,
    pass: Arc<P>,
    needs: Vec<Arc<Node>>,
) -> Arc<Node> {
    let merging = Arc::clone(&pass);
    let merged = tree(lanes, move |context, mut into, from| {
        if context.stop.is_cancelled() {
            return Err(Error::Cancelled);
        }
        merging.merge(&mut into, from);
        Ok(into)
    });
    merged.unwrap_or_else(|| {
        Node::new(Name::Only("lane"), needs, move |context, inputs| {
            Ok(Moved::outcome(pass.start(context, &inputs.take_all())))
        })
    })
}

/// The merge of what the lanes of one input hold, which are few: as suits it, once all are there.
pub(super) fn gathered<B: 'static, P: Pass<B>>(
    lanes: Vec<Arc<Node>>,
    pass: Arc<P>,
    needs: Vec<Arc<Node>>,
) -> Arc<Node> {
    if lanes.is_empty() {
        let merged = merged(lanes, Arc::clone(&pass), needs);
        return settled(merged, pass);
    }
    Node::new(Name::Only("merge"), lanes, move |context, inputs| {
        let lanes = inputs.take_all().into_iter().map(Moved::<Held<P::State>>::out_of);
        let lanes = whole(&*pass, lanes.collect())?;
        let away = lanes.iter().any(|lane| !lane.away.is_empty());
        let weight: usize = lanes.iter().map(|lane| pass.weight(&lane.state)).sum();
        Ok(Outcome::Node(match (away, context.threads, weight) {
            (true, ..) => by_parts(lanes, PUT_AWAY_BITS, &pass),
            // More parts than threads, so that none is long alone at the end.
            (false, threads @ 2.., BY_PARTS..) if lanes.len() > 1 => {
                by_parts(lanes, threads.ilog2() + 2, &pass)
            }
            _ => {
                let states = lanes.into_iter().map(|lane| {
                    let state = Mutex::new(Some(lane.state));
                    Node::new(Name::Only("state"), Vec::new(), move |_, _| {
                        Ok(Moved::outcome(once(&state)))
                    })
                });
                settled(merged(states.collect(), Arc::clone(&pass), Vec::new()), Arc::clone(&pass))
            }
        }))
    })
}

/// The lanes whose states are wanted, none of which has failed.
///
/// Of an ordered pass whose state is full with what stands before a failure, those are the lanes up to
/// there: nobody had wanted to come so far.
///
/// # Errors
///
/// The first failure in input order.
fn whole<B, P: Pass<B>>(pass: &P, mut lanes: Vec<Held<P::State>>) -> Result<Vec<Held<P::State>>> {
    let failures =
        lanes.iter_mut().enumerate().filter_map(|(n, lane)| Some((n, lane.failure.take()?)));
    let Some((n, Failure { error, .. })) = failures.min_by_key(|(_, failure)| failure.at) else {
        return Ok(lanes);
    };
    if !pass.ordered() {
        return Err(error);
    }
    lanes.truncate(n + 1);
    let states = lanes.into_iter().map(|lane| lane.state).reduce(|mut into, from| {
        pass.merge(&mut into, from);
        into
    });
    match states {
        Some(state) if pass.full(&state) => Ok(vec![Held::all(state)]),
        _ => Err(error),
    }
}

fn settled<B: 'static, P: Pass<B>>(state: Arc<Node>, pass: Arc<P>) -> Arc<Node> {
    Node::new(Name::Only("settle"), vec![state], move |context, inputs| {
        let state = Moved::out_of(inputs.take(0));
        Ok(Moved::outcome(pass.settle(context, state)?))
    })
}

/// A task for each part, and one that joins what they come to.
fn by_parts<B: 'static, P: Pass<B>>(
    lanes: Vec<Held<P::State>>,
    bits: u32,
    pass: &Arc<P>,
) -> Arc<Node> {
    let mut states: Vec<Vec<P::State>> = (0..1 << bits).map(|_| Vec::new()).collect();
    let mut away = Vec::new();
    for lane in lanes {
        let parts = pass.parts(lane.state, bits);
        parts.into_iter().zip(&mut states).for_each(|(part, states)| states.push(part));
        away.extend(lane.away);
    }
    let away = Arc::new(away);
    let parts = states.into_iter().enumerate().map(|(n, states)| {
        let (pass, away, states) = (Arc::clone(pass), Arc::clone(&away), Mutex::new(Some(states)));
        Node::new(Name::Numbered("merge", n), Vec::new(), move |context, _| {
            let extents = away.iter().map(|parts| parts[n]);
            let state = one_part(context, &*pass, once(&states), extents)?;
            Ok(Moved::outcome(pass.settle(context, state)?))
        })
    });
    let pass = Arc::clone(pass);
    Node::new(Name::Only("join"), parts.collect::<Vec<_>>(), move |_, inputs| {
        let parts: Vec<Shared> = inputs.take_all();
        Ok(Moved::outcome(pass.join(parts.into_iter().map(Moved::out_of).collect())))
    })
}

/// The same part of all states, and of what was put away.
fn one_part<B, P: Pass<B>>(
    context: &Context,
    pass: &P,
    states: Vec<P::State>,
    away: impl Iterator<Item = Extent>,
) -> Result<P::State> {
    let mut states = states.into_iter();
    let mut into = states.next().unwrap_or_else(|| unreachable!("there is a lane"));
    for state in states {
        if context.stop.is_cancelled() {
            return Err(Error::Cancelled);
        }
        pass.merge(&mut into, state);
    }
    for extent in away {
        if context.stop.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let Some(budget) = &context.budget else { break };
        let bytes = budget.read(extent)?;
        if !pass.load(&mut into, &bytes) {
            return Err(budget.damaged(extent, "it is no state"));
        }
    }
    Ok(into)
}

/// What a task takes with it and hands on once.
fn once<T>(value: &Mutex<Option<T>>) -> T {
    let value = value.lock().unwrap_or_else(PoisonError::into_inner).take();
    value.unwrap_or_else(|| unreachable!("a task of a run runs once"))
}
