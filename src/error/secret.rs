//! Secrets in texts that are shown: credentials and signatures in URLs, however these are spelled.
//!
//! What is shown of a URL is its scheme, its host and its path. A login before the host is left out, and
//! so is the query of a web address; of a bucket, whose keys may hold question marks, only what looks like
//! a query. In any other text the values of parameters are left out whose names say that they are secret;
//! passwords before an `@`; and words behind a noun such as `token` that are letters and digits mixed.
//! All of that holds for what a text says once it is decoded, too. A name is no sentence: the words of a
//! path or a key are shown, whatever they are, and so are folders such as `token=abc`, by which objects
//! are told apart. In a name a parameter is one of a query.

use std::borrow::Cow;
use std::ops::Range;

mod spelled;
mod url;
mod value;
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

/// The longest field of a list, in bytes: a token is longer than a key.
const LONGEST_FIELD: usize = 4 << 10;

/// Blanks that may stand around an equals sign.
const BLANKS: [char; 2] = [' ', '\t'];

/// What stands in the place of a secret.
const HIDDEN: &str = "***";

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// A sentence, which may have names in it.
    Prose,
    /// A sentence of ours, of which all that is foreign is names or was read as a sentence before.
    Ours,
    /// A name: a path, a pattern or a URL.
    Name,
}

/// A text without the secrets of the URLs in it.
pub(crate) fn concealed(text: &str) -> Cow<'_, str> {
    without(text, Reading::Prose)
}

/// A text of ours without the secrets of the URLs in it: its words, and those of the names in it, stay.
pub(super) fn concealed_in_ours(text: &str) -> Cow<'_, str> {
    without(text, Reading::Ours)
}

fn without(text: &str, reading: Reading) -> Cow<'_, str> {
    if !text.contains([':', '=', '>', ' ', '%', '\\', '&']) {
        return Cow::Borrowed(text);
    }
    let text = &*without_values_of_urls(text, reading);
    let mut out = String::with_capacity(text.len());
    for token in text.split_inclusive(ends_word) {
        let word = token.strip_suffix(ends_word).unwrap_or(token);
        let start = word.find("://").map_or(0, |at| url::scheme_start(word, at));
        out.push_str(&word[..start]);
        out.push_str(&url::without_login(&word[start..]));
        out.push_str(&token[word.len()..]);
    }
    Cow::Owned(without_values(&out, reading))
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || "\"'`<>".contains(c)
}

/// A text without the secrets that stand behind a URL and not in it: with its query goes their name, as that
/// of `https://host/a?sig = secret`.
fn without_values_of_urls(text: &str, reading: Reading) -> Cow<'_, str> {
    if !text.contains([':', '/']) || !text.contains(['?', '#']) {
        return Cow::Borrowed(text);
    }
    let mut hidden = secrets(text, reading);
    let (mut urls, mut at) = (Vec::new(), 0);
    for token in text.split_inclusive(ends_word) {
        if url::is_url(token) {
            urls.push(at..at + token.len());
        }
        at += token.len();
    }
    let of_url = |of: &Range<usize>| {
        let next = urls.partition_point(|url| url.end <= of.start);
        urls.get(next).is_some_and(|url| url.start < of.end)
    };
    hidden.retain(|of| !of_url(of));
    Cow::Owned(hide(text, hidden))
}

/// A pattern or an address, all of it, without secrets: also where it is misspelled. Messages show names
/// so, and so do plans and states write them.
pub(crate) fn concealed_url(given: &str) -> String {
    if is_plain(given) {
        return given.to_owned();
    }
    without_values(&url::name_without_login(given), Reading::Name)
}

/// Returns true if a name cannot hold a secret: it has no character that a login or a value needs. A name with a
/// scheme has letters, digits and few other characters. It runs once for each object.
fn is_plain(name: &str) -> bool {
    let is_scheme = |start: &str| start.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_path_part = |byte: u8| byte.is_ascii_alphanumeric() || b"/_.-~+*,".contains(&byte);
    let path = match name.split_once("://") {
        Some((scheme, path)) if is_scheme(scheme) && path.bytes().all(is_path_part) => path,
        _ => name,
    };
    !path.contains([':', '=', '>', '%', '\\', '&']) && !path.contains("//")
}

/// A text without what is secret in it as it stands, and once it is decoded.
fn without_values(text: &str, reading: Reading) -> String {
    hide(text, secrets(text, reading))
}

/// The secrets of a text as it stands, and once it is decoded.
fn secrets(text: &str, reading: Reading) -> Vec<Range<usize>> {
    let mut hidden = values(text, reading);
    for decoded in spelled::levels(text) {
        let found = values(&decoded.text, reading).into_iter().chain(url::secrets(&decoded));
        hidden.extend(found.map(|of| decoded.source(of)));
    }
    hidden.retain(|of| !of.is_empty());
    hidden
}

fn hide(text: &str, mut hidden: Vec<Range<usize>>) -> String {
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

/// The secrets of a text as it stands.
fn values(text: &str, reading: Reading) -> Vec<Range<usize>> {
    let mut found = parameters(text, reading);
    found.extend(sent(text, reading));
    found.extend(words::logins(text, reading == Reading::Name));
    if reading == Reading::Prose {
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
fn parameters(text: &str, reading: Reading) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(mark) = text[at..].find(['=', ':', '>']).map(|mark| at + mark) {
        at = mark + 1;
        let (secret, field) = secrecy(text, mark, reading);
        if secret == Secrecy::None {
            continue;
        }
        let value = match text.as_bytes()[mark] {
            b'>' => at..text[at..].find('<').map_or(text.len(), |end| at + end),
            _ => value::after(text, at, field),
        };
        if secret == Secrecy::Likely && !words::looks_secret(&text[value.clone()]) {
            continue;
        }
        at = value.end;
        // What follows the name of a scheme is found by `sent`.
        if !SCHEMES.contains(&&*text[value.clone()].to_ascii_lowercase()) {
            found.push(value);
        }
    }
    found
}

fn ends_value(c: char) -> bool {
    c.is_whitespace() || "&\"'`<>)#;,".contains(c)
}

/// How sure it is, by the name before a mark, that a secret follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Secrecy {
    None,
    /// It is secret if it looks like that.
    Likely,
    Certain,
}

/// Whether a secret follows the mark, by the name before it; and whether that name stands in quotes, as the
/// name of a field does.
fn secrecy(text: &str, mark_at: usize, reading: Reading) -> (Secrecy, bool) {
    let (before, mark) = (&text[..mark_at], text.as_bytes()[mark_at]);
    let (named, quoted) = match value::in_quotes(before) {
        Some(named) if mark != b'>' => (named, true),
        _ if mark == b'>' || mark == b':' && reading != Reading::Prose => (before, false),
        _ => (before.trim_end_matches(BLANKS), false),
    };
    let (named, indices) = value::without_indices(named);
    let start = named.trim_end_matches(is_name_part).len();
    let within = &named[..start];
    if mark == b'>' && !within.ends_with('<') {
        return (Secrecy::None, false);
    }
    let behind = &text.as_bytes()[mark_at..text.len().min(mark_at + LONGEST_FIELD)];
    let word = behind.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let next = &text[mark_at + 1..];
    let assigned = mark == b'='
        && (before.ends_with(BLANKS) || next.starts_with(BLANKS))
        && !next.starts_with('=');
    let of = |name, within| secrecy_of(name, within, (mark, assigned), quoted, reading);
    // A list of fields, as connection strings are; not one that ends a part of a sentence.
    let listed = word.split_last().is_some_and(|(_, word)| word.contains(&b';'));
    let names = std::iter::once(&named[start..]).chain(indices);
    let secrecy = names.map(|name| match of(name, within) {
        Secrecy::None if listed => of(name, ";"),
        secrecy => secrecy,
    });
    (secrecy.max().unwrap_or(Secrecy::None), quoted)
}

/// Whether a secret follows the mark, by one name before it. `within` is the text before the name; a mark
/// that is `assigned` has blanks around it.
fn secrecy_of(
    name: &str,
    within: &str,
    (mark, assigned): (u8, bool),
    quoted: bool,
    reading: Reading,
) -> Secrecy {
    let option = name.starts_with("--") && within.is_empty();
    let name = name.to_ascii_lowercase();
    // Behind a mark that is encoded, as `%3f` and `%26`.
    let name = name.rfind('%').and_then(|at| name.get(at + 3..)).unwrap_or(&name);
    let name = plain(name);
    // Names may have a colon between their words; no file is named by a header that is sent.
    if reading != Reading::Prose && mark == b':' && !quoted && !name.ends_with("authorization") {
        return Secrecy::None;
    }
    // Of folders, which may be named so, only a key of some kind is meant.
    let folder = within.is_empty() || within.ends_with('/');
    let secret = SHORT.contains(&&*name)
        || SECRETS.iter().any(|end| name.ends_with(end))
        || !folder && SESSIONS.iter().any(|end| name.ends_with(end))
        || name.len() > 3 && name.ends_with("key") && !folder;
    let named = secret && (mark != b':' || quoted || !WORDS.contains(&&*name));
    let likely = mark == b'=' && !folder && LIKELY.contains(&&*name);
    let secrecy = match (named, likely) {
        (true, _) => Secrecy::Certain,
        (false, true) => Secrecy::Likely,
        (false, false) => Secrecy::None,
    };
    // Elsewhere it is a name that somebody gave to a folder or an object; but a server of the web may
    // take it for a parameter anywhere.
    let web = ["http://", "https://"].iter().any(|scheme| within.starts_with(scheme));
    // In a name blanks may stand behind the end of a field.
    let fields = if reading == Reading::Name { within.trim_end_matches(BLANKS) } else { within };
    let parameter = reading == Reading::Prose
        || web
        || quoted
        || mark != b'='
        || option
        || fields.ends_with(['?', ';', '#'])
        || within.ends_with('&') && within.contains('?');
    match reading {
        _ if parameter => secrecy,
        // Folders have no blanks around the mark: it is a setting.
        Reading::Name if assigned => secrecy,
        // A word of a message may be of something else than a name.
        Reading::Ours if !folder || assigned => secrecy.min(Secrecy::Likely),
        _ => Secrecy::None,
    }
}

/// What follows the name of a way to sign in.
fn sent(text: &str, reading: Reading) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut scheme, mut header) = (false, false);
    let is_header = |word: &str| {
        let named = reading == Reading::Prose || plain(word).ends_with("authorization");
        named && word.ends_with([':', '='])
    };
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
        let sure = header || is_header(before);
        let plain = reading == Reading::Prose && known.is_some_and(|at| at < PLAIN_SCHEMES);
        scheme = token.ends_with(' ') && known.is_some() && (plain || sure);
        header = is_header(word);
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
