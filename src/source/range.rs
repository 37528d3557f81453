//! One range of an object in a store, or all of it, whatever the connection does.
//!
//! Each request is measured against its answer (`answer`): status, lengths and ranges have to
//! agree with each other and with what is known of the object, and the body has to be as long as
//! they say. All answers for an object have to be of one version: once one is known, the requests
//! name it. What does not agree, breaks off or comes too slowly is asked for again from where it
//! broke, as long as `patience` says, and is an error then. What was given to the reader is right.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use object_store::{GetOptions, GetRange, GetResult};

use super::answer::{Asked, Told};
use super::checksum::Checksum;
use super::known::{Mismatch, Remote, told};
use super::landing::{Chunk, Inlet, Outlet, way};
use super::object::HEAD;
use super::patience::{Patience, pause};
use super::pattern::Kind;
use super::pool::Pool;
use super::refused;
use super::spell::{Name, Summed};
use super::trouble::{self, Trouble, Watch};
use crate::error::thrown;
use crate::runtime::{REQUESTS, Task};
use crate::{Error, Place, Result};

/// So much of a body without a length is seen before any of it is given.
const HELD: usize = 1 << 20;
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
        Self::start(place.clone(), way(room, pool), move |out| {
            Box::pin(async move { ranged(&remote, &place, range, out, &counted).await })
        })
    }

    /// All of an object from some offset on, in one piece.
    pub(super) fn whole(remote: Arc<Remote>, place: Place, from: u64) -> io::Result<Self> {
        Self::start(place.clone(), way(ROOM, None), move |out| {
            Box::pin(async move { whole(&remote, &place, from, out).await })
        })
    }

    fn start(
        place: Place,
        (mut out, chunks): (Outlet, Inlet),
        fetch: impl FnOnce(&mut Outlet) -> BoxFuture<'_, Result<()>> + Send + 'static,
    ) -> io::Result<Self> {
        let task = REQUESTS.spawn(async move {
            let fetched = AssertUnwindSafe(async { fetch(&mut out).await }).catch_unwind().await;
            let result = fetched.unwrap_or_else(|panic| Err(fault(place, thrown(panic))));
            out.end(result);
        })?;
        Ok(Self { chunks, _task: task })
    }

    /// The next bytes; `None` at the end.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk>>> {
        self.chunks.poll_next(cx)
    }
}

/// A panic in a request, as the error that its reader gets: it must not look like an end.
fn fault(place: Place, said: String) -> Error {
    let said = format!("an internal fault in a request: {said}; please report it");
    Error::Io { place, source: io::Error::other(said).into() }
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
        let all = remote.is_summed(&(at..end));
        let fault = match remote.request((!all).then_some(at..end)).await {
            Ok(answer) => {
                if !all {
                    remote.ranged.store(true, Relaxed);
                    end = end.min(answer.meta.size);
                }
                match remote.learn(&answer.meta) {
                    Ok(()) => {
                        let before = at;
                        // Of all, as much as there is, whatever a listing said.
                        let due = if all { told(answer.meta.size) } else { Some(end - at) };
                        let mut coming = Coming::new(answer, due);
                        let fault = loop {
                            match coming.next().await {
                                Ok(Some(chunk)) => {
                                    at += chunk.len() as u64;
                                    counted.0.bytes.fetch_add(chunk.len() as u64, Relaxed);
                                    if !out.send(chunk).await {
                                        return Ok(());
                                    }
                                }
                                Ok(None) => return Ok(()),
                                Err(fault) => break fault,
                            }
                        };
                        if at > before {
                            patience.renew();
                        }
                        fault
                    }
                    Err(mismatch) => mismatch.into_fault(|| place.clone().at(at))?,
                }
            }
            Err(error) => match Trouble::find(&error) {
                // Not a server that gave ranges of this object before.
                Some(Trouble::RangesIgnored) if !remote.ranged.load(Relaxed) => {
                    remote.whole.store(true, Relaxed);
                    return Ok(());
                }
                Some(Trouble::RangesIgnored) => {
                    Fault::Ours(Trouble::Disagrees("it ignores the range".to_owned()))
                }
                // What is empty has no range to ask for; all of it tells.
                Some(Trouble::PastEnd { .. }) if at == 0 => {
                    remote.whole.store(true, Relaxed);
                    return Ok(());
                }
                Some(&Trouble::PastEnd { size }) if !remote.is_confirmed() => {
                    match remote.end_at(at, size).await {
                        Ok(true) => return Ok(()),
                        Ok(false) => Fault::Store(error),
                        Err(fault) => fault,
                    }
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
            Ok(answer) => match remote.learn(&answer.meta) {
                Ok(()) => {
                    let before = sent;
                    // Without a length the end of the body is the end.
                    let due = told(answer.meta.size).or(remote.size());
                    let mut coming = Coming::new(answer, due);
                    let mut at = 0;
                    let fault = loop {
                        match coming.next().await {
                            Ok(Some(chunk)) => {
                                let known = usize::try_from(sent - at).unwrap_or(usize::MAX);
                                let known = known.min(chunk.len());
                                at += chunk.len() as u64;
                                if at > sent {
                                    sent = at;
                                    if !out.send(chunk.slice(known..)).await {
                                        return Ok(());
                                    }
                                }
                            }
                            // Less than came before is another object.
                            Ok(None) if at < sent && due.is_none() => {
                                break Fault::Ours(Trouble::Short);
                            }
                            Ok(None) => return Ok(()),
                            Err(fault) => break fault,
                        }
                    };
                    if sent > before {
                        patience.renew();
                    }
                    fault
                }
                Err(mismatch) => mismatch.into_fault(|| place.clone().at(sent))?,
            },
            Err(error) => Fault::Store(error),
        };
        patience.wait(remote, fault, || place.clone().at(sent)).await?;
    }
}

/// The body of an answer, of which so many bytes are due.
struct Coming {
    chunks: BoxStream<'static, object_store::Result<Bytes>>,
    due: Option<u64>,
    watch: Watch,
    ended: bool,
    /// Whether its length was told, and is kept to. If it was not, the body of an error looks like
    /// a part of what is due, until it ends.
    sized: bool,
    /// The first bytes of a body without a length, and whether all of them were given.
    held: VecDeque<Bytes>,
    given: bool,
    /// What the store says of all bytes together.
    sum: Option<Checksum>,
    /// Whether some bytes were given that cannot be taken back.
    used: bool,
}

impl Coming {
    fn new(mut answer: GetResult, due: Option<u64>) -> Self {
        let sum = answer.extensions.remove::<Checksum>();
        // A store in memory tells nothing, and is right.
        let sized = answer.extensions.get::<Told>().is_none_or(|told| told.sized);
        Self {
            chunks: answer.into_stream(),
            due,
            watch: Watch::default(),
            ended: false,
            sized,
            held: VecDeque::new(),
            given: sized || due.is_none(),
            sum,
            used: false,
        }
    }

    /// The next bytes; `None` when all came. The last of them are not given before the body has
    /// ended: more than is due is no answer.
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        while !self.given {
            let held: usize = self.held.iter().map(Bytes::len).sum();
            match self.step().await? {
                Some(chunk) => self.held.push_back(chunk),
                None => self.given = true,
            }
            self.given |= held > HELD;
        }
        let chunk = match self.held.pop_front() {
            Some(chunk) => Some(chunk),
            None => self.step().await?,
        };
        self.used = true;
        Ok(chunk)
    }

    /// Whether all that came is what was stored.
    fn check(&mut self) -> Result<(), Fault> {
        match self.sum.take().and_then(Checksum::wrong) {
            None => Ok(()),
            Some(wrong) if self.used => Err(Fault::Ours(Trouble::Corrupt(wrong))),
            Some(wrong) => Err(disagrees(&wrong)),
        }
    }

    async fn step(&mut self) -> Result<Option<Bytes>, Fault> {
        if self.ended {
            return Ok(None);
        }
        let Some(chunk) = self.read().await? else {
            return match self.due {
                Some(1..) if self.sized => Err(Fault::Ours(Trouble::Short)),
                Some(1..) if self.given => Err(Fault::Ours(Trouble::Spoilt)),
                Some(1..) => Err(disagrees("its body ends before its range")),
                _ => self.check().map(|()| None),
            };
        };
        if let Some(sum) = &mut self.sum {
            sum.add(&chunk);
        }
        let Some(due) = &mut self.due else { return Ok(Some(chunk)) };
        let more = "its body is longer than it says";
        *due = due.checked_sub(chunk.len() as u64).ok_or_else(|| disagrees(more))?;
        if *due == 0 {
            self.ended = true;
            if self.read().await?.is_some() {
                return Err(disagrees(more));
            }
            self.check()?;
        }
        Ok(Some(chunk))
    }

    /// The next bytes that are some.
    async fn read(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            return match self.watch.next(&mut self.chunks).await.map_err(Fault::Ours)? {
                Some(Ok(chunk)) if chunk.is_empty() => continue,
                Some(Ok(chunk)) => Ok(Some(chunk)),
                Some(Err(error)) => Err(Fault::Store(error)),
                None => Ok(None),
            };
        }
    }
}

/// Why there is no answer, or no whole one.
enum Fault {
    Store(object_store::Error),
    Ours(Trouble),
}

fn disagrees(why: &str) -> Fault {
    Fault::Ours(Trouble::Disagrees(why.to_owned()))
}

impl Patience {
    /// Waits before the next attempt, or says that there is none.
    async fn wait(
        &mut self,
        remote: &Remote,
        fault: Fault,
        place: impl Fn() -> Place,
    ) -> Result<()> {
        let class = match &fault {
            Fault::Store(error) => trouble::class(error),
            Fault::Ours(trouble) => trouble.class(),
        };
        if let Some(wait) = self.next(class) {
            pause(wait, class, &remote.store.base).await;
            return Ok(());
        }
        let error = match fault {
            Fault::Store(error) => error,
            Fault::Ours(trouble) => {
                object_store::Error::Generic { store: "creel", source: trouble.into() }
            }
        };
        Err(refused::explain(place(), &remote.store, &error))
    }
}

impl Mismatch {
    fn into_fault(self, place: impl Fn() -> Place) -> Result<Fault> {
        match self {
            Self::Changed => Err(Error::Changed { place: place() }),
            Self::Disagrees(why) => Ok(disagrees(&why)),
        }
    }
}

impl Remote {
    /// Asks for a range of the version that is known, or for all of it.
    async fn request(&self, range: Option<Range<u64>>) -> object_store::Result<GetResult> {
        let mut options = GetOptions::default();
        let versioned = self.store.kind != Kind::Http;
        if range.is_none() && self.sums() {
            options.extensions.insert(Summed(Arc::clone(&self.store.signer)));
        }
        options.extensions.insert(Asked { range: range.clone(), versioned });
        options.range = range.map(GetRange::Bounded);
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
        self.store.objects.get_opts(&self.name.path(), options).await
    }

    /// Whether a range is all of an object whose store then tells its checksum.
    fn is_summed(&self, range: &Range<u64>) -> bool {
        self.sums() && self.size().is_some_and(|size| *range == (0..size))
    }

    /// Whether its store tells checksums on demand, and can be asked.
    fn sums(&self) -> bool {
        self.store.kind == Kind::S3 && matches!(self.name, Name::Path(_))
    }

    /// Whether the object ends at or before an offset, where the server has no bytes there and only
    /// a listing said that there are some.
    async fn end_at(&self, at: u64, size: Option<u64>) -> Result<bool, Fault> {
        if size.is_some_and(|size| size <= at && self.confirm(size).is_ok()) {
            return Ok(true);
        }
        let answer = self.request(Some(0..1)).await.map_err(Fault::Store)?;
        match self.learn(&answer.meta) {
            Ok(()) => Ok(told(answer.meta.size).is_some_and(|size| size <= at)),
            // The next answer says so as well.
            Err(Mismatch::Changed) => Ok(false),
            Err(Mismatch::Disagrees(why)) => Err(disagrees(&why)),
        }
    }

    /// Azure lists ETags without the quotes that it gives and takes them with elsewhere.
    fn quoted(&self, tag: &str) -> String {
        match self.store.kind == Kind::Azure && !tag.starts_with('"') {
            true => format!("\"{tag}\""),
            false => tag.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_request_is_an_error_and_no_end() {
        let mut body = Body::start(Place::object("x"), way(10, None), |_| {
            Box::pin(async { panic!("the client panicked") })
        })
        .unwrap();
        let told = poll_fn(|cx| body.poll_next(cx)).await;
        let error = told.map(|told| told.map(drop)).expect("no end").unwrap_err();
        assert!(error.to_string().contains("the client panicked"), "{error}");
        assert!(poll_fn(|cx| body.poll_next(cx)).await.is_none(), "it is told once");
    }
}
