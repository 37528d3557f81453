//! What a file system tells of a file, and what has become of the file since.
//!
//! A file has changed on evidence only. Files of /proc and /sys are made as they are read, so that
//! their times and numbers tell nothing; and some network file systems number their files anew.

use std::cmp::Ordering;
use std::fs::{File, Metadata};
use std::time::{Duration, SystemTime};

/// Tells a file from one that takes its place, and from itself after it was written to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Version {
    pub(super) size: u64,
    /// When it was last written to.
    modified: Option<SystemTime>,
    /// Seconds and nanoseconds since 1970 at which it, its name or its mode last changed, which
    /// nobody can set.
    touched: Option<(i64, i64)>,
    /// Its device and its number there, where files have one.
    pub(super) number: Option<(u64, u64)>,
}

/// What has become of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Same,
    /// It is longer: what stood there may be as it was.
    Grown,
    /// It is as long, and was written to, perhaps the same bytes.
    Written,
    /// It was renamed, linked, removed or shared, or was written to and its time set back.
    Touched,
    /// It is shorter, or another file.
    Changed,
}

/// A file that was touched in this time before it is opened may be touched again while it is read.
const LIVE: Duration = Duration::from_secs(60);
/// How coarse the clock of a file system is that keeps no fractions of a millisecond.
const COARSE: Duration = Duration::from_secs(2);

impl Version {
    pub(super) fn of(found: &Metadata) -> Self {
        let modified = found.modified().ok();
        let (number, touched) = (number(found), touched(found));
        Self { size: found.len(), modified, touched, number }
    }

    /// All that is known of it as numbers, if a system tells all of that.
    pub(super) fn numbers(&self) -> Option<[i64; 7]> {
        let modified = self.modified?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let (secs, nanos) = self.touched?;
        let (device, number) = self.number?;
        let (at, and) = (modified.as_secs() as i64, i64::from(modified.subsec_nanos()));
        Some([self.size as i64, at, and, secs, nanos, device as i64, number as i64])
    }

    /// The version with these numbers.
    pub(super) fn of_numbers([size, at, and, secs, nanos, device, number]: [i64; 7]) -> Self {
        let modified = Duration::new(at as u64, and as u32);
        Self {
            size: size as u64,
            modified: SystemTime::UNIX_EPOCH.checked_add(modified),
            touched: Some((secs, nanos)),
            number: Some((device as u64, number as u64)),
        }
    }

    /// When it was last written to.
    #[cfg(feature = "cli")]
    pub(super) fn modified(&self) -> Option<SystemTime> {
        self.modified
    }

    /// When it, its name or its mode last changed.
    #[cfg(feature = "cli")]
    pub(super) fn touched(&self) -> Option<(i64, i64)> {
        self.touched
    }

    /// What has become of a file that was of this version, and of which this is an open one now.
    pub(super) fn fate(&self, now: &Self, file: &File) -> Fate {
        match self.compare(now) {
            Fate::Same => Fate::Same,
            _ if is_made_when_read(file) => Fate::Same,
            Fate::Changed if self.number != now.number && numbers_files_anew(file) => {
                Self { number: now.number, ..*self }.compare(now)
            }
            fate => fate,
        }
    }

    fn compare(&self, now: &Self) -> Fate {
        // A number alone tells nothing: some file systems number their files anew.
        let another = self.number != now.number && self.touched != now.touched;
        match now.size.cmp(&self.size) {
            Ordering::Less => Fate::Changed,
            Ordering::Equal if self.size == 0 => Fate::Same,
            _ if another => Fate::Changed,
            Ordering::Greater => Fate::Grown,
            Ordering::Equal if self.modified != now.modified => Fate::Written,
            Ordering::Equal if self.touched != now.touched => Fate::Touched,
            Ordering::Equal => Fate::Same,
        }
    }

    /// Whether it was touched a short time ago, so that it may be again.
    pub(super) fn is_live(&self) -> bool {
        self.age().is_some_and(|age| age.unsigned_abs() < LIVE.as_nanos())
    }

    /// Whether it was touched so shortly before that the clock of the file system may not tell the
    /// next write from that one.
    pub(super) fn is_fresh(&self) -> bool {
        let Some((_, nanos)) = self.touched else { return false };
        let within = if nanos % 1_000_000 == 0 { COARSE } else { Duration::from_nanos(1) };
        // A clock that is far ahead is another machine's.
        let ahead = -(COARSE.as_nanos() as i128);
        self.age().is_some_and(|age| (ahead..within.as_nanos() as i128).contains(&age))
    }

    /// Nanoseconds since it was touched, by the clock that stamps files.
    fn age(&self) -> Option<i128> {
        let nanos =
            |(secs, nanos): (i64, i64)| i128::from(secs) * 1_000_000_000 + i128::from(nanos);
        Some(nanos(now()) - nanos(self.touched?))
    }
}

#[cfg(unix)]
pub(super) fn number(found: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((found.dev(), found.ino()))
}

#[cfg(unix)]
fn touched(found: &Metadata) -> Option<(i64, i64)> {
    use std::os::unix::fs::MetadataExt;
    Some((found.ctime(), found.ctime_nsec()))
}

#[cfg(not(unix))]
pub(super) fn number(_: &Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(not(unix))]
fn touched(found: &Metadata) -> Option<(i64, i64)> {
    since_1970(found.modified().ok()?)
}

/// The time by the clock that stamps files: the one of the last tick.
#[cfg(target_os = "linux")]
fn now() -> (i64, i64) {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    (now.tv_sec, now.tv_nsec)
}

#[cfg(not(target_os = "linux"))]
fn now() -> (i64, i64) {
    since_1970(SystemTime::now()).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
fn since_1970(time: SystemTime) -> Option<(i64, i64)> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some((i64::try_from(since.as_secs()).ok()?, i64::from(since.subsec_nanos())))
}

/// File systems whose files are made by the kernel as they are read: proc, sysfs, cgroup2,
/// debugfs, tracefs, configfs, securityfs, efivarfs.
#[cfg(target_os = "linux")]
const MADE: [u32; 8] = [
    0x9fa0,
    0x6265_6572,
    0x6367_7270,
    0x6462_6720,
    0x7472_6163,
    0x6265_6570,
    0x7363_6673,
    0xde5e_81e4,
];

/// File systems that may give a file another number each time that they meet it: FUSE, the two of
/// CIFS, 9P, those of VirtualBox and of VMware.
#[cfg(target_os = "linux")]
const RENUMBERED: [u32; 6] =
    [0x6573_5546, 0xff53_4d42, 0xfe53_4d42, 0x0102_1997, 0x786f_4256, 0xbacb_acbc];

#[cfg(target_os = "linux")]
fn is_on(file: &File, kinds: &[u32]) -> bool {
    rustix::fs::fstatfs(file).is_ok_and(|found| kinds.contains(&(found.f_type as u32)))
}

#[cfg(target_os = "linux")]
pub(super) fn is_made_when_read(file: &File) -> bool {
    is_on(file, &MADE)
}

#[cfg(target_os = "linux")]
pub(super) fn numbers_files_anew(file: &File) -> bool {
    is_on(file, &RENUMBERED)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_made_when_read(_: &File) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
pub(super) fn numbers_files_anew(_: &File) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Version = Version {
        size: 10,
        modified: Some(SystemTime::UNIX_EPOCH),
        touched: Some((1, 500)),
        number: Some((1, 1)),
    };

    #[test]
    fn a_file_has_changed_on_evidence_only() {
        let later = Some(SystemTime::UNIX_EPOCH + COARSE);
        let cases = [
            (OLD, Fate::Same),
            (Version { number: Some((1, 2)), ..OLD }, Fate::Same),
            (Version { touched: Some((2, 500)), ..OLD }, Fate::Touched),
            (Version { touched: Some((2, 500)), number: Some((1, 2)), ..OLD }, Fate::Changed),
            (Version { modified: later, touched: Some((2, 500)), ..OLD }, Fate::Written),
            (Version { size: 11, modified: later, touched: Some((2, 5)), ..OLD }, Fate::Grown),
            (Version { size: 9, ..OLD }, Fate::Changed),
        ];
        for (now, fate) in cases {
            assert_eq!(OLD.compare(&now), fate, "{now:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn times_and_numbers_of_files_that_the_kernel_makes_tell_nothing() {
        let made = File::open("/proc/version").unwrap();
        let root = tempfile::tempfile().unwrap();
        let now = Version { size: 4, number: Some((1, 2)), touched: Some((2, 500)), ..OLD };
        assert_eq!(OLD.fate(&now, &made), Fate::Same);
        assert_eq!(OLD.fate(&now, &root), Fate::Changed);
    }

    #[test]
    fn a_file_is_live_for_a_minute_and_fresh_until_its_clock_has_moved_on() {
        let ago = |secs: i64, nanos: i64| Version { touched: Some((now().0 - secs, nanos)), ..OLD };
        assert!(ago(30, 1).is_live() && ago(-30, 1).is_live() && !ago(70, 1).is_live());
        assert!(!ago(3, 0).is_fresh() && !ago(2, 1).is_fresh() && !ago(-9, 1).is_fresh());
        assert!(ago(0, 0).is_fresh() && ago(-1, 1).is_fresh());
    }
}
