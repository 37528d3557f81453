//! Whether an answer is one to its request: what its status and headers must say, and how long
//! its body must be, before a byte of it is used.
//!
//! Whoever sends a GET for an object puts an [`Asked`] into the request's extensions; the client
//! under the stores then measures the answer with [`Asked::measure`]. What does not agree is a
//! [`Trouble::Disagrees`]: the request is sent again, and at last the error names what disagreed.

use std::ops::Range;
use std::time::{Duration, Instant, SystemTime};

use reqwest::header::{
    CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, LAST_MODIFIED,
    RETRY_AFTER, TRANSFER_ENCODING,
};

use super::pattern::Kind;
use super::said::is_error_of;
use super::trouble::Trouble;
use crate::error::snippet;

/// No wait that a server asks for counts as longer.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

/// What is asked for of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// Bytes of it; `None`: all.
    pub(super) range: Option<Range<u64>>,
    /// The kind of the store that is asked.
    pub(super) kind: Kind,
    /// It was there before: a listing named it, or an answer had it.
    pub(super) seen: bool,
    /// When it was listed.
    pub(super) listed: Instant,
}

/// What an answer told that agrees; in its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    /// It told the length of its body, and the connection keeps to it.
    pub(super) sized: bool,
    /// It has all of the object.
    pub(super) whole: bool,
}

impl Asked {
    /// Looks at status and headers; an error says why the body is not what was asked for.
    pub(super) fn measure(&self, status: u16, headers: &HeaderMap) -> Result<(), Trouble> {
        match (status, &self.range) {
            (400.., _) if status != 416 => return Ok(()),
            (200, Some(_)) => return Err(Trouble::RangesIgnored),
            (206, Some(_)) | (200, None) => {}
            (416, Some(_)) => return Err(Trouble::PastEnd { size: past_end(headers) }),
            // Without a place to go to: the store has its own words for that.
            (300..400, _) if status != 304 => return Ok(()),
            _ => {
                let asked = if self.range.is_some() { "a range" } else { "an object" };
                return Err(disagrees(format!("it has the status {status}, to a GET of {asked}")));
            }
        }
        // The client undoes chunks, and takes all else as it comes.
        let coded = headers.get_all(TRANSFER_ENCODING).iter();
        if let Some(coded) = coded.map(|value| value.as_bytes()).find(|coding| !is_known(coding)) {
            let coded = snippet(coded);
            return Err(disagrees(format!("it has the Transfer-Encoding {coded:?}, unasked")));
        }
        for name in [CONTENT_LENGTH, CONTENT_RANGE, ETAG, LAST_MODIFIED] {
            one(headers, &name)?;
        }
        // Stores name the version of every object: what names none is not of the store.
        if self.kind != Kind::Http && !headers.contains_key(ETAG) {
            return Err(disagrees("it has no ETag, as objects of a store do".to_owned()));
        }
        let length = number(headers, &CONTENT_LENGTH)?;
        let told = headers.get(CONTENT_RANGE).map(|value| value.as_bytes());
        let Some(range) = &self.range else {
            return match told {
                None => Ok(()),
                Some(told) => Err(disagrees(format!(
                    "it has a Content-Range ({}), to a GET of all",
                    snippet(told)
                ))),
            };
        };
        let told = told.ok_or_else(|| disagrees("it has no Content-Range".to_owned()))?;
        let kind = headers.get(CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
        if kind.to_ascii_lowercase().starts_with(b"multipart/byteranges") {
            return Err(disagrees("it has several parts, to a GET of one range".to_owned()));
        }
        let wrong = |why: &str| {
            let (told, last) = (snippet(told), range.end - 1);
            Err(disagrees(format!(
                "its Content-Range is {told:?}, {why}, to a GET of bytes {}-{last}",
                range.start
            )))
        };
        let Some((first, last, size)) = content_range(told) else { return wrong("which is none") };
        if first != range.start || last != (range.end - 1).min(size.saturating_sub(1)) {
            return wrong("other bytes than were asked for");
        }
        match length {
            Some(length) if length != last + 1 - first => {
                wrong(&format!("and its Content-Length {length}"))
            }
            _ => Ok(()),
        }
    }
}

impl Asked {
    /// Returns true if this body is the store's own answer that the object is not there.
    pub(super) fn is_denied_by(&self, body: &[u8]) -> bool {
        // The emulator of Google's store says no more of a name that it does not know.
        let emulator = !self.seen && self.kind == Kind::Gcs && body.trim_ascii() == b"Not Found";
        emulator || is_error_of(self.kind, body)
    }

    /// Whether an answer that agrees has all of the object.
    pub(super) fn is_whole(&self, headers: &HeaderMap) -> bool {
        let told = headers.get(CONTENT_RANGE).and_then(|told| content_range(told.as_bytes()));
        match (&self.range, told) {
            (None, _) => true,
            (_, Some((first, last, size))) => first == 0 && last + 1 == size,
            _ => false,
        }
    }
}

/// Whether a transfer coding leaves nothing to undo.
fn is_known(coding: &[u8]) -> bool {
    let coding = coding.trim_ascii();
    [&b"chunked"[..], b"identity", b""].iter().any(|known| coding.eq_ignore_ascii_case(known))
}

/// First byte, last byte and size in a Content-Range.
fn content_range(told: &[u8]) -> Option<(u64, u64, u64)> {
    let told = str::from_utf8(told).ok()?.trim().strip_prefix("bytes ")?;
    let (range, size) = told.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, size) = (digits(first)?, digits(last)?, digits(size)?);
    (first <= last && last < size).then_some((first, last, size))
}

/// The object's size, as an answer of 416 tells it.
fn past_end(headers: &HeaderMap) -> Option<u64> {
    let told = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    digits(told.trim().strip_prefix("bytes */")?)
}

/// Digits alone: `+1` is a number to `parse`, but not to HTTP.
fn digits(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Result<Option<u64>, Trouble> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| digits(text.trim()));
    let said = || disagrees(format!("its {name} is {:?}", snippet(value.as_bytes())));
    number.map(Some).ok_or_else(said)
}

/// A header that says two things says nothing.
fn one(headers: &HeaderMap, name: &HeaderName) -> Result<(), Trouble> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    match values.find(|&value| Some(value) != first) {
        None => Ok(()),
        Some(other) => Err(disagrees(format!(
            "it has the header {name} twice, {:?} and {:?}",
            snippet(first.map_or(b"", |first| first.as_bytes())),
            snippet(other.as_bytes())
        ))),
    }
}

fn disagrees(why: String) -> Trouble {
    Trouble::Disagrees(why)
}

/// How long a server asks to wait, by seconds or by a date.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let told = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !told.is_empty() && told.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number has ask for longer than anybody waits as well.
        let seconds = digits(told).unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(LONGEST_WAIT));
    }
    let until = httpdate::parse_http_date(told).ok()?;
    // A date that is past asks for no wait.
    Some(until.duration_since(SystemTime::now()).unwrap_or_default().min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn asked(kind: Kind, range: Option<Range<u64>>) -> Asked {
        Asked { range, kind, seen: false, listed: Instant::now() }
    }

    fn verdict(range: Option<Range<u64>>, status: u16, lines: &[(&'static str, &str)]) -> String {
        let said = asked(Kind::Http, range).measure(status, &headers(lines));
        said.map_or_else(|trouble| trouble.to_string(), |()| "agrees".to_owned())
    }

    #[test]
    fn an_answer_that_agrees_is_used() {
        let part = [("content-range", "bytes 10-19/100"), ("content-length", "10")];
        assert_eq!(verdict(Some(10..20), 206, &part), "agrees");
        // The object ends before the range does; no length is told; the same is told twice.
        let end = [("content-range", "bytes 10-19/20"), ("content-range", "bytes 10-19/20")];
        assert_eq!(verdict(Some(10..50), 206, &end), "agrees");
        assert_eq!(verdict(None, 200, &[("content-length", "0")]), "agrees");
    }

    #[test]
    fn an_answer_that_does_not_agree_is_named() {
        let parts = ("content-type", "Multipart/byteranges; boundary=x");
        let said = verdict(Some(10..20), 206, &[("content-range", "bytes 10-19/100"), parts]);
        assert!(said.contains("several parts"), "{said}");
        let range = |told| [("content-range", told)];
        for told in [
            "bytes 10-18/100",
            "bytes 9-19/100",
            "bytes 11-20/100",
            "bytes 10-20/100",
            "bytes 10-19/15",
            "bytes 19-10/100",
            "bytes 10-19/*",
            "bytes +10-19/100",
            "10-19/100",
            "",
        ] {
            let said = verdict(Some(10..20), 206, &range(told));
            assert!(said.contains("Content-Range"), "{told}: {said}");
        }
        let short = [("content-range", "bytes 10-19/100"), ("content-length", "9")];
        assert!(verdict(Some(10..20), 206, &short).contains("Content-Length 9"));
        for coding in ["xchunked", "gzip, chunked", "gzip"] {
            let said = verdict(None, 200, &[("transfer-encoding", coding)]);
            assert!(said.contains("Transfer-Encoding") && said.contains(coding), "{said}");
        }
        assert_eq!(verdict(None, 200, &[("transfer-encoding", "Chunked")]), "agrees");
        assert!(verdict(Some(10..20), 206, &[]).contains("no Content-Range"));
        assert!(verdict(None, 206, &range("bytes 0-9/10")).contains("206"));
        assert!(verdict(None, 200, &range("bytes 0-9/10")).contains("GET of all"));
        for status in [201, 202, 203, 204, 205, 304] {
            assert!(verdict(None, status, &[]).contains(&status.to_string()), "{status}");
        }
        for (name, values) in [("etag", ["\"1\"", "\"2\""]), ("content-length", ["10", "11"])] {
            let twice = values.map(|value| (name, value));
            assert!(verdict(None, 200, &twice).contains("twice"), "{name}");
        }
    }

    #[test]
    fn a_wait_is_told_by_seconds_or_by_a_date() {
        let told = |value| retry_after(&headers(&[("retry-after", value)]));
        assert_eq!(told("120"), Some(Duration::from_secs(120)));
        for endless in ["18446744073709551615", "99999999999999999999999", "86401"] {
            assert_eq!(told(endless), Some(LONGEST_WAIT), "{endless}");
        }
        assert_eq!(told("Fri, 31 Dec 9999 23:59:59 GMT"), Some(LONGEST_WAIT));
        assert_eq!(told("Thu, 01 Jan 2015 00:00:00 GMT"), Some(Duration::ZERO));
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(1000));
        assert!(told(&date).is_some_and(|wait| wait > Duration::from_secs(900)));
        assert_eq!(told("soon"), None);
        assert_eq!(told("-1"), None);
    }

    #[test]
    fn answers_without_a_version_are_not_of_a_store() {
        let asked = asked(Kind::S3, None);
        assert!(asked.measure(200, &headers(&[("content-length", "10")])).is_err());
        assert!(asked.measure(200, &headers(&[("etag", "\"1\"")])).is_ok());
    }

    #[test]
    fn only_who_was_asked_says_that_an_object_is_not_there() {
        let error = b"<Error><Code>NoSuchKey</Code></Error>";
        for kind in [Kind::S3, Kind::Gcs, Kind::Azure, Kind::Http] {
            for seen in [true, false] {
                let asked = Asked { seen, ..asked(kind, None) };
                assert!(asked.is_denied_by(error), "{kind:?}");
                let web = kind == Kind::Http;
                assert_eq!(asked.is_denied_by(b"<html>Not Found</html>"), web, "{kind:?}");
                let emulated = kind == Kind::Gcs && !seen;
                assert_eq!(asked.is_denied_by(b"Not Found\n"), web || emulated, "{kind:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_part_is_used_only_if_it_is_the_one_that_was_asked_for(
            start in 0..50_u64, length in 1..50_u64,
            first in 0..100_u64, last in 0..100_u64, size in 0..150_u64, told in 0..100_u64,
        ) {
            let value = format!("bytes {first}-{last}/{size}");
            let said = told.to_string();
            let lines = [("content-range", value.as_str()), ("content-length", said.as_str())];
            let agrees = verdict(Some(start..start + length), 206, &lines) == "agrees";
            let end = (start + length).min(size);
            prop_assert_eq!(agrees, start == first && last + 1 == end && told == end - start);
        }
    }
}
