//! A run: the blocks of an input through a pass, or in order through a function.
//!
//! ```text
//!  Input (partitions) --open--> Reader --next--> block --feed--> state of a lane
//!                                                                 \
//!        lanes are tasks of a graph, merged in a tree,  ------------> one state
//!        or by parts; what is over the budget in files
//! ```
//!
//! A lane is a thread's share of the input, and a task to those who watch; see [`lanes`]. A lane asks for a
//! block, mostly reads it itself (so a local file needs no second thread, and no queue stands between
//! reading and work), and works on it. One [`schedule`] says which block a lane gets, of any partition;
//! three ends say what becomes of it: [`unordered`] ones have a state a lane, [`segments`] are states of
//! neighbouring blocks, which merge, and a [`stream`](stream()) hands results on in input
//! order. A [`staged`] input has a stage between two sets of lanes that sees blocks in their order, as
//! `take` does. See [`merge`] for how the states of lanes become one, and [`tasks`] for inputs that tasks make.

mod dispatch;
mod input;
mod lanes;
mod merge;
mod parts;
#[cfg(test)]
mod pending_tests;
mod reduce;
mod schedule;
#[cfg(test)]
mod schedule_tests;
mod segments;
#[cfg(test)]
mod segments_tests;
mod shared_state;
mod signal;
mod spilled;
#[cfg(feature = "cli")]
mod staged;
#[cfg(all(test, feature = "cli"))]
mod staged_tests;
mod stream;
#[cfg(test)]
mod stream_tests;
mod tasks;
mod unordered;
#[cfg(test)]
mod unordered_tests;

use crate::Result;
use crate::block::Next;
use std::future::Future;

pub(crate) use crate::graph::{Context, Stop};
pub(crate) use crate::memory::READY;
pub(crate) use input::{Job, Order, Text};
pub(crate) use merge::once;
#[cfg(feature = "cli")]
pub(crate) use merge::{whole_of, whole_outcome};
#[cfg(any(feature = "cli", test))]
pub(crate) use reduce::reduce;
pub(crate) use reduce::{Pass, reduction, unfit};
pub(crate) use spilled::Held;
#[cfg(feature = "cli")]
pub(crate) use spilled::save_each;
#[cfg(feature = "cli")]
pub(crate) use staged::{Staged, Weighed};
#[cfg_attr(not(feature = "cli"), allow(unused_imports))]
pub(crate) use stream::{stream, streaming};
pub(crate) use tasks::{continued, fed, of_tasks};

/// What can be read block by block, in partitions.
pub(crate) trait Input: Send + Sync + 'static {
    /// The blocks of one partition, one after another.
    type Reader: Reader;

    /// How many partitions there are.
    fn partitions(&self) -> usize;

    /// Opens a partition; reads nothing yet.
    fn open(&self, partition: usize) -> Self::Reader;
}

/// The blocks of one partition.
pub(crate) trait Reader: Send + 'static {
    /// What an [`Input`] is read by.
    type Block: Send;

    /// The next block; `None` after the last.
    fn next(&mut self) -> impl Future<Output = Result<Option<Self::Block>>> + Send;

    /// The bytes of memory that a block takes; more than may lie ready, if nobody knows.
    fn weight(_: &Self::Block) -> usize {
        READY + 1
    }

    /// The next block, or work that may be done beside others of these lanes before there can be
    /// one. Who calls this does not call `next`.
    fn step(
        &mut self,
        _lanes: usize,
    ) -> impl Future<Output = Result<Option<Next<Self::Block>>>> + Send {
        async { Ok(self.next().await?.map(Next::Block)) }
    }
}

/// The block type of an input.
pub(crate) type BlockOf<I> = <<I as Input>::Reader as Reader>::Block;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::time::Duration;

    use super::*;
    use crate::graph::Shared;
    use crate::spill::Budget;
    use crate::{Error, Place};

    /// An input of numbers that counts up over all blocks, and fails where it is told to.
    #[derive(Clone)]
    pub(crate) struct Numbers {
        partitions: usize,
        blocks: usize,
        failing: Vec<(usize, usize)>,
        /// What it takes to read a block.
        pause: Duration,
        opened: Arc<AtomicUsize>,
    }

    pub(crate) struct Counting {
        partition: usize,
        block: usize,
        blocks: usize,
        failing: Vec<(usize, usize)>,
        pause: Duration,
    }

    impl Numbers {
        pub(crate) fn new(partitions: usize, blocks: usize) -> Self {
            Self::failing(partitions, blocks, &[])
        }

        pub(crate) fn failing(partitions: usize, blocks: usize, at: &[(usize, usize)]) -> Self {
            let (failing, pause) = (at.to_vec(), Duration::ZERO);
            Self { partitions, blocks, failing, pause, opened: Arc::default() }
        }

        /// The same, of which each block takes so long to read.
        pub(crate) fn slow(self, pause: Duration) -> Self {
            Self { pause, ..self }
        }

        pub(crate) fn all(&self) -> Vec<u32> {
            (0..(self.partitions * self.blocks) as u32).collect()
        }

        pub(crate) fn opened(&self) -> usize {
            self.opened.load(Relaxed)
        }
    }

    impl Input for Numbers {
        type Reader = Counting;

        fn partitions(&self) -> usize {
            self.partitions
        }

        fn open(&self, partition: usize) -> Counting {
            self.opened.fetch_add(1, Relaxed);
            let (failing, pause) = (self.failing.clone(), self.pause);
            Counting { partition, block: 0, blocks: self.blocks, failing, pause }
        }
    }

    impl Reader for Counting {
        type Block = Vec<u32>;

        async fn next(&mut self) -> Result<Option<Vec<u32>>> {
            if self.block == self.blocks {
                return Ok(None);
            }
            let (partition, block) = (self.partition, self.block);
            std::thread::sleep(self.pause);
            if self.failing.contains(&(partition, block)) {
                let place = Place::object(format!("block {block} of {partition}"));
                return Err(Error::Changed { place });
            }
            self.block += 1;
            Ok(Some(vec![(partition * self.blocks + block) as u32]))
        }

        fn weight(block: &Vec<u32>) -> usize {
            block.len() * 4
        }
    }

    #[derive(Default)]
    struct Collect {
        ordered: bool,
    }

    impl Pass<Vec<u32>> for Collect {
        type State = Vec<u32>;

        fn ordered(&self) -> bool {
            self.ordered
        }

        fn start(&self, _: &Context, _: &[Shared]) -> Vec<u32> {
            Vec::new()
        }

        fn emptied(&self, _: &Vec<u32>) -> Vec<u32> {
            Vec::new()
        }

        fn feed(
            &self,
            _: &Context,
            _: &[Shared],
            state: &mut Vec<u32>,
            block: Vec<u32>,
        ) -> Result<()> {
            assert_ne!(block, [77], "a number that this pass does not like");
            state.extend(block);
            Ok(())
        }

        fn merge(&self, into: &mut Vec<u32>, from: Vec<u32>) {
            into.extend(from);
        }

        fn weight(&self, state: &Vec<u32>) -> usize {
            if self.ordered { 0 } else { state.len() * 4 }
        }

        fn parts(&self, state: Vec<u32>, bits: u32) -> Vec<Vec<u32>> {
            let mut parts = vec![Vec::new(); 1 << bits];
            state.into_iter().for_each(|n| parts[n as usize % (1 << bits)].push(n));
            parts
        }

        fn join(&self, parts: Vec<Vec<u32>>) -> Vec<u32> {
            parts.concat()
        }

        fn save(&self, state: &Vec<u32>, bytes: &mut Vec<u8>) -> bool {
            bytes.extend(state.iter().flat_map(|n| n.to_le_bytes()));
            true
        }

        fn load(&self, into: &mut Vec<u32>, bytes: &[u8]) -> bool {
            let (numbers, rest) = bytes.as_chunks();
            into.extend(numbers.iter().map(|bytes| u32::from_le_bytes(*bytes)));
            rest.is_empty()
        }
    }

    fn reduced(ordered: bool, input: &Numbers, threads: usize) -> Result<Vec<u32>> {
        let context = Context { threads, ..Context::default() };
        reduce(&context, Arc::new(input.clone()), Collect { ordered })
    }

    #[test]
    fn every_block_is_fed_once_and_in_order_if_the_pass_asks_for_it() {
        for threads in 1..5 {
            for (partitions, blocks) in [(0, 0), (1, 0), (1, 40), (40, 1), (5, 11)] {
                let input = Numbers::new(partitions, blocks);
                let seen = reduced(true, &input, threads).expect("nothing fails");
                assert_eq!(seen, input.all());
                let mut seen = reduced(false, &input, threads).expect("nothing fails");
                seen.sort_unstable();
                assert_eq!(seen, input.all());
                assert_eq!(input.opened(), 2 * partitions);
            }
        }
    }

    #[test]
    fn every_block_of_a_slow_reader_is_fed_once_and_its_error_ends_the_run() {
        let pause = Duration::from_micros(200);
        for threads in 2..5 {
            for (partitions, blocks) in [(1, 60), (2, 20)] {
                let input = Numbers::new(partitions, blocks).slow(pause);
                let mut seen = reduced(false, &input, threads).expect("nothing fails");
                seen.sort_unstable();
                assert_eq!(seen, input.all());
            }
            let input = Numbers::failing(1, 60, &[(0, 50)]).slow(pause);
            let error = reduced(false, &input, threads).expect_err("it fails");
            assert!(matches!(error, Error::Changed { .. }), "{error}");
        }
    }

    #[test]
    fn states_over_budget_spill_and_are_restored() {
        for threads in 1..5 {
            for limit in [0, 7, 100] {
                let budget = Arc::new(Budget::new(limit, None));
                let context =
                    Context { threads, budget: Some(Arc::clone(&budget)), ..Context::default() };
                let input = Numbers::new(5, 11);
                let pass = Collect::default();
                let mut seen = reduce(&context, Arc::new(input.clone()), pass).expect("it is read");
                seen.sort_unstable();
                assert_eq!(seen, input.all());
                assert!(budget.written() > 0, "{threads} threads, {limit} bytes");
            }
        }
    }

    /// States of MiBs that have no form in bytes.
    #[cfg(feature = "cli")]
    struct Formless(Collect);

    #[cfg(feature = "cli")]
    impl Pass<Vec<u32>> for Formless {
        type State = Vec<u32>;

        fn ordered(&self) -> bool {
            false
        }

        fn start(&self, context: &Context, shared: &[Shared]) -> Vec<u32> {
            self.0.start(context, shared)
        }

        fn emptied(&self, state: &Vec<u32>) -> Vec<u32> {
            self.0.emptied(state)
        }

        fn feed(
            &self,
            context: &Context,
            shared: &[Shared],
            state: &mut Vec<u32>,
            block: Vec<u32>,
        ) -> Result<()> {
            self.0.feed(context, shared, state, block)
        }

        fn merge(&self, into: &mut Vec<u32>, from: Vec<u32>) {
            self.0.merge(into, from);
        }

        fn weight(&self, state: &Vec<u32>) -> usize {
            state.len() << 20
        }

        fn parts(&self, state: Vec<u32>, bits: u32) -> Vec<Vec<u32>> {
            self.0.parts(state, bits)
        }

        fn join(&self, parts: Vec<Vec<u32>>) -> Vec<u32> {
            parts.concat()
        }

        fn save(&self, _: &Vec<u32>, _: &mut Vec<u8>) -> bool {
            false
        }

        fn load(&self, _: &mut Vec<u32>, _: &[u8]) -> bool {
            false
        }
    }

    #[cfg(feature = "cli")]
    #[test]
    fn states_that_one_lane_can_hold_are_held_by_any_number() {
        use crate::memory::LaneNeeds;
        // One lane leaves 28 MiB for states, two 21, and more 15.
        let needs = LaneNeeds::new(64 << 20, 1 << 20);
        for (partitions, blocks) in [(1, 28), (28, 1), (4, 7)] {
            for threads in 1..7 {
                let budget = Some(Arc::new(Budget::of_lanes(needs, threads, None)));
                let context = Context { threads, budget, ..Context::default() };
                let input = Numbers::new(partitions, blocks);
                let pass = Formless(Collect::default());
                let mut seen = reduce(&context, Arc::new(input.clone()), pass).expect("it fits");
                seen.sort_unstable();
                assert_eq!(seen, input.all());
            }
        }
        let budget = Some(Arc::new(Budget::of_lanes(needs, 1, None)));
        let context = Context { threads: 1, budget, ..Context::default() };
        let refused = reduce(&context, Arc::new(Numbers::new(1, 29)), Formless(Collect::default()));
        assert!(matches!(refused, Err(Error::Memory { .. })), "{refused:?}");
    }

    #[test]
    fn an_error_or_a_panic_ends_the_run_and_is_what_the_caller_gets() {
        for ordered in [true, false] {
            for threads in 1..4 {
                let input = Numbers::failing(9, 3, &[(4, 1)]);
                let error = reduced(ordered, &input, threads).expect_err("it fails");
                assert!(matches!(error, Error::Changed { .. }), "{error}");
                let error = reduced(ordered, &Numbers::new(90, 3), threads).expect_err("panics");
                assert!(matches!(error, Error::Panic { .. }), "{error}");
            }
        }
    }

    #[test]
    fn a_stopped_run_returns_what_it_has_and_a_cancelled_one_does_not() {
        for ordered in [true, false] {
            let context = Context::default();
            context.stop.stop();
            let input = Numbers::new(9, 3);
            let stopped = reduce(&context, Arc::new(input.clone()), Collect { ordered });
            assert!(stopped.expect("it stops").is_empty());
            context.stop.cancel();
            let cancelled = reduce(&context, Arc::new(input.clone()), Collect { ordered });
            assert!(matches!(cancelled, Err(Error::Cancelled)));
        }
    }
}
