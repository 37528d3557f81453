//! Files: what a pattern names on disk.
//!
//! A directory stands for the files below it, at any depth, found by a `walk`. Pipes and devices
//! are read only if they are named exactly.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::missing::Listing;
use super::object::Home;
use super::one_file::unblocked;
use super::pattern::{Pattern, is_glob};
use super::version::Version;
use super::walk::{self, Found};
use crate::error::printable;
use crate::{Error, Place, Result};

/// Appends the files that a pattern names.
///
/// # Errors
/// What the policy of the listing does not pass over.
pub(super) fn list(pattern: &Pattern, into: &mut Listing<'_>) -> Result<()> {
    // A path that exists is meant, whatever its characters would mean otherwise.
    if pattern.alternatives != [pattern.given.as_str()] && named(Path::new(&pattern.given), into)? {
        return Ok(());
    }
    let numbered = pattern.alternatives.iter().map(String::as_str).enumerate();
    let globs: Vec<_> = numbered.clone().filter(|(_, path)| is_walked(path)).collect();
    let found = Found::of(&globs, into.room())?;
    let mut globs = globs.iter().map(|(number, _)| *number).peekable();
    for (number, alternative) in numbered {
        let path = Path::new(alternative);
        if globs.next_if_eq(&number).is_some() {
            found.push(number, into)?;
        } else if !named(path, into)? {
            into.refuse(absent(path))?;
        }
    }
    Ok(())
}

/// Whether an alternative has a wildcard, and is not the path of something that exists.
fn is_walked(alternative: &str) -> bool {
    let forbidden = |e: io::Error| e.kind() == io::ErrorKind::PermissionDenied;
    is_glob(alternative) && fs::metadata(alternative).is_err_and(|e| !forbidden(e))
}

/// The longest part of a pattern that exists.
pub(super) fn existing(pattern: &Pattern) -> Option<String> {
    let longest = longest(Path::new(pattern.alternatives.last()?))?.display().to_string();
    Some(printable(&longest))
}

fn longest(path: &Path) -> Option<&Path> {
    let mut paths: Vec<_> = path.ancestors().filter(|p| !p.as_os_str().is_empty()).collect();
    // From the shortest: below what does not exist there is nothing to look for.
    paths.reverse();
    paths.into_iter().take_while(|path| path.exists()).last()
}

/// The error for a path at which there is nothing.
fn absent(path: &Path) -> Error {
    let reason = match (fs::read_link(path), longest(path)) {
        (Ok(target), _) => leads_nowhere(&target),
        _ if let Some(archive) = archive_of(path) => format!(
            "no such file or directory; the members of an archive are read with it, so name {}",
            printable(archive)
        ),
        (_, Some(exists)) => {
            let exists = printable(&exists.display().to_string());
            format!("no such file or directory below {exists}")
        }
        (_, None) => "no such file or directory".to_owned(),
    };
    Error::NotFound { place: Place::object(path.display().to_string()), reason }
}

/// The archive, if a path is what messages call one of its members: `archive!member`.
fn archive_of(path: &Path) -> Option<&str> {
    let path = path.to_str()?;
    let mut archives = path.rmatch_indices('!').map(|(at, _)| &path[..at]);
    archives.find(|archive| Path::new(archive).is_file())
}

fn leads_nowhere(target: &Path) -> String {
    let target = printable(&target.display().to_string());
    format!("it is a link to {target}, which does not exist")
}

/// Appends what is at a path, if anything is.
fn named(path: &Path, into: &mut Listing<'_>) -> Result<bool> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            return into.refuse(at(path, e)).map(|()| true);
        }
        // A name that cannot exist (too long, a NUL in it) may still be a pattern.
        Err(_) => return Ok(false),
    };
    match found.is_dir() {
        true => walk::below(path, into)?,
        false if found.is_file() => file(path.to_owned(), Version::of(&found), into)?,
        false => into.push(path.display().to_string(), None, Home::Pipe(path.to_owned()))?,
    }
    Ok(true)
}

/// Appends a file.
///
/// # Errors
/// If the listing is to look whether files can be read, and fails where one cannot; or has no room
/// for more of them.
pub(super) fn file(path: PathBuf, found: Version, into: &mut Listing<'_>) -> Result<()> {
    if into.looks()
        && let Err(error) = unblocked(&path)
    {
        return into.refuse(at(&path, error));
    }
    into.push_file(path, found)
}

pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// A fault of the file system at a path.
pub(super) fn at(path: &Path, source: io::Error) -> Error {
    let place = Place::object(path.display().to_string());
    match fs::read_link(path) {
        Ok(target) if is_absent(&source) => {
            Error::NotFound { place, reason: leads_nowhere(&target) }
        }
        _ => error(place, source),
    }
}

/// A fault of the file system, by decision.
pub(super) fn error(place: Place, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            Error::NotFound { place, reason: "there is no such file or folder".to_owned() }
        }
        io::ErrorKind::PermissionDenied => {
            let reason = "this user may not read it; ask for read access, or leave it out";
            Error::PermissionDenied { place, reason: reason.to_owned() }
        }
        _ if cfg!(unix) && matches!(source.raw_os_error(), Some(23 | 24)) => {
            let reason = format!("{source}; this process may open no more: raise ulimit -n");
            Error::io(place, io::Error::new(io::ErrorKind::QuotaExceeded, reason))
        }
        _ => Error::io(place, source),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use globset::GlobBuilder;
    use proptest::prelude::*;

    use super::*;
    use crate::Progress;
    use crate::source::{Access, Source};

    /// A directory with these files; each holds its own name.
    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        root
    }

    async fn try_list(root: &Path, patterns: &[&str]) -> Result<Vec<String>> {
        let patterns: Vec<_> = patterns.iter().map(|p| format!("{}/{p}", root.display())).collect();
        let objects =
            Source::parse(&patterns, Access::default())?.list(&Progress::default()).await?;
        let below = format!("{}/", root.display());
        Ok(objects.iter().map(|o| o.name().strip_prefix(&below).unwrap().to_owned()).collect())
    }

    async fn list(root: &Path, patterns: &[&str]) -> Vec<String> {
        try_list(root, patterns).await.unwrap()
    }

    #[tokio::test]
    async fn a_directory_stands_for_all_files_below_it_but_hidden_ones() {
        let root = tree(&["d/b", "d/a/x", "d/.git/config", "d/.hidden", "e"]);
        assert_eq!(list(root.path(), &["d"]).await, ["d/a/x", "d/b"]);
        assert_eq!(list(root.path(), &["d/"]).await, ["d/a/x", "d/b"]);
        assert_eq!(list(root.path(), &["d/.h*"]).await, ["d/.hidden"]);
    }

    #[tokio::test]
    async fn a_glob_sorts_and_a_list_keeps_its_order() {
        let root = tree(&["b.txt", "a.txt", "c.log", "x/y/z.txt"]);
        assert_eq!(list(root.path(), &["*.txt"]).await, ["a.txt", "b.txt"]);
        assert_eq!(list(root.path(), &["**/*.txt"]).await, ["a.txt", "b.txt", "x/y/z.txt"]);
        assert_eq!(
            list(root.path(), &["c.log", "[ab].txt", "c.log"]).await,
            ["c.log", "a.txt", "b.txt", "c.log"]
        );
        assert_eq!(list(root.path(), &["{c.log,?.txt}"]).await, ["c.log", "a.txt", "b.txt"]);
        assert_eq!(list(root.path(), &["x/**"]).await, ["x/y/z.txt"]);
    }

    #[tokio::test]
    async fn a_path_that_exists_is_taken_as_it_stands() {
        let root = tree(&["a[1].txt", "{a,b}", "a1.txt", "x*", "xy"]);
        assert_eq!(
            list(root.path(), &["a[1].txt", "{a,b}", "x*"]).await,
            ["a[1].txt", "{a,b}", "x*"]
        );
    }

    #[tokio::test]
    async fn a_walk_enters_only_directories_that_the_pattern_needs() {
        let root = tree(&["a/1/x", "b/1/x"]);
        fs::create_dir(root.path().join("shut")).unwrap();
        fs::set_permissions(root.path().join("shut"), fs::Permissions::from_mode(0o0)).unwrap();
        assert_eq!(list(root.path(), &["{a,b}/*/x"]).await, ["a/1/x", "b/1/x"]);
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn a_file_that_only_says_it_is_empty_is_listed_by_name_and_by_pattern() {
        let patterns = ["/proc/version".to_owned(), "/proc/versio[n]".to_owned()];
        let objects =
            Source::parse(&patterns, Access::default()).unwrap().list(&Progress::default()).await;
        let names: Vec<_> = objects.unwrap().iter().map(|o| o.name().to_owned()).collect();
        assert_eq!(names, ["/proc/version"; 2]);
    }

    #[tokio::test]
    async fn links_to_files_are_followed_and_cycles_are_not() {
        let root = tree(&["d/a"]);
        std::os::unix::fs::symlink(root.path().join("d"), root.path().join("d/up")).unwrap();
        std::os::unix::fs::symlink(root.path().join("d/a"), root.path().join("d/b")).unwrap();
        assert_eq!(list(root.path(), &["d/**"]).await, ["d/a", "d/b"]);
        assert_eq!(list(root.path(), &["d/up/a"]).await, ["d/up/a"]);
    }

    #[tokio::test]
    async fn what_is_missing_is_an_error_that_says_how_far_the_path_leads() {
        let root = tree(&["d/a"]);
        for missing in ["d/b", "d/*.gz", "d/e/f", "d/e/*", "{d/a,d/b}"] {
            let error = try_list(root.path(), &[missing]).await.unwrap_err();
            let Error::NotFound { reason, .. } = &error else { panic!("{error}") };
            assert!(reason.ends_with(&format!("{}/d", root.path().display())), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_glob_finds_what_matching_every_path_would(
            files in prop::collection::btree_set("[ab.]{1,2}(/[ab.]{1,2}){0,2}", 1..12),
            pattern in "([ab*?]{1,2}|\\*\\*|\\[ab\\])(/([ab*?]{1,2}|\\*\\*|\\[!a\\])){0,2}",
        ) {
            let root = tempfile::tempdir().unwrap();
            let mut written = Vec::new();
            for file in files.iter().filter(|f| f.split('/').all(|n| n != "." && n != "..")) {
                let path = root.path().join(file);
                // A name that another one uses as a directory is left out.
                if fs::create_dir_all(path.parent().unwrap()).is_ok() && fs::write(&path, "x").is_ok() {
                    written.push(file.as_str());
                }
            }
            let naive = GlobBuilder::new(&pattern).literal_separator(true).build().unwrap();
            let naive = naive.compile_matcher();
            let expected: Vec<_> = written
                .into_iter()
                .filter(|f| !f.starts_with('.') && !f.contains("/.") && naive.is_match(f))
                .collect();
            // A pattern without a wildcard, or one that exists, is a path.
            prop_assume!(is_glob(&pattern) && !root.path().join(&pattern).exists());
            let found = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap()
                .block_on(try_list(root.path(), &[&pattern]));
            match found {
                Ok(found) => prop_assert_eq!(found, expected),
                Err(Error::NotFound { .. }) => prop_assert!(expected.is_empty(), "{:?}", expected),
                Err(error) => prop_assert!(false, "{}", error),
            }
        }
    }
}
