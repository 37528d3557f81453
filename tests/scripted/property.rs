//! Whatever status, headers, lengths and bytes a server sends, the answer is right or an error.
//!
//! Left out is what nobody could know to be a lie: other bytes of the same number under the same
//! version, and the first answer of a plain HTTP server, which is all that is known of an object.

use proptest::prelude::*;

use crate::Case;
use crate::scripted::{Answer, Protocol};

#[derive(Debug, Clone)]
enum Body {
    Honest,
    Cut(u8),
    More(Vec<u8>),
    /// Fewer bytes than any part of an object has.
    Other(Vec<u8>),
}

/// What is sent instead of an honest answer.
#[derive(Debug, Clone)]
struct Lie {
    listings: bool,
    /// The requests that it is told to, a bit each; the last bit stands for all that follow.
    to: u8,
    status: Option<&'static str>,
    body: Body,
    headers: Vec<(&'static str, String)>,
    length: Option<i64>,
    sent: Option<u16>,
    chunked: bool,
}

impl Lie {
    fn tell(&self, mut answer: Answer) -> Answer {
        match &self.body {
            Body::Honest => {}
            Body::Cut(part) => {
                let length = answer.body.len() * usize::from(*part) / 256;
                answer.body.truncate(length);
            }
            Body::More(bytes) => answer.body.extend(bytes),
            Body::Other(bytes) => answer.body.clone_from(bytes),
        }
        if let Some(status) = self.status {
            answer.status = status.to_owned();
        }
        for (name, value) in &self.headers {
            answer = answer.set(name, value);
        }
        let length = self.length.map(|more| (answer.body.len() as u64).saturating_add_signed(more));
        Answer {
            length,
            sent: self.sent.map(usize::from),
            chunked: self.chunked && length.is_none(),
            ..answer
        }
    }
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        prop::sample::select(vec![
            0,
            1,
            463,
            464,
            16_383,
            16_384,
            65_999,
            66_000,
            66_001,
            u64::MAX
        ]),
        0..70_000_u64,
    ]
}

fn header() -> impl Strategy<Value = (&'static str, String)> {
    let fixed = |pairs: &[(&'static str, &str)]| {
        prop::sample::select(
            pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect::<Vec<_>>(),
        )
    };
    prop_oneof![
        (number(), number(), number())
            .prop_map(|(from, to, all)| ("Content-Range", format!("bytes {from}-{to}/{all}"))),
        "[ -~]{0,20}".prop_map(|value| ("Content-Range", value)),
        "[ -~]{0,20}".prop_map(|value| ("ETag", value)),
        "[ -~]{0,20}".prop_map(|value| ("Retry-After", value)),
        "[ -~]{0,20}".prop_map(|value| ("Content-Type", value)),
        fixed(&[
            ("Content-Range", ""),
            ("ETag", ""),
            ("ETag", "\"another\""),
            ("ETag", "W/\"weak\""),
            ("Last-Modified", ""),
            ("Last-Modified", "Fri, 02 Jan 2026 00:00:00 GMT"),
            ("Content-Encoding", "gzip"),
            ("Content-Encoding", "br"),
            ("Content-Encoding", "identity"),
            ("Content-Type", "multipart/byteranges; boundary=x"),
            ("Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA=="),
            ("x-amz-checksum-crc32c", "AAAAAA=="),
            ("x-goog-hash", "crc32c=AAAAAA=="),
            ("Connection", "close"),
            ("Location", "/elsewhere"),
            ("Location", "http://127.0.0.1:9/elsewhere"),
            ("Retry-After", "0"),
        ]),
    ]
}

fn lie() -> impl Strategy<Value = Lie> {
    let status = prop::sample::select(vec![
        "200 OK",
        "206 Partial Content",
        "204 No Content",
        "205 Reset Content",
        "301 Moved Permanently",
        "304 Not Modified",
        "307 Temporary Redirect",
        "400 Bad Request",
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "409 Conflict",
        "412 Precondition Failed",
        "416 Range Not Satisfiable",
        "429 Too Many Requests",
        "500 Internal Server Error",
        "503 Slow Down",
        "999 Never Heard",
        "20 OK",
        "",
    ]);
    let text = prop::sample::select(vec![
        "",
        "\n",
        "<html></html>",
        "<Error><Code>SlowDown</Code></Error>",
        "<ListBucketResult>",
        "--x\r\nContent-Range: bytes 0-5/6\r\n\r\nline 0\r\n--x--",
    ]);
    let body = prop_oneof![
        4 => Just(Body::Honest),
        2 => any::<u8>().prop_map(Body::Cut),
        1 => prop::collection::vec(any::<u8>(), 1..100).prop_map(Body::More),
        1 => prop::collection::vec(any::<u8>(), 0..200).prop_map(Body::Other),
        1 => text.prop_map(|text| Body::Other(text.into())),
    ];
    let length = prop_oneof![Just(1), Just(-1), -1000..1000_i64, Just(i64::MAX)];
    (
        (any::<bool>(), 1..=u8::MAX, prop::option::weighted(0.5, status), body),
        (
            prop::collection::vec(header(), 0..3),
            prop::option::weighted(0.2, length),
            prop::option::weighted(0.2, 0..20_000_u16),
            prop::bool::weighted(0.2),
        ),
    )
        .prop_map(|((listings, to, status, body), (headers, length, sent, chunked))| Lie {
            listings,
            to,
            status,
            body,
            headers,
            length,
            sent,
            chunked,
        })
}

fn check(protocol: Protocol, lie: Lie) -> Result<(), TestCaseError> {
    let case = Case::new(protocol);
    let told = format!("{lie:?}");
    let listings = lie.listings && protocol.lists();
    let first = usize::from(!protocol.lists());
    let server = case.serve(move |request, answer| {
        let hit = lie.to & 1 << request.number.min(7) != 0;
        let told = request.is_listing == listings && request.number >= first && hit;
        if told { lie.tell(answer) } else { answer }
    });
    let checked = case.check(&case.read(&server));
    prop_assert!(checked.is_ok(), "{:?}: {}", checked, told);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_s3_sends_the_answer_is_right_or_an_error(lie in lie()) {
        check(Protocol::S3, lie)?;
    }

    #[test]
    fn whatever_gcs_sends_the_answer_is_right_or_an_error(lie in lie()) {
        check(Protocol::Gcs, lie)?;
    }

    #[test]
    fn whatever_azure_sends_the_answer_is_right_or_an_error(lie in lie()) {
        check(Protocol::Azure, lie)?;
    }

    #[test]
    fn whatever_plain_http_sends_the_answer_is_right_or_an_error(lie in lie()) {
        check(Protocol::Http, lie)?;
    }
}
