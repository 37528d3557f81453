//! An object that a listing says is empty: held to that as others are to their sizes.

use std::sync::Arc;

use crate::run::{Ran, creel};
use crate::server::{Asks, Kind, Length, Objects, Reply, Request, Rule, Server};

const KINDS: [Kind; 3] = [Kind::S3, Kind::Gcs, Kind::Azure];

/// How an answer with nine bytes tells its length.
#[derive(Debug, Clone, Copy)]
enum Told {
    Range,
    Length,
    Chunks,
    End,
}

/// Reads an empty object of a server that gives so many requests for it nine bytes of this version.
fn read(kind: Kind, told: Told, (skip, times): (usize, usize), tag: &'static str) -> Ran {
    let fault = move |_: &Request, reply: &mut Reply| {
        let status = if matches!(told, Told::Range) { "206 Partial Content" } else { "200 OK" };
        *reply = Reply::new(status, "not empty")
            .header("ETag", tag)
            .header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT");
        match told {
            Told::Range => reply.set("Content-Range", &["bytes 0-8/9"]),
            Told::Length => {}
            Told::Chunks => reply.length = Length::Chunked(4),
            Told::End => reply.length = Length::Close,
        }
    };
    let objects: Objects = Arc::new(vec![("empty.txt", Vec::new())]);
    let rule = Rule { asks: Asks::Object, skip, times, fault: Arc::new(fault) };
    let server = Server::start(kind, &objects, Some(rule));
    let ran = creel(&server, &["-t", "text", ".", &format!("{}*", server.environment().1)]);
    assert!(server.hits() > 0, "{kind:?}, {told:?}: it was not asked for");
    ran
}

/// The first request asks for a range, of which there is none; the second for all.
const CASES: [(Told, usize); 4] =
    [(Told::Range, 0), (Told::Length, 1), (Told::Chunks, 1), (Told::End, 1)];

#[test]
fn bytes_of_an_object_that_is_listed_as_empty_are_asked_for_again() {
    for kind in KINDS {
        for (told, skip) in CASES {
            let ran = read(kind, told, (skip, 1), "\"tag-of-empty.txt\"");
            let answer = (ran.code, &*ran.out);
            assert_eq!(answer, (Some(0), &b""[..]), "{kind:?}, {told:?}: {}", ran.err);
        }
    }
}

#[test]
fn an_object_that_is_listed_as_empty_and_is_another_by_now_has_changed() {
    for kind in KINDS {
        for (told, skip) in CASES {
            let ran = read(kind, told, (skip, usize::MAX), "\"another\"");
            let answer = (ran.code, &*ran.out);
            assert_eq!(answer, (Some(3), &b""[..]), "{kind:?}, {told:?}: {}", ran.err);
            assert!(ran.err.contains("changed"), "{kind:?}, {told:?}: {}", ran.err);
        }
    }
}

#[test]
fn bytes_without_a_length_are_not_those_of_an_object_that_is_listed_as_empty() {
    for kind in KINDS {
        for told in [Told::Chunks, Told::End] {
            let ran = read(kind, told, (1, usize::MAX), "\"tag-of-empty.txt\"");
            let answer = (ran.code, &*ran.out);
            assert_eq!(answer, (Some(3), &b""[..]), "{kind:?}, {told:?}: {}", ran.err);
        }
    }
}
