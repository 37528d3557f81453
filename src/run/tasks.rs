//! Passes over the values of tasks: a state for each task, and lanes for a value that takes long.
//!
//! Tasks may be a million with a few records each, so each value is fed to a state by one task of its own,
//! and these states are merged in a tree. A value that takes long is different: the rest of it becomes an
//! [`Input`], and [lanes](super::lanes) on all threads take its blocks; see [`continued`].
//!
//! Small states are merged as soon as they are neighbours. Large ones stay apart, as many as there are threads,
//! and are merged in the end part by part on all threads. Four a thread took 1.15 times the time: states of the
//! same keys take more memory apart, and are colder when they are merged.

use std::sync::{Arc, Mutex};

use smallvec::{SmallVec, smallvec};

use super::merge::{BY_PARTS, once, one_of, started};
use super::reduce::lanes_of;
use super::spilled::Held;
use super::{BlockOf, Context, Input, Pass};
use crate::graph::{Moved, Name, Node, Outcome, Shared, tree};
use crate::{Error, Result};

/// States of neighbouring records, in input order; one at least.
struct Neighbours<S>(SmallVec<[Held<S>; 1]>);

/// What a task makes of the records that it has fed to a state.
pub(crate) fn fed<S: Send + 'static>(held: Held<S>) -> Outcome {
    Moved::outcome(Neighbours(smallvec![held]))
}

/// The tasks of lanes that feed an input which stands behind what a state has seen. The last of them makes
/// what [`fed`] makes.
pub(crate) fn continued<I, P>(
    context: &Context,
    before: Held<P::State>,
    input: Arc<I>,
    pass: &Arc<P>,
    shared: Vec<Shared>,
) -> Arc<Node>
where
    I: Input,
    P: Pass<BlockOf<I>>,
{
    let needs = shared.into_iter().map(super::lanes::ready).collect();
    let (lanes, whole) = lanes_of(context, input, pass, needs);
    let (pass, before) = (Arc::clone(pass), Mutex::new(Some(before)));
    Node::new(Name::Only("merge"), lanes, move |context, inputs| {
        let mut all = Neighbours(smallvec![once(&before)]);
        let lanes = inputs.take_all().into_iter().map(Moved::<Held<P::State>>::out_of);
        for held in whole(lanes.collect())? {
            all.append::<BlockOf<I>>(context, &*pass, Neighbours(smallvec![held]))?;
        }
        Ok(Moved::outcome(all))
    })
}

/// The state of all that tasks have made with [`fed`] or [`continued`], in their order. What they need is
/// needed here for a state if there is no task.
pub(crate) fn of_tasks<B: 'static, P: Pass<B>>(
    tasks: Vec<Arc<Node>>,
    pass: Arc<P>,
    needs: Vec<Arc<Node>>,
) -> Arc<Node> {
    let merging = Arc::clone(&pass);
    let all = tree(tasks, move |context, mut into: Neighbours<P::State>, from| {
        into.append(context, &*merging, from)?;
        Ok(into)
    });
    let Some(all) = all else { return started(pass, needs) };
    Node::new(Name::Only("complete"), [all], move |context, inputs| {
        let Neighbours(mut all) = Moved::<Neighbours<P::State>>::out_of(inputs.take(0));
        let is_small = |held: &Held<P::State>| {
            !held.has_spilled() && (context.threads < 2 || pass.weight(&held.state) < BY_PARTS)
        };
        match &*all {
            [only] if is_small(only) => {
                let only = all.remove(0);
                Ok(Moved::outcome(pass.settle(context, only.state)?))
            }
            _ => one_of(context, all.into_vec(), &pass),
        }
    })
}

impl<S: Send + 'static> Neighbours<S> {
    /// Adds what stands behind them, and weighs what has grown.
    ///
    /// # Errors
    ///
    /// If the run is cancelled, and as [`Held::weigh`].
    fn append<B>(
        &mut self,
        context: &Context,
        pass: &impl Pass<B, State = S>,
        mut behind: Self,
    ) -> Result<()> {
        if context.stop.is_cancelled() {
            return Err(Error::Cancelled);
        }
        // Those of lanes are not reserved as yet.
        behind.0.iter_mut().try_for_each(|held| held.weigh(context, pass))?;
        let at = self.0.len() - 1;
        self.0.extend(behind.0);
        self.merge_at(context, pass, at, BY_PARTS)?;
        while self.0.len() > context.threads.max(1) {
            let weight =
                |n: &usize| pass.weight(&self.0[*n].state) + pass.weight(&self.0[n + 1].state);
            let lightest = (0..self.0.len() - 1).min_by_key(weight).unwrap_or_default();
            self.merge_at(context, pass, lightest, usize::MAX)?;
        }
        Ok(())
    }

    /// Merges a state and the one behind it, if together they weigh less than this.
    fn merge_at<B>(
        &mut self,
        context: &Context,
        pass: &impl Pass<B, State = S>,
        at: usize,
        most: usize,
    ) -> Result<()> {
        let weight = pass.weight(&self.0[at].state) + pass.weight(&self.0[at + 1].state);
        if weight < most {
            let behind = self.0.remove(at + 1);
            self.0[at].append(context, pass, behind)?;
        }
        self.0[at].weigh(context, pass)
    }
}
