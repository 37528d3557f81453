//! Messages: what they name, what they repeat, and what they let through to a terminal.

use std::error::Error as StdError;
use std::{fmt, io};

use super::{Error, Place, snippet};

/// An error with one behind it that its message does not tell.
#[derive(Debug)]
struct Behind(io::Error);

impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no config")
    }
}

impl StdError for Behind {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn a_chain_of_causes_says_each_once() {
    let cause = || Behind(io::Error::other("disk on fire"));
    let task = Error::task(cause()).in_task(|| ("load".into(), "load".into()));
    let disk = Error::io(Place::object("x"), io::Error::other(cause()));
    for (error, first) in [(task, "the task load failed: no config"), (disk, "x: no config")] {
        let chain = std::iter::successors(Some(&error as &dyn StdError), |&e| e.source());
        let said: Vec<String> = chain.map(ToString::to_string).collect();
        assert_eq!(said, [first, "disk on fire"]);
    }
}

#[test]
fn a_place_names_partition_and_byte() {
    let place = Place::object("s3://b/k").partition(3).at(17);
    assert_eq!(place.to_string(), "s3://b/k (partition 3, byte 17)");
}

#[test]
fn nothing_from_the_input_reaches_a_terminal_raw() {
    assert_eq!(snippet(b"a\x1b[31m\xff\0\n"), "a\\x1b[31m\\xff\\x00\\n");
    assert_eq!(snippet("\u{9b}31m é".as_bytes()), "\\u{9b}31m é");
    assert_eq!(Place::object("a\x07b").to_string(), "a\\x07b");
    for c in "\u{61c}\u{200b}\u{200e}\u{200f}\u{2028}\u{202a}\u{202e}\u{2066}\u{2069}\u{feff}\u{e0041}\
              \u{ad}\u{34f}\u{115f}\u{1160}\u{17b5}\u{180b}\u{180f}\u{3164}\u{ffa0}\u{fe00}\u{fe0f}\u{fff0}\
              \u{1bca0}\u{1d17a}\u{e0100}\u{e01ef}\u{e0fff}"
        .chars()
    {
        assert_eq!(
            Place::object(format!("a{c}b")).to_string(),
            format!("a{}b", c.escape_unicode())
        );
    }
    let joined = "می\u{200c}خواهم 👩\u{200d}🔬 אבג";
    assert_eq!(Place::object(joined).to_string(), joined);
}

#[test]
fn our_error_survives_the_way_through_io() {
    let inner = Error::Changed { place: Place::object("x") };
    let out = Error::io(Place::object("y"), inner.into());
    assert!(matches!(out, Error::Changed { place } if place.object == "x"));
}

/// Text that would move the cursor, retitle the window, turn the line around, or give away a secret.
const HOSTILE: &str = "a\x1b]0;t\x07\x1b[2J\r\n\0\x7f\u{9b}\u{202e}\u{2066}\u{200b}\u{2028}\u{feff}\u{e0041} \
    {\\\"access_token\\\":\\\"a\\\\\\\"S3CRET\\\"} az://c/x%3Fsig[]=S3CRET https:\\/\\/u:S3CRET@h \
    https://u:S3CRET@h/x?X-Amz-Signature=S3CRET HTTPS://h?S3CRET s3://AKIA:S3/CRET@b/k?sig=S3CRET token=S3CRET";

/// Every variant with hostile text in every field.
fn hostile() -> Vec<Error> {
    let text = || HOSTILE.to_owned();
    let fixed = HOSTILE;
    let place = || Place { object: text(), partition: Some(1), offset: Some(2) };
    let io = || std::sync::Arc::new(io::Error::other(HOSTILE));
    let all = vec![
        Error::Pattern { pattern: text(), reason: text() },
        Error::NotFound { place: place(), reason: text() },
        Error::PermissionDenied { place: place(), reason: text() },
        Error::Unauthenticated { place: place(), reason: text() },
        Error::Changed { place: place() },
        Error::Truncated { place: place(), codec: fixed, at: 1 },
        Error::Corrupt { place: place(), reason: text() },
        Error::Unsupported { place: place(), reason: text() },
        Error::Trailing { place: place(), codec: fixed, at: 1 },
        Error::Ratio { place: place(), compressed: 1, decoded: 2, limit: 3 },
        Error::NotText { place: place(), found: text(), mend: text() },
        Error::Encoding { place: place(), encoding: fixed, snippet: text(), mend: fixed },
        Error::Record { place: place(), reason: fixed, snippet: text() },
        Error::RecordTooLong { place: place(), limit: 1 },
        Error::Io { place: place(), source: io() },
        Error::Output { path: text(), source: io() },
        Error::Panic {
            task: text(),
            path: text(),
            message: text(),
            place: Some(Box::new(place())),
        },
        Error::Task { task: text(), path: text(), source: io() },
        Error::Memory { task: text(), limit: 1, held: text() },
        Error::Plan { reason: text() },
        Error::Cluster {
            kind: text(),
            worker: Some(text()),
            place: Some(Box::new(place())),
            message: text(),
            retry: false,
        },
        Error::Cancelled,
    ];
    // A variant that is added here is to be added above.
    for error in &all {
        match error {
            Error::Pattern { .. }
            | Error::NotFound { .. }
            | Error::PermissionDenied { .. }
            | Error::Unauthenticated { .. }
            | Error::Changed { .. }
            | Error::Truncated { .. }
            | Error::Corrupt { .. }
            | Error::Unsupported { .. }
            | Error::Trailing { .. }
            | Error::Ratio { .. }
            | Error::NotText { .. }
            | Error::Encoding { .. }
            | Error::Record { .. }
            | Error::RecordTooLong { .. }
            | Error::Io { .. }
            | Error::Output { .. }
            | Error::Panic { .. }
            | Error::Task { .. }
            | Error::Memory { .. }
            | Error::Plan { .. }
            | Error::Cluster { .. }
            | Error::Cancelled => {}
        }
    }
    all
}

#[test]
fn no_message_lets_hostile_text_through() {
    let kinds: std::collections::HashSet<_> =
        hostile().iter().map(std::mem::discriminant).collect();
    assert_eq!(kinds.len(), hostile().len());
    for error in hostile() {
        let nested = Error::Task {
            task: "t".into(),
            path: "t".into(),
            source: std::sync::Arc::new(error.clone()),
        };
        let printed = [
            error.to_string(),
            nested.to_string(),
            format!("{error:?}"),
            format!("{nested:#?}").replace('\n', ""),
            error.place().map(ToString::to_string).unwrap_or_default(),
        ];
        for message in printed {
            assert!(!message.chars().any(super::text::is_hidden), "{message:?}");
            assert!(!message.contains("CRET"), "{message}");
        }
    }
}

#[test]
fn the_words_of_a_name_are_shown_wherever_it_stands() {
    for name in [
        "report secret 2024a.csv",
        "my token: abc123.txt",
        "basic Bearer notes9.txt",
        "notes: basic training4u.txt",
        "logs/the password 'x9y9z9'/a.log",
        "s3://b/api key a1b2c3/x",
        "a b/10:30 c:d@e.txt",
        "sig=1.txt",
        "pass=through.txt",
        "passwd=.bak",
        "a&token=1",
        "a:b@c.txt",
        "d/token=abc/part-0001",
        "d/token=xyz/part-0001",
        "api_key=x/part",
        "s3://b/signature=v1/x.txt",
        "key=1/year=2024/primary_key=5/session=3/x",
    ] {
        let place = Place::object(name).at(7);
        assert_eq!(place.to_string(), format!("{name} (byte 7)"));
        let changed = Error::Changed { place: place.clone() };
        let reason = format!("the longest part of it that exists is {name}");
        let absent = Error::NotFound { place: place.clone(), reason };
        let plan = Error::Plan { reason: format!("both have read {name}") };
        let output = Error::Output { path: name.into(), source: io::Error::other("full").into() };
        let panic = Error::Panic {
            task: "t".into(),
            path: "t".into(),
            message: "m".into(),
            place: Some(Box::new(place.clone())),
        };
        let pattern = Error::Pattern { pattern: name.into(), reason: "r".into() };
        for error in [changed, absent, plan, output, panic, pattern] {
            let said = error.to_string();
            assert!(said.contains(name), "{said}");
            for task in [Error::task(error.clone()), Error::task(io::Error::from(error))] {
                assert_eq!(
                    task.in_task(|| ("t".into(), "t".into())).to_string(),
                    format!("the task t failed: {said}")
                );
            }
        }
        // The words of a name do not stand for those of the message about it.
        let foreign =
            Error::Io { place, source: io::Error::other("the token S3CRET9 is old").into() };
        assert!(!foreign.to_string().contains("S3CRET9"), "{foreign}");
    }
    // Objects in two folders can be told apart.
    let name = "s3://b/token=9f8e7d6c5b4a/part-0001";
    assert_eq!(Place::object(name).to_string(), name);
    for url in ["a b https://u:S3CRET@h/x", "my notes?sig=S3CRET", "s3://b/my x?token=S3CRET y"] {
        assert!(!Place::object(url).to_string().contains("S3CRET"), "{url}");
    }
}

#[test]
fn a_place_is_made_without_the_secrets_of_its_url() {
    for name in [
        "https://h/x?S3CRET",
        "HTTPS://u:S3CRET@h/x",
        "s3://b/k?Signature=S3CRET",
        "https:h?S3CRET",
    ] {
        let place = Place::object(name);
        assert!(!format!("{place:?}").contains("CRET"), "{place:?}");
    }
    assert_eq!(Place::object("dt=1/what?.log").object, "dt=1/what?.log");
}

#[test]
fn a_chain_of_failed_tasks_without_end_is_told_and_dropped_on_a_small_stack() {
    let thread = std::thread::Builder::new().stack_size(128 << 10).spawn(|| {
        let place = Place::object("first").at(7);
        let mut error = Error::task(Error::Changed { place });
        for n in 0..100_000 {
            error = Error::task(error).in_task(|| (format!("t{n}"), format!("t{n}")));
        }
        assert_eq!(error.place().and_then(|place| place.offset), Some(7));
        let said = error.to_string();
        assert!(said.starts_with("the task t99999 failed: ") && said.len() < 10_000, "{said}");
        assert!(said.contains("first (byte 7): changed"), "{said}");
    });
    thread.expect("a thread").join().expect("no overflow");
}
