//! Where bytes come from: URL patterns, the objects that they name, and ranged reads of them.
//!
//! The way of a pattern: [`Source::parse`] reads it (`pattern`, nothing touched), [`Source::list_in`]
//! finds the objects it names (`local` and `walk` on disk, `store` in a bucket; `missing` says what
//! becomes of those that cannot be read) and keeps them in few bytes (`objects`, `rows`) as far as
//! there is `room` for them, [`partitions`] cuts and packs them (`pack`), and a [`Fetch`] opens the slices of one partition (`fetch`), with a
//! `file` (`held` open for all of its slices), a `pipe` or a `remote` object behind each, whose ranges (`range`) are fetched `ahead`
//! for all readers together, as many at a time as their `pace` says. Buffers go round through
//! `pool`: between readers and blocks, and to requests, whose bytes land in them (`landing`).
//!
//! Files are read by the calling thread inside of `poll_read`, which is always ready: a runtime
//! could only hand the same `read(2)` to another thread. Requests alone live on tokio, on the
//! `runtime` that the first of them starts.

#[cfg(feature = "cli")]
mod again;
#[cfg(feature = "cloud")]
mod ahead;
#[cfg(feature = "cloud")]
mod answer;
mod braces;
#[cfg(feature = "cloud")]
mod checksum;
#[cfg(feature = "cloud")]
mod client;
#[cfg(feature = "cloud")]
mod coding;
#[cfg(feature = "cloud")]
mod coming;
#[cfg(feature = "azure")]
mod connection_string;
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
mod credentials;
mod evidence;
#[cfg(all(test, feature = "http"))]
mod faults;
mod fetch;
mod file;
#[cfg(feature = "cloud")]
mod gathered;
mod glob;
#[cfg(feature = "cloud")]
mod host;
#[cfg(feature = "cloud")]
mod known;
#[cfg(feature = "cloud")]
mod landing;
#[cfg(feature = "cloud")]
mod listings;
mod local;
mod missing;
mod object;
mod objects;
mod one_file;
#[cfg(feature = "cloud")]
mod pace;
mod pack;
#[cfg(feature = "cloud")]
mod page;
#[cfg(all(test, feature = "cloud"))]
mod page_tests;
#[cfg(feature = "cloud")]
mod patience;
mod pattern;
mod pipe;
mod pool;
#[cfg(feature = "cloud")]
mod proxies;
#[cfg(feature = "cloud")]
mod range;
#[cfg(unix)]
mod redirect;
#[cfg(feature = "cloud")]
mod refused;
#[cfg(feature = "cloud")]
mod remote;
#[cfg(all(test, feature = "http"))]
mod remote_tests;
#[cfg(feature = "cloud")]
mod request;
mod room;
mod rows;
#[cfg(feature = "cloud")]
mod said;
#[cfg(feature = "cloud")]
mod settings;
#[cfg(feature = "s3")]
mod sigv4;
#[cfg(feature = "cloud")]
mod spell;
#[cfg(feature = "cloud")]
mod store;
#[cfg(feature = "cloud")]
mod sums;
#[cfg(feature = "cloud")]
mod transport;
#[cfg(feature = "cloud")]
mod trouble;
#[cfg(all(test, feature = "http"))]
mod trust_tests;
#[cfg(feature = "cloud")]
mod variable;
mod version;
mod walk;
mod wild;

use std::fmt;
use std::sync::Arc;

use crate::{Error, Place, Progress, Result};

#[cfg(feature = "cli")]
pub(crate) use again::{Known, Local, Seen, read_once};
pub(crate) use fetch::{Feed, Fetch, Opened};
use missing::Listing;
pub use missing::Missing;
pub(crate) use object::HEAD;
use object::Home;
pub(crate) use object::Object;
pub(crate) use objects::Objects;
#[cfg(feature = "cli")]
pub(crate) use one_file::Opener;
#[cfg(feature = "cli")]
pub(crate) use pack::Slice;
pub(crate) use pack::{Partition, Partitions, partitions};
use pattern::{Pattern, Scheme};
pub(crate) use pool::{Buffer, Pool, SPARE};

/// Patterns, parsed: what to read, with nothing touched yet.
#[derive(Clone)]
pub(crate) struct Source {
    patterns: Arc<[Pattern]>,
    missing: Missing,
    look: bool,
    #[cfg(feature = "cli")]
    anonymous: bool,
    #[cfg(feature = "cloud")]
    stores: Arc<store::Stores>,
}

// Not derived: what users print must not show what signs a URL.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.patterns.iter().map(Pattern::shown)).finish()
    }
}

/// How sources are approached; everything else comes from the environment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Access {
    /// Send requests unsigned.
    pub(crate) anonymous: bool,
    /// What entries do that cannot be read.
    pub(crate) missing: Missing,
    /// Whether files are opened before any is read: a result is given while others are read.
    pub(crate) look: bool,
}

impl Source {
    /// Parses patterns; touches neither disk nor network.
    ///
    /// # Errors
    /// [`Error::Pattern`] for an unknown scheme, a wildcard where a store cannot list, or
    /// standard input named twice.
    pub(crate) fn parse(patterns: &[String], access: Access) -> Result<Self> {
        let parsed = patterns.iter().map(|p| Pattern::parse(p)).collect::<Result<Vec<_>>>()?;
        if parsed.iter().filter(|p| p.scheme == Scheme::Stdin).count() > 1 {
            let reason = "standard input can be read only once".to_owned();
            return Err(Error::Pattern { pattern: "-".to_owned(), reason });
        }
        #[cfg(not(any(feature = "cloud", feature = "cli")))]
        let Access { anonymous: _, .. } = access;
        Ok(Self {
            patterns: parsed.into(),
            missing: access.missing,
            look: access.look,
            #[cfg(feature = "cli")]
            anonymous: access.anonymous,
            #[cfg(feature = "cloud")]
            stores: Arc::new(store::Stores::new(access)),
        })
    }

    /// How it is approached.
    #[cfg(feature = "cli")]
    pub(crate) fn access(&self) -> Access {
        let (missing, look) = (self.missing, self.look);
        Access { anonymous: self.anonymous, missing, look }
    }

    /// The first pattern that holds a login, a signature or a query, without these.
    #[cfg(feature = "cli")]
    pub(crate) fn with_credential(&self) -> Option<String> {
        let mut shown = self.patterns.iter().map(|pattern| (pattern.shown(), &pattern.given));
        shown.find(|(shown, given)| shown != *given).map(|(shown, _)| shown)
    }

    /// The patterns as the user wrote them, without credentials and queries.
    pub(crate) fn shown(&self) -> impl Iterator<Item = String> {
        self.patterns.iter().map(Pattern::shown)
    }

    /// The objects that the patterns name, in the order of the patterns; a glob's sort lexically.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a file that is missing and a glob that matches nothing, unless such
    /// entries are passed over; [`Error::Io`] if the list takes more than `room` bytes while it is
    /// made, or more than half of that in the end; whatever else the disk or the store says.
    pub(crate) async fn list_in(&self, progress: &Progress, room: Option<u64>) -> Result<Objects> {
        let mut listing = Listing::new(self.missing, progress).looking(self.look).within(room);
        for pattern in self.patterns.iter() {
            let before = listing.found();
            match pattern.scheme {
                Scheme::Stdin => listing.push("standard input".to_owned(), None, Home::Stdin)?,
                Scheme::File => local::list(pattern, &mut listing)?,
                #[cfg(feature = "cloud")]
                Scheme::Remote(kind) => self.stores.list(pattern, kind, &mut listing).await?,
                #[cfg(not(feature = "cloud"))]
                Scheme::Remote(_) => {}
            }
            if listing.found() == before {
                let error = self.nothing(pattern).await;
                listing.refuse(error)?;
            }
        }
        listing.finish()
    }

    /// The same, whatever memory the list takes.
    #[cfg(test)]
    pub(crate) async fn list(&self, progress: &Progress) -> Result<Objects> {
        self.list_in(progress, None).await
    }

    /// Why a pattern matched nothing: where it was looked for, and how far the way leads.
    async fn nothing(&self, pattern: &Pattern) -> Error {
        let exists = match pattern.scheme {
            Scheme::File => local::existing(pattern),
            #[cfg(feature = "cloud")]
            Scheme::Remote(kind) => self.stores.existing(pattern, kind).await,
            _ => None,
        };
        let mut reason = "no object matches".to_owned();
        if exists.as_deref().map(|e| e.trim_end_matches('/'))
            == Some(pattern.shown().trim_end_matches('/'))
        {
            reason = "the folder holds no files (hidden ones are passed over)".to_owned();
        } else if let Some(exists) = exists {
            reason = format!("{reason}; the longest part of it that exists is {exists}");
        }
        if let Some(literal) = pattern.literal() {
            reason = format!("{reason}; to name a bracket itself, write {literal}");
        }
        Error::NotFound { place: Place::object(pattern.shown()), reason }
    }
}
