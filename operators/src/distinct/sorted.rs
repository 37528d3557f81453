//! First records in the order of their places.

use super::Form;
use super::entry::Entry;
use super::table::entry_at;

/// Records in the order of their places, in buffers of some each.
#[derive(Debug, Default)]
pub struct SortedRecords {
    buffers: Vec<Vec<u8>>,
    records: usize,
}

/// Bytes of a buffer, about.
const BUFFER: usize = if cfg!(test) { 64 } else { 256 << 10 };

impl SortedRecords {
    pub(super) fn add(&mut self, place: &[u8], record: &[u8]) {
        let entry = Entry { key: record, place, record: b"" };
        let fits = |buffer: &Vec<u8>| buffer.capacity() - buffer.len() >= entry.room();
        if !self.buffers.last().is_some_and(fits) {
            let mut buffer = Vec::new();
            creel_kernels::reserve_exact(&mut buffer, BUFFER.max(entry.room()));
            self.buffers.push(buffer);
        }
        if let Some(buffer) = self.buffers.last_mut() {
            entry.write(Form::Records, buffer);
        }
        self.records += 1;
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.records
    }

    /// Returns true if there is none.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// The bytes of memory that they take.
    pub fn weight(&self) -> usize {
        self.buffers.iter().map(Vec::capacity).sum()
    }

    /// The places and the records, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.buffers.iter().flat_map(|buffer| {
            let mut rest = buffer.as_slice();
            std::iter::from_fn(move || {
                let entry = super::log::next(Form::Records, &mut rest)?;
                Some((entry.place, entry.record))
            })
        })
    }
}

/// Visits the records of buffers of entries in the order of their places, of which no two are the same; the
/// first of them, if there is a limit.
pub(super) fn each_sorted<E>(
    form: Form,
    entries: &[Box<[u8]>],
    limit: Option<u64>,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut order = Vec::new();
    for (buffer, bytes) in entries.iter().enumerate() {
        let mut at = 0;
        while let Some((entry, len)) = entry_at(form, bytes, at) {
            order.push((first_bytes(entry.place), buffer as u32, at));
            at += len;
        }
    }
    let entry = |buffer: u32, at: usize| entry_at(form, &entries[buffer as usize], at);
    let place = |buffer: u32, at: usize| entry(buffer, at).map(|(entry, _)| entry.place);
    order.sort_unstable_by(|(a, m, i), (b, n, j)| {
        a.cmp(b).then_with(|| place(*m, *i).cmp(&place(*n, *j)))
    });
    let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let sorted = order.into_iter().take(limit).filter_map(|(_, buffer, at)| entry(buffer, at));
    { sorted }.try_for_each(|(entry, _)| visit(entry.place, entry.record))
}

/// The first bytes of a place, which sort as they do; those of a shorter one are zeros.
#[inline]
fn first_bytes(place: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    let len = place.len().min(16);
    bytes[..len].copy_from_slice(&place[..len]);
    u128::from_be_bytes(bytes)
}
