//! What a store says of an object besides its bytes: it is believed only where the bytes agree.

use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use proptest::prelude::*;

use crate::server::{Bucket, Reply, Request, Server};
use crate::{command, fails, prints, text};

/// Serves a bucket whose answers for objects go through this.
fn serve(
    bucket: Bucket,
    change: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static,
) -> Server {
    Server::start(move |request, _| change(request, bucket.answer(request)))
}

fn creel(server: &Server, args: &[&str]) -> Output {
    let mut command = command(args);
    // Waits are a thousandth.
    command.env("CREEL_PATIENCE", "0.001");
    server.as_s3(&mut command).output().expect("the command runs")
}

/// Checksums of `123456789`, and of something else.
const SUMS: [(&str, &str, &str); 6] = [
    ("x-amz-checksum-crc32c", "4waSgw==", "4waShA=="),
    ("x-amz-checksum-crc64nvme", "rosUhgp5mIg=", "rosUhgp5mIk="),
    (
        "x-amz-checksum-sha256",
        "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
        "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiQ=",
    ),
    ("x-goog-hash", "crc32c=4waSgw==,md5=no", "crc32c=4waShA=="),
    ("x-goog-hash", "md5=JfnnlDI7RTiF9RgfG2JNCw==", "md5=JfnnlDI7RTiF9RgfG2JNCg=="),
    ("Content-MD5", "JfnnlDI7RTiF9RgfG2JNCw==", "JfnnlDI7RTiF9RgfG2JNCg=="),
];

#[test]
fn bytes_without_their_checksum_are_asked_for_again_and_then_an_error() {
    for (name, right, wrong) in SUMS {
        let cases = [(right, usize::MAX, true), (wrong, 1, true), (wrong, usize::MAX, false)];
        for (sum, times, ok) in cases {
            for source in ["s3://b/m/a", "s3://b/m/*"] {
                let (bucket, hits) = (Bucket::new(&[("m/a", b"123456789")]), AtomicUsize::new(0));
                let server = serve(bucket, move |request, reply| {
                    let object = request.target.ends_with("/a");
                    match object && hits.fetch_add(1, Relaxed) < times {
                        true => reply.with(name, sum),
                        false => reply,
                    }
                });
                let output = creel(&server, &["-t", "text", ".", source]);
                match ok {
                    true => prints(&output, "123456789\n"),
                    false => fails(&output, 3, &["s3://b/m/a", "checksum that the store gives"]),
                }
            }
        }
    }
}

#[test]
fn a_size_that_a_listing_tells_is_a_hint() {
    let line = "a line of an object\n";
    for (claimed, lines) in [(0, 1), (0, 50_000), (7, 50_000), (600_000, 50_000), (90_000_000, 3)] {
        let content = line.repeat(lines).into_bytes();
        let size = content.len();
        let server =
            serve(Bucket::new(&[("m/a", &content), ("m/b", b"last\n")]), move |_, mut reply| {
                let listed = format!("<Size>{size}<");
                if String::from_utf8_lossy(&reply.body).contains(&listed) {
                    let page = String::from_utf8_lossy(&reply.body).into_owned();
                    reply.body = page.replace(&listed, &format!("<Size>{claimed}<")).into_bytes();
                }
                reply
            });
        let output = creel(&server, &["count", "s3://b/m/*"]);
        prints(&output, &format!("{}\n", lines + 1));
    }
}

/// Runs `.` over an object whose store names this content coding.
fn coded(coding: &'static str, content: &[u8], args: &[&str]) -> Output {
    let server = serve(Bucket::new(&[("m/a", content)]), move |request, reply| {
        match request.target.contains("list-type") {
            true => reply,
            false => reply.with("Content-Encoding", coding),
        }
    });
    creel(&server, &[args, &["-t", "text", ".", "s3://b/m/a", "s3://b/m/*"]].concat())
}

#[test]
fn a_content_coding_that_is_not_undone_is_named_and_its_data_is_no_text() {
    let lines = "YSBsaW5l\n".repeat(100_000);
    for (coding, content) in [
        ("base64", "YSBsaW5l\n"),
        ("gzip, x-new", &*lines),
        ("utf-7", "a +AGIAYw-\n"),
        ("ascii85", "87cURD]j7BEbo80\n"),
    ] {
        let output = coded(coding, content.as_bytes(), &["--blocksize", "64k"]);
        let named = coding.rsplit(' ').next().expect("a name");
        fails(&output, 3, &["s3://b/m/a", &format!("Content-Encoding \"{named}\""), "-a reads it"]);
        let twice = content.repeat(2);
        prints(&coded(coding, content.as_bytes(), &["-a"]), &twice);
    }
    for coding in ["identity", "", "utf-8", "gzip", "aws-chunked", "aws-chunked,gzip"] {
        prints(&coded(coding, b"12\nplain\n", &[]), "12\nplain\n12\nplain\n");
    }
}

#[test]
fn the_chunks_of_an_upload_are_no_text_where_a_store_has_kept_them() {
    let signature = "ab".repeat(32);
    let signed = format!(
        "7;chunk-signature={signature}\r\na line\n\r\n0;chunk-signature={signature}\r\n\r\n"
    );
    for body in [
        &*signed,
        "7\r\na line\n\r\n0\r\nx-amz-checksum-crc32c:4waSgw==\r\n\r\n",
        "7;name=x\r\na line\n\r\n7\r\na line\n\r\n0\r\n\r\n",
    ] {
        let output = coded("aws-chunked", body.as_bytes(), &[]);
        fails(&output, 3, &["s3://b/m/a", "Content-Encoding \"aws-chunked\"", "decode it first"]);
    }
}

#[test]
fn an_object_is_empty_only_if_a_full_answer_says_so() {
    let server = serve(Bucket::new(&[("m/a", b""), ("m/b", b"one\n")]), |_, reply| reply);
    prints(&creel(&server, &["count", "s3://b/m/*"]), "1\n");
    prints(&creel(&server, &["count", "s3://b/m/a"]), "0\n");
    // A range is refused as past the end, of an object that is not empty.
    let server = serve(Bucket::new(&[("m/b", b"one\n")]), |request, reply| match request.range() {
        Some(_) => Reply::new(416, "").with("Content-Range", "bytes */0"),
        None => reply,
    });
    for source in ["s3://b/m/b", "s3://b/m/*"] {
        prints(&creel(&server, &["count", source]), "1\n");
    }
}

/// Changes that make an answer no answer to its request, or that leave it one.
#[derive(Debug, Clone)]
enum Change {
    None,
    Status(u16),
    Range(Option<String>),
    Tag(Option<String>),
    Length(i64),
    Body(usize),
    Error,
    Cut(usize),
}

fn changes() -> impl Strategy<Value = Change> {
    let status = prop::sample::select(vec![200, 201, 204, 206, 304, 400, 412, 416, 429, 500, 503]);
    prop_oneof![
        Just(Change::None),
        status.prop_map(Change::Status),
        prop::option::of("(bytes )?[0-9]{1,6}-[0-9]{1,6}/([0-9]{1,6}|\\*)").prop_map(Change::Range),
        prop::option::of("\"[ex]\"").prop_map(Change::Tag),
        (-100..100_i64).prop_map(Change::Length),
        (0..400_000_usize).prop_map(Change::Body),
        Just(Change::Error),
        (0..400_000_usize).prop_map(Change::Cut),
    ]
}

impl Change {
    fn apply(&self, reply: Reply) -> Reply {
        match self {
            Self::None => reply,
            Self::Status(status) => Reply { status: *status, ..reply },
            Self::Range(Some(range)) => reply.with("Content-Range", range),
            Self::Range(None) => reply.without("Content-Range"),
            Self::Tag(Some(tag)) => reply.with("ETag", tag),
            Self::Tag(None) => reply.without("ETag"),
            Self::Length(more) => {
                let length = reply.body.len().saturating_add_signed(*more as isize);
                Reply { length: Some(length), ..reply }
            }
            Self::Body(length) => {
                let mut reply = reply;
                reply.body.truncate(*length);
                reply
            }
            Self::Error => {
                let error = b"<Error><Code>InternalError</Code></Error>".to_vec();
                Reply { body: error, ..reply }
            }
            Self::Cut(at) => Reply { cut: Some(*at), ..reply },
        }
    }
}

/// Applies changes one after the other.
fn apply(changes: &[&Change], reply: Reply) -> Reply {
    let reply = changes.iter().fold(reply, |reply, change| change.apply(reply));
    // Nothing tells a whole answer of the right version from the object itself, and no range that
    // is cut from the object's bytes: a version is named only in an answer that has them.
    let whole = reply.status == 200;
    let other = |change: &&Change| match change {
        Change::Length(_) | Change::Body(_) | Change::Range(None) => whole,
        Change::Error => true,
        _ => false,
    };
    if changes.iter().any(other) { reply.without("ETag") } else { reply }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn whatever_a_server_answers_the_result_is_right_or_an_error(
        // The second request may be changed in several ways.
        first in changes(),
        second in (changes(), changes()),
        third in changes(),
        listed: bool,
    ) {
        let content: String = (0..30_000).map(|n| format!("line {n} of it\n")).collect();
        let expected = content.clone();
        let (bucket, asked) = (Bucket::new(&[("m/a", content.as_bytes())]), AtomicUsize::new(0));
        let server = serve(bucket, move |request, reply| {
            if request.query("list-type").is_some() {
                return reply;
            }
            match asked.fetch_add(1, Relaxed) {
                0 => apply(&[&first], reply),
                1 => apply(&[&second.0, &second.1], reply),
                2 => apply(&[&third], reply),
                _ => reply,
            }
        });
        let source = if listed { "s3://b/m/*" } else { "s3://b/m/a" };
        let output = creel(&server, &["-t", "text", ".", source]);
        let (printed, told) = (text(&output.stdout), text(&output.stderr));
        match output.status.code() {
            Some(0) => prop_assert!(printed == expected, "another result"),
            Some(3) => prop_assert!(expected.starts_with(printed), "{}", told),
            code => prop_assert!(false, "{:?}: {}", code, told),
        }
        prop_assert!(!told.contains("internal fault"), "{}", told);
    }
}

#[test]
fn a_source_whose_answer_cannot_be_used_is_named_and_the_rest_is_read() {
    let answers = [
        Reply::new(410, "gone"),
        Reply::new(204, ""),
        Reply::new(401, "who"),
        Reply::new(302, "").with("Location", "/x"),
        Reply::new(500, "later"),
    ];
    for answer in answers {
        let shown = answer.clone();
        let server = Server::start(move |_, _| answer.clone());
        let url = format!("{}/x", server.url());
        let output = creel(&server, &["count", &url, "fixtures/access.log"]);
        let told = text(&output.stderr);
        assert_ne!(text(&output.stdout), "", "{shown:?}: {told}");
        assert!(told.starts_with(&format!("creel: {url}")), "{told}");
        assert_eq!((told.lines().count(), output.status.code()), (1, Some(3)), "{told}");
        fails(&creel(&server, &["--on-missing", "fail", "count", &url]), 3, &["/x"]);
    }
}

#[test]
fn a_host_that_cannot_be_reached_is_named_for_each_entry_and_the_rest_is_read() {
    // Nobody listens at the port of a server that has stopped.
    let server = Server::start(|_, _| Reply::new(200, ""));
    let url = server.url();
    drop(server);
    let urls = [format!("{url}/x"), format!("{url}/y")];
    let mut command = command(&["count", &urls[0], "fixtures/access.log", &urls[1]]);
    command.env("CREEL_PATIENCE", "0.001");
    let output = crate::server::no_proxies(&mut command).output().expect("the command runs");
    let told: Vec<_> = text(&output.stderr).lines().collect();
    assert_ne!(text(&output.stdout), "", "{told:?}");
    assert!(told[0].contains(&urls[0]) && told[1].contains(&urls[1]), "{told:?}");
    assert_eq!((told.len(), output.status.code()), (2, Some(3)));
}

#[test]
fn a_process_without_descriptors_says_so_and_passes_over_no_entry() {
    let bucket = Bucket::new(&[("m/a", b"one\n"), ("m/b", b"two\n"), ("m/c", b"three\n")]);
    let server = serve(bucket, |_, reply| reply);
    let (mut right, mut told) = (0, 0);
    for limit in 4..40 {
        let line = format!(
            "ulimit -n {limit}; exec {} --on-missing skip -j 2 count s3://b/m/a s3://b/m/b s3://b/m/c",
            env!("CARGO_BIN_EXE_creel")
        );
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &line]).env("CREEL_PATIENCE", "0.001");
        let output = server.as_s3(&mut command).output().expect("sh runs");
        let said = text(&output.stderr);
        match output.status.code() {
            Some(0) => {
                right += 1;
                assert_eq!((text(&output.stdout), said), ("3\n", ""), "{limit}");
            }
            // Not even its libraries can be loaded.
            Some(126 | 127) => {}
            _ => {
                told += 1;
                assert!(said.contains("ulimit -n"), "{limit}: {said}");
            }
        }
    }
    assert!(right > 0 && told > 0, "{right} right, {told} told");
}
