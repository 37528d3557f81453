//! The memory that a run may use: what was asked for, or half of what there is.

use crate::block::Windows;
use crate::memory::{self, LaneNeeds};
use crate::{Error, Result};

/// How a run divides its memory.
#[derive(Debug, Clone)]
pub(super) struct Division {
    /// Threads, as many as were asked for if there is memory for each.
    pub(super) threads: usize,
    /// The memory that threads need besides states; `None` if the limit of the machine is not known.
    pub(super) needs: Option<LaneNeeds>,
    /// Bytes that are fetched ahead from a store, for each thread.
    pub(super) ahead: usize,
    /// True if freed memory is returned to the system at once: the memory was named, or there is little.
    pub(super) returns_freed: bool,
    /// Bytes of a block: as many as were asked for, if one thread has memory for such blocks.
    pub(super) blocksize: usize,
    /// The longest record, if there is a limit that was not asked for.
    pub(super) longest_record: Option<u64>,
    /// Windows of decoders.
    pub(super) windows: Windows,
}

/// The most that is fetched ahead for a thread.
const AHEAD: u64 = 32 << 20;

/// A run in which a thread has no more than this is short of memory: the allocator may keep as much for it. It
/// does so up to a limit that is named, too: two sorts, one behind the other, took 290 MiB of 256, and take 224
/// since all that is freed is given back, in 1.06 times the time; one sort takes the same time.
const SHORT: u64 = 64 << 20;

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
    /// The least memory for all states.
    pub(super) least_state: u64,
}

/// Divides memory among as many of the threads as it does for.
///
/// # Errors
///
/// If there is too little even for one thread; the least that would do is named.
pub(super) fn divide(asked: Asked) -> Result<Division> {
    let Asked { threads, blocksize, .. } = asked;
    let Some(memory) = asked.memory.or_else(memory::default_limit) else {
        let (ahead, windows) = (AHEAD as usize, Windows::default());
        return Ok(Division {
            threads,
            needs: None,
            ahead,
            returns_freed: false,
            blocksize,
            longest_record: None,
            windows,
        });
    };
    let needs = LaneNeeds::new(memory, blocksize);
    if needs.room(1) < asked.least_state {
        let (least, memory) = (needs.least(asked.least_state).div_ceil(1 << 20), memory >> 20);
        let reason = format!(
            "the results of this program need {least} MiB of memory at least, and there are {memory}; name \
             --memory {least}M, or run the results one by one"
        );
        return Err(Error::Plan { reason });
    }
    let blocksize = needs.blocksize();
    let longest = memory::longest_record(memory);
    // Records that are longer than they would be unasked take as much as blocks of that size.
    let longer = asked.max_record.filter(|&record| record > longest);
    let threads = needs.lanes(threads, longer.unwrap_or(0), asked.state);
    Ok(Division {
        threads,
        needs: Some(needs),
        ahead: (memory / 8 / threads as u64).min(AHEAD) as usize,
        returns_freed: asked.memory.is_some() || memory / (threads as u64) <= SHORT,
        blocksize,
        longest_record: Some(longest),
        windows: Windows::of_lanes(memory, threads),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_bounds_threads_blocks_and_what_is_fetched_ahead() {
        let divided = |memory: u64, blocksize, max_record, state| {
            let memory = Some(memory << 20);
            let asked = Asked { memory, threads: 32, blocksize, max_record, state, least_state: 0 };
            let division = divide(asked).expect("it is enough");
            let states = division.needs.expect("memory was named").room(division.threads) >> 20;
            (division.threads, states, division.ahead >> 20, division.blocksize >> 10)
        };
        assert_eq!(divided(4096, 1 << 20, None, 16 << 20), (32, 2385, 16, 1024));
        assert_eq!(divided(64, 1 << 20, None, 16 << 20), (1, 28, 8, 1024));
        assert_eq!(divided(64, 1 << 20, None, 0).0, 6);
        assert_eq!(divided(64, 1 << 30, None, 0), (2, 21, 4, 3072));
        assert_eq!(divided(64, 1 << 20, Some(8 << 20), 0).0, 1);
        assert_eq!(divided(64, 1 << 20, Some(100), 0).0, 6);
    }
}
