//! How a run divides its memory before it begins: how many lanes, how large blocks, and the room that is left.

/// Bytes of blocks that may lie ready for lanes that are busy yet: those that come of gzip while a
/// lane divides all of a table.
pub(crate) const READY: usize = 8 << 20;

/// Bytes that go to what is read and written, and to the process itself, besides blocks.
const FIXED: u64 = 16 << 20;

/// Blocks that a lane has about it: what it reads and works on, and buffers that go round.
const BLOCKS: u64 = 8;

/// Up to this number of lanes, hardly two spill at once.
const FEW: usize = 2;

/// The smallest block that is taken for want of memory.
const LEAST_BLOCK: u64 = 64 << 10;

/// Of the room of one lane, the part that the allocator keeps, and what is cut and written takes.
const OVERHEAD: u64 = 8;

/// The memory that lanes of a run need besides their states.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "cli"), allow(dead_code))]
pub(crate) struct LaneNeeds {
    /// The memory of the run.
    memory: u64,
    /// The bytes of a block.
    blocksize: usize,
    /// The bytes of a block that were asked for.
    asked: usize,
}

#[cfg_attr(not(feature = "cli"), allow(dead_code))]
impl LaneNeeds {
    /// Blocks as large as were asked for, if one lane has enough of them in half of this memory; else
    /// smaller ones.
    pub(crate) fn new(memory: u64, blocksize: usize) -> Self {
        let most = (memory.saturating_sub(FIXED) / 2 / BLOCKS).max(LEAST_BLOCK);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Self { memory, blocksize: blocksize.min(most), asked: blocksize }
    }

    /// The bytes of a block.
    pub(crate) fn blocksize(self) -> usize {
        self.blocksize
    }

    /// As many lanes of those asked for as the memory does for, where records are up to `record` bytes
    /// long: each has blocks about it, and those whose states are large (`state` bytes a lane) have no more
    /// than half of the memory for both.
    pub(crate) fn lanes(self, asked: usize, record: u64, state: u64) -> usize {
        let block = BLOCKS.saturating_mul(record.max(self.blocksize as u64)).max(1);
        let most = if state == 0 { self.all() / block } else { self.all() / 2 / block.max(state) };
        asked.min(usize::try_from(most).unwrap_or(usize::MAX)).max(1)
    }

    /// Bytes that the owners of a run may reserve in all, lanes among them.
    pub(crate) fn all(self) -> u64 {
        self.memory.saturating_sub(FIXED)
    }

    /// Bytes that `lanes` lanes leave for states and all else.
    ///
    /// Blocks, those about lanes and those that lie ready, take half at most, so that something is left
    /// for states. An eighth of what is left is for what an allocator keeps, and for what is cut and written;
    /// three where there are many lanes, which may spill at once and have a share of the allocator each.
    pub(crate) fn room(self, lanes: usize) -> u64 {
        let blocks = (lanes as u64).saturating_mul(BLOCKS).saturating_mul(self.blocksize as u64);
        let left = self.all() - blocks.saturating_add(READY as u64).min(self.all() / 2);
        left / OVERHEAD * if lanes > FEW { OVERHEAD - 3 } else { OVERHEAD - 1 }
    }

    /// The memory in which one lane leaves `room` bytes.
    pub(crate) fn least(self, room: u64) -> u64 {
        let left = room / (OVERHEAD - 1) * OVERHEAD;
        let blocks = BLOCKS * self.asked as u64 + READY as u64;
        FIXED + left.saturating_add(blocks.min(left)) + (1 << 20)
    }
}

/// The longest record that is read in this much memory, in bytes.
///
/// While it is read it takes up to twice its length, and what is made of it as much again; there may
/// be one such record in each thread, and in blocks that wait.
pub(crate) fn longest_record(memory: u64) -> u64 {
    const LEAST: u64 = 1 << 20;
    (memory / 64).max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_their_part_of_what_was_asked_for() {
        let room = |memory, lanes| LaneNeeds::new(memory, 1 << 20).room(lanes);
        assert_eq!(room(512 << 20, 2), 413 << 20);
        assert_eq!(room(64 << 20, 64), 15 << 20);
        assert_eq!(room(1, 2), 0);
    }

    #[test]
    fn lanes_are_fewer_where_memory_is_short_and_one_at_least() {
        let lanes = |memory: u64| LaneNeeds::new(memory << 20, 1 << 20).lanes(32, 0, 16 << 20);
        assert_eq!([0, 48, 64, 96, 128, 512, 2048].map(lanes), [1, 1, 1, 2, 3, 15, 32]);
        assert_eq!(LaneNeeds::new(64 << 20, 1 << 20).lanes(32, 1 << 30, 0), 1);
    }

    #[test]
    fn lanes_that_end_leave_more_room_and_more_memory_leaves_no_less() {
        for blocksize in [64 << 10, 1 << 20, 1 << 30] {
            for memory in (0..4096).step_by(7) {
                let of = |memory: u64| LaneNeeds::new(memory << 20, blocksize);
                for lanes in 1..70 {
                    assert!(of(memory).room(lanes + 1) <= of(memory).room(lanes));
                }
                assert!(of(memory).room(1) <= of(memory + 7).room(1), "{memory}, {blocksize}");
            }
        }
    }

    #[test]
    fn the_least_memory_for_a_state_has_room_for_it() {
        for blocksize in [64 << 10, 1 << 20, 1 << 30] {
            for state in [0, 1, 1 << 20, 19 << 20, 100 << 20, 3 << 30] {
                let least = LaneNeeds::new(64 << 20, blocksize).least(state);
                assert!(LaneNeeds::new(least, blocksize).room(1) >= state, "{state}, {blocksize}");
            }
        }
    }
}
