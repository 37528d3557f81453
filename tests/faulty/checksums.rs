//! Bytes that are not those that were stored, in answers that are right in everything else.

use std::sync::Arc;

use crate::matrix::objects;
use crate::run::{Ran, creel};
use crate::server::{Asks, Kind, Reply, Request, Rule, Server};

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
