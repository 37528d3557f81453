//! Answers of real servers that are changed on the way: they are not used, and asked for again.

use crate::corpus::{TOP, golden};
use crate::http::Head;
use crate::proxy::{Change, Fault, Rule};
use crate::store::Store;
use crate::{Case, For};

/// The promises.
pub(crate) const CASES: &[Case] = &[
    ("an_answer_for_an_object_that_is_changed_is_asked_for_again", For::Network, objects),
    ("a_page_of_a_listing_that_is_changed_is_asked_for_again", For::ListingNetwork, pages),
];

/// Puts a whole other answer in the place of one.
fn instead(head: &mut Head, body: &mut Vec<u8>, line: &str, with: &str) {
    *head = Head { line: line.to_owned(), headers: vec!["Connection: close".to_owned()] };
    head.set("Content-Length", &with.len().to_string());
    *body = with.into();
}

const HTML: &str = "<html><body>Please log in</body></html>";
const SLOW_DOWN: &str = "<Error><Code>SlowDown</Code></Error>";

/// For any request.
const ANY: &[(&str, Change)] = &[
    ("a page of a gateway", |head, body| instead(head, body, "HTTP/1.1 200 OK", HTML)),
    ("nothing", |head, body| instead(head, body, "HTTP/1.1 204 No Content", "")),
    ("502", |head, body| instead(head, body, "HTTP/1.1 502 Bad Gateway", HTML)),
    ("SlowDown", |head, body| {
        instead(head, body, "HTTP/1.1 503 Slow Down", SLOW_DOWN);
        head.set("Retry-After", "1");
    }),
    ("a cut", |_, body| body.truncate(body.len() / 2)),
    ("no head", |head, body| {
        instead(head, body, "SSH-2.0-OpenSSH_9.9", "");
    }),
];

/// For bytes of an object.
const OBJECT: &[(&str, Change)] = &[
    // Pages come in chunks anyway.
    ("chunks that are none", |head, _| {
        head.remove("Content-Length");
        head.set("Transfer-Encoding", "chunked");
        head.headers.push("Trailer: none".to_owned());
    }),
    ("two lengths", |head, _| head.headers.push("Content-Length: 1".to_owned())),
    ("another range", |head, _| head.set("Content-Range", "bytes 1-9/10")),
    ("no range", |head, _| head.remove("Content-Range")),
    ("an error with the status of a part", |head, body| {
        head.set("Content-Length", &SLOW_DOWN.len().to_string());
        *body = SLOW_DOWN.into();
    }),
    ("two versions", |head, _| head.headers.push("ETag: \"other\"".to_owned())),
];

/// For a page.
const PAGE: &[(&str, Change)] = &[
    ("an error with a good status", |head, body| {
        instead(head, body, "HTTP/1.1 200 OK", SLOW_DOWN);
    }),
    ("half a page", |head, body| {
        body.truncate(body.len() / 2);
        head.remove("Transfer-Encoding");
        head.set("Content-Length", &body.len().to_string());
    }),
];

fn objects(store: &Store) {
    for (name, change) in ANY.iter().chain(OBJECT) {
        let fault = Fault::Change(*change);
        let rule = Rule { name: "prose.txt", skip: 0, times: 1, fault };
        let (behind, proxy) = store.behind_proxy(Some(rule));
        let out = behind.creel([TOP, &behind.url("prose.txt")]).ok();
        assert_eq!(out, golden("peps-top10.jsonl"), "{name}");
        let asked = proxy.seen().iter().filter(|seen| seen.reads("prose.txt")).count();
        assert!(asked > 1, "{name}: it was used");
    }
}

fn pages(store: &Store) {
    for (name, change) in ANY.iter().chain(PAGE) {
        // A listing asks for the bucket itself.
        let rule = Rule { name: "tests", skip: 0, times: 1, fault: Fault::Change(*change) };
        let (behind, proxy) = store.behind_proxy(Some(rule));
        let out = behind.creel(["words | count", &behind.url("tree/peps/*.rst")]).ok();
        assert_eq!(out, golden("peps-words.jsonl"), "{name}");
        let asked = proxy.seen().iter().filter(|seen| seen.reads("tests")).count();
        assert!(asked > 1, "{name}: it was used");
    }
}
