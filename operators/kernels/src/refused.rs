//! Memory that the system refuses: an unwinding that says how much, in place of an abort.
//!
//! Vectors and tables that grow with the input reserve their room here. A refusal unwinds to whoever
//! runs the work, who makes an error of it. The panic hook is not called, since this is no fault of the
//! program.

#![allow(unsafe_code, reason = "no safe allocation of zeros returns on failure")]

use std::alloc::{Layout, alloc_zeroed};
use std::panic::resume_unwind;

/// An allocation that was refused: what an unwinding carries.
///
/// ```
/// use std::panic::catch_unwind;
///
/// let refused = catch_unwind(|| creel_kernels::reserve(&mut Vec::<u64>::new(), usize::MAX));
/// let refused = refused.unwrap_err().downcast::<creel_kernels::Refused>().unwrap();
/// assert_eq!(refused.bytes(), usize::MAX);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    bytes: usize,
}

impl Refused {
    /// Unwinds with a refusal of so many bytes.
    pub(crate) fn unwind(bytes: usize) -> ! {
        resume_unwind(Box::new(Self { bytes }))
    }

    /// How many bytes were asked for at once.
    pub fn bytes(self) -> usize {
        self.bytes
    }
}

/// Reserves room for so many values more, as [`Vec::reserve`] does.
///
/// # Panics
///
/// Unwinds with [`Refused`] if the system has no memory for them.
///
/// ```
/// let mut numbers = vec![1_u64];
/// creel_kernels::reserve(&mut numbers, 99);
/// assert!(numbers.capacity() >= 100);
/// ```
#[inline]
pub fn reserve<T>(values: &mut Vec<T>, more: usize) {
    if values.try_reserve(more).is_err() {
        refuse::<T>(values.len().saturating_add(more));
    }
}

/// Reserves room for so many values more and for none besides, as [`Vec::reserve_exact`] does.
///
/// # Panics
///
/// As [`reserve`].
///
/// ```
/// let mut numbers: Vec<u64> = Vec::new();
/// creel_kernels::reserve_exact(&mut numbers, 99);
/// assert!(numbers.capacity() >= 99);
/// ```
#[inline]
pub fn reserve_exact<T>(values: &mut Vec<T>, more: usize) {
    if values.try_reserve_exact(more).is_err() {
        refuse::<T>(values.len().saturating_add(more));
    }
}

/// So many zeros. Their pages are touched when they are used, as those of `vec![0; len]`.
///
/// # Panics
///
/// As [`reserve`].
///
/// ```
/// assert_eq!(creel_kernels::zeroed(3), [0, 0, 0]);
/// assert_eq!(creel_kernels::zeroed(0), []);
/// ```
pub fn zeroed(len: usize) -> Vec<u8> {
    let Ok(layout) = Layout::array::<u8>(len) else { refuse::<u8>(len) };
    if len == 0 {
        return Vec::new();
    }
    // SAFETY: the layout's size is not 0.
    let start = unsafe { alloc_zeroed(layout) };
    if start.is_null() {
        refuse::<u8>(len);
    }
    // SAFETY: the global allocator gave `len` bytes there, aligned as bytes are, and all of them are
    // initialised.
    unsafe { Vec::from_raw_parts(start, len, len) }
}

#[cold]
fn refuse<T>(values: usize) -> ! {
    Refused::unwind(values.saturating_mul(size_of::<T>()))
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    /// The bytes that a refusal names.
    fn refused(work: impl FnOnce() + std::panic::UnwindSafe) -> usize {
        let panic = catch_unwind(work).expect_err("there is not as much memory");
        panic.downcast::<Refused>().expect("it says why").bytes()
    }

    #[test]
    #[cfg_attr(miri, ignore = "an interpreter ends itself instead of refusing memory")]
    fn memory_that_there_is_not_unwinds_with_its_size() {
        const MUCH: usize = isize::MAX as usize / 2;
        assert_eq!(refused(|| reserve(&mut vec![0_u8; 7], MUCH)), MUCH + 7);
        assert_eq!(refused(|| reserve_exact(&mut Vec::<u16>::new(), MUCH / 2)), MUCH / 2 * 2);
        assert_eq!(refused(|| drop(zeroed(MUCH))), MUCH);
        assert_eq!(refused(|| drop(zeroed(usize::MAX))), usize::MAX);
    }

    #[test]
    fn zeros_can_grow_and_go_as_other_bytes() {
        let mut bytes = zeroed(5000);
        bytes.push(1);
        assert_eq!(bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>(), 1);
    }
}
