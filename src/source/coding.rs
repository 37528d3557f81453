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
/// Names for nothing.
const NOTHING: [&str; 10] =
    ["", "identity", "none", "null", "binary", "7bit", "8bit", "text", "plain", "text/plain"];
/// Charsets, without the marks in their names, and how those begin that end in a number. That a charset
/// is told does not change bytes; which one they are of is seen in them, or is told to the command.
const CHARSETS: [&str; 10] = [
    "utf8", "utf16", "utf16le", "utf16be", "utf32", "utf32le", "utf32be", "usascii", "ascii",
    "latin",
];
const NUMBERED: [&str; 4] = ["iso8859", "latin", "windows125", "cp125"];
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
    TOLD.iter().any(is) || NOTHING.iter().any(is) || is_charset(&name)
}

/// Whether a name is one of a charset in which text may be read as it stands, or is refused for what is in
/// it. `utf-7` is none: all of it looks like ASCII.
fn is_charset(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| !"-_".contains(*c)).collect();
    let numbered = |start: &&str| {
        let number = plain.strip_prefix(*start);
        number.is_some_and(|rest| {
            (1..=2).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    CHARSETS.contains(&&*plain) || NUMBERED.iter().any(numbered)
}

/// The line before a chunk of `aws-chunked`.
struct ChunkLine {
    length: u64,
    /// It is signed, as no line of a text is.
    signed: bool,
    /// Its bytes, with its end; `None` if that is not among those that were seen.
    bytes: Option<usize>,
    padded: bool,
}

impl ChunkLine {
    /// The line at the start of some bytes: a length in hexadecimal, and what may follow a semicolon.
    fn read(bytes: &[u8]) -> Option<Self> {
        let seen = &bytes[..bytes.len().min(LONGEST_LINE)];
        let end = seen.iter().position(|byte| *byte == b'\n');
        let line = &seen[..end.unwrap_or(seen.len())];
        let whole = line.strip_suffix(b"\r");
        let line = whole.unwrap_or(line);
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (length, more) = line.split_at(digits);
        let length = u64::from_str_radix(str::from_utf8(length).ok()?, 16).ok()?;
        let more = more.trim_ascii_start();
        if !more.is_empty() && !more.starts_with(b";") {
            return None;
        }
        let name = b"chunk-signature=";
        let signed = more.windows(name.len()).any(|part| part.eq_ignore_ascii_case(name));
        // A line end of another kind is none between chunks.
        let bytes = end.filter(|_| whole.is_some()).map(|end| end + 1);
        if end.is_some() && bytes.is_none() && !signed {
            return None;
        }
        Some(Self { length, signed, bytes, padded: line.starts_with(b"0") })
    }
}

/// Whether an object is in chunks of `aws-chunked`, of which the head was seen. Signed ones say so. A
/// number alone may begin any text, and so may one before a semicolon: then the chunks have to lead
/// from one to the next, as far as was seen, and to the end of the object.
fn is_chunked(head: &[u8], size: Option<u64>) -> bool {
    let mut at = 0;
    loop {
        let more = size.is_some_and(|size| size > head.len() as u64);
        let Some(line) = ChunkLine::read(&head[at..]) else {
            return at > 0 && at == head.len() && more;
        };
        if line.signed {
            return true;
        }
        let Some(size) = size else { return false };
        let Some(bytes) = line.bytes else {
            // As far as was seen, the chunks before lead to it.
            return at > 0 && at + LONGEST_LINE > head.len() && more;
        };
        let begins = (at + bytes) as u64;
        if line.length == 0 {
            return at > 0 && size - begins.min(size) < TRAILERS;
        }
        let after = begins.saturating_add(line.length);
        let Some(rest) = size.checked_sub(after) else { return false };
        let next = usize::try_from(after).ok().and_then(|after| head.get(after..after + 2));
        match next {
            Some(b"\r\n") => at = after as usize + 2,
            Some(_) => return false,
            // Chunks but for the last are long, and behind the last the end of all follows.
            None if line.length < LEAST => {
                return (LAST.len() as u64..TRAILERS).contains(&rest);
            }
            None => return rest >= LAST.len() as u64 && (at > 0 || !line.padded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_bytes_tell_or_that_stand_for_nothing_are_read() {
        for named in [
            "",
            "identity",
            "gzip",
            "GZIP, identity",
            "utf-8",
            "UTF8",
            "iso-8859-1",
            "ISO8859_15",
            "Latin1",
            "us-ascii",
            "utf-16le",
            "windows-1252",
            "none",
        ] {
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
            ("utf-7", "utf-7"),
            ("UTF-7-IMAP", "UTF-7-IMAP"),
            ("utf-8, ascii85", "ascii85"),
            ("ascii-armor", "ascii-armor"),
            ("latin-9x", "latin-9x"),
            ("utf-8-base64", "utf-8-base64"),
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
        for chunks in [
            "4;name=x\r\nabcd\r\n0;name=x\r\n\r\n",
            "4 \r\nabcd\r\n5\r\nabcde\r\n0\r\nx-amz-checksum-crc32c:4waSgw==\r\n\r\n",
            "00000004\r\nabcd\r\n00\r\n\r\n",
            "4 ; CHUNK-SIGNATURE=ab\r\nabcd",
            "4;name=x;chunk-signature=ab\nabcd\n",
        ] {
            assert!(of(chunks.as_bytes()), "{}", chunks.escape_debug());
        }
        let many = "2000\r\n".to_owned() + &"x".repeat(0x2000) + "\r\n";
        let many = many.repeat(3);
        for seen in [0x2000, 0x2007, 0x2008, 0x2009, 0x200c, 0x200e, 0x2800, 0x4010, many.len()] {
            let of_size =
                |size| Coding::undecoded("aws-chunked", &many.as_bytes()[..seen], Some(size));
            assert!(of_size(many.len() as u64 + 5).is_some(), "{seen}");
        }
        for text in [
            &b"a line\n"[..],
            b"4;name=x\r\nabcdefghij\r\n",
            b"2\r\nab\r\nmore\r\n",
            b"5;b\r\n6;c\r\n7;d\r\n",
            b"4\nabcd\n0\n\n",
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
