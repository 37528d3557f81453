//! Walks folders: all below one, or those that a pattern needs.
//!
//! A walk skips names that begin with a dot. Links to files are followed, and one that leads
//! nowhere is an entry that cannot be read. Pipes, sockets and devices are passed over. The files
//! of a walk sort by the bytes of their paths, as object stores sort their keys.
//!
//! `**` does not stand for links to folders. A wildcard in a name does, so links that go round
//! give a folder any number of paths. A walk takes all paths through up to two links; a link back
//! into a folder that the path is in counts as two. With more links, a folder is entered only for
//! those parts of the pattern that no such path has brought to it before. So every file is found
//! that matches, and the number of folders that are opened stays bounded.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::glob::{Alternatives, Reached};
use super::local::{at, file, is_absent};
use super::missing::Listing;
use super::room::{Room, Taken};
use super::version::{Version, number};
use crate::{Error, Result};

/// Through so many links and returns, all paths to a folder are taken.
const MOST_TURNS: usize = 2;

/// Files, and what cannot be read.
struct Files {
    found: Vec<(PathBuf, Result<Version>)>,
    taken: Taken,
    /// There is no more room for them.
    full: Option<Error>,
    /// How many folders were opened.
    #[cfg(test)]
    opened: usize,
}

/// One entry of a directory.
struct Entry {
    name: OsString,
    directory: bool,
    link: bool,
}

impl Files {
    fn new(room: &Room) -> Self {
        Self {
            found: Vec::new(),
            taken: room.taken(),
            full: None,
            #[cfg(test)]
            opened: 0,
        }
    }

    /// Takes what is at a path if it is a file. Returns whether it was taken.
    fn take(&mut self, path: &Path) -> bool {
        let Some(found) = look(path) else { return false };
        self.add(path.to_owned(), found);
        true
    }

    fn add(&mut self, path: PathBuf, found: Result<Version>) {
        let weight = path.capacity() + size_of::<(PathBuf, Result<Version>)>() + ALLOCATED;
        self.full = self.full.take().or(self.taken.more(weight).err());
        self.found.push((path, found));
    }

    /// The entries of a directory, and whether it could be listed to its end. The error is kept as
    /// an entry that cannot be read.
    fn entries(&mut self, directory: &Path) -> (Vec<Entry>, bool) {
        #[cfg(test)]
        {
            self.opened += 1;
        }
        let (entries, fault) = entries(directory);
        let whole = fault.is_none();
        if let Some(fault) = fault {
            self.add(directory.to_owned(), Err(fault));
        }
        (entries, whole)
    }

    fn push(&self, number: usize, into: &mut Listing<'_>) -> Result<()> {
        match &self.found[number] {
            (path, Ok(found)) => file(path.clone(), *found, into),
            (_, Err(error)) => into.refuse(error.clone()),
        }
    }
}

/// What an allocator adds to a name.
const ALLOCATED: usize = 24;

/// The file at a path, if there is one, or why nobody can tell.
fn look(path: &Path) -> Option<Result<Version>> {
    match fs::metadata(path) {
        Ok(found) => found.is_file().then(|| Ok(Version::of(&found))),
        Err(error) => match fs::symlink_metadata(path) {
            // It was removed since its folder was listed, or is not in it.
            Err(_) if is_absent(&error) => None,
            _ => Some(Err(at(path, error))),
        },
    }
}

/// The entries of a directory, none if there is no such directory; and why there may be more.
fn entries(directory: &Path) -> (Vec<Entry>, Option<Error>) {
    let mut entries = Vec::new();
    let listed = fs::read_dir(or_here(directory)).and_then(|listed| {
        for entry in listed {
            let entry = entry?;
            let kind = entry.file_type();
            entries.push(Entry {
                name: entry.file_name(),
                directory: kind.as_ref().is_ok_and(fs::FileType::is_dir),
                link: kind.as_ref().is_ok_and(fs::FileType::is_symlink),
            });
        }
        Ok(())
    });
    let fault = listed.err().filter(|error| !is_absent(error));
    (entries, fault.map(|error| at(directory, error)))
}

/// A path, or the working directory for an empty one.
fn or_here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

/// Appends every file below a directory.
///
/// # Errors
/// The first fault, if the policy of the listing is to fail; or if there is no room for more files.
pub(super) fn below(directory: &Path, into: &mut Listing<'_>) -> Result<()> {
    let mut open = vec![Inside::of(directory.to_owned(), into)?];
    while let Some(Inside { folder, entries }) = open.last_mut() {
        let Some(entry) = entries.next() else {
            open.pop();
            continue;
        };
        let path = folder.join(&entry.name);
        if entry.directory {
            open.push(Inside::of(path, into)?);
            continue;
        }
        match look(&path) {
            Some(Ok(found)) => file(path, found, into)?,
            Some(Err(error)) => into.refuse(error)?,
            None => {}
        }
    }
    Ok(())
}

/// What is still to be looked at in a folder.
struct Inside {
    folder: PathBuf,
    entries: std::vec::IntoIter<Entry>,
}

impl Inside {
    /// The entries of a folder in the order of the paths in them, without hidden ones.
    fn of(folder: PathBuf, into: &mut Listing<'_>) -> Result<Self> {
        let (mut entries, fault) = entries(&folder);
        fault.map_or(Ok(()), |fault| into.refuse(fault))?;
        entries.retain(|entry| !entry.name.as_encoded_bytes().starts_with(b"."));
        entries.sort_unstable_by(|a, b| order(a).cmp(order(b)));
        Ok(Self { folder, entries: entries.into_iter() })
    }
}

/// The bytes by which an entry sorts: a folder as what is in it.
fn order(entry: &Entry) -> impl Iterator<Item = u8> {
    let slash = entry.directory.then_some(b'/');
    entry.name.as_encoded_bytes().iter().copied().chain(slash)
}

/// The files that the alternatives of a pattern name, found in one walk.
pub(super) struct Found {
    files: Files,
    /// An alternative, and a file that it names; sorted by both.
    matches: Vec<(usize, usize)>,
}

impl Found {
    /// Walks along the alternatives, those of paths from the root and those of others.
    ///
    /// # Errors
    /// If a pattern is wrong, or there is no room for the files.
    pub(super) fn of(patterns: &[(usize, &str)], room: &Room) -> Result<Self> {
        let mut found = Self { files: Files::new(room), matches: Vec::new() };
        for root in ["/", ""] {
            let of_root = |pattern: &str| pattern.starts_with('/') == (root == "/");
            let patterns = patterns.iter().copied().filter(|(_, pattern)| of_root(pattern));
            let mut walk = Walk::new(Alternatives::of_paths(patterns)?, &mut found);
            walk.along(Path::new(root));
        }
        if let Some(full) = found.files.full.take() {
            return Err(full);
        }
        let found_at = |file: usize| bytes(&found.files.found[file].0);
        found.matches.sort_by(|&(a, x), &(b, y)| (a, found_at(x)).cmp(&(b, found_at(y))));
        Ok(found)
    }

    /// Appends the files that one alternative names.
    ///
    /// # Errors
    /// The first fault, if the policy of the listing is to fail.
    pub(super) fn push(&self, alternative: usize, into: &mut Listing<'_>) -> Result<()> {
        let start = self.matches.partition_point(|&(number, _)| number < alternative);
        let of_it = self.matches[start..].iter().take_while(|(number, _)| *number == alternative);
        of_it.map(|&(_, file)| file).try_for_each(|file| self.files.push(file, into))
    }
}

/// A walk along patterns.
struct Walk<'a, 'p> {
    patterns: Alternatives<'p>,
    found: &'a mut Found,
    /// The folders that were entered through many links, each with a part of the pattern.
    seen: HashSet<(Identity, u32)>,
}

/// The device and the number of a folder.
type Identity = (u64, u64);

/// A folder that a walk has come to.
struct Folder {
    path: PathBuf,
    reached: Reached,
    /// Whether a wildcard stands for its name.
    wild: bool,
    /// The links on the way here that wildcards stand for, and the returns to a folder.
    turns: usize,
    /// The folders on the way here.
    way: Option<Rc<Way>>,
}

struct Way {
    folder: Identity,
    wild: bool,
    before: Option<Rc<Self>>,
}

impl Folder {
    /// Whether this folder was entered before on the way here, and a wildcard led back to it.
    fn returns(&self, identity: Identity) -> bool {
        let mut wild = self.wild;
        let mut way = self.way.as_deref();
        while let Some(step) = way {
            if step.folder == identity {
                return wild;
            }
            wild |= step.wild;
            way = step.before.as_deref();
        }
        false
    }
}

impl<'a, 'p> Walk<'a, 'p> {
    fn new(patterns: Alternatives<'p>, found: &'a mut Found) -> Self {
        Self { patterns, found, seen: HashSet::new() }
    }

    fn along(&mut self, root: &Path) {
        let reached = self.patterns.start();
        let mut todo = Vec::new();
        if self.patterns.goes_on(&reached) {
            let path = root.to_owned();
            todo.push(Folder { path, reached, wild: false, turns: 0, way: None });
        }
        while self.found.files.full.is_none()
            && let Some(folder) = todo.pop()
        {
            if let Some(folder) = self.enter(folder) {
                self.visit(&folder, &mut todo);
            }
        }
    }

    /// Looks whether there is a folder at a path, and what a visit of it could find that others
    /// have not found.
    fn enter(&mut self, mut folder: Folder) -> Option<Folder> {
        let found = match fs::metadata(or_here(&folder.path)) {
            Ok(found) if found.is_dir() => found,
            Ok(_) => return None,
            Err(error) if is_absent(&error) => return None,
            Err(error) => {
                self.refuse(&folder, at(&folder.path, error));
                return None;
            }
        };
        let Some(identity) = number(&found) else { return Some(folder) };
        folder.turns += usize::from(folder.returns(identity));
        if folder.turns > MOST_TURNS {
            folder.reached.retain(|node| self.seen.insert((identity, node)));
        }
        let before = folder.way.take();
        folder.way = Some(Rc::new(Way { folder: identity, wild: folder.wild, before }));
        (!folder.reached.is_empty()).then_some(folder)
    }

    /// Takes the files of a folder that match, and goes on to the folders that the pattern needs.
    fn visit(&mut self, folder: &Folder, todo: &mut Vec<Folder>) {
        // Names that the pattern spells are looked at without listing, which may be forbidden.
        let spelled = self.patterns.names(&folder.reached);
        let mut names: BTreeMap<OsString, Option<Entry>> =
            spelled.map(|name| (name.into(), None)).collect();
        if self.patterns.is_wild(&folder.reached) {
            let (entries, whole) = self.found.files.entries(&folder.path);
            if !whole {
                let first = self.patterns.first(&folder.reached);
                self.found.matches.push((first, self.found.files.found.len() - 1));
            }
            names.extend(entries.into_iter().map(|entry| (entry.name.clone(), Some(entry))));
        }
        let before = todo.len();
        for (name, entry) in names {
            let is = |is: fn(&Entry) -> bool| entry.as_ref().is_some_and(is);
            let (deep, link) = (is(|entry| entry.directory), is(|entry| entry.link));
            let reached = self.patterns.after(&folder.reached, &name.to_string_lossy(), deep);
            if reached.is_empty() {
                continue;
            }
            let path = folder.path.join(&name);
            if !deep {
                self.take(&path, &reached);
            }
            // Through a link as well: the depth is bounded by the pattern.
            if (entry.is_none() || deep || link) && self.patterns.goes_on(&reached) {
                let turns = folder.turns + usize::from(link);
                let (wild, way) = (entry.is_some(), folder.way.clone());
                todo.push(Folder { path, reached, wild, turns, way });
            }
        }
        // The first name is visited next.
        todo[before..].reverse();
    }

    /// Takes what is at a path for all alternatives that match, if it is a file.
    fn take(&mut self, path: &Path, reached: &Reached) {
        let mut matched = self.patterns.matched(reached).peekable();
        if matched.peek().is_some() && self.found.files.take(path) {
            let file = self.found.files.found.len() - 1;
            let before = self.found.matches.len();
            self.found.matches.extend(matched.map(|alternative| (alternative, file)));
            let more = (self.found.matches.len() - before) * size_of::<(usize, usize)>();
            let full = self.found.files.taken.more(more).err();
            self.found.files.full = self.found.files.full.take().or(full);
        }
    }

    /// Keeps a fault for the first alternative that needs a folder.
    fn refuse(&mut self, folder: &Folder, error: Error) {
        let first = self.patterns.first(&folder.reached);
        self.found.matches.push((first, self.found.files.found.len()));
        self.found.files.add(folder.path.clone(), Err(error));
    }
}

#[cfg(all(test, unix))]
mod tests;
