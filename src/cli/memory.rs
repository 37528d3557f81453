//! The memory that a run may use: what was asked for, or half of what there is.

use std::fs;
use std::path::Path;

use crate::run::READY;

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
    let memory = asked.or_else(|| Some(there_is(Path::new("/"))? / 2))?;
    let memory = memory.saturating_sub(FIXED);
    let blocks = (threads as u64 * BLOCKS * blocksize as u64 + READY as u64).min(memory / 2);
    Some((memory - blocks) / 4 * 3)
}

/// The memory of this machine, or of this process's control group, if that is less.
fn there_is(root: &Path) -> Option<u64> {
    let info = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let total = total.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10;
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (kinds, group) = (parts.next()?, parts.next()?.trim_start_matches('/'));
        let (folder, file) = match kinds {
            "" => (root.join("sys/fs/cgroup"), "memory.max"),
            _ if kinds.split(',').any(|kind| kind == "memory") => {
                (root.join("sys/fs/cgroup/memory"), "memory.limit_in_bytes")
            }
            _ => return None,
        };
        // In a container, the path may be that outside of it, and the limit stand at the top.
        let limit = [folder.join(group), folder]
            .iter()
            .find_map(|folder| fs::read_to_string(folder.join(file)).ok())?;
        limit.trim().parse::<u64>().ok()
    });
    limits.chain([total]).min()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        write("proc/self/cgroup", "5:cpu:/\n3:memory,other:/elsewhere\n");
        write("sys/fs/cgroup/memory/memory.limit_in_bytes", "8192\n");
        assert_eq!(there_is(root.path()), Some(8192));
    }

    #[test]
    fn blocks_have_their_part_of_what_was_asked_for() {
        assert_eq!(for_states(Some(512 << 20), 2, 1 << 20), Some(354 << 20));
        assert_eq!(for_states(Some(64 << 20), 64, 1 << 20), Some(18 << 20));
        assert_eq!(for_states(Some(1), 2, 1 << 20), Some(0));
    }
}
