//! Whatever a server sends: the answer is right, or an error.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::matrix::objects;
use crate::run::creel;
use crate::server::{Asks, Cut, Kind, Length, Rule, Server};

/// One change to an answer.
#[derive(Debug, Clone)]
enum Change {
    Status(u16),
    Header(&'static str, String),
    NoHeader(&'static str),
    Length(Length),
    Cut(Cut),
    /// In hundredths.
    Truncate(usize),
    Append(Vec<u8>),
    Before(Vec<u8>),
}

const NAMES: [&str; 12] = [
    "Content-Range",
    "ETag",
    "Last-Modified",
    "Retry-After",
    "Content-Type",
    "Transfer-Encoding",
    "Connection",
    "Location",
    "x-goog-hash",
    "x-amz-checksum-crc32c",
    "Content-MD5",
    "X-Odd",
];

fn change() -> impl Strategy<Value = Change> {
    let name = || prop::sample::select(NAMES.to_vec());
    let value = prop_oneof![
        prop::sample::select(vec![
            "bytes 0-7/9",
            "bytes 1-7/8",
            "bytes 0-6/8",
            "bytes */8",
            "bytes 0-7/*",
            "0",
            "1",
            "chunked",
            "close",
            "W/\"x\"",
            "\"tag-of-b.txt\"",
            "Thu, 01 Jan 2026 00:00:00 GMT",
            "crc32c=AAAAAA==",
            "AAAAAA==",
            "/bucket/b.txt",
            "multipart/byteranges",
        ])
        .prop_map(str::to_owned),
        "[ -~\u{80}-\u{ff}]{0,20}",
    ];
    let length = prop_oneof![
        (100..2000_usize).prop_map(Length::Chunked),
        (100..2000_usize).prop_map(Length::Endless),
        Just(Length::Close),
        "[0-9x -]{0,4}".prop_map(|said| Length::Said(vec![format!("Content-Length: {said}")])),
        Just(Length::Said(vec!["Transfer-Encoding: chunked".to_owned()])),
    ];
    prop_oneof![
        (100..1000_u16)
            .prop_filter("of what is whole nobody can tell", |status| *status != 200)
            .prop_map(Change::Status),
        (name(), value).prop_map(|(name, value)| Change::Header(name, value)),
        name().prop_map(Change::NoHeader),
        length.prop_map(Change::Length),
        prop_oneof![Just(Cut::Head), (0..100_usize).prop_map(Cut::Body)].prop_map(Change::Cut),
        (0..100_usize).prop_map(Change::Truncate),
        prop::collection::vec(any::<u8>(), 1..20).prop_map(Change::Append),
        prop::collection::vec(any::<u8>(), 1..20).prop_map(Change::Before),
    ]
}

#[test]
fn whatever_a_server_sends_the_answer_is_right_or_an_error() {
    let objects = objects();
    let config = Config { cases: 40, failure_persistence: None, ..Config::default() };
    let kinds = prop::sample::select(vec![Kind::S3, Kind::Gcs, Kind::Azure, Kind::Http]);
    let cases = (kinds, prop::collection::vec(change(), 1..4), 1..4_usize);
    let run = |(kind, changes, times): (Kind, Vec<Change>, usize)| {
        let told = Arc::new(Mutex::new(changes.clone()));
        let fault = move |_: &_, reply: &mut crate::server::Reply| {
            for change in told.lock().expect("no panic here").iter() {
                match change.clone() {
                    Change::Status(status) => reply.status = format!("{status} Odd"),
                    Change::Header(name, value) => reply.headers.push((name.to_owned(), value)),
                    Change::NoHeader(name) => reply.set(name, &[]),
                    Change::Length(length) => reply.length = length,
                    Change::Cut(cut) => reply.cut = Some(cut),
                    Change::Truncate(part) => reply.body.truncate(reply.body.len() * part / 100),
                    Change::Append(bytes) => reply.body.extend(bytes),
                    Change::Before(bytes) => reply.before = bytes,
                }
            }
        };
        let rule = Rule { asks: Asks::Object, skip: 0, times, fault: Arc::new(fault) };
        let server = Server::start(kind, &objects, Some(rule));
        let (_, base) = server.environment();
        let ran = creel(&server, &["-t", "text", ".", &format!("{base}a.txt")]);
        let right = &objects[0].1;
        prop_assert!(!ran.err.contains("panicked") && !ran.err.contains("internal fault"));
        match ran.code {
            Some(0) => prop_assert!(ran.out == *right, "another answer: {}", ran.out.len()),
            Some(3) => prop_assert!(right.starts_with(&ran.out), "other bytes: {}", ran.err),
            code => prop_assert!(false, "{code:?}: {}", ran.err),
        }
        Ok(())
    };
    TestRunner::new(config).run(&cases, run).expect("right, or an error");
}
