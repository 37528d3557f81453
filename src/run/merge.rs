//! Merges the states of lanes into one: in a tree, or by parts, side by side.
//!
//! Small states are merged in pairs. Large states that have parts are cut by their keys: a task merges the same
//! part of all lanes, so that all threads help and each has one part in memory at a time. It reads spilled parts
//! back, see [`parts`](super::parts).

use std::sync::{Arc, Mutex, PoisonError};

use super::parts::{Merged, Part};
use super::spilled::{Held, SPILL_BITS};
use super::{Context, Pass};
use crate::graph::{Moved, Name, Node, Outcome, tree};
use crate::spill::Budget;
use crate::{Error, Result};

/// Bytes of all states from which on they are merged by parts: below, a merge takes less than a
/// millisecond.
pub(super) const BY_PARTS: usize = if cfg!(test) { 1 } else { 4 << 20 };

/// A state of no records, of these values.
pub(super) fn started<B: 'static, P: Pass<B>>(pass: Arc<P>, needs: Vec<Arc<Node>>) -> Arc<Node> {
    Node::new(Name::Only("lane"), needs, move |context, inputs| {
        Ok(Moved::outcome(pass.start(context, &inputs.take_all())))
    })
}

/// One state of several, of which there is one at least.
fn merged<B: 'static, P: Pass<B>>(states: Vec<P::State>, pass: &Arc<P>) -> Option<Arc<Node>> {
    let states = states.into_iter().map(|state| {
        let state = Mutex::new(Some(state));
        Node::new(Name::Only("state"), Vec::new(), move |_, _| Ok(Moved::outcome(once(&state))))
    });
    let merging = Arc::clone(pass);
    tree(states.collect(), move |context, mut into, from| {
        if context.stop.is_cancelled() {
            return Err(Error::Cancelled);
        }
        merging.merge(&mut into, from);
        Ok(into)
    })
}

/// The merge of what the lanes of one input hold, once all are there. `whole` makes the states of it in input
/// order, where that matters.
pub(super) fn gathered<B: 'static, P: Pass<B>>(
    lanes: Vec<Arc<Node>>,
    pass: Arc<P>,
    needs: Vec<Arc<Node>>,
    whole: impl Fn(Vec<Held<P::State>>) -> Result<Vec<Held<P::State>>> + Send + Sync + 'static,
) -> Arc<Node> {
    if lanes.is_empty() {
        return settled(started(Arc::clone(&pass), needs), pass);
    }
    Node::new(Name::Only("merge"), lanes, move |context, inputs| {
        let lanes = inputs.take_all().into_iter().map(Moved::<Held<P::State>>::out_of);
        one_of(context, whole(lanes.collect())?, &pass)
    })
}

/// The state of all that few states hold, of which there is one at least: merged and settled as suits them.
pub(super) fn one_of<B: 'static, P: Pass<B>>(
    context: &Context,
    mut all: Vec<Held<P::State>>,
    pass: &Arc<P>,
) -> Result<Outcome> {
    let weight: usize = all.iter().map(|held| pass.weight(&held.state)).sum();
    let limit = context.budget.as_deref().map(Budget::limit);
    let over = |weight: usize, part: u64| limit.is_some_and(|limit| weight as u64 > limit / part);
    // Merged states may take twice the memory that they had. And where some were spilled, parts are
    // merged in the memory of the states.
    let joint = all.iter().map(|held| pass.joint_weight(&held.state)).sum();
    let spills = all.iter().any(Held::has_spilled) || all.len() > 1 && over(joint, 2);
    if spills {
        for held in &mut all {
            held.spill(context, &**pass)?;
        }
    }
    let node = match (context.threads, weight) {
        // Each part is settled by itself, in a fraction of the memory that all of them would take.
        _ if spills || over(weight, 4) => by_parts(context, all, SPILL_BITS, pass),
        // More parts than threads, so that none is long alone at the end.
        (threads @ 2.., BY_PARTS..) => by_parts(context, all, threads.ilog2() + 2, pass),
        _ => {
            let states = all.into_iter().map(|held| held.state).collect();
            let merged = merged(states, pass).unwrap_or_else(|| unreachable!("there is a state"));
            settled(merged, Arc::clone(pass))
        }
    };
    Ok(Outcome::Node(node))
}

/// The state of a single lane, with all that it spilled.
#[cfg(feature = "cli")]
pub(crate) fn whole_of<B: 'static, P: Pass<B>>(
    context: &Context,
    held: Held<P::State>,
    pass: Arc<P>,
) -> Result<P::State> {
    if !held.has_spilled() {
        return Ok(held.state);
    }
    let held = Mutex::new(Some(held));
    let lane = Node::new(Name::Only("lane"), [], move |_, _| Ok(Moved::outcome(once(&held))));
    let merged = gathered(vec![lane], pass, Vec::new(), Ok);
    let mut states = crate::graph::run(context, &[merged])?;
    Ok(Moved::out_of(states.remove(0)))
}

/// The task that makes the [`Moved`] state of all that one state holds, as the merge of a run's lanes makes it.
#[cfg(feature = "cli")]
pub(crate) fn whole_outcome<B: 'static, P: Pass<B>>(
    context: &Context,
    held: Held<P::State>,
    pass: &Arc<P>,
) -> Result<Outcome> {
    one_of(context, vec![held], pass)
}

fn settled<B: 'static, P: Pass<B>>(state: Arc<Node>, pass: Arc<P>) -> Arc<Node> {
    Node::new(Name::Only("settle"), vec![state], move |context, inputs| {
        let state = Moved::out_of(inputs.take(0));
        Ok(Moved::outcome(pass.settle(context, state)?))
    })
}

/// A task for each part, and one that joins their results.
fn by_parts<B: 'static, P: Pass<B>>(
    context: &Context,
    lanes: Vec<Held<P::State>>,
    bits: u32,
    pass: &Arc<P>,
) -> Arc<Node> {
    let mut states: Vec<Vec<P::State>> = (0..1 << bits).map(|_| Vec::new()).collect();
    let mut extents = vec![Vec::new(); 1 << bits];
    for Held { state, spills, .. } in lanes {
        let parts = pass.parts(state, bits);
        parts.into_iter().zip(&mut states).for_each(|(part, states)| states.push(part));
        for spill in spills {
            extents.iter_mut().zip(spill).for_each(|(of_part, extent)| of_part.push(extent));
        }
    }
    let parts = states.into_iter().zip(extents).enumerate().map(|(n, (states, extents))| {
        let held = |state| pass.held(state).saturating_sub(pass.held(&pass.emptied(state))) as u64;
        let held = states.iter().map(held).sum();
        let reserved = context.budget.as_ref().map(|budget| budget.reserve(held));
        let part = Part { states, extents, path: vec![(bits, n)], uncut: 0, _reserved: reserved };
        let (pass, part) = (Arc::clone(pass), Mutex::new(Some(part)));
        Node::new(Name::Numbered("merge", n), Vec::new(), move |context, _| {
            Ok(Moved::outcome(once(&part).merged(context, &*pass)?))
        })
    });
    let pass = Arc::clone(pass);
    Node::new(Name::Only("join"), parts.collect::<Vec<_>>(), move |context, inputs| {
        let parts = inputs.take_all().into_iter().map(Moved::<Merged<P::State>>::out_of);
        let parts: Vec<_> = parts.collect();
        let whole = parts.into_iter().map(|part| part.whole(context, &*pass));
        Ok(Moved::outcome(pass.join(whole.collect::<Result<_>>()?)))
    })
}

/// Takes the value that a task moves on once.
pub(crate) fn once<T>(value: &Mutex<Option<T>>) -> T {
    let value = value.lock().unwrap_or_else(PoisonError::into_inner).take();
    value.unwrap_or_else(|| unreachable!("a task of a run runs once"))
}
