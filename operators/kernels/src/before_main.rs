//! A function that runs before `main`.

/// Has a function run before `main`, and before the standard library looks at the process.
///
/// The standard library opens `/dev/null` in place of a standard stream that is closed. A program
/// that must know of a closed stream has to look before that, and this is the only way.
///
/// The function takes nothing, returns nothing and must not panic. It may use atomics and make
/// system calls; the rest of the standard library is not ready for it. The macro works in the
/// crate of an executable, on Linux and on Apple's systems; elsewhere the function does not run.
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
///
/// static SEEN: AtomicBool = AtomicBool::new(false);
///
/// fn look() {
///     SEEN.store(true, Relaxed);
/// }
///
/// creel_kernels::before_main!(look);
/// # #[cfg(any(target_os = "linux", target_vendor = "apple"))]
/// assert!(SEEN.load(Relaxed));
/// ```
#[macro_export]
macro_rules! before_main {
    ($function:path) => {
        const _: () = {
            // SAFETY: these sections hold pointers to functions of the C calling convention, which
            // the system calls at the start of a process; arguments that it passes are ignored.
            // The pointer is the only thing placed there, and its function cannot unwind into C.
            #[used]
            #[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
            #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
            static BEFORE_MAIN: extern "C" fn() = {
                extern "C" fn call() {
                    let function: fn() = $function;
                    function();
                }
                call
            };
        };
    };
}
