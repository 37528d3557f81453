//! What keeps a request from its answer, as a cause that decides what is done next.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt};
use object_store::client::{HttpError, HttpErrorKind};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, SERVER};

use super::host::Host;
use super::page::NoPage;
use super::patience::{Class, SILENT, SLOW, timeout};
use super::said::{Asks, Refusal, asks, code};
use super::settings::CONNECT;
use super::spell::Unspelled;
use crate::error::snippet;

/// Error numbers of a process, and of a machine, that has no more descriptors.
const NO_DESCRIPTORS: [i32; 2] = [24, 23];

/// What keeps a request from its answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("the server does not know byte ranges")]
    RangesIgnored,
    /// With the object's size, if the server tells it.
    #[error("the range begins after the end of the object")]
    PastEnd { size: Option<u64> },
    #[error("this machine hands out no credentials")]
    NoCredentials,
    /// What hands them out was asked as often as that makes sense.
    #[error("no credentials")]
    #[cfg_attr(
        not(any(feature = "s3", feature = "gcs", feature = "azure")),
        allow(dead_code, reason = "only buckets are asked with credentials")
    )]
    Credentials(#[source] object_store::Error),
    /// What is wrong with a setting that the request needs.
    #[error("{0}")]
    Setting(String),
    /// Why a credential that was handed out cannot be used.
    #[error("{0}")]
    Unfit(String),
    /// Why the answer is not one to the request.
    #[error("the server's answer does not agree with the request: {0}")]
    Disagrees(String),
    /// The server answers only that it cannot. Spelt as the stores spell it.
    #[error("status code: {status}: {reason}")]
    Unwell {
        status: StatusCode,
        reason: String,
        throttled: Option<Option<Duration>>,
        answered: bool,
    },
    /// A store says in an answer of 200 that it has no page, and why.
    #[error("status code: {}: {said}", StatusCode::OK)]
    Refused { said: String, refusal: Option<Refusal> },
    /// A status that says that something is not there, from somebody who is not its store.
    #[error(
        "the answer {status}{by} does not come from the store, but from something before it; check the \
         endpoint"
    )]
    Stray { status: StatusCode, by: String },
    #[error("no answer")]
    Unreached { answered: bool, lost: Duration, host: Arc<Host>, source: HttpError },
    /// Another request has found that there is no answer.
    #[error("{0}")]
    Dead(String),
    #[error("the answer broke off")]
    Broken { source: HttpError },
    #[error("the server's answer ends before its length")]
    Short,
    /// Bytes of it were used before it was known.
    #[error(
        "the server's answer has no length and no ETag, and ends before its range: it cannot be resumed"
    )]
    Spoilt,
    /// What came is not what was stored, and some of it was used.
    #[error("{0}")]
    Corrupt(String),
    #[error("{0}")]
    NoPage(NoPage),
    #[error("{0}")]
    Unspelled(#[from] Unspelled),
    #[error("the server sends less than {} bytes in {} seconds", SLOW.0, SLOW.1.as_secs())]
    Slow,
}

impl Trouble {
    pub(super) fn broken(source: HttpError) -> Self {
        Self::Broken { source }
    }

    /// A 5xx, or what stands for one.
    pub(super) fn unwell(
        status: StatusCode,
        reason: &[u8],
        after: Option<Duration>,
        answered: bool,
    ) -> Self {
        let reason = String::from_utf8_lossy(reason).into_owned();
        // A gateway says 503 of a backend that is down, a store of one that is busy.
        let busy = ["SlowDown", "ServerBusy", "TooManyRequests", "reduce your request rate"];
        let throttled = status == 429
            || busy.iter().any(|said| reason.contains(said))
            || (status == 503 && after.is_some());
        Self::Unwell { status, reason, throttled: throttled.then_some(after), answered }
    }

    /// A 404 of somebody who is not the store that was asked, by how it names itself.
    pub(super) fn stray(status: StatusCode, headers: &HeaderMap) -> Self {
        let named = headers.get(SERVER).or_else(|| headers.get(CONTENT_TYPE));
        let by = named.map(|name| format!(" (of {:?})", snippet(name.as_bytes())));
        Self::Stray { status, by: by.unwrap_or_default() }
    }

    /// A body that is no page of a listing. An error of the store is one whatever its status; one whose
    /// code nobody knows is asked for again a few times.
    pub(super) fn no_page(why: NoPage, body: &[u8]) -> Self {
        if !matches!(&why, NoPage::OtherKind { found, .. } if found == "Error") {
            return Self::NoPage(why);
        }
        // It may stand behind the part of a page that went well.
        let text = String::from_utf8_lossy(body);
        let said = text.rfind("<Error").map_or(&*text, |at| &text[at..]);
        let said: String = said.chars().take(4096).collect();
        match code(&said).map(asks) {
            None => Self::NoPage(why),
            Some(Some(Asks::Again)) => Self::unwell(StatusCode::OK, said.as_bytes(), None, true),
            Some(Some(Asks::Nothing(refusal))) => Self::Refused { said, refusal: Some(refusal) },
            Some(None) => Self::Refused { said, refusal: None },
        }
    }

    /// How long nothing should be asked, where the server asks for fewer requests.
    pub(super) fn throttled(&self) -> Option<Duration> {
        match self {
            Self::Unwell { throttled: Some(after), .. } => Some(after.unwrap_or_default()),
            _ => None,
        }
    }

    /// It is the last of its request: what that says of the host holds for others.
    pub(super) fn give_up(&self) {
        if let Self::Unreached { host, source, .. } = self
            && matches!(self.class(), Class::Unreached { .. })
            && !no_descriptors(source)
        {
            let said = causes(source).last().map(ToString::to_string);
            host.gone(said.unwrap_or_default());
        }
    }

    /// The trouble in a chain of causes.
    pub(super) fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        causes(error).find_map(|e| e.downcast_ref())
    }

    /// What it says about the next attempt.
    pub(super) fn class(&self) -> Class {
        match self {
            Self::RangesIgnored
            | Self::NoCredentials
            | Self::Credentials(_)
            | Self::Setting(_)
            | Self::Unfit(_)
            | Self::Spoilt
            | Self::Corrupt(_)
            | Self::Dead(_)
            | Self::Unspelled(_) => Class::Final,
            Self::Refused { refusal: Some(_), .. } => Class::Final,
            Self::PastEnd { .. }
            | Self::Disagrees(_)
            | Self::NoPage(_)
            | Self::Stray { .. }
            | Self::Refused { refusal: None, .. } => Class::Wrong,
            Self::Unwell { throttled: Some(after), .. } => Class::Throttled { after: *after },
            Self::Unwell { .. } => Class::Unwell,
            Self::Unreached { source, .. } if is_hopeless(source) => Class::Final,
            // Not HTTP, or not by its rules.
            Self::Unreached { source, .. } if is_unread(source) => Class::Wrong,
            // Where descriptors are used up, some may be let go at any time.
            Self::Unreached { source, lost, .. } if no_descriptors(source) => {
                Class::Unreached { answered: false, lost: *lost }
            }
            &Self::Unreached { answered, lost, .. } => Class::Unreached { answered, lost },
            Self::Broken { .. } | Self::Short => Class::Broken,
            Self::Slow => Class::Slow,
        }
    }
}

/// What the error of a store says about the next attempt.
pub(super) fn class(error: &object_store::Error) -> Class {
    if let Some(trouble) = Trouble::find(error) {
        return trouble.class();
    }
    match error {
        // In the middle of a body.
        object_store::Error::Generic { .. } if http(error).is_some() => Class::Broken,
        // What a store's client does not understand in an answer.
        object_store::Error::Generic { .. } => Class::Wrong,
        _ => Class::Final,
    }
}

/// An error and what it came from, to the first cause.
pub(super) fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&e| e.source())
}

/// The client's error in a chain of causes; one that holds a [`Trouble`] is only its wrapping.
pub(super) fn http<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a HttpError> {
    let found = causes(error).filter_map(|e| e.downcast_ref::<HttpError>());
    found.last().filter(|error| !error.source().is_some_and(|source| source.is::<Trouble>()))
}

/// Whether the process has no more descriptors.
pub(super) fn no_descriptors(error: &(dyn StdError + 'static)) -> bool {
    causes(error)
        .filter_map(|e| e.downcast_ref::<std::io::Error>())
        .any(|e| e.raw_os_error().is_some_and(|code| NO_DESCRIPTORS.contains(&code)))
}

/// A request that cannot be sent at all.
fn is_hopeless(error: &HttpError) -> bool {
    let client = causes(error).find_map(|e| e.downcast_ref::<reqwest::Error>());
    client.is_some_and(|e| e.is_builder() || e.is_redirect())
}

/// An answer that cannot be read.
fn is_unread(error: &HttpError) -> bool {
    matches!(error.kind(), HttpErrorKind::Unknown | HttpErrorKind::Decode)
}

/// The time-out that was run into.
pub(super) fn lost(error: &HttpError) -> Duration {
    let client = causes(error).find_map(|e| e.downcast_ref::<reqwest::Error>());
    match error.kind() {
        HttpErrorKind::Timeout if client.is_some_and(reqwest::Error::is_connect) => CONNECT,
        HttpErrorKind::Timeout => SILENT,
        _ => Duration::ZERO,
    }
}

/// Watches over the speed at which a body comes. Only the time is counted in which it is waited
/// for: a reader may take its own.
#[derive(Debug, Default)]
pub(super) struct Watch {
    waited: Duration,
    came: u64,
}

impl Watch {
    /// The next part; an error if too little came for too long.
    pub(super) async fn next<T: AsRef<[u8]>, E>(
        &mut self,
        chunks: &mut (impl Stream<Item = Result<T, E>> + Unpin),
    ) -> Result<Option<Result<T, E>>, Trouble> {
        let window = timeout(SLOW.1);
        let enough = (SLOW.0 as f64 * window.as_secs_f64() / SLOW.1.as_secs_f64()) as u64;
        loop {
            let began = Instant::now();
            let left = window.saturating_sub(self.waited);
            let next = tokio::time::timeout(left, chunks.next()).await;
            self.waited += began.elapsed();
            if let Ok(Some(Ok(chunk))) = &next {
                self.came += chunk.as_ref().len() as u64;
            }
            if self.waited >= window {
                if self.came < enough && !matches!(next, Ok(None)) {
                    return Err(Trouble::Slow);
                }
                *self = Self::default();
            }
            if let Ok(next) = next {
                return Ok(next);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_asks_for_fewer_requests_is_told_from_one_that_is_down() {
        let class = |status, reason: &str, after| {
            let status = StatusCode::from_u16(status).unwrap();
            Trouble::unwell(status, reason.as_bytes(), after, false).class()
        };
        let throttled = |after| Class::Throttled { after };
        let second = Some(Duration::from_secs(1));
        assert_eq!(class(503, "<Code>SlowDown</Code>", None), throttled(None));
        assert_eq!(class(503, "<Code>ServerBusy</Code>", second), throttled(second));
        assert_eq!(class(429, "", None), throttled(None));
        assert_eq!(class(503, "<html>", second), throttled(second));
        assert_eq!(class(503, "<html>", None), Class::Unwell);
        assert_eq!(class(500, "InternalError", second), Class::Unwell);
    }

    #[test]
    fn an_error_in_place_of_a_page_is_final_or_not_by_its_code() {
        let class = |body: &str| {
            let why = NoPage::OtherKind { found: "Error".to_owned(), expected: "ListBucketResult" };
            Trouble::no_page(why, body.as_bytes()).class()
        };
        for code in ["AccessDenied", "NoSuchBucket", "InvalidAccessKeyId", "SignatureDoesNotMatch"]
        {
            assert_eq!(
                class(&format!("<Error><Code>{code}</Code></Error>")),
                Class::Final,
                "{code}"
            );
        }
        assert_eq!(class("<Error><Code>InternalError</Code></Error>"), Class::Unwell);
        let busy = Class::Throttled { after: None };
        assert_eq!(class("<L><Contents/><Error><Code>SlowDown</Code></Error></L>"), busy);
        assert_eq!(class("<Error><Code>Surprise</Code></Error>"), Class::Wrong);
        assert_eq!(class("<Error/>"), Class::Wrong);
    }
}
