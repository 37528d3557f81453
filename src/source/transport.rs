//! The HTTP client under every store: shared, and plain about what the stores would blur.
//!
//! The stores turn most answers into text. Three of them decide what happens next, so they are
//! caught here and travel as a [`Refusal`] in the chain of causes: a server that ignores ranges, a
//! range that begins after the object's end, and a machine that hands out no credentials.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Once, PoisonError};

use futures::StreamExt;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};
use object_store::{ClientConfigKey, ClientOptions};

use super::page::{self, NoPage, Page, Slot};
use super::spell::{Spelled, Unspelled, is_placeholder};

/// An answer that decides what is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the server does not know byte ranges")]
    RangesIgnored,
    #[error("the range begins after the end of the object")]
    PastEnd,
    #[error("this machine hands out no credentials")]
    NoCredentials,
}

impl Refusal {
    /// The refusal in a chain of causes.
    pub(super) fn find(error: &(dyn StdError + 'static)) -> Option<Self> {
        causes(error).find_map(|e| e.downcast_ref().copied())
    }
}

/// An error and what it came from, to the first cause.
pub(super) fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&e| e.source())
}

/// Hands the same client to every store that asks with the same options.
#[derive(Debug, Clone, Default)]
pub(super) struct Connector {
    clients: Arc<Mutex<HashMap<String, HttpClient>>>,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // Only fails if the program that uses this library has chosen one already.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{options:?}");
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let inner = ReqwestConnector::default().connect(options)?;
        // Only the endpoints that hand out credentials to machines are given so little time.
        let timeout = options.get_config_value(&ClientConfigKey::ConnectTimeout);
        let metadata = timeout.is_some_and(|t| t == "1s");
        let client = HttpClient::new(Plain { inner, metadata });
        clients.insert(key, client.clone());
        Ok(client)
    }
}

/// An error that is not tried again.
fn unknown(error: impl StdError + Send + Sync + 'static) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, error)
}

/// Reads the page of a listing. What is no page is asked for again, as what broke off is.
async fn paged(response: HttpResponse, slot: &Slot) -> Result<HttpResponse, HttpError> {
    if !response.status().is_success() {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let again = |error| HttpError::new(HttpErrorKind::Interrupted, error);
    let mut bytes = Vec::new();
    let mut chunks = body.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        // Also of faults of which others make no more of: nobody has seen any of it.
        let chunk = chunk.map_err(|e| HttpError::new(HttpErrorKind::Interrupted, e))?;
        if bytes.len() + chunk.len() > page::LONGEST {
            return Err(unknown(NoPage::TooLong));
        }
        bytes.extend_from_slice(&chunk);
    }
    slot.put(Page::read(slot.kind, &bytes).map_err(again)?);
    Ok(HttpResponse::from_parts(parts, slot.empty().to_owned().into()))
}

/// Whether this status of a metadata endpoint is its last word. To 403 the S3 client has an older
/// way to ask, if it was told so.
fn refuses(status: u16) -> bool {
    let older = status == 403 && std::env::var_os("AWS_IMDSV1_FALLBACK").is_some();
    (400..500).contains(&status) && !older
}

/// The size of an object whose server does not tell one, as the stores insist on one.
pub(super) const UNTOLD: u64 = u64::MAX;

/// A client that refuses plainly.
#[derive(Debug)]
struct Plain {
    inner: HttpClient,
    metadata: bool,
}

impl HttpService for Plain {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let ranged = request.headers().contains_key("range");
        Box::pin(async move {
            let mut request = request;
            if let Some(slot) = request.extensions_mut().remove::<Slot>() {
                return paged(self.inner.execute(request).await?, &slot).await;
            }
            match request.extensions_mut().remove::<Spelled>() {
                Some(spelled) => spelled.spell(&mut request).await.map_err(unknown)?,
                None if is_placeholder(&request) => return Err(unknown(Unspelled::Url)),
                None => {}
            }
            let mut response = self.inner.execute(request).await;
            let refusal = match &response {
                // Asked once: a laptop has no such endpoint, and must not wait for it.
                Err(_) if self.metadata => Some(Refusal::NoCredentials),
                Ok(r) if self.metadata && refuses(r.status().as_u16()) => {
                    Some(Refusal::NoCredentials)
                }
                Ok(r) if ranged && r.status() == 200 => Some(Refusal::RangesIgnored),
                Ok(r) if ranged && r.status() == 416 => Some(Refusal::PastEnd),
                _ => None,
            };
            match refusal {
                // Of a kind that is not tried again.
                Some(refusal) => Err(HttpError::new(HttpErrorKind::Unknown, refusal)),
                None => {
                    if let Ok(response) = &mut response {
                        let headers = response.headers_mut();
                        headers.entry("content-length").or_insert_with(|| UNTOLD.into());
                    }
                    response
                }
            }
        })
    }
}
