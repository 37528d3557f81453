//! Servers that lie: the answer is right, or an error, whatever they send.
//!
//! The server of these tests is our own and needs nothing installed, so they run with all others; see
//! `tests/servers` for the same command before real servers.

#![cfg(all(feature = "cli", feature = "s3", feature = "gcs", feature = "azure", feature = "http"))]

#[path = "../servers/http.rs"]
#[allow(dead_code, reason = "its other half is for real servers")]
mod http;
mod matrix;
mod property;
#[path = "../servers/scripted.rs"]
mod scripted;

use scripted::{Answer, Protocol, Ran, Request, Server};

/// Lines that tell where they stand: a part that is lost, doubled or of another place shows.
fn object(name: &str, lines: usize) -> Vec<u8> {
    (0..lines).map(|n| format!("line {n:06} of {name}\n")).collect::<String>().into_bytes()
}

/// What a run over objects should print.
struct Case {
    objects: Vec<(&'static str, Vec<u8>)>,
    protocol: Protocol,
}

impl Case {
    /// Three objects, so that a listing has two pages; one where nothing is listed.
    fn new(protocol: Protocol) -> Self {
        let names =
            if protocol.lists() { &["logs/a", "logs/b", "logs/c"][..] } else { &["logs/a"] };
        let objects = names.iter().map(|name| (*name, object(name, 3000)));
        Self { objects: objects.collect(), protocol }
    }

    fn expected(&self) -> String {
        let bytes =
            self.objects.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned());
        bytes.collect()
    }

    fn serve(&self, script: impl Fn(&Request, Answer) -> Answer + Send + Sync + 'static) -> Server {
        let objects: Vec<_> =
            self.objects.iter().map(|(name, bytes)| (*name, &bytes[..])).collect();
        Server::start(self.protocol, &objects, script)
    }

    /// Prints all records, in ranges smaller than the objects.
    fn read(&self, server: &Server) -> Ran {
        let name = if self.protocol.lists() { "logs/*" } else { "logs/a" };
        server.creel(&["-t", "text", "-j", "2", "--blocksize", "16k", ".", &server.url(name)])
    }

    /// Whether a run is right, or an error that says so; else what is wrong.
    fn check(&self, ran: &Ran) -> Result<(), String> {
        let expected = self.expected();
        let shown = |c: char| !c.is_control() || c == '\n';
        if ran.err.contains("internal fault") || ran.err.contains("panicked") {
            Err(format!("a panic: {}", ran.err))
        } else if ran.err.contains("not-to-be-shown") {
            Err(format!("a secret: {}", ran.err))
        } else if !ran.err.chars().all(shown) {
            Err(format!("a control character: {:?}", ran.err))
        } else {
            match ran.code {
                Some(0) if ran.out == expected => Ok(()),
                Some(0) => {
                    let (got, whole) = (ran.out.len(), expected.len());
                    Err(format!("exit code 0, and {got} bytes of {whole}: {}", ran.err))
                }
                Some(2..=4) if ran.err.starts_with("creel: ") => Ok(()),
                code => Err(format!("exit code {code:?}: {}", ran.err)),
            }
        }
    }
}

#[test]
fn honest_servers_are_read_whole() {
    for protocol in Protocol::ALL {
        let case = Case::new(protocol);
        let server = case.serve(|_, answer| answer);
        let ran = case.read(&server);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{protocol:?}");
        assert_eq!(case.check(&ran), Ok(()), "{protocol:?}");
    }
}
