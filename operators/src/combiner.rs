//! What a plan ends in: a combiner, which turns many records into one result.

use crate::form;
use crate::table::saved;

/// Implements `new`, `Default`, `Clone`, `Copy` and `Debug` for a combiner that holds nothing but the name
/// of a type. Derived, they would ask the same of that type.
macro_rules! mark {
    ($combiner:ident<$param:ident>, $doc:literal) => {
        impl<$param> $combiner<$param> {
            #[doc = $doc]
            pub const fn new() -> Self {
                Self(PhantomData)
            }
        }

        impl<$param> Default for $combiner<$param> {
            fn default() -> Self {
                Self::new()
            }
        }

        impl<$param> Clone for $combiner<$param> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<$param> Copy for $combiner<$param> {}

        impl<$param> std::fmt::Debug for $combiner<$param> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($combiner))
            }
        }
    };
}

/// One result from many records: a state per lane, merged in a tree, finished once.
///
/// A combiner is split over lanes, each of which feeds a state of its own; so it has to keep four
/// laws, which [`laws::check`](crate::laws::check) tests for any combiner:
///
/// 1. `State::default()` is neutral: merging it into a state, or a state into it, changes nothing.
/// 2. Merging is associative: `(a + b) + c` is `a + (b + c)`.
/// 3. Any cut is one result: feeding records to one state, or to several which are then merged in
///    input order, finishes as the same output. A state that is [`full`](Self::full) is changed by
///    no record and by nothing that is merged into it.
/// 4. States that are cut into [`parts`](Self::parts), merged part by part and joined come to what
///    merging them comes to; and so do states that are saved and loaded, or sent and received.
///
/// A combiner whose [`ORDERED`](Self::ORDERED) is `false` keeps a fifth:
///
/// 5. Merging is commutative, and the order in which records are fed does not show in the output.
///
/// ```
/// use creel_operators::{Combiner, Feed, laws, run};
///
/// /// The letters that occur.
/// struct Letters;
///
/// impl Combiner for Letters {
///     type State = u32;
///     type Output = u32;
///     const ORDERED: bool = false;
///
///     fn merge(&self, into: &mut u32, from: u32) {
///         *into |= from;
///     }
///     fn finish(&self, state: u32) -> u32 {
///         state.count_ones()
///     }
/// }
///
/// impl Feed<&str> for Letters {
///     fn feed(&self, state: &mut u32, record: &str) {
///         record.bytes().filter(u8::is_ascii_lowercase).for_each(|b| *state |= 1 << (b - b'a'));
///     }
/// }
///
/// laws::check(&Letters, &["cod", "eel", ""]);
/// assert_eq!(run(["one cod", "two eel"], |lines| lines.words().combine(Letters)), 8);
/// ```
#[diagnostic::on_unimplemented(message = "a plan must end in a combiner, but returns `{Self}`")]
pub trait Combiner: Send + Sync + 'static {
    /// What a lane holds while it is fed.
    type State: Default + Send + 'static;
    /// What the merged state becomes.
    type Output: Send + 'static;

    /// Whether the order of the records shows in the output.
    ///
    /// An ordered combiner is given runs of neighbouring partitions, and states that are merged in
    /// input order. One that is not may be fed any block by any lane, so that all lanes help with
    /// a stream that cannot be split.
    const ORDERED: bool;

    /// Whether a state can be [`full`](Self::full). Asking costs nothing where this is `false`.
    const STOPS: bool = false;

    /// Adds what `from` has seen, which comes after what `into` has seen in the input.
    fn merge(&self, into: &mut Self::State, from: Self::State);

    /// Whether no further record can change the output, so that reading may stop.
    fn full(&self, _state: &Self::State) -> bool {
        false
    }

    /// Turns the merged state into the result.
    fn finish(&self, state: Self::State) -> Self::Output;

    /// The bytes of memory that a state holds, if it may become large and has [`parts`](Self::parts);
    /// 0 if there is no use in cutting it.
    fn weight(&self, _state: &Self::State) -> usize {
        0
    }

    /// The bytes of memory that a state holds, as far as it knows: what a limit on memory counts.
    fn held(&self, state: &Self::State) -> usize {
        self.weight(state)
    }

    /// Cuts a state into `2^bits` parts, so that the same parts of several states can be merged
    /// side by side, and then [`join`](Self::join)ed.
    ///
    /// Unless it is said otherwise, the first part is all, and the others are neutral.
    fn parts(&self, state: Self::State, bits: u32) -> Vec<Self::State> {
        let neutral = std::iter::repeat_with(Self::State::default).take((1 << bits) - 1);
        std::iter::once(state).chain(neutral).collect()
    }

    /// Does the work that a part of a state has put off, on the thread that has merged the part. States
    /// are the same to all other methods with it and without.
    fn complete(&self, _part: &mut Self::State) {}

    /// Makes one state of its [`parts`](Self::parts), in their order.
    fn join(&self, parts: Vec<Self::State>) -> Self::State {
        let joined = parts.into_iter().reduce(|mut into, from| {
            self.merge(&mut into, from);
            into
        });
        joined.unwrap_or_default()
    }

    /// Appends a state to bytes, so that it can be spilled; `false` if states of this kind have no form in
    /// bytes, and then nothing is appended. It is `false` for each state of a combiner, also for one that has
    /// seen nothing, or for none.
    fn save(&self, _state: &Self::State, _bytes: &mut Vec<u8>) -> bool {
        false
    }

    /// Merges a state that was [`save`](Self::save)d into another. `false` for bytes that no state
    /// of this kind was saved as.
    fn load(&self, _into: &mut Self::State, bytes: &[u8]) -> bool {
        bytes.is_empty()
    }

    /// Appends a state to bytes for another process; `false` for each state if states of this kind have no form
    /// in bytes, and then nothing is appended.
    ///
    /// Unless it is said otherwise, it is what [`save`](Self::save) appends, or the form of the
    /// [type](crate::form) of the state. A state that is not worth spilling may have that one.
    ///
    /// ```
    /// use creel_operators::{Combiner, Count};
    ///
    /// let (mut bytes, mut all) = (Vec::new(), 2);
    /// assert!(Count.send(&5, &mut bytes));
    /// assert!(Count.receive(&mut all, &bytes));
    /// assert_eq!(all, 7);
    /// ```
    fn send(&self, state: &Self::State, bytes: &mut Vec<u8>) -> bool {
        self.save(state, bytes) || form::save(state, bytes)
    }

    /// A state that is sent, as states that come to the same when each is merged behind those before it: each is sent
    /// by itself, so the bytes of one at a time are in memory. It is one, unless it is said otherwise.
    ///
    /// ```
    /// use creel_operators::{Collect, Combiner};
    ///
    /// let records: Vec<u32> = (0..1000).collect();
    /// let pieces: Vec<Vec<u32>> = Collect::new().pieces(records.clone()).collect();
    /// assert!(pieces.len() > 1);
    /// assert_eq!(pieces.concat(), records);
    /// ```
    fn pieces(&self, state: Self::State) -> Box<dyn Iterator<Item = Self::State>> {
        Box::new(std::iter::once(state))
    }

    /// The bytes that it holds, of functions and of values that they have captured: nothing, if it is the same in
    /// another process.
    ///
    /// ```
    /// use creel_operators::{Combiner, TopK};
    ///
    /// assert_eq!(TopK::<u64>::new(3).captured(), 0);
    /// ```
    fn captured(&self) -> usize {
        size_of_val(self)
    }

    /// Gives the numbers that it was made with. They tell it from others of its type: two that give the same ones do the
    /// same in each process. A combiner whose fields are all given so says that it has [captured](Self::captured)
    /// nothing.
    ///
    /// ```
    /// use creel_operators::{Combiner, TopK};
    ///
    /// let mut numbers = Vec::new();
    /// TopK::<u64>::new(3).parameters(&mut |number| numbers.push(number));
    /// assert_eq!(numbers, [3]);
    /// ```
    fn parameters(&self, _each: &mut dyn FnMut(u64)) {}

    /// Merges a state that was [sent](Self::send) into another, behind what that has seen. `false` for bytes that
    /// no state of this kind was sent as.
    fn receive(&self, into: &mut Self::State, bytes: &[u8]) -> bool {
        if self.save(&Self::State::default(), &mut Vec::new()) {
            return self.load(into, bytes);
        }
        let Some(state) = form::load(bytes) else { return false };
        self.merge(into, state);
        true
    }
}

/// A combiner that accepts records of type `T`, lent (`&str`) or owned.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not take records that are `{T}`",
    label = "these records are `{T}`",
    note = "have `map` make what it takes: numbers for a sum, values with an order for `min`, `max` and `topk`, keys for `frequencies`",
    note = "for a combiner of your own, implement `Feed<{T}>`"
)]
pub trait Feed<T>: Combiner {
    /// Adds one record to a state.
    fn feed(&self, state: &mut Self::State, record: T);

    /// Adds many: as feeding each does, and for some combiners faster.
    fn feed_all(&self, state: &mut Self::State, records: impl Iterator<Item = T>) {
        // Not a `for` loop: adaptors that are not the standard library's can only specialise
        // `fold`, and so `for_each`.
        records.for_each(|record| self.feed(state, record));
    }
}

/// Several combiners over the same records, in one pass; the records have to be `Copy`, as lent
/// ones are.
macro_rules! tuple_combiner {
    ($($name:ident $index:tt),*) => {
        impl<$($name: Combiner),*> Combiner for ($($name,)*) {
            type State = ($($name::State,)*);
            type Output = ($($name::Output,)*);
            const ORDERED: bool = $($name::ORDERED)||*;
            const STOPS: bool = $($name::STOPS)&&*;

            fn merge(&self, into: &mut Self::State, from: Self::State) {
                $(self.$index.merge(&mut into.$index, from.$index);)*
            }

            fn full(&self, state: &Self::State) -> bool {
                $(self.$index.full(&state.$index))&&*
            }

            fn finish(&self, state: Self::State) -> Self::Output {
                ($(self.$index.finish(state.$index),)*)
            }

            fn weight(&self, state: &Self::State) -> usize {
                0 $(+ self.$index.weight(&state.$index))*
            }

            fn held(&self, state: &Self::State) -> usize {
                0 $(+ self.$index.held(&state.$index))*
            }

            fn parts(&self, state: Self::State, bits: u32) -> Vec<Self::State> {
                let mut parts = ($(self.$index.parts(state.$index, bits).into_iter(),)*);
                let one = |_| ($(parts.$index.next().unwrap_or_default(),)*);
                (0..1 << bits).map(one).collect()
            }

            fn complete(&self, part: &mut Self::State) {
                $(self.$index.complete(&mut part.$index);)*
            }

            fn join(&self, mut parts: Vec<Self::State>) -> Self::State {
                ($(self.$index.join(
                    parts.iter_mut().map(|part| std::mem::take(&mut part.$index)).collect(),
                ),)*)
            }

            fn captured(&self) -> usize {
                0 $(+ self.$index.captured())*
            }

            fn parameters(&self, each: &mut dyn FnMut(u64)) {
                $(self.$index.parameters(each);)*
            }

            fn send(&self, state: &Self::State, bytes: &mut Vec<u8>) -> bool {
                let (start, mut sent) = (bytes.len(), Vec::new());
                let is_sent = $({
                    sent.clear();
                    let is_sent = self.$index.send(&state.$index, &mut sent);
                    saved::put_bytes(bytes, &sent);
                    is_sent
                })&&*;
                if !is_sent {
                    bytes.truncate(start);
                }
                is_sent
            }

            fn receive(&self, into: &mut Self::State, mut bytes: &[u8]) -> bool {
                let all = $(saved::take_bytes(&mut bytes)
                    .is_some_and(|sent| self.$index.receive(&mut into.$index, sent)))&&*;
                all && bytes.is_empty()
            }
        }

        impl<T: Copy, $($name: Feed<T>),*> Feed<T> for ($($name,)*) {
            fn feed(&self, state: &mut Self::State, record: T) {
                $(self.$index.feed(&mut state.$index, record);)*
            }
        }
    };
}

tuple_combiner! { A 0, B 1 }
tuple_combiner! { A 0, B 1, C 2 }
tuple_combiner! { A 0, B 1, C 2, D 3 }
tuple_combiner! { A 0, B 1, C 2, D 3, E 4 }
tuple_combiner! { A 0, B 1, C 2, D 3, E 4, F 5 }
