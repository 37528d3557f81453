//! One page of a listing, read from the XML of a store.
//!
//! The stores' crate gives keys as paths, and there are keys that no path can spell: with an empty
//! component, with `.` or `..`, with a slash at the start. One such key would end its listing. So
//! the client reads the answers to listings here, hands the page on beside the crate, and gives
//! the crate an empty one.
//!
//! A page is used only if it is whole and of the kind that was asked for: a gateway's HTML page
//! with status 200, an error in an answer that began well, or a document that breaks off must not
//! be taken for the end of a listing.

mod elements;
mod xml;

use std::sync::{Arc, Mutex, PoisonError};

use object_store::ObjectMeta;

use super::pattern::Kind;
use crate::error::snippet;

/// A page: some objects, and what to ask for the next one with.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Page {
    pub(super) objects: Vec<Found>,
    pub(super) next: Option<String>,
    /// Of which bucket it says that it is.
    bucket: Option<String>,
    /// Of which prefix it says that it is.
    prefix: Option<String>,
    /// Which token it says that it was asked for with; an empty one for the first page.
    token: Option<String>,
    /// It begins behind a key, it says.
    starts_after: bool,
    /// A prefix that it has in place of the objects below.
    folder: Option<String>,
}

/// An object as a listing tells it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) key: String,
    /// Without a location.
    pub(super) meta: ObjectMeta,
}

/// Travels with a request for a listing, and takes its page back.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) kind: Kind,
    /// The bucket, where pages name it as requests do.
    bucket: Option<Arc<str>>,
    prefix: Arc<str>,
    /// The page that comes after the one that gave this.
    token: Option<Arc<str>>,
    /// Only one level was asked for, so that the page may have folders.
    level: bool,
    page: Arc<Mutex<Option<Page>>>,
}

impl Slot {
    /// For the page behind a token, or the first one.
    pub(super) fn new(kind: Kind, prefix: &str, token: Option<&str>, level: bool) -> Self {
        let token = token.map(Arc::from);
        Self { kind, bucket: None, prefix: prefix.into(), token, level, page: Arc::default() }
    }

    /// The same, whose page has to be of this bucket if it names one.
    pub(super) fn of_bucket(self, bucket: Option<&str>) -> Self {
        Self { bucket: bucket.map(Arc::from), ..self }
    }

    /// Reads the page out of an answer.
    ///
    /// # Errors
    /// Why it is none, or not the one that was asked for.
    pub(super) fn put(&self, body: &[u8]) -> Result<(), NoPage> {
        let page = Page::read(self.kind, body)?;
        if let (Some(asked), Some(named)) = (&self.bucket, &page.bucket)
            && **asked != **named
        {
            return Err(NoPage::OtherBucket(snippet(named.as_bytes())));
        }
        let mut keys = page.objects.iter().map(|object| &object.key);
        // A page of a longer prefix lacks objects, even if all that it has are below this one.
        let other = page.prefix.as_ref().filter(|prefix| **prefix != *self.prefix);
        let other = other.or_else(|| keys.find(|key| !key.starts_with(&*self.prefix)));
        if let Some(other) = other {
            return Err(NoPage::OtherPrefix(snippet(other.as_bytes())));
        }
        // Stores that say nothing of these are not asked to.
        if page.starts_after || !self.is_asked_with(page.token.as_deref()) {
            return Err(NoPage::OtherPage);
        }
        // What is below them would be missing.
        if let Some(folder) = page.folder.as_ref().filter(|_| !self.level) {
            return Err(NoPage::Folder(snippet(folder.as_bytes())));
        }
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = Some(page);
        Ok(())
    }

    /// Whether a page that says that it was asked for with this token can be the one that was.
    fn is_asked_with(&self, told: Option<&str>) -> bool {
        match told {
            None => true,
            // Stores like Azure's may say nothing by this. A bucket that names no token says that this
            // is the first page.
            Some("") => self.kind == Kind::Azure || self.token.is_none(),
            Some(told) => self.token.as_deref() == Some(told),
        }
    }

    pub(super) fn take(&self) -> Option<Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// An empty page, for the stores' crate.
    pub(super) fn empty(&self) -> &'static str {
        match self.kind {
            Kind::Azure => "<EnumerationResults><Blobs></Blobs></EnumerationResults>",
            _ => "<ListBucketResult></ListBucketResult>",
        }
    }
}

/// Why an answer is no page.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoPage {
    #[error("the answer to a listing is not UTF-8")]
    NotText,
    #[error("the answer to a listing says that it is in {0}, and not in UTF-8")]
    Encoding(String),
    #[error("the answer to a listing is no XML: {0}")]
    NotXml(String),
    #[error("the answer to a listing breaks off")]
    Unfinished,
    #[error("the answer to a listing is {found:?}, not {expected:?}")]
    OtherKind { found: String, expected: &'static str },
    #[error("the answer to a listing goes on behind its end")]
    Behind,
    #[error("the answer to a listing has an element that no listing has there: {0}")]
    Misplaced(String),
    #[error("the answer to a listing says that more follows, and not how to ask for it")]
    NoToken,
    #[error("the answer to a listing has an object with no {0}, or with one that is none")]
    Lacks(&'static str),
    #[error("the answer to a listing says {0} twice, or something that it cannot say")]
    Muddled(&'static str),
    #[error("the answer to a listing has no entries, and does not say that it has none")]
    Nothing,
    #[error("the answer to a listing is full, and does not say whether more follows")]
    Full,
    #[error("the answer to a listing says that it has {told} entries, and has {came}")]
    Count { told: u64, came: u64 },
    #[error("the answer to a listing is one of another bucket: {0}")]
    OtherBucket(String),
    #[error("the answer to a listing is one of another prefix: {0}")]
    OtherPrefix(String),
    #[error("the answer to a listing is another page than the one that was asked for")]
    OtherPage,
    #[error("the answer to a listing has a folder in place of the objects in it: {0}")]
    Folder(String),
    #[error("the answer to a listing is longer than {} MiB", LONGEST >> 20)]
    TooLong,
}

/// Longer keys and tokens do not fit into the address of a request; stores allow 1024 characters.
pub(super) const LONGEST_NAME: usize = 8 << 10;
/// The longest page that is read; a thousand keys of a kibibyte each take two MiB.
pub(super) const LONGEST: usize = 64 << 20;
