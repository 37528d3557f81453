//! Files, found by walking.
//!
//! A directory stands for the files below it, at any depth. Walks skip names that begin with a
//! dot and do not enter directories through symbolic links (no cycles); links to files are
//! followed. Pipes and devices are read only if they are named exactly. What a walk finds sorts
//! by the bytes of its path, as object stores sort their keys.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::Version;
use super::object::{Home, Object};
use super::pattern::{Component, Pattern, is_glob};
use crate::{Error, Place, Result};

/// Appends the files that a pattern names.
pub(super) fn list(pattern: &Pattern, into: &mut Vec<Arc<Object>>) -> Result<()> {
    // A path that exists is meant, whatever its characters would mean otherwise.
    if pattern.alternatives != [pattern.given.as_str()] && named(Path::new(&pattern.given), into)? {
        return Ok(());
    }
    for alternative in &pattern.alternatives {
        let path = Path::new(alternative);
        if named(path, into)? {
            continue;
        }
        if !is_glob(alternative) {
            let reason = match longest(path) {
                Some(exists) => format!("no such file or directory below {}", exists.display()),
                None => "no such file or directory".to_owned(),
            };
            return Err(Error::NotFound { place: Place::object(alternative), reason });
        }
        let components = Component::split(alternative)?;
        let root = if alternative.starts_with('/') { PathBuf::from("/") } else { PathBuf::new() };
        let mut walk = Walk::default();
        walk.descend(&root, &components)?;
        walk.finish(into);
    }
    Ok(())
}

/// The longest part of a pattern that exists.
pub(super) fn existing(pattern: &Pattern) -> Option<String> {
    Some(longest(Path::new(pattern.alternatives.last()?))?.display().to_string())
}

fn longest(path: &Path) -> Option<&Path> {
    path.ancestors().find(|p| !p.as_os_str().is_empty() && p.exists())
}

/// Appends what is at a path, if anything is.
fn named(path: &Path, into: &mut Vec<Arc<Object>>) -> Result<bool> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        // A name that cannot exist (too long, a NUL in it) may still be a pattern.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => return Err(at(path, e)),
        Err(_) => return Ok(false),
    };
    if found.is_dir() {
        let mut walk = Walk::default();
        walk.below(path)?;
        walk.finish(into);
    } else if found.is_file() && found.len() == 0 && holds_more(path)? {
        let home = Home::Pipe(path.to_owned());
        into.push(Arc::new(Object::new(path.display().to_string(), None, home)));
    } else {
        into.push(Arc::new(object(path.to_owned(), &found)));
    }
    Ok(true)
}

/// Whether a file that says it is empty is not: those of /proc are made as they are read.
fn holds_more(path: &Path) -> Result<bool> {
    let first = File::open(path).and_then(|mut file| file.read(&mut [0]));
    first.map(|read| read > 0).map_err(|e| at(path, e))
}

fn object(path: PathBuf, found: &Metadata) -> Object {
    let name = path.display().to_string();
    if found.is_file() {
        let home = Home::File { path, version: Version::of(found) };
        Object::new(name, Some(found.len()), home)
    } else {
        Object::new(name, None, Home::Pipe(path))
    }
}

/// The files found below one pattern.
#[derive(Default)]
struct Walk {
    found: Vec<(PathBuf, Metadata)>,
}

/// One entry of a directory.
struct Entry {
    path: PathBuf,
    name: String,
    directory: bool,
}

impl Walk {
    /// Goes down the components, and into no directory that they do not need.
    fn descend(&mut self, directory: &Path, components: &[Component]) -> Result<()> {
        match components {
            [] => Ok(()),
            [Component::Literal(name)] => self.take(directory.join(name)),
            [Component::Literal(name), rest @ ..] => self.descend(&directory.join(name), rest),
            [Component::Wild(wild), rest @ ..] => {
                for entry in entries(directory)?.filter(|e| wild.matches(&e.name)) {
                    match rest {
                        [] if entry.directory => {}
                        [] => self.take(entry.path)?,
                        // Through a link as well: the depth is bounded by the pattern.
                        rest => self.descend(&entry.path, rest)?,
                    }
                }
                Ok(())
            }
            [Component::Deep, rest @ ..] => {
                self.descend(directory, rest)?;
                for entry in entries(directory)?.filter(Entry::walked) {
                    self.descend(&entry.path, components)?;
                }
                Ok(())
            }
        }
    }

    /// Every file below a directory.
    fn below(&mut self, directory: &Path) -> Result<()> {
        for entry in entries(directory)?.filter(|e| !e.name.starts_with('.')) {
            if entry.directory {
                self.below(&entry.path)?;
            } else {
                self.take(entry.path)?;
            }
        }
        Ok(())
    }

    /// Takes what is at a path if it is a file.
    fn take(&mut self, path: PathBuf) -> Result<()> {
        match fs::metadata(&path) {
            Ok(found) if found.is_file() => self.found.push((path, found)),
            Ok(_) => {}
            Err(e) if is_absent(&e) && fs::symlink_metadata(&path).is_err() => {}
            Err(e) => return Err(at(&path, e)),
        }
        Ok(())
    }

    fn finish(mut self, into: &mut Vec<Arc<Object>>) {
        let key = |path: &Path| path.as_os_str().as_encoded_bytes().to_owned();
        self.found.sort_by_cached_key(|(path, _)| key(path));
        // Two `**` may reach one file in two ways.
        self.found.dedup_by(|a, b| a.0 == b.0);
        into.extend(self.found.into_iter().map(|(path, found)| Arc::new(object(path, &found))));
    }
}

impl Entry {
    fn walked(&self) -> bool {
        self.directory && !self.name.starts_with('.')
    }
}

/// The entries of a directory; none if there is no such directory.
fn entries(directory: &Path) -> Result<impl Iterator<Item = Entry>> {
    let listed = match directory.as_os_str().is_empty() {
        true => fs::read_dir("."),
        false => fs::read_dir(directory),
    };
    let listed = match listed {
        Err(e) if is_absent(&e) => None,
        listed => Some(listed.map_err(|e| at(directory, e))?),
    };
    let mut entries = Vec::new();
    for entry in listed.into_iter().flatten() {
        let entry = entry.map_err(|e| at(directory, e))?;
        let name = entry.file_name();
        entries.push(Entry {
            path: directory.join(&name),
            name: name.to_string_lossy().into_owned(),
            directory: entry.file_type().is_ok_and(|kind| kind.is_dir()),
        });
    }
    Ok(entries.into_iter())
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn at(path: &Path, source: io::Error) -> Error {
    error(Place::object(path.display().to_string()), source)
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
        _ => Error::io(place, source),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use globset::GlobBuilder;
    use proptest::prelude::*;

    use super::*;
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
        let objects = Source::parse(&patterns, Access::default())?.list().await?;
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
    async fn a_file_that_only_says_it_is_empty_is_read_to_its_end() {
        let pattern = ["/proc/version".to_owned()];
        let objects = Source::parse(&pattern, Access::default()).unwrap().list().await;
        assert_eq!(objects.unwrap()[0].size(), None);
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
