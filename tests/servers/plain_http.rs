//! What is particular to plain HTTP: no listing, and servers that know no ranges.

use crate::corpus::{TOP, golden};
use crate::store::Store;
use crate::{Case, For};

/// The promises.
pub(crate) const CASES: &[Case] = &[
    ("a_star_is_refused_with_the_reason", For::Http, star),
    ("a_server_without_ranges_is_read_whole", For::Http, no_ranges),
    ("a_closed_path_is_permission_denied", For::Http, closed),
    ("a_query_is_sent_and_never_shown", For::Http, query),
    ("a_host_that_does_not_answer_is_named", For::Http, no_host),
];

fn star(store: &Store) {
    let url = store.url("tree/peps/*.rst");
    // Exit code 2: nothing was read; what was asked for cannot be.
    store.creel(["count", &url]).fails(2, &["tree/peps/*.rst", "list", "{"]);
}

fn no_ranges(store: &Store) {
    let url = store.url("whole/prose.txt");
    let out = store.creel([TOP, &url]).ok();
    assert_eq!(out, golden("peps-top10.jsonl"));
    let out = store.creel(["--blocksize", "16KiB", TOP, &url]).ok();
    assert_eq!(out, golden("peps-top10.jsonl"));
    let out = store.creel([TOP, &store.url("whole/packed/gz.dat")]).ok();
    assert_eq!(out, golden("peps-top10.jsonl"));
}

fn closed(store: &Store) {
    let url = store.url("closed/prose.txt");
    store.creel(["count", &url]).fails(3, &["closed/prose.txt", "permission denied"]);
}

fn query(store: &Store) {
    let (store, proxy) = store.behind_proxy(None);
    let out = store.creel(["words | count", &store.url("days/01.log?signature=hidden")]).ok();
    assert_eq!(out, "2\n");
    assert!(proxy.seen().iter().any(|request| request.target.ends_with("?signature=hidden")));
    let ran = store.creel(["count", &store.url("days/99.log?signature=hidden")]);
    assert!(!ran.err.contains("hidden"), "a signature in the message: {ran:#?}");
    ran.fails(3, &["days/99.log"]);
}

fn no_host(store: &Store) {
    // Port 9 of the loopback: discard, which nothing here serves.
    store.creel(["count", "http://127.0.0.1:9/x.txt"]).fails(3, &["127.0.0.1:9"]);
}
