//! Secrets in texts that are shown: credentials and signatures in URLs, however these are spelled.
//!
//! What is shown of a URL is its scheme, its host and its path. A login before the host is left out, and
//! so is the query of a web address; of a bucket, whose keys may hold question marks, only what looks like
//! a query. In any other text the values of parameters are left out whose names say that they are secret;
//! passwords before an `@`; and words behind a noun such as `token` that are letters and digits mixed.
//! All of that holds for what a text says once it is decoded, too.

use std::borrow::Cow;
use std::ops::Range;

mod spelled;
mod url;
mod words;

#[cfg(test)]
mod tests;

/// How names end whose values are secret, or parts of a signature: in lower case, of letters and digits.
const SECRETS: [&str; 25] = [
    "signature",
    "credential",
    "credentials",
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "authorization",
    "cookie",
    "accesskey",
    "accesskeyid",
    "googleaccessid",
    "accountkey",
    "apikey",
    "authkey",
    "customerkey",
    "customerkeybase64",
    "encryptionkey",
    "masterkey",
    "privatekey",
    "secretkey",
    "sharedkey",
    "signingkey",
    "storagekey",
];
/// What such names are as a whole.
const SHORT: [&str; 3] = ["sig", "pwd", "pass"];
/// What they are, or how they end, where no folder is named so.
const SESSIONS: [&str; 2] = ["sessionid", "sessid"];
/// What they are where the value looks like a secret.
const LIKELY: [&str; 4] = ["key", "sid", "auth", "session"];
/// Words of plain sentences, behind which a colon says nothing.
const WORDS: [&str; 7] =
    ["credential", "credentials", "key", "secret", "signature", "token", "cookie"];
/// Ways to sign in, before what is sent.
const SCHEMES: [&str; 8] =
    ["bearer", "sharedkey", "sharedkeylite", "basic", "digest", "negotiate", "ntlm", "aws"];
/// How many of them are no words of plain sentences: the first.
const PLAIN_SCHEMES: usize = 3;

/// What stands in the place of a secret.
const HIDDEN: &str = "***";

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// A sentence, which may have names in it.
    Prose,
    /// A name: a path, a pattern or a URL.
    Name,
}

fn is_name(reading: Reading) -> bool {
    reading == Reading::Name
}

/// A text without the secrets of the URLs in it.
pub(crate) fn concealed(text: &str) -> Cow<'_, str> {
    if !text.contains([':', '=', '>', ' ', '%', '\\', '&']) {
        return Cow::Borrowed(text);
    }
    let ends = |c: char| c.is_whitespace() || "\"'`<>".contains(c);
    let mut out = String::with_capacity(text.len());
    for token in text.split_inclusive(ends) {
        let word = token.strip_suffix(ends).unwrap_or(token);
        let start = word.find("://").map_or(0, |at| url::scheme_start(word, at));
        out.push_str(&word[..start]);
        out.push_str(&url::without_login(&word[start..]));
        out.push_str(&token[word.len()..]);
    }
    Cow::Owned(without_values(&out, Reading::Prose))
}

/// A pattern or an address, all of it, without secrets: also where it is misspelled.
pub(crate) fn concealed_url(given: &str) -> String {
    without_values(&url::without_login(given), Reading::Name)
}

/// A text without what is secret in it as it stands, and once it is decoded.
fn without_values(text: &str, reading: Reading) -> String {
    let mut hidden = values(text, reading);
    for decoded in spelled::levels(text) {
        let found = values(&decoded.text, reading).into_iter().chain(url::secrets(&decoded));
        hidden.extend(found.map(|of| decoded.source(of)));
    }
    hidden.retain(|of| !of.is_empty());
    hidden.sort_unstable_by_key(|of| (of.start, of.end));
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for of in hidden {
        if of.start >= at {
            out.push_str(&text[at..of.start]);
            out.push_str(HIDDEN);
        }
        at = at.max(of.end);
    }
    out + &text[at..]
}

/// What is secret in a text as it stands.
fn values(text: &str, reading: Reading) -> Vec<Range<usize>> {
    let mut found = parameters(text);
    found.extend(sent(text));
    found.extend(words::logins(text, reading));
    if !is_name(reading) {
        found.extend(words::secrets(text));
    }
    found
}

fn is_name_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.~%".contains(c)
}

/// A word in lower case, of its letters and digits.
fn plain(word: &str) -> String {
    word.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// The values of parameters, headers and fields that are secret.
fn parameters(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(mark) = text[at..].find(['=', ':', '>']).map(|mark| at + mark) {
        at = mark + 1;
        let rest = &text[at..];
        let kind = text.as_bytes()[mark];
        let secret = secrecy(text, mark, kind);
        if secret == Secrecy::None {
            continue;
        }
        let spaces = if kind == b'>' { 0 } else { rest.len() - rest.trim_start_matches(' ').len() };
        let quoted = rest[spaces..].starts_with(['"', '\'']);
        let (space, value) = rest.split_at(spaces + usize::from(quoted));
        let length = match (kind, quoted) {
            (b'>', _) => value.find('<'),
            (_, true) => value.find(&space[spaces..]),
            _ => value.find(ends_value),
        };
        let value = &value[..length.unwrap_or(value.len())];
        if secret == Secrecy::Likely && !words::looks_secret(value) {
            continue;
        }
        let start = at + space.len();
        at = start + value.len();
        // What follows the name of a scheme is found by `sent`.
        if !SCHEMES.contains(&&*value.to_ascii_lowercase()) {
            found.push(start..at);
        }
    }
    found
}

fn ends_value(c: char) -> bool {
    c.is_whitespace() || "&\"'`<>)#;,".contains(c)
}

/// What the name before a mark says of what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secrecy {
    None,
    /// It is secret if it looks like that.
    Likely,
    Certain,
}

fn secrecy(text: &str, mark_at: usize, mark: u8) -> Secrecy {
    let before = &text[..mark_at];
    let trimmed = if mark == b'>' { before } else { before.trim_end_matches(' ') };
    let (named, quoted) = match trimmed.strip_suffix(['"', '\'']) {
        Some(named) => (named, true),
        None => (trimmed, false),
    };
    let start = named.trim_end_matches(is_name_part).len();
    let within = &named[..start];
    if mark == b'>' && !within.ends_with('<') {
        return Secrecy::None;
    }
    let name = named[start..].to_ascii_lowercase();
    // Behind a mark that is encoded, as `%3f` and `%26`.
    let name = name.rfind('%').and_then(|at| name.get(at + 3..)).unwrap_or(&name);
    let name = plain(name);
    // Of folders, which may be named so, only a key of some kind is meant.
    let folder = within.is_empty() || within.ends_with('/');
    let secret = SHORT.contains(&&*name)
        || SECRETS.iter().any(|end| name.ends_with(end))
        || !folder && SESSIONS.iter().any(|end| name.ends_with(end))
        || name.len() > 3 && name.ends_with("key") && !folder;
    if secret && (mark != b':' || quoted || !WORDS.contains(&&*name)) {
        return Secrecy::Certain;
    }
    let likely = mark == b'=' && !folder && LIKELY.contains(&&*name);
    if likely { Secrecy::Likely } else { Secrecy::None }
}

/// What follows the name of a way to sign in.
fn sent(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut scheme, mut header) = (false, false);
    let mut start = 0;
    for token in text.split_inclusive(ends_value) {
        let at = start;
        start += token.len();
        let word = token.trim_end_matches(ends_value);
        // As in `Bearer token ...`.
        if scheme && words::is_noun(&plain(word), &Default::default()) {
            continue;
        }
        // Base64 may end so; a name before its value is found elsewhere.
        if scheme && !word.is_empty() && !word.trim_end_matches('=').contains('=') {
            found.push(at..at + word.len());
        }
        if word.is_empty() && token == " " {
            continue;
        }
        let (before, named) = word.split_at(word.rfind([':', '=']).map_or(0, |at| at + 1));
        let known = SCHEMES.iter().position(|scheme| scheme.eq_ignore_ascii_case(named));
        let sure = header || !before.is_empty();
        scheme = token.ends_with(' ') && known.is_some_and(|at| at < PLAIN_SCHEMES || sure);
        header = word.ends_with([':', '=']);
    }
    found
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
