//! Settings that are wrong are named before the first request.

use std::sync::Arc;

use crate::matrix::objects;
use crate::run::creel_in;
use crate::server::{Asks, Kind, Pace, Reply, Request, Rule, Server};

const S3: [(&str, &str); 4] = [
    ("AWS_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "k"),
    ("AWS_SECRET_ACCESS_KEY", "s"),
    ("AWS_ALLOW_HTTP", "true"),
];

#[test]
fn a_wrong_setting_is_named() {
    for (name, value) in [
        ("AWS_ENDPOINT", "localhost:9000"),
        ("AWS_ENDPOINT", ""),
        ("AWS_ENDPOINT", "http://"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:99999"),
        ("AWS_ENDPOINT", "http://127.0.0.1:1\u{7}"),
        ("AWS_ACCESS_KEY_ID", "k\rk"),
        ("AWS_SESSION_TOKEN", "k\nk"),
        ("AWS_REGION", "r r"),
    ] {
        let variables = [&S3[..], &[(name, value)]].concat();
        let ran = creel_in(&variables, &["count", "s3://b/x"]);
        assert_eq!(ran.code, Some(2), "{name}={value:?}: {}", ran.err);
        assert!(ran.err.contains(name), "{name}={value:?}: {}", ran.err);
    }
    for (variables, url) in [
        (&[("GOOGLE_BASE_URL", "localhost:1")][..], "gs://b/x"),
        (&[("AZURE_ENDPOINT", "localhost"), ("AZURE_STORAGE_ACCOUNT_NAME", "a")], "az://b/x"),
    ] {
        let ran = creel_in(variables, &["count", "--anonymous", url]);
        assert_eq!(ran.code, Some(2), "{url}: {}", ran.err);
        assert!(ran.err.contains(variables[0].0), "{url}: {}", ran.err);
    }
}

#[test]
fn white_space_at_the_ends_of_a_setting_is_cut() {
    let server = Server::start(Kind::S3, &objects(), None);
    let endpoint = format!(" http://{} \r\n", server.addr);
    let padded = [
        ("AWS_ENDPOINT", endpoint.as_str()),
        ("AWS_REGION", "us-east-1\r"),
        ("AWS_ACCESS_KEY_ID", "k\r"),
        ("AWS_SECRET_ACCESS_KEY", "s\n"),
        ("AWS_SESSION_TOKEN", " t\n"),
        ("AWS_ALLOW_HTTP", "true "),
    ];
    let ran = creel_in(&padded, &["count", "s3://bucket/b.txt"]);
    assert_eq!((ran.code, &*ran.out), (Some(0), &b"2\n"[..]), "{}", ran.err);
}

#[test]
fn an_endpoint_of_credentials_that_drips_is_given_up() {
    let drips = |_: &Request, reply: &mut Reply| reply.pace = Pace::Drip;
    let rule = Rule { asks: Asks::Object, skip: 0, times: usize::MAX, fault: Arc::new(drips) };
    let server = Server::start(Kind::Http, &objects(), Some(rule));
    let at = format!("http://{}/bucket/a.txt", server.addr);
    let token = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(token.path(), "token").expect("to write it");
    let variables = [
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.path().to_str().expect("UTF-8")),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", at.as_str()),
        ("AWS_ENDPOINT", "http://127.0.0.1:9"),
        ("AWS_ALLOW_HTTP", "true"),
    ];
    let ran = creel_in(&variables, &["count", "s3://b/x"]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    assert!(server.hits() > 0, "{}", ran.err);
}

#[test]
fn odd_buckets_and_addresses_are_errors_of_usage() {
    for url in ["s3://a b/x", "s3://b\r/x", "s3://a%0db/x", "http://a b/x", "http://h:99999/x"] {
        let ran = creel_in(&S3, &["count", url]);
        assert_eq!(ran.code, Some(2), "{url:?}: {}", ran.err);
    }
}

#[test]
fn no_character_of_an_address_is_a_panic() {
    let server = Server::start(Kind::Http, &objects(), None);
    for c in (1..128_u8).map(char::from).chain(['é', '\u{202e}']) {
        let url = format!("http://{}/bucket/x{c}y", server.addr);
        let ran = creel_in(&[], &["count", &url]);
        let code = ran.code.unwrap_or_default();
        assert!((2..=3).contains(&code), "{url:?}: {code}: {}", ran.err);
        assert!(!ran.err.contains("panicked"), "{url:?}: {}", ran.err);
    }
}

#[test]
fn the_bucket_of_the_url_is_read_whatever_the_environment_names() {
    for (kind, names) in [
        (Kind::S3, &["AWS_BUCKET", "AWS_BUCKET_NAME"][..]),
        (Kind::Gcs, &["GOOGLE_BUCKET", "GOOGLE_BUCKET_NAME"]),
        (Kind::Azure, &["AZURE_CONTAINER_NAME"]),
    ] {
        let server = Server::start(kind, &objects(), None);
        let (mut variables, base) = server.environment();
        variables.extend(names.iter().map(|name| (*name, "other".to_owned())));
        let variables: Vec<_> = variables.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let ran = creel_in(&variables, &["count", &format!("{base}b.txt"), &format!("{base}b*")]);
        assert_eq!((ran.code, &*ran.out), (Some(0), &b"4\n"[..]), "{kind:?}: {}", ran.err);
        let seen = server.seen();
        assert!(!seen.is_empty());
        assert!(!seen.iter().any(|request| request.path.contains("other")), "{kind:?}: {seen:?}");
    }
}
