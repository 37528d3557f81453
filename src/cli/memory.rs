//! The memory that a run may use: what was asked for, or half of what there is.

use crate::run::{READY, memory};

/// Bytes that go to what is read and written, and to the process itself, besides blocks.
const FIXED: u64 = 16 << 20;

/// Blocks that a lane has about it: what it reads and works on, and buffers that go round.
const BLOCKS: u64 = 8;

/// Bytes for the states of a run of so many threads, out of what it may use; `None` if nobody knows
/// how much there is.
///
/// Blocks, those about lanes and those that lie ready, take half at most, so that many threads leave
/// something for states. A quarter of what is left is for what is merged in the end, and for what an
/// allocator keeps.
pub(super) fn for_states(asked: Option<u64>, threads: usize, blocksize: usize) -> Option<u64> {
    let memory = asked.or_else(memory::default)?;
    let memory = memory.saturating_sub(FIXED);
    let blocks = (threads as u64 * BLOCKS * blocksize as u64 + READY as u64).min(memory / 2);
    Some((memory - blocks) / 4 * 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_their_part_of_what_was_asked_for() {
        assert_eq!(for_states(Some(512 << 20), 2, 1 << 20), Some(354 << 20));
        assert_eq!(for_states(Some(64 << 20), 64, 1 << 20), Some(18 << 20));
        assert_eq!(for_states(Some(1), 2, 1 << 20), Some(0));
    }
}
