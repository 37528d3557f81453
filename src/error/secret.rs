//! Secrets in texts that are shown: credentials and signatures in URLs, however these are spelled.
//!
//! What is shown of a URL is its scheme, its host and its path. A login before the host is left out, and
//! so is the query of a web address; of a bucket, whose keys may hold question marks, only what looks like
//! a query. In any other text the values of parameters are left out whose names say that they are secret.

use std::borrow::Cow;

/// Schemes of buckets and files, in whose names a question mark is one, or a wildcard.
const NAMES: [&str; 8] = ["s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "file"];
/// Those of them that name a container before an `@`.
const CONTAINERS: [&str; 3] = ["az", "abfs", "abfss"];

/// Parameters whose values are secret, or parts of a signature, in lower case.
const SECRETS: [&str; 22] = [
    "sig",
    "signature",
    "x-amz-signature",
    "x-amz-credential",
    "x-amz-security-token",
    "x-goog-signature",
    "x-goog-credential",
    "awsaccesskeyid",
    "googleaccessid",
    "token",
    "access_token",
    "id_token",
    "refresh_token",
    "secret",
    "client_secret",
    "password",
    "passwd",
    "pwd",
    "api_key",
    "apikey",
    "accountkey",
    "sharedaccesssignature",
];

/// What stands in the place of a secret.
const HIDDEN: &str = "***";

/// A text without the secrets of the URLs in it.
pub(crate) fn concealed(text: &str) -> Cow<'_, str> {
    if !text.contains([':', '=']) {
        return Cow::Borrowed(text);
    }
    let ends = |c: char| c.is_whitespace() || "\"'`<>".contains(c);
    let mut out = String::with_capacity(text.len());
    for token in text.split_inclusive(ends) {
        let word = token.strip_suffix(ends).unwrap_or(token);
        let start = word.find("://").map_or(0, |at| {
            let before = word[..at].char_indices().rev();
            before.take_while(|(_, c)| is_scheme_part(*c)).last().map_or(at, |(start, _)| start)
        });
        out.push_str(&word[..start]);
        out.push_str(&without_login(&word[start..]));
        out.push_str(&token[word.len()..]);
    }
    Cow::Owned(without_parameters(&out))
}

/// A pattern or an address, all of it, without secrets: also where it is misspelled.
pub(crate) fn concealed_url(given: &str) -> String {
    without_parameters(&without_login(given))
}

/// A URL without its login and its query, also where its slashes are missing.
fn without_login(given: &str) -> Cow<'_, str> {
    if given.contains("://") {
        return Cow::Owned(url(given));
    }
    match given.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => {
            let slashes = rest.len() - rest.trim_start_matches('/').len();
            let shown = url(&format!("{scheme}://{}", &rest[slashes..]));
            Cow::Owned(shown.replacen("://", &format!(":{}", &rest[..slashes]), 1))
        }
        _ => Cow::Borrowed(given),
    }
}

/// Whether a text is a scheme that is known to be one: file names may have colons, too.
fn is_scheme(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    NAMES.contains(&&*text) || ["http", "https", "ftp", "ftps", "sftp", "hdfs"].contains(&&*text)
}

fn is_scheme_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+-.".contains(c)
}

/// A URL without its login and its query.
fn url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let kind = scheme.trim().to_ascii_lowercase();
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let (host, path) = match login(&kind, authority, rest) {
        Login::None => rest.split_at(authority.len()),
        Login::Until(at) => {
            let rest = &rest[at..];
            rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()))
        }
        Login::After(colon) => (&authority[..colon], &rest[authority.len()..]),
    };
    let query = match NAMES.contains(&&*kind) {
        true => path.match_indices('?').map(|(at, _)| at).find(|&at| is_query(&path[at + 1..])),
        false => path.find(['?', '#']),
    };
    format!("{scheme}://{host}{}", &path[..query.unwrap_or(path.len())])
}

/// Where a URL has a login.
enum Login {
    None,
    /// From its start to here.
    Until(usize),
    /// Without a host: what is behind this colon is no port.
    After(usize),
}

fn login(kind: &str, authority: &str, rest: &str) -> Login {
    if let Some(at) = authority.rfind('@') {
        let container = CONTAINERS.contains(&kind) && !authority[..at].contains(':');
        return if container { Login::None } else { Login::Until(at + 1) };
    }
    let address = authority.find(']').unwrap_or(0);
    let Some(colon) = authority[address..].find(':').map(|at| address + at) else {
        return Login::None;
    };
    let port = authority[colon + 1..].bytes().all(|byte| byte.is_ascii_digit());
    if port || authority.starts_with("arn:") {
        return Login::None;
    }
    // A password may have a slash in it.
    rest.find('@').map_or(Login::After(colon), |at| Login::Until(at + 1))
}

/// Whether a text begins with a name and an equals sign.
fn is_query(text: &str) -> bool {
    let name = text.len() - text.trim_start_matches(is_name_part).len();
    name > 0 && text[name..].starts_with('=')
}

fn is_name_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.~%".contains(c)
}

/// A text without the values of parameters that are secret.
fn without_parameters(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('=') {
        let name = rest[..at].rfind(|c| !is_name_part(c)).map_or(&rest[..at], |before| {
            &rest[before + rest[before..].chars().next().map_or(1, char::len_utf8)..at]
        });
        out.push_str(&rest[..=at]);
        rest = &rest[at + 1..];
        if SECRETS.contains(&&*name.to_ascii_lowercase()) {
            let end = rest.find(|c: char| c.is_whitespace() || "&\"'`<>)#;,".contains(c));
            out.push_str(HIDDEN);
            rest = &rest[end.unwrap_or(rest.len())..];
        }
    }
    out.push_str(rest);
    out
}

/// What a parser said of a file or a setting that holds secrets: without what it found there.
#[cfg(any(feature = "cloud", test))]
pub(crate) fn without_quotes(said: &str) -> String {
    let mut out = String::with_capacity(said.len());
    let mut rest = said;
    while let Some(at) = rest.find(['"', '`']) {
        let quote = &rest[at..=at];
        out.push_str(&rest[..at]);
        out.push_str("...");
        // A quote within is escaped, or it is another end: the last one is meant.
        match rest[at + 1..].rfind(quote) {
            Some(end) => rest = &rest[at + 1 + end + 1..],
            None => return out,
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_shown_without_logins_and_queries_however_they_are_spelled() {
        for (given, shown) in [
            ("https://u:S3CRET@h:8080/x?sig=S3CRET#S3CRET", "https://h:8080/x"),
            ("HTTPS://h/x?S3CRET", "HTTPS://h/x"),
            ("http://S3CRET@h", "http://h"),
            ("http://h?S3CRET", "http://h"),
            ("http://u:S3/CRET@h/x", "http://h/x"),
            ("http://h:8080/a@b", "http://h:8080/a@b"),
            ("http://[::1]:8080/x", "http://[::1]:8080/x"),
            ("ftp://u:S3CRET@h/x?S3CRET", "ftp://h/x"),
            ("file://u:S3CRET@h/x", "file://h/x"),
            ("s3://AKIA:S3CRET@b/x", "s3://b/x"),
            ("s3://AKIA:S3/CRE+T@b/x", "s3://b/x"),
            ("s3://S3CRET@b/x", "s3://b/x"),
            ("s3://AKIA:S3CRET", "s3://AKIA"),
            ("s3://b/x?Signature=S3CRET", "s3://b/x"),
            ("s3://b/x?/y=????/*?.gz", "s3://b/x?/y=????/*?.gz"),
            (
                "s3://arn:aws:s3:us-west-2:1:accesspoint/p/x",
                "s3://arn:aws:s3:us-west-2:1:accesspoint/p/x",
            ),
            ("az://c/x?sv=1&sig=S3CRET", "az://c/x"),
            (
                "abfss://box@account.dfs.core.windows.net/x",
                "abfss://box@account.dfs.core.windows.net/x",
            ),
            ("abfss://u:S3CRET@h/x", "abfss://h/x"),
            ("https:/h/x?sig=S3CRET", "https:/h/x"),
            ("https:h/x?S3CRET", "https:h/x"),
            (" https://h/x?S3CRET", " https://h/x"),
            ("h/x?a=1&X-Amz-Signature=S3CRET", "h/x?a=1&X-Amz-Signature=***"),
            ("C:\\logs\\a=b.txt", "C:\\logs\\a=b.txt"),
            ("dt=2024-01-01/a.log", "dt=2024-01-01/a.log"),
            ("page.html?id=3", "page.html?id=3"),
            ("10:30?.log", "10:30?.log"),
        ] {
            assert_eq!(concealed_url(given), shown);
        }
    }

    #[test]
    fn texts_are_shown_without_the_secrets_of_urls_in_them() {
        for (said, shown) in [
            ("GET (https://h/x?sig=S3CRET): refused", "GET (https://h/x refused"),
            (
                "'HTTPS://u:S3CRET@h/x' and \"s3://b/k?AWSAccessKeyId=S3CRET\".",
                "'HTTPS://h/x' and \"s3://b/k\".",
            ),
            ("é://x?S3CRET é", "é://x é"),
            ("sent token=S3CRET, then Password=S3CRET", "sent token=***, then Password=***"),
            ("a = b, c=d", "a = b, c=d"),
            ("://", "://"),
        ] {
            assert_eq!(concealed(said), shown);
        }
    }

    #[test]
    fn parsers_are_quoted_without_what_they_found() {
        for (said, shown) in [
            (
                "invalid type: string \"S3CRET\", expected struct at line 1 column 9",
                "invalid type: string ..., expected struct at line 1 column 9",
            ),
            ("unknown variant `S3CRET`, expected `a`", "unknown variant ..."),
            ("invalid type: string \"S3CRET", "invalid type: string ..."),
        ] {
            assert_eq!(without_quotes(said), shown);
        }
    }
}
