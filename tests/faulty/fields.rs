//! Every field of a page and of an answer, each made wrong in every way by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::matrix::objects;
use crate::run::{Ran, creel};
use crate::server::{Asks, Cut, Kind, Objects, Reply, Request, Rule, Server};

/// A way to make a field wrong: what becomes of its value, as the values of the fields that stand in
/// its place.
type Wrong = (&'static str, fn(&str) -> Vec<String>);

const WRONG: &[Wrong] = &[
    ("missing", |_| vec![]),
    ("empty", |_| vec![String::new()]),
    ("of another type", |_| vec!["{none}".to_owned()]),
    ("a number", |_| vec!["7".to_owned()]),
    ("negative", |_| vec!["-1".to_owned()]),
    ("the largest number", |_| vec![u64::MAX.to_string()]),
    ("no number that fits", |_| vec!["9".repeat(30)]),
    ("very long", |_| vec!["x".repeat(20_000)]),
    ("twice", |value| vec![value.to_owned(), value.to_owned()]),
    ("twice, and differs", |value| vec![value.to_owned(), format!("{value}0")]),
    ("of another object", |value| vec![value.replace('a', "b")]),
    ("of another request", |_| vec!["zzz/other".to_owned()]),
    ("in capitals", |value| vec![value.to_uppercase()]),
    ("turned round", |value| match value {
        "true" => vec!["false".to_owned()],
        "false" => vec!["true".to_owned()],
        _ => vec![value.chars().rev().collect()],
    }),
];

/// Fields of a page, and what an error says that names each.
const OF_BUCKET: &[(&str, &[&str])] = &[
    ("Name", &["bucket"]),
    ("Prefix", &["prefix"]),
    ("KeyCount", &["entries", "count"]),
    ("MaxKeys", &[]),
    ("IsTruncated", &["more follows", "token", "how to ask", "circle", "twice"]),
    ("NextContinuationToken", &["token", "how to ask", "how to go on"]),
    ("Contents", &["entries", "size", "key", "beside", "twice", "xml"]),
    ("Key", &["key", "no such", "not found", "404", "prefix", "twice"]),
    ("LastModified", &["changed", "date"]),
    ("ETag", &["etag", "changed", "version", "xml"]),
    ("Size", &["size"]),
];

const OF_CONTAINER: &[(&str, &[&str])] = &[
    ("NextMarker", &["token", "entries", "how to go on", "circle", "twice"]),
    ("Name", &["key", "no such", "not found", "404", "prefix", "twice"]),
    ("Last-Modified", &["changed", "date"]),
    ("Etag", &["etag", "changed", "version"]),
    ("Content-Length", &["size"]),
    ("BlobType", &[]),
];

/// What nobody can know: pages of Azure do not say how many entries they have.
const UNKNOWABLE: &[(&str, &str)] = &[("NextMarker", "empty")];

/// Puts other values in the place of the first element of this name.
fn elements(body: &[u8], name: &str, wrong: fn(&str) -> Vec<String>) -> Option<Vec<u8>> {
    let text = str::from_utf8(body).expect("a page is text");
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let (before, rest) = text.split_once(&open)?;
    let (value, after) = rest.split_once(&close)?;
    let all = wrong(value).into_iter().map(|value| format!("{open}{value}{close}"));
    Some(format!("{before}{}{after}", all.collect::<String>()).into())
}

/// Adds the fields of a page that clients may do without.
fn complete(request: &Request, reply: &mut Reply) {
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    let entries = text.matches("<Contents>").count();
    let prefix = request.query.split('&').find_map(|part| part.strip_prefix("prefix="));
    let more = format!(
        "<ListBucketResult><Name>bucket</Name><Prefix>{}</Prefix><KeyCount>{entries}</KeyCount>\
         <MaxKeys>1000</MaxKeys>",
        prefix.unwrap_or_default()
    );
    reply.body = text.replacen("<ListBucketResult>", &more, 1).into();
}

/// Runs many cases, some side by side, and tells what is wrong with each.
fn all<T: Sync>(cases: &[T], case: impl Fn(&T) -> Option<String> + Sync) {
    let next = AtomicUsize::new(0);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let next = || cases.get(next.fetch_add(1, Relaxed));
                    std::iter::from_fn(next).filter_map(&case).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a run is right, or fails with an error that names what is wrong.
fn judge(ran: &Ran, right: &[u8], says: &[&str]) -> Result<(), &'static str> {
    let said = ran.err.to_lowercase();
    if said.contains("panicked") || said.contains("internal fault") {
        return Err("it panicked");
    }
    match ran.code {
        Some(0) if ran.out == right => Ok(()),
        Some(0) => Err("another answer"),
        Some(3) if says.is_empty() => Err("nothing is wrong with it"),
        Some(3) if says.iter().any(|says| said.contains(says)) => Ok(()),
        Some(3) => Err("the message does not name it"),
        None => Err("it hangs"),
        Some(_) => Err("the exit code is another"),
    }
}

fn pages(kind: Kind, fields: &'static [(&str, &[&str])]) {
    let objects = objects();
    let right: Vec<u8> = objects.iter().flat_map(|(_, object)| object.clone()).collect();
    let fields = fields.iter().flat_map(|field| WRONG.iter().map(move |wrong| (field, wrong)));
    let cases = fields.flat_map(|(field, wrong)| [0, 1].map(|page| (field, wrong, page)));
    let knowable = cases
        .filter(|((name, _), (wrong, _), page)| *page == 1 || !UNKNOWABLE.contains(&(name, wrong)));
    all(&Vec::from_iter(knowable), |((name, says), (what, wrong), page)| {
        let (name, wrong, page) = (*name, *wrong, *page);
        let fault = move |request: &Request, reply: &mut Reply| {
            complete(request, reply);
            let mut tokens = ["continuation-token=", "marker="].iter();
            let is_second = tokens.any(|name| request.query.contains(name));
            if is_second == (page == 1)
                && let Some(body) = elements(&reply.body, name, wrong)
            {
                reply.body = body;
            }
        };
        let rule = Rule { asks: Asks::Page, skip: 0, times: usize::MAX, fault: Arc::new(fault) };
        let server = Server::start(kind, &objects, Some(rule));
        let (_, base) = server.environment();
        let ran = creel(&server, &["-t", "text", ".", &format!("{base}**")]);
        let why = judge(&ran, &right, says).err()?;
        let (code, bytes) = (ran.code, ran.out.len());
        Some(format!(
            "{kind:?}: {name} of page {page} {what}: {why}: {code:?}, {bytes} bytes: {}",
            ran.err
        ))
    });
}

#[test]
fn a_field_of_a_page_of_s3_that_is_wrong_is_named_or_changes_nothing() {
    pages(Kind::S3, OF_BUCKET);
}

#[test]
fn a_field_of_a_page_of_gcs_that_is_wrong_is_named_or_changes_nothing() {
    pages(Kind::Gcs, OF_BUCKET);
}

#[test]
fn a_field_of_a_page_of_azure_that_is_wrong_is_named_or_changes_nothing() {
    pages(Kind::Azure, OF_CONTAINER);
}

#[test]
fn a_field_of_an_answer_that_is_wrong_is_an_error_or_changes_nothing() {
    let objects = objects();
    let kinds = [Kind::S3, Kind::Gcs, Kind::Azure, Kind::Http];
    let names = ["ETag", "Last-Modified", "Content-Range"];
    let cases = kinds.iter().flat_map(|kind| names.map(|name| (*kind, name)));
    let cases = cases.flat_map(|(kind, name)| WRONG.iter().map(move |wrong| (kind, name, wrong)));
    all(&Vec::from_iter(cases), |(kind, name, (what, wrong))| {
        let (name, wrong) = (*name, *wrong);
        let fault = move |_: &Request, reply: &mut Reply| {
            let told = reply.headers.iter().find(|(told, _)| told == name);
            let Some((_, value)) = told else { return };
            let values = wrong(value);
            reply.set(name, &values.iter().map(String::as_str).collect::<Vec<_>>());
        };
        let rule = Rule { asks: Asks::Object, skip: 1, times: 1, fault: Arc::new(fault) };
        let server = Server::start(*kind, &objects, Some(rule));
        let (_, base) = server.environment();
        let ran = creel(&server, &["-t", "text", ".", &format!("{base}a.txt")]);
        let why = judge(&ran, &objects[0].1, &["server", "changed"]).err()?;
        Some(format!("{kind:?}: {name} {what}: {why}: {:?}: {}", ran.code, ran.err))
    });
}

/// The same bytes but for some of them.
fn other(object: &[u8]) -> Vec<u8> {
    object.iter().map(|byte| if *byte == b'l' { b'L' } else { *byte }).collect()
}

/// An object whose first answers break off, of a server that may name no version, or know no ranges;
/// after these answers it may be another of the same length.
fn broken_off(objects: &Objects, named: bool, ranged: bool, part: usize, changes: bool) -> Ran {
    let object = objects[0].1.clone();
    let answers = AtomicUsize::new(0);
    let fault = move |_: &Request, reply: &mut Reply| {
        // The first of a server without ranges only tells that.
        let is_cut = answers.fetch_add(1, Relaxed) < 1 + usize::from(!ranged);
        if !named {
            reply.set("ETag", &[]);
            reply.set("Last-Modified", &[]);
        }
        if !ranged {
            (reply.status, reply.body) = ("200 OK".to_owned(), object.clone());
            reply.set("Content-Range", &[]);
        }
        if is_cut {
            reply.cut = Some(Cut::Body(part));
        } else if changes {
            reply.body = other(&reply.body);
            if named {
                reply.set("ETag", &["\"another\""]);
            }
        }
    };
    let rule = Rule { asks: Asks::Object, skip: 0, times: usize::MAX, fault: Arc::new(fault) };
    let server = Server::start(Kind::Http, objects, Some(rule));
    let (_, base) = server.environment();
    creel(&server, &["-t", "text", ".", &format!("{base}a.txt")])
}

#[test]
fn an_answer_that_breaks_off_goes_on_with_the_same_bytes_or_fails_whatever_a_server_knows() {
    let objects = objects();
    let right = &objects[0].1;
    let flags = [false, true];
    let cases = flags.iter().flat_map(|named| flags.map(|ranged| (*named, ranged)));
    let cases = cases.flat_map(|(named, ranged)| [1, 50, 99].map(|part| (named, ranged, part)));
    all(&Vec::from_iter(cases), |&(named, ranged, part)| {
        let told = |what: &str, ran: &Ran| {
            let (code, bytes, err) = (ran.code, ran.out.len(), &ran.err);
            format!("named {named}, ranged {ranged}, cut at {part}: {what}: {code:?} {bytes} {err}")
        };
        let same = broken_off(&objects, named, ranged, part, false);
        if (same.code, &same.out) != (Some(0), right) {
            return Some(told("the same bytes", &same));
        }
        // Ranges of a server that names no version may be of any.
        if ranged && !named {
            return None;
        }
        let ran = broken_off(&objects, named, ranged, part, true);
        let is_one = ran.out == *right || ran.out == other(right);
        let is_sound = match ran.code {
            Some(0) => is_one,
            code => code == Some(3) && right.starts_with(&ran.out),
        };
        (!is_sound).then(|| told("other bytes", &ran))
    });
}
