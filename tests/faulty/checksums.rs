//! Bytes that are not those that were stored, in answers that are right in everything else.

use std::sync::Arc;

use crate::faults::ANY;
use crate::matrix::objects;
use crate::run::{Ran, creel};
use crate::server::{Asks, Kind, Objects, Reply, Request, Rule, Server};

/// Reads an object, of which the last byte comes wrong in so many answers.
fn read(kind: Kind, pattern: &str, times: usize) -> Ran {
    let fault = |_: &Request, reply: &mut Reply| {
        if let Some(last) = reply.body.last_mut() {
            *last ^= 1;
        }
    };
    let rule = Rule { asks: Asks::Object, skip: 0, times, fault: Arc::new(fault) };
    let server = Server::start(kind, &objects(), Some(rule));
    let (_, base) = server.environment();
    creel(&server, &["-t", "text", ".", &format!("{base}{pattern}")])
}

#[test]
fn a_listed_object_is_asked_for_with_its_checksum_and_never_given_damaged() {
    for kind in [Kind::S3, Kind::Gcs, Kind::Azure] {
        let ran = read(kind, "b*", 1);
        assert_eq!((ran.code, &*ran.out), (Some(0), &b"one\ntwo\n"[..]), "{kind:?}: {}", ran.err);
        let ran = read(kind, "b*", usize::MAX);
        assert_eq!((ran.code, ran.out.len()), (Some(3), 0), "{kind:?}: {}", ran.err);
        assert!(ran.err.contains("checksum"), "{kind:?}: {}", ran.err);
        // Of more than a block the first bytes are given before all of it was seen.
        let ran = read(kind, "a*", usize::MAX);
        assert_eq!(ran.code, Some(3), "{kind:?}: {}", ran.err);
        assert!(ran.err.contains("checksum"), "{kind:?}: {}", ran.err);
        assert!(objects()[0].1.starts_with(&ran.out), "{kind:?}");
    }
}

/// An object that several readers share: more than three of the smallest partitions.
fn shared() -> Objects {
    let text = (0..600_000).map(|n| format!("line {n:06} of it all\n")).collect::<String>();
    Arc::new(vec![("a.txt", text.into_bytes())])
}

/// Flips a bit of the byte of the object at this offset, in every answer that has it.
fn flips(at: usize) -> Rule {
    let fault = move |request: &Request, reply: &mut Reply| {
        let (from, to) = request.range().unwrap_or((0, usize::MAX));
        if (from..to).contains(&at)
            && let Some(byte) = reply.body.get_mut(at - from)
        {
            *byte ^= 1;
        }
    };
    Rule { asks: Asks::Object, skip: 0, times: usize::MAX, fault: Arc::new(fault) }
}

#[test]
fn an_object_that_comes_in_several_ranges_is_held_to_its_checksum() {
    let objects = objects();
    let text = &objects[0].1;
    for kind in [Kind::S3, Kind::Gcs, Kind::Azure] {
        let read = |rule| {
            let server = Server::start(kind, &objects, rule);
            let (_, base) = server.environment();
            let ran = creel(&server, &["-t", "text", ".", &format!("{base}a.txt")]);
            let heads = server.seen().iter().filter(|seen| seen.asks() == Asks::Head).count();
            (ran, heads)
        };
        let (ran, heads) = read(None);
        assert_eq!((ran.code, &ran.out == text), (Some(0), true), "{kind:?}: {}", ran.err);
        // Only S3 tells none with a part, and is asked once.
        assert_eq!(heads, usize::from(kind == Kind::S3), "{kind:?}");
        for at in [5, 300_000, text.len() - 3] {
            let (ran, _) = read(Some(flips(at)));
            assert_eq!(ran.code, Some(3), "{kind:?}, byte {at}: {}", ran.err);
            assert!(ran.err.contains("checksum"), "{kind:?}, byte {at}: {}", ran.err);
        }
    }
}

#[test]
fn an_object_that_several_readers_share_is_held_to_its_checksum() {
    let objects = shared();
    let size = objects[0].1.len();
    for kind in [Kind::S3, Kind::Gcs] {
        let count = |rule| {
            let server = Server::start(kind, &objects, rule);
            let (_, base) = server.environment();
            let ran = creel(&server, &["count", "-j", "3", &format!("{base}a*")]);
            let parts = server.seen().iter().filter(|seen| seen.asks() == Asks::Object).count();
            assert!(parts > 1, "{kind:?}: it came in one piece");
            ran
        };
        let ran = count(None);
        assert_eq!((ran.code, &*ran.out), (Some(0), &b"600000\n"[..]), "{kind:?}: {}", ran.err);
        for at in [5, size / 2, size - 3] {
            let ran = count(Some(flips(at)));
            assert_eq!(ran.code, Some(3), "{kind:?}, byte {at}: {}", ran.err);
            assert!(ran.err.contains("checksum"), "{kind:?}, byte {at}: {}", ran.err);
        }
    }
}

#[test]
fn a_store_that_does_not_tell_its_checksums_is_read_without() {
    let objects = objects();
    let faults = ANY.iter().filter(|fault| !fault.name.contains("drip"));
    for fault in faults {
        let rule =
            Rule { asks: Asks::Head, skip: 0, times: usize::MAX, fault: Arc::new(fault.apply) };
        let server = Server::start(Kind::S3, &objects, Some(rule));
        let (_, base) = server.environment();
        let ran = creel(&server, &["-t", "text", ".", &format!("{base}a.txt")]);
        let right = ran.out == objects[0].1;
        assert_eq!((ran.code, right), (Some(0), true), "{}: {}", fault.name, ran.err);
        assert!(server.hits() > 0, "{}", fault.name);
    }
}
