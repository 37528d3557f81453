//! The memory that there is, and what one record may take of it.

use std::fs;
use std::path::{Path, PathBuf};

use super::READY;

/// The memory that a run may use where nobody says it: half of what there is; `None` if nobody knows
/// how much that is.
pub(crate) fn default() -> Option<u64> {
    Some(there_is(Path::new("/"))?.min(of_process()) / 2)
}

/// Bytes that go to what is read and written, and to the process itself, besides blocks.
const FIXED: u64 = 16 << 20;

/// Blocks that a thread has about it: what it reads and works on, and buffers that go round.
const BLOCKS: u64 = 8;

/// So many threads are not many.
#[cfg_attr(not(feature = "cli"), allow(dead_code))]
const FEW: usize = 2;

/// As many threads of those asked for as this memory does for: each has blocks about it, and those
/// whose states are large (`state` bytes a thread) have no more than half of the memory for both.
#[cfg_attr(not(feature = "cli"), allow(dead_code))]
pub(crate) fn threads(memory: u64, asked: usize, blocksize: usize, state: u64) -> usize {
    let memory = memory.saturating_sub(FIXED);
    let blocks = BLOCKS.saturating_mul(blocksize as u64).max(1);
    let most = if state == 0 { memory / blocks } else { memory / 2 / blocks.max(state) };
    asked.min(usize::try_from(most).unwrap_or(usize::MAX)).max(1)
}

/// Bytes for the states of a run of so many threads, out of what it may use.
///
/// Blocks, those about threads and those that lie ready, take half at most, so that something is left
/// for states. An eighth of what is left is for what an allocator keeps, and for what is cut and written;
/// three where there are many threads, which may spill at once and have a share of the allocator each.
#[cfg_attr(not(feature = "cli"), allow(dead_code))]
pub(crate) fn for_states(memory: u64, threads: usize, blocksize: usize) -> u64 {
    let memory = memory.saturating_sub(FIXED);
    let blocks = (threads as u64).saturating_mul(BLOCKS).saturating_mul(blocksize as u64);
    let left = memory - blocks.saturating_add(READY as u64).min(memory / 2);
    left / 8 * if threads > FEW { 5 } else { 7 }
}

/// The memory of which this much is left for states, whatever the number of threads.
#[cfg_attr(not(feature = "cli"), allow(dead_code))]
pub(crate) fn least(state: u64) -> u64 {
    // With few threads an eighth is the allocator's, with many three, and half is for blocks.
    let few = 2 * (READY as u64) + state / 7 * 8;
    let many = state / 5 * 16;
    FIXED + few.max(many) + (1 << 20)
}

/// The longest record that is read in this much memory, in bytes.
///
/// While it is read it takes up to twice its length, and what is made of it as much again; there may
/// be one such record in each thread, and in blocks that wait.
pub(crate) fn longest_record(memory: u64) -> u64 {
    const LEAST: u64 = 1 << 20;
    (memory / 64).max(LEAST)
}

/// The largest blocks, up to those asked for, of which one thread has enough in half of this memory.
#[cfg_attr(not(feature = "cli"), allow(dead_code))]
pub(crate) fn blocksize(memory: u64, asked: usize) -> usize {
    const LEAST: u64 = 64 << 10;
    let most = (memory.saturating_sub(FIXED) / 2 / BLOCKS).max(LEAST);
    asked.min(usize::try_from(most).unwrap_or(usize::MAX))
}

/// The memory that the limits of this process (`ulimit -v`, `-d`) leave it.
#[cfg(unix)]
fn of_process() -> u64 {
    use rustix::process::{Resource, getrlimit};
    let limits = [Resource::As, Resource::Data].map(|resource| getrlimit(resource).current);
    limits.into_iter().flatten().min().unwrap_or(u64::MAX)
}

#[cfg(not(unix))]
fn of_process() -> u64 {
    u64::MAX
}

/// The memory of this machine, or of this process's control group or one that that is in, if that is
/// less.
fn there_is(root: &Path) -> Option<u64> {
    let info = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let total = total.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10;
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (kinds, group) = (parts.next()?, parts.next()?.trim_start_matches('/'));
        let (folder, files) = match kinds {
            "" => ("sys/fs/cgroup", &["memory.max", "memory.high"][..]),
            _ if kinds.split(',').any(|kind| kind == "memory") => {
                ("sys/fs/cgroup/memory", &["memory.limit_in_bytes"][..])
            }
            _ => return None,
        };
        // A group has no more than those that it is in. In a container, the path may be that outside of
        // it, and the limit stand at the top.
        let folder = root.join(folder);
        let limit = |file: PathBuf| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
        let folders = Path::new(group).ancestors().map(|group| folder.join(group));
        folders
            .flat_map(|folder| files.iter().map(move |file| folder.join(file)))
            .filter_map(limit)
            .min()
    });
    limits.chain([total]).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_their_part_of_what_was_asked_for() {
        assert_eq!(for_states(512 << 20, 2, 1 << 20), 413 << 20);
        assert_eq!(for_states(64 << 20, 64, 1 << 20), 15 << 20);
        assert_eq!(for_states(1, 2, 1 << 20), 0);
    }

    #[test]
    fn threads_are_fewer_where_memory_is_short_and_one_at_least() {
        let mib = |memory: u64| threads(memory << 20, 32, 1 << 20, 16 << 20);
        assert_eq!([0, 48, 64, 96, 128, 512, 2048].map(mib), [1, 1, 1, 2, 3, 15, 32]);
        assert_eq!(threads(64 << 20, 32, 1 << 30, 0), 1);
    }

    #[test]
    fn the_least_memory_for_a_state_has_room_for_it() {
        for state in [0, 1, 100 << 20, 3 << 30] {
            for threads in [1, 2, 3, 8, 32, 1000] {
                assert!(for_states(least(state), threads, 1 << 20) >= state);
            }
        }
    }

    #[test]
    fn a_control_group_has_less_than_the_machine() {
        let root = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
            fs::write(path, text).expect("it is written");
        };
        assert_eq!(there_is(root.path()), None);
        write("proc/meminfo", "MemTotal:        1000 kB\nMemFree:  5 kB\n");
        assert_eq!(there_is(root.path()), Some(1_024_000));
        write("proc/self/cgroup", "0::/jobs/one\n");
        write("sys/fs/cgroup/jobs/one/memory.max", "max\n");
        assert_eq!(there_is(root.path()), Some(1_024_000));
        write("sys/fs/cgroup/jobs/one/memory.max", "4096\n");
        assert_eq!(there_is(root.path()), Some(4096));
        write("sys/fs/cgroup/jobs/one/memory.high", "3072\n");
        assert_eq!(there_is(root.path()), Some(3072));
        // Of a container in a machine: its group is within one that has less.
        write("sys/fs/cgroup/jobs/memory.max", "2048\n");
        assert_eq!(there_is(root.path()), Some(2048));
        write("proc/self/cgroup", "5:cpu:/\n3:memory,other:/elsewhere\n");
        write("sys/fs/cgroup/memory/memory.limit_in_bytes", "8192\n");
        assert_eq!(there_is(root.path()), Some(8192));
    }
}
