//! The proxies that the environment names for all requests: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`,
//! and the same in small letters.
//!
//! The HTTP client passes over one that it cannot read, and sends the request without: around a proxy
//! that somebody may have meant as the only way out. So they are read here, and a request that would go
//! by one that is none fails, and names the variable. White space at the ends is cut, as of all settings.

use std::env::var_os;

use hyper_util::client::proxy::matcher::Matcher;
use object_store::client::HttpRequest;
use reqwest::{NoProxy, Proxy, Url as WebAddress};

use super::trouble::Trouble;
use super::variable::can_be_sent;

/// The first that is set counts, as for curl.
const HTTP: [&str; 2] = ["HTTP_PROXY", "http_proxy"];
const HTTPS: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const ALL: [&str; 2] = ["ALL_PROXY", "all_proxy"];
const NONE: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// The proxies for requests, by their scheme.
#[derive(Default)]
pub(super) struct Proxies {
    http: Option<Given>,
    https: Option<Given>,
    /// The hosts that are asked without.
    without: String,
}

/// What a variable says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Given {
    name: &'static str,
    /// `None` if it is no proxy.
    url: Option<String>,
}

// Not derived: a proxy may want a password.
impl std::fmt::Debug for Proxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxies").finish_non_exhaustive()
    }
}

impl Proxies {
    /// What the environment says now.
    pub(super) fn from_environment() -> Self {
        // A server that runs programs sets the first from a header of whoever asks.
        if var_os("REQUEST_METHOD").is_some() {
            return Self::default();
        }
        Self::of(|name| Some(var_os(name)?.to_string_lossy().into_owned()))
    }

    fn of(value: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: [&'static str; 2]| {
            let mut set = names.into_iter().filter_map(|name| Some((name, value(name)?)));
            let (name, value) = set.next()?;
            let value = value.trim();
            (!value.is_empty()).then(|| Given { name, url: proxy(value) })
        };
        let all = first(ALL);
        let without = NONE.into_iter().find_map(&value).unwrap_or_default();
        Self { http: first(HTTP).or_else(|| all.clone()), https: first(HTTPS).or(all), without }
    }

    /// What tells clients apart that were made for different proxies.
    pub(super) fn key(&self) -> String {
        format!("{:?} {:?} {}", self.http, self.https, self.without)
    }

    /// The proxies that a client is to have: those that are one.
    ///
    /// # Errors
    /// If the client does not take one.
    pub(super) fn usable(&self) -> reqwest::Result<Vec<Proxy>> {
        let url = |given: &Option<Given>| given.as_ref()?.url.clone();
        let http = url(&self.http).map(Proxy::http);
        let https = url(&self.https).map(Proxy::https);
        let proxies = [http, https].into_iter().flatten();
        let without = || NoProxy::from_string(&self.without);
        proxies.map(|proxy| Ok(proxy?.no_proxy(without()))).collect()
    }

    /// Looks whether the proxy for a request is one.
    ///
    /// # Errors
    /// If it is none, with the variable that names it.
    pub(super) fn check(&self, request: &HttpRequest) -> Result<(), Trouble> {
        let given = match request.uri().scheme_str() {
            Some("https") => &self.https,
            _ => &self.http,
        };
        let Some(Given { name, url: None }) = given else { return Ok(()) };
        let all = Matcher::builder().all("http://proxy").no(self.without.as_str()).build();
        match all.intercept(request.uri()) {
            None => Ok(()),
            // Not shown: it may hold a password.
            Some(_) => Err(Trouble::Setting(format!(
                "{name} is no proxy; write it as http://host:3128, or unset it"
            ))),
        }
    }
}

/// The URL of a proxy, if it is one over HTTP; without a scheme, as curl takes it.
fn proxy(value: &str) -> Option<String> {
    let url = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let parsed = WebAddress::parse(&url).ok()?;
    let of_web = matches!(parsed.scheme(), "http" | "https") && parsed.has_host();
    (of_web && can_be_sent(&url)).then_some(url)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn proxies(set: &[(&str, &str)]) -> Proxies {
        Proxies::of(|name| {
            let found = set.iter().find(|(set, _)| *set == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    /// What is wrong with the proxy for a request to this address.
    fn fault(proxies: &Proxies, address: &str) -> Option<String> {
        let mut request = HttpRequest::new(Bytes::new().into());
        *request.uri_mut() = address.parse().unwrap();
        proxies.check(&request).err().map(|trouble| trouble.to_string())
    }

    #[test]
    fn a_proxy_that_is_none_is_named_by_its_variable_where_it_would_be_used() {
        for (name, value) in [
            ("HTTP_PROXY", "::::"),
            ("http_proxy", "ftp://u:S3CRET@h"),
            ("ALL_PROXY", "socks5://h:1"),
            ("all_proxy", "http://u:S3CRET@h:99999"),
            ("HTTP_PROXY", "http://h\u{7}"),
            ("HTTP_PROXY", "http://"),
        ] {
            let given = proxies(&[(name, value), ("NO_PROXY", "local, 10.0.0.0/8")]);
            let said = fault(&given, "http://host/x").unwrap();
            assert!(said.contains(name) && !said.contains("S3CRET"), "{said}");
            assert_eq!(fault(&given, "http://a.local/x"), None);
            assert_eq!(fault(&given, "http://10.1.2.3/x"), None);
            let both = name.eq_ignore_ascii_case("all_proxy");
            assert_eq!(fault(&given, "https://host/x").is_some(), both, "{name}");
            assert_eq!(given.usable().unwrap().len(), 0);
        }
    }

    #[test]
    fn white_space_is_cut_and_what_says_nothing_is_passed_over() {
        let given = proxies(&[("HTTPS_PROXY", " h:3128\r\n"), ("https_proxy", "::::")]);
        let url = given.https.as_ref().and_then(|given| given.url.clone());
        assert_eq!(url.as_deref(), Some("http://h:3128"));
        assert_eq!((fault(&given, "https://host/x"), given.usable().unwrap().len()), (None, 1));
        let given = proxies(&[("HTTP_PROXY", ""), ("ALL_PROXY", "https://u:p@h")]);
        assert_eq!((fault(&given, "http://host/x"), given.usable().unwrap().len()), (None, 2));
        assert!(!format!("{given:?}").contains("u:p"));
    }
}
