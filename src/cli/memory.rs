//! The memory that a run may use: what was asked for, or half of what there is.

use crate::run::memory;

/// How a run divides its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Division {
    /// Threads, as many as were asked for if there is memory for each.
    pub(super) threads: usize,
    /// Bytes for states; `None` if nobody knows how much there is.
    pub(super) states: Option<u64>,
    /// Bytes that are fetched ahead from a store.
    pub(super) ahead: usize,
}

/// The most that is fetched ahead.
const AHEAD: u64 = 32 << 20;

/// Divides memory among as many of these threads as it does for, of which each has blocks of this
/// size about it, and a state of about so many bytes.
pub(super) fn divide(asked: Option<u64>, threads: usize, blocksize: usize, state: u64) -> Division {
    match asked.or_else(memory::default) {
        None => Division { threads, states: None, ahead: AHEAD as usize },
        Some(memory) => {
            let threads = memory::threads(memory, threads, blocksize, state);
            let states = Some(memory::for_states(memory, threads, blocksize));
            Division { threads, states, ahead: (memory / 8).min(AHEAD) as usize }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_bounds_threads_and_what_is_fetched_ahead() {
        let ample = divide(Some(4 << 30), 32, 1 << 20, 16 << 20);
        assert_eq!((ample.threads, ample.ahead), (32, 32 << 20));
        let scarce = divide(Some(64 << 20), 32, 1 << 20, 16 << 20);
        assert_eq!(scarce, Division { threads: 1, states: Some(28 << 20), ahead: 8 << 20 });
        assert_eq!(divide(Some(64 << 20), 32, 1 << 20, 0).threads, 6);
    }
}
