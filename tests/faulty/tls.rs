//! Redirects from a server that encrypts: to where a request is sent on, and what goes along.
//!
//! The certificate in `tls/` is for 127.0.0.1, signs itself, and is trusted by nobody but these tests.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::run::{Ran, creel_in};

const SECRET: &str = "S3CRETq7";

/// A server that sends those who ask for `/from` or a bucket on, and gives all others a line.
struct Server {
    addr: SocketAddr,
    asked: Arc<Mutex<String>>,
}

impl Server {
    fn start(encrypts: bool, to: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("a bound address");
        let asked = Arc::new(Mutex::new(String::new()));
        let log = Arc::clone(&asked);
        let config = encrypts.then(config);
        // Until the test binary ends.
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                // A client that goes away is its own affair.
                let _ = match &config {
                    None => answer(connection, to.as_deref(), &log),
                    Some(config) => ServerConnection::new(Arc::clone(config))
                        .map_err(std::io::Error::other)
                        .and_then(|tls| {
                            answer(StreamOwned::new(tls, connection), to.as_deref(), &log)
                        }),
                };
            }
        });
        Self { addr, asked }
    }

    fn asked(&self) -> String {
        self.asked.lock().expect("no panic in the server").clone()
    }
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faulty/tls"))
}

fn config() -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_file(folder().join("certificate.pem"));
    let key = PrivateKeyDer::from_pem_file(folder().join("key.pem"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.expect("a certificate")], key.expect("a key"));
    Arc::new(config.expect("a certificate with its key"))
}

fn answer(
    stream: impl std::io::Read + Write,
    to: Option<&str>,
    log: &Mutex<String>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        if stream.read_line(&mut request)? == 0 {
            return Ok(());
        }
    }
    log.lock().expect("no panic in the server").push_str(&request);
    let sends_on = request.contains(" /from") || request.contains(" /b");
    let said = match to.filter(|_| sends_on) {
        Some(to) => format!("302 Found\r\nLocation: {to}\r\nContent-Length: 0"),
        None => "200 OK\r\nETag: \"1\"\r\nContent-Length: 5".to_owned(),
    };
    let body = if said.starts_with("200") { "line\n" } else { "" };
    let said = format!("HTTP/1.1 {said}\r\nConnection: close\r\n\r\n{body}");
    stream.get_mut().write_all(said.as_bytes())?;
    stream.get_mut().flush()
}

fn creel(variables: &[(&str, &str)], url: &str) -> Ran {
    let trusted = folder().join("certificate.pem");
    let trusted = [("SSL_CERT_FILE", trusted.to_str().expect("UTF-8"))];
    creel_in(&[&trusted, variables].concat(), &["count", url])
}

/// A server that encrypts and sends on to this one, and what a read of it says.
fn sent_on(to: &str) -> (Server, Ran) {
    let first = Server::start(true, Some(to.to_owned()));
    let ran = creel(&[], &format!("https://{}/from?X-Amz-Signature={SECRET}", first.addr));
    assert!(first.asked().contains(SECRET), "{}", ran.err);
    assert!(!ran.err.contains(SECRET), "{}", ran.err);
    (first, ran)
}

#[test]
fn no_redirect_leads_from_https_to_http() {
    let target = Server::start(false, None);
    let (_, ran) = sent_on(&format!("http://{}/to", target.addr));
    assert_eq!((ran.code, target.asked()), (Some(3), String::new()), "{}", ran.err);
    assert!(ran.err.contains("from https to an address that is not https"), "{}", ran.err);
}

#[test]
fn a_redirect_to_another_host_that_encrypts_takes_no_secret_along() {
    let target = Server::start(true, None);
    let (_, ran) = sent_on(&format!("https://{}/to", target.addr));
    assert_eq!((ran.code, &*ran.out), (Some(0), &b"1\n"[..]), "{}", ran.err);
    let asked = target.asked().to_ascii_lowercase();
    assert!(asked.contains("get /to"), "{asked}");
    for word in ["s3cret", "referer", "authorization", "cookie"] {
        assert!(!asked.contains(word), "{asked}");
    }
}

#[test]
fn a_redirect_on_the_same_host_is_followed() {
    let (first, ran) = sent_on("/to");
    assert_eq!((ran.code, &*ran.out), (Some(0), &b"1\n"[..]), "{}", ran.err);
    assert!(first.asked().contains("/to"), "{}", first.asked());
}

#[test]
fn a_signed_request_goes_to_no_other_host_and_to_none_that_does_not_encrypt() {
    for encrypts in [false, true] {
        let target = Server::start(encrypts, None);
        let scheme = if encrypts { "https" } else { "http" };
        let first = Server::start(true, Some(format!("{scheme}://{}/b/x", target.addr)));
        let endpoint = format!("https://{}", first.addr);
        let variables = [
            ("AWS_ENDPOINT", endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "tester"),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("AWS_SESSION_TOKEN", SECRET),
        ];
        for url in ["s3://b/x", "s3://b/*"] {
            let ran = creel(&variables, url);
            assert_eq!((ran.code, target.asked()), (Some(3), String::new()), "{}", ran.err);
            assert!(ran.err.contains("redirect leads"), "{}", ran.err);
            assert!(!ran.err.contains(SECRET), "{}", ran.err);
        }
        assert!(first.asked().contains(SECRET), "the store itself is told");
    }
}

#[test]
fn a_server_whose_certificate_nobody_trusts_is_not_asked() {
    let server = Server::start(true, None);
    let ran = creel_in(&[], &["count", &format!("https://{}/a?{SECRET}", server.addr)]);
    assert_eq!((ran.code, server.asked()), (Some(3), String::new()), "{}", ran.err);
    assert!(!ran.err.contains(SECRET), "{}", ran.err);
}
