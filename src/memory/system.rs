//! The memory that there is on this machine, for this process.

use std::fs;
use std::path::{Path, PathBuf};

/// The memory that a run may use where nobody says it: half of what there is; `None` if nobody knows
/// how much that is.
pub(crate) fn default_limit() -> Option<u64> {
    Some(available_memory(Path::new("/"))?.min(process_limit()) / 2)
}

/// The memory that the limits of this process (`ulimit -v`, `-d`) leave it.
#[cfg(unix)]
fn process_limit() -> u64 {
    use rustix::process::{Resource, getrlimit};
    let limits = [Resource::As, Resource::Data].map(|resource| getrlimit(resource).current);
    limits.into_iter().flatten().min().unwrap_or(u64::MAX)
}

#[cfg(not(unix))]
fn process_limit() -> u64 {
    u64::MAX
}

/// The memory of this machine, or the least limit of this process's control group and of the groups
/// above it, if that is less.
fn available_memory(root: &Path) -> Option<u64> {
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
    fn a_control_group_has_less_than_the_machine() {
        let root = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
            fs::write(path, text).expect("it is written");
        };
        assert_eq!(available_memory(root.path()), None);
        write("proc/meminfo", "MemTotal:        1000 kB\nMemFree:  5 kB\n");
        assert_eq!(available_memory(root.path()), Some(1_024_000));
        write("proc/self/cgroup", "0::/jobs/one\n");
        write("sys/fs/cgroup/jobs/one/memory.max", "max\n");
        assert_eq!(available_memory(root.path()), Some(1_024_000));
        write("sys/fs/cgroup/jobs/one/memory.max", "4096\n");
        assert_eq!(available_memory(root.path()), Some(4096));
        write("sys/fs/cgroup/jobs/one/memory.high", "3072\n");
        assert_eq!(available_memory(root.path()), Some(3072));
        // Of a container in a machine: its group is within one that has less.
        write("sys/fs/cgroup/jobs/memory.max", "2048\n");
        assert_eq!(available_memory(root.path()), Some(2048));
        write("proc/self/cgroup", "5:cpu:/\n3:memory,other:/elsewhere\n");
        write("sys/fs/cgroup/memory/memory.limit_in_bytes", "8192\n");
        assert_eq!(available_memory(root.path()), Some(8192));
    }
}
