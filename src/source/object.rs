//! One object as it was listed, and its first bytes.

use std::io;
use std::path::PathBuf;
#[cfg(feature = "cloud")]
use std::sync::Arc;
use std::sync::OnceLock;

use tokio::sync::OnceCell;

use super::evidence::read_at;
#[cfg(feature = "cloud")]
use super::known::Remote;
use super::local;
use super::missing::Entry;
use super::one_file::{Fault, OneFile};
#[cfg(feature = "cloud")]
use super::range;
use crate::progress::InputOrder;
use crate::{Error, Place, Result};

/// How many bytes are looked at to know a codec and an encoding, and whether there is text at all.
pub(crate) const HEAD: usize = 4096;

/// One object, as listed: a name, where it lives and, where listing told it, its size.
#[derive(Debug)]
pub(crate) struct Object {
    name: String,
    size: Option<u64>,
    head: OnceCell<Box<[u8]>>,
    divided: OnceLock<bool>,
    entry: Entry,
    pub(super) home: Home,
}

/// Where an object lives.
#[derive(Debug)]
pub(super) enum Home {
    /// A regular file, as it was listed.
    File(Box<OneFile>),
    /// A pipe, a terminal or another device: read once, from its start.
    Pipe(PathBuf),
    /// Standard input.
    Stdin,
    /// A store.
    #[cfg(feature = "cloud")]
    Remote(Arc<Remote>),
}

impl Object {
    /// An object of this name, at home there.
    pub(super) fn new(name: String, size: Option<u64>, home: Home, entry: Entry) -> Self {
        Self { name, size, head: OnceCell::new(), divided: OnceLock::new(), entry, home }
    }

    /// As a user would write it: a path, or a URL without credentials and query.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Bytes, as stored; `None` for an object that was named exactly and not asked for yet, and
    /// for a pipe.
    pub(crate) fn size(&self) -> Option<u64> {
        match &self.home {
            #[cfg(feature = "cloud")]
            Home::Remote(remote) => remote.likely_size(),
            _ => self.size,
        }
    }

    /// Whether somebody may be writing it right now, as into a pipe or on a terminal.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.home, Home::Pipe(_) | Home::Stdin)
    }

    /// Whether it is a file, which can be opened again and again for nothing.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self.home, Home::File(_))
    }

    /// The object's first bytes (up to [`HEAD`]; fewer only if it is shorter), asked for once
    /// and then remembered. Free if a reader that began at byte 0 has shown them already
    /// through [`Object::set_head`].
    ///
    /// A pipe has no head of its own: it is one slice, so whoever reads it reads from byte 0.
    ///
    /// # Errors
    /// As for reading the object.
    pub(crate) async fn head(&self) -> Result<&[u8]> {
        let head = self.head.get_or_try_init(async || match &self.home {
            Home::File(file) => self.file_head(file),
            Home::Pipe(_) | Home::Stdin => Ok(Box::default()),
            #[cfg(feature = "cloud")]
            Home::Remote(remote) => {
                let head = range::head(Arc::clone(remote), self.place()).await?;
                Ok(head.as_ref().into())
            }
        });
        head.await.map(AsRef::as_ref)
    }

    /// The first bytes, as far as anybody has asked for them.
    pub(super) fn known_head(&self) -> &[u8] {
        self.head.get().map_or(&[], AsRef::as_ref)
    }

    /// The content coding that its store names and that is not undone, given its first bytes.
    #[cfg_attr(not(feature = "cloud"), allow(unused_variables))]
    pub(crate) fn undecoded(&self, head: &[u8]) -> Option<&str> {
        match &self.home {
            #[cfg(feature = "cloud")]
            Home::Remote(remote) => remote.undecoded(head),
            _ => None,
        }
    }

    /// Remembers the first bytes, which whoever reads from byte 0 has seen anyway.
    pub(crate) fn set_head(&self, bytes: &[u8]) {
        // Losing a race means that the same bytes are there already.
        let _ = self.head.set(bytes[..bytes.len().min(HEAD)].into());
    }

    /// Remembers whether each slice of it gives its own records, or the first gives them all, as
    /// of one that turned out to be compressed.
    pub(crate) fn set_divided(&self, divided: bool) {
        // All who read it find the same.
        let _ = self.divided.set(divided);
    }

    /// Whether slices after the first are known to have records of their own.
    #[cfg(feature = "cloud")]
    pub(super) fn is_divided(&self) -> bool {
        self.divided.get() == Some(&true)
    }

    /// Where its first byte stands in the input.
    pub(crate) fn order(&self) -> InputOrder {
        self.entry.order()
    }

    /// Its place in the listing, which knows whether it is passed over.
    pub(super) fn entry(&self) -> &Entry {
        &self.entry
    }

    /// This object as a place in an error.
    pub(super) fn place(&self) -> Place {
        Place::object(&self.name)
    }

    fn file_head(&self, file: &OneFile) -> Result<Box<[u8]>> {
        let read = || -> std::result::Result<Vec<u8>, Fault> {
            let open = file.open(false)?;
            let mut head = vec![0; HEAD];
            let mut filled = 0;
            while filled < HEAD {
                match read_at(&open.file, &mut head[filled..], filled as u64).map_err(Some)? {
                    0 => break,
                    read => filled += read,
                }
            }
            head.truncate(filled);
            Ok(head)
        };
        read().map(Vec::into_boxed_slice).map_err(|fault| self.fault(fault, 0))
    }

    /// The error for a fault of a file at an offset.
    pub(super) fn fault(&self, fault: Fault, at: u64) -> Error {
        match fault {
            Some(error) => local::error(self.place(), error),
            None => Error::Changed { place: self.place().at(at) },
        }
    }
}

impl From<&Object> for Place {
    fn from(object: &Object) -> Self {
        object.place()
    }
}

/// An error of ours in the only form that an `AsyncRead` can give.
pub(super) fn io_error(error: Error) -> io::Error {
    error.into()
}
