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
/// Words of plain sentences, behind which a colon says nothing.
const WORDS: [&str; 7] =
    ["credential", "credentials", "key", "secret", "signature", "token", "cookie"];
/// Ways to sign in, before what is sent. The first two are no words of plain sentences.
const SCHEMES: [&str; 5] = ["bearer", "sharedkey", "basic", "digest", "negotiate"];

/// What stands in the place of a secret.
const HIDDEN: &str = "***";

/// A text without the secrets of the URLs in it.
pub(crate) fn concealed(text: &str) -> Cow<'_, str> {
    if !text.contains([':', '=', '>', ' ']) {
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
        let container = CONTAINERS.contains(&kind) && !authority[..at].contains([':', '@']);
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

/// A text without the values of parameters, headers and fields that are secret.
fn without_parameters(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['=', ':', '>']) {
        let (before, after) = rest.split_at(at + 1);
        let mark = before.as_bytes()[at];
        out.push_str(before);
        rest = after;
        if !is_secret(text, text.len() - after.len() - 1, mark) {
            continue;
        }
        let spaces = if mark == b'>' { 0 } else { rest.len() - rest.trim_start_matches(' ').len() };
        let quoted = rest[spaces..].starts_with(['"', '\'']);
        let (space, value) = rest.split_at(spaces + usize::from(quoted));
        out.push_str(space);
        let length = match (mark, quoted) {
            (b'>', _) => value.find('<'),
            (_, true) => value.find(&space[spaces..]),
            _ => value.find(ends_value),
        };
        let (value, after) = value.split_at(length.unwrap_or(value.len()));
        rest = after;
        // What follows the name of a scheme is hidden below.
        out.push_str(if SCHEMES.contains(&&*value.to_ascii_lowercase()) { value } else { HIDDEN });
    }
    out.push_str(rest);
    without_logins(&out)
}

fn ends_value(c: char) -> bool {
    c.is_whitespace() || "&\"'`<>)#;,".contains(c)
}

/// Whether the name before a mark says that what follows is secret.
fn is_secret(text: &str, mark_at: usize, mark: u8) -> bool {
    let before = &text[..mark_at];
    let trimmed = if mark == b'>' { before } else { before.trim_end_matches(' ') };
    let (named, quoted) = match trimmed.strip_suffix(['"', '\'']) {
        Some(named) => (named, true),
        None => (trimmed, false),
    };
    let start = named.trim_end_matches(is_name_part).len();
    let within = &named[..start];
    if mark == b'>' && !within.ends_with('<') {
        return false;
    }
    let name = named[start..].to_ascii_lowercase();
    // Behind a mark that is encoded, as `%3f` and `%26`.
    let name = name.rfind('%').and_then(|at| name.get(at + 3..)).unwrap_or(&name);
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    // Of folders, which may be named so, only a key of some kind is meant.
    let folder = within.is_empty() || within.ends_with('/');
    let secret = SHORT.contains(&&*name)
        || SECRETS.iter().any(|end| name.ends_with(end))
        || name.len() > 3 && name.ends_with("key") && !folder;
    secret && (mark != b':' || quoted || !WORDS.contains(&&*name))
}

/// A text without what follows the name of a way to sign in.
fn without_logins(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut scheme, mut header) = (false, false);
    for token in text.split_inclusive(ends_value) {
        let word = token.trim_end_matches(ends_value);
        let hidden = scheme && !word.is_empty() && !word.contains('=');
        out.push_str(if hidden { HIDDEN } else { word });
        out.push_str(&token[word.len()..]);
        if word.is_empty() && token == " " {
            continue;
        }
        let (before, named) = word.split_at(word.rfind([':', '=']).map_or(0, |at| at + 1));
        let known = SCHEMES.iter().position(|scheme| scheme.eq_ignore_ascii_case(named));
        let sure = header || !before.is_empty();
        scheme = token.ends_with(' ') && known.is_some_and(|at| at < 2 || sure);
        header = word.ends_with([':', '=']);
    }
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
            ("http://h/y,http://u:S3CRET@h/x", "http://h/y,http://h/x"),
            ("{http://h/y,http://u:S3CRET@h/x}", "{http://h/y,http://h/x}"),
            ("http://h,https://u:S3CRET@h/x", "http://h,https://h/x"),
            ("http://h/a;https://u:S3CRET@h/b?S3CRET", "http://h/a;https://h/b"),
            ("http://h/redirect=https://u:S3CRET@h/b", "http://h/redirect=https://h/b"),
            ("s3://b/x,s3://u:S3CRET@b/y,az://u:S3CRET@c/z", "s3://b/x,s3://b/y,az://c/z"),
            ("://://://", "://://://"),
            ("s3://b/user_key=5/x", "s3://b/user_key=5/x"),
            ("http://h/x%3Fsig=S3CRET", "http://h/x%3Fsig=***"),
            ("//u:S3CRET@h/x", "//h/x"),
            ("s3//AKIA:S3CRET@b/x", "s3//b/x"),
            ("--s3:AKIA:S3CRET@b/x", "--s3:b/x"),
            ("abfss://S3CRET@h@x/y", "abfss://x/y"),
            ("a/10:30@home/x", "a/10:30@home/x"),
            ("user_key=5/x", "user_key=5/x"),
            ("h/x?a=1&x-functions-key=S3CRET", "h/x?a=1&x-functions-key=***"),
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
            ("AWS4 Credential=S3CRET/x, Signature=S3CRET", "AWS4 Credential=***, Signature=***"),
            ("Authorization: Bearer S3CRET, x", "Authorization: Bearer ***, x"),
            ("authorization=bearer  S3CRET", "authorization=bearer  ***"),
            ("Authorization: SharedKey a:S3CRET", "Authorization: SharedKey ***"),
            ("authorization: S3CRET", "authorization: ***"),
            ("x-amz-security-token: S3CRET.", "x-amz-security-token: ***"),
            ("aws_secret_access_key = S3CRET end", "aws_secret_access_key = *** end"),
            (
                "{\"secret_access_key\": \"S3C RET\", \"a\": 1}",
                "{\"secret_access_key\": \"***\", \"a\": 1}",
            ),
            ("{'token':'S3CRET'}", "{'token':'***'}"),
            ("<SessionToken>S3C RET</SessionToken>", "<SessionToken>***</SessionToken>"),
            ("Set-Cookie: S3CRET", "Set-Cookie: ***"),
            (
                "no credentials: looked at a key: it is short",
                "no credentials: looked at a key: it is short",
            ),
            ("unexpected token: a -> b > c", "unexpected token: a -> b > c"),
            ("a basic word", "a basic word"),
            ("sent Bearer S3CRET", "sent Bearer ***"),
            ("Proxy-Authorization: Basic S3CRET", "Proxy-Authorization: Basic ***"),
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
