//! Buckets: one store for each, made from the environment; and listing in them.
//!
//! A glob is one paginated listing that begins at the longest literal prefix, even in the middle
//! of a name, and stays at one level if the pattern does (`listings`). What is named exactly is not
//! asked for before it is read.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::future::Future;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use twox_hash::XxHash3_64;

use super::Access;
use super::gathered::Gathered;
use super::known::Remote;
use super::listings::{Alternative, Ask, Matches, asks, literal_prefix};
use super::missing::Listing;
use super::object::Home;
use super::page::{Found, LONGEST_NAME, Page, Slot};
use super::pattern::{Kind, Pattern, Url, is_glob, shown};
use super::refused;
use super::room::Room;
use super::settings::build;
use super::spell::{Name, Signer};
use crate::runtime::REQUESTS;
use crate::{Error, Place, Result};

/// The stores of one source, opened when they are first named.
#[derive(Debug)]
pub(super) struct Stores {
    access: Access,
    /// Of web servers, one a URL.
    urls: Mutex<HashMap<String, Arc<Store>>>,
}

/// A bucket by its kind, its URL, whether requests are signed, and all that the environment says.
type Bucket = (Kind, String, bool, Vec<(OsString, OsString)>);

/// The buckets of the process, shared by sources and runs: their credentials are asked for once.
static BUCKETS: LazyLock<Mutex<HashMap<Bucket, Arc<Store>>>> = LazyLock::new(Mutex::default);
/// The most pages without an object that may follow each other.
const MOST_EMPTY: usize = 10_000;
/// The most of them that are kept.
const MOST_BUCKETS: usize = 256;

/// The variables that say something of a store, in order.
fn environment() -> Vec<(OsString, OsString)> {
    let starts = ["AWS_", "GOOGLE_", "AZURE_", "SERVICE_ACCOUNT", "IDENTITY_", "MSI_"];
    let of_stores = |name: &OsString| {
        let name = name.to_string_lossy();
        starts.iter().any(|start| name.starts_with(start))
            || name.to_ascii_lowercase().ends_with("_proxy")
    };
    let mut variables: Vec<_> = std::env::vars_os().filter(|(name, _)| of_stores(name)).collect();
    variables.sort();
    variables
}

/// One bucket, or one URL of a web server.
pub(super) struct Store {
    pub(super) kind: Kind,
    pub(super) anonymous: bool,
    /// Scheme and bucket, for messages.
    pub(super) base: String,
    pub(super) objects: Arc<dyn ObjectStore>,
    pages: Pages,
    pub(super) signer: Arc<Signer>,
}

// Not derived: the clients hold credentials.
impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("base", &self.base).finish_non_exhaustive()
    }
}

/// Listing by any prefix; `None` where only whole directories can be listed.
#[derive(Clone)]
struct Pages(Option<Arc<dyn PaginatedListStore>>);

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pages").field(&self.0.is_some()).finish()
    }
}

impl Stores {
    pub(super) fn new(access: Access) -> Self {
        Self { access, urls: Mutex::default() }
    }

    /// Appends the objects that a pattern names.
    pub(super) async fn list(
        &self,
        pattern: &Pattern,
        kind: Kind,
        into: &mut Listing<'_>,
    ) -> Result<()> {
        if kind != Kind::Http && self.stands(pattern, kind, into).await? {
            return Ok(());
        }
        let urls = pattern.alternatives.iter().map(|url| Url::split(url, kind));
        let urls = urls.collect::<Result<Vec<_>>>()?;
        if kind == Kind::Http {
            for (url, parts) in pattern.alternatives.iter().zip(urls) {
                // A store for each URL, at home at its root: a path of object_store's would lose
                // the query and normalise the rest. The client below them is shared.
                let store = self.store(url, parts, kind)?;
                let home = Home::Remote(Remote::new(&store, Name::Path(Path::ROOT)));
                into.push(shown(url), None, home)?;
            }
            return Ok(());
        }
        if let Some(at) = urls.iter().position(|url| url.key.len() > LONGEST_NAME) {
            let reason = format!("its key has more than {LONGEST_NAME} bytes");
            return Err(Error::Pattern { pattern: shown(&pattern.alternatives[at]), reason });
        }
        let globs = urls.iter().enumerate().filter(|(_, url)| is_listed(url.key));
        let globs = globs.map(|(number, url)| {
            let Url { base, key, .. } = *url;
            Alternative { number, base, key }
        });
        let mut asks = asks(globs.collect());
        let mut matches = Matches::new();
        let mut last: Option<(&str, Arc<Store>)> = None;
        for (number, url) in urls.iter().enumerate() {
            let store = match &last {
                Some((base, store)) if *base == url.base => Arc::clone(store),
                _ => self.store(url.base, *url, kind)?,
            };
            last = Some((url.base, Arc::clone(&store)));
            if !is_listed(url.key) {
                let home = Home::Remote(Remote::new(&store, Name::of(url.key)));
                into.push(pattern.alternatives[number].clone(), None, home)?;
                continue;
            }
            if let Some(ask) = asks.remove(&number) {
                match store.matches(&ask, into.room()).await {
                    Ok(more) => matches.extend(more),
                    Err(Unlisted { error, began: false }) => into.refuse(error)?,
                    // What its first pages name is there: to pass over that would be to lose it.
                    Err(Unlisted { error, began: true }) => return Err(into.fail(error)),
                }
            }
            let Some(found) = matches.remove(&number) else { continue };
            let mut found = found.from(0);
            while let Some(row) = found.advance() {
                into.push_listed(&store, row)?;
            }
        }
        Ok(())
    }

    /// Appends the object whose key has the braces of a pattern in it, if there is one: it is
    /// meant, as on disk.
    async fn stands(&self, pattern: &Pattern, kind: Kind, into: &mut Listing<'_>) -> Result<bool> {
        let url = Url::split(&pattern.given, kind)?;
        // A slash at the end names a folder, whatever object has that name.
        if pattern.alternatives == [pattern.given.as_str()] || url.key.ends_with('/') {
            return Ok(false);
        }
        let store = self.store(url.base, url, kind)?;
        match store.first(url.key).await {
            Ok(Some(first)) if first == url.key => {
                let home = Home::Remote(Remote::new(&store, Name::of(url.key)));
                into.push(pattern.given.clone(), None, home)?;
                Ok(true)
            }
            // Who may not list may read all the same.
            Ok(_) => Ok(false),
            Err(error) if !error.is_of_the_run() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The longest prefix of a pattern below which there is something.
    pub(super) async fn existing(&self, pattern: &Pattern, kind: Kind) -> Option<String> {
        let url = Url::split(pattern.alternatives.last()?, kind).ok()?;
        let store = self.store(url.base, url, kind).ok()?;
        let literal = literal_prefix(url.key);
        let mut prefixes: Vec<_> =
            literal.match_indices('/').map(|(at, _)| &literal[..=at]).collect();
        prefixes.insert(0, "");
        // Below a prefix with something in it, so have all shorter ones: bisect.
        let (mut exist, mut end) = (0, prefixes.len());
        while exist < end {
            let middle = exist + (end - exist) / 2;
            match store.first(prefixes[middle]).await.ok()? {
                Some(_) => exist = middle + 1,
                None => end = middle,
            }
        }
        match exist.checked_sub(1) {
            Some(longest) => Some(format!("{}/{}", url.base, prefixes[longest])),
            None => Some(format!("{}/, which is empty", url.base)),
        }
    }

    pub(super) fn store(&self, key: &str, url: Url<'_>, kind: Kind) -> Result<Arc<Store>> {
        let anonymous = self.access.anonymous;
        let open = || -> Result<Arc<Store>> {
            let (objects, pages, signer) = build(key, url, kind, anonymous)
                .map_err(|reason| Error::Pattern { pattern: shown(key), reason })?;
            Ok(Store::new(kind, anonymous, shown(key), objects, pages, signer))
        };
        if kind == Kind::Http {
            let mut urls = lock(&self.urls);
            if let Some(store) = urls.get(key) {
                return Ok(Arc::clone(store));
            }
            let store = open()?;
            urls.insert(key.to_owned(), Arc::clone(&store));
            return Ok(store);
        }
        let bucket = (kind, key.to_owned(), anonymous, environment());
        let mut buckets = lock(&BUCKETS);
        if let Some(store) = buckets.get(&bucket) {
            return Ok(Arc::clone(store));
        }
        let store = open()?;
        if buckets.len() >= MOST_BUCKETS {
            buckets.clear();
        }
        buckets.insert(bucket, Arc::clone(&store));
        Ok(store)
    }
}

fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    fn new(
        kind: Kind,
        anonymous: bool,
        base: String,
        objects: Arc<dyn ObjectStore>,
        pages: Option<Arc<dyn PaginatedListStore>>,
        signer: Signer,
    ) -> Arc<Self> {
        let signer = Arc::new(signer);
        Arc::new(Self { kind, anonymous, base, objects, pages: Pages(pages), signer })
    }

    /// A store that lives in memory.
    #[cfg(all(test, feature = "http"))]
    pub(super) fn memory(objects: Arc<dyn ObjectStore>) -> Arc<Self> {
        Self::new(Kind::S3, false, "memory://bucket".to_owned(), objects, None, Signer::None)
    }

    /// The first object below a prefix, if there is any.
    async fn first(self: &Arc<Self>, prefix: &str) -> Result<Option<String>> {
        let (store, prefix) = (Arc::clone(self), prefix.to_owned());
        self.requested(async move {
            let options = PaginatedListOptions { max_keys: Some(1), ..Default::default() };
            let page = store.page(&prefix, options).await?;
            Ok(page.objects.into_iter().next().map(|found| found.key))
        })
        .await
    }

    /// What the alternatives of one listing match.
    async fn matches(self: &Arc<Self>, ask: &Ask<'_>, room: &Room) -> Result<Matches, Unlisted> {
        let (store, prefix, level) = (Arc::clone(self), ask.prefix.to_owned(), ask.level);
        let of_list = room.clone();
        let listed = async move {
            let mut began = false;
            let listed = store.listed(&prefix, level, &of_list, &mut began).await;
            Ok(listed.map_err(|error| Unlisted { error, began }))
        };
        let Gathered { found, taken, .. } = self.requested(listed).await??;
        let matches = ask.matches(&found, room);
        drop(taken);
        Ok(matches?)
    }

    /// Runs a request beside the caller.
    async fn requested<T: Send + 'static>(
        &self,
        request: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let place = |e| Error::io(Place::object(&self.base), e);
        REQUESTS.spawn(request).map_err(place)?.await.map_err(place)?
    }

    /// Every object below a literal prefix, or only those at its level; sorted by key. Also tells when
    /// there is a part of them.
    async fn listed(
        &self,
        prefix: &str,
        level: bool,
        room: &Room,
        began: &mut bool,
    ) -> Result<Gathered> {
        let mut gathered = Gathered::new(room);
        if self.pages.0.is_none() {
            let directory = prefix.rsplit_once('/').map(|(directory, _)| Path::from(directory));
            let mut listed = self.objects.list(directory.as_ref());
            while let Some(meta) = listed.try_next().await.map_err(|e| self.explain(prefix, &e))? {
                gathered.add(Found { key: meta.location.to_string(), meta })?;
            }
            return gathered.sorted();
        }
        let mut tokens = HashSet::new();
        let mut empty = 0;
        let mut token = None;
        loop {
            let options = PaginatedListOptions {
                delimiter: level.then_some("/".into()),
                page_token: token,
                ..Default::default()
            };
            let page = self.page(prefix, options).await?;
            *began = true;
            empty = if page.objects.is_empty() { empty + 1 } else { 0 };
            for found in page.objects {
                if let Some(twice) = gathered.add(found)? {
                    return Err(self.unsound(&twice, "the listing names this object twice"));
                }
            }
            if empty > MOST_EMPTY {
                let reason = "the listing has thousands of pages without an object in a row";
                return Err(self.unsound(prefix, reason));
            }
            token = page.next;
            match &token {
                None => return gathered.sorted(),
                Some(next) if !tokens.insert(digest(next)) => {
                    let reason = "the listing goes round in a circle: its pages say that the same \
                                  page follows again";
                    return Err(self.unsound(prefix, reason));
                }
                Some(_) => {}
            }
        }
    }

    /// One page of a listing.
    async fn page(&self, prefix: &str, mut options: PaginatedListOptions) -> Result<Page> {
        let Some(pages) = &self.pages.0 else { return Ok(Page::default()) };
        let level = options.delimiter.is_some();
        let slot = Slot::new(self.kind, prefix, options.page_token.as_deref(), level);
        let slot = slot.of_bucket(self.bucket());
        options.extensions.insert(slot.clone());
        let asked = pages.list_paginated(some(prefix), options).await;
        asked.map_err(|e| self.explain(prefix, &e))?;
        slot.take().ok_or_else(|| self.unsound(prefix, "the listing came without an answer"))
    }

    /// The bucket or the container, if pages call it as its URL does.
    fn bucket(&self) -> Option<&str> {
        let (_, named) = self.base.split_once("://")?;
        // An access point stands for a bucket of another name.
        let stands = ["-s3alias", "--ol-s3", ".mrap"].iter().any(|end| named.ends_with(end));
        match self.kind {
            Kind::S3 if stands || named.starts_with("arn:") => None,
            Kind::Azure => named.split('@').next(),
            _ => Some(named),
        }
    }

    /// The error for a server whose listings cannot be trusted.
    fn unsound(&self, key: &str, reason: &str) -> Error {
        let place = Place::object(format!("{}/{key}", self.base));
        Error::Corrupt { place, reason: format!("{reason}; the server is at fault") }
    }

    fn explain(&self, prefix: &str, error: &object_store::Error) -> Error {
        refused::explain(Place::object(format!("{}/{prefix}", self.base)), self, error)
    }
}

/// Why there is no listing, and whether a part of it came before.
#[derive(Debug)]
struct Unlisted {
    error: Error,
    began: bool,
}

impl From<Error> for Unlisted {
    fn from(error: Error) -> Self {
        Self { error, began: false }
    }
}

/// What stands for a token among those that were seen: a token may have kibibytes.
fn digest(token: &str) -> [u64; 2] {
    [0, 1].map(|seed| XxHash3_64::oneshot_with_seed(seed, token.as_bytes()))
}

fn some(prefix: &str) -> Option<&str> {
    (!prefix.is_empty()).then_some(prefix)
}

/// Whether a key has to be looked for in a listing.
fn is_listed(key: &str) -> bool {
    is_glob(key) || key.is_empty() || key.ends_with('/')
}
