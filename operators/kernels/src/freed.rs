//! Settings of the allocator for memory that is freed.

#![allow(unsafe_code, reason = "a call of the C library")]

/// Allocations from so many bytes on are given back at once.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: libc::c_int = 256 << 10;

/// So many free bytes at the end of a heap are kept; this is the setting of glibc before it learns.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT: libc::c_int = 128 << 10;

/// Asks the allocator to give large allocations back to the system as soon as they are freed, from now on,
/// in the whole process.
///
/// By default the one of glibc learns from what is freed to keep more: up to 64 MiB for each thread. That is
/// faster, and too much for a process with many threads and little memory: six of them kept 9 MiB each
/// of windows and buffers, of which all together used 30. Other allocators are left as they are.
///
/// ```
/// creel_kernels::return_freed();
/// assert_eq!(vec![1_u8; 1 << 20].len(), 1 << 20);
/// ```
pub fn return_freed() {
    // Not under miri, which has no such allocator.
    #[cfg(all(target_os = "linux", target_env = "gnu", not(miri)))]
    // SAFETY: it takes numbers, may be called at any time, and what it refuses stays as it was.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
    }
}
