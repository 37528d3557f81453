//! The HTTP client itself, made from the options of a store, and strict about where it is sent on to.
//!
//! A redirect takes no secret to another host: no address that it comes from, whose query may be signed,
//! and nothing at all of a request that is signed. And none leads from an encrypted connection to one
//! that is not.

use std::ops::RangeInclusive;
use std::time::Duration;

use object_store::{ClientConfigKey as Key, ClientOptions};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, ClientBuilder, NoProxy, Proxy};

use super::proxies::Proxies;

/// How often a request may be sent on.
const MOST_REDIRECTS: usize = 10;
/// The times that a setting may name: clocks end somewhere behind the longest.
const TIMES: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(365 * 24 * 60 * 60);
/// The frames that HTTP/2 allows.
const FRAMES: RangeInclusive<u32> = (1 << 14)..=(1 << 24) - 1;

/// A client with these options; one whose requests are signed stays with the host that they are for.
pub(super) fn client(
    options: &ClientOptions,
    signed: bool,
    proxies: &Proxies,
) -> object_store::Result<Client> {
    let agent = concat!("creel/", env!("CARGO_PKG_VERSION")).to_owned();
    let agent = options.get_config_value(&Key::UserAgent).unwrap_or(agent);
    let time = |key| options.get_config_value(&key).map(|value| duration(&value)).transpose();
    let is_on = |key| is_on(options, &key);
    let mut builder = ClientBuilder::new()
        .user_agent(agent)
        .referer(false)
        .redirect(Policy::custom(move |attempt| match refusal(&attempt, signed) {
            Some(refusal) => attempt.error(refusal),
            None => attempt.follow(),
        }))
        .https_only(!is_on(Key::AllowHttp)?)
        .danger_accept_invalid_certs(is_on(Key::AllowInvalidCertificates)?)
        .http2_keep_alive_while_idle(is_on(Key::Http2KeepAliveWhileIdle)?);
    if is_on(Key::NoSystemCertificates)? {
        builder = builder.tls_certs_only([]);
    }
    if is_on(Key::Http1Only)? {
        builder = builder.http1_only();
    }
    if is_on(Key::Http2Only)? {
        builder = builder.http2_prior_knowledge();
    }
    if let Some(time) = time(Key::Timeout)? {
        builder = builder.timeout(time);
    }
    if let Some(time) = time(Key::ConnectTimeout)? {
        builder = builder.connect_timeout(time);
    }
    if let Some(time) = time(Key::ReadTimeout)? {
        builder = builder.read_timeout(time);
    }
    if let Some(time) = time(Key::PoolIdleTimeout)? {
        builder = builder.pool_idle_timeout(time);
    }
    if let Some(time) = time(Key::Http2KeepAliveInterval)? {
        builder = builder.http2_keep_alive_interval(time);
    }
    if let Some(time) = time(Key::Http2KeepAliveTimeout)? {
        builder = builder.http2_keep_alive_timeout(time);
    }
    if let Some(most) = options.get_config_value(&Key::PoolMaxIdlePerHost) {
        let most = most.parse().map_err(|_| failed("it is no number of connections"))?;
        builder = builder.pool_max_idle_per_host(most);
    }
    if let Some(size) = options.get_config_value(&Key::Http2MaxFrameSize) {
        let size = size.parse().ok().filter(|size| FRAMES.contains(size));
        let size = size.ok_or_else(|| failed("it is no number of bytes from 16384 to 16777215"))?;
        builder = builder.http2_max_frame_size(Some(size));
    }
    if let Some(url) = options.get_config_value(&Key::ProxyUrl) {
        let excludes = options.get_config_value(&Key::ProxyExcludes);
        let proxy = Proxy::all(&url).map_err(failed)?;
        builder = builder.proxy(proxy.no_proxy(excludes.and_then(|of| NoProxy::from_string(&of))));
        if let Some(certificate) = options.get_config_value(&Key::ProxyCaCertificate) {
            let certificate = reqwest::Certificate::from_pem(certificate.as_bytes());
            builder = builder.tls_certs_merge([certificate.map_err(failed)?]);
        }
    }
    builder = proxies.usable().map_err(failed)?.into_iter().fold(builder, ClientBuilder::proxy);
    builder.build().map_err(failed)
}

fn is_on(options: &ClientOptions, key: &Key) -> object_store::Result<bool> {
    let value = options.get_config_value(key).unwrap_or("false".to_owned()).to_ascii_lowercase();
    match &*value {
        "1" | "true" | "on" | "yes" | "y" => Ok(true),
        "0" | "false" | "off" | "no" | "n" => Ok(false),
        _ => Err(failed("it is neither true nor false")),
    }
}

fn duration(value: &str) -> object_store::Result<Duration> {
    let time = humantime::parse_duration(value).ok().filter(|time| TIMES.contains(time));
    time.ok_or_else(|| failed("it is no time from 1ms to 365days; write it as 30s"))
}

fn failed(
    source: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
) -> object_store::Error {
    object_store::Error::Generic { store: "HTTP client", source: source.into() }
}

/// Why a request is not sent on.
fn refusal(attempt: &Attempt<'_>, signed: bool) -> Option<&'static str> {
    let (to, from) = (attempt.url(), attempt.previous().last()?);
    let host = |url: &reqwest::Url| {
        (url.host_str().map(str::to_ascii_lowercase), url.port_or_known_default())
    };
    if attempt.previous().len() > MOST_REDIRECTS {
        Some("too many redirects: each address of the server leads to another")
    } else if !matches!(to.scheme(), "http" | "https") {
        Some("the server redirects to an address that is none of the web")
    } else if from.scheme() == "https" && to.scheme() != "https" {
        Some("a redirect leads from https to an address that is not https")
    } else if signed && host(from) != host(to) {
        Some(
            "a redirect leads to another host, which gets no signed request; check the region and the endpoint",
        )
    } else {
        None
    }
}
