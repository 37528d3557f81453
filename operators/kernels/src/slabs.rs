//! Byte buffers that are cut from slabs in huge pages.
//!
//! A buffer of a few kibibytes of its own costs page faults for every 4 KiB of it, and an entry of the processor's
//! table of pages for each. Thousands of them that are filled side by side cost more in the kernel than copying the
//! bytes does. Buffers from the same slab share pages of 2 MiB.

#![allow(unsafe_code, reason = "no safe slice has bytes in some places and none in others")]

use std::fmt;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Huge;

/// The size in bytes of the first slab: little is stored in little memory. It is large enough to go back to the
/// system as soon as it is dropped.
const LEAST: usize = if cfg!(test) { 64 } else { 128 << 10 };

/// The size in bytes of the largest slab: a huge page.
const MOST: usize = if cfg!(test) { 256 } else { 2 << 20 };

type Slab = Arc<Pages>;

/// The size of slabs that are used again, and the most of them that wait for that, in all of the process.
const SPARE: usize = if cfg!(test) { 128 } else { 1 << 20 };
const MOST_SPARE: usize = 16;

/// Slabs that nobody uses.
///
/// A run that reads spilled parts back fills slabs and drops them, over and over. A page fault for every
/// 4 KiB of them took as long as the reading: 700,000 faults and 3.8 s of the kernel for a gigabyte.
static SPARES: Mutex<Vec<Memory>> = Mutex::new(Vec::new());

type Memory = Huge<MaybeUninit<u8>>;

/// The memory of a slab.
#[derive(Debug)]
struct Pages(Option<Memory>);

impl Pages {
    /// Memory of so many bytes.
    fn new(bytes: usize) -> Self {
        let spares = || SPARES.lock().unwrap_or_else(PoisonError::into_inner);
        let spare = if bytes == SPARE { spares().pop() } else { None };
        Self(Some(spare.unwrap_or_else(|| Huge::unwritten(bytes))))
    }

    /// The start and the length, without a reference to the bytes.
    fn raw(&self) -> (NonNull<MaybeUninit<u8>>, usize) {
        self.0.as_ref().map_or((NonNull::dangling(), 0), Huge::raw)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let Some(memory) = self.0.take().filter(|memory| memory.raw().1 == SPARE) else { return };
        let mut spares = SPARES.lock().unwrap_or_else(PoisonError::into_inner);
        if spares.len() < MOST_SPARE {
            spares.push(memory);
        }
    }
}

/// Slabs that buffers are cut from, one behind the other.
///
/// Some slabs of a megabyte that are dropped are kept for those that come, 16 MiB in a process.
///
/// ```
/// let mut slabs = creel_kernels::Slabs::new(1 << 20);
/// let (mut one, mut two) = (slabs.buffer(4), slabs.buffer(4));
/// one.extend_from_slice(b"one");
/// two.extend_from_slice(b"two");
/// assert_eq!((&one[..], &two[..], one.capacity()), (&b"one"[..], &b"two"[..], 4));
/// ```
#[derive(Debug)]
pub struct Slabs {
    slabs: Vec<Slab>,
    /// The bytes of all slabs, and those that belong to buffers.
    weight: usize,
    given: usize,
    /// The slab that buffers are cut from, and the bytes of it that belong to buffers.
    at: usize,
    used: usize,
    /// The size of the largest slab.
    most: usize,
}

/// Bytes of fixed capacity: a piece of a slab, which lives as long as one of its buffers or the [`Slabs`].
pub struct Buffer {
    #[expect(dead_code, reason = "it keeps the bytes alive; nothing is read through it")]
    slab: Option<Slab>,
    start: NonNull<u8>,
    len: usize,
    capacity: usize,
}

// SAFETY: a buffer is the only owner of its piece of the slab, as a vector is of its bytes, and the ownership of
// the slab is shared by an atomic counter.
unsafe impl Send for Buffer {}
// SAFETY: a shared buffer gives shared references to its bytes only.
unsafe impl Sync for Buffer {}

impl Slabs {
    /// No slabs as yet. None will be larger than `most` bytes, or than a huge page.
    pub fn new(most: usize) -> Self {
        let most = most.clamp(LEAST, MOST);
        Self { slabs: Vec::new(), weight: 0, given: 0, at: 0, used: 0, most }
    }

    /// An empty buffer for so many bytes. One that is larger than an eighth of a slab has memory of its own: the
    /// rest of a slab that it did not fit into would be used by nobody.
    ///
    /// Unwinds with [`Refused`](crate::Refused) if the system has no memory for it.
    pub fn buffer(&mut self, capacity: usize) -> Buffer {
        if capacity > self.most / 8 {
            return Buffer::of(Arc::new(Pages::new(capacity)), 0, capacity);
        }
        loop {
            match self.slabs.get(self.at) {
                Some(slab) if slab.raw().1 - self.used >= capacity => {
                    let start = self.used;
                    self.used += capacity;
                    self.given += capacity;
                    return Buffer::of(Arc::clone(slab), start, capacity);
                }
                Some(_) => (self.at, self.used) = (self.at + 1, 0),
                None => {
                    let bytes = self.weight.clamp(LEAST, self.most).max(capacity);
                    self.slabs.push(Arc::new(Pages::new(bytes)));
                    self.weight += bytes;
                }
            }
        }
    }

    /// Uses slabs of at most so many bytes again, the largest first, but for those of which a buffer is left.
    ///
    /// ```
    /// let mut slabs = creel_kernels::Slabs::new(1 << 20);
    /// let first = slabs.buffer(9).as_ptr();
    /// slabs.reuse(1 << 20);
    /// assert_eq!(slabs.buffer(9).as_ptr(), first);
    /// slabs.reuse(0);
    /// assert_eq!(slabs.unused(), 0);
    /// ```
    pub fn reuse(&mut self, most: usize) {
        self.slabs.sort_by_key(|slab| std::cmp::Reverse(slab.raw().1));
        let mut weight = 0;
        self.slabs.retain_mut(|slab| {
            let bytes = slab.raw().1;
            let is_kept = bytes <= most - weight && Arc::get_mut(slab).is_some();
            weight += if is_kept { bytes } else { 0 };
            is_kept
        });
        (self.weight, self.given, self.at, self.used) = (weight, 0, 0, 0);
    }

    /// The bytes of slabs that belong to no buffer.
    pub fn unused(&self) -> usize {
        self.weight - self.given
    }
}

impl Buffer {
    /// A piece of a slab, which must belong to no other buffer.
    fn of(slab: Slab, start: usize, capacity: usize) -> Self {
        let (first, len) = slab.raw();
        assert!(start + capacity <= len, "a buffer lies in its slab");
        // SAFETY: `start` is in the slab, or its end.
        let start = unsafe { first.cast::<u8>().add(start) };
        Self { slab: Some(slab), start, len: 0, capacity }
    }

    /// The number of bytes that it has room for, with those that it holds.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The bytes of memory that it takes, used or not.
    pub fn weight(&self) -> usize {
        match self.capacity {
            // It has huge pages of its own.
            large @ MOST.. => large.next_multiple_of(MOST),
            piece => piece,
        }
    }

    /// Appends a byte.
    ///
    /// # Panics
    ///
    /// If it is full.
    #[inline]
    pub fn push(&mut self, byte: u8) {
        self.extend_from_slice(&[byte]);
    }

    /// Appends bytes.
    ///
    /// # Panics
    ///
    /// If there is no room for them.
    #[inline]
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.capacity - self.len, "a buffer does not grow");
        // SAFETY: there is room for the bytes behind the first `len`, in a piece of memory that belongs to this
        // buffer alone, so that `bytes` is elsewhere; `slab` keeps it alive. A buffer without a slab has no room,
        // and copying no bytes to a dangling pointer is allowed.
        unsafe {
            let end = self.start.add(self.len);
            end.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
        }
        self.len += bytes.len();
    }
}

impl Default for Buffer {
    /// A buffer without room.
    fn default() -> Self {
        Self { slab: None, start: NonNull::dangling(), len: 0, capacity: 0 }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: the first `len` bytes were written, belong to this buffer alone, and are not written while it is
        // borrowed. Without bytes `start` may dangle.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer").field("len", &self.len).field("capacity", &self.capacity).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_keep_what_was_appended_wherever_they_lie() {
        let mut slabs = Slabs::new(MOST);
        // Of no bytes, of some, of a whole slab, and of more.
        let sizes = [0, 1, 7, 60, LEAST, 100, 200, MOST, MOST + 1, 3 * MOST, 5];
        let mut buffers: Vec<Buffer> = sizes.iter().map(|&size| slabs.buffer(size)).collect();
        for turn in 0..3 * MOST {
            for (n, buffer) in buffers.iter_mut().enumerate() {
                if buffer.len() < buffer.capacity() {
                    buffer.push((turn + n) as u8);
                }
            }
        }
        drop(slabs);
        for (n, (buffer, size)) in buffers.iter().zip(sizes).enumerate() {
            let expected: Vec<u8> = (0..size).map(|turn| (turn + n) as u8).collect();
            assert_eq!((buffer.capacity(), &buffer[..]), (size, &expected[..]));
        }
    }

    #[test]
    fn slabs_are_used_again_when_no_buffer_of_them_is_left() {
        let mut slabs = Slabs::new(MOST);
        let fill =
            |slabs: &mut Slabs| -> Vec<Buffer> { (0..60).map(|_| slabs.buffer(30)).collect() };
        let buffers = fill(&mut slabs);
        let (weight, unused) = (slabs.weight, slabs.unused());
        assert_eq!(weight - unused, 60 * 30);
        drop(buffers);
        slabs.reuse(usize::MAX);
        assert_eq!(slabs.unused(), weight);
        let mut buffers = fill(&mut slabs);
        assert_eq!((slabs.weight, slabs.unused()), (weight, unused));
        let mut kept = buffers.swap_remove(0);
        kept.extend_from_slice(b"kept");
        drop(buffers);
        slabs.reuse(weight / 2);
        assert!(slabs.weight > 0 && slabs.weight <= weight / 2);
        for mut buffer in fill(&mut slabs) {
            buffer.extend_from_slice(&[7; 30]);
        }
        assert_eq!(&kept[..], b"kept");
    }

    #[test]
    #[should_panic(expected = "a buffer does not grow")]
    fn a_full_buffer_takes_no_more() {
        let mut buffer = Slabs::new(MOST).buffer(3);
        buffer.extend_from_slice(b"abc");
        buffer.push(b'd');
    }

    #[test]
    fn buffers_go_to_other_threads() {
        let mut slabs = Slabs::new(MOST);
        let mut buffers = [slabs.buffer(9), slabs.buffer(9)];
        std::thread::scope(|scope| {
            for (n, buffer) in buffers.iter_mut().enumerate() {
                scope.spawn(move || buffer.extend_from_slice(&[n as u8; 9]));
            }
        });
        assert!(
            buffers[0].iter().all(|&byte| byte == 0) && buffers[1].iter().all(|&byte| byte == 1)
        );
        assert!(Buffer::default().is_empty());
    }
}
