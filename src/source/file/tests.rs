//! A file is one file from open to end.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::{TempDir, tempdir};
use tokio::io::AsyncReadExt;

use super::super::version::Version;
use super::*;
use crate::source::pack::all_slices;
use crate::source::{Access, Source, partitions};
use crate::{Error, Place, Progress};

/// The slices of a file, of about this many bytes each.
async fn slices(path: &Path, size: u64) -> Arc<[Slice]> {
    let pattern = [path.display().to_string()];
    let source = Source::parse(&pattern, Access::default()).unwrap();
    let objects = source.list(&Progress::default()).await.unwrap();
    all_slices(partitions(&objects, size, true))
}

async fn open(path: &Path) -> LocalFile {
    LocalFile::open(&slices(path, u64::MAX).await[0], 0).unwrap()
}

/// Reads so many bytes, or to the end.
async fn read(file: &mut LocalFile, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = file.take(most).read_to_end(&mut bytes).await;
    read.map_err(|error| Error::io(Place::object("?"), error)).map(|_| bytes)
}

/// Reads on to the end, and looks at it.
async fn read_on(mut file: LocalFile) -> Result<Vec<u8>> {
    let bytes = read(&mut file, u64::MAX).await?;
    file.finish().look().await.map(|()| bytes)
}

/// Reads the bytes of a slice, and looks at its end.
async fn read_slice(slice: &Slice) -> Result<Vec<u8>> {
    let mut file = LocalFile::open(slice, slice.start)?;
    let most = slice.end.map_or(u64::MAX, |end| end - slice.start);
    let bytes = read(&mut file, most).await?;
    file.finish().look().await.map(|()| bytes)
}

fn is_changed<T>(result: &Result<T>) -> bool {
    matches!(result, Err(Error::Changed { .. }))
}

fn set_back(path: &Path, time: SystemTime) {
    File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
}

/// A file of this text, written to a thousand seconds before.
fn aged(text: &[u8]) -> (TempDir, std::path::PathBuf, SystemTime) {
    let root = tempdir().unwrap();
    let path = root.path().join("file");
    let time = SystemTime::now() - Duration::from_secs(1000);
    fs::write(&path, text).unwrap();
    set_back(&path, time);
    (root, path, time)
}

#[tokio::test]
async fn a_file_that_shrinks_is_an_error_and_one_that_grows_is_read_as_it_was() {
    let root = tempdir().unwrap();
    fs::write(root.path().join("grows"), "grows").unwrap();
    fs::write(root.path().join("shrinks"), "shrinks").unwrap();
    let grows = open(&root.path().join("grows")).await;
    let shrinks = open(&root.path().join("shrinks")).await;
    fs::write(root.path().join("grows"), "grows on").unwrap();
    fs::write(root.path().join("shrinks"), "sh").unwrap();
    assert_eq!(read_on(grows).await.unwrap(), b"grows");
    let error = read_on(shrinks).await.unwrap_err();
    assert!(matches!(&error, Error::Changed { place } if place.offset == Some(2)), "{error}");
}

#[tokio::test]
async fn a_file_written_anew_between_listing_and_reading_is_an_error() {
    let (_root, path, _) = aged(b"file");
    let slices = slices(&path, u64::MAX).await;
    set_back(&path, SystemTime::UNIX_EPOCH);
    assert!(is_changed(&LocalFile::open(&slices[0], 0)));
}

#[tokio::test]
async fn bytes_that_change_between_the_reading_of_slices_are_an_error_however_few_they_are() {
    let old = b"0123456789abcde\n".repeat(1 << 16);
    let mut new = old.clone();
    // No sample is taken of these, and one of them was read.
    (new[1000], new[old.len() - 1000]) = (b'x', b'x');
    let longer = [&new[..], b"more\n"].concat();
    for (written, back) in [(&longer, false), (&longer, true), (&new, false), (&new, true)] {
        for order in [[0, 1, 2], [0, 2, 1], [2, 1, 0], [2, 0, 1]] {
            let (_root, path, time) = aged(&old);
            let slices = slices(&path, 400_000).await;
            assert_eq!(slices.len(), 3);
            read_slice(&slices[order[0]]).await.unwrap();
            fs::write(&path, written).unwrap();
            if back {
                set_back(&path, time);
            }
            let middle = read_slice(&slices[order[1]]).await;
            let last = read_slice(&slices[order[2]]).await;
            assert!(is_changed(&middle) || is_changed(&last), "{order:?} {back}");
        }
    }
}

#[tokio::test]
async fn bytes_that_change_while_a_file_of_one_slice_is_read_are_an_error() {
    let old = b"0123456789abcde\n".repeat(1 << 16);
    let mut new = old.clone();
    (new[1000], new[old.len() - 1000]) = (b'x', b'x');
    let (_root, path, time) = aged(&old);
    let mut file = open(&path).await;
    read(&mut file, 500_000).await.unwrap();
    fs::write(&path, new).unwrap();
    set_back(&path, time);
    assert!(is_changed(&read_on(file).await));
}

#[tokio::test]
async fn a_log_that_grows_and_bytes_that_are_written_as_they_stood_are_no_change() {
    let old = b"0123456789abcde\n".repeat(1 << 16);
    let (_root, path, _) = aged(&old);
    let slices = slices(&path, 400_000).await;
    let mut bytes = Vec::new();
    for slice in slices.iter() {
        bytes.extend(read_slice(slice).await.unwrap());
        let more = [&fs::read(&path).unwrap()[..], b"more\n"].concat();
        fs::write(&path, more).unwrap();
    }
    assert_eq!(bytes, old);
    let (_root, path, _) = aged(&old);
    let mut file = open(&path).await;
    let first = read(&mut file, 1000).await.unwrap();
    fs::write(&path, &old).unwrap();
    assert_eq!([first, read_on(file).await.unwrap()].concat(), old);
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_is_read_to_its_end_whatever_becomes_of_its_name() {
    let old = b"old text\n".repeat(1000);
    let new = b"new text\n".repeat(1000);
    type Change<'a> = &'a dyn Fn(&Path, &Path);
    let fates: [Change<'_>; 6] = [
        &|path, other| fs::rename(path, other).unwrap(),
        &|path, _| fs::remove_file(path).unwrap(),
        &|path, other| {
            fs::write(other, &new).unwrap();
            let time = fs::metadata(path).unwrap().modified().unwrap();
            set_back(other, time);
            fs::rename(other, path).unwrap();
        },
        &|path, _| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        },
        &|path, _| {
            fs::remove_file(path).unwrap();
            assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
        },
        &|path, other| {
            fs::rename(path, other).unwrap();
            std::os::unix::fs::symlink(other, path).unwrap();
        },
    ];
    for (number, fate) in fates.iter().enumerate() {
        let (root, path, _) = aged(&old);
        let slices = slices(&path, 4000).await;
        let mut bytes = read_slice(&slices[0]).await.unwrap();
        let mut second = LocalFile::open(&slices[1], slices[1].start).unwrap();
        fate(&path, &root.path().join("other"));
        let most = slices[1].end.unwrap() - slices[1].start;
        bytes.extend(read(&mut second, most).await.unwrap());
        second.finish().look().await.unwrap();
        bytes.extend(read_slice(&slices[2]).await.unwrap());
        assert_eq!(bytes, old, "{number}");
        assert!(!path.is_file() || number == 2 || number == 5);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_name_that_is_no_file_any_more_when_reading_begins_is_an_error_at_once() {
    let (_root, path, _) = aged(b"file");
    let slices = slices(&path, u64::MAX).await;
    fs::remove_file(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(is_changed(&LocalFile::open(&slices[0], 0)));
    fs::remove_file(&path).unwrap();
    assert!(matches!(LocalFile::open(&slices[0], 0), Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn a_file_that_was_read_may_change_before_it_is_read_again() {
    let (_root, path, _) = aged(b"old text");
    let slices = slices(&path, 4).await;
    for text in [&b"old text"[..], b"new text"] {
        let halves = (read_slice(&slices[1]).await, read_slice(&slices[0]).await);
        assert_eq!([halves.1.unwrap(), halves.0.unwrap()].concat(), text);
        // It is longer, as a log that goes on.
        fs::write(&path, "new text and more").unwrap();
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn files_with_sizes_that_tell_nothing_are_read_to_their_ends() {
    for name in ["/proc/version", "/proc/uptime", "/proc/self/status"] {
        let text = read_on(open(Path::new(name)).await).await.unwrap();
        assert!(text.ends_with(b"\n"), "{name}");
    }
    let page = Path::new("/sys/class/net/lo/address");
    if page.exists() {
        let slices = slices(page, u64::MAX).await;
        assert_eq!(slices[0].object.size(), Some(4096));
        assert_eq!(read_slice(&slices[0]).await.unwrap(), b"00:00:00:00:00:00\n");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn another_file_in_the_place_of_the_one_listed_is_an_error() {
    for now in ["old", "new and longer"] {
        let (root, path, time) = aged(b"old");
        let slices = slices(&path, u64::MAX).await;
        // Or it would be the other's time as well.
        while Version::of(&fs::metadata(&path).unwrap()).is_fresh() {}
        let other = root.path().join("other");
        fs::write(&other, now).unwrap();
        set_back(&other, time);
        fs::rename(&other, &path).unwrap();
        assert!(is_changed(&LocalFile::open(&slices[0], 0)), "{now}");
    }
}
