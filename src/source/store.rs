//! Buckets: one store for each, made from the environment; and listing in them.
//!
//! A glob is one paginated listing that begins at the longest literal prefix, even in the middle
//! of a name, and stays at one level if the pattern does. What is named exactly is not asked for
//! before it is read.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures::TryStreamExt;
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::{BackoffConfig, ClientConfigKey, ObjectMeta, ObjectStore, RetryConfig};

use super::Access;
use super::glob::Component;
use super::missing::Listing;
use super::object::Home;
use super::pattern::{Kind, Pattern, Url, is_glob, shown};
use super::refused;
use super::transport::{Connector, UNTOLD};
use crate::runtime::REQUESTS;
use crate::{Error, Place, Result};

/// The stores of one source, one a bucket, opened when they are first named.
#[derive(Debug)]
pub(super) struct Stores {
    access: Access,
    connector: Connector,
    open: Mutex<HashMap<String, Arc<Store>>>,
}

/// One bucket, or one URL of a web server.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) kind: Kind,
    pub(super) anonymous: bool,
    /// Scheme and bucket, for messages.
    pub(super) base: String,
    pub(super) objects: Arc<dyn ObjectStore>,
    pages: Pages,
    /// Whether it ever answered well: then trouble is worth more patience.
    pub(super) answered: AtomicBool,
}

/// Listing by any prefix; `None` where only whole directories can be listed.
#[derive(Clone)]
struct Pages(Option<Arc<dyn PaginatedListStore>>);

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pages").field(&self.0.is_some()).finish()
    }
}

/// An object in a store.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) store: Arc<Store>,
    pub(super) path: Path,
    /// Size, ETag and date, as listed or as the first answer told them.
    pub(super) version: OnceLock<ObjectMeta>,
    /// Whether its server was found to ignore ranges.
    pub(super) whole: AtomicBool,
}

impl Remote {
    pub(super) fn new(store: &Arc<Store>, path: Path) -> Arc<Self> {
        let whole = AtomicBool::new(false);
        Arc::new(Self { store: Arc::clone(store), path, version: OnceLock::new(), whole })
    }

    pub(super) fn size(&self) -> Option<u64> {
        self.version.get().map(|v| v.size).filter(|&size| size != UNTOLD)
    }
}

impl Stores {
    pub(super) fn new(access: Access) -> Self {
        Self { access, connector: Connector::default(), open: Mutex::default() }
    }

    /// Appends the objects that a pattern names.
    pub(super) async fn list(
        &self,
        pattern: &Pattern,
        kind: Kind,
        into: &mut Listing<'_>,
    ) -> Result<()> {
        for alternative in &pattern.alternatives {
            let url = Url::split(alternative, kind)?;
            if kind == Kind::Http {
                // A store for each URL, at home at its root: a path of object_store's would lose
                // the query and normalise the rest. The client below them is shared.
                let remote = Remote::new(&self.store(alternative, url, kind)?, Path::ROOT);
                into.push(shown(alternative), None, Home::Remote(remote));
                continue;
            }
            let store = self.store(url.base, url, kind)?;
            if is_glob(url.key) || url.key.is_empty() || url.key.ends_with('/') {
                if let Err(error) = glob(&store, url.key, into).await {
                    into.refuse(error)?;
                }
            } else {
                let path = Path::parse(url.key).map_err(|e| Error::Pattern {
                    pattern: alternative.clone(),
                    reason: e.to_string(),
                })?;
                let home = Home::Remote(Remote::new(&store, path));
                into.push(alternative.clone(), None, home);
            }
        }
        Ok(())
    }

    /// The longest prefix of a pattern below which there is something.
    pub(super) async fn existing(&self, pattern: &Pattern, kind: Kind) -> Option<String> {
        let url = Url::split(pattern.alternatives.last()?, kind).ok()?;
        let store = self.store(url.base, url, kind).ok()?;
        let literal = literal_prefix(url.key);
        let mut prefixes: Vec<_> =
            literal.match_indices('/').map(|(at, _)| &literal[..=at]).collect();
        prefixes.insert(0, "");
        for prefix in prefixes.into_iter().rev() {
            if store.first_page(prefix).await.ok()? {
                return Some(format!("{}/{prefix}", url.base));
            }
        }
        Some(format!("{}/, which is empty", url.base))
    }

    fn store(&self, key: &str, url: Url<'_>, kind: Kind) -> Result<Arc<Store>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = open.get(key) {
            return Ok(Arc::clone(store));
        }
        let (objects, pages) =
            build(key, url, kind, self.access.anonymous, &self.connector).map_err(|e| {
                Error::Pattern { pattern: shown(key), reason: refused::unusable(kind, &e) }
            })?;
        let store = Store::new(kind, self.access.anonymous, shown(key), objects, pages);
        open.insert(key.to_owned(), Arc::clone(&store));
        Ok(store)
    }
}

impl Store {
    fn new(
        kind: Kind,
        anonymous: bool,
        base: String,
        objects: Arc<dyn ObjectStore>,
        pages: Option<Arc<dyn PaginatedListStore>>,
    ) -> Arc<Self> {
        let answered = AtomicBool::new(false);
        Arc::new(Self { kind, anonymous, base, objects, pages: Pages(pages), answered })
    }

    /// A store that lives in memory.
    #[cfg(all(test, feature = "http"))]
    pub(super) fn memory(objects: Arc<dyn ObjectStore>) -> Arc<Self> {
        Self::new(Kind::S3, false, "memory://bucket".to_owned(), objects, None)
    }

    /// Whether there is anything below a prefix.
    async fn first_page(self: &Arc<Self>, prefix: &str) -> Result<bool> {
        let Pages(Some(pages)) = self.pages.clone() else { return Ok(false) };
        let (store, prefix) = (Arc::clone(self), prefix.to_owned());
        let found = REQUESTS.spawn(async move {
            let options = PaginatedListOptions { max_keys: Some(1), ..Default::default() };
            let page = pages.list_paginated(some(&prefix), options).await;
            page.map(|p| !p.result.objects.is_empty()).map_err(|e| store.explain(&prefix, &e))
        });
        let place = || Place::object(&self.base);
        found.map_err(|e| Error::io(place(), e))?.await.map_err(|e| Error::io(place(), e))?
    }

    /// Every object below a literal prefix, or only those at its level.
    async fn listed(self: &Arc<Self>, prefix: &str, level: bool) -> Result<Vec<ObjectMeta>> {
        let Pages(Some(pages)) = self.pages.clone() else {
            let directory = prefix.rsplit_once('/').map(|(directory, _)| Path::from(directory));
            let listed = self.objects.list(directory.as_ref()).try_collect().await;
            return listed.map_err(|e| self.explain(prefix, &e));
        };
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let options = PaginatedListOptions {
                delimiter: level.then_some("/".into()),
                page_token: token,
                ..Default::default()
            };
            let page = pages.list_paginated(some(prefix), options).await;
            let page = page.map_err(|e| self.explain(prefix, &e))?;
            found.extend(page.result.objects);
            token = page.page_token;
            if token.is_none() {
                self.answered.store(true, Relaxed);
                return Ok(found);
            }
        }
    }

    fn explain(&self, prefix: &str, error: &object_store::Error) -> Error {
        refused::explain(Place::object(format!("{}/{prefix}", self.base)), self, error)
    }
}

fn some(prefix: &str) -> Option<&str> {
    (!prefix.is_empty()).then_some(prefix)
}

fn literal_prefix(key: &str) -> &str {
    &key[..key.find(['*', '?', '[']).unwrap_or(key.len())]
}

/// Appends what a wildcard matches, sorted by key.
async fn glob(store: &Arc<Store>, key: &str, into: &mut Listing<'_>) -> Result<()> {
    // The whole bucket is a directory too.
    let components = Component::of_key(key)?;
    let prefix = literal_prefix(key).to_owned();
    let rest = &key[prefix.len()..];
    let level = !rest.is_empty() && !rest.contains('/') && !rest.contains("**");
    let listing = {
        let store = Arc::clone(store);
        REQUESTS.spawn(async move { store.listed(&prefix, level).await })
    };
    let place = || Place::object(&store.base);
    let listed = listing.map_err(|e| Error::io(place(), e))?.await;
    let mut found = listed.map_err(|e| Error::io(place(), e))??;
    found.retain(|meta| Component::match_key(&components, meta.location.as_ref()));
    found.sort_by(|a, b| a.location.as_ref().cmp(b.location.as_ref()));
    for meta in found {
        let name = format!("{}/{}", store.base, meta.location);
        let remote = Remote::new(store, meta.location.clone());
        let size = Some(meta.size);
        // Just made, so there is none yet.
        let _ = remote.version.set(meta);
        into.push(name, size, Home::Remote(remote));
    }
    Ok(())
}

type Built = (Arc<dyn ObjectStore>, Option<Arc<dyn PaginatedListStore>>);

/// How long a request may take, where the environment does not say.
///
/// A dead host is told within ten seconds. A body may take as long as it needs if only it moves.
const TIMES: [(ClientConfigKey, &str); 3] = [
    (ClientConfigKey::ConnectTimeout, "3 seconds"),
    (ClientConfigKey::ReadTimeout, "30 seconds"),
    (ClientConfigKey::Timeout, "1 day"),
];

fn retry() -> RetryConfig {
    let backoff = BackoffConfig { max_backoff: Duration::from_secs(5), ..Default::default() };
    RetryConfig { backoff, max_retries: 5, retry_timeout: Duration::from_secs(8) }
}

/// The times for which the environment has no variable of this beginning.
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
fn times(start: &str) -> impl Iterator<Item = (ClientConfigKey, &'static str)> {
    TIMES.into_iter().filter(move |(key, _)| {
        std::env::var_os(format!("{start}{}", key.as_ref().to_uppercase())).is_none()
    })
}

#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
fn both<S: ObjectStore + PaginatedListStore>(store: S) -> Built {
    let store = Arc::new(store);
    (Arc::clone(&store) as Arc<dyn ObjectStore>, Some(store))
}

/// The store of one bucket, or of one web address.
fn build(
    whole: &str,
    url: Url<'_>,
    kind: Kind,
    anonymous: bool,
    connector: &Connector,
) -> object_store::Result<Built> {
    match kind {
        #[cfg(feature = "s3")]
        Kind::S3 => {
            use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey::Client};
            let builder = AmazonS3Builder::from_env().with_bucket_name(url.bucket);
            let builder = times("AWS_").fold(builder, |b, (key, t)| b.with_config(Client(key), t));
            let builder = builder.with_retry(retry()).with_http_connector(connector.clone());
            let unsigned = if anonymous { builder.with_skip_signature(true) } else { builder };
            unsigned.build().map(both)
        }
        #[cfg(feature = "gcs")]
        Kind::Gcs => {
            use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey::Client};
            let builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(url.bucket);
            let builder =
                times("GOOGLE_").fold(builder, |b, (key, t)| b.with_config(Client(key), t));
            let builder = builder.with_retry(retry()).with_http_connector(connector.clone());
            let unsigned = if anonymous { builder.with_skip_signature(true) } else { builder };
            unsigned.build().map(both)
        }
        #[cfg(feature = "azure")]
        Kind::Azure => {
            use object_store::azure::{AzureConfigKey::Client, MicrosoftAzureBuilder};
            let builder = MicrosoftAzureBuilder::from_env();
            let builder = match url.scheme {
                "az" => builder.with_container_name(url.bucket),
                // These may name the account as well.
                _ => builder.with_url(url.base),
            };
            let builder =
                times("AZURE_").fold(builder, |b, (key, t)| b.with_config(Client(key), t));
            let builder = builder.with_retry(retry()).with_http_connector(connector.clone());
            let unsigned = if anonymous { builder.with_skip_signature(true) } else { builder };
            unsigned.build().map(both)
        }
        #[cfg(feature = "http")]
        Kind::Http => {
            use object_store::http::HttpBuilder;
            let builder = HttpBuilder::new().with_config(ClientConfigKey::AllowHttp, "true");
            let builder = TIMES.into_iter().fold(builder, |b, (key, t)| b.with_config(key, t));
            let builder = builder.with_retry(retry()).with_http_connector(connector.clone());
            Ok((Arc::new(builder.with_url(whole).build()?), None))
        }
        #[allow(unreachable_patterns, reason = "with every feature on, every kind is above")]
        _ => {
            let _ = (whole, url, anonymous, connector, retry(), TIMES);
            Err(object_store::Error::NotImplemented {
                operation: "this scheme".to_owned(),
                implementer: "this build".to_owned(),
            })
        }
    }
}
