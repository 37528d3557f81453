//! Patterns: schemes, braces, and where the wildcards begin.
//!
//! Each alternative of its `braces` is a pattern of its own. Within one alternative `*` and `?`
//! match inside a path component, `[a-z]` and `[!a-z]` one character, and `**` any number of
//! components. As in a shell, wildcards do not match a leading dot that is not written.

use super::braces::expanded;
use crate::error::{concealed_url, printable};
use crate::{Error, Result};

/// One pattern of the user's.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pub(super) scheme: Scheme,
    /// As given, without the scheme of a file.
    pub(super) given: String,
    /// What its braces stand for, in order; at least one.
    pub(super) alternatives: Vec<String>,
}

/// Who is asked for the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Standard input.
    Stdin,
    /// The file system.
    File,
    /// A bucket, or a web server.
    Remote(Kind),
}

/// The kinds of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// S3 and what speaks like it.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
    /// A web server, which can give objects and cannot list them.
    Http,
}

impl Kind {
    fn of(scheme: &str) -> Option<Self> {
        match scheme {
            "s3" | "s3a" => Some(Self::S3),
            "gs" | "gcs" => Some(Self::Gcs),
            "az" | "abfs" | "abfss" => Some(Self::Azure),
            "http" | "https" => Some(Self::Http),
            _ => None,
        }
    }

    /// The feature that this kind needs, and whether it was built in.
    fn feature(self) -> (&'static str, bool) {
        match self {
            Self::S3 => ("s3", cfg!(feature = "s3")),
            Self::Gcs => ("gcs", cfg!(feature = "gcs")),
            Self::Azure => ("azure", cfg!(feature = "azure")),
            Self::Http => ("http", cfg!(feature = "http")),
        }
    }
}

impl Pattern {
    pub(super) fn parse(given: &str) -> Result<Self> {
        if given == "-" {
            let alternatives = vec![given.to_owned()];
            return Ok(Self { scheme: Scheme::Stdin, given: given.to_owned(), alternatives });
        }
        let path_of_url;
        let (scheme, rest) = match given.split_once("://") {
            Some(("file", url)) => {
                path_of_url = file_path(url).ok_or_else(|| {
                    let reason = "a file URL is file:/// and an absolute path, in UTF-8";
                    wrong(given, reason.to_owned())
                })?;
                (Scheme::File, path_of_url.as_str())
            }
            Some((name, _)) if is_scheme(name) => match Kind::of(name) {
                Some(kind) => (Scheme::Remote(kind), given),
                None => {
                    let known = "known are file, s3, gs, az, abfs, http and https";
                    let reason = format!("the scheme {name:?} is not known; {known}");
                    return Err(wrong(given, reason));
                }
            },
            _ => (Scheme::File, given),
        };
        if rest.is_empty() {
            return Err(wrong(given, "it is empty".to_owned()));
        }
        let alternatives = expanded(rest).map_err(|e| wrong(given, e.to_string()))?;
        if let Scheme::Remote(kind) = scheme {
            let (feature, built) = kind.feature();
            if !built {
                return Err(wrong(given, format!("built without the feature {feature:?}")));
            }
            for alternative in &alternatives {
                Url::split(alternative, kind)?;
            }
        }
        Ok(Self { scheme, given: rest.to_owned(), alternatives })
    }

    /// The last component with a bracket, as it is written where the bracket is meant itself. None of a pattern
    /// with a secret, which is not known as one any more once the brackets behind it are other ones.
    pub(super) fn literal(&self) -> Option<String> {
        if self.shown() != self.given {
            return None;
        }
        let name = self.given.rsplit('/').find(|name| name.contains('['))?;
        // Whoever wrote this knows it.
        (!name.contains("[[]")).then(|| printable(&name.replace('[', "[[]")))
    }

    /// As the user wrote it, without credentials and query.
    pub(super) fn shown(&self) -> String {
        shown(&self.given)
    }
}

/// The path that a file URL names, given what follows `file://`.
fn file_path(url: &str) -> Option<String> {
    let path = url.strip_prefix("localhost").unwrap_or(url);
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.strip_prefix('/').map(|_| path.as_bytes())?;
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let escaped = hex.filter(|_| *first == b'%').and_then(|hex| str::from_utf8(hex).ok());
        let byte = escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).ok()
}

/// The parts of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Url<'a> {
    /// Scheme and bucket, or scheme and host: all before the slash of the path.
    pub(super) base: &'a str,
    pub(super) scheme: &'a str,
    /// The bucket, the container or the host.
    pub(super) bucket: &'a str,
    /// The key, or the path and the query, without the first slash.
    pub(super) key: &'a str,
}

impl<'a> Url<'a> {
    pub(super) fn split(url: &'a str, kind: Kind) -> Result<Self> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let base = &url[..url.len() - rest.len() + bucket.len()];
        if bucket.is_empty() {
            let lacks = if kind == Kind::Http { "host" } else { "bucket" };
            return Err(wrong(url, format!("it names no {lacks}")));
        }
        if kind == Kind::Http {
            if bucket.contains('@') {
                return Err(wrong(url, "logins in web addresses are not sent".to_owned()));
            }
            if key.split(['?', '#']).next().is_some_and(|path| path.contains('*')) {
                let reason = "a web server cannot list what it holds; name exact URLs, or ranges \
                              in braces as in {01..31}";
                return Err(wrong(url, reason.to_owned()));
            }
        } else if bucket.contains('@') && (!scheme.starts_with("abfs") || bucket.contains(':'))
            || bucket.contains(':') && !bucket.starts_with("arn:")
        {
            let reason =
                "credentials do not belong into the URL of a bucket; set them in the environment";
            return Err(wrong(url, reason.to_owned()));
        } else if is_glob(bucket) {
            return Err(wrong(url, "buckets cannot be listed; name one".to_owned()));
        }
        Ok(Self { base, scheme, bucket, key })
    }
}

/// A pattern or a URL for people to see: without credentials, and without the query of a web address.
pub(super) fn shown(url: &str) -> String {
    concealed_url(url)
}

pub(super) fn wrong(pattern: &str, reason: String) -> Error {
    Error::Pattern { pattern: shown(pattern), reason }
}

fn is_scheme(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// Whether a string has a wildcard.
pub(super) fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_url_is_a_path_with_escapes() {
        assert_eq!(file_path("/a%20b/100%/%C3%A9").as_deref(), Some("/a b/100%/é"));
        assert_eq!(file_path("localhost/a").as_deref(), Some("/a"));
        assert_eq!(file_path("host/a"), None);
        assert_eq!(file_path("/%FF"), None);
    }

    #[test]
    fn braces_that_stand_for_too_much_are_an_error() {
        let error = Pattern::parse("{1..99999999999}").unwrap_err();
        assert!(matches!(error, Error::Pattern { .. }), "{error}");
    }

    #[test]
    fn a_scheme_that_is_not_known_is_named() {
        let error = Pattern::parse("ftp://host/file").unwrap_err().to_string();
        assert!(error.contains("\"ftp\""), "{error}");
    }

    #[test]
    fn a_signed_url_is_shown_without_its_signature() {
        assert_eq!(shown("https://me:secret@host/a/b?sig=secret#x"), "https://host/a/b");
        assert_eq!(shown("http://host?sig=secret"), "http://host");
        assert_eq!(shown("s3://bucket/what?.txt"), "s3://bucket/what?.txt");
        #[cfg(feature = "http")]
        {
            let signed = ["http://host/x?sig=secret".to_owned()];
            let source = crate::source::Source::parse(&signed, Default::default()).unwrap();
            assert_eq!(format!("{source:?}"), r#"["http://host/x"]"#);
        }
        let error = Pattern::parse("http://host/*?sig=secret").unwrap_err().to_string();
        assert!(!error.contains("secret") && error.contains("exact URLs"), "{error}");
        let error = Pattern::parse("http://me:secret@host/x").unwrap_err().to_string();
        assert!(!error.contains("secret") && error.contains("logins"), "{error}");
    }
}
