//! One range of an object in a store, or all of it, whatever the connection does.
//!
//! The store's client tries a request again while the server answers 5xx or does not answer, and
//! resumes a body where an ETag ties the parts together. What is left is done here: resuming
//! where there is no ETag, patience with a server that answered before, bodies that end early,
//! and one version for all the ranges of an object.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use object_store::{GetOptions, GetRange, GetResult, ObjectMeta};
use tokio::sync::mpsc;

use super::object::HEAD;
use super::pattern::Kind;
use super::refused;
use super::store::Remote;
use super::transport::{Refusal, UNTOLD};
use crate::runtime::{REQUESTS, Task};
use crate::{Error, Place, Result};

/// Times that one offset is tried again, after the store's own.
const RETRIES: u32 = 4;
/// The pause before the first of them; each is twice the one before.
const PAUSE: Duration = Duration::from_millis(200);
/// Pieces of a body that may wait for the reader, where they come without being asked for.
const QUEUE: usize = 16;

/// The bytes of a range, as far as the object has them; `None` if the server ignores ranges.
pub(super) async fn get(
    remote: Arc<Remote>,
    place: Place,
    range: Range<u64>,
) -> Result<Option<Bytes>> {
    let mut body = Vec::new();
    let mut end = range.end;
    let mut patience = Patience::default();
    loop {
        let reached = range.start + body.len() as u64;
        let place = || place.clone().at(reached);
        let fault = match remote.request(Some(reached..end)).await {
            Ok(answer) => {
                remote.learn(&answer.meta, place)?;
                end = end.min(answer.meta.size);
                body.reserve_exact(usize::try_from(end - reached).unwrap_or(0));
                let fault = append(answer, &mut body).await;
                if range.start + body.len() as u64 >= end {
                    body.truncate(usize::try_from(end - range.start).unwrap_or(usize::MAX));
                    return Ok(Some(body.into()));
                }
                if range.start + body.len() as u64 > reached {
                    patience = Patience::default();
                }
                fault
            }
            Err(error) => match Refusal::find(&error) {
                Some(Refusal::RangesIgnored) => {
                    remote.whole.store(true, Relaxed);
                    return Ok(None);
                }
                Some(Refusal::PastEnd) => {
                    remote.learn(&remote.empty(), place)?;
                    return Ok(Some(Bytes::new()));
                }
                _ => Fault::Store(error),
            },
        };
        patience.wait(&remote, fault, place).await?;
    }
}

/// The first bytes of an object.
pub(super) async fn head(remote: Arc<Remote>, place: Place) -> Result<Bytes> {
    let failed = |e| Error::io(place.clone(), e);
    let first = get(Arc::clone(&remote), place.clone(), 0..HEAD as u64);
    if let Some(head) = REQUESTS.spawn(first).map_err(failed)?.await.map_err(failed)?? {
        return Ok(head);
    }
    let mut all = Whole::start(remote, place.clone()).map_err(failed)?;
    let mut head = Vec::new();
    while head.len() < HEAD {
        let Some(chunk) = all.chunks.recv().await else { break };
        head.extend_from_slice(&chunk?);
    }
    head.truncate(HEAD);
    Ok(head.into())
}

/// An object that comes in one piece, from its start.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) chunks: mpsc::Receiver<Result<Bytes>>,
    _task: Task<()>,
}

impl Whole {
    pub(super) fn start(remote: Arc<Remote>, place: Place) -> std::io::Result<Self> {
        let (send, chunks) = mpsc::channel(QUEUE);
        let task = REQUESTS.spawn(async move {
            if let Err(error) = whole(&remote, &place, &send).await {
                let _ = send.send(Err(error)).await;
            }
        })?;
        Ok(Self { chunks, _task: task })
    }
}

/// Sends all of an object; a broken connection starts again and skips what was sent.
async fn whole(remote: &Remote, place: &Place, send: &mpsc::Sender<Result<Bytes>>) -> Result<()> {
    let mut sent = 0;
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
                        if send.send(Ok(chunk.slice(known..))).await.is_err() {
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

/// Appends a body; what is told is why it ended, which only matters if it ended early.
async fn append(answer: GetResult, body: &mut Vec<u8>) -> Fault {
    let mut chunks = answer.into_stream();
    while let Some(chunk) = chunks.next().await {
        match chunk {
            Ok(chunk) => body.extend_from_slice(&chunk),
            Err(error) => return Fault::Store(error),
        }
    }
    Fault::Short
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
                source: std::io::Error::new(
                    std::io::ErrorKind::UnexpectedEof,
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
        let answer = self.store.objects.get_opts(&self.path, options).await?;
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
            location: self.path.clone(),
            last_modified: known.map(|v| v.last_modified).unwrap_or_default(),
            size: 0,
            e_tag: None,
            version: None,
        }
    }
}
