//! States of lanes to one: in a tree, or by parts, side by side.
//!
//! Small states are merged pairwise, and so are those of tasks, which may be many. Large ones that have parts are cut along them: each part of all
//! lanes is merged by a task of its own, so that all threads help, and a task has a part in memory
//! at a time. What lanes have put away is read back there. A part that does not fit is cut again, and
//! its parts are put away, until they fit.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Context, Pass};
use crate::graph::{Moved, Name, Node, Outcome, Shared, tree};
use crate::spill::{Batch, Budget, Extent};
use crate::{Error, Result};

/// Bytes of all states from which on they are merged by parts: below, a merge takes less than a
/// millisecond.
pub(super) const BY_PARTS: usize = if cfg!(test) { 1 } else { 4 << 20 };

/// The parts of what is put away, as a power of two: a part of what takes sixty times the memory
/// that there is fits into it.
const PUT_AWAY_BITS: u32 = 6;

/// The parts that a part is cut into which does not fit, as a power of two, and how often that is done:
/// what is larger then is of a combiner that has no such parts.
const CUT_BITS: u32 = 4;
const MOST_CUTS: usize = 3;

/// What a lane has made: its state, and what it put away of it before.
pub(crate) struct Held<S> {
    pub(crate) state: S,
    /// For each time that it was over the budget, all parts.
    away: Vec<Vec<Extent>>,
}

impl<S> Held<S> {
    /// A state of which nothing was put away.
    pub(crate) fn all(state: S) -> Self {
        Self { state, away: Vec::new() }
    }

    /// Spills what a state holds, and leaves what has no form in bytes. Returns true if it holds less now.
    pub(crate) fn put_away<B>(
        &mut self,
        context: &Context,
        pass: &impl Pass<B, State = S>,
    ) -> Result<bool> {
        let Some(budget) = &context.budget else { return Ok(false) };
        let (before, empty) = (pass.held(&self.state), pass.held(&pass.emptied(&self.state)));
        // What is small beside the rest is spilled when there is more of it.
        if pass.spill(&mut self.state, budget)? && pass.held(&self.state) < before / 4 {
            return Ok(true);
        }
        let detached = pass.detach(&mut self.state);
        if pass.held(&detached) > empty || pass.weight(&detached) > 0 {
            match saved(pass, budget, detached, PUT_AWAY_BITS)? {
                Saved::Parts(extents) => self.away.push(extents),
                Saved::Formless(detached) => pass.merge(&mut self.state, detached),
            }
        } else {
            pass.merge(&mut self.state, detached);
        }
        let rest = pass.held(&self.state);
        Ok(rest < before / 2 || rest <= empty)
    }
}

/// What became of a state that was to be written.
enum Saved<S> {
    /// Where its parts are.
    Parts(Vec<Extent>),
    /// It has no form in bytes, and is here.
    Formless(S),
}

/// Writes a state in `2^bits` parts, each of which goes when it is written.
fn saved<B, P: Pass<B>>(
    pass: &P,
    budget: &Budget,
    state: P::State,
    bits: u32,
) -> Result<Saved<P::State>> {
    let mut parts = pass.parts(state, bits).into_iter();
    let mut batch = Batch::new(budget);
    let mut bytes = Vec::new();
    while let Some(part) = parts.next() {
        bytes.clear();
        if !pass.save(&part, &mut bytes) {
            // The first of them, or none.
            return Ok(Saved::Formless(pass.join(std::iter::once(part).chain(parts).collect())));
        }
        drop(part);
        batch.add(&bytes)?;
    }
    Ok(Saved::Parts(batch.finish()?))
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

/// The state that tasks have made, completed part by part on all threads if it is large.
pub(crate) fn completed<B: 'static, P: Pass<B>>(state: Arc<Node>, pass: Arc<P>) -> Arc<Node> {
    Node::new(Name::Only("complete"), [state], move |context, inputs| {
        let state = Moved::<P::State>::out_of(inputs.take(0));
        Ok(match (context.threads, pass.weight(&state)) {
            (threads @ 2.., BY_PARTS..) => {
                Outcome::Node(by_parts(vec![Held::all(state)], threads.ilog2() + 2, &pass))
            }
            _ => Moved::outcome(state),
        })
    })
}

/// The merge of what the lanes of one input hold, which are few: as suits it, once all are there.
/// `whole` makes the states of it in input order, where that matters.
pub(super) fn gathered<B: 'static, P: Pass<B>>(
    lanes: Vec<Arc<Node>>,
    pass: Arc<P>,
    needs: Vec<Arc<Node>>,
    whole: impl Fn(Vec<Held<P::State>>) -> Result<Vec<Held<P::State>>> + Send + Sync + 'static,
) -> Arc<Node> {
    if lanes.is_empty() {
        let merged = merged(lanes, Arc::clone(&pass), needs);
        return settled(merged, pass);
    }
    Node::new(Name::Only("merge"), lanes, move |context, inputs| {
        let lanes = inputs.take_all().into_iter().map(Moved::<Held<P::State>>::out_of);
        let mut lanes = whole(lanes.collect())?;
        let weight: usize = lanes.iter().map(|lane| pass.weight(&lane.state)).sum();
        let limit = context.budget.as_deref().map(Budget::limit);
        let over = |part: u64| limit.is_some_and(|limit| weight as u64 > limit / part);
        // Merged, states may take twice the memory that they had. And where some was put away, parts
        // are merged in the memory that the states had.
        let away = lanes.iter().any(|lane| !lane.away.is_empty()) || lanes.len() > 1 && over(2);
        if away {
            for lane in &mut lanes {
                lane.put_away(context, &*pass)?;
            }
        }
        Ok(Outcome::Node(match (context.threads, weight) {
            _ if away => by_parts(lanes, PUT_AWAY_BITS, &pass),
            // Each is settled by itself, in a fraction of the memory that all of them would take.
            _ if over(4) => by_parts(lanes, PUT_AWAY_BITS, &pass),
            // More parts than threads, so that none is long alone at the end.
            (threads @ 2.., BY_PARTS..) if lanes.len() > 1 => {
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

/// What a single lane has made, with what it put away.
#[cfg(feature = "cli")]
pub(crate) fn whole_of<B: 'static, P: Pass<B>>(
    context: &Context,
    held: Held<P::State>,
    pass: Arc<P>,
) -> Result<P::State> {
    if held.away.is_empty() {
        return Ok(held.state);
    }
    let held = Mutex::new(Some(held));
    let lane = Node::new(Name::Only("lane"), [], move |_, _| Ok(Moved::outcome(once(&held))));
    let merged = gathered(vec![lane], pass, Vec::new(), Ok);
    let mut states = crate::graph::run(context, &[merged])?;
    Ok(Moved::out_of(states.remove(0)))
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
            let extents = away.iter().map(|parts| parts[n]).collect();
            Ok(Moved::outcome(one_part(
                context,
                &*pass,
                once(&states),
                extents,
                (&[(bits, n)], true),
            )?))
        })
    });
    let pass = Arc::clone(pass);
    Node::new(Name::Only("join"), parts.collect::<Vec<_>>(), move |_, inputs| {
        let parts: Vec<Shared> = inputs.take_all();
        Ok(Moved::outcome(pass.join(parts.into_iter().map(Moved::out_of).collect())))
    })
}

/// Which part of all it is: for each time that it was cut, by how many bits, and which of the parts.
type Path = [(u32, usize)];

/// The same part of all states, and of what was put away before they were made, settled. `cuts` tells whether
/// it may be cut again.
fn one_part<B, P: Pass<B>>(
    context: &Context,
    pass: &P,
    states: Vec<P::State>,
    away: Vec<Extent>,
    (path, cuts): (&Path, bool),
) -> Result<P::State> {
    let mut states = states.into_iter().peekable();
    let first = states.next_if(|_| away.is_empty());
    let mut into = match (first, states.peek()) {
        (Some(first), _) => first,
        (None, Some(state)) => path.iter().fold(pass.emptied(state), |s, &at| part_of(pass, s, at)),
        (None, None) => unreachable!("there is a lane"),
    };
    let mut away = away.into_iter();
    let most = largest_part(context).filter(|_| cuts && pass.settles() && path.len() <= MOST_CUTS);
    let mut reserved = context.budget.as_ref().map(|budget| budget.reserve(0));
    while let Some(extent) = away.next() {
        load(context, pass, &mut into, extent)?;
        let held = pass.held(&into) as u64;
        // It takes about as much again when it is settled.
        let fits = reserved.as_mut().is_none_or(|reserved| {
            let more = (2 * held).saturating_sub(reserved.bytes());
            reserved.try_grow(more)
        });
        if !fits && most.is_some_and(|most| held > most) && away.len() > 0 {
            drop(reserved);
            return cut_again(context, pass, into, (states.collect(), away.collect()), path);
        }
    }
    for state in states {
        if context.stop.is_cancelled() {
            return Err(Error::Cancelled);
        }
        pass.merge(&mut into, state);
    }
    pass.settle(context, into)
}

/// The bytes of a part that is merged at once in any case, also where others have reserved all the memory:
/// as many as there are threads are, and each takes about as much again when it is settled. `None`
/// without a budget.
fn largest_part(context: &Context) -> Option<u64> {
    /// Smaller ones are not worth the cutting.
    const LEAST: u64 = if cfg!(test) { 64 } else { 1 << 20 };
    let limit = context.budget.as_deref()?.limit();
    Some((limit / (2 * context.threads.max(1) as u64)).max(LEAST))
}

/// A part that does not fit: cut and put away, with what of it is away already, and merged part by
/// part.
fn cut_again<B, P: Pass<B>>(
    context: &Context,
    pass: &P,
    mut into: P::State,
    (states, away): (Vec<P::State>, Vec<Extent>),
    path: &Path,
) -> Result<P::State> {
    let Some(budget) = context.budget.as_deref() else { return pass.settle(context, into) };
    let empty = pass.emptied(&into);
    let start = || path.iter().fold(pass.emptied(&empty), |state, &at| part_of(pass, state, at));
    let most = largest_part(context).unwrap_or(u64::MAX);
    let mut parts: Vec<Vec<Extent>> = vec![Vec::new(); 1 << CUT_BITS];
    let mut away = away.into_iter().peekable();
    loop {
        // Whatever else of it fits, so that what is written is not many small pieces.
        while pass.held(&into) as u64 <= most
            && let Some(extent) = away.next()
        {
            load(context, pass, &mut into, extent)?;
        }
        match saved(pass, budget, into, CUT_BITS)? {
            Saved::Parts(extents) => {
                parts.iter_mut().zip(extents).for_each(|(part, extent)| part.push(extent));
            }
            Saved::Formless(_) => unreachable!("it was loaded from bytes"),
        }
        into = start();
        if away.peek().is_none() {
            break;
        }
    }
    drop(into);
    let mut cut: Vec<Vec<P::State>> = (0..1 << CUT_BITS).map(|_| Vec::new()).collect();
    for state in states {
        let parts = pass.parts(state, CUT_BITS).into_iter();
        parts.zip(&mut cut).for_each(|(part, states)| states.push(part));
    }
    // Where nearly all is in one part, more cuts only write it again.
    let held = |part: &Vec<Extent>| part.iter().map(|extent| extent.holds()).sum::<usize>();
    let all: usize = parts.iter().map(held).sum();
    let stuck = parts.iter().any(|part| held(part) > all / 10 * 9);
    let settled = parts.into_iter().zip(cut).enumerate().map(|(n, (away, states))| {
        let path = [path, &[(CUT_BITS, n)]].concat();
        one_part(context, pass, states, away, (&path, !stuck))
    });
    let settled = settled.collect::<Result<_>>()?;
    pass.settle(context, pass.join(settled))
}

/// A part of a state: where the state has seen nothing, one that has seen nothing either.
fn part_of<B, P: Pass<B>>(pass: &P, state: P::State, (bits, n): (u32, usize)) -> P::State {
    pass.parts(state, bits).swap_remove(n)
}

/// Reads back what was put away, into a state.
fn load<B, P: Pass<B>>(
    context: &Context,
    pass: &P,
    into: &mut P::State,
    extent: Extent,
) -> Result<()> {
    if context.stop.is_cancelled() {
        return Err(Error::Cancelled);
    }
    let Some(budget) = &context.budget else { return Ok(()) };
    let bytes = budget.read(extent)?;
    if pass.load(into, &bytes) { Ok(()) } else { Err(budget.damaged(extent, "it is no state")) }
}

/// What a task takes with it and hands on once.
fn once<T>(value: &Mutex<Option<T>>) -> T {
    let value = value.lock().unwrap_or_else(PoisonError::into_inner).take();
    value.unwrap_or_else(|| unreachable!("a task of a run runs once"))
}
