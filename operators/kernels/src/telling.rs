//! An allocator that tells of what the system refuses before the process ends.

#![allow(unsafe_code, reason = "the trait of allocators is unsafe")]

use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator. Where that refuses a small allocation, which nobody is prepared for, a
/// function is called that ends the process, in place of an abort.
///
/// Large ones are asked for by [`reserve`](crate::reserve) and its like, which go on after a refusal.
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: creel_kernels::Telling = creel_kernels::Telling::new(no_memory);
///
/// /// Does not allocate.
/// fn no_memory() -> ! {
///     std::process::exit(3)
/// }
///
/// assert_eq!(vec![1, 2, 3].len(), 3);
/// # #[cfg(not(miri))] // The interpreter ends itself.
/// assert!(Vec::<u8>::new().try_reserve(usize::MAX / 2).is_err(), "a large one is only refused");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Telling(fn() -> !);

/// Allocations below this are small.
const SMALL: usize = 64 << 10;

impl Telling {
    /// The allocator that calls this function, which must not allocate, unwind or wait for a lock of
    /// this thread.
    pub const fn new(refused: fn() -> !) -> Self {
        Self(refused)
    }

    #[inline]
    fn told(self, start: *mut u8, size: usize) -> *mut u8 {
        if start.is_null() && size < SMALL {
            (self.0)();
        }
        start
    }
}

// SAFETY: all is what the system's allocator gives, or the process has ended.
unsafe impl GlobalAlloc for Telling {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        self.told(unsafe { System.alloc(layout) }, layout.size())
    }

    #[inline]
    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(start, layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        self.told(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    #[inline]
    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        self.told(unsafe { System.realloc(start, layout, size) }, size)
    }
}
