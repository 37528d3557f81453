//! Keys that the stores' crate cannot spell, in requests that it makes all the same.
//!
//! The crate takes a path where a store has a key, and a path has no empty component, no `.` or
//! `..`, and no slash at either end. A request for such a key is made for a placeholder; before
//! it is sent, its URL is given the key, and it is signed anew. So what the crate knows of
//! endpoints, credentials and headers holds for every key.

use std::sync::Arc;

use object_store::client::HttpRequest;
use object_store::path::Path;

/// What stands for the key in a request. No request with it is ever sent.
const PLACEHOLDER: &str = "creel-spells-this-key-itself";

/// How an object is named in a request.
#[derive(Debug, Clone)]
pub(super) enum Name {
    /// By a path of the crate's.
    Path(Path),
    /// By its key, which no path spells.
    Key(Arc<str>),
}

impl Name {
    pub(super) fn of(key: &str) -> Self {
        match Path::parse(key) {
            Ok(path) if path.as_ref() == key => Self::Path(path),
            _ => Self::Key(key.into()),
        }
    }

    /// The path to ask the crate for.
    pub(super) fn path(&self) -> Path {
        match self {
            Self::Path(path) => path.clone(),
            Self::Key(_) => Path::from(PLACEHOLDER),
        }
    }

    /// What the request takes along, if its URL is to be given the key.
    pub(super) fn spelled(&self, signer: &Arc<Signer>) -> Option<Spelled> {
        match self {
            Self::Path(_) => None,
            Self::Key(key) => Some(Spelled { key: Arc::clone(key), signer: Arc::clone(signer) }),
        }
    }
}

/// Signs requests whose signature covers their URL.
#[derive(Debug)]
#[allow(dead_code, reason = "each store makes one of them")]
pub(super) enum Signer {
    /// Nothing in a request depends on its URL.
    None,
    #[cfg(feature = "s3")]
    S3 { credentials: object_store::aws::AwsCredentialProvider },
    #[cfg(feature = "azure")]
    Azure { credentials: object_store::azure::AzureCredentialProvider, account: String },
}

/// Travels with a request for a placeholder.
#[derive(Debug, Clone)]
pub(super) struct Spelled {
    key: Arc<str>,
    signer: Arc<Signer>,
}

/// Travels with a request for all of an object in S3, which is to ask for its checksum.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "s3"), allow(dead_code, reason = "only S3 is asked for checksums"))]
pub(super) struct Summed(pub(super) Arc<Signer>);

impl Summed {
    /// Asks for the checksum, unless the request cannot be signed with that: then it goes without.
    #[allow(unused_variables, clippy::unused_async, reason = "used by one of the stores")]
    pub(super) async fn ask(&self, request: &mut HttpRequest) {
        #[cfg(feature = "s3")]
        if let Signer::S3 { credentials } = &*self.0 {
            const MODE: (&str, &str) = ("x-amz-checksum-mode", "ENABLED");
            if !request.headers().contains_key("authorization") {
                let mode = reqwest::header::HeaderValue::from_static(MODE.1);
                request.headers_mut().insert(MODE.0, mode);
            } else if let Ok(credential) = credentials.get_credential().await {
                super::sigv4::add(request, &credential, MODE);
            }
        }
    }
}

/// Why a request cannot be made for its key.
#[derive(Debug, thiserror::Error)]
#[allow(dead_code, reason = "not every store signs")]
pub(super) enum Unspelled {
    #[error("this key cannot be spelled in a URL: copy the object to another key")]
    Url,
    #[error("a request for this key cannot be signed: {0}")]
    Unsigned(object_store::Error),
    #[error("a request for this key cannot be signed; try again")]
    Rotated,
}

/// Whether a request is for a placeholder.
pub(super) fn is_placeholder(request: &HttpRequest) -> bool {
    request.uri().path().ends_with(PLACEHOLDER)
}

impl Spelled {
    /// Gives a request its key.
    pub(super) async fn spell(&self, request: &mut HttpRequest) -> Result<(), Unspelled> {
        let uri = request.uri().to_string();
        let (before, after) = uri.rsplit_once(PLACEHOLDER).ok_or(Unspelled::Url)?;
        let key = encoded(&self.key);
        let sent = unresolved(&key);
        // One that is nothing else is resolved all the same, and would name the bucket.
        if matches!(&*sent, "." | "..") {
            return Err(Unspelled::Url);
        }
        let uri = format!("{before}{sent}{after}");
        // What is signed is the path with the key as it stands.
        let path = request.uri().path().replace(PLACEHOLDER, &key);
        *request.uri_mut() = uri.parse().map_err(|_| Unspelled::Url)?;
        self.signer.sign(request, &path).await
    }
}

impl Signer {
    /// Signs a request anew, if it was signed. Tokens do not depend on the URL.
    #[allow(unused_variables, clippy::unused_async, reason = "used by some of the stores")]
    async fn sign(&self, request: &mut HttpRequest, path: &str) -> Result<(), Unspelled> {
        if !request.headers().contains_key("authorization") {
            return Ok(());
        }
        match self {
            Self::None => Ok(()),
            #[cfg(feature = "s3")]
            Self::S3 { credentials } => {
                let credential = credentials.get_credential().await.map_err(Unspelled::Unsigned)?;
                let signed = super::sigv4::authorization(request, &credential, path, None);
                let signed = signed.and_then(|signed| signed.parse().ok());
                request.headers_mut().insert("authorization", signed.ok_or(Unspelled::Rotated)?);
                Ok(())
            }
            #[cfg(feature = "azure")]
            Self::Azure { credentials, account } => {
                let headers = request.headers_mut();
                headers.remove("authorization");
                headers.remove("date");
                let credential = credentials.get_credential().await.map_err(Unspelled::Unsigned)?;
                object_store::azure::AzureAuthorizer::new(&credential, account)
                    .try_authorize(request)
                    .map_err(Unspelled::Unsigned)
            }
        }
    }
}

/// A key in the path of a URL: percent-encoded, but for slashes.
fn encoded(key: &str) -> String {
    let mut path = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                path.push(char::from(byte));
            }
            byte => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

/// The same, as it is sent. A component that is `.` or `..` would be resolved by every client on
/// the way, so then slashes are encoded.
fn unresolved(encoded: &str) -> String {
    match encoded.split('/').any(|name| matches!(name, "." | "..")) {
        true => encoded.replace('/', "%2F"),
        false => encoded.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_spell_plain_keys_and_the_others_are_spelled_here() {
        for key in ["a", "a/b c%2F+é.txt"] {
            assert!(matches!(Name::of(key), Name::Path(path) if path.as_ref() == key), "{key}");
        }
        for key in ["/a", "a//b", "a/\u{1}", "./a", "a/../b", "/", ".", "a/.."] {
            assert!(matches!(Name::of(key), Name::Key(_)), "{key}");
        }
    }

    #[test]
    fn a_key_is_encoded_so_that_nobody_resolves_it() {
        assert_eq!(encoded("/a//b c%+é"), "/a//b%20c%25%2B%C3%A9");
        assert_eq!(unresolved(&encoded("m/../d")), "m%2F..%2Fd");
        assert_eq!(unresolved(&encoded("m/..d")), "m/..d");
    }
}
