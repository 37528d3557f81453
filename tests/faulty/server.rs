//! A server on loopback that is each kind of store, and lies on purpose.
//!
//! It holds a bucket of a few objects, lists them on two pages, and gives ranges of them, as S3,
//! Google Cloud Storage, Azure and plain HTTP do. One fault changes some of its answers.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use crc_fast::CrcAlgorithm::Crc32Iscsi;
use crc_fast::checksum;
use md5::Digest;

/// Keys and objects.
pub(crate) type Objects = Arc<Vec<(&'static str, Vec<u8>)>>;

/// The protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    S3,
    Gcs,
    Azure,
    Http,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    Object,
    /// Only the head of an answer with the object.
    Head,
    Page,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) query: String,
    is_head: bool,
    headers: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// First byte, and the one behind the last.
    pub(crate) fn range(&self) -> Option<(usize, usize)> {
        let range = self.header("x-ms-range").or_else(|| self.header("range"))?;
        let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
        Some((from.parse().ok()?, to.parse::<usize>().map_or(usize::MAX, |to| to + 1)))
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
    }

    pub(crate) fn asks(&self) -> Asks {
        let listing = ["list-type", "comp"].iter().any(|name| self.parameter(name).is_some());
        match listing {
            true => Asks::Page,
            false if self.is_head => Asks::Head,
            false => Asks::Object,
        }
    }
}

/// An answer, as it goes out: each part may be made wrong by itself.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: String,
    /// But for the length.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) length: Length,
    /// What goes out before the status line.
    pub(crate) before: Vec<u8>,
    /// The connection breaks after so many bytes of all.
    pub(crate) cut: Option<Cut>,
    pub(crate) pace: Pace,
    /// Its body is only what the length is that of.
    pub(crate) is_head: bool,
}

/// How the end of a body is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Length {
    /// By its true length.
    True,
    /// By these header lines.
    Said(Vec<String>),
    /// By chunks of this size.
    Chunked(usize),
    /// By chunks, of which the last one lacks.
    Endless(usize),
    /// By the end of the connection.
    Close,
}

/// Where a connection breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// In the head.
    Head,
    /// After this part of the body, in hundredths.
    Body(usize),
}

/// How fast an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Fast,
    /// A byte now and then, after the head.
    Drip,
    /// Nothing more after half of the body.
    Stall,
    /// No head.
    Silent,
}

impl Reply {
    pub(crate) fn new(status: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: status.to_owned(),
            headers: Vec::new(),
            body: body.into(),
            length: Length::True,
            before: Vec::new(),
            cut: None,
            pace: Pace::Fast,
            is_head: false,
        }
    }

    pub(crate) fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// Takes a header away, and puts in others of this name.
    pub(crate) fn set(&mut self, name: &str, values: &[&str]) {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self.headers.extend(values.iter().map(|value| (name.to_owned(), (*value).to_owned())));
    }

    /// The bytes of the head and of the body.
    fn bytes(&self) -> (Vec<u8>, Vec<u8>) {
        let mut head = self.before.clone();
        head.extend(format!("HTTP/1.1 {}\r\n", self.status).bytes());
        let mut body = self.body.clone();
        let chunk = |size: usize, end: &[u8]| {
            let chunks = self.body.chunks(size.max(1)).flat_map(|chunk| {
                [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat()
            });
            chunks.chain(end.iter().copied()).collect()
        };
        match &self.length {
            Length::True => head.extend(format!("Content-Length: {}\r\n", body.len()).bytes()),
            Length::Said(lines) => {
                lines.iter().for_each(|line| head.extend(format!("{line}\r\n").bytes()));
            }
            Length::Chunked(size) | Length::Endless(size) => {
                head.extend(b"Transfer-Encoding: chunked\r\n");
                let end: &[u8] =
                    if matches!(self.length, Length::Chunked(_)) { b"0\r\n\r\n" } else { b"" };
                body = chunk(*size, end);
            }
            Length::Close => head.extend(b"Connection: close\r\n"),
        }
        for (name, value) in &self.headers {
            head.extend(format!("{name}: {value}\r\n").bytes());
        }
        head.extend(b"\r\n");
        if self.is_head {
            body.clear();
        }
        (head, body)
    }

    /// Sends it; whether the connection can be used again.
    fn send(&self, to: &TcpStream, stop: &AtomicBool) -> std::io::Result<bool> {
        let (head, body) = self.bytes();
        let hold = || {
            // The client is the one to give up.
            for _ in 0..3000 {
                if stop.load(SeqCst) || is_gone(to) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        };
        if self.pace == Pace::Silent {
            hold();
            return Ok(false);
        }
        let mut out = to;
        if self.cut == Some(Cut::Head) {
            out.write_all(&head[..head.len() / 2])?;
            return Ok(false);
        }
        out.write_all(&head)?;
        match (self.pace, self.cut) {
            (Pace::Drip, _) => {
                for byte in body.chunks(1) {
                    out.write_all(byte)?;
                    std::thread::sleep(Duration::from_millis(100));
                    if stop.load(SeqCst) {
                        break;
                    }
                }
                return Ok(false);
            }
            (Pace::Stall, _) => {
                out.write_all(&body[..body.len() / 2])?;
                hold();
                return Ok(false);
            }
            (_, Some(Cut::Body(part))) => {
                out.write_all(&body[..body.len() * part / 100])?;
                return Ok(false);
            }
            _ => out.write_all(&body)?,
        }
        Ok(matches!(self.length, Length::True | Length::Said(_) | Length::Chunked(_)))
    }
}

fn is_gone(connection: &TcpStream) -> bool {
    let waits = connection.set_nonblocking(true);
    let gone = matches!(connection.peek(&mut [0]), Ok(0));
    let back = connection.set_nonblocking(false);
    gone || waits.is_err() || back.is_err()
}

/// Makes an answer wrong.
pub(crate) type Change = Arc<dyn Fn(&Request, &mut Reply) + Send + Sync>;

/// Which answers a fault changes: of those to this kind of request, `skip` pass, `times` are hit.
#[derive(Clone)]
pub(crate) struct Rule {
    pub(crate) asks: Asks,
    pub(crate) skip: usize,
    pub(crate) times: usize,
    pub(crate) fault: Change,
}

/// The server; it stops when it is dropped.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    kind: Kind,
    objects: Objects,
    rule: Option<Rule>,
    hits: AtomicUsize,
    seen: Mutex<Vec<Request>>,
    stop: AtomicBool,
}

impl Server {
    pub(crate) fn start(kind: Kind, objects: &Objects, rule: Option<Rule>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("a bound address");
        let shared = Arc::new(Shared {
            kind,
            objects: Arc::clone(objects),
            rule,
            hits: AtomicUsize::new(0),
            seen: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let for_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                if for_thread.stop.load(SeqCst) {
                    return;
                }
                let shared = Arc::clone(&for_thread);
                // A client that goes away is its own affair.
                std::thread::spawn(move || connection.and_then(|c| shared.serve(c)));
            }
        });
        Self { addr, shared }
    }

    /// What the command has to be told, and what goes before a key.
    pub(crate) fn environment(&self) -> (Vec<(&'static str, String)>, String) {
        let at = format!("http://{}", self.addr);
        match self.shared.kind {
            Kind::S3 => (
                vec![
                    ("AWS_ENDPOINT", at),
                    ("AWS_ALLOW_HTTP", "true".to_owned()),
                    ("AWS_REGION", "us-east-1".to_owned()),
                    ("AWS_ACCESS_KEY_ID", "tester".to_owned()),
                    ("AWS_SECRET_ACCESS_KEY", "not-to-be-shown".to_owned()),
                ],
                "s3://bucket/".to_owned(),
            ),
            Kind::Gcs => (
                vec![
                    ("GOOGLE_BASE_URL", at.clone()),
                    ("GOOGLE_ALLOW_HTTP", "true".to_owned()),
                    (
                        "GOOGLE_SERVICE_ACCOUNT_KEY",
                        format!(
                            r#"{{"gcs_base_url":"{at}","disable_oauth":true,"client_email":"","private_key":"","private_key_id":""}}"#
                        ),
                    ),
                ],
                "gs://bucket/".to_owned(),
            ),
            Kind::Azure => (
                vec![
                    ("AZURE_ENDPOINT", format!("{at}/account")),
                    ("AZURE_ALLOW_HTTP", "true".to_owned()),
                    ("AZURE_STORAGE_ACCOUNT_NAME", "account".to_owned()),
                    ("AZURE_STORAGE_ACCOUNT_KEY", "bm90LXRvLWJlLXNob3du".to_owned()),
                ],
                "az://bucket/".to_owned(),
            ),
            Kind::Http => (Vec::new(), format!("{at}/bucket/")),
        }
    }

    pub(crate) fn seen(&self) -> Vec<Request> {
        self.shared.seen.lock().expect("no panic in the server").clone()
    }

    /// How many answers were changed.
    pub(crate) fn hits(&self) -> usize {
        self.shared.hits.load(SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        // Wakes the one that waits for a connection.
        let _ = TcpStream::connect(self.addr);
    }
}

impl Shared {
    fn serve(&self, connection: TcpStream) -> std::io::Result<()> {
        connection.set_nodelay(true)?;
        let mut lines = BufReader::new(connection.try_clone()?).lines();
        loop {
            let Some(Ok(line)) = lines.next() else { return Ok(()) };
            let mut headers = Vec::new();
            for line in lines.by_ref() {
                let line = line?;
                let Some((name, value)) = line.split_once(':') else { break };
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
            let target = line.split(' ').nth(1).unwrap_or_default();
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            // The only character of the keys here that some clients encode.
            let path = path.replace("%2E", ".");
            let request = Request {
                path,
                query: query.to_owned(),
                is_head: line.starts_with("HEAD "),
                headers,
            };
            let mut reply = self.right(&request);
            let before = {
                let mut seen = self.seen.lock().expect("no panic in the server");
                let same = seen.iter().filter(|before| before.asks() == request.asks()).count();
                seen.push(request.clone());
                same
            };
            if let Some(rule) = &self.rule
                && rule.asks == request.asks()
                && (rule.skip..rule.skip.saturating_add(rule.times)).contains(&before)
            {
                self.hits.fetch_add(1, SeqCst);
                (rule.fault)(&request, &mut reply);
            }
            reply.is_head = request.is_head;
            if !reply.send(&connection, &self.stop)? {
                return connection.shutdown(std::net::Shutdown::Both);
            }
        }
    }

    /// The answer as a good server gives it.
    fn right(&self, request: &Request) -> Reply {
        if request.asks() == Asks::Page {
            return self.page(request);
        }
        let key = request.path.rsplit('/').next().unwrap_or_default();
        let Some((_, object)) = self.objects.iter().find(|(name, _)| *name == key) else {
            return Reply::new("404 Not Found", "<Error><Code>NoSuchKey</Code></Error>");
        };
        let tag = format!("\"{}\"", tag(key));
        if request.header("if-match").is_some_and(|asked| asked != tag) {
            return Reply::new("412 Precondition Failed", "");
        }
        let reply = match request.range() {
            None => Reply::new("200 OK", object.as_slice()),
            Some((from, _)) if from >= object.len() => {
                return Reply::new("416 Range Not Satisfiable", "")
                    .header("Content-Range", format!("bytes */{}", object.len()));
            }
            Some((from, to)) => {
                let to = to.min(object.len());
                Reply::new("206 Partial Content", &object[from..to])
                    .header("Content-Range", format!("bytes {from}-{}/{}", to - 1, object.len()))
            }
        };
        let reply = reply.header("ETag", tag);
        let reply = reply.header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT");
        let crc = BASE64_STANDARD.encode((checksum(Crc32Iscsi, object) as u32).to_be_bytes());
        match self.kind {
            // Of a part it tells none.
            Kind::S3
                if request.header("x-amz-checksum-mode") == Some("ENABLED")
                    && request.range().is_none() =>
            {
                reply.header("x-amz-checksum-crc32c", crc)
            }
            Kind::Gcs => reply.header("x-goog-hash", format!("crc32c={crc}")),
            Kind::Azure => {
                let sum = BASE64_STANDARD.encode(md5::Md5::digest(object));
                reply.header("x-ms-blob-content-md5", sum)
            }
            _ => reply,
        }
    }

    /// The first object on the first page, the others on the second.
    fn page(&self, request: &Request) -> Reply {
        let azure = self.kind == Kind::Azure;
        let token = request.parameter(if azure { "marker" } else { "continuation-token" });
        let prefix = request.parameter("prefix").unwrap_or_default();
        let found = self.objects.iter().filter(|(key, _)| key.starts_with(prefix)).cloned();
        let mut first: Vec<_> = found.collect();
        let second = first.split_off(first.len().min(1));
        let (objects, next) = match token {
            None => (first, Some("second")),
            Some(_) => (second, None),
        };
        let body = if azure { container(&objects, next) } else { bucket(&objects, next) };
        Reply::new("200 OK", body).header("Content-Type", "application/xml")
    }
}

fn tag(key: &str) -> String {
    format!("tag-of-{key}")
}

fn bucket(objects: &[(&str, Vec<u8>)], next: Option<&str>) -> String {
    let mut body = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult>");
    for (key, object) in objects {
        let (tag, size) = (tag(key), object.len());
        body += &format!(
            "<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
             <ETag>&quot;{tag}&quot;</ETag><Size>{size}</Size></Contents>"
        );
    }
    match next {
        Some(token) => {
            body += "<IsTruncated>true</IsTruncated><NextContinuationToken>";
            body += token;
            body += "</NextContinuationToken>";
        }
        None => body += "<IsTruncated>false</IsTruncated>",
    }
    body + "</ListBucketResult>"
}

fn container(objects: &[(&str, Vec<u8>)], next: Option<&str>) -> String {
    let mut body =
        String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs>");
    for (key, object) in objects {
        let (tag, size) = (tag(key), object.len());
        body += &format!(
            "<Blob><Name>{key}</Name><Properties>\
             <Last-Modified>Thu, 01 Jan 2026 00:00:00 GMT</Last-Modified><Etag>{tag}</Etag>\
             <Content-Length>{size}</Content-Length><Content-Type>text/plain</Content-Type>\
             <BlobType>BlockBlob</BlobType></Properties></Blob>"
        );
    }
    body + "</Blobs><NextMarker>" + next.unwrap_or_default() + "</NextMarker></EnumerationResults>"
}
