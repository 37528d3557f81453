//! One range of an object in a store, or all of it, whatever the connection does.
//!
//! Each request is measured against its answer (`answer`): status, lengths and ranges have to
//! agree with each other and with what is known of the object, and the body has to be as long as
//! they say. All answers for an object have to be of one version: once one is known, the requests
//! name it. What does not agree, breaks off or comes too slowly is asked for again from where it
//! broke, as long as `patience` says, and is an error then. What was given to the reader is right.

use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest as Crc};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::checksum::Checksum;
use super::coming::{Coming, Fault, disagrees};
use super::known::{Mismatch, Remote, told};
use super::landing::{Chunk, Inlet, Outlet, way};
use super::object::HEAD;
use super::patience::{Patience, pause};
use super::pool::Pool;
use super::refused;
use super::trouble::{self, Trouble};
use crate::error::{refused, thrown};
use crate::runtime::{REQUESTS, Task};
use crate::{Error, Place, Result};

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
            let result = fetched.unwrap_or_else(|panic| {
                Err(refused(&*panic).unwrap_or_else(|| fault(place, thrown(panic))))
            });
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
    let (start, mut sum) = (at, None);
    let mut patience = Patience::default();
    loop {
        let all = remote.is_summed(&(at..end));
        let asked = match all {
            true => remote.request(None).await,
            false => remote.request_part(at..end).await,
        };
        let fault = match asked {
            Ok(mut answer) => {
                if !all {
                    remote.ranged.store(true, Relaxed);
                    end = end.min(answer.meta.size);
                }
                match remote.admit(&answer) {
                    Ok(()) => {
                        let before = at;
                        // Of all, as much as the answer says, whatever a listing said; but a body without a
                        // length may be that of an error, or be cut, so what was listed is due.
                        let said = told(answer.meta.size).filter(|_| all);
                        let due = Some(said.unwrap_or(end - at));
                        if at == start {
                            sum = remote.sum_of(&mut answer);
                        }
                        let mut coming = Coming::new(answer, due, sum.take());
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
                        sum = coming.into_sum(at - start);
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
/// object's start, and what was sent is skipped: it has to come again as it was, for the answers may
/// name no version.
async fn whole(remote: &Remote, place: &Place, from: u64, out: &mut Outlet) -> Result<()> {
    let mut sent = from;
    let mut given = Crc::new(CrcAlgorithm::Crc64Nvme);
    let mut patience = Patience::default();
    loop {
        let fault = match remote.request(None).await {
            Ok(mut answer) => match remote.admit(&answer) {
                Ok(()) => {
                    let before = sent;
                    // Without a length the end of the body is the end.
                    let due = told(answer.meta.size).or(remote.due());
                    let sum = answer.extensions.remove::<Checksum>();
                    let mut coming = Coming::new(answer, due, sum);
                    let (mut at, mut again) = (0, Crc::new(CrcAlgorithm::Crc64Nvme));
                    let fault = loop {
                        match coming.next().await {
                            Ok(Some(chunk)) => {
                                let before = |end: u64| {
                                    let bytes = usize::try_from(end.saturating_sub(at));
                                    bytes.unwrap_or(usize::MAX).min(chunk.len())
                                };
                                let (skipped, known) = (before(from), before(sent));
                                again.update(&chunk[skipped..known]);
                                at += chunk.len() as u64;
                                if at > sent {
                                    if again.finalize() != given.finalize() {
                                        return Err(Error::Changed {
                                            place: place.clone().at(sent),
                                        });
                                    }
                                    let new = chunk.slice(known..);
                                    given.update(&new);
                                    again.update(&new);
                                    sent = at;
                                    if !out.send(new).await {
                                        return Ok(());
                                    }
                                }
                            }
                            // Less than came before is another object.
                            Ok(None) if at < sent && due.is_none() => {
                                break Fault::Ours(Trouble::Short);
                            }
                            // As much as came before, and something else.
                            Ok(None) if again.finalize() != given.finalize() => {
                                return Err(Error::Changed { place: place.clone().at(sent) });
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
            Fault::Store(error) => {
                if let Some(trouble) = Trouble::find(&error) {
                    trouble.give_up();
                }
                error
            }
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
