//! Whatever status, headers, lengths and bytes a server sends, the answer is right or an error.
//!
//! Left out is what nobody could know to be a lie: other bytes of the same number under the same
//! version, the first answer of a plain HTTP server, which is all that is known of an object, and an
//! object that each answer says is empty.

use std::sync::Arc;

use proptest::prelude::*;

use crate::run::creel;
use crate::server::{Asks, Cut, Kind, Length, Objects, Reply, Rule, Server};

#[derive(Debug, Clone)]
enum Body {
    Honest,
    /// So many hundredths of it.
    Part(usize),
    More(Vec<u8>),
    /// Fewer bytes than any part of an object has.
    Other(Vec<u8>),
}

/// What is sent instead of an honest answer.
#[derive(Debug, Clone)]
struct Lie {
    to_pages: bool,
    skip: usize,
    times: usize,
    status: Option<&'static str>,
    body: Body,
    headers: Vec<(&'static str, String)>,
    length: Option<Length>,
    cut: Option<Cut>,
}

impl Lie {
    fn tell(&self, reply: &mut Reply) {
        match &self.body {
            Body::Honest => {}
            Body::Part(part) => reply.body.truncate(reply.body.len() * part / 100),
            Body::More(bytes) => reply.body.extend(bytes),
            Body::Other(bytes) => reply.body.clone_from(bytes),
        }
        if let Some(status) = self.status {
            status.clone_into(&mut reply.status);
        }
        for (name, value) in &self.headers {
            let values: &[&str] = if value.is_empty() { &[] } else { &[value] };
            reply.set(name, values);
        }
        if let Some(length) = &self.length {
            reply.length = length.clone();
        }
        reply.cut = self.cut;
    }
}

const LINES: usize = 3000;

/// Lines that tell where they stand: a part that is lost, doubled or of another place shows.
fn objects() -> Objects {
    let object =
        |name: &str| (0..LINES).map(|n| format!("line {n:06} of {name}\n")).collect::<String>();
    Arc::new(["a.txt", "b.txt", "c.txt"].map(|name| (name, object(name).into_bytes())).to_vec())
}

fn number() -> impl Strategy<Value = u64> {
    let length = (LINES * "line 000000 of a.txt\n".len()) as u64;
    let near = [0, 1, 16_383, 16_384, length - 1, length, length + 1, u64::MAX];
    prop_oneof![prop::sample::select(near.to_vec()), 0..2 * length]
}

fn header() -> impl Strategy<Value = (&'static str, String)> {
    let fixed = |pairs: &[(&'static str, &str)]| {
        let pairs = pairs.iter().map(|(name, value)| (*name, (*value).to_owned()));
        prop::sample::select(pairs.collect::<Vec<_>>())
    };
    let anything =
        prop::sample::select(vec!["Content-Range", "ETag", "Retry-After", "Content-Type"]);
    prop_oneof![
        (number(), number(), number())
            .prop_map(|(from, to, all)| ("Content-Range", format!("bytes {from}-{to}/{all}"))),
        (anything, "[ -~]{0,20}"),
        fixed(&[
            ("Content-Range", ""),
            ("ETag", ""),
            ("ETag", "\"another\""),
            ("ETag", "W/\"weak\""),
            ("Last-Modified", ""),
            ("Last-Modified", "Fri, 02 Jan 2026 00:00:00 GMT"),
            ("Content-Encoding", "gzip"),
            ("Content-Encoding", "br"),
            ("Content-Encoding", "identity"),
            ("Content-Type", "multipart/byteranges; boundary=x"),
            ("Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA=="),
            ("x-amz-checksum-crc32c", "AAAAAA=="),
            ("x-goog-hash", "crc32c=AAAAAA=="),
            ("Connection", "close"),
            ("Location", "/elsewhere"),
            ("Location", "http://127.0.0.1:9/elsewhere"),
            ("Retry-After", "0"),
        ]),
    ]
}

fn status() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "200 OK",
        "206 Partial Content",
        "204 No Content",
        "205 Reset Content",
        "301 Moved Permanently",
        "304 Not Modified",
        "307 Temporary Redirect",
        "400 Bad Request",
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "409 Conflict",
        "412 Precondition Failed",
        "416 Range Not Satisfiable",
        "429 Too Many Requests",
        "500 Internal Server Error",
        "503 Slow Down",
        "999 Never Heard",
        "20 OK",
        "",
    ])
}

fn body() -> impl Strategy<Value = Body> {
    let text = prop::sample::select(vec![
        "",
        "\n",
        "<html></html>",
        "<Error><Code>SlowDown</Code></Error>",
        "<ListBucketResult>",
        "--x\r\nContent-Range: bytes 0-5/6\r\n\r\nline 0\r\n--x--",
    ]);
    prop_oneof![
        4 => Just(Body::Honest),
        2 => (0..100_usize).prop_map(Body::Part),
        1 => prop::collection::vec(any::<u8>(), 1..100).prop_map(Body::More),
        1 => prop::collection::vec(any::<u8>(), 0..200).prop_map(Body::Other),
        1 => text.prop_map(|text| Body::Other(text.into())),
    ]
}

fn length() -> impl Strategy<Value = Length> {
    prop_oneof![
        number().prop_map(|n| Length::Said(vec![format!("Content-Length: {n}")])),
        (number(), number()).prop_map(|pair| {
            let line = |n| format!("Content-Length: {n}");
            Length::Said(vec![line(pair.0), line(pair.1)])
        }),
        (100..5000_usize).prop_map(Length::Chunked),
        (100..5000_usize).prop_map(Length::Endless),
        Just(Length::Close),
    ]
}

fn lie() -> impl Strategy<Value = Lie> {
    let cut = prop_oneof![Just(Cut::Head), (0..100_usize).prop_map(Cut::Body)];
    let times = prop_oneof![3 => 1..3_usize, 1 => Just(usize::MAX)];
    let hit = (any::<bool>(), 0..4_usize, times);
    let options = (prop::option::weighted(0.3, length()), prop::option::weighted(0.2, cut));
    let headers = prop::collection::vec(header(), 0..3);
    (hit, prop::option::weighted(0.5, status()), body(), headers, options).prop_map(
        |((to_pages, skip, times), status, body, headers, (length, cut))| Lie {
            to_pages,
            skip,
            times,
            status,
            body,
            headers,
            length,
            cut,
        },
    )
}

/// Prints all objects, in ranges smaller than each, and looks whether that is right or an error.
fn check(kind: Kind, lie: Lie) -> Result<(), TestCaseError> {
    let told = format!("{lie:?}");
    let objects = objects();
    let lists = kind != Kind::Http;
    let asks = if lists && lie.to_pages { Asks::Page } else { Asks::Object };
    let mut empty = Reply::new("", "x");
    lie.tell(&mut empty);
    prop_assume!(lie.times < usize::MAX || lie.status != Some("200 OK") || !empty.body.is_empty());
    let (skip, times) = (lie.skip + usize::from(!lists), lie.times);
    let change = Arc::new(move |_: &_, reply: &mut Reply| lie.tell(reply));
    let server = Server::start(kind, &objects, Some(Rule { asks, skip, times, fault: change }));
    let (_, base) = server.environment();
    let (source, number) = if lists { ("**", objects.len()) } else { ("a.txt", 1) };
    let source = format!("{base}{source}");
    let ran = creel(&server, &["-t", "text", "-j", "2", "--blocksize", "16k", ".", &source]);
    let right: Vec<_> = objects[..number].iter().flat_map(|(_, bytes)| bytes).copied().collect();

    prop_assert!(!ran.err.contains("internal fault") && !ran.err.contains("panicked"), "{ran:?}");
    let shown = |c: char| !c.is_control() || c == '\n';
    prop_assert!(ran.err.chars().all(shown), "{:?}: {told}", ran.err);
    match ran.code {
        Some(0) => prop_assert!(
            ran.out == right,
            "exit code 0, and {} bytes of {}: {}: {told}",
            ran.out.len(),
            right.len(),
            ran.err
        ),
        Some(3 | 4) => prop_assert!(ran.err.starts_with("creel: "), "{}: {told}", ran.err),
        code => prop_assert!(false, "exit code {code:?}: {}: {told}", ran.err),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 32,
        max_shrink_iters: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_s3_sends_the_answer_is_right_or_an_error(lie in lie()) {
        check(Kind::S3, lie)?;
    }

    #[test]
    fn whatever_gcs_sends_the_answer_is_right_or_an_error(lie in lie()) {
        check(Kind::Gcs, lie)?;
    }

    #[test]
    fn whatever_azure_sends_the_answer_is_right_or_an_error(lie in lie()) {
        check(Kind::Azure, lie)?;
    }

    #[test]
    fn whatever_plain_http_sends_the_answer_is_right_or_an_error(lie in lie()) {
        check(Kind::Http, lie)?;
    }
}
