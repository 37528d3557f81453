//! Servers that hand out credentials: what they say is looked at, and they are not waited for for
//! ever.

use std::sync::Arc;

use crate::matrix::objects;
use crate::run::{Ran, creel_in};
use crate::server::{Asks, Cut, Kind, Pace, Reply, Request, Rule, Server};

/// Where credentials come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    /// A container's agent, for S3.
    Container,
    /// A machine's metadata, for S3.
    Machine,
    /// A machine's metadata, for Google.
    Google,
    /// An identity endpoint, for Azure.
    Identity,
    /// A login, for Azure.
    Login,
}

const ALL: [From; 5] = [From::Container, From::Machine, From::Google, From::Identity, From::Login];

impl From {
    /// What it says where this is the token.
    fn answer(self, request: &Request, token: &str) -> Reply {
        let token = token.escape_debug().to_string().replace("\\0", "\\u0000").replace("\\'", "'");
        let body = match self {
            Self::Machine if request.path.ends_with("/api/token") => "session".to_owned(),
            Self::Machine if request.path.ends_with('/') => "role".to_owned(),
            Self::Container | Self::Machine => format!(
                r#"{{"AccessKeyId":"k","SecretAccessKey":"s","Token":"{token}","Expiration":"2999-01-01T00:00:00Z"}}"#
            ),
            Self::Google | Self::Login => {
                format!(r#"{{"access_token":"{token}","expires_in":3599,"token_type":"Bearer"}}"#)
            }
            Self::Identity => {
                format!(r#"{{"access_token":"{token}","expires_on":"32472144000"}}"#)
            }
        };
        Reply::new("200 OK", body)
    }

    /// Reads an object, or lists, with credentials of this server.
    fn run(self, credentials: &Server, glob: bool) -> Ran {
        let kind = match self {
            Self::Container | Self::Machine => Kind::S3,
            Self::Google => Kind::Gcs,
            Self::Identity | Self::Login => Kind::Azure,
        };
        let store = Server::start(kind, &objects(), None);
        let (mut variables, base) = store.environment();
        let without = ["ACCESS_KEY", "SERVICE_ACCOUNT_KEY", "ACCOUNT_KEY"];
        variables.retain(|(name, _)| without.iter().all(|part| !name.contains(part)));
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("token");
        std::fs::write(&file, "agent").expect("a file");
        let (host, at) = (credentials.addr.to_string(), format!("http://{}", credentials.addr));
        match self {
            Self::Container => variables.extend([
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{at}/x")),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.display().to_string()),
            ]),
            Self::Machine => variables.push(("AWS_METADATA_ENDPOINT", at)),
            Self::Google => {
                let names = ["GCE_METADATA_HOST", "GCE_METADATA_IP"];
                variables.extend(names.map(|name| (name, host.clone())));
            }
            Self::Identity => variables.push(("IDENTITY_ENDPOINT", format!("{at}/msi"))),
            Self::Login => variables.extend([
                ("AZURE_AUTHORITY_HOST", at),
                ("AZURE_TENANT_ID", "tenant".to_owned()),
                ("AZURE_CLIENT_ID", "client".to_owned()),
                ("AZURE_CLIENT_SECRET", "not-to-be-shown".to_owned()),
            ]),
        }
        let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
        let source = format!("{base}{}", if glob { "b*" } else { "b.txt" });
        creel_in(&variables.collect::<Vec<_>>(), &["count", &source])
    }
}

/// A server whose answers are of this making.
fn server(times: usize, answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
    let fault = Arc::new(move |request: &Request, reply: &mut Reply| *reply = answer(request));
    Server::start(Kind::Http, &objects(), Some(Rule { asks: Asks::Object, skip: 0, times, fault }))
}

/// Runs them all side by side: most of the time they wait.
fn each(from: &[From], case: impl Fn(From, bool) + Sync) {
    std::thread::scope(|scope| {
        for (&from, glob) in from.iter().flat_map(|from| [(from, false), (from, true)]) {
            let case = &case;
            scope.spawn(move || case(from, glob));
        }
    });
}

#[test]
fn white_space_at_the_ends_of_what_is_handed_out_is_cut() {
    each(&ALL, |from, glob| {
        for token in ["token", " token\r\n"] {
            let server = server(usize::MAX, move |request| {
                let mut reply = from.answer(request, token);
                reply.body.extend(b"\r\n");
                reply
            });
            let ran = from.run(&server, glob);
            assert_eq!((ran.code, &*ran.out), (Some(0), &b"2\n"[..]), "{from:?}: {}", ran.err);
        }
    });
}

#[test]
fn credentials_that_no_request_can_carry_are_errors_that_hide_them() {
    each(&ALL, |from, glob| {
        for token in ["S3CRET\nx", "S3CRET\0", "S3CRET x", "S3CR\u{c9}T"] {
            let server = server(usize::MAX, move |request| from.answer(request, token));
            let ran = from.run(&server, glob);
            assert_eq!(ran.code, Some(3), "{from:?}, {token:?}: {}", ran.err);
            assert!(ran.err.contains("that was handed out"), "{from:?}, {token:?}: {}", ran.err);
            assert!(!ran.err.contains("S3CR"), "{from:?}: {}", ran.err);
            assert_eq!(ran.err.lines().count(), 1, "{from:?}: {}", ran.err);
        }
    });
}

#[test]
fn a_name_that_makes_no_address_is_an_error() {
    for role in ["S3CRET\nx", "S3CRET x", "\0", "é"] {
        let server = server(usize::MAX, move |request| match request.path.ends_with('/') {
            true => Reply::new("200 OK", role),
            false => From::Machine.answer(request, "token"),
        });
        let ran = From::Machine.run(&server, false);
        assert_eq!(ran.code, Some(3), "{role:?}: {}", ran.err);
        assert!(ran.err.contains("handed out") && !ran.err.contains("S3C"), "{}", ran.err);
    }
}

#[test]
fn a_panic_in_a_request_is_one_error_of_the_run() {
    // A time that no clock can hold.
    each(&[From::Google, From::Login], |from, glob| {
        let server = server(usize::MAX, move |request| {
            let mut reply = from.answer(request, "token");
            let body = String::from_utf8(reply.body).expect("text");
            reply.body = body.replace("3599", &u64::MAX.to_string()).into_bytes();
            reply
        });
        let ran = from.run(&server, glob);
        assert_eq!((ran.code, &*ran.out), (Some(3), &b""[..]), "{from:?}: {}", ran.err);
        assert!(ran.err.contains("internal fault") && ran.err.contains(".rs:"), "{}", ran.err);
        assert_eq!(ran.err.lines().count(), 1, "{from:?}: {}", ran.err);
    });
}

#[test]
fn an_answer_that_breaks_off_is_asked_for_again() {
    each(&ALL, |from, glob| {
        let server = {
            let seen = std::sync::atomic::AtomicUsize::new(0);
            server(usize::MAX, move |request| {
                let mut reply = from.answer(request, "token");
                let first = seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
                reply.cut = first.then_some(Cut::Body(50));
                reply
            })
        };
        let ran = from.run(&server, glob);
        assert_eq!((ran.code, &*ran.out), (Some(0), &b"2\n"[..]), "{from:?}: {}", ran.err);
    });
}

#[test]
fn endless_and_slow_answers_are_given_up() {
    each(&ALL, |from, glob| {
        let endless = server(usize::MAX, |_| Reply::new("200 OK", vec![b'{'; 2 << 20]));
        let slow = server(usize::MAX, move |request| {
            let mut reply = from.answer(request, "token");
            reply.body.extend([b' '; 10_000]);
            reply.pace = Pace::Drip;
            reply
        });
        for (server, said) in [(endless, "too long for a credential"), (slow, "less than")] {
            let ran = from.run(&server, glob);
            assert_eq!(ran.code, Some(3), "{from:?}: {}", ran.err);
            assert!(ran.err.contains(said), "{from:?}: {}", ran.err);
        }
    });
}

#[test]
fn a_machine_without_such_a_server_is_told_at_once() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let gone = closed.local_addr().expect("an address").to_string();
    drop(closed);
    let at = format!("http://{gone}");
    for (variables, url) in [
        (&[("AWS_METADATA_ENDPOINT", at.as_str())][..], "s3://b/x"),
        (&[("GCE_METADATA_HOST", &gone), ("GCE_METADATA_IP", &gone)], "gs://b/x"),
        (&[("IDENTITY_ENDPOINT", &at), ("AZURE_STORAGE_ACCOUNT_NAME", "a")], "az://b/x"),
    ] {
        let ran = creel_in(variables, &["count", url]);
        assert_eq!(ran.code, Some(3), "{url}: {}", ran.err);
        assert!(ran.err.contains("looked at"), "{url}: {}", ran.err);
    }
}
