//! Listings that fail: what is told at once, what is waited for, and what no policy passes over.

use std::sync::Arc;

use crate::matrix::objects;
use crate::run::creel;
use crate::server::{Asks, Kind, Reply, Rule, Server};

/// A server that answers so to some of the requests for pages.
fn server(kind: Kind, skip: usize, times: usize, reply: Reply) -> Server {
    let fault = Arc::new(move |_: &_, answer: &mut Reply| *answer = reply.clone());
    Server::start(kind, &objects(), Some(Rule { asks: Asks::Page, skip, times, fault }))
}

fn error(code: &str) -> String {
    format!("<Error><Code>{code}</Code><Message>So it is</Message></Error>")
}

#[test]
fn a_final_error_with_200_is_told_at_once_and_by_its_code() {
    for (code, said) in [
        ("AccessDenied", "permission denied"),
        ("InvalidAccessKeyId", "permission denied"),
        ("SignatureDoesNotMatch", "permission denied"),
        ("NoSuchBucket", "there is no bucket"),
        ("UserProjectMissing", "UserProjectMissing"),
    ] {
        for kind in [Kind::S3, Kind::Gcs, Kind::Azure] {
            let server = server(kind, 0, usize::MAX, Reply::new("200 OK", error(code)));
            let ran = creel(&server, &["count", &format!("{}**", server.environment().1)]);
            assert_eq!((ran.code, server.hits()), (Some(3), 1), "{code}: {}", ran.err);
            assert!(ran.err.contains(said) && !ran.err.contains("500"), "{code}: {}", ran.err);
        }
    }
}

#[test]
fn a_server_that_is_down_for_a_minute_as_the_run_begins_loses_nothing() {
    // The waits before the thirteenth request are a minute, at a thousandth.
    for reply in
        [Reply::new("503 Service Unavailable", ""), Reply::new("502 Bad Gateway", "<html>")]
    {
        let server = server(Kind::S3, 0, 12, reply);
        let ran = creel(&server, &["count", "s3://bucket/**"]);
        assert_eq!((ran.code, &*ran.out), (Some(0), &b"20002\n"[..]), "{}", ran.err);
    }
}

#[test]
fn a_bucket_of_which_one_page_came_is_passed_over_by_no_policy() {
    let html = "<html>no</html>";
    for (reply, said) in [
        (Reply::new("404 Not Found", html), "404"),
        (Reply::new("404 Not Found", error("NoSuchBucket")), "no bucket"),
        (Reply::new("403 Forbidden", html), "403"),
        (Reply::new("500 Internal Server Error", html), "500"),
        (Reply::new("200 OK", html), "html"),
        (Reply::new("200 OK", error("AccessDenied")), "AccessDenied"),
    ] {
        for kind in [Kind::S3, Kind::Gcs, Kind::Azure] {
            for policy in ["skip", "report"] {
                let server = server(kind, 1, usize::MAX, reply.clone());
                let url = format!("{}**", server.environment().1);
                let ran = creel(&server, &["--on-missing", policy, "count", &url, "Cargo.toml"]);
                let told = format!("{kind:?}, {policy}, {}: {}", reply.status, ran.err);
                assert_eq!((ran.code, &*ran.out), (Some(3), &b""[..]), "{told}");
                assert!(ran.err.contains(said) && !ran.err.contains("no such object"), "{told}");
            }
        }
    }
}

#[test]
fn an_object_that_was_listed_is_not_missing_because_a_gateway_says_so() {
    let pages = ["<html>Not Found</html>", "{\"error\":\"Not Found\"}", "Not Found", ""];
    for kind in [Kind::S3, Kind::Gcs, Kind::Azure] {
        for page in pages {
            let fault = move |_: &_, answer: &mut Reply| {
                *answer = Reply::new("404 Not Found", page).header("Server", "a-gateway/1.0");
            };
            let fault = Arc::new(fault);
            let rule = Rule { asks: Asks::Object, skip: 0, times: usize::MAX, fault };
            let server = Server::start(kind, &objects(), Some(rule));
            let ran = creel(&server, &["count", &format!("{}b*", server.environment().1)]);
            assert_eq!(ran.code, Some(3), "{kind:?}, {page}: {}", ran.err);
            assert!(ran.err.contains("(of \"a-gateway/1.0\")"), "{kind:?}, {page}: {}", ran.err);
            assert!(!ran.err.contains("no such object"), "{kind:?}, {page}: {}", ran.err);
            assert!(server.hits() > 1, "{kind:?}, {page}: it is asked for again");
        }
    }
}
