//! Objects to partitions: large ones split evenly, small neighbours packed together.

use std::ops::Deref;
use std::sync::Arc;

#[cfg(feature = "cloud")]
use super::ahead::Ahead;
use super::object::Object;
use super::pool::Pool;

/// A range of an object: the records that start in it belong to its partition.
#[derive(Debug, Clone)]
pub(crate) struct Slice {
    pub(crate) object: Arc<Object>,
    pub(crate) start: u64,
    /// `None`: to the object's end.
    pub(crate) end: Option<u64>,
}

/// The unit of work: slices, in input order.
#[derive(Debug, Clone)]
pub(crate) struct Partition {
    pub(crate) slices: Vec<Slice>,
}

/// The partitions of a source, and what is fetched ahead for their readers.
#[derive(Debug, Clone)]
pub(crate) struct Partitions {
    all: Arc<[Partition]>,
    #[cfg(feature = "cloud")]
    pub(super) ahead: Ahead,
}

impl Partitions {
    /// Partitions that are read one after another, by any number of readers. `ahead`: how many
    /// bytes may be fetched and not yet read, for each reader; what makes a block lands in a buffer
    /// of its own.
    pub(crate) fn new(all: Vec<Partition>, ahead: usize, pool: &Pool) -> Self {
        Self::reading(all.into(), ahead, true, pool)
    }

    /// The same, each read by itself, or never: nothing is fetched before it is opened.
    pub(crate) fn apart(&self, ahead: usize, pool: &Pool) -> Self {
        Self::reading(Arc::clone(&self.all), ahead, false, pool)
    }

    fn reading(all: Arc<[Partition]>, ahead: usize, in_turn: bool, pool: &Pool) -> Self {
        #[cfg(not(feature = "cloud"))]
        let _ = (ahead, in_turn, pool);
        Self {
            #[cfg(feature = "cloud")]
            ahead: Ahead::new(&all, ahead, in_turn, pool),
            all,
        }
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
pub(crate) fn partitions(objects: &[Arc<Object>], size: u64, splittable: bool) -> Vec<Partition> {
    let size = size.max(1);
    let mut packer = Packer::default();
    for object in objects {
        match object.size() {
            None => packer.alone(whole(object)),
            Some(bytes) if bytes <= size => packer.pack(whole(object), bytes, size),
            Some(bytes) if splittable => split(object, bytes, size).for_each(|s| packer.alone(s)),
            Some(_) => packer.alone(whole(object)),
        }
    }
    packer.flush();
    packer.partitions
}

fn whole(object: &Arc<Object>) -> Slice {
    Slice { object: Arc::clone(object), start: 0, end: None }
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
#[derive(Default)]
struct Packer {
    partitions: Vec<Partition>,
    open: Vec<Slice>,
    bytes: u64,
}

impl Packer {
    fn pack(&mut self, slice: Slice, bytes: u64, size: u64) {
        if self.bytes + bytes > size || self.open.len() == MOST_PACKED {
            self.flush();
        }
        self.open.push(slice);
        self.bytes += bytes;
    }

    fn alone(&mut self, slice: Slice) {
        self.flush();
        self.open.push(slice);
        self.flush();
    }

    fn flush(&mut self) {
        if !self.open.is_empty() {
            let slices = std::mem::take(&mut self.open);
            self.partitions.push(Partition { slices });
        }
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::source::object::Home;

    fn objects(sizes: &[Option<u64>]) -> Vec<Arc<Object>> {
        let object = |(i, size): (usize, &Option<u64>)| {
            Arc::new(Object::new(i.to_string(), *size, Home::Stdin, Default::default()))
        };
        sizes.iter().enumerate().map(object).collect()
    }

    fn len(slice: &Slice) -> Option<u64> {
        Some(slice.end.or(slice.object.size())? - slice.start)
    }

    #[test]
    fn many_small_files_share_partitions_and_a_large_one_is_cut_evenly() {
        let small = objects(&[Some(2000); 20_000]);
        assert_eq!(partitions(&small, 128 << 20, true).len(), 20);
        let large = partitions(&objects(&[Some(1001)]), 500, true);
        let lens: Vec<_> = large.iter().map(|p| len(&p.slices[0]).unwrap()).collect();
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
            prop_assert!(partitions.iter().all(|p| !p.slices.is_empty()));
            let mut slices = partitions.iter().flat_map(|p| &p.slices).peekable();
            for object in &objects {
                let mut reached = 0;
                while let Some(s) = slices.next_if(|s| Arc::ptr_eq(&s.object, object)) {
                    prop_assert_eq!(s.start, reached);
                    reached = s.end.or(object.size()).unwrap_or(u64::MAX);
                    prop_assert!(s.start < reached || object.size() == Some(0));
                    prop_assert!(!splittable || len(s).is_none_or(|len| len <= size.max(1)));
                }
                prop_assert_eq!(reached, object.size().unwrap_or(u64::MAX));
            }
            prop_assert!(slices.next().is_none());
        }
    }
}
