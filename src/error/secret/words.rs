//! Secrets in sentences, and logins without a scheme.

use std::ops::Range;

/// Nouns behind which a secret may follow.
const NOUNS: [&str; 16] = [
    "token",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "apikey",
    "jwt",
    "bearer",
    "credential",
    "credentials",
    "signature",
    "cookie",
    "accesskey",
    "accesskeyid",
    "sas",
];
/// Those of them behind which a word in quotes is one, whatever it looks like.
const CERTAIN: [&str; 5] = ["password", "passwd", "passphrase", "pwd", "secret"];
/// What makes a key one that is secret.
const KEYS: [&str; 16] = [
    "access",
    "account",
    "api",
    "auth",
    "customer",
    "encryption",
    "host",
    "master",
    "private",
    "security",
    "secret",
    "session",
    "shared",
    "signing",
    "sas",
    "storage",
];
/// Words with digits that are none.
const KNOWN: [&str; 22] = [
    "aws4", "sigv4", "sigv2", "s3", "v1", "v2", "v3", "v4", "v5", "md5", "sha1", "sha256",
    "sha512", "hs256", "rs256", "es256", "base64", "oauth2", "x509", "http2", "utf8", "crc32c",
];
/// So many words behind a noun may be the secret.
const BEHIND: usize = 8;
/// The shortest word that looks like a secret.
const SHORTEST: usize = 6;
/// What stands before a colon and is no user.
const NO_USERS: [&str; 9] =
    ["mailto", "acct", "sip", "sips", "xmpp", "sha256", "sha512", "md5", "urn"];

/// Whether a word is one of letters and digits mixed, as names are not: `us-east-1` and dates are none.
pub(super) fn looks_secret(word: &str) -> bool {
    let mixed = |part: &str| {
        let (letter, digit) = (|c: char| c.is_ascii_alphabetic(), |c: char| c.is_ascii_digit());
        let known = KNOWN.contains(&&*part.to_ascii_lowercase());
        part.contains(letter) && part.contains(digit) && !known && !is_time(part)
    };
    word.len() >= SHORTEST && word.split(|c: char| !c.is_ascii_alphanumeric()).any(mixed)
}

/// Whether a part of a word is one of a date, as `01T00` and `59Z` are.
fn is_time(part: &str) -> bool {
    part.chars().all(|c| c.is_ascii_digit() || "TZ".contains(c))
}

/// Words that follow a noun for secrets, and look like one.
pub(super) fn secrets(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut left, mut certain) = (0, false);
    // The words before, of letters and digits in lower case.
    let mut before = [String::new(), String::new()];
    let mut start = 0;
    for token in text.split_inclusive(char::is_whitespace) {
        let at = start;
        start += token.len();
        let word = token.trim_end_matches(char::is_whitespace);
        let mark = |c: char| !c.is_ascii_alphanumeric();
        let inner = word.trim_start_matches(mark);
        let lead = word.len() - inner.len();
        // What a secret in base64 may end with is a part of it.
        let inner = inner.trim_end_matches(|c: char| mark(c) && !"+/=_-".contains(c));
        if inner.is_empty() {
            continue;
        }
        let quoted = word[..lead].ends_with(['"', '\'', '`']);
        let plain = super::plain(inner);
        if is_noun(&plain, &before) {
            (left, certain) = (BEHIND, CERTAIN.contains(&&*plain));
        } else if left > 0 {
            if looks_secret(inner) || certain && quoted {
                found.push(at + lead..at + lead + inner.len());
            }
            (left, certain) = (left - 1, false);
            if word.ends_with(['.', ';']) {
                left = 0;
            }
        }
        before.swap(0, 1);
        before[1] = plain;
    }
    found
}

/// Whether a word, behind two others, names a secret.
pub(super) fn is_noun(word: &str, before: &[String; 2]) -> bool {
    let key = |word: &str, of: &str| matches!(word, "key" | "keys") && KEYS.contains(&of);
    NOUNS.contains(&word)
        || key(word, &before[1])
        || word == "id" && key(&before[1], &before[0])
        || word == "sign" && *before == ["string", "to"]
}

/// Passwords in `user:password@host` without a scheme. They have to look like a secret, since colons and
/// `@` may stand in names; but for a name that begins as an address of another machine does, with a path or
/// a port behind the host.
pub(super) fn logins(text: &str, is_name: bool) -> Vec<Range<usize>> {
    let ends = |c: char| c.is_whitespace() || "\"'`<>(){},|".contains(c);
    let mut found = Vec::new();
    let mut start = 0;
    for token in text.split_inclusive(ends) {
        let mut at = start;
        start += token.len();
        // A word of a name is no other name.
        let begins = is_name && !text[..at].trim_start().ends_with(char::is_whitespace);
        let has_path = token.contains('/');
        for (number, part) in token.split('/').enumerate() {
            if let Some(password) = password(part) {
                let host = &part[password.end + 1..];
                let first = number == 0 && begins && (has_path || host.contains(':'));
                if first || looks_secret(&part[password.clone()]) {
                    found.push(at + password.start..at + password.end);
                }
            }
            at += part.len() + 1;
        }
    }
    found
}

/// Where the password is in a part of a path.
fn password(part: &str) -> Option<Range<usize>> {
    let (before, host) = part.split_once('@')?;
    let (user, password) = before.split_once(':')?;
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let host = host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
    let drive = user.len() == 1 && password.starts_with('\\');
    let user = user.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let known = NO_USERS.contains(&&*user.to_ascii_lowercase());
    let time = number(user) && number(password);
    let is_login = host && !drive && !known && !time;
    (is_login && !password.is_empty()).then(|| before.len() - password.len()..before.len())
}
