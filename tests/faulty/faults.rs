//! The faults, by name.

use crate::server::{Cut, Kind, Length, Pace, Reply, Request};

/// One way in which an answer is wrong.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) apply: fn(&Request, &mut Reply),
    /// One of these stands in the message if it is one; empty: it must be mended, however often
    /// it happens.
    pub(crate) says: &'static [&'static str],
    /// Whether an error is right even if it happens once.
    pub(crate) lasts: bool,
    /// Stores of which nobody can tell: what the server gives is consistent in itself.
    pub(crate) but: &'static [Kind],
}

const fn fault(
    name: &'static str,
    apply: fn(&Request, &mut Reply),
    says: &'static [&'static str],
) -> Fault {
    Fault { name, apply, says, lasts: false, but: &[] }
}

const fn lasting(
    name: &'static str,
    apply: fn(&Request, &mut Reply),
    says: &'static [&'static str],
) -> Fault {
    Fault { name, apply, says, lasts: true, but: &[] }
}

const HTML: &str = "<html><head><title>Gateway</title></head><body>Please log in</body></html>";
const JSON: &str = "{\"status\":404,\"error\":\"Not Found\",\"path\":\"/\"}";
const GOOGLES: &str = "{\"error\":{\"code\":404,\"message\":\"Not Found\"}}";
const MISSING: &str = "<Error><Code>NoSuchKey</Code><Message>No such key</Message></Error>";
const ERROR: &str = "<?xml version=\"1.0\"?><Error><Code>InternalError</Code></Error>";
const SLOW_DOWN: &str = "<Error><Code>SlowDown</Code><Message>Please slow down</Message></Error>";
const DENIED: &str = "<Error><Code>AccessDenied</Code><Message>No</Message></Error>";
const UNKNOWN: &str = "<Error><Code>Surprise</Code></Error>";

/// Web servers have no form of their own for errors, so that nobody can tell those of another.
const fn not_of_the_web(fault: Fault) -> Fault {
    Fault { but: &[Kind::Http], ..fault }
}

fn gateway(body: &str) -> Reply {
    Reply::new("404 Not Found", body).header("Server", "a-gateway/1.0")
}

fn said(reply: &mut Reply, lines: &[&str]) {
    reply.length = Length::Said(lines.iter().map(|&line| line.to_owned()).collect());
}

/// Puts something in the place of a text in a page.
fn swap(reply: &mut Reply, text: &str, other: &str) {
    reply.body = String::from_utf8_lossy(&reply.body).replace(text, other).into();
}

/// To a request of any kind.
pub(crate) const ANY: &[Fault] = &[
    fault(
        "500 InternalError",
        |_, r| *r = Reply::new("500 Internal Server Error", ERROR),
        &["500"],
    ),
    fault("500 of bytes that are no text", |_, r| *r = Reply::new("500 X", [0xff; 9]), &["500"]),
    fault(
        "500 without a length that drips",
        |_, r| {
            *r = Reply::new("500 X", HTML.repeat(100));
            r.length = Length::Close;
            r.cut = Some(Cut::Body(50));
        },
        &["500"],
    ),
    fault("502 of a gateway", |_, r| *r = Reply::new("502 Bad Gateway", HTML), &["502"]),
    fault(
        "503 SlowDown with seconds",
        |_, r| {
            *r = Reply::new("503 Slow Down", SLOW_DOWN).header("Retry-After", 1);
        },
        &["fewer requests"],
    ),
    fault(
        "503 with a date that is past",
        |_, r| {
            *r = Reply::new("503 X", "").header("Retry-After", "Thu, 01 Jan 2015 00:00:00 GMT");
        },
        &["fewer requests"],
    ),
    fault("503 SlowDown without a time", |_, r| *r = Reply::new("503 X", SLOW_DOWN), &["503"]),
    fault(
        "503 for nonsense",
        |_, r| {
            *r = Reply::new("503 X", "").header("Retry-After", "later");
        },
        &["503"],
    ),
    fault("429", |_, r| *r = Reply::new("429 Too Many Requests", ""), &["429"]),
    fault("408", |_, r| *r = Reply::new("408 Request Timeout", ""), &["408"]),
    fault("504", |_, r| *r = Reply::new("504 Gateway Timeout", HTML), &["504"]),
    lasting(
        "429 for an hour",
        |_, r| {
            *r = Reply::new("429 X", "").header("Retry-After", 3600);
        },
        &["3600 s"],
    ),
    lasting("404", |_, r| *r = Reply::new("404 Not Found", MISSING), &["not found: "]),
    not_of_the_web(fault("404 of a gateway", |_, r| *r = gateway(HTML), &["before it"])),
    not_of_the_web(fault("404 of a gateway in JSON", |_, r| *r = gateway(JSON), &["before it"])),
    not_of_the_web(fault("404 without a reason", |_, r| *r = gateway(""), &["before it"])),
    Fault {
        but: &[Kind::Http, Kind::Gcs],
        ..fault("404 of another store", |_, r| *r = gateway(GOOGLES), &["before it"])
    },
    Fault {
        but: &[Kind::S3, Kind::Gcs, Kind::Azure],
        ..lasting("404 of a web server", |_, r| *r = gateway(HTML), &["nothing at this address"])
    },
    lasting("403", |_, r| *r = Reply::new("403 Forbidden", ERROR), &["permission denied"]),
    lasting("401", |_, r| *r = Reply::new("401 Unauthorized", ERROR), &["credentials"]),
    lasting("400", |_, r| *r = Reply::new("400 Bad Request", ERROR), &["400"]),
    lasting(
        "400 without end",
        |_, r| {
            *r = Reply::new("400 Bad Request", vec![b'x'; 10 << 20]);
        },
        &["400"],
    ),
    lasting("a redirect to nowhere", |_, r| *r = Reply::new("301 Moved", ""), &["redirect"]),
    lasting(
        "a redirect in circles",
        |q, r| {
            *r = Reply::new("307 X", "").header("Location", format!("{}?{}", q.path, q.query));
        },
        // Ten answers may take longer than a thousandth of the usual patience on a busy machine.
        &["redirect", "no answer in time"],
    ),
    // Its body may be met as the head of the next answer on the connection.
    fault("204", |_, r| r.status = "204 No Content".to_owned(), &["204", "invalid HTTP version"]),
    fault("202", |_, r| r.status = "202 Accepted".to_owned(), &["202"]),
    fault("203", |_, r| r.status = "203 Non-Authoritative".to_owned(), &["203"]),
    fault("205", |_, r| *r = Reply::new("205 Reset Content", ""), &["205"]),
    fault("299", |_, r| r.status = "299 Surprise".to_owned(), &["299"]),
    fault("304", |_, r| *r = Reply::new("304 Not Modified", ""), &["304"]),
    fault("999", |_, r| r.status = "999 Out of range".to_owned(), &["999"]),
    fault(
        "an interim answer before",
        |_, r| {
            r.before = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".to_vec();
        },
        &[],
    ),
    fault("a cut before the head", |_, r| (r.cut, r.before) = (Some(Cut::Head), Vec::new()), CUT),
    fault("a cut before the body", |_, r| r.cut = Some(Cut::Body(0)), CUT),
    fault("a cut in the body", |_, r| r.cut = Some(Cut::Body(60)), CUT),
    fault(
        "a cut at the last byte",
        |_, r| {
            said(r, &[&format!("Content-Length: {}", r.body.len() + 1)]);
            r.cut = Some(Cut::Body(100));
        },
        CUT,
    ),
    fault(
        "a length that is too short",
        |_, r| {
            said(r, &[&format!("Content-Length: {}", r.body.len() / 2)]);
        },
        &["Content-Length", "listing", "ends before", "checksum"],
    ),
    fault(
        "no length, and a cut",
        |_, r| {
            (r.length, r.cut) = (Length::Close, Some(Cut::Body(60)));
        },
        &["ends before", "listing"],
    ),
    fault(
        "two lengths",
        |_, r| {
            let length = r.body.len();
            said(r, &[&format!("Content-Length: {length}"), "Content-Length: 7"]);
        },
        &["length", "HTTP"],
    ),
    fault("a length that is none", |_, r| said(r, &["Content-Length: many"]), &["length", "HTTP"]),
    fault("a negative length", |_, r| said(r, &["Content-Length: -1"]), &["length", "HTTP"]),
    fault(
        "a huge length",
        |_, r| {
            said(r, &["Content-Length: 18446744073709551614"]);
            r.cut = Some(Cut::Body(100));
        },
        &["length", "HTTP", "ends before", "broke", "too large"],
    ),
    fault("chunks", |_, r| r.length = Length::Chunked(1000), &[]),
    fault(
        "chunks of a byte",
        |_, r| {
            r.length = Length::Chunked(if r.body.len() < 1000 { 1 } else { 999 });
        },
        &[],
    ),
    fault("chunks without the last", |_, r| r.length = Length::Endless(1000), CUT),
    fault(
        "chunks that are cut",
        |_, r| {
            (r.length, r.cut) = (Length::Chunked(1000), Some(Cut::Body(70)));
        },
        CUT,
    ),
    fault(
        "chunks that are none",
        |_, r| said(r, &["Transfer-Encoding: chunked"]),
        &["chunk", "HTTP", "broke", "invalid"],
    ),
    fault("no HTTP", |_, r| r.before = b"SSH-2.0-OpenSSH_9.9\r\n".to_vec(), &["HTTP"]),
    fault(
        "a header without a name",
        |_, r| {
            r.status = "200 OK\r\n: nameless\r\nno colon".to_owned();
        },
        &["HTTP"],
    ),
    fault(
        "a thousand headers",
        |_, r| {
            for n in 0..1000 {
                r.headers.push((format!("X-{n}"), n.to_string()));
            }
        },
        &["HTTP", "header", "too large"],
    ),
    fault(
        "a header of a megabyte",
        |_, r| {
            r.headers.push(("X-Long".to_owned(), "x".repeat(1 << 20)));
        },
        &["HTTP", "header", "too large"],
    ),
];

const CUT: &[&str] =
    &["broke", "closed", "reset", "ends before", "end of file", "incomplete", "eof", "agree"];

/// To a request for bytes of an object.
pub(crate) const OBJECT: &[Fault] = &[
    Fault {
        but: &[Kind::Http],
        ..fault("a page of a gateway", |_, r| *r = Reply::new("200 OK", HTML), &["agree", "ETag"])
    },
    Fault {
        but: &[Kind::Http],
        ..fault("an error with 200", |_, r| *r = Reply::new("200 OK", ERROR), &["agree", "ETag"])
    },
    fault(
        "an error without a length under the object's version",
        |_, r| (r.body, r.length) = (ERROR.as_bytes().to_vec(), Length::Chunked(1000)),
        &["agree"],
    ),
    fault(
        "no bytes without a length under the object's version",
        |_, r| (r.body, r.length) = (Vec::new(), Length::Chunked(1000)),
        &["agree"],
    ),
    lasting(
        "a content coding that nobody knows",
        |_, r| r.headers.push(("Content-Encoding".to_owned(), "gzip, x-new".to_owned())),
        &["Content-Encoding"],
    ),
    fault(
        "a transfer coding that nobody knows",
        |_, r| {
            let length = format!("Content-Length: {}", r.body.len());
            said(r, &[&length, "Transfer-Encoding: x-new"]);
        },
        &["Transfer-Encoding", "HTTP"],
    ),
    fault(
        "an error with 206",
        |q, r| {
            if q.range().is_some() {
                r.body = ERROR.into();
            }
        },
        &["Content-Length"],
    ),
    fault(
        "an error with 206, in chunks",
        |q, r| {
            if q.range().is_some() {
                (r.body, r.length) = (ERROR.into(), Length::Chunked(1000));
            }
        },
        &["ends before"],
    ),
    fault(
        "more bytes than the range, in chunks",
        |q, r| {
            if q.range().is_some() {
                r.body.extend_from_slice(b"and more\n");
                r.length = Length::Chunked(1 << 20);
            }
        },
        &["longer"],
    ),
    fault(
        "a range is ignored",
        |q, r| {
            if q.range().is_some() {
                r.status = "200 OK".to_owned();
                r.set("Content-Range", &[]);
            }
        },
        &["range"],
    ),
    fault("a range that begins later", |_, r| shift(r, 1, 0), &["Content-Range"]),
    fault("a range that ends sooner", |_, r| shift(r, 0, -1), &["Content-Range"]),
    fault("a range that ends later", |_, r| shift(r, 0, 1), &["Content-Range"]),
    fault("another range", |_, r| shift(r, 100, 100), &["Content-Range"]),
    fault(
        "no range",
        |q, r| {
            if q.range().is_some() {
                r.set("Content-Range", &[]);
            }
        },
        &["Content-Range"],
    ),
    fault(
        "a range that is none",
        |_, r| r.set("Content-Range", &["bytes all"]),
        &["Content-Range"],
    ),
    fault("a range of lines", |_, r| r.set("Content-Range", &["lines 0-9/10"]), &["Content-Range"]),
    fault(
        "a range of unknown size",
        |q, r| {
            if let Some((from, _)) = q.range() {
                let told = format!("bytes {from}-{}/*", from + r.body.len() - 1);
                r.set("Content-Range", &[&told]);
            }
        },
        &["Content-Range"],
    ),
    fault(
        "two ranges",
        |q, r| {
            if let Some((from, _)) = q.range() {
                let right = r.headers.iter().find(|(name, _)| name == "Content-Range").cloned();
                let other = format!("bytes {from}-{from}/100");
                r.set("Content-Range", &[&right.map_or(String::new(), |(_, told)| told), &other]);
            }
        },
        &["Content-Range"],
    ),
    fault(
        "parts of many kinds",
        |q, r| {
            if q.range().is_some() {
                r.set("Content-Range", &[]);
                r.set("Content-Type", &["multipart/byteranges; boundary=x"]);
            }
        },
        &["Content-Range"],
    ),
    lasting(
        "a larger size",
        |q, r| {
            if let Some((from, _)) = q.range() {
                let told = format!("bytes {from}-{}/999999", from + r.body.len() - 1);
                r.set("Content-Range", &[&told]);
            }
        },
        &["bytes", "Content-Range", "changed while"],
    ),
    lasting("another version", |_, r| r.set("ETag", &["\"other\""]), &["changed", "agree"]),
    Fault {
        // Of two answers nobody can tell which is right.
        lasts: true,
        ..fault(
            "no version",
            |_, r| {
                r.set("ETag", &[]);
                r.set("Last-Modified", &[]);
            },
            &["ETag", "Last-Modified"],
        )
    },
    fault("two versions", |_, r| r.set("ETag", &["\"tag-of-a.txt\"", "\"other\""]), &["etag"]),
    fault("a date that is none", |_, r| r.set("Last-Modified", &["yesterday"]), &["last modified"]),
    lasting("412", |_, r| *r = Reply::new("412 Precondition Failed", ""), &["changed"]),
    lasting("416", |_, r| *r = Reply::new("416 Range Not Satisfiable", ""), &["changed", "416"]),
    lasting(
        "416 of an object that is long enough",
        |_, r| {
            *r = Reply::new("416 X", "").header("Content-Range", "bytes */520000");
        },
        &["changed", "416"],
    ),
    fault("a drip", |_, r| r.pace = Pace::Drip, &["less than"]),
    fault("silence in the body", |_, r| r.pace = Pace::Stall, &["less than"]),
    fault("silence before the head", |_, r| r.pace = Pace::Silent, &["no answer"]),
];

/// Moves the range that an answer names.
fn shift(reply: &mut Reply, first: i64, last: i64) {
    let told = reply.headers.iter().find(|(name, _)| name == "Content-Range");
    let Some((_, told)) = told else { return };
    let parts: Vec<_> = told.split([' ', '-', '/']).collect();
    if let [_, from, to, size] = parts[..] {
        let (from, to): (i64, i64) = (from.parse().unwrap(), to.parse().unwrap());
        let told = format!("bytes {}-{}/{size}", from + first, to + last);
        reply.set("Content-Range", &[&told]);
    }
}

/// Changes the sizes that a page tells.
fn sizes(reply: &mut Reply, change: fn(u64) -> u64) {
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    let mut parts = text.split_inclusive('>');
    let mut changed = parts.next().unwrap_or_default().to_owned();
    let mut before = changed.clone();
    for part in parts {
        let is_size = before.ends_with("<Size>") || before.ends_with("<Content-Length>");
        match part.split_once('<').filter(|_| is_size) {
            Some((size, rest)) => {
                changed.push_str(&format!("{}<{rest}", change(size.parse().unwrap())));
            }
            None => changed.push_str(part),
        }
        before = part.to_owned();
    }
    reply.body = changed.into();
}

/// To a request for a page of a listing.
pub(crate) const PAGE: &[Fault] = &[
    fault("a page of a gateway", |_, r| *r = Reply::new("200 OK", HTML), PAGES),
    fault("an error with 200", |_, r| *r = Reply::new("200 OK", ERROR), &["InternalError"]),
    fault("SlowDown with 200", |_, r| *r = Reply::new("200 OK", SLOW_DOWN), &["SlowDown"]),
    lasting("AccessDenied with 200", |_, r| *r = Reply::new("200 OK", DENIED), &["AccessDenied"]),
    fault("an unknown error with 200", |_, r| *r = Reply::new("200 OK", UNKNOWN), &["Surprise"]),
    fault(
        "objects in an element that nobody knows",
        |_, r| {
            swap(r, "<Contents>", "<Page><Contents>");
            swap(r, "</Contents>", "</Contents></Page>");
            swap(r, "<Blob>", "<Page><Blob>");
            swap(r, "</Blob>", "</Blob></Page>");
        },
        &["Page/"],
    ),
    fault(
        "objects in another case",
        |_, r| {
            swap(r, "Contents>", "contents>");
            swap(r, "Blob>", "blob>");
        },
        &["/contents", "/blob"],
    ),
    fault(
        "a page in another encoding",
        |_, r| {
            swap(r, "encoding=\"UTF-8\"", "encoding=\"UTF-16\"");
            swap(r, "encoding=\"utf-8\"", "encoding=\"UTF-16\"");
        },
        &["UTF-16"],
    ),
    fault("206", |_, r| r.status = "206 Partial Content".to_owned(), &["206"]),
    fault("nothing", |_, r| *r = Reply::new("200 OK", ""), PAGES),
    fault("JSON", |_, r| *r = Reply::new("200 OK", "{\"kind\":\"storage#objects\"}"), PAGES),
    fault("half of the page", |_, r| r.body.truncate(r.body.len() / 2), PAGES),
    fault("all but the last byte", |_, r| r.body.truncate(r.body.len() - 1), PAGES),
    fault("the page twice", |_, r| r.body = r.body.repeat(2), PAGES),
    fault("bytes that are no text", |_, r| r.body[60] = 0xff, PAGES),
    fault(
        "a page of another store",
        |_, r| {
            *r = Reply::new("200 OK", "<Other><Contents></Contents></Other>");
        },
        PAGES,
    ),
    lasting(
        "no sizes",
        |_, r| {
            let text = String::from_utf8_lossy(&r.body).into_owned();
            r.body = text.replace("Size>", "Width>").replace("Content-Length>", "Width>").into();
        },
        &["no size"],
    ),
    lasting(
        "negative sizes",
        |_, r| {
            let text = String::from_utf8_lossy(&r.body).into_owned();
            r.body = text
                .replace("Size>", "Size>-")
                .replace("Content-Length>", "Content-Length>-")
                .into();
        },
        &["no size"],
    ),
    fault("sizes of nothing", |_, r| sizes(r, |_| 0), &[]),
    fault("sizes that are too small", |_, r| sizes(r, |size| size / 3), &[]),
    fault("sizes that are too large", |_, r| sizes(r, |size| size * 3 + 1), &[]),
    fault(
        "more, and not where",
        |_, r| {
            swap(r, "NextContinuationToken>", "Prefix>");
            swap(r, "<IsTruncated>false", "<IsTruncated>true");
        },
        &["not how to ask"],
    ),
    fault(
        "a folder in place of its objects",
        |_, r| {
            swap(r, "</List", "<CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes></List");
            swap(r, "</Blobs>", "<BlobPrefix><Name>d/</Name></BlobPrefix></Blobs>");
        },
        &["folder", "entries"],
    ),
    fault(
        "the page of another token",
        |_, r| {
            swap(r, "</List", "<ContinuationToken>other</ContinuationToken></List");
            swap(r, "<Blobs>", "<Marker>other</Marker><Blobs>");
        },
        &["another page"],
    ),
    fault(
        "a page of another bucket",
        |_, r| {
            swap(r, "<ListBucketResult>", "<ListBucketResult><Name>other</Name>");
            swap(r, "<EnumerationResults>", "<EnumerationResults ContainerName=\"other\">");
        },
        &["another bucket"],
    ),
    fault(
        "no token, where there was one",
        |_, r| {
            swap(r, "</List", "<ContinuationToken></ContinuationToken></List");
        },
        &["another page"],
    ),
    lasting(
        "the same token for ever",
        |_, r| {
            let more = "<IsTruncated>true</IsTruncated><NextContinuationToken>second</NextContinuationToken>";
            swap(r, "<IsTruncated>false</IsTruncated>", more);
            swap(r, "<NextMarker></NextMarker>", "<NextMarker>second</NextMarker>");
        },
        &["circle", "twice"],
    ),
    fault("a drip", |_, r| r.pace = Pace::Drip, &["less than"]),
    fault("silence in the body", |_, r| r.pace = Pace::Stall, &["less than"]),
    fault("silence before the head", |_, r| r.pace = Pace::Silent, &["no answer"]),
];

const PAGES: &[&str] = &["listing", "ListBucketResult", "EnumerationResults"];
