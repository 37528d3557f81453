//! Bags of what a sort or the first records of keys give: in memory, or in the temporary file of the run.
//!
//! Such a bag has one task, as that of [`Item::into_bag`] has. The task's value hands out the records in
//! batches, to each who reads the bag anew: out of memory, or by a merge of the runs in the file. Two ends
//! that stand directly behind it go past the bag: all records are moved out of the value, and the first few
//! are all that is kept.

use std::cmp::Ordering;
use std::panic::Location;
use std::sync::Arc;

use creel_operators::Spill;

use super::base::Base;
use super::chain::{Batch, BatchIter};
use super::memory::{Pace, batches, paced};
use super::origin::{Origin, whole};
use super::phases::Phase;
#[cfg(feature = "cli")]
use super::reduction::Pieces;
use super::tasks::Tasks;
use super::verbs::Verbs;
use super::{Bag, Item};
use crate::Result;
use crate::graph::{Name, Shared, Step, typed};
use crate::memory::Reservation;
use crate::spill::{Budget, MergedRecords, RecordRun, most_of_merge};

/// Records in the order of a bag.
pub(super) enum Ordered<T> {
    /// Those in memory, and what they take of the memory of the run, if that is bounded.
    Held(Vec<T>, Option<Memory>),
    /// Those in the temporary file.
    Spilled(Box<dyn Source<T>>),
}

/// The part of the run's memory that records take.
pub(super) struct Memory {
    reserved: Reservation,
    budget: Arc<Budget>,
}

impl Memory {
    /// Of a run, whose memory is bounded, the bytes that are reserved.
    pub(super) fn new(budget: &Arc<Budget>, reserved: Reservation) -> Self {
        Self { reserved, budget: Arc::clone(budget) }
    }

    /// Returns true if stages that follow may need the memory: these records take more of it than their merge from the
    /// file would, or all that is held takes more than half.
    fn is_much(&self) -> bool {
        self.reserved.bytes() > most_of_merge(&self.budget)
            || self.budget.used() > self.budget.limit() / 2
    }
}

/// Records that are read again for each who wants them.
pub(super) trait Source<T>: Send + Sync {
    /// Begins to read them.
    ///
    /// # Errors
    ///
    /// If the temporary file cannot be read.
    fn open(&self) -> Result<RecordIter<T>>;
}

/// Records that are being read.
pub(super) type RecordIter<T> = Box<dyn Iterator<Item = Result<T>> + Send>;

/// The most bytes of a batch of records that were read, about.
const BATCH_BYTES: usize = 256 << 10;

impl<T: Spill> Ordered<T> {
    /// All records.
    ///
    /// # Errors
    ///
    /// If the temporary file cannot be read, and if the run is cancelled.
    pub(super) fn into_vec(self) -> Result<Vec<T>> {
        match self {
            Self::Held(records, _) => Ok(records),
            Self::Spilled(source) => source.open()?.collect(),
        }
    }

    /// The same for stages that have states of their own beside it: [much](Memory::is_much) goes to the file. So
    /// whatever runs in some memory runs in more.
    ///
    /// # Errors
    ///
    /// If the temporary file cannot be written, and if the run is cancelled.
    fn beside_others(self) -> Result<Self> {
        match self {
            Self::Held(records, Some(memory)) if T::HAS_FORM && memory.is_much() => {
                let run = RecordRun::write(&memory.budget, records.into_iter().map(Ok))?;
                Ok(Self::Spilled(Box::new(OneRun { budget: memory.budget, run })))
            }
            records => Ok(records),
        }
    }

    /// A copy of all records.
    ///
    /// # Errors
    ///
    /// As [`into_vec`](Self::into_vec).
    fn to_vec(&self) -> Result<Vec<T>> {
        match self {
            Self::Held(records, _) => Ok(records.clone()),
            Self::Spilled(source) => source.open()?.collect(),
        }
    }

    /// Gives all records as bytes, a piece for each batch of them.
    ///
    /// # Errors
    ///
    /// As [`into_vec`](Self::into_vec), and those of `out`.
    #[cfg(feature = "cli")]
    pub(super) fn send(self, out: &mut Pieces<'_>) -> Result<()> {
        let mut records: RecordIter<T> = match self {
            Self::Held(records, _) => Box::new(records.into_iter().map(Ok)),
            Self::Spilled(source) => source.open()?,
        };
        let mut bytes = Vec::new();
        loop {
            let batch = next_batch(&mut records, usize::MAX)?;
            if batch.is_empty() {
                return Ok(());
            }
            bytes.clear();
            batch.save(&mut bytes);
            out(&bytes)?;
        }
    }

    /// The records of a task's value, in batches.
    fn batches(value: Shared, pace: Arc<Pace>) -> BatchIter {
        match Arc::try_unwrap(typed::<Self>(value)) {
            Ok(Self::Held(records, memory)) => batches(pace, move || {
                // It is reserved until the last of them is taken.
                records.into_iter().inspect(move |_| {
                    let _ = &memory;
                })
            }),
            Ok(value) => Self::shared_batches(Arc::new(value), pace),
            Err(value) => Self::shared_batches(value, pace),
        }
    }

    /// The same, of a value that others have too.
    fn shared_batches(value: Arc<Self>, pace: Arc<Pace>) -> BatchIter {
        let (mut at, mut reading) = (0_usize, None);
        paced(pace, move |most| match &*value {
            Self::Held(records, _) => {
                let batch = &records[at..records.len().min(at.saturating_add(most))];
                at += batch.len();
                (!batch.is_empty()).then(|| Ok(Batch::of(batch.to_vec())))
            }
            Self::Spilled(source) => {
                let records = match &mut reading {
                    Some(records) => records,
                    none => match source.open() {
                        Ok(records) => none.insert(records),
                        Err(error) => return Some(Err(error)),
                    },
                };
                let batch = next_batch(records, most);
                batch.map(|batch| (!batch.is_empty()).then(|| Batch::of(batch))).transpose()
            }
        })
    }
}

/// A run of the file.
struct OneRun<T> {
    budget: Arc<Budget>,
    run: RecordRun<T>,
}

impl<T: Spill> Source<T> for OneRun<T> {
    fn open(&self) -> Result<RecordIter<T>> {
        let runs = std::slice::from_ref(&self.run);
        Ok(Box::new(MergedRecords::of_runs(&self.budget, runs, |_, _| Ordering::Equal)?))
    }
}

/// The next records, as many as are wanted or as have the bytes of a batch.
fn next_batch<T: Spill>(records: &mut RecordIter<T>, most: usize) -> Result<Vec<T>> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while batch.len() < most
        && bytes < BATCH_BYTES
        && let Some(record) = records.next().transpose()?
    {
        bytes += size_of::<T>() + record.heap_size();
        batch.push(record);
    }
    Ok(batch)
}

/// What makes an item of so many first records. The step that takes them and the verbs with it are given.
type First<T> = dyn Fn(usize, Step, Verbs) -> Item<Vec<T>> + Send + Sync;

/// The ends that stand directly behind the bag.
struct Direct<T> {
    all: Item<Vec<T>>,
    first: Box<First<T>>,
}

impl<T: Spill> Bag<T> {
    /// The bag of an item's records, which is made by a step of this name; and how the first few are found.
    #[track_caller]
    pub(super) fn of_ordered(
        item: &Item<Ordered<T>>,
        name: &'static str,
        first: impl Fn(usize, Step, Verbs) -> Item<Vec<T>> + Send + Sync + 'static,
    ) -> Self {
        let behind = item.in_form(Ordered::beside_others);
        let node = behind.handle(Name::At(name, Location::caller()));
        let node = Arc::clone(node.node());
        let direct = Direct { all: item.in_form(Ordered::into_vec), first: Box::new(first) };
        let phase = Phase {
            id: item.id,
            erased: behind.erased(),
            node: Arc::clone(&node),
            share: |value| {
                let value = value.downcast::<Ordered<T>>();
                Arc::<Ordered<T>>::from(
                    value.unwrap_or_else(|_| unreachable!("an item knows its type")),
                )
            },
            copy: |value| Ok(Box::new(typed::<Ordered<T>>(Arc::clone(value)).to_vec()?)),
            direct: Some(Box::new(direct)),
        };
        let (nodes, phase) = (vec![node], Some(Box::new(phase)));
        let tasks = Tasks { nodes, records: Ordered::<T>::batches, phase };
        let base = Base::new(Origin::Tasks(Arc::new(tasks)), Step::only("in order"));
        Self { base: Base { verbs: item.verbs.clone(), ..base }, stage: whole() }
    }
}

impl<T: Send + 'static> Bag<T> {
    /// The ends that go past this bag: none, where steps stand behind it.
    fn direct(&self) -> Option<&Direct<T>> {
        let Origin::Tasks(tasks) = &self.base.origin else { return None };
        let direct = tasks.phase.as_deref()?.direct.as_ref()?;
        (self.base.steps.len() == 1).then(|| direct.downcast_ref())?
    }

    /// The item of all records, if they are in order.
    pub(super) fn all_direct(&self) -> Option<Item<Vec<T>>> {
        self.direct().map(|direct| direct.all.clone())
    }

    /// The item of so many first records, if they are in order.
    pub(super) fn first_direct(
        &self,
        n: usize,
        step: &Step,
        verbs: &Verbs,
    ) -> Option<Item<Vec<T>>> {
        self.direct().map(|direct| (direct.first)(n, step.clone(), verbs.clone()))
    }
}
