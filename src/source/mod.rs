//! Where bytes come from: URL patterns, the objects that they name, and ranged reads of them.

use std::pin::Pin;
use std::sync::Arc;

use tokio::io::AsyncRead;

use crate::progress::Progress;
use crate::{Error, Result};

/// Patterns, parsed: what to read, with nothing touched yet.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    patterns: Arc<[String]>,
    access: Access,
}

/// How stores are approached; everything else comes from the environment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Access {
    /// Send requests unsigned.
    pub(crate) anonymous: bool,
}

impl Source {
    /// Parses patterns; touches neither disk nor network.
    pub(crate) fn parse(patterns: &[String], access: Access) -> Result<Self> {
        let _ = Error::Cancelled;
        Ok(Self { patterns: patterns.into(), access })
    }

    /// The objects that the patterns name, in the order of the patterns; a glob's sort lexically.
    pub(crate) async fn list(&self) -> Result<Vec<Arc<Object>>> {
        let _ = (&self.patterns, self.access);
        todo!()
    }
}

/// One object, as listed: a name, where it lives and, where listing told it, its size.
#[derive(Debug)]
pub(crate) struct Object {
    name: String,
    size: Option<u64>,
}

impl Object {
    /// As a user would write it: a path, or a URL without credentials and query.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Bytes, as stored; `None` for an object that was named exactly and not asked for yet, and
    /// for a pipe.
    pub(crate) fn size(&self) -> Option<u64> {
        self.size
    }

    /// The object's first bytes (up to [`HEAD`]; fewer only if it is shorter), asked for once
    /// and then remembered. Free if a reader that began at byte 0 has shown them already
    /// through [`Object::set_head`].
    pub(crate) async fn head(&self) -> Result<&[u8]> {
        todo!()
    }

    /// Remembers the first bytes, which whoever reads from byte 0 has seen anyway.
    pub(crate) fn set_head(&self, _bytes: &[u8]) {}
}

/// How many bytes are looked at to know a codec and an encoding.
pub(crate) const HEAD: usize = 64;

/// A range of an object: the records that start in it belong to its partition.
#[derive(Debug, Clone)]
pub(crate) struct Slice {
    pub(crate) object: Arc<Object>,
    pub(crate) start: u64,
    /// `None`: to the object's end.
    pub(crate) end: Option<u64>,
}

/// The unit of work: slices, in input order.
#[derive(Debug, Clone)]
pub(crate) struct Partition {
    pub(crate) index: usize,
    pub(crate) slices: Vec<Slice>,
}

/// Cuts and packs objects into partitions of about `size` bytes: large ones are split (if
/// `splittable`), small neighbours share one.
pub(crate) fn partitions(
    _objects: &[Arc<Object>],
    _size: u64,
    _splittable: bool,
) -> Vec<Partition> {
    todo!()
}

/// Opens the slices of one partition one after another, and fetches ahead of the reader.
#[derive(Debug)]
pub(crate) struct Fetch {}

/// A slice that is being read.
pub(crate) struct Opened {
    pub(crate) slice: Slice,
    /// The offset in the object of the first byte that `bytes` gives: `lookback` before the
    /// slice's start, or 0.
    pub(crate) at: u64,
    /// The object's bytes from there on. They do not end at the slice's end, but at the
    /// object's: the last record of a slice runs over it. Reading ahead stops at the slice's end.
    pub(crate) bytes: Pin<Box<dyn AsyncRead + Send>>,
}

impl Fetch {
    /// `lookback`: how many bytes before a slice's start are wanted too. `ahead`: how many bytes
    /// may be fetched and not yet read.
    pub(crate) fn new(
        _slices: Vec<Slice>,
        _lookback: u64,
        _ahead: usize,
        _progress: Arc<Progress>,
    ) -> Self {
        todo!()
    }

    /// The next slice; `None` after the last.
    pub(crate) async fn open(&mut self) -> Result<Option<Opened>> {
        todo!()
    }
}
