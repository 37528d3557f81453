//! Networks break and objects change: what can be mended is, what cannot is an error.

use std::sync::Arc;

use crate::corpus::{TOP, compress, count_words, golden, large, prose};
use crate::proxy::{Fault, Rule, Seen};
use crate::store::Store;
use crate::{Case, For};

/// The promises.
pub(crate) const CASES: &[Case] = &[
    ("two_503_and_then_success_is_success", For::Network, twice_unavailable),
    ("503_without_end_is_an_error", For::Network, unavailable),
    ("a_503_on_the_listing_is_tried_again", For::ListingNetwork, listing_unavailable),
    ("a_connection_cut_in_mid_body_resumes_where_it_broke", For::Network, cut),
    ("a_cut_in_a_compressed_object_resumes_too", For::Network, cut_compressed),
    ("an_object_replaced_between_two_requests_is_an_error", For::Network, replaced),
    ("an_object_replaced_before_a_resume_is_an_error", For::Network, replaced_then_cut),
    ("an_object_cut_short_before_a_resume_is_an_error", For::Network, shortened_then_cut),
];

fn twice_unavailable(store: &Store) {
    let rule = Rule { name: "prose.txt", skip: 0, times: 2, fault: Fault::Status(503) };
    let (store, proxy) = store.behind_proxy(Some(rule));
    let out = store.creel([TOP, &store.url("prose.txt")]).ok();
    assert_eq!(out, golden("peps-top10.jsonl"));
    assert!(reads(&proxy.seen(), "prose.txt").len() >= 3);
}

fn unavailable(store: &Store) {
    let rule = Rule { name: "prose.txt", skip: 0, times: usize::MAX, fault: Fault::Status(503) };
    let (store, _proxy) = store.behind_proxy(Some(rule));
    store.creel(["count", &store.url("prose.txt")]).fails(3, &["prose.txt", "503"]);
}

fn listing_unavailable(store: &Store) {
    // A listing asks for the bucket itself.
    let rule = Rule { name: "tests", skip: 0, times: 2, fault: Fault::Status(503) };
    let (store, _proxy) = store.behind_proxy(Some(rule));
    let out = store.creel(["words | count", &store.url("tree/peps/*.rst")]).ok();
    assert_eq!(out, golden("peps-words.jsonl"));
}

fn cut(store: &Store) {
    let rule = Rule { name: "prose.txt", skip: 0, times: 1, fault: Fault::Cut };
    let (store, proxy) = store.behind_proxy(Some(rule));
    let out = store.creel([TOP, &store.url("prose.txt")]).ok();
    assert_eq!(out, golden("peps-top10.jsonl"));
    let seen = proxy.seen();
    let resumed = reads(&seen, "prose.txt").iter().any(|read| read.from.is_some_and(|at| at > 0));
    assert!(resumed, "it began again from the start: {seen:#?}");
}

fn cut_compressed(store: &Store) {
    let rule = Rule { name: "gz.dat", skip: 0, times: 1, fault: Fault::Cut };
    let (store, _proxy) = store.behind_proxy(Some(rule));
    let out = store.creel([TOP, &store.url("packed/gz.dat")]).ok();
    assert_eq!(out, golden("peps-top10.jsonl"));
}

fn replaced(store: &Store) {
    let key = "replaced/between.txt";
    let text = large(40);
    store.put(key, &text);
    let writer = Arc::clone(&store.writer);
    // Longer by a word: nginx tells versions apart by length and second.
    let act = move || writer(key, &[&text[..], b"more\n"].concat());
    let rule = Rule { name: "between.txt", skip: 1, times: 1, fault: Fault::First(Box::new(act)) };
    let (store, proxy) = store.behind_proxy(Some(rule));
    let ran = store.creel(["-j", "1", "--blocksize", "1MiB", "words | count", &store.url(key)]);
    assert!(reads(&proxy.seen(), key).len() > 1, "one request for it all: {ran:#?}");
    ran.fails(3, &[key, "changed while it was being read"]);
}

fn replaced_then_cut(store: &Store) {
    let longer = compress(&large(2), "gz");
    broken_then(store, "replaced/longer.gz", "longer.gz", longer);
}

fn shortened_then_cut(store: &Store) {
    // So short that the rest is asked for beyond its end: the server's answer is another.
    broken_then(store, "replaced/shorter.gz", "shorter.gz", compress(b"short\n", "gz"));
}

/// Cuts the first answer, and puts another object in its place when the rest is asked for.
fn broken_then(store: &Store, key: &'static str, name: &'static str, other: Vec<u8>) {
    let text = prose();
    store.put(key, &compress(&text, "gz"));
    let writer = Arc::clone(&store.writer);
    let rule = Rule { name, skip: 0, times: 1, fault: Fault::Cut };
    let (behind, proxy) = store.behind_proxy(Some(rule));
    // The second proxy stands before the first: it lets the first request by.
    let act = move || writer(key, &other);
    let rule = Rule { name, skip: 1, times: 1, fault: Fault::First(Box::new(act)) };
    let (store, _outer) = behind.behind_proxy(Some(rule));
    let ran = store.creel(["words | count", &store.url(key)]);
    assert_ne!(ran.out, count_words(&text), "{:#?}", proxy.seen());
    ran.fails(3, &[key, "changed while it was being read"]);
}

fn reads<'s>(seen: &'s [Seen], name: &str) -> Vec<&'s Seen> {
    seen.iter().filter(|request| request.reads(name)).collect()
}
