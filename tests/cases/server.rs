//! A web server on loopback that does what a test says, and a bucket that it can serve.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query, as sent.
    pub(crate) target: String,
    headers: Vec<(String, String)>,
}

impl Request {
    fn read(reader: &mut impl BufRead) -> Option<Self> {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let mut words = line.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.trim_end().split_once(':') {
                Some((name, value)) => {
                    headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
                }
                None => break,
            }
        }
        let request = Self { method, target, headers };
        let length = request.header("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        Some(request)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The path, decoded.
    pub(crate) fn path(&self) -> String {
        decoded(self.target.split('?').next().unwrap_or_default())
    }

    /// A parameter of the query, decoded.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(n, _)| *n == name).map(|(_, v)| decoded(&v.replace('+', " "))).next()
    }

    /// The range that is asked for: its start, and its end (not included).
    pub(crate) fn range(&self) -> Option<(usize, usize)> {
        let range = self.header("x-ms-range").or_else(|| self.header("range"))?;
        let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
        Some((from.parse().ok()?, to.parse::<usize>().map_or(usize::MAX, |to| to + 1)))
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).filter(|_| *first == b'%');
        let hex = hex.and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// What the length is said to be, if not as it is.
    pub(crate) length: Option<usize>,
    /// Bytes of the body after which the connection ends.
    pub(crate) cut: Option<usize>,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), length: None, cut: None }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(n, _)| n != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(n, _)| n != name);
        self
    }

    /// Sends it; `false` if the connection is to end.
    fn send(&self, to: &mut TcpStream) -> bool {
        let length = self.length.unwrap_or(self.body.len());
        let mut head = format!("HTTP/1.1 {} Because\r\nContent-Length: {length}\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let body = &self.body[..self.cut.unwrap_or(usize::MAX).min(self.body.len())];
        let sent = to.write_all(head.as_bytes()).and_then(|()| to.write_all(body));
        sent.is_ok() && self.cut.is_none() && length == self.body.len()
    }
}

/// The server; it stops when it is dropped.
pub(crate) struct Server {
    addr: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
}

impl Server {
    /// Answers each request with what `answer` makes of it and of the number of those before it.
    pub(crate) fn start(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("a bound address");
        let (seen, stop) = (Arc::<Mutex<Vec<Request>>>::default(), Arc::<AtomicBool>::default());
        let server = Self { addr, seen: Arc::clone(&seen), stop: Arc::clone(&stop) };
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for connection in listener.incoming().take_while(|_| !stop.load(SeqCst)) {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                let Ok(mut connection) = connection else { continue };
                std::thread::spawn(move || {
                    let Ok(reader) = connection.try_clone() else { return };
                    let mut reader = BufReader::new(reader);
                    while let Some(request) = Request::read(&mut reader) {
                        let before = {
                            let mut seen = seen.lock().expect("no panics");
                            seen.push(request.clone());
                            seen.len() - 1
                        };
                        if !answer(&request, before).send(&mut connection) {
                            let _ = connection.shutdown(std::net::Shutdown::Both);
                            return;
                        }
                    }
                });
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().expect("no panics").clone()
    }

    /// Sets the variables with which the command finds this server as an S3 store.
    pub(crate) fn as_s3<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        no_proxies(command)
            .env("AWS_ENDPOINT", self.url())
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "key")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
    }
}

/// Without the variables of whoever runs the tests.
pub(crate) fn no_proxies(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let store = ["AWS_", "GOOGLE_", "AZURE_"].iter().any(|start| name.starts_with(start));
        if store || name.to_ascii_lowercase().ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    command
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        // Wakes the one that waits for a connection.
        let _ = TcpStream::connect(self.addr);
    }
}

/// A bucket named `b` as S3 serves it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bucket {
    pub(crate) objects: BTreeMap<String, Vec<u8>>,
    /// Keys on a page of a listing.
    pub(crate) page: usize,
}

impl Bucket {
    pub(crate) fn new(objects: &[(&str, &[u8])]) -> Self {
        let objects = objects.iter().map(|(key, bytes)| ((*key).to_owned(), bytes.to_vec()));
        Self { objects: objects.collect(), page: 1000 }
    }

    pub(crate) fn answer(&self, request: &Request) -> Reply {
        match request.query("list-type") {
            Some(_) => self.list(request),
            None => self.get(request),
        }
    }

    pub(crate) fn get(&self, request: &Request) -> Reply {
        let path = request.path();
        let key = path.strip_prefix("/b/").unwrap_or_default();
        let Some(bytes) = self.objects.get(key) else {
            let body = "<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>";
            return Reply::new(404, body);
        };
        let whole = Reply::new(200, bytes.clone());
        let reply = match request.range() {
            None => whole,
            Some((from, _)) if from >= bytes.len() => {
                Reply::new(416, "").with("Content-Range", &format!("bytes */{}", bytes.len()))
            }
            Some((from, to)) => {
                let to = to.min(bytes.len());
                let range = format!("bytes {from}-{}/{}", to - 1, bytes.len());
                Reply::new(206, &bytes[from..to]).with("Content-Range", &range)
            }
        };
        reply.with("ETag", "\"e\"").with("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
    }

    pub(crate) fn list(&self, request: &Request) -> Reply {
        let prefix = request.query("prefix").unwrap_or_default();
        let level = request.query("delimiter").is_some();
        let keys: Vec<_> = self
            .objects
            .keys()
            .filter(|key| key.starts_with(&prefix))
            .filter(|key| !level || !key[prefix.len()..].contains('/'))
            .collect();
        let asked = request.query("max-keys").and_then(|most| most.parse().ok());
        let from = request.query("continuation-token").and_then(|from| from.parse().ok());
        let from: usize = from.unwrap_or(0);
        let to = keys.len().min(from + asked.unwrap_or(self.page).min(self.page));
        let mut page = String::from("<?xml version=\"1.0\"?><ListBucketResult>");
        if to < keys.len() {
            page.push_str("<IsTruncated>true</IsTruncated>");
            page.push_str(&format!("<NextContinuationToken>{to}</NextContinuationToken>"));
        } else {
            page.push_str("<IsTruncated>false</IsTruncated>");
        }
        for key in &keys[from..to] {
            page.push_str(&format!(
                "<Contents><Key>{}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
                 <ETag>&quot;e&quot;</ETag><Size>{}</Size></Contents>",
                escaped(key),
                self.objects[*key].len()
            ));
        }
        page.push_str("</ListBucketResult>");
        Reply::new(200, page)
    }
}

fn escaped(key: &str) -> String {
    key.chars().fold(String::new(), |mut text, c| {
        match c {
            '&' | '<' | '>' | '"' => text.push_str(&format!("&#{};", u32::from(c))),
            c if c.is_control() => text.push_str(&format!("&#{};", u32::from(c))),
            c => text.push(c),
        }
        text
    })
}
