//! A web server on loopback that breaks in the ways that networks do, to drive the real client.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// Path and query.
    pub(super) path: String,
    /// Header lines, names in lower case.
    headers: Vec<(String, String)>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The range that is asked for: its start, and its end (not included).
    pub(super) fn range(&self) -> Option<(usize, usize)> {
        let (from, to) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        Some((from.parse().ok()?, to.parse::<usize>().map_or(usize::MAX, |to| to + 1)))
    }
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    status: u16,
    headers: Vec<String>,
    body: Vec<u8>,
    /// Bytes of the body after which the connection breaks.
    cut: usize,
    /// Whether the length of the body is told.
    sized: bool,
}

impl Answer {
    pub(super) fn status(status: u16) -> Self {
        Self::text(status, "an explanation")
    }

    pub(super) fn text(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), cut: usize::MAX, sized: true }
    }

    /// All of an object, whatever range was asked for.
    pub(super) fn whole(object: &[u8]) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: object.to_vec(),
            cut: usize::MAX,
            sized: true,
        }
    }

    /// An object as a good server gives it.
    pub(super) fn object(request: &Request, object: &[u8], etag: &str) -> Self {
        if request.header("if-match").is_some_and(|tag| tag != etag) {
            return Self::status(412);
        }
        let answer = match request.range() {
            None => Self::whole(object),
            Some((from, _)) if from >= object.len() => Self::status(416),
            Some((from, to)) => {
                let to = to.min(object.len());
                let range = format!("Content-Range: bytes {from}-{}/{}", to - 1, object.len());
                let part = Self { status: 206, ..Self::whole(&object[from..to]) };
                part.with(&range)
            }
        };
        if etag.is_empty() { answer } else { answer.with(&format!("ETag: {etag}")) }
    }

    pub(super) fn with(mut self, header: &str) -> Self {
        self.headers.push(header.to_owned());
        self
    }

    /// Without the ETag, by a server that looks at the request's all the same.
    pub(super) fn untagged(mut self) -> Self {
        self.headers.retain(|header| !header.starts_with("ETag"));
        self
    }

    /// Breaks the connection after so many bytes of the body.
    pub(super) fn cut(self, cut: usize) -> Self {
        Self { cut, ..self }
    }

    /// The body without its length.
    pub(super) fn unsized_body(self) -> Self {
        Self { sized: false, ..self }
    }

    fn send(&self, mut to: TcpStream, sent: &AtomicUsize) -> std::io::Result<()> {
        let length = self.body.len();
        write!(to, "HTTP/1.1 {} Because\r\nConnection: close\r\n", self.status)?;
        if self.sized {
            write!(to, "Content-Length: {length}\r\n")?;
        }
        for header in &self.headers {
            write!(to, "{header}\r\n")?;
        }
        to.write_all(b"\r\n")?;
        for chunk in self.body[..length.min(self.cut)].chunks(64 << 10) {
            to.write_all(chunk)?;
            sent.fetch_add(chunk.len(), Relaxed);
        }
        Ok(())
    }
}

/// The server; it stops when it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    addr: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
}

impl Server {
    /// Answers each request with what `answer` makes of it and of the number of those before it.
    pub(super) fn start(
        answer: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::counting(Arc::default(), answer)
    }

    /// The same, which counts the bytes of bodies that it could send.
    pub(super) fn counting(
        sent: Arc<AtomicUsize>,
        answer: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let stop: Arc<AtomicBool> = Arc::default();
        let server = Self { addr, seen: Arc::clone(&seen), stop: Arc::clone(&stop) };
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for connection in listener.incoming().take_while(|_| !stop.load(Relaxed)) {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                let sent = Arc::clone(&sent);
                std::thread::spawn(move || {
                    // A client that goes away is its own affair.
                    let Some((request, to)) = connection.ok().and_then(receive) else { return };
                    let before = {
                        let mut seen = seen.lock().unwrap();
                        seen.push(request.clone());
                        seen.len() - 1
                    };
                    let _ = answer(&request, before).send(to, &sent);
                });
            }
        });
        server
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// The requests so far.
    pub(super) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        // Wakes the one that waits for a connection.
        let _ = TcpStream::connect(self.addr);
    }
}

fn receive(connection: TcpStream) -> Option<(Request, TcpStream)> {
    let mut lines = BufReader::new(connection.try_clone().ok()?).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers = lines.take_while(|line| !line.is_empty()).filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    Some((Request { path, headers: headers.collect() }, connection))
}
