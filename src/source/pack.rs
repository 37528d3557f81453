//! Objects to partitions: large ones split evenly, small neighbours packed together.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, Weak};

#[cfg(feature = "cloud")]
use super::ahead::Ahead;
use super::object::Object;
use super::objects::Objects;
use super::pool::Pool;

/// A range of an object: the records that start in it belong to its partition.
#[derive(Debug, Clone)]
pub(crate) struct Slice {
    pub(crate) object: Arc<Object>,
    pub(crate) start: u64,
    /// `None`: to the object's end.
    pub(crate) end: Option<u64>,
}

impl Slice {
    /// All of an object.
    pub(super) fn whole(object: Arc<Object>) -> Self {
        Self { object, start: 0, end: None }
    }
}

/// The unit of work: slices, in input order.
#[derive(Debug, Clone)]
pub(crate) enum Partition {
    /// Pieces of objects, which other partitions may have pieces of.
    Pieces(Arc<[Slice]>),
    /// Whole objects that follow each other, which are made when it is opened.
    Whole {
        /// All objects of the source.
        objects: Objects,
        /// The first of them.
        first: usize,
        /// How many they are.
        count: usize,
    },
}

impl Partition {
    /// The ranges of objects that it is.
    pub(crate) fn slices(&self) -> Arc<[Slice]> {
        match self {
            Self::Pieces(slices) => Arc::clone(slices),
            Self::Whole { objects, first, count } => objects.slices(*first, *count),
        }
    }

    /// Whether it is known to begin with records of its own.
    #[cfg(feature = "cloud")]
    pub(super) fn is_divided(&self) -> bool {
        match self {
            Self::Pieces(slices) => {
                slices.first().is_some_and(|slice| slice.start == 0 || slice.object.is_divided())
            }
            Self::Whole { .. } => true,
        }
    }
}

/// The partitions of a source, and the slices of those that are open.
#[derive(Debug)]
pub(super) struct Shelf {
    all: Vec<Partition>,
    open: Mutex<HashMap<usize, Weak<[Slice]>>>,
}

impl Shelf {
    /// The slices of a partition: the same for all who have them at one time.
    pub(super) fn slices(&self, partition: usize) -> Arc<[Slice]> {
        if let Partition::Pieces(slices) = &self.all[partition] {
            return Arc::clone(slices);
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slices) = open.get(&partition).and_then(Weak::upgrade) {
            return slices;
        }
        open.retain(|_, slices| slices.strong_count() > 0);
        let slices = self.all[partition].slices();
        open.insert(partition, Arc::downgrade(&slices));
        slices
    }
}

impl Deref for Shelf {
    type Target = [Partition];

    fn deref(&self) -> &[Partition] {
        &self.all
    }
}

/// The slices of all of these.
#[cfg(test)]
pub(super) fn all_slices(partitions: Vec<Partition>) -> Arc<[Slice]> {
    partitions.iter().flat_map(|partition| partition.slices().to_vec()).collect()
}

/// The partitions of a source, and what is fetched ahead for their readers.
#[derive(Debug, Clone)]
pub(crate) struct Partitions {
    all: Arc<Shelf>,
    #[cfg(feature = "cloud")]
    pub(super) ahead: Ahead,
}

impl Partitions {
    /// Partitions that are read one after another, by any number of readers. `ahead`: how many
    /// bytes may be fetched and not yet read, for each reader; what makes a block lands in a buffer
    /// of its own.
    pub(crate) fn new(all: Vec<Partition>, ahead: usize, pool: &Pool) -> Self {
        let all = Arc::new(Shelf { all, open: Mutex::default() });
        Self::reading(all, ahead, true, pool)
    }

    /// The same, each read by itself, or never: nothing is fetched before it is opened.
    pub(crate) fn apart(&self, ahead: usize, pool: &Pool) -> Self {
        Self::reading(Arc::clone(&self.all), ahead, false, pool)
    }

    fn reading(all: Arc<Shelf>, ahead: usize, in_turn: bool, pool: &Pool) -> Self {
        #[cfg(not(feature = "cloud"))]
        let _ = (ahead, in_turn, pool);
        Self {
            #[cfg(feature = "cloud")]
            ahead: Ahead::new(&all, ahead, in_turn, pool),
            all,
        }
    }

    /// The slices of a partition, which is to be opened.
    pub(super) fn slices(&self, partition: usize) -> Arc<[Slice]> {
        self.all.slices(partition)
    }
}

impl Deref for Partitions {
    type Target = [Partition];

    fn deref(&self) -> &[Partition] {
        &self.all
    }
}

/// The most objects in one partition, so that opening them never outweighs reading.
const MOST_PACKED: usize = 1024;

/// Cuts and packs objects into partitions of about `size` bytes: large ones are split (if
/// `splittable`), small neighbours share one.
///
/// Input order is kept. An object of unknown size is a partition of its own. One that
/// is said to be empty is read all the same: files of /proc are made as they are read, and servers
/// err.
pub(crate) fn partitions(objects: &Objects, size: u64, splittable: bool) -> Vec<Partition> {
    let size = size.max(1);
    let mut packer = Packer::new(objects);
    for (number, bytes) in objects.sizes().enumerate() {
        match bytes {
            None => packer.alone(number),
            Some(bytes) if bytes <= size => packer.pack(number, bytes, size),
            Some(bytes) if splittable => packer.split(number, bytes, size),
            Some(_) => packer.alone(number),
        }
    }
    packer.flush();
    packer.partitions
}

/// Even pieces of at most `size` bytes; the last is open, as the object's end may be.
fn split(object: &Arc<Object>, bytes: u64, size: u64) -> impl Iterator<Item = Slice> {
    let pieces = bytes.div_ceil(size);
    let cut = move |i: u64| (u128::from(bytes) * u128::from(i) / u128::from(pieces)) as u64;
    (0..pieces).map(move |i| Slice {
        object: Arc::clone(object),
        start: cut(i),
        end: (i + 1 < pieces).then(|| cut(i + 1)),
    })
}

/// Partitions so far, and the one that is being filled.
struct Packer<'o> {
    objects: &'o Objects,
    partitions: Vec<Partition>,
    first: usize,
    count: usize,
    bytes: u64,
}

impl<'o> Packer<'o> {
    fn new(objects: &'o Objects) -> Self {
        Self { objects, partitions: Vec::new(), first: 0, count: 0, bytes: 0 }
    }

    fn pack(&mut self, number: usize, bytes: u64, size: u64) {
        if self.bytes.saturating_add(bytes) > size || self.count == MOST_PACKED {
            self.flush();
        }
        if self.count == 0 {
            self.first = number;
        }
        self.count += 1;
        self.bytes += bytes;
    }

    fn alone(&mut self, number: usize) {
        self.flush();
        (self.first, self.count) = (number, 1);
        self.flush();
    }

    fn split(&mut self, number: usize, bytes: u64, size: u64) {
        self.flush();
        let Some(object) = self.objects.at(number) else { return };
        let pieces = split(&object, bytes, size);
        self.partitions.extend(pieces.map(|piece| Partition::Pieces([piece].into())));
    }

    fn flush(&mut self) {
        let count = std::mem::take(&mut self.count);
        if count > 0 {
            let (objects, first) = (self.objects.clone(), self.first);
            self.partitions.push(Partition::Whole { objects, first, count });
        }
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::source::object::Home;

    fn objects(sizes: &[Option<u64>]) -> Objects {
        let object = |(i, size): (usize, &Option<u64>)| {
            Object::new(i.to_string(), *size, Home::Stdin, Default::default())
        };
        Objects::kept(sizes.iter().enumerate().map(object))
    }

    fn len(slice: &Slice) -> Option<u64> {
        Some(slice.end.or(slice.object.size())? - slice.start)
    }

    #[test]
    fn many_small_files_share_partitions_and_a_large_one_is_cut_evenly() {
        let small = objects(&[Some(2000); 20_000]);
        assert_eq!(partitions(&small, 128 << 20, true).len(), 20);
        let large = partitions(&objects(&[Some(1001)]), 500, true);
        let lens: Vec<_> = large.iter().map(|p| len(&p.slices()[0]).unwrap()).collect();
        assert_eq!(lens, [333, 334, 334]);
    }

    proptest! {
        #[test]
        fn partitions_cover_every_byte_once_and_in_order(
            sizes in prop::collection::vec(prop::option::of(0..5_000_u64), 0..40),
            size in 0..6_000_u64,
            splittable: bool,
        ) {
            let objects = objects(&sizes);
            let partitions = partitions(&objects, size, splittable);
            prop_assert!(partitions.iter().all(|p| !p.slices().is_empty()));
            let mut slices = partitions.iter().flat_map(|p| p.slices().to_vec()).peekable();
            for object in objects.iter() {
                let mut reached = 0;
                while let Some(s) = slices.next_if(|s| Arc::ptr_eq(&s.object, &object)) {
                    prop_assert_eq!(s.start, reached);
                    reached = s.end.or(object.size()).unwrap_or(u64::MAX);
                    prop_assert!(s.start < reached || object.size() == Some(0));
                    prop_assert!(!splittable || len(&s).is_none_or(|len| len <= size.max(1)));
                }
                prop_assert_eq!(reached, object.size().unwrap_or(u64::MAX));
            }
            prop_assert!(slices.next().is_none());
        }
    }
}
