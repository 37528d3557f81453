//! Other partitions of the same records, for those who see partitions: handles.
//!
//! No result of a run depends on partitions, and any thread takes any block. So only
//! [`to_delayed`](Bag::to_delayed) does something for a cut: it makes handles over those of the bag
//! before the cut, and the steps behind the cut run over their values. In every other run the cut is
//! not there: blocks go through all steps at once.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::Bag;
use super::base::Base;
use super::broadcast::Env;
use super::chain::{Batch, BatchIter, Chunk, Emit, Stage, Take};
use super::lend::Lend;
use super::memory::Pace;
use super::tasks::Tasks;
use super::verbs::Text;
use crate::Result;
use crate::graph::{Name, Node, Outcome, Shared, Step, typed};
use crate::run::Context;

/// The last cut of a bag.
pub(super) trait Cut: Send + Sync {
    /// The tasks that make the records of each of its partitions. The source is listed here.
    fn tasks(&self, context: &Context) -> Result<Arc<Tasks>>;
}

/// A bag, and how many partitions it is to have.
struct Repartition<T> {
    before: Bag<T>,
    partitions: usize,
}

impl<T: Clone + Send + Sync + 'static> Cut for Repartition<T> {
    fn tasks(&self, context: &Context) -> Result<Arc<Tasks>> {
        let handles = self.before.handles(context)?;
        let nodes = handles.iter().map(|handle| Arc::clone(handle.node())).collect();
        let nodes = cut::<T>(nodes, self.partitions);
        Ok(Arc::new(Tasks { nodes, records: records::<T>, phase: None }))
    }
}

/// Tasks over these, whose values are `Vec`s: they join neighbours, or take equal parts of one.
fn cut<T: Clone + Send + Sync + 'static>(
    nodes: Vec<Arc<Node>>,
    partitions: usize,
) -> Vec<Arc<Node>> {
    let given = nodes.len();
    if given <= partitions {
        // In 128 bits, as the product may not fit in fewer.
        let at = |n: usize| (n as u128 * partitions as u128 / given as u128) as usize;
        let parts = nodes.iter().enumerate().flat_map(|(n, node)| {
            let parts = at(n + 1) - at(n);
            (0..parts).map(move |part| part_of::<T>(node, part, parts))
        });
        let empty =
            || Node::new(Name::Only("partition"), [], |_, _| Ok(Outcome::value(Vec::<T>::new())));
        let missing = if given == 0 { partitions } else { 0 };
        return parts.chain((0..missing).map(|_| empty())).collect();
    }
    let at = |n: usize| (n as u128 * given as u128 / partitions as u128) as usize;
    (0..partitions).map(|n| joined::<T>(&nodes[at(n)..at(n + 1)])).collect()
}

/// A task that takes one of so many parts of a task's value.
fn part_of<T: Clone + Send + Sync + 'static>(
    node: &Arc<Node>,
    part: usize,
    parts: usize,
) -> Arc<Node> {
    if parts == 1 {
        return Arc::clone(node);
    }
    Node::new(Name::Numbered("part", part), [Arc::clone(node)], move |_, inputs| {
        let all: Arc<Vec<T>> = typed(inputs.take(0));
        let at = |n: usize| (n as u128 * all.len() as u128 / parts as u128) as usize;
        Ok(Outcome::value(all[at(part)..at(part + 1)].to_vec()))
    })
}

/// A task that joins the values of tasks.
fn joined<T: Clone + Send + Sync + 'static>(nodes: &[Arc<Node>]) -> Arc<Node> {
    if let [node] = nodes {
        return Arc::clone(node);
    }
    Node::new(Name::Only("join"), nodes.to_vec(), |_, inputs| {
        let values = inputs.take_all().into_iter().map(typed::<Vec<T>>);
        let values = values.map(Arc::unwrap_or_clone);
        let joined = values.reduce(|mut into, mut from| {
            into.append(&mut from);
            into
        });
        Ok(Outcome::value(joined.unwrap_or_default()))
    })
}

/// Records that stand between the steps before a cut and those behind it.
struct Between<T>(Vec<T>);

/// The records of a task's value, in one batch.
fn records<T: Clone + Send + Sync + 'static>(value: Shared, _: Arc<Pace>) -> BatchIter {
    Box::new(std::iter::once_with(move || {
        let records = Arc::unwrap_or_clone(typed::<Vec<T>>(value));
        Ok(Batch { len: records.len(), records: Box::new(Between(records)), pace: None })
    }))
}

/// The steps before a cut, which records that stand behind it pass by.
struct Bypass<T>(Arc<dyn Stage<T>>);

/// The records of a chunk that stand behind the cut.
fn between<T: 'static>(chunk: &mut Chunk) -> Option<&mut Vec<T>> {
    match chunk {
        Chunk::Text(_) => None,
        Chunk::Records(batch) => batch.records.downcast_mut().map(|Between(records)| records),
    }
}

impl<T: Send + 'static> Stage<T> for Bypass<T> {
    fn run(
        &self,
        chunk: &mut Chunk,
        env: &Env<'_>,
        emit: &mut Emit<'_, T>,
    ) -> Result<ControlFlow<()>> {
        match between(chunk) {
            Some(records) => emit(records),
            None => self.0.run(chunk, env, emit),
        }
    }

    fn lend(
        &self,
        chunk: &mut Chunk,
        env: &Env<'_>,
        take: &mut Take<'_, T>,
    ) -> Result<ControlFlow<()>>
    where
        T: Lend,
    {
        match between(chunk) {
            Some(records) => take(T::lend(records)),
            None => self.0.lend(chunk, env, take),
        }
    }
}

impl<T: Clone + Send + Sync + 'static> Bag<T> {
    /// The same records in so many partitions, at least one, in input order.
    ///
    /// Partitions show in the handles of [`to_delayed`](Self::to_delayed) alone, and only there this
    /// does something: of fewer partitions each has the records of neighbours, and of more each has an
    /// equal share of the records of one, which is made once for all of its shares and held until the
    /// last has taken its records. No result depends on partitions, and all threads work on any one
    /// of them: this makes nothing else faster, or slower.
    ///
    /// It differs from `repartition` of dask.bag in that the number of partitions of the source need
    /// not be known: the source is listed with the handles.
    ///
    /// ```
    /// let numbers = creel::Bag::from_iter(0..10_i64).repartition(3).map(|n| n * n);
    /// let parts = numbers.to_delayed_blocking()?;
    /// assert_eq!(parts.len(), 3);
    /// assert_eq!(parts[1].compute_blocking()?, [9, 16, 25]);
    /// assert_eq!(numbers.max().compute_blocking()?, Some(81));
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn repartition(self, partitions: usize) -> Self {
        let base = self.base.clone().named(Step::here("repartition"), Text::none());
        let stage = Arc::new(Bypass(Arc::clone(&self.stage)));
        let cut = Repartition { before: self, partitions: partitions.max(1) };
        Self { base: Base { cut: Some(Arc::new(cut)), ..base }, stage }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Delayed, ReadOptions};

    /// The records of each partition.
    fn partitions<T: Clone + Send + Sync + 'static>(bag: &Bag<T>) -> Vec<Vec<T>> {
        let handles = bag.to_delayed_blocking().expect("it is listed");
        handles.iter().map(|handle| handle.compute_blocking().expect("no failure")).collect()
    }

    proptest! {
        #[test]
        fn any_number_of_partitions_has_all_records_in_order(
            records: Vec<u8>,
            before in 1..9_usize,
            after in prop::collection::vec(1..20_usize, 1..4),
        ) {
            let mut bag = Bag::from_sequence(records.clone(), before).map(u64::from);
            for &n in &after {
                bag = bag.repartition(n).map(|n| n + 1);
            }
            let parts = partitions(&bag);
            prop_assert_eq!(Some(&parts.len()), after.last());
            let expected: Vec<_> =
                records.iter().map(|n| u64::from(*n) + after.len() as u64).collect();
            prop_assert_eq!(parts.concat(), &expected[..]);
            prop_assert_eq!(bag.compute_blocking().expect("no failure"), expected);
        }
    }

    #[test]
    fn shares_of_a_partition_are_equal_and_made_once() {
        use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let bag = Bag::from_iter(0..100).map(move |n| {
            counted.fetch_add(1, SeqCst);
            n
        });
        let handles = bag.repartition(4).to_delayed_blocking().expect("it is listed");
        let parts = crate::compute_all_blocking(&handles).expect("no failure");
        assert!(parts.iter().all(|part| part.len() == 25));
        assert_eq!(calls.load(SeqCst), 100);
    }

    #[test]
    fn lines_of_many_objects_are_joined_to_fewer_partitions() {
        let lines = ReadOptions::new().partition_size(5_000).read_text(["fixtures/access.log"]);
        let lines = lines.expect("a pattern");
        let before = partitions(&lines);
        let after = partitions(&lines.repartition(2));
        assert!(before.len() > 2);
        assert_eq!((after.len(), after.concat()), (2, before.concat()));
    }

    #[test]
    fn a_bag_of_no_partitions_gets_empty_ones() {
        let none = Bag::from_delayed(Vec::<Delayed<Vec<u8>>>::new());
        assert_eq!(partitions(&none.repartition(2)), [Vec::<u8>::new(), Vec::new()]);
    }
}
