//! What of a web server's answers is believed, where a connection breaks between them.

use super::faults::{Answer, Server};
use super::remote_tests::{pattern, read};
use crate::Error;

#[tokio::test]
async fn bytes_skipped_after_a_cut_must_equal_those_read_before() {
    for sized in [true, false] {
        for same in [true, false] {
            let [first, then] =
                [pattern(700_000), pattern(700_251)[251 * usize::from(!same)..].to_vec()];
            let then = then[..700_000].to_vec();
            let expected = first.clone();
            let server = Server::start(move |_, n| {
                // A server that knows no ranges is asked for all.
                let whole = |object: &[u8]| match sized {
                    true => Answer::whole(object),
                    false => Answer::whole(object).unsized_body(),
                };
                match n {
                    0 => whole(&first),
                    1 => whole(&first).with("Content-Length: 700000").cut(400_000),
                    _ => whole(&then),
                }
            });
            match read(&server.url("/x")).await {
                Ok(bytes) => assert!(same && bytes == expected, "{sized}"),
                Err(error) => assert!(!same && matches!(error, Error::Changed { .. }), "{error}"),
            }
        }
    }
}

#[tokio::test]
async fn bytes_of_a_date_alone_are_not_joined_with_those_of_an_etag() {
    let date = "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT";
    // The date is to the second: two contents may have it.
    for then in ["\"2\"", ""] {
        let [first, second] = [pattern(3 << 20), pattern((3 << 20) + 7)[7..].to_vec()];
        let expected = first.clone();
        let server = Server::start(move |r, n| match n {
            0 => Answer::object(r, &first, "").with(date),
            1 => Answer::object(r, &second, "\"2\"").with(date),
            _ if then.is_empty() => Answer::object(r, &first, "").with(date),
            _ => Answer::object(r, &second, then).with(date),
        });
        match read(&server.url("/x")).await {
            // One server of several that names less may answer again.
            Ok(bytes) => assert!(then.is_empty() && bytes == expected),
            Err(error) => {
                assert!(!then.is_empty(), "{error}");
                assert!(error.to_string().contains("another does not"), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn an_answer_without_the_etag_that_another_named_is_not_used() {
    let date = "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT";
    let object = pattern(3 << 20);
    let server = Server::start(move |r, n| match n {
        0 => Answer::object(r, &object, "\"1\"").with(date),
        1 => Answer::object(r, &object, "\"1\"").with(date).cut(900_000),
        _ => Answer::object(r, &object, "\"1\"").with(date).untagged(),
    });
    let error = read(&server.url("/x")).await.unwrap_err().to_string();
    assert!(error.contains("another does not"), "{error}");
}

#[tokio::test]
async fn a_long_body_without_a_length_is_resumed_by_its_version_or_an_error() {
    for etag in ["\"1\"", ""] {
        let object = pattern(4 << 20);
        let expected = object.clone();
        let server = Server::start(move |r, n| match n {
            1 => Answer::object(r, &object, etag).unsized_body().cut(2 << 20),
            _ => Answer::object(r, &object, etag),
        });
        match read(&server.url("/x")).await {
            Ok(bytes) => assert!(!etag.is_empty() && bytes == expected),
            Err(error) => {
                assert!(etag.is_empty(), "{error}");
                assert!(error.to_string().contains("cannot be resumed"), "{error}");
            }
        }
    }
}
