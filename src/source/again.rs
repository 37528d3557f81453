//! Objects as data: what a listing told of them, and the same objects in another process.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::local;
use super::missing::Listing;
use super::object::{Home, Object};
use super::one_file::OneFile;
use super::pattern::{Pattern, Scheme};
use super::version::{Version, is_made_when_read, numbers_files_anew};
use super::{Access, Source};
use crate::{Error, Place, Progress, Result};

/// An object, as a listing has told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    /// A path or a URL, without credentials.
    pub(crate) name: String,
    /// Bytes, as stored; `None` of one that was named exactly in a store and not asked for yet.
    pub(crate) size: Option<u64>,
    pub(crate) seen: Seen,
}

/// What tells an object from one that takes its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Nothing was told.
    Nothing,
    /// Its ETag.
    Tag(String),
    /// Of a file.
    Written {
        /// When it was last written to, in nanoseconds since 1970.
        at: i128,
        /// When it, its name or its mode last changed, which nobody can set: in seconds and
        /// nanoseconds since 1970, where files have that.
        touched: Option<(i64, i64)>,
    },
}

/// Where an object is that is read from its start to its end, here.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Local<'o> {
    File(&'o OneFile),
    /// A pipe or a device.
    Pipe(&'o Path),
    Stdin,
}

impl Object {
    /// Where the object is on this machine; `None` for one in a store.
    pub(crate) fn local(&self) -> Option<Local<'_>> {
        match &self.home {
            Home::File(file) => Some(Local::File(file)),
            Home::Pipe(path) => Some(Local::Pipe(path)),
            Home::Stdin => Some(Local::Stdin),
            #[cfg(feature = "cloud")]
            Home::Remote(_) => None,
        }
    }

    /// The error for a fault of the file system at the object.
    pub(crate) fn failed(&self, error: std::io::Error) -> Error {
        local::error(self.place(), error)
    }

    /// Whether it could not be read, so that the run has none of its records.
    #[cfg(feature = "cli")]
    pub(crate) fn is_passed_over(&self) -> bool {
        self.entry().is_refused()
    }

    /// The object as data; `None` for what can be read only once, and here.
    pub(crate) fn known(&self) -> Option<Known> {
        let seen = match &self.home {
            Home::Pipe(_) | Home::Stdin => return None,
            Home::File(file) => written(file.listed()),
            #[cfg(feature = "cloud")]
            Home::Remote(remote) => match remote.tag() {
                Some(tag) => Seen::Tag(tag.to_owned()),
                None => Seen::Nothing,
            },
        };
        Some(Known { name: self.name().to_owned(), size: self.size(), seen })
    }
}

impl Source {
    /// The objects that were listed elsewhere, in their order. Files are looked at; stores are asked only
    /// as objects are read, for the version that was listed.
    ///
    /// # Errors
    /// [`Error::Changed`] for a file that is another one now, and what the policy does not pass over.
    pub(crate) fn again(
        known: &[Known],
        access: Access,
        progress: &Progress,
    ) -> Result<Vec<Arc<Object>>> {
        #[cfg(feature = "cloud")]
        let stores = super::store::Stores::new(access);
        let mut listing = Listing::new(access.missing, progress);
        for object in known {
            match Pattern::parse(&object.name)?.scheme {
                Scheme::File => file(object, &mut listing)?,
                Scheme::Stdin => return Err(read_once(&object.name)),
                #[cfg(feature = "cloud")]
                Scheme::Remote(kind) => stores.again(object, kind, &mut listing)?,
                #[cfg(not(feature = "cloud"))]
                Scheme::Remote(_) => {}
            }
        }
        Ok(listing.finish()?.iter().collect())
    }
}

#[cfg(feature = "cloud")]
impl super::store::Stores {
    /// Appends an object that was listed elsewhere: as a listing here would have told of it.
    fn again(
        &self,
        known: &Known,
        kind: super::pattern::Kind,
        into: &mut Listing<'_>,
    ) -> Result<()> {
        use super::known::Remote;
        use super::pattern::{Kind, Url};
        use super::spell::Name;

        let url = Url::split(&known.name, kind)?;
        let (key, name) = match kind {
            Kind::Http => (&*known.name, Name::Path(object_store::path::Path::ROOT)),
            _ => (url.base, Name::of(url.key)),
        };
        let store = self.store(key, url, kind)?;
        let remote = match (known.size, &known.seen) {
            (Some(size), Seen::Tag(tag)) => {
                let meta = object_store::ObjectMeta {
                    location: object_store::path::Path::default(),
                    last_modified: Default::default(),
                    size,
                    e_tag: Some(tag.clone()),
                    version: None,
                };
                Remote::listed(&store, name, meta, std::time::Instant::now())
            }
            _ => Remote::new(&store, name),
        };
        into.push(known.name.clone(), None, Home::Remote(remote))
    }
}

/// Appends a file, if it is still the one that was listed.
fn file(known: &Known, into: &mut Listing<'_>) -> Result<()> {
    let path = Path::new(&known.name);
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) => return into.refuse(local::at(path, error)),
    };
    if !found.is_file() {
        return Err(read_once(&known.name));
    }
    let version = Version::of(&found);
    let now = written(&version);
    if known.size != Some(found.len())
        || known.seen.written() != now.written()
        || is_touched(path, known, &now)
    {
        return Err(Error::Changed { place: Place::object(&known.name) });
    }
    into.push_file(path.to_owned(), version)
}

/// Whether a file was touched since it was listed. Nothing tells one that was written to and whose time
/// was set back from one that was renamed or shared: as within one process, it is taken for another.
fn is_touched(path: &Path, known: &Known, now: &Seen) -> bool {
    let (Some(then), Some(now)) = (known.seen.touched(), now.touched()) else { return false };
    // A file that cannot be opened says so as it is read.
    then != now
        && known.size != Some(0)
        && fs::File::open(path)
            .is_ok_and(|file| !is_made_when_read(&file) && !numbers_files_anew(&file))
}

fn written(version: &Version) -> Seen {
    version.modified().map_or(Seen::Nothing, |time| Seen::Written {
        at: since_1970(time),
        touched: version.touched(),
    })
}

impl Seen {
    fn written(&self) -> Option<i128> {
        match self {
            Self::Written { at, .. } => Some(*at),
            _ => None,
        }
    }

    fn touched(&self) -> Option<(i64, i64)> {
        match self {
            Self::Written { touched, .. } => *touched,
            _ => None,
        }
    }
}

fn since_1970(time: SystemTime) -> i128 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    }
}

/// The error for what another process cannot read.
pub(crate) fn read_once(name: &str) -> Error {
    let reason = "it can be read only once, and by the process that opens it; name files or URLs";
    Error::Unsupported { place: Place::object(name), reason: reason.to_owned() }
}
