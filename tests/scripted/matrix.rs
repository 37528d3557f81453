//! Every fault of a list, in each store, in listings and in reads, once and always.

use crate::Case;
use std::sync::Mutex;

use crate::scripted::{Answer, Protocol, Request};

/// What a server does to an answer.
type Fault = fn(&Request, Answer) -> Answer;

/// Faults of any answer.
const ANY: &[(&str, Fault)] = &[
    ("status 500", |_, _| {
        Answer::new("500 Internal Server Error", "<Error><Code>InternalError</Code></Error>")
    }),
    ("status 404", |_, _| Answer::new("404 Not Found", "")),
    ("status 403", |_, _| Answer::new("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>")),
    ("status 400", |_, _| Answer::new("400 Bad Request", "")),
    ("status 204", |_, _| Answer::new("204 No Content", "")),
    ("status 304", |_, _| Answer::new("304 Not Modified", "")),
    ("status 302 to nowhere", |_, _| Answer::new("302 Found", "")),
    ("status 600", |_, _| Answer::new("600 What", "")),
    ("no status", |_, answer| Answer { status: String::new(), ..answer }),
    ("empty 200", |_, _| Answer::new("200 OK", "")),
    ("HTML page", |_, _| {
        Answer::new("200 OK", "<html><body>Sign in to this network</body></html>")
    }),
    ("XML error with 200", |_, _| {
        Answer::new("200 OK", "<Error><Code>InternalError</Code></Error>\n")
    }),
    ("cut in the head", |_, answer| Answer { sent: Some(20), ..answer }),
    ("no answer", |_, answer| Answer { sent: Some(0), ..answer }),
    ("cut in the body", |_, answer| {
        let head = answer.length_of_head();
        Answer { sent: Some(head + answer.body.len() / 2), ..answer }
    }),
    ("cut before the last byte", |_, answer| {
        let head = answer.length_of_head();
        Answer { sent: Some((head + answer.body.len()).saturating_sub(1)), ..answer }
    }),
    ("length one too long", |_, answer| Answer {
        length: Some(answer.body.len() as u64 + 1),
        ..answer
    }),
    ("length one too short", |_, answer| Answer {
        length: Some((answer.body.len() as u64).saturating_sub(1)),
        ..answer
    }),
    ("length 0", |_, answer| Answer { length: Some(0), ..answer }),
    ("length beyond all", |_, answer| Answer { length: Some(u64::MAX), ..answer }),
    ("half of the body, and so its length", |_, mut answer| {
        answer.body.truncate(answer.body.len() / 2);
        answer
    }),
    ("no body", |_, mut answer| {
        answer.body.clear();
        answer
    }),
    ("more than the body", |_, mut answer| {
        answer.body.extend(b"line 000000 of something else\n");
        answer
    }),
    ("chunks", |_, answer| Answer { chunked: true, ..answer }),
    ("chunks, cut", |_, answer| Answer {
        chunked: true,
        sent: Some(200 + answer.body.len() / 2),
        ..answer
    }),
    ("chunks of half", |_, mut answer| {
        answer.body.truncate(answer.body.len() / 2);
        Answer { chunked: true, ..answer }
    }),
    ("said to be gzip", |_, answer| answer.set("Content-Encoding", "gzip")),
    ("control characters in a header", |_, answer| answer.set("X-Note", "a\x1b]0;title\x07b")),
];

/// Faults of reads.
const READS: &[(&str, Fault)] = &[
    ("range of another place", |_, answer| {
        with_range(answer, |from, to, total| (from + 1, to + 1, total))
    }),
    ("range of the beginning", |_, answer| {
        with_range(answer, |from, to, total| (0, to - from, total))
    }),
    ("range longer than the body", |_, answer| {
        with_range(answer, |from, to, total| (from, to + 100, total))
    }),
    ("range shorter than the body", |_, answer| {
        with_range(answer, |from, to, total| (from, to.saturating_sub(1).max(from), total))
    }),
    ("another size", |_, answer| with_range(answer, |from, to, total| (from, to, total + 7))),
    ("size of what is sent", |_, answer| with_range(answer, |from, to, _| (from, to, to + 1))),
    ("no range told", |_, answer| answer.set("Content-Range", "")),
    ("a range that is none", |_, answer| answer.set("Content-Range", "bytes what/ever")),
    ("a range upside down", |_, answer| answer.set("Content-Range", "bytes 9-3/2")),
    ("416 for what is there", |_, _| {
        Answer::new("416 Range Not Satisfiable", "").set("Content-Range", "bytes */10")
    }),
    ("200 for a part", |_, answer| {
        Answer { status: "200 OK".to_owned(), ..answer }.set("Content-Range", "")
    }),
    ("206 for everything", |request, answer| match request.range {
        None => Answer { status: "206 Partial Content".to_owned(), ..answer },
        Some(_) => answer,
    }),
    ("another version", |_, answer| answer.set("ETag", "\"another\"")),
    ("no version", |_, answer| answer.set("ETag", "").set("Last-Modified", "")),
    ("several parts", |_, answer| answer.set("Content-Type", "multipart/byteranges; boundary=x")),
    ("XML error with 206", |_, mut answer| {
        answer.body = b"<Error><Code>InternalError</Code></Error>\n".to_vec();
        answer
    }),
];

/// Faults of listings.
const LISTINGS: &[(&str, Fault)] = &[
    ("page of another kind", |_, _| {
        Answer::new(
            "200 OK",
            "<?xml version=\"1.0\"?><ListAllMyBucketsResult></ListAllMyBucketsResult>",
        )
    }),
    ("XML that breaks off", |_, mut answer| {
        answer.body.truncate(answer.body.len() * 2 / 3);
        answer
    }),
    ("not UTF-8", |_, mut answer| {
        answer.body.extend(b"<!-- \xff -->");
        answer
    }),
    ("two documents", |_, mut answer| {
        answer.body = answer.body.repeat(2);
        answer
    }),
    ("more to come, and no word how", |_, answer| {
        replace(answer, &[("<IsTruncated>false", "<IsTruncated>true")])
    }),
    ("no size", |_, answer| {
        replace(answer, &[("<Size>", "<S>"), ("</Size>", "</S>"), ("Content-Length>", "L>")])
    }),
    ("a size that is none", |_, answer| {
        replace(answer, &[("<Size>", "<Size>x"), ("<Content-Length>", "<Content-Length>x")])
    }),
    ("a size too small", |_, answer| {
        let size = crate::object("logs/a", 3000).len();
        replace(answer, &[(&format!(">{size}<"), &format!(">{}<", size - 30))])
    }),
    ("a size too large", |_, answer| {
        let size = crate::object("logs/a", 3000).len();
        replace(answer, &[(&format!(">{size}<"), &format!(">{}<", size + 30))])
    }),
    ("no key", |_, answer| replace(answer, &[("Key>", "K>"), ("Name>", "N>")])),
    ("the first page again", |_, answer| replace(answer, &[("logs/c", "logs/a")])),
    ("escapes in a key", |_, answer| replace(answer, &[("logs/b<", "logs/&#27;]0;x&#7;<")])),
];

fn replace(mut answer: Answer, pairs: &[(&str, &str)]) -> Answer {
    let mut body = String::from_utf8(answer.body).expect("a listing");
    for (from, to) in pairs {
        body = body.replace(from, to);
    }
    answer.body = body.into_bytes();
    answer
}

/// Changes what an answer says of its range: first byte, last byte, size.
fn with_range(answer: Answer, change: fn(u64, u64, u64) -> (u64, u64, u64)) -> Answer {
    let told = answer.headers.iter().find(|(name, _)| name == "Content-Range");
    let numbers: Vec<u64> = told.map_or_else(Vec::new, |(_, told)| {
        told.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect()
    });
    match numbers[..] {
        [from, to, total] => {
            let (from, to, total) = change(from, to, total);
            answer.set("Content-Range", &format!("bytes {from}-{to}/{total}"))
        }
        _ => answer,
    }
}

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum When {
    First,
    Second,
    Always,
}

/// What a server of plain HTTP may mean: the first answer is all that is known of an object there.
const MAY_BE_THE_OBJECT: [&str; 4] =
    ["empty 200", "HTML page", "XML error with 200", "200 for a part"];

/// Cases at a time: they wait most of the time, for the next try.
const AT_A_TIME: usize = 12;

fn check(protocol: Protocol, listings: bool, faults: &[&[(&'static str, Fault)]]) {
    let case = Case::new(protocol);
    let faults = faults.iter().copied().flatten().copied();
    let all = faults.flat_map(|(name, fault)| {
        [When::First, When::Second, When::Always].map(|when| (name, fault, when))
    });
    let unclear =
        |name, when| !protocol.lists() && when != When::Second && MAY_BE_THE_OBJECT.contains(&name);
    let queue = Mutex::new(all.filter(|&(name, _, when)| !unclear(name, when)));
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let Some((name, fault, when)) = queue.lock().expect("no panic").next() else {
                        return;
                    };
                    let server = case.serve(move |request, answer| {
                        let strikes = match when {
                            When::First => request.number == 0,
                            When::Second => request.number == 1,
                            When::Always => true,
                        };
                        let strikes = strikes && request.is_listing == listings;
                        if strikes { fault(request, answer) } else { answer }
                    });
                    let ran = case.read(&server);
                    if let Err(what) = case.check(&ran) {
                        let what = format!("{protocol:?}, {name}, {when:?}: {what}");
                        wrong.lock().expect("no panic").push(what);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

macro_rules! matrix {
    ($($name:ident: $protocol:ident $listings:literal $($faults:ident)+;)+) => {
        $(#[test]
        fn $name() {
            check(Protocol::$protocol, $listings, &[$($faults),+]);
        })+
    };
}

matrix! {
    reads_of_s3_are_right_or_errors: S3 false ANY READS;
    reads_of_gcs_are_right_or_errors: Gcs false ANY READS;
    reads_of_azure_are_right_or_errors: Azure false ANY READS;
    reads_of_plain_http_are_right_or_errors: Http false ANY READS;
    listings_of_s3_are_right_or_errors: S3 true ANY LISTINGS;
    listings_of_gcs_are_right_or_errors: Gcs true ANY LISTINGS;
    listings_of_azure_are_right_or_errors: Azure true ANY LISTINGS;
}
