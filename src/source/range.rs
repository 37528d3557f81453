//! One range of an object in a store, or all of it, whatever the connection does.
//!
//! The store's client tries a request again while the server answers 5xx or does not answer, and
//! resumes a body where an ETag ties the parts together. What is left is done here: resuming
//! where there is no ETag, patience with a server that answered before, bodies that end early,
//! and one version for all the ranges of an object.

use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use object_store::{GetOptions, GetRange, GetResult, ObjectMeta};

use super::landing::{Chunk, Inlet, Outlet, way};
use super::object::HEAD;
use super::pattern::Kind;
use super::pool::Pool;
use super::refused;
use super::store::Remote;
use super::transport::{Refusal, UNTOLD};
use crate::runtime::{REQUESTS, Task};
use crate::{Error, Place, Result};

/// Times that one offset is tried again, after the store's own.
const RETRIES: u32 = 4;
/// The pause before the first of them; each is twice the one before.
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes that may wait for the reader where an object comes in one piece.
const ROOM: usize = 4 << 20;

/// Bytes of an object on their way, as they come. Dropping it ends the request.
#[derive(Debug)]
pub(super) struct Body {
    chunks: Inlet,
    _task: Task<()>,
}

impl Body {
    /// A range, as far as the object has it. Nothing more comes if the server turns out to ignore
    /// ranges. Holds `room` bytes at most and leaves the rest on the server's side. Lands in buffers
    /// of the pool, if there is one.
    pub(super) fn range(
        remote: Arc<Remote>,
        place: Place,
        range: Range<u64>,
        room: usize,
        traffic: Arc<Traffic>,
        pool: Option<Pool>,
    ) -> io::Result<Self> {
        let counted = Counted::new(traffic);
        Self::start(way(room, pool), move |out| {
            Box::pin(async move { ranged(&remote, &place, range, out, &counted).await })
        })
    }

    /// All of an object from some offset on, in one piece.
    pub(super) fn whole(remote: Arc<Remote>, place: Place, from: u64) -> io::Result<Self> {
        Self::start(way(ROOM, None), move |out| {
            Box::pin(async move { whole(&remote, &place, from, out).await })
        })
    }

    fn start(
        (mut out, chunks): (Outlet, Inlet),
        fetch: impl FnOnce(&mut Outlet) -> BoxFuture<'_, Result<()>> + Send + 'static,
    ) -> io::Result<Self> {
        let task = REQUESTS.spawn(async move {
            let result = fetch(&mut out).await;
            out.end(result);
        })?;
        Ok(Self { chunks, _task: task })
    }

    /// The next bytes; `None` at the end.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk>>> {
        self.chunks.poll_next(cx)
    }
}

/// What requests of one kind come to.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    /// Requests that have not ended.
    pub(super) under_way: AtomicUsize,
    /// Those that have.
    pub(super) ended: AtomicU64,
    /// Bytes that came.
    pub(super) bytes: AtomicU64,
}

/// A request that is under way until this is dropped.
struct Counted(Arc<Traffic>);

impl Counted {
    fn new(traffic: Arc<Traffic>) -> Self {
        traffic.under_way.fetch_add(1, Relaxed);
        Self(traffic)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Relaxed);
        self.0.ended.fetch_add(1, Relaxed);
    }
}

/// Sends a range; a broken connection is asked for the rest.
async fn ranged(
    remote: &Remote,
    place: &Place,
    range: Range<u64>,
    out: &mut Outlet,
    counted: &Counted,
) -> Result<()> {
    let Range { start: mut at, mut end } = range;
    let mut patience = Patience::default();
    loop {
        let fault = match remote.request(Some(at..end)).await {
            Ok(answer) => {
                remote.learn(&answer.meta, || place.clone().at(at))?;
                end = end.min(answer.meta.size);
                let before = at;
                let mut fault = Fault::Short;
                let mut chunks = answer.into_stream();
                while let Some(chunk) = chunks.next().await {
                    match chunk {
                        Ok(mut chunk) => {
                            chunk.truncate(
                                usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX),
                            );
                            at += chunk.len() as u64;
                            counted.0.bytes.fetch_add(chunk.len() as u64, Relaxed);
                            if !out.send(chunk).await {
                                return Ok(());
                            }
                        }
                        Err(error) => {
                            fault = Fault::Store(error);
                            break;
                        }
                    }
                }
                if at >= end {
                    return Ok(());
                }
                if at > before {
                    patience = Patience::default();
                }
                fault
            }
            Err(error) => match Refusal::find(&error) {
                Some(Refusal::RangesIgnored) => {
                    remote.whole.store(true, Relaxed);
                    return Ok(());
                }
                Some(Refusal::PastEnd) => {
                    return remote.learn(&remote.empty(), || place.clone().at(at));
                }
                _ => Fault::Store(error),
            },
        };
        patience.wait(remote, fault, || place.clone().at(at)).await?;
    }
}

/// The first bytes of an object.
pub(super) async fn head(remote: Arc<Remote>, place: Place) -> Result<Bytes> {
    let failed = |e| Error::io(place.clone(), e);
    let range = 0..HEAD as u64;
    let first = Body::range(Arc::clone(&remote), place.clone(), range, HEAD, Arc::default(), None);
    let mut head = Vec::new();
    first.map_err(failed)?.append(&mut head).await?;
    if head.is_empty() && remote.whole.load(Relaxed) {
        Body::whole(remote, place.clone(), 0).map_err(failed)?.append(&mut head).await?;
    }
    head.truncate(HEAD);
    Ok(head.into())
}

impl Body {
    /// Appends what comes until that is enough for a head.
    async fn append(&mut self, head: &mut Vec<u8>) -> Result<()> {
        while head.len() < HEAD {
            let Some(chunk) = poll_fn(|cx| self.poll_next(cx)).await else { break };
            head.extend_from_slice(&chunk?);
        }
        Ok(())
    }
}

/// Sends all of an object from some offset on; a broken connection starts again from the
/// object's start, and what was sent is skipped.
async fn whole(remote: &Remote, place: &Place, from: u64, out: &mut Outlet) -> Result<()> {
    let mut sent = from;
    let mut patience = Patience::default();
    loop {
        let fault = match remote.request(None).await {
            Ok(answer) => {
                remote.learn(&answer.meta, || place.clone().at(sent))?;
                let size = answer.meta.size;
                let before = sent;
                // Without a length the end of the body is the end.
                let mut fault = (size != UNTOLD).then_some(Fault::Short);
                let mut at = 0;
                let mut chunks = answer.into_stream();
                while let Some(chunk) = chunks.next().await {
                    let chunk = match chunk {
                        Ok(chunk) => chunk,
                        // The store's client resumes with a range, in vain.
                        Err(error) if Refusal::find(&error) == Some(Refusal::RangesIgnored) => {
                            fault = Some(Fault::Short);
                            break;
                        }
                        Err(error) => {
                            fault = Some(Fault::Store(error));
                            break;
                        }
                    };
                    let known = usize::try_from(sent - at).unwrap_or(usize::MAX).min(chunk.len());
                    at += chunk.len() as u64;
                    if at > sent {
                        sent = at;
                        if !out.send(chunk.slice(known..)).await {
                            return Ok(());
                        }
                    }
                }
                if sent >= size {
                    return Ok(());
                }
                if sent > before {
                    patience = Patience::default();
                }
                let Some(fault) = fault else { return Ok(()) };
                fault
            }
            Err(error) => Fault::Store(error),
        };
        patience.wait(remote, fault, || place.clone().at(sent)).await?;
    }
}

/// Why a body is not complete.
enum Fault {
    Store(object_store::Error),
    /// It ended before its length.
    Short,
}

/// How often one offset was tried in vain.
#[derive(Default)]
struct Patience {
    tried: u32,
}

impl Patience {
    /// Waits before the next attempt, or says that there is none.
    async fn wait(
        &mut self,
        remote: &Remote,
        fault: Fault,
        place: impl Fn() -> Place,
    ) -> Result<()> {
        let passing = match &fault {
            Fault::Store(error) => refused::is_passing(error),
            Fault::Short => true,
        };
        // A server that never answered is more likely a wrong address than a busy one.
        if passing && self.tried < RETRIES && remote.store.answered.load(Relaxed) {
            tokio::time::sleep(PAUSE * 2_u32.pow(self.tried)).await;
            self.tried += 1;
            return Ok(());
        }
        Err(match fault {
            Fault::Store(error) => refused::explain(place(), &remote.store, &error),
            Fault::Short => Error::Io {
                place: place(),
                source: io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the server's answer ends before its length, again and again",
                )
                .into(),
            },
        })
    }
}

impl Remote {
    /// Asks for a range of the version that is known, or for all of it.
    async fn request(&self, range: Option<Range<u64>>) -> object_store::Result<GetResult> {
        let mut options = GetOptions { range: range.map(GetRange::Bounded), ..Default::default() };
        if let Some(version) = self.version.get() {
            match &version.e_tag {
                // A weak one never matches.
                Some(tag) if !tag.starts_with("W/") => options.if_match = Some(self.quoted(tag)),
                _ if version.last_modified.timestamp() > 0 => {
                    options.if_unmodified_since = Some(version.last_modified);
                }
                _ => {}
            }
        }
        if let Some(spelled) = self.name.spelled(&self.store.signer) {
            options.extensions.insert(spelled);
        }
        let answer = self.store.objects.get_opts(&self.name.path(), options).await?;
        self.store.answered.store(true, Relaxed);
        Ok(answer)
    }

    /// Azure lists ETags without the quotes that it gives and takes them with elsewhere.
    fn quoted(&self, tag: &str) -> String {
        match self.store.kind == Kind::Azure && !tag.starts_with('"') {
            true => format!("\"{tag}\""),
            false => tag.to_owned(),
        }
    }

    /// Remembers the version of the first answer; any other one is a change.
    fn learn(&self, now: &ObjectMeta, place: impl Fn() -> Place) -> Result<()> {
        let known = self.version.get_or_init(|| now.clone());
        let tag = |meta: &ObjectMeta| {
            let tag = meta.e_tag.as_ref()?;
            Some(tag.trim_start_matches("W/").trim_matches('"').to_owned())
        };
        let same = match (tag(known), tag(now)) {
            (Some(known), Some(now)) => known == now,
            // To the second, as the header is.
            _ => known.last_modified.timestamp() == now.last_modified.timestamp(),
        };
        if same && known.size == now.size {
            return Ok(());
        }
        Err(Error::Changed { place: place() })
    }

    /// What is known of an object of which every range lies past the end.
    fn empty(&self) -> ObjectMeta {
        let known = self.version.get();
        ObjectMeta {
            location: self.name.path(),
            last_modified: known.map(|v| v.last_modified).unwrap_or_default(),
            size: 0,
            e_tag: None,
            version: None,
        }
    }
}
