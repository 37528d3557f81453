//! Keys of object stores that are unlike paths: all of them are read.

use std::process::Output;

use crate::server::{Bucket, Server};
use crate::{command, fails, prints, text};

fn serve(objects: &[(&str, &[u8])]) -> Server {
    let bucket = Bucket::new(objects);
    Server::start(move |request, _| {
        assert!(request.header("authorization").is_some(), "unsigned: {request:?}");
        bucket.answer(request)
    })
}

fn creel(server: &Server, args: &[&str]) -> Output {
    server.as_s3(&mut command(args)).output().expect("the command runs")
}

#[test]
fn odd_keys_are_read_and_hurt_no_pattern_that_does_not_match_them() {
    let one: &[u8] = b"one\n";
    let server = serve(&[
        ("m//a.txt", one),
        ("m/./c.txt", one),
        ("m/../d.txt", one),
        ("m/b.txt", one),
        ("/lead.txt", one),
    ]);
    prints(&creel(&server, &["count", "s3://b/m/*.txt"]), "1\n");
    prints(&creel(&server, &["count", "s3://b/m/**"]), "4\n");
    prints(&creel(&server, &["count", "s3://b/m/"]), "4\n");
    prints(&creel(&server, &["count", "s3://b/**"]), "5\n");
    prints(&creel(&server, &["count", "s3://b"]), "5\n");
    prints(&creel(&server, &["count", "s3://b/m//*"]), "1\n");
    for key in ["m//a.txt", "m/./c.txt", "m/../d.txt", "m/b.txt", "/lead.txt"] {
        prints(&creel(&server, &["count", &format!("s3://b/{key}")]), "1\n");
    }
    let listed = creel(&server, &["-n", "count", "s3://b/m/**"]);
    assert!(text(&listed.stdout).contains("4\ts3://b/m/../d.txt\n"), "{}", text(&listed.stdout));
}

#[test]
fn no_key_of_dots_and_slashes_is_passed_over_in_silence() {
    let one: &[u8] = b"one\n";
    let keys = ["/", "//", "a/.", "a/..", "a/../b", "./b", "../b", "/x", "x/"];
    let objects: Vec<_> = keys.iter().map(|key| (*key, one)).collect();
    let server = serve(&objects);
    prints(&creel(&server, &["count", "s3://b/**"]), "9\n");
    prints(&creel(&server, &["count", "s3://b"]), "9\n");
    prints(&creel(&server, &["count", "s3://b/a/*"]), "2\n");
    prints(&creel(&server, &["count", "s3://b/x/"]), "1\n");
    // No URL names these: each client on the way would resolve it.
    for key in [".", ".."] {
        let server = serve(&[(key, one), ("a", one)]);
        for pattern in ["s3://b/**", "s3://b/*"] {
            let output = creel(&server, &["--on-missing", "fail", "count", pattern]);
            fails(&output, 3, &[&format!("s3://b/{key} (byte 0): "), "cannot be spelled in a URL"]);
        }
        let skipped = creel(&server, &["--on-missing", "skip", "count", "s3://b/**"]);
        assert_eq!((text(&skipped.stdout), skipped.status.code()), ("1\n", Some(0)));
    }
}

#[test]
fn any_character_of_a_key_arrives() {
    let keys = [
        "a b+c&d=e?f#g%20h%.txt",
        "\u{1}\u{7f}\t\n\r.txt",
        "ü/日本/\u{1f980}.txt",
        "\\ \" ' < > ; : @ $ , | ^ ` ~ .txt",
        "x//",
        "-",
        "x/.hidden",
        &"k".repeat(1024),
        &"d/".repeat(511),
    ];
    let objects: Vec<_> = keys.iter().map(|key| (*key, &b"a line\n"[..])).collect();
    let server = serve(&objects);
    for key in keys {
        let url = format!("s3://b/{key}");
        // A slash at the end names a folder, and these are wildcards.
        if !key.ends_with('/') && !key.contains(['?', '*', '[']) {
            prints(&creel(&server, &["count", &url]), "1\n");
        }
    }
    // All but the hidden one.
    prints(&creel(&server, &["count", "s3://b/**"]), "8\n");
    prints(&creel(&server, &["count", "s3://b/x/.h*"]), "1\n");
    let output = creel(&server, &["count", "s3://b/no\u{1b}such"]);
    fails(&output, 3, &["s3://b/no\\x1bsuch"]);
}

#[test]
fn folder_markers_are_no_objects_unless_they_hold_something() {
    let server = serve(&[("m/", b""), ("m/n/", b""), ("m/o/", b"text\n"), ("m/p", b"more\n")]);
    prints(&creel(&server, &["count", "s3://b/m/**"]), "2\n");
    prints(&creel(&server, &["count", "s3://b/m/p"]), "1\n");
    fails(&creel(&server, &["count", "s3://b/m/n/"]), 3, &["not found"]);
}

#[test]
fn an_object_with_the_name_of_a_folder_is_one_of_those_in_it() {
    let server = serve(&[
        ("x/", b"marker\n"),
        ("x/a", b"1\n2\n"),
        ("x/y/b", b"1\n2\n3\n4\n"),
        ("[f]/", b"marker\n"),
        ("[f]/a", b"1\n2\n"),
        ("{p,q}/", b"marker\n"),
        ("p/a", b"1\n2\n"),
        ("q/", b""),
        ("q/a", b"1\n2\n3\n4\n"),
        ("alone/", b"1\n2\n"),
    ]);
    for (source, lines) in [
        ("x/", "7\n"),
        ("x/**", "7\n"),
        ("{x,y}/", "7\n"),
        ("x/y/", "4\n"),
        ("[f]/", "3\n"),
        ("{p,q}/", "6\n"),
        ("q/", "4\n"),
        ("alone/", "2\n"),
    ] {
        prints(&creel(&server, &["count", &format!("s3://b/{source}")]), lines);
    }
    let named = creel(&server, &["-n", "count", "s3://b/x/"]);
    assert_eq!(text(&named.stdout), "7\ts3://b/x/\n4\ts3://b/x/a\n8\ts3://b/x/y/b\n");
}

#[test]
fn a_name_with_wildcards_is_taken_as_it_stands_if_there_is_one() {
    let server = serve(&[
        ("m/a[1].txt", b"one\n"),
        ("m/a1.txt", b"one\ntwo\n"),
        ("m/[b].txt", b"one\n"),
        ("m/q?.txt", b"one\n"),
        ("m/qq.txt", b"1\n2\n3\n"),
        ("m/{x,y}.txt", b"one\n"),
        ("m/x.txt", b"1\n2\n"),
        ("[f]/g.txt", b"one\n"),
        ("f/g.txt", b"1\n2\n"),
    ]);
    for name in ["m/a[1].txt", "m/[b].txt", "m/q?.txt", "m/{x,y}.txt", "[f]/", "m/[[]b].txt"] {
        prints(&creel(&server, &["count", &format!("s3://b/{name}")]), "1\n");
    }
    prints(&creel(&server, &["count", "s3://b/m/a[12].txt"]), "2\n");
    fails(&creel(&server, &["count", "s3://b/m/c[1].txt"]), 3, &["no object matches", "[[]1]"]);
}

#[test]
fn a_plain_name_is_one_request() {
    let server = serve(&[("m/b.txt", b"one\n"), ("m//c.txt", b"one\n")]);
    prints(&creel(&server, &["count", "s3://b/m/b.txt"]), "1\n");
    prints(&creel(&server, &["count", "s3://b/m//c.txt"]), "1\n");
    let seen = server.seen();
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen.iter().all(|request| request.method == "GET"), "{seen:?}");
}

#[test]
fn missing_and_forbidden_objects_are_named_and_the_others_are_read() {
    let bucket = Bucket::new(&[("m/a", b"one\n"), ("m/b", b"two\n"), ("m/c", b"three\n")]);
    let server = Server::start(move |request, _| match request.path().as_str() {
        "/b/m/b" => {
            crate::server::Reply::new(403, "<Error><Code>InvalidObjectState</Code></Error>")
        }
        _ => bucket.answer(request),
    });
    let run = |how: &str, source: &[&str]| {
        creel(&server, &[&["--on-missing", how, "count"], source].concat())
    };
    for sources in [&["s3://b/m/*"][..], &["s3://b/m/a", "s3://b/m/b", "s3://b/m/c"]] {
        let output = run("report", sources);
        assert_eq!((text(&output.stdout), output.status.code()), ("2\n", Some(3)));
        let told = text(&output.stderr);
        assert!(told.starts_with("creel: s3://b/m/b: permission denied"), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
        fails(&run("fail", sources), 3, &["s3://b/m/b"]);
        assert_eq!(run("skip", sources).status.code(), Some(0));
    }
    let output = run("report", &["s3://b/m/d", "s3://b/m/a", "s3://b/n/*"]);
    assert_eq!((text(&output.stdout), output.status.code()), ("1\n", Some(3)));
    let told: Vec<_> = text(&output.stderr).lines().collect();
    assert!(told[0].contains("s3://b/m/d") && told[1].contains("s3://b/n/*"), "{told:?}");
    fails(&run("report", &["s3://b/m/d"]), 3, &["s3://b/m/d: not found"]);
}
