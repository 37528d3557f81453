//! The matrix of faults, stores and requests.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use crate::faults::{ANY, Fault, OBJECT, PAGE};
use crate::run::{Ran, creel};
use crate::server::{Asks, Kind, Objects, Rule, Server};

/// An object of more than one range, a short one, and an empty one.
pub(crate) fn objects() -> Objects {
    let long = (0..20_000).map(|n| format!("line {n:06} of the object\n")).collect::<String>();
    Arc::new(vec![
        ("a.txt", long.into_bytes()),
        ("b.txt", b"one\ntwo\n".to_vec()),
        ("empty.txt", Vec::new()),
    ])
}

/// How often a fault happens: which answers pass before, and how many are hit.
const OFTEN: [(&str, usize, usize); 3] =
    [("the first", 0, 1), ("the second", 1, 1), ("all", 0, usize::MAX)];

/// How many runs are under way in each test: most of them wait.
const SIDE_BY_SIDE: usize = 4;

/// Runs all cases, which read what is named below the bucket.
fn run(kind: Kind, asks: Asks, named: &str, faults: &[Fault]) {
    let objects = objects();
    // Two stores share most of their clients: one of them is enough for the first answer.
    let skipped = usize::from(matches!(kind, Kind::Gcs | Kind::Azure));
    let cases: Vec<_> = faults
        .iter()
        .filter(|fault| !fault.but.contains(&kind))
        .flat_map(|fault| OFTEN.into_iter().skip(skipped).map(move |often| (fault, often)))
        .collect();
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some(&(fault, often)) = cases.get(next.fetch_add(1, Relaxed)) {
                    let found = case(kind, (asks, named), &objects, fault, often);
                    wrong.lock().expect("no panic in a case").extend(found);
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panic in a case");
    assert!(wrong.is_empty(), "{kind:?}, {asks:?}, {named}:\n{}", wrong.join("\n"));
}

/// Runs one case; tells what is wrong.
fn case(
    kind: Kind,
    (asks, named): (Asks, &str),
    objects: &Objects,
    fault: &Fault,
    (often, skip, times): (&str, usize, usize),
) -> Option<String> {
    let rule = Rule { asks, skip, times, fault: Arc::new(fault.apply) };
    let server = Server::start(kind, objects, Some(rule));
    let (_, base) = server.environment();
    let (ran, right) = match asks {
        Asks::Object | Asks::Head => {
            let ran = creel(&server, &["-t", "text", ".", &format!("{base}{named}")]);
            let right = if named.starts_with('a') { &objects[0] } else { &objects[1] };
            (ran, right.1.clone())
        }
        Asks::Page => (creel(&server, &["count", &format!("{base}{named}")]), b"20002\n".to_vec()),
    };
    let why = judge(fault, times > 1, &ran, &right)?;
    let Ran { code, out, err } = ran;
    let (hits, seen) = (server.hits(), server.seen().len());
    Some(format!(
        "{:?}, {often}: {why}: exit {code:?}, {} bytes, {hits} hits of {seen}: {err}",
        fault.name,
        out.len()
    ))
}

/// What is wrong with a run.
fn judge(fault: &Fault, always: bool, ran: &Ran, right: &[u8]) -> Option<&'static str> {
    if ran.err.contains("panicked") || ran.err.contains("internal fault") {
        return Some("it panicked");
    }
    match ran.code {
        None => Some("it hangs"),
        Some(0) if ran.out == right => None,
        Some(0) => Some("the answer is wrong"),
        Some(3) if !right.starts_with(&ran.out) => Some("what it gave before is wrong"),
        Some(3) if !always && !fault.lasts => Some("it gave up"),
        Some(3) if fault.says.is_empty() => Some("it should be mended"),
        Some(3) => {
            let said = ran.err.to_lowercase();
            let named = fault.says.iter().any(|says| said.contains(&says.to_lowercase()));
            (!named).then_some("the message does not name it")
        }
        Some(_) => Some("the exit code is another"),
    }
}

macro_rules! matrix {
    ($($name:ident: $kind:ident, $asks:ident, $named:expr, $faults:expr;)*) => {
        $(#[test] fn $name() { run(Kind::$kind, Asks::$asks, $named, $faults); })*
    };
}

// An object by its name, and those that a listing names, whose size and version are known before.
matrix! {
    s3_objects: S3, Object, "a.txt", ANY;
    s3_objects_alone: S3, Object, "a.txt", OBJECT;
    s3_listed_objects: S3, Object, "a*", ANY;
    s3_listed_objects_alone: S3, Object, "a*", OBJECT;
    s3_short_listed_objects_alone: S3, Object, "b*", OBJECT;
    s3_pages: S3, Page, "**", ANY;
    s3_pages_alone: S3, Page, "**", PAGE;
    gcs_objects: Gcs, Object, "a.txt", ANY;
    gcs_objects_alone: Gcs, Object, "a.txt", OBJECT;
    gcs_listed_objects_alone: Gcs, Object, "a*", OBJECT;
    gcs_pages: Gcs, Page, "**", ANY;
    gcs_pages_alone: Gcs, Page, "**", PAGE;
    azure_objects: Azure, Object, "a.txt", ANY;
    azure_objects_alone: Azure, Object, "a.txt", OBJECT;
    azure_listed_objects_alone: Azure, Object, "a*", OBJECT;
    azure_pages: Azure, Page, "**", ANY;
    azure_pages_alone: Azure, Page, "**", PAGE;
    http_objects: Http, Object, "a.txt", ANY;
    http_objects_alone: Http, Object, "a.txt", OBJECT;
}

#[test]
fn without_a_fault_all_is_read() {
    for kind in [Kind::S3, Kind::Gcs, Kind::Azure] {
        let server = Server::start(kind, &objects(), None);
        let (_, base) = server.environment();
        let ran = creel(&server, &["count", &format!("{base}**")]);
        assert_eq!((ran.code, &*ran.out), (Some(0), &b"20002\n"[..]), "{kind:?}: {}", ran.err);
        let pinned = server.seen().iter().filter(|r| r.header("if-match").is_some()).count();
        assert!(pinned >= 2, "{kind:?}: each request for a listed object names its version");
    }
}
