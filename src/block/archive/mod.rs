//! The members of a tar archive, one after another, as objects.
//!
//! The archive is read once, in its order, and never as a whole. Files are members, however their
//! names and holes are stored; links, devices and folders are passed over. Several archives that
//! follow each other are read as one.

mod sparse;
mod stored;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use futures::Stream;
use tokio::io::AsyncReadExt;
use tokio_tar::{ArchiveBuilder, Entries, Entry, EntryType};

use super::counted::Counted;
use super::cut::Bytes;
use super::decompress::guarded;
use crate::error::{Place, snippet};
use crate::source::Object;
use crate::{Error, Result};
use sparse::Holes;
use stored::{Progress, Stored};

type Member = Entry<tokio_tar::Archive<Stored>>;

/// An archive that is being read.
pub(super) struct Archive {
    /// The object that it is, of which each member is a part.
    pub(super) object: Arc<Object>,
    name: Arc<str>,
    entries: Entries<Stored>,
    progress: Arc<Progress>,
    max_ratio: u64,
    /// How many members were given.
    pub(super) number: u64,
    /// The first member that was refused.
    pub(super) refused: Option<Error>,
    pub(super) live: bool,
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Archive {
    /// The archive in these bytes of an object.
    pub(super) fn new(bytes: Bytes, object: Arc<Object>, max_ratio: u64, live: bool) -> Self {
        let progress = Arc::<Progress>::default();
        let stored = Stored::new(bytes, Arc::clone(&progress));
        let mut archive = ArchiveBuilder::new(stored).set_ignore_zeros(true).build();
        let entries = archive.entries().expect("nothing was read yet");
        let name = object.name().into();
        Self { object, name, entries, progress, max_ratio, number: 0, refused: None, live }
    }

    /// The next member that is a file: its name, and its bytes. `None` after the last, and once a
    /// member has said that the archive is damaged.
    pub(super) async fn next(&mut self) -> Result<Option<(Arc<str>, Bytes)>> {
        loop {
            if self.progress.broken.load(Relaxed) {
                return Ok(None);
            }
            self.progress.begin_headers();
            let next = poll_fn(|cx| Pin::new(&mut self.entries).poll_next(cx)).await;
            self.progress.end_headers(match &next {
                Some(Ok(entry)) => end(entry),
                _ => 0,
            });
            match next {
                None if self.progress.has_end_mark() => return Ok(None),
                None => return Err(self.progress.truncated(self.place())),
                Some(Err(error)) => return Err(self.progress.fault(self.place(), error)),
                Some(Ok(mut entry)) => {
                    if let Some(member) = self.file(&mut entry).await? {
                        self.number += 1;
                        return Ok(Some(self.member(entry, member)));
                    }
                    self.pass_over(entry).await?;
                }
            }
        }
    }

    /// The name and the holes of an entry, if it is a file.
    async fn file(&self, entry: &mut Member) -> Result<Option<(String, Option<Holes>)>> {
        let fault = |error| self.progress.fault(self.place(), error);
        match entry.header().entry_type() {
            EntryType::Link | EntryType::Symlink | EntryType::Char | EntryType::Block => {
                return Ok(None);
            }
            EntryType::Directory | EntryType::Fifo => return Ok(None),
            EntryType::XGlobalHeader | EntryType::XHeader | EntryType::SolarisXHeader => {
                return Ok(None);
            }
            EntryType::GNULongName | EntryType::GNULongLink => return Ok(None),
            // Volume labels, folders of incremental backups, attributes of Solaris.
            EntryType::Other(b'V' | b'D' | b'A' | b'E') => return Ok(None),
            EntryType::Other(b'M') => {
                let reason =
                    "it begins with the rest of a file of another volume; join the volumes";
                return Err(Error::Unsupported { place: self.place(), reason: reason.to_owned() });
            }
            _ => {}
        }
        let mut name = entry.path_bytes().map_err(fault)?.into_owned();
        let mut told = sparse::Told::default();
        if let Some(extensions) = entry.pax_extensions().await.map_err(fault)? {
            for extension in extensions {
                let extension = extension.map_err(fault)?;
                told.learn(extension.key_bytes(), extension.value_bytes());
            }
        }
        // Archives of old name folders by a slash.
        if name.ends_with(b"/") {
            return Ok(None);
        }
        if let Some(real) = told.name.take() {
            name = real;
        }
        let holes = told.holes(entry).await.map_err(fault)?;
        Ok(Some((shown(&name), holes)))
    }

    fn member(&self, entry: Member, (name, holes): (String, Option<Holes>)) -> (Arc<str>, Bytes) {
        let name: Arc<str> = format!("{}!{name}", self.name).into();
        let place = Place::object(&*name);
        let progress = Arc::clone(&self.progress);
        let stored = stored(entry, progress, place.clone());
        let bytes = match holes {
            None => stored,
            Some(holes) => holes.filled(stored),
        };
        // Holes stand for any number of zeros.
        let read = Arc::clone(&self.progress.read);
        (name, guarded(bytes, read, self.max_ratio, place))
    }

    async fn pass_over(&self, entry: Member) -> Result<()> {
        let progress = Arc::clone(&self.progress);
        let mut bytes = stored(entry, progress, self.place());
        let mut buffer = vec![0; 16 << 10];
        while bytes.read(&mut buffer).await.map_err(|e| Error::io(self.place(), e))? > 0 {}
        Ok(())
    }

    fn place(&self) -> Place {
        Place::object(&*self.name)
    }
}

/// Where the stored bytes of an entry end, without their padding.
fn end(entry: &Member) -> u64 {
    let size = match entry.header().entry_type() {
        EntryType::GNUSparse => entry.header().raw_entry_size().unwrap_or(0),
        _ => entry.effective_size(),
    };
    entry.raw_file_position().saturating_add(size)
}

/// A name of a member, as text.
fn shown(name: &[u8]) -> String {
    match std::str::from_utf8(name) {
        Ok(name) => name.to_owned(),
        Err(_) => snippet(name),
    }
}

/// The bytes of a member as they are stored, with errors that name it.
fn stored(entry: Member, progress: Arc<Progress>, place: Place) -> Bytes {
    let mut given = 0;
    Counted::over(entry, move |read| match read {
        Ok(count) => {
            given += count;
            Ok(())
        }
        Err(error) => {
            progress.broken.store(true, Relaxed);
            Err(progress.fault(place.clone().at(given), error).into())
        }
    })
}
