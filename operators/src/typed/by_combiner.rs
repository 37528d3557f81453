//! A combiner as an aggregate of typed records: a state of it for each group.

use std::fmt;
use std::sync::Arc;

use super::{Aggregates, Takes};
use crate::Combiner;
use crate::aggregate::{Reader, Writer};

/// Gives a combiner the value of a record.
pub trait Give<T, C: Combiner> {
    /// Feeds what is taken of a record to a state.
    fn give(&self, combiner: &C, state: &mut C::State, record: &T);
}

/// A [`Combiner`] over typed records, in groups or not.
///
/// ```
/// use creel_operators::typed::combine;
/// use creel_operators::{TopK, run};
///
/// let longest = combine(TopK::<usize>::new(1), |word: &&str| word.len());
/// let by_letter = run(["cod", "eel", "crab"], |words| {
///     words.group_by(|word| word.as_bytes()[0]).aggregate(longest)
/// });
/// assert_eq!(by_letter, [(b'c', vec![4]), (b'e', vec![3])]);
/// ```
pub struct ByCombiner<P, C: Combiner, O> {
    combiner: Arc<C>,
    take: P,
    finish: fn(C::Output) -> O,
    held: fn(&C, &C::State) -> usize,
}

impl<P, C: Combiner, O> ByCombiner<P, C, O> {
    /// A combiner that is given what `take` takes; `finish` makes a result of its output.
    pub fn new(combiner: C, take: P, finish: fn(C::Output) -> O) -> Self {
        Self { combiner: Arc::new(combiner), take, finish, held: C::held }
    }

    /// The same, of which another function tells what a state holds.
    pub(super) fn holding(self, held: fn(&C, &C::State) -> usize) -> Self {
        Self { held, ..self }
    }
}

impl<P: Clone, C: Combiner, O> Clone for ByCombiner<P, C, O> {
    fn clone(&self) -> Self {
        Self { combiner: Arc::clone(&self.combiner), take: self.take.clone(), ..*self }
    }
}

impl<P, C: Combiner, O> fmt::Debug for ByCombiner<P, C, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByCombiner")
    }
}

impl<P, C: Combiner, O: Send + 'static> Aggregates for ByCombiner<P, C, O> {
    type State = Vec<C::State>;
    type Output = O;
    type Bare = ByCombiner<(), C, O>;
    const ORDERED: bool = C::ORDERED;

    fn bare(&self) -> ByCombiner<(), C, O> {
        let combiner = Arc::clone(&self.combiner);
        ByCombiner { combiner, take: (), finish: self.finish, held: self.held }
    }

    fn start(&self) -> Vec<C::State> {
        Vec::new()
    }

    fn resize(&self, states: &mut Vec<C::State>, groups: usize) {
        let more = groups.saturating_sub(states.len());
        states.extend(std::iter::repeat_with(C::State::default).take(more));
    }

    fn merge(&self, into: &mut Vec<C::State>, from: Vec<C::State>, map: &[u32]) {
        for (from, &group) in from.into_iter().zip(map) {
            self.resize(into, group as usize + 1);
            self.combiner.merge(&mut into[group as usize], from);
        }
    }

    fn split(&self, states: Vec<C::State>, part: &[u32], parts: usize) -> Vec<Vec<C::State>> {
        let mut split: Vec<_> = std::iter::repeat_with(Vec::new).take(parts).collect();
        for (state, &part) in states.into_iter().zip(part) {
            split[part as usize].push(state);
        }
        split
    }

    fn settle(&self, _: &mut Vec<C::State>) {}

    fn full(&self, states: &Vec<C::State>) -> bool {
        C::STOPS && !states.is_empty() && states.iter().all(|state| self.combiner.full(state))
    }

    fn held(&self, states: &Vec<C::State>) -> usize {
        /// So many groups tell what the others hold.
        const ASKED: usize = 256;
        let step = states.len().div_ceil(ASKED).max(1);
        let asked = || states.iter().step_by(step);
        let held: usize = asked().map(|state| (self.held)(&self.combiner, state)).sum();
        states.capacity() * size_of::<C::State>() + held * states.len() / asked().count().max(1)
    }

    fn captured(&self) -> usize {
        size_of::<P>() + self.combiner.captured()
    }

    fn parameters(&self, each: &mut dyn FnMut(u64)) {
        self.combiner.parameters(each);
    }

    fn has_form(&self) -> bool {
        self.combiner.send(&C::State::default(), &mut Vec::new())
    }

    fn save(&self, states: &Vec<C::State>, bytes: &mut Vec<u8>) -> bool {
        states.iter().all(|state| {
            let mut saved = Vec::new();
            let has_form = self.combiner.send(state, &mut saved);
            bytes.put_bytes(&saved);
            has_form
        })
    }

    fn load(&self, groups: usize, bytes: &mut Reader<'_>) -> Option<Vec<C::State>> {
        let mut states = Vec::new();
        for _ in 0..groups {
            let mut state = C::State::default();
            if !self.combiner.receive(&mut state, bytes.bytes().ok()?) {
                return None;
            }
            states.push(state);
        }
        Some(states)
    }

    fn finish(&self, states: Vec<C::State>) -> Vec<O> {
        states.into_iter().map(|state| (self.finish)(self.combiner.finish(state))).collect()
    }
}

impl<T, P: Give<T, C>, C: Combiner, O: Send + 'static> Takes<T> for ByCombiner<P, C, O> {
    #[inline]
    fn feed(&self, states: &mut Vec<C::State>, group: u32, record: &T) {
        if group as usize >= states.len() {
            self.resize(states, group as usize + 1);
        }
        self.take.give(&self.combiner, &mut states[group as usize], record);
    }
}
