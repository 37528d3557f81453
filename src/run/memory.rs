//! The memory that there is, and what one record may take of it.

use std::fs;
use std::path::Path;

/// The memory that a run may use where nobody says it: half of what there is; `None` if nobody knows
/// how much that is.
pub(crate) fn default() -> Option<u64> {
    Some(there_is(Path::new("/"))? / 2)
}

/// The longest record that is read in this much memory, in bytes.
///
/// While it is read it takes up to twice its length, and what is made of it as much again; there may
/// be one such record in each of several threads.
pub(crate) fn longest_record(memory: u64) -> u64 {
    const LEAST: u64 = 1 << 20;
    (memory / 8).max(LEAST)
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
}
