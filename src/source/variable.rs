//! Variables of the environment that say something of a store, looked at before the first request.
//!
//! The stores' clients would panic at some values in the middle of a run, or send a request that is
//! signed to a host that nobody meant. White space at the ends is cut, since files with settings
//! often end in a line feed that nobody sees. What else is wrong is an error that names the
//! variable, and never shows what may be a secret.

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use object_store::client::HttpRequest;
use reqwest::Url as WebAddress;

/// A setting of a store, by its variable.
#[derive(Debug, Clone)]
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
pub(super) struct Setting<K> {
    /// The variable.
    pub(super) name: String,
    pub(super) key: K,
    pub(super) value: String,
}

/// The variables of this beginning that a store knows.
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
pub(super) fn variables<K>(
    start: &str,
    known: impl Fn(&str) -> Option<K>,
) -> Result<Vec<Setting<K>>, String> {
    let mut found = Vec::new();
    for (name, value) in std::env::vars_os() {
        let Some(name) = name.to_str().filter(|name| name.starts_with(start)) else { continue };
        let Some(key) = known(&name.to_ascii_lowercase()) else { continue };
        let value = value.to_str().ok_or_else(|| format!("{name} is not UTF-8"))?;
        if let Some(value) = checked(name, value)? {
            found.push(Setting { name: name.to_owned(), key, value });
        }
    }
    // Of two names for the same thing always the same one counts.
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// What a variable says, if it is set.
#[cfg(any(feature = "gcs", feature = "azure"))]
pub(super) fn variable(name: &str) -> Result<Option<String>, String> {
    let Some(value) = std::env::var_os(name) else { return Ok(None) };
    checked(name, value.to_str().ok_or_else(|| format!("{name} is not UTF-8"))?)
}

/// Looks at a variable that a store's client reads itself, with white space and all.
#[cfg(any(feature = "gcs", feature = "azure"))]
pub(super) fn read_elsewhere(name: &str) -> Result<(), String> {
    match (variable(name)?, std::env::var_os(name)) {
        (Some(value), Some(raw)) if raw != *value => {
            Err(format!("{name} has white space at its ends; set it without"))
        }
        _ => Ok(()),
    }
}

/// What is wrong with a setting, without any that may be quoted there.
pub(super) fn without_values(said: String) -> String {
    let starts = ["AWS_", "AZURE_", "GOOGLE_", "SERVICE_ACCOUNT", "IDENTITY_"];
    let is_setting = |name: &str| starts.iter().any(|start| name.starts_with(start));
    let settings = std::env::vars_os().filter_map(|(name, value)| {
        name.to_str().is_some_and(is_setting).then_some(value)?.into_string().ok()
    });
    // Words that messages are made of are no secrets.
    settings.fold(said, |said, value| {
        let all = std::iter::once(value.trim()).chain(parts(&value));
        let long = all.filter(|value| value.len() > 3);
        long.fold(said, |said, value| said.replace(value, "..."))
    })
}

/// The values in a connection string; other values have no such parts, or none that a message is made of.
fn parts(value: &str) -> impl Iterator<Item = &str> {
    let fields = value.split(';').filter(|_| value.contains(';') || value.contains('='));
    fields.filter_map(|part| Some(part.split_once('=')?.1.trim()))
}

/// What a value is for, and so what it may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The address of a server.
    Address,
    /// The same, and what to ask there.
    Request,
    /// The address of a proxy, maybe with a login.
    Proxy,
    /// A path on a server that is known.
    Path,
    /// A host, and a port.
    Host,
    /// A part of a host's name.
    Name,
    /// A part of a host's name or of a path, which may have dots.
    Domain,
    /// It stands in a header, or is part of one.
    Word,
    /// A key in Base64, of so many bytes if its length is known.
    Key(Option<usize>),
    /// A file, a key, a number: whoever reads it says what is wrong with it.
    Text,
}

impl Kind {
    /// Of a variable, by its name in lower case.
    fn of(name: &str) -> Self {
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        if ends(&["use_fabric_endpoint"]) {
            Self::Text
        } else if ends(&["_endpoint", "base_url", "authority_host", "blob_storage_url"])
            || name.contains("endpoint_url")
        {
            Self::Address
        } else if ends(&["_full_uri", "_service_url"]) {
            Self::Request
        } else if ends(&["proxy_url"]) {
            Self::Proxy
        } else if ends(&["relative_uri"]) {
            Self::Path
        } else if ends(&["metadata_host", "metadata_root", "metadata_ip", "workload_host"]) {
            Self::Host
        } else if ends(&["account_name"]) {
            Self::Name
        } else if ends(&["region", "tenant_id", "authority_id"]) {
            Self::Domain
        } else if ends(&["sse_customer_key_base64"]) {
            // AES-256.
            Self::Key(Some(32))
        } else if name.starts_with("azure_")
            && ends(&["account_key", "storage_access_key", "master_key"])
        {
            Self::Key(None)
        } else if ends(&["access_key_id", "token", "identity_header", "cluster_identifier"]) {
            Self::Word
        } else {
            Self::Text
        }
    }

    /// The bytes that a value may have: a URL or a header has to hold it, encoded.
    fn longest(self) -> usize {
        match self {
            Self::Name | Self::Domain | Self::Host => 255,
            Self::Word => 32 << 10,
            _ => 8 << 10,
        }
    }

    /// What is wrong with a value of this kind.
    fn fault(self, name: &str, value: &str) -> Result<(), String> {
        let letters = |c: char, others: &str| c.is_ascii_alphanumeric() || others.contains(c);
        let (wrong, what): (Option<usize>, &str) = match self {
            Self::Text => return Ok(()),
            Self::Address => return address(name, value),
            Self::Key(bytes) => {
                let Ok(key) = BASE64_STANDARD.decode(value) else {
                    return Err(format!("{name} is not in Base64"));
                };
                return match bytes {
                    Some(bytes) if key.len() != bytes => {
                        Err(format!("{name} is no key of {bytes} bytes"))
                    }
                    _ => Ok(()),
                };
            }
            Self::Request => {
                let (server, asked) = value.split_at(value.find('?').unwrap_or(value.len()));
                address(name, server)?;
                return match can_be_sent(value) && !asked.contains('#') {
                    true => Ok(()),
                    false => Err(format!("{name} holds what no address can hold")),
                };
            }
            Self::Host => {
                // It may hold a credential if it is no host.
                let whole = address(name, &format!("http://{value}"));
                let host = !value.contains(['/', '@', '?', '#', '\\']);
                return whole.ok().filter(|()| host).ok_or_else(|| {
                    format!("{name} is no host; write it as a name or an address, with :port")
                });
            }
            Self::Proxy => {
                let of_web = ["http://", "https://"].iter().any(|web| value.starts_with(web));
                return match WebAddress::parse(value).is_ok_and(|_| of_web) {
                    true => Ok(()),
                    false => Err(format!("{name} is no proxy; write it as http://host:3128")),
                };
            }
            Self::Path => {
                let whole = format!("http://h{value}");
                let path =
                    value.starts_with('/') && !value.contains(['"', '<', '>', '\\', '^', '`']);
                return match path && can_be_sent(&whole) && !value.contains(['{', '}', '|']) {
                    true => Ok(()),
                    false => Err(format!("{name} is no path on a server; begin it with /")),
                };
            }
            Self::Name => (value.chars().position(|c| !letters(c, "-_")), "letters, digits and -"),
            Self::Domain => {
                (value.chars().position(|c| !letters(c, "-_.")), "letters, digits, - and dots")
            }
            Self::Word => {
                let at = value.chars().position(|c| !c.is_ascii_graphic());
                (at, "characters of ASCII without spaces")
            }
        };
        match wrong {
            None => Ok(()),
            Some(at) => {
                Err(format!("{name} holds something else than {what}, at character {}", at + 1))
            }
        }
    }
}

/// The value of a variable; `None` if it says nothing.
pub(super) fn checked(name: &str, value: &str) -> Result<Option<String>, String> {
    checked_as(name, name, value)
}

/// The same for a value that means what this variable does, under a name of its own.
pub(super) fn checked_as(name: &str, like: &str, value: &str) -> Result<Option<String>, String> {
    let lower = like.to_ascii_lowercase();
    let value = value.trim();
    if value.is_empty() {
        // Set by tools for whoever has none.
        return match lower.ends_with("token") {
            true => Ok(None),
            false => Err(format!("{name} is empty; give it a value, or unset it")),
        };
    }
    // A key in JSON or PEM has lines.
    let lines = value.starts_with('{') || value.starts_with("-----BEGIN");
    if !lines && let Some(at) = value.chars().position(char::is_control) {
        return Err(format!("{name} holds a control character, at character {}", at + 1));
    }
    let kind = Kind::of(&lower);
    if !lines && value.len() > kind.longest() {
        return Err(format!("{name} has {} bytes, which is too long", value.len()));
    }
    kind.fault(name, value)?;
    // A second is what tells the clients of metadata endpoints from all others.
    let second = ["1s", "1sec", "1second", "1000ms"].contains(&&*value.replace(' ', ""));
    let longer = lower.ends_with("connect_timeout") && second;
    Ok(Some(if longer { "1001ms".to_owned() } else { value.to_owned() }))
}

/// Whether a value is the address of a server.
pub(super) fn address(name: &str, value: &str) -> Result<(), String> {
    // Not shown: a key may have come into the wrong variable.
    let wrong =
        |why: &str| Err(format!("{name} {why}; write it as https://host or http://host:9000"));
    if !value.starts_with("http://") && !value.starts_with("https://") {
        return wrong("does not begin with http:// or https://");
    }
    match WebAddress::parse(value) {
        Err(error) => wrong(&format!("is no address of a server: {error}")),
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            wrong("holds more than the address of a server")
        }
        Ok(_) if !can_be_sent(value) => wrong("is no address of a server"),
        Ok(_) => Ok(()),
    }
}

/// Whether the client under the stores takes an address; it panics if it does not.
pub(super) fn can_be_sent(address: &str) -> bool {
    let mut request = HttpRequest::new(Bytes::new().into());
    address.parse().map(|uri| *request.uri_mut() = uri).is_ok()
}

/// Looks at a key of Google's: its JSON, or what is in the file that it stands in.
#[cfg(feature = "gcs")]
pub(super) fn service_account(name: &str, json: &str) -> Result<(), String> {
    // A parser quotes what it finds, and here that may be the key.
    let json: serde_json::Value = serde_json::from_str(json)
        .map_err(|e| format!("{name} is not JSON, at line {}, column {}", e.line(), e.column()))?;
    match json.get("gcs_base_url") {
        None | Some(serde_json::Value::Null) => Ok(()),
        Some(serde_json::Value::String(base)) => address(&format!("gcs_base_url in {name}"), base),
        Some(_) => Err(format!("gcs_base_url in {name} is no text")),
    }
}

/// The bytes that a file with a token may have: a URL or a header has to hold it.
#[cfg(feature = "s3")]
pub(super) const TOKEN: u64 = 32 << 10;
/// The bytes that a file with a key may have.
#[cfg(feature = "gcs")]
pub(super) const KEY: u64 = 1 << 20;

/// The text of the file that a variable names; what is said of it never names the file, since a
/// secret may stand where its name should.
#[cfg(any(feature = "s3", feature = "gcs"))]
pub(super) fn file_of(name: &str, path: &str, most: u64) -> Result<String, String> {
    use std::io::Read;
    let mut text = String::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(most + 1).read_to_string(&mut text))
        .map_err(|e| format!("cannot read the file that {name} names: {e}"))?;
    match read as u64 > most {
        true => Err(format!("the file that {name} names is too long for a credential")),
        false => Ok(text),
    }
}

/// Looks at a file with a token that goes into a header as it stands there.
#[cfg(feature = "s3")]
pub(super) fn token_file(name: &str, path: &str) -> Result<(), String> {
    let token = file_of(name, path, TOKEN)?;
    let what = match token.trim() {
        "" => "is empty",
        cut if !cut.chars().all(|c| c.is_ascii_graphic()) => {
            "holds a space, a control character or one that is not ASCII"
        }
        cut if cut.len() < token.len() => {
            "begins or ends in a space or a line feed, which no request can carry; write it without"
        }
        _ => return Ok(()),
    };
    Err(format!("the file that {name} names {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_at_the_ends_is_cut() {
        let value = |name, value| checked(name, value).unwrap();
        assert_eq!(value("AWS_REGION", "r\r").as_deref(), Some("r"));
        let endpoint = value("AWS_ENDPOINT", " http://127.0.0.1:1 \n");
        assert_eq!(endpoint.as_deref(), Some("http://127.0.0.1:1"));
        assert_eq!(value("AWS_SESSION_TOKEN", "\n"), None);
    }

    #[test]
    fn wrong_settings_are_named_and_secrets_are_not_shown() {
        for (name, value) in [
            ("AWS_ENDPOINT", "localhost:9000"),
            ("AWS_ENDPOINT", ""),
            ("AWS_ENDPOINT_URL_S3", "http://"),
            ("AWS_ENDPOINT", "http://127.0.0.1:99999"),
            ("AWS_ENDPOINT", "http://user:secret@:1"),
            ("AWS_ENDPOINT", "http://host/?query"),
            ("AWS_ACCESS_KEY_ID", "secret\rsecret"),
            ("AWS_ACCESS_KEY_ID", "secret secret"),
            ("AWS_SESSION_TOKEN", "sécret"),
            ("AWS_SECRET_ACCESS_KEY", "secret\u{1b}"),
            ("AWS_REGION", "us east"),
            ("GOOGLE_BASE_URL", "storage"),
            ("AZURE_AUTHORITY_HOST", "secret"),
            ("AWS_REGION", "secret@host"),
            ("AZURE_STORAGE_ACCOUNT_NAME", "secret/"),
            ("AZURE_TENANT_ID", "secret#"),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@secret"),
            ("AWS_PROXY_URL", "secret"),
            ("GCE_METADATA_HOST", "secret@host"),
            ("AZURE_ENDPOINT", "host:1"),
            ("IDENTITY_ENDPOINT", "ftp://host"),
            ("AWS_SSE_CUSTOMER_KEY_BASE64", "secret!"),
            ("AWS_SSE_CUSTOMER_KEY_BASE64", "c2VjcmV0"),
            ("AZURE_STORAGE_ACCOUNT_KEY", "secret!"),
            ("AZURE_STORAGE_ACCESS_KEY", "secret!"),
        ] {
            let said = checked(name, value).unwrap_err();
            assert!(said.contains(name), "{said}");
            assert!(!said.contains("sécret") && !said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn right_settings_are_taken_as_they_are() {
        for (name, value) in [
            ("AWS_ENDPOINT", "https://minio.example:9000/base"),
            ("AWS_SECRET_ACCESS_KEY", "a+b/c d"),
            ("AZURE_USE_FABRIC_ENDPOINT", "true"),
            ("AWS_REGION", "us-gov-west-1"),
            ("AWS_DEFAULT_REGION", "my_region"),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9001/v1?x=1"),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/a-b?id=1"),
            ("AWS_PROXY_URL", "http://user:password@proxy:3128"),
            ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com"),
            ("AZURE_TENANT_ID", "contoso.onmicrosoft.com"),
            ("AZURE_STORAGE_ACCOUNT_NAME", "devstoreaccount1"),
            ("GCE_METADATA_HOST", "169.254.169.254:80"),
            ("GOOGLE_SERVICE_ACCOUNT_KEY", "{\n\"gcs_base_url\": \"http://h:1\"\n}"),
        ] {
            assert_eq!(checked(name, value).unwrap().as_deref(), Some(value));
        }
        assert_eq!(checked("AWS_CONNECT_TIMEOUT", "1 s").unwrap().as_deref(), Some("1001ms"));
    }
}
