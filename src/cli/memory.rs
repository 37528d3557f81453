//! The memory that a run may use: what was asked for, or half of what there is.

use crate::block::Windows;
use crate::run::memory;

/// How a run divides its memory.
#[derive(Debug, Clone)]
pub(super) struct Division {
    /// Threads, as many as were asked for if there is memory for each.
    pub(super) threads: usize,
    /// Bytes for states; `None` if nobody knows how much there is.
    pub(super) states: Option<u64>,
    /// Bytes that are fetched ahead from a store.
    pub(super) ahead: usize,
    /// Bytes of a block: as many as were asked for, if one thread has memory for such blocks.
    pub(super) blocksize: usize,
    /// The longest record, if there is a limit that was not asked for.
    pub(super) longest_record: Option<u64>,
    /// Windows of decoders.
    pub(super) windows: Windows,
}

/// The most that is fetched ahead.
const AHEAD: u64 = 32 << 20;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) memory: Option<u64>,
    pub(super) threads: usize,
    pub(super) blocksize: usize,
    /// The longest record that is allowed: a block is as long as its longest record.
    pub(super) max_record: Option<u64>,
    /// The bytes of a thread's state, about.
    pub(super) state: u64,
}

/// Divides memory among as many of the threads as it does for.
pub(super) fn divide(asked: Asked) -> Division {
    let Asked { threads, blocksize, .. } = asked;
    let Some(memory) = asked.memory.or_else(memory::default) else {
        let (ahead, windows) = (AHEAD as usize, Windows::default());
        return Division { threads, states: None, ahead, blocksize, longest_record: None, windows };
    };
    let blocksize = memory::blocksize(memory, blocksize);
    let longest = memory::longest_record(memory);
    // Records that are longer than they would be unasked take as much as blocks of that size.
    let longer = asked.max_record.filter(|&record| record > longest.max(blocksize as u64));
    let block = longer.map_or(blocksize, |record| usize::try_from(record).unwrap_or(usize::MAX));
    let threads = memory::threads(memory, threads, block, asked.state);
    Division {
        threads,
        states: Some(memory::for_states(memory, threads, blocksize)),
        ahead: (memory / 8).min(AHEAD) as usize,
        blocksize,
        longest_record: Some(longest),
        windows: Windows::of_lanes(memory, threads),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_bounds_threads_blocks_and_what_is_fetched_ahead() {
        let divided = |memory: u64, blocksize, max_record, state| {
            let memory = Some(memory << 20);
            let division = divide(Asked { memory, threads: 32, blocksize, max_record, state });
            let states = division.states.expect("memory was named") >> 20;
            (division.threads, states, division.ahead >> 20, division.blocksize >> 10)
        };
        assert_eq!(divided(4096, 1 << 20, None, 16 << 20), (32, 2385, 32, 1024));
        assert_eq!(divided(64, 1 << 20, None, 16 << 20), (1, 28, 8, 1024));
        assert_eq!(divided(64, 1 << 20, None, 0).0, 6);
        assert_eq!(divided(64, 1 << 30, None, 0), (2, 21, 8, 3072));
        assert_eq!(divided(64, 1 << 20, Some(8 << 20), 0).0, 1);
        assert_eq!(divided(64, 1 << 20, Some(100), 0).0, 6);
    }
}
