//! The HTTP client under every store: one for the process, and plain about what the stores would
//! blur.
//!
//! The stores turn most answers into text. What decides what happens next is caught here and
//! travels as a [`Trouble`] in the chain of causes. There are two kinds of request. One for an
//! object's bytes says so by an [`Asked`]: its answer is measured against it, and whoever reads
//! the bytes asks again where that helps. All others (listings, tokens) are small: they are
//! answered here with all of their body or with an error, after as many attempts as that takes.

use std::collections::HashMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use object_store::{ClientConfigKey, ClientOptions};

use super::answer::{Asked, Told, retry_after};
use super::checksum::Checksum;
use super::client::client;
use super::coding::Coding;
use super::host::Hosts;
use super::page::{LONGEST, NoPage, Slot};
use super::patience::{Patience, REASONED, SILENT, pause, silent, timeout};
use super::proxies::Proxies;
use super::said::is_error_of;
use super::spell::{Spelled, Summed, Unspelled, is_placeholder};
use super::trouble::{Trouble, Watch, lost};

/// A request without an answer for so long is told of.
const LONG: Duration = Duration::from_secs(3);
/// What is read of an answer that says why there is none.
const REASON: usize = 64 << 10;
/// What is read of a credential, which stands in a header or two.
const CREDENTIAL: usize = 1 << 20;
/// The size of an object whose server does not tell one, as the stores insist on one.
pub(super) const UNTOLD: u64 = u64::MAX;

/// Hands the same client to every store of the process that asks with the same options.
#[derive(Debug, Clone, Copy)]
pub(super) struct Connector {
    /// Whether requests may be signed, as those to buckets.
    pub(super) signed: bool,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // Only fails if the program that uses this library has chosen one already.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        static CLIENTS: OnceLock<Mutex<HashMap<String, HttpClient>>> = OnceLock::new();
        let clients = CLIENTS.get_or_init(Mutex::default);
        let mut clients = clients.lock().unwrap_or_else(PoisonError::into_inner);
        // One that a setting of the store names counts before these.
        let own = options.get_config_value(&ClientConfigKey::ProxyUrl).is_some();
        let proxies = if own { Proxies::default() } else { Proxies::from_environment() };
        let key = format!("{} {options:?} {}", self.signed, proxies.key());
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let inner = HttpClient::new(client(options, self.signed, &proxies)?);
        // Only the endpoints that hand out credentials to machines are given so little time.
        let timeout = options.get_config_value(&ClientConfigKey::ConnectTimeout);
        let metadata = timeout.is_some_and(|t| t == "1s");
        let client = HttpClient::new(Plain { inner, metadata, proxies, hosts: Hosts::default() });
        clients.insert(key, client.clone());
        Ok(client)
    }
}

/// Whether this status of a metadata endpoint is its last word. To 403 the S3 client has an older
/// way to ask, if it was told so.
fn refuses(status: u16) -> bool {
    let older = status == 403 && std::env::var_os("AWS_IMDSV1_FALLBACK").is_some();
    (400..500).contains(&status) && !older
}

/// A client that refuses plainly.
#[derive(Debug)]
struct Plain {
    inner: HttpClient,
    metadata: bool,
    proxies: Proxies,
    hosts: Hosts,
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
        Box::pin(async move {
            let answer = match request.extensions().get::<Asked>().cloned() {
                _ if self.metadata => self.credentials(request).await,
                Some(asked) => self.object(request, &asked).await,
                None => self.other(request).await,
            };
            // Of a kind that the stores do not try again.
            answer.map_err(|trouble| HttpError::new(HttpErrorKind::Unknown, trouble))
        })
    }
}

impl Plain {
    /// Asks where machines get credentials. A laptop has no such endpoint, and must not wait for it.
    async fn credentials(&self, request: HttpRequest) -> Result<HttpResponse, Trouble> {
        let mut patience = Patience::default();
        loop {
            let trouble = match self.full(request.clone(), None).await {
                Ok(response) if !refuses(response.status().as_u16()) => return Ok(response),
                Ok(_)
                | Err(
                    Trouble::Unreached { answered: false, .. }
                    | Trouble::Unwell { answered: false, throttled: None, .. },
                ) => return Err(Trouble::NoCredentials),
                Err(trouble) => trouble,
            };
            let class = trouble.class();
            let Some(wait) = patience.next(class) else { return Err(trouble) };
            pause(wait, class, &host(&request)).await;
        }
    }

    /// Asks for bytes of an object; they come as they are read.
    async fn object(
        &self,
        mut request: HttpRequest,
        asked: &Asked,
    ) -> Result<HttpResponse, Trouble> {
        match request.extensions_mut().remove::<Spelled>() {
            Some(spelled) => spelled.spell(&mut request).await?,
            None if is_placeholder(&request) => return Err(Unspelled::Url.into()),
            None => {}
        }
        if let Some(summed) = request.extensions_mut().remove::<Summed>() {
            summed.ask(&mut request).await;
        }
        let denies = |said: &[u8]| asked.is_denied_by(said);
        let mut response = self.once(request, Some(asked.listed), denies).await?;
        asked.measure(response.status().as_u16(), response.headers())?;
        let sized = response.headers().contains_key("content-length");
        let whole = asked.is_whole(response.headers());
        response.extensions_mut().insert(Told { sized, whole });
        if let Some(coding) = Coding::of(response.headers()) {
            response.extensions_mut().insert(coding);
        }
        if let Some(sum) = Checksum::of(whole, |name| header(&response, name)) {
            response.extensions_mut().insert(sum);
        }
        let headers = response.headers_mut();
        headers.entry("content-length").or_insert_with(|| UNTOLD.into());
        Ok(response)
    }

    /// Asks for anything else, until there is all of an answer.
    async fn other(&self, mut request: HttpRequest) -> Result<HttpResponse, Trouble> {
        let slot = request.extensions_mut().remove::<Slot>();
        let mut patience = Patience::default();
        loop {
            let trouble = match self.full(request.clone(), slot.as_ref()).await {
                Ok(response) => return Ok(response),
                Err(trouble) => trouble,
            };
            let class = trouble.class();
            let Some(wait) = patience.next(class) else {
                trouble.give_up();
                return Err(trouble);
            };
            pause(wait, class, &host(&request)).await;
        }
    }

    /// One answer, with all of its body; of a page of a listing an empty one, as the page is read
    /// here.
    async fn full(
        &self,
        request: HttpRequest,
        slot: Option<&Slot>,
    ) -> Result<HttpResponse, Trouble> {
        // Taken for the store's, the 404 of another would be a bucket that is not there.
        let denies = |said: &[u8]| slot.is_none_or(|slot| is_error_of(slot.kind, said));
        let (parts, body) = self.once(request, None, denies).await?.into_parts();
        let mut bytes = match slot {
            Some(_) => all(body, LONGEST, || Trouble::NoPage(NoPage::TooLong)).await?,
            // Credentials are short.
            None => {
                let long = || Trouble::Disagrees("it is too long for a credential".to_owned());
                let read = all(body, CREDENTIAL, long);
                tokio::time::timeout(timeout(SILENT), read).await.map_err(|_| Trouble::Slow)??
            }
        };
        if let Some(slot) = slot.filter(|_| parts.status.is_success()) {
            if parts.status != 200 {
                let status = parts.status.as_u16();
                return Err(Trouble::Disagrees(format!(
                    "it has the status {status}, to a listing"
                )));
            }
            slot.put(&bytes).map_err(|why| Trouble::no_page(why, &bytes))?;
            bytes = slot.empty().into();
        }
        if slot.is_none() && parts.status.is_success() {
            bytes = plain(&bytes)?.to_vec();
        }
        Ok(HttpResponse::from_parts(parts, Bytes::from(bytes).into()))
    }

    /// Sends a request that was meant at some time; gives an answer of the server that is one, however
    /// it reads. Of the body of a 404 `denies` tells whether it is of who was asked.
    async fn once(
        &self,
        request: HttpRequest,
        meant: Option<Instant>,
        denies: impl Fn(&[u8]) -> bool + Send,
    ) -> Result<HttpResponse, Trouble> {
        self.proxies.check(&request)?;
        let name = host(&request);
        let host = self.hosts.get(&name);
        let turn = host.turn(&name).await;
        if let Some(said) = host.verdict(meant) {
            return Err(Trouble::Dead(said));
        }
        let answer = awaited(self.inner.execute(request), &name).await;
        drop(turn);
        let response = answer.map_err(|source| Trouble::Unreached {
            answered: host.answered(),
            lost: lost(&source),
            host: Arc::clone(&host),
            source,
        })?;
        let status = response.status();
        if status.is_success() {
            host.well();
            return Ok(response);
        }
        let after = retry_after(response.headers());
        let (parts, body) = response.into_parts();
        // An endless reason must not keep anybody waiting.
        let reason = reason(body).await;
        if matches!(status.as_u16(), 304 | 600..) {
            let why = format!("it has the status {}, to a GET", status.as_u16());
            return Err(Trouble::Disagrees(why));
        }
        if !(status.is_server_error() || matches!(status.as_u16(), 408 | 429)) {
            host.well();
            if status == 404 && !denies(&reason) {
                return Err(Trouble::stray(status, &parts.headers));
            }
            return Ok(HttpResponse::from_parts(parts, reason.into()));
        }
        let trouble = Trouble::unwell(status, &reason, after, host.answered());
        if let Some(wait) = trouble.throttled() {
            host.throttled(wait);
        }
        Err(trouble)
    }
}

/// All of a body that is no longer than this.
async fn all(
    body: HttpResponseBody,
    most: usize,
    too_long: impl FnOnce() -> Trouble + Send,
) -> Result<Vec<u8>, Trouble> {
    let (mut bytes, mut watch) = (Vec::new(), Watch::default());
    let mut chunks = body.bytes_stream();
    while let Some(chunk) = watch.next(&mut chunks).await? {
        bytes.extend_from_slice(&chunk.map_err(Trouble::broken)?);
        if bytes.len() > most {
            return Err(too_long());
        }
    }
    Ok(bytes)
}

/// An answer with credentials without white space at its ends. One that is a word and no JSON or XML
/// becomes part of a URL or of a header.
fn plain(answer: &[u8]) -> Result<&[u8], Trouble> {
    let answer = answer.trim_ascii();
    let word = !answer.starts_with(b"{") && !answer.starts_with(b"<");
    match word && !answer.iter().all(u8::is_ascii_graphic) {
        true => Err(Trouble::Unfit("what was handed out as a credential is none".to_owned())),
        false => Ok(answer),
    }
}

/// An answer, of which is told that it is waited for if it takes long.
async fn awaited<T>(answer: impl Future<Output = T>, host: &str) -> T {
    let mut answer = pin!(answer);
    match tokio::time::timeout(timeout(LONG), &mut answer).await {
        Ok(answer) => answer,
        Err(_) => {
            let _told = silent(host);
            answer.await
        }
    }
}

/// A header, if it is text.
fn header(response: &HttpResponse, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

/// The host that a request goes to, with its port.
fn host(request: &HttpRequest) -> String {
    // Without a login, which may stand in front of it.
    let authority = request.uri().authority().map(ToString::to_string).unwrap_or_default();
    authority.rsplit_once('@').map_or(authority.clone(), |(_, host)| host.to_owned())
}

/// The first part of a body that says why there is no better answer.
async fn reason(body: HttpResponseBody) -> Bytes {
    let mut bytes = Vec::new();
    let read = async {
        let mut chunks = body.bytes_stream();
        while bytes.len() < REASON
            && let Some(Ok(chunk)) = chunks.next().await
        {
            let room = REASON - bytes.len();
            bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
    };
    // What came until then will do.
    let _ = tokio::time::timeout(timeout(REASONED), read).await;
    // The stores want text, and fail without a status if it is none.
    String::from_utf8_lossy(&bytes).into_owned().into()
}
