//! Logins and queries of URLs.

use std::borrow::Cow;
use std::ops::Range;

use super::is_name_part;
use super::spelled::Decoded;

/// Schemes of buckets and files, in whose names a question mark is one, or a wildcard.
const NAMES: [&str; 8] = ["s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "file"];
/// Those of them that name a container before an `@`.
const CONTAINERS: [&str; 3] = ["az", "abfs", "abfss"];

/// A URL without its login and its query, also where its slashes are missing.
pub(super) fn without_login(given: &str) -> Cow<'_, str> {
    if given.contains("://") {
        return Cow::Owned(url(given));
    }
    if let Some((scheme, rest)) = given.split_once("//")
        && (scheme.trim_start_matches('-').is_empty() || is_scheme(scheme))
    {
        return Cow::Owned(url(&format!("{scheme}://{rest}")).replacen("://", "//", 1));
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

/// A name without its login and its query. One that begins with two slashes may be a path, in which a
/// question mark is a wildcard.
pub(super) fn name_without_login(given: &str) -> Cow<'_, str> {
    match given.starts_with("//") {
        true => Cow::Owned(url(&format!("file:{given}")).replacen("file:", "", 1)),
        false => without_login(given),
    }
}

/// Whether a word is a URL or has one in it, also where its slashes are missing.
pub(super) fn is_url(word: &str) -> bool {
    word.contains("://") || word.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme))
}

/// Whether a text is a scheme that is known to be one: file names may have colons, too.
fn is_scheme(text: &str) -> bool {
    // An option, if a dash is before it.
    let text = text.trim().trim_start_matches('-').to_ascii_lowercase();
    NAMES.contains(&&*text) || ["http", "https", "ftp", "ftps", "sftp", "hdfs"].contains(&&*text)
}

fn is_scheme_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+-.".contains(c)
}

/// A URL without its login and its query, and so each one that stands in the path of another.
fn url(given: &str) -> String {
    let (mut out, mut shown) = (String::new(), one(given));
    while let Some(first) = shown.find("://")
        && let Some(next) = shown[first + 3..].find("://")
    {
        let before = shown[..first + 3 + next].trim_end_matches(is_scheme_part).len();
        // A scheme of no letters is none.
        let start = before.max(first + 3);
        out.push_str(&shown[..start]);
        shown = one(&shown[start..]);
    }
    out + &shown
}

/// The first URL of a text without its login and its query.
fn one(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    // Words of a name may stand before it.
    let kind = scheme[scheme_start(scheme, scheme.len())..].to_ascii_lowercase();
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
        let container = CONTAINERS.contains(&kind) && !authority[..at].contains([':', '@']);
        return if container { Login::None } else { Login::Until(at + 1) };
    }
    let address = authority.find(']').unwrap_or(0);
    if !NAMES.contains(&kind) && authority.starts_with('[') && !is_address(&authority[1..]) {
        return Login::After(0);
    }
    let Some(colon) = authority[address..].find(':').map(|at| address + at) else {
        return Login::None;
    };
    // A sentence may go on behind it.
    let port = authority[colon + 1..].trim_end_matches([',', ';', '.', ')']);
    let port = port.bytes().all(|byte| byte.is_ascii_digit());
    if port || authority.starts_with("arn:") {
        return Login::None;
    }
    // A password may have a slash in it.
    rest.find('@').map_or(Login::After(colon), |at| Login::Until(at + 1))
}

/// Whether an address ends in brackets that begin before this: of numbers, perhaps with a zone.
fn is_address(text: &str) -> bool {
    let Some((inside, _)) = text.split_once(']') else { return false };
    let (numbers, zone) = inside.split_once('%').unwrap_or((inside, ""));
    numbers.chars().all(|c| c.is_ascii_hexdigit() || ":.".contains(c))
        && zone.chars().all(|c| c.is_ascii_alphanumeric())
}

/// Whether a text begins with a name and an equals sign.
fn is_query(text: &str) -> bool {
    let name = text.len() - text.trim_start_matches(is_name_part).len();
    name > 0 && text[name..].starts_with('=')
}

/// Whether the URL begins before a `://` with a scheme of these characters.
pub(super) fn scheme_start(word: &str, at: usize) -> usize {
    let before = word[..at].char_indices().rev();
    before.take_while(|(_, c)| is_scheme_part(*c)).last().map_or(at, |(start, _)| start)
}

/// What is secret in the URLs of a text that was decoded: their logins, and the queries of those that
/// were encoded as a whole. In others a question mark that was encoded is a part of the path.
pub(super) fn secrets(decoded: &Decoded) -> Vec<Range<usize>> {
    let text = &*decoded.text;
    let mut found = Vec::new();
    for (at, _) in text.match_indices("://") {
        let ends = |c: char| c.is_whitespace() || "\"'`<>".contains(c);
        let start = at + 3;
        let rest = &text[start..];
        let rest = &rest[..rest.find(ends).unwrap_or(rest.len())];
        let kind = text[scheme_start(text, at)..at].to_ascii_lowercase();
        let length = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        match login(&kind, &rest[..length], rest) {
            Login::None => {}
            Login::Until(to) => found.push(start..start + to - 1),
            Login::After(colon) => found.push(start + colon..start + length),
        }
        if decoded.was_encoded(at..start)
            && let Some(query) = rest[length..].find(['?', '#'])
            && (!NAMES.contains(&&*kind) || is_query(&rest[length + query + 1..]))
        {
            found.push(start + length + query + 1..start + rest.len());
        }
    }
    found
}
