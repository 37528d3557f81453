//! A slice in huge pages, where the system has them.
//!
//! Miri has neither maps nor advice: it runs the way through an allocator, which other systems take.

#![allow(unsafe_code, reason = "no safe allocation is aligned to pages, or can ask for huge ones")]

use std::alloc::{Layout, alloc, dealloc};
use std::fmt;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use crate::Refused;

/// The size of a huge page on the processors that have them: less is not worth one. An interpreter
/// makes do with less.
const PAGE: usize = if cfg!(miri) { 4 << 10 } else { 2 << 20 };

/// What is at least as large is mapped by itself, and so goes back to the system as soon as it is given
/// back: an allocator keeps what lies between other things, which adds up to several times what is in
/// use where tables are cut, written and begun anew.
#[cfg(all(target_os = "linux", not(miri)))]
const MAPPED: usize = 128 << 10;

/// The bytes of a cache line: values whose size divides it lie in one each.
const LINE: usize = 64;

/// A slice of fixed length, in huge pages if it fills them, and at the start of a cache line.
///
/// What is looked up at random in much memory misses the processor's table of pages as often as its
/// caches; and a page that is touched first costs a call of the kernel, for 4 KiB or for 2 MiB alike.
/// Where the system has no huge pages, or gives none, it is a slice like others.
///
/// ```
/// let mut slots = creel_kernels::Huge::filled(7_u64, 4);
/// slots[1] = 8;
/// assert_eq!(slots[..], [7, 8, 7, 7]);
/// ```
pub struct Huge<T> {
    start: NonNull<T>,
    len: usize,
}

// SAFETY: it owns its values, as a boxed slice does: they go to another thread with it.
unsafe impl<T: Send> Send for Huge<T> {}
// SAFETY: a shared one gives shared references to its values only.
unsafe impl<T: Sync> Sync for Huge<T> {}

/// Whether this is mapped by itself, and so zeros. (No map is aligned to more than a small page unasked.)
#[cfg(all(target_os = "linux", not(miri)))]
fn is_mapped(layout: Layout) -> bool {
    layout.size() >= MAPPED && (layout.align() <= 4096 || layout.align() == PAGE)
}

/// Memory that nobody has touched, from the system itself where it has huge pages: what comes from an
/// allocator has been touched, and what goes back to it may stay there. Null if there is none.
#[cfg(all(target_os = "linux", not(miri)))]
fn memory(layout: Layout) -> *mut u8 {
    if !is_mapped(layout) {
        // SAFETY: the layout's size is not 0: the caller has looked.
        return unsafe { alloc(layout) };
    }
    let huge = layout.align() == PAGE;
    let (access, kind) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    let room = if huge { whole_pages(layout) + PAGE } else { layout.size() };
    // SAFETY: a new mapping, which replaces none, of memory and of no file.
    let mapped = unsafe { libc::mmap(std::ptr::null_mut(), room, access, kind, -1, 0) };
    if mapped == libc::MAP_FAILED {
        return std::ptr::null_mut();
    }
    let mapped = mapped.cast::<u8>();
    if !huge {
        return mapped;
    }
    let before = mapped.align_offset(PAGE);
    // SAFETY: `before` is less than a huge page, by which the mapping is longer than what is wanted; the
    // ends that are unmapped are whole pages of it, and nobody has their addresses. The advice changes
    // how the rest is backed, not what is in it; that it may be refused is of no concern.
    unsafe {
        let start = mapped.add(before);
        if before > 0 {
            libc::munmap(mapped.cast(), before);
        }
        if before < PAGE {
            libc::munmap(start.add(whole_pages(layout)).cast(), PAGE - before);
        }
        libc::madvise(start.cast(), whole_pages(layout), libc::MADV_HUGEPAGE);
        start
    }
}

/// Gives back what [`memory`] gave.
///
/// # Safety
///
/// It has to be that, for this layout, and nobody may use it again.
#[cfg(all(target_os = "linux", not(miri)))]
unsafe fn give_back(start: *mut u8, layout: Layout) {
    if !is_mapped(layout) {
        // SAFETY: `memory` has it from `alloc`, for this layout.
        unsafe { dealloc(start, layout) };
    } else {
        let huge = layout.align() == PAGE;
        let mapped = if huge { whole_pages(layout) } else { layout.size() };
        // SAFETY: `memory` mapped as much there, and the caller says that nobody uses it. The system
        // rounds the length up to whole pages, as it did when it mapped them.
        unsafe { libc::munmap(start.cast(), mapped) };
    }
}

/// The size of memory of its own pages.
#[cfg(all(target_os = "linux", not(miri)))]
fn whole_pages(layout: Layout) -> usize {
    layout.size().next_multiple_of(PAGE)
}

/// Nothing is mapped: what an allocator gives may have been used before.
#[cfg(not(all(target_os = "linux", not(miri))))]
fn is_mapped(_: Layout) -> bool {
    false
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn memory(layout: Layout) -> *mut u8 {
    // SAFETY: the layout's size is not 0: the caller has looked.
    unsafe { alloc(layout) }
}

/// # Safety
///
/// It has to be what `memory` gave for this layout, and nobody may use it again.
#[cfg(not(all(target_os = "linux", not(miri))))]
unsafe fn give_back(start: *mut u8, layout: Layout) {
    // SAFETY: `memory` has it from `alloc`, for this layout.
    unsafe { dealloc(start, layout) };
}

impl<T: Copy> Huge<T> {
    /// A slice of so many of these values.
    ///
    /// # Panics
    ///
    /// If it were longer than memory can be. Unwinds with [`Refused`] if the system has no memory for it.
    pub fn filled(value: T, len: usize) -> Self {
        let start = Self::allocate(len);
        for at in 0..len {
            // SAFETY: `at` is below `len`, for which the memory was allocated, with the alignment of T.
            unsafe { start.add(at).write(value) };
        }
        Self { start, len }
    }
}

impl Huge<u8> {
    /// A slice of zeros, whose pages are touched when they are used.
    ///
    /// # Panics
    ///
    /// If it were longer than memory can be. Unwinds with [`Refused`] if the system has no memory for it.
    ///
    /// ```
    /// assert_eq!(creel_kernels::Huge::zeroed(300_000).iter().max(), Some(&0));
    /// ```
    pub fn zeroed(len: usize) -> Self {
        let start = Self::allocate(len);
        if !is_mapped(Self::layout(len)) {
            // SAFETY: memory was allocated for `len` bytes; for none the pointer is only aligned, as is
            // asked for.
            unsafe { start.write_bytes(0, len) };
        }
        Self { start, len }
    }
}

impl<T> Huge<MaybeUninit<T>> {
    /// Makes a slice of `len` uninitialised values.
    ///
    /// # Panics
    ///
    /// If it were longer than memory can be. Unwinds with [`Refused`] if the system has no memory for it.
    ///
    /// ```
    /// let mut places = creel_kernels::Huge::<std::mem::MaybeUninit<u8>>::unwritten(3);
    /// assert_eq!(*places[2].write(7), 7);
    /// ```
    pub fn unwritten(len: usize) -> Self {
        Self { start: Self::allocate(len), len }
    }
}

impl<T> Huge<T> {
    /// Memory for so many values.
    fn allocate(len: usize) -> NonNull<T> {
        const { assert!(align_of::<T>() <= PAGE, "memory is aligned to huge pages at most") };
        let layout = Self::layout(len);
        if layout.size() == 0 {
            return NonNull::dangling();
        }
        let start = NonNull::new(memory(layout).cast::<T>());
        start.unwrap_or_else(|| Refused::unwind(layout.size()))
    }

    /// The start and the length, without a reference to the values.
    pub(crate) fn raw(&self) -> (NonNull<T>, usize) {
        (self.start, self.len)
    }

    /// What is allocated for so many values: at huge pages, if it fills one, and else at a cache line, or as T asks.
    fn layout(len: usize) -> Layout {
        let layout = Layout::array::<T>(len).ok().and_then(|layout| {
            let align = if layout.size() >= PAGE { PAGE } else { LINE };
            layout.align_to(align).ok()
        });
        layout.expect("no slice is longer than memory")
    }
}

impl<T> Drop for Huge<T> {
    fn drop(&mut self) {
        let layout = Self::layout(self.len);
        if layout.size() > 0 {
            // SAFETY: it is from `memory`, for this layout, which depends on the length alone. Values are
            // `Copy` or may be unwritten, as every constructor asks, so that none needs to be dropped.
            unsafe { give_back(self.start.as_ptr().cast(), layout) };
        }
    }
}

impl<T> Deref for Huge<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: `len` values from `start` on were written, and live as long as `self`; they are
        // shared while it is. (Without values `start` is dangling and aligned, as is asked for.)
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for Huge<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and nobody else has a reference while `self` is borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T: Copy> Clone for Huge<T> {
    fn clone(&self) -> Self {
        let Some(&first) = self.first() else {
            return Self { start: NonNull::dangling(), len: self.len };
        };
        let mut clone = Self::filled(first, self.len);
        clone.copy_from_slice(self);
        clone
    }
}

impl<T> Default for Huge<T> {
    fn default() -> Self {
        Self { start: NonNull::dangling(), len: 0 }
    }
}

impl<T: fmt::Debug> fmt::Debug for Huge<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_slice_of_any_length() {
        for len in [0, 1, 63, 16 << 10, (16 << 10) + 1, PAGE / 8 - 1, PAGE / 8, PAGE / 8 + 1] {
            let mut slice = Huge::filled(1_u64, len);
            assert_eq!(slice.len(), len);
            assert!(slice.iter().all(|&n| n == 1));
            if let Some(last) = slice.last_mut() {
                *last = 2;
            }
            let clone = slice.clone();
            let align = if size_of_val(&slice[..]) < PAGE { LINE } else { PAGE };
            for slice in [&slice, &clone] {
                assert!(len == 0 || slice.as_ptr().addr() % align == 0);
            }
            drop(slice);
            assert_eq!(clone.iter().sum::<u64>(), len as u64 + u64::from(len > 0));
        }
    }

    #[test]
    fn zeros_are_zeros_where_other_memory_was_given_back() {
        // A megabyte takes minutes where it is interpreted.
        let large: &[usize] = if cfg!(miri) { &[] } else { &[16 << 10, (1 << 20) + 1] };
        for len in [0, 1, 1000, PAGE + 1].into_iter().chain(large.iter().copied()) {
            drop(Huge::filled(7_u8, len));
            let mut zeros = Huge::zeroed(len);
            assert!(zeros.len() == len && zeros.iter().all(|&byte| byte == 0));
            zeros.fill(7);
        }
    }

    #[test]
    fn values_without_a_size_take_none() {
        let units = Huge::filled((), 5);
        assert_eq!((units.len(), units.clone().len(), Huge::<u8>::default().len()), (5, 5, 0));
    }

    #[test]
    fn values_are_aligned_as_they_ask() {
        #[derive(Clone, Copy)]
        #[repr(align(256))]
        struct Wide(u8);
        for len in [0, 1, 3] {
            let wide = Huge::filled(Wide(7), len);
            assert_eq!(wide.as_ptr().addr() % 256, 0);
            assert_eq!(wide.iter().map(|wide| usize::from(wide.0)).sum::<usize>(), 7 * len);
        }
    }

    #[test]
    fn it_goes_to_other_threads() {
        let slice = Huge::filled(3_u32, 9);
        let sum = std::thread::spawn(move || slice.iter().sum::<u32>()).join();
        assert_eq!(sum.ok(), Some(27));
    }
}
