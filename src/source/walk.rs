//! Walking folders: below one, or along the components of a pattern.
//!
//! Walks skip names that begin with a dot and do not enter directories through symbolic links that
//! a `**` stands for (no cycles); links to files are followed, and one
//! that leads nowhere is an entry that cannot be read. Pipes, sockets and devices are
//! passed over. What a walk finds sorts by the bytes of its path, as object stores sort their
//! keys.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use super::glob::{Component, Reached};
use super::local::{at, is_absent, object};
use super::missing::Listing;
use crate::Result;

/// What is found in one walk.
#[derive(Default)]
pub(super) struct Walk {
    found: Vec<(PathBuf, Result<Metadata>)>,
}

/// One entry of a directory.
struct Entry {
    name: OsString,
    directory: bool,
    link: bool,
}

impl Walk {
    /// The files that these components name, below a directory.
    pub(super) fn along(root: &Path, components: &[Component]) -> Self {
        let mut walk = Self::default();
        walk.descend(root, components, &Reached::start(components));
        walk
    }

    /// Every file below a directory.
    pub(super) fn below(directory: &Path) -> Self {
        let mut walk = Self::default();
        walk.all(directory);
        walk
    }

    /// Goes on in a directory with what the pattern has reached, and into no directory that it
    /// does not need.
    fn descend(&mut self, directory: &Path, components: &[Component], reached: &Reached) {
        // Names that the pattern spells are looked at without listing, which may be forbidden.
        let mut names: BTreeMap<OsString, Option<Entry>> = BTreeMap::new();
        let mut wild = false;
        for component in reached.next(components) {
            match component {
                Component::Literal(name) => drop(names.insert(name.into(), None)),
                Component::Wild(_) | Component::Deep => wild = true,
            }
        }
        if wild {
            for entry in self.entries(directory) {
                names.insert(entry.name.clone(), Some(entry));
            }
        }
        for (name, entry) in names {
            let is = |is: fn(&Entry) -> bool| entry.as_ref().is_some_and(is);
            let deep = is(|entry| entry.directory);
            let after = reached.after(components, &name.to_string_lossy(), deep);
            let path = directory.join(&name);
            if after.is_match(components) && !deep {
                self.take(&path);
            }
            // Through a link as well: the depth is bounded by the pattern.
            if after.goes_on(components) && (entry.is_none() || deep || is(|entry| entry.link)) {
                self.descend(&path, components, &after);
            }
        }
    }

    fn all(&mut self, directory: &Path) {
        for entry in self.entries(directory) {
            let path = directory.join(&entry.name);
            if entry.name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            match entry.directory {
                true => self.all(&path),
                false => self.take(&path),
            }
        }
    }

    /// Takes what is at a path if it is a file.
    fn take(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(found) if found.is_file() => self.found.push((path.to_owned(), Ok(found))),
            Ok(_) => {}
            Err(error) => match fs::symlink_metadata(path) {
                // It was removed since its folder was listed, or is not in it.
                Err(_) if is_absent(&error) => {}
                _ => self.found.push((path.to_owned(), Err(at(path, error)))),
            },
        }
    }

    /// The entries of a directory; none if there is no such directory. What cannot be listed is
    /// remembered.
    fn entries(&mut self, directory: &Path) -> Vec<Entry> {
        let listed = match directory.as_os_str().is_empty() {
            true => fs::read_dir("."),
            false => fs::read_dir(directory),
        };
        let mut entries = Vec::new();
        let listed = listed.and_then(|listed| {
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
        if let Err(error) = listed
            && !is_absent(&error)
        {
            self.found.push((directory.to_owned(), Err(at(directory, error))));
        }
        entries
    }

    /// Hands on what was found, in order.
    ///
    /// # Errors
    /// The first fault, if the policy of the listing is to fail.
    pub(super) fn finish(mut self, into: &mut Listing<'_>) -> Result<()> {
        self.found.sort_by_cached_key(|(path, _)| path.as_os_str().as_encoded_bytes().to_owned());
        for (path, found) in self.found {
            match found {
                Ok(found) => object(path, &found, into)?,
                Err(error) => into.refuse(error)?,
            }
        }
        Ok(())
    }
}
