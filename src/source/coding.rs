//! The content coding that a store names for an object, and whether its bytes are text all the same.
//!
//! Compressed data is known by its first bytes, whatever is named: objects are stored compressed with
//! and without a name for it. So the names of codecs decide nothing. Other names do, as what they
//! stand for may look like text: base64 is one. Many names stand for nothing that was done to the
//! bytes, as those of charsets.
//!
//! `aws-chunked` is how a body is sent to a store, in chunks with signatures between them. Stores undo
//! it, and some keep its name. Others keep the chunks: the first bytes tell.

use reqwest::header::{CONTENT_ENCODING, HeaderMap};

/// Travels with an answer: what it names as its content coding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Coding(pub(super) String);

/// Codings that the first bytes tell.
const TOLD: [&str; 9] =
    ["gzip", "x-gzip", "zstd", "x-zstd", "bzip2", "x-bzip2", "bz2", "xz", "lz4"];
/// Names for nothing, and how those begin that are charsets.
const NOTHING: [&str; 10] =
    ["", "identity", "none", "null", "binary", "7bit", "8bit", "text", "plain", "text/plain"];
const CHARSETS: [&str; 6] = ["utf", "us-ascii", "ascii", "iso-8859", "latin", "windows-12"];
/// Chunks but for the last have so many bytes, at least.
const LEAST: u64 = 8 << 10;
/// What follows the last of them, before some lines.
const LAST: &[u8] = b"\r\n0\r\n";
/// The most bytes that may follow the last chunk.
const TRAILERS: u64 = 2 << 10;
/// The longest line before a chunk: its length, and a signature by elliptic curves.
const LONGEST_LINE: usize = 512;

impl Coding {
    /// What an answer names, in all of its headers of that name.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let named = headers.get_all(CONTENT_ENCODING).iter();
        let named: Vec<_> = named.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (!named.is_empty()).then(|| Self(named.join(",")))
    }

    /// Whether nothing of what is named has to be known.
    pub(super) fn is_told(named: &str) -> bool {
        names(named).all(is_told)
    }

    /// What of the codings that are named is not undone, if these are the first bytes of an object of
    /// this size.
    pub(super) fn undecoded<'n>(named: &'n str, head: &[u8], size: Option<u64>) -> Option<&'n str> {
        names(named).find(|name| match name.eq_ignore_ascii_case("aws-chunked") {
            true => is_chunked(head, size),
            false => !is_told(name),
        })
    }
}

fn names(named: &str) -> impl Iterator<Item = &str> {
    named.split(',').map(str::trim)
}

fn is_told(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is = |known: &&str| *known == name;
    TOLD.iter().any(is)
        || NOTHING.iter().any(is)
        || CHARSETS.iter().any(|start| name.starts_with(start))
}

/// Whether an object begins with a chunk of `aws-chunked`: a line with its length in hexadecimal and
/// with its signature, if it is signed. A number alone may begin any text. But chunks are long, and a
/// short one is the last: then the end of all follows.
fn is_chunked(head: &[u8], size: Option<u64>) -> bool {
    let line = &head[..head.len().min(LONGEST_LINE)];
    let Some(end) = line.windows(2).position(|two| two == b"\r\n") else { return false };
    let Ok(line) = str::from_utf8(&line[..end]) else { return false };
    let (length, signed) = match line.split_once(';') {
        Some((length, more)) => (length, more.starts_with("chunk-signature=")),
        None => (line, false),
    };
    let digits = length.bytes().all(|byte| byte.is_ascii_hexdigit());
    let Some(length) = u64::from_str_radix(length, 16).ok().filter(|_| digits) else {
        return false;
    };
    if signed || line.contains(';') {
        return signed;
    }
    let (Some(size), after) = (size, (end as u64 + 2).saturating_add(length)) else { return false };
    let rest = size.checked_sub(after).filter(|_| length > 0);
    let seen = usize::try_from(after).ok().and_then(|after| head.get(after..after + LAST.len()));
    match (rest, seen) {
        (None, _) => false,
        (Some(_), Some(seen)) => seen == LAST,
        (Some(rest), None) if length < LEAST => (LAST.len() as u64..TRAILERS).contains(&rest),
        (Some(rest), None) => rest >= LAST.len() as u64 && !line.starts_with('0'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_bytes_tell_or_that_stand_for_nothing_are_read() {
        for named in
            ["", "identity", "gzip", "GZIP, identity", "utf-8", "UTF8", "iso-8859-1", "none"]
        {
            assert_eq!(Coding::undecoded(named, b"a line\n", Some(7)), None, "{named}");
            assert!(Coding::is_told(named), "{named}");
        }
    }

    #[test]
    fn a_name_for_what_is_not_undone_is_told() {
        for (named, told) in [
            ("base64", "base64"),
            ("gzip, x-other", "x-other"),
            ("br", "br"),
            ("deflate", "deflate"),
        ] {
            assert_eq!(Coding::undecoded(named, b"YSBsaW5lCg==", Some(12)), Some(told));
            assert!(!Coding::is_told(named), "{named}");
        }
    }

    #[test]
    fn chunks_are_told_by_the_bytes_and_not_by_their_name() {
        let of =
            |head: &[u8]| Coding::undecoded("aws-chunked", head, Some(head.len() as u64)).is_some();
        let signed = format!("400;chunk-signature={}\r\n{}", "a".repeat(64), "x".repeat(0x400));
        assert!(of(signed.as_bytes()) && of(b"c\r\na line\nmore\n\r\n0\r\n\r\n"));
        let long = format!("10000\r\n{}", "x".repeat(4000));
        let short = format!("1800\r\n{}", "x".repeat(4000));
        let of_size = |size| Coding::undecoded("aws-chunked", short.as_bytes(), Some(size));
        assert!(of_size(6 + 6144 + 5).is_some() && of_size(90_000).is_none());
        assert!(Coding::undecoded("gzip,AWS-Chunked", long.as_bytes(), Some(70_000)).is_some());
        assert!(Coding::undecoded("aws-chunked", b"20240101\r\nmore\r\n", Some(7000)).is_none());
        for text in [
            &b"a line\n"[..],
            b"12\r\n13\r\n14\r\n15\r\n16\r\n17\r\n18\r\n",
            b"0\r\n",
            b"",
            b"400;other\r\n",
            b"+4\r\nabcd\r\n",
            b"cafe\r\nbar\r\n",
        ] {
            assert!(!of(text), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn all_headers_of_a_name_are_looked_at() {
        let mut headers = HeaderMap::new();
        assert_eq!(Coding::of(&headers), None);
        headers.append(CONTENT_ENCODING, "gzip".parse().unwrap());
        headers.append(CONTENT_ENCODING, "base64".parse().unwrap());
        assert_eq!(Coding::of(&headers), Some(Coding("gzip,base64".to_owned())));
    }
}
