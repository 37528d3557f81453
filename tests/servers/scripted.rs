//! An object store on loopback that answers as a script tells it.
//!
//! It speaks as much of S3, GCS, Azure and plain HTTP as a reader needs: listings in pages of two keys,
//! whole objects and ranges. A script is given each request and the honest answer to it, and returns
//! what is sent instead.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::http::Head;

/// What a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    S3,
    Gcs,
    Azure,
    Http,
}

impl Protocol {
    pub(crate) const ALL: [Self; 4] = [Self::S3, Self::Gcs, Self::Azure, Self::Http];

    pub(crate) fn lists(self) -> bool {
        self != Self::Http
    }
}

/// A request, as far as a script needs it.
#[derive(Debug, Clone)]
#[allow(dead_code, reason = "not every script looks at all of it")]
pub(crate) struct Request {
    pub(crate) is_listing: bool,
    /// How many of this kind (listings, or others) came before it.
    pub(crate) number: usize,
    /// The range that is asked for, its end not included.
    pub(crate) range: Option<(u64, u64)>,
    pub(crate) line: String,
    pub(crate) headers: Vec<String>,
}

/// An answer, honest or not.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: String,
    /// All headers but the length.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The Content-Length that is sent; that of the body, if there is none.
    pub(crate) length: Option<u64>,
    /// How many bytes of the whole answer are sent before the connection breaks; all, if there is none.
    pub(crate) sent: Option<usize>,
    /// In chunks, without a length.
    pub(crate) chunked: bool,
}

impl Answer {
    pub(crate) fn new(status: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: status.to_owned(),
            headers: Vec::new(),
            body: body.into(),
            length: None,
            sent: None,
            chunked: false,
        }
    }

    /// Puts a header in the place of all of that name; an empty value leaves it out.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        if !value.is_empty() {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// How many bytes there are before the body.
    pub(crate) fn length_of_head(&self) -> usize {
        Self { body: Vec::new(), length: Some(self.body.len() as u64), sent: None, ..self.clone() }
            .bytes()
            .len()
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = format!("HTTP/1.1 {}\r\n", self.status).into_bytes();
        let mut line = |name: &str, value: &str| out.extend(format!("{name}: {value}\r\n").bytes());
        self.headers.iter().for_each(|(name, value)| line(name, value));
        if self.chunked {
            line("Transfer-Encoding", "chunked");
        } else {
            line("Content-Length", &self.length.unwrap_or(self.body.len() as u64).to_string());
        }
        out.extend(b"\r\n");
        if self.chunked {
            for chunk in self.body.chunks(1000) {
                out.extend(format!("{:x}\r\n", chunk.len()).bytes());
                out.extend(chunk);
                out.extend(b"\r\n");
            }
            out.extend(b"0\r\n\r\n");
        } else {
            out.extend(&self.body);
        }
        out.truncate(self.sent.unwrap_or(usize::MAX));
        out
    }
}

/// What a server does with a request and the honest answer to it.
pub(crate) type Script = Arc<dyn Fn(&Request, Answer) -> Answer + Send + Sync>;

/// A running server; it stops when dropped.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    protocol: Protocol,
    objects: BTreeMap<String, Vec<u8>>,
    script: Script,
    listings: AtomicUsize,
    reads: AtomicUsize,
    seen: Mutex<Vec<Request>>,
    stopped: AtomicBool,
}

/// The bucket, and the account that it is in.
const BUCKET: &str = "bucket";
const ACCOUNT: &str = "account";

impl Server {
    /// Starts a server of these objects.
    pub(crate) fn start(
        protocol: Protocol,
        objects: &[(&str, &[u8])],
        script: impl Fn(&Request, Answer) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free loopback port");
        let addr = listener.local_addr().expect("a bound address");
        let objects = objects.iter().map(|(key, bytes)| ((*key).to_owned(), bytes.to_vec()));
        let shared = Arc::new(Shared {
            protocol,
            objects: objects.collect(),
            script: Arc::new(script),
            listings: AtomicUsize::new(0),
            reads: AtomicUsize::new(0),
            seen: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let for_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if for_thread.stopped.load(SeqCst) {
                    return;
                }
                let shared = Arc::clone(&for_thread);
                // A broken connection is the client's to report.
                std::thread::spawn(move || stream.and_then(|stream| shared.serve(stream)));
            }
        });
        Self { addr, shared }
    }

    /// The source that names all objects below a prefix, or one object where nothing is listed.
    pub(crate) fn url(&self, name: &str) -> String {
        match self.shared.protocol {
            Protocol::S3 => format!("s3://{BUCKET}/{name}"),
            Protocol::Gcs => format!("gs://{BUCKET}/{name}"),
            Protocol::Azure => format!("az://{BUCKET}/{name}"),
            Protocol::Http => format!("http://{}/{name}", self.addr),
        }
    }

    /// Everything that was asked for so far.
    #[allow(dead_code, reason = "not every test looks at it")]
    pub(crate) fn seen(&self) -> Vec<Request> {
        self.shared.seen.lock().expect("no panic").clone()
    }

    /// The command, with these arguments, in an environment that knows only this server.
    pub(crate) fn creel(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_creel"));
        command.args(arguments).env_clear().env("HOME", "/nonexistent");
        // Waits between attempts are short; there are as many attempts.
        command.env("CREEL_PATIENCE", "0.01");
        // Where clouds answer who a machine is: nothing listens there on this one.
        command.env("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9");
        command.env("GCE_METADATA_HOST", "127.0.0.1:9").env("GCE_METADATA_IP", "127.0.0.1:9");
        let endpoint = format!("http://{}", self.addr);
        match self.shared.protocol {
            Protocol::S3 => command.envs([
                ("AWS_ENDPOINT", &*endpoint),
                ("AWS_ALLOW_HTTP", "true"),
                ("AWS_REGION", "us-east-1"),
                ("AWS_ACCESS_KEY_ID", "tester"),
                ("AWS_SECRET_ACCESS_KEY", "not-to-be-shown"),
            ]),
            Protocol::Gcs => command.envs([
                ("GOOGLE_BASE_URL", &*endpoint),
                ("GOOGLE_ALLOW_HTTP", "true"),
                ("GOOGLE_SERVICE_ACCOUNT_KEY", &service_account(&endpoint)),
            ]),
            Protocol::Azure => command.envs([
                ("AZURE_ENDPOINT", &*format!("{endpoint}/{ACCOUNT}")),
                ("AZURE_ALLOW_HTTP", "true"),
                ("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT),
                // "not-to-be-shown", as a key is written.
                ("AZURE_STORAGE_ACCOUNT_KEY", "bm90LXRvLWJlLXNob3du"),
            ]),
            Protocol::Http => &mut command,
        };
        run(command)
    }
}

fn service_account(endpoint: &str) -> String {
    format!(
        r#"{{"gcs_base_url":"{endpoint}","disable_oauth":true,"client_email":"","private_key":"","private_key_id":""}}"#
    )
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, SeqCst);
        // Wakes the listener; if that fails it has ended.
        let _ = TcpStream::connect(self.addr);
    }
}

impl Shared {
    /// Answers the requests of a connection, one after another, until one breaks it.
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut reader = BufReader::new(client.try_clone()?);
        while let Some(head) = Head::read(&mut reader)? {
            let mut body = vec![0; head.length().unwrap_or(0) as usize];
            reader.read_exact(&mut body)?;
            let (request, honest) = self.answer(&head);
            self.seen.lock().expect("no panic").push(request.clone());
            let answer = (self.script)(&request, honest);
            let mut bytes = answer.bytes();
            if head.line.starts_with("HEAD ") {
                let end = bytes.windows(4).position(|part| part == b"\r\n\r\n");
                bytes.truncate(end.map_or(bytes.len(), |end| end + 4));
            }
            client.write_all(&bytes)?;
            let is_whole = answer.sent.is_none()
                && answer.length.is_none_or(|length| length == answer.body.len() as u64);
            if !is_whole {
                return client.shutdown(Shutdown::Both);
            }
        }
        Ok(())
    }

    fn answer(&self, head: &Head) -> (Request, Answer) {
        let target = head.line.split(' ').nth(1).unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query: BTreeMap<String, String> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.to_owned(), decoded(&value.replace('+', " "))))
            .collect();
        let is_listing = query.contains_key("list-type") || query.contains_key("comp");
        let range = head.header("x-ms-range").or_else(|| head.header("range")).and_then(range);
        let counter = if is_listing { &self.listings } else { &self.reads };
        let request = Request {
            is_listing,
            number: counter.fetch_add(1, SeqCst),
            range,
            line: head.line.clone(),
            headers: head.headers.clone(),
        };
        let path = decoded(path);
        let key = self.key(&path);
        let answer = match (is_listing, key.and_then(|key| self.objects.get(key))) {
            (true, _) => self.listing(&query),
            (false, Some(bytes)) => object(bytes, range),
            (false, None) => Answer::new("404 Not Found", ""),
        };
        (request, answer)
    }

    fn key<'p>(&self, path: &'p str) -> Option<&'p str> {
        match self.protocol {
            Protocol::S3 | Protocol::Gcs => path.strip_prefix(&format!("/{BUCKET}/")),
            Protocol::Azure => path.strip_prefix(&format!("/{ACCOUNT}/{BUCKET}/")),
            Protocol::Http => path.strip_prefix('/'),
        }
    }

    /// A page of two keys or prefixes.
    fn listing(&self, query: &BTreeMap<String, String>) -> Answer {
        let get = |name: &str| query.get(name).map_or("", String::as_str);
        let (prefix, delimiter) = (get("prefix"), get("delimiter"));
        let from = if self.protocol == Protocol::Azure {
            get("marker")
        } else {
            get("continuation-token").max(get("start-after"))
        };
        let mut names = BTreeSet::new();
        for key in self.objects.keys().filter(|key| key.starts_with(prefix)) {
            let cut =
                (!delimiter.is_empty()).then(|| key[prefix.len()..].find(delimiter)).flatten();
            names.insert(cut.map_or(&key[..], |at| &key[..prefix.len() + at + delimiter.len()]));
        }
        let mut names = names.into_iter().filter(|name| *name > from);
        let page: Vec<_> = names.by_ref().take(2).collect();
        let next = names.next().and(page.last()).map_or("", |last| *last);
        let page: String = page.into_iter().map(|name| self.entry(name)).collect();
        let body = if self.protocol == Protocol::Azure {
            format!(
                "<EnumerationResults><Blobs>{page}</Blobs><NextMarker>{next}</NextMarker></EnumerationResults>"
            )
        } else if next.is_empty() {
            format!("<ListBucketResult><IsTruncated>false</IsTruncated>{page}</ListBucketResult>")
        } else {
            format!(
                "<ListBucketResult><IsTruncated>true</IsTruncated>\
                 <NextContinuationToken>{next}</NextContinuationToken>{page}</ListBucketResult>"
            )
        };
        Answer::new("200 OK", format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{body}"))
            .set("Content-Type", "application/xml")
    }

    fn entry(&self, name: &str) -> String {
        match (self.protocol, self.objects.get(name)) {
            (Protocol::Azure, Some(bytes)) => format!(
                "<Blob><Name>{name}</Name><Properties><Last-Modified>{MODIFIED}</Last-Modified>\
                 <Etag>{}</Etag><Content-Length>{}</Content-Length>\
                 <Content-Type>text/plain</Content-Type></Properties></Blob>",
                e_tag(bytes).trim_matches('"'),
                bytes.len()
            ),
            (Protocol::Azure, None) => format!("<BlobPrefix><Name>{name}</Name></BlobPrefix>"),
            (_, Some(bytes)) => format!(
                "<Contents><Key>{name}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
                 <ETag>{}</ETag><Size>{}</Size></Contents>",
                e_tag(bytes).replace('"', "&quot;"),
                bytes.len()
            ),
            (_, None) => format!("<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>"),
        }
    }
}

const MODIFIED: &str = "Thu, 01 Jan 2026 00:00:00 GMT";

fn e_tag(bytes: &[u8]) -> String {
    let sum =
        bytes.iter().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add((*byte).into()));
    format!("\"{sum:x}\"")
}

fn object(bytes: &[u8], range: Option<(u64, u64)>) -> Answer {
    let length = bytes.len() as u64;
    let answer = match range {
        None => Answer::new("200 OK", bytes),
        Some((from, _)) if from >= length => {
            let range = format!("bytes */{length}");
            return Answer::new("416 Range Not Satisfiable", "").set("Content-Range", &range);
        }
        Some((from, to)) => {
            let to = to.min(length);
            let part = &bytes[from as usize..to as usize];
            let range = format!("bytes {from}-{}/{length}", to - 1);
            Answer::new("206 Partial Content", part).set("Content-Range", &range)
        }
    };
    let answer = answer.set("ETag", &e_tag(bytes)).set("Last-Modified", MODIFIED);
    answer.set("Content-Type", "text/plain").set("Accept-Ranges", "bytes")
}

fn range(header: &str) -> Option<(u64, u64)> {
    let (from, to) = header.strip_prefix("bytes=")?.split_once('-')?;
    let to = if to.is_empty() { u64::MAX } else { to.parse::<u64>().ok()?.checked_add(1)? };
    Some((from.parse().ok()?, to))
}

fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend(&part.as_bytes()[2..]);
            }
            None => bytes.extend(part.as_bytes()),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a run of the command gave.
#[derive(Debug)]
pub(crate) struct Ran {
    /// `None` if it did not end.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs to the end, or to the end of patience: a command that hangs is a failure.
fn run(mut command: Command) -> Ran {
    let [mut out, mut err] = [(); 2].map(|()| tempfile::tempfile().expect("a file"));
    let another = |file: &std::fs::File| file.try_clone().expect("another descriptor");
    command.stdin(Stdio::null()).stdout(another(&out)).stderr(another(&err));
    let mut child = command.spawn().expect("the command starts");
    let began = Instant::now();
    let code = loop {
        if let Some(status) = child.try_wait().expect("it can be asked") {
            break status.code();
        }
        if began.elapsed() > Duration::from_secs(90) {
            child.kill().expect("it is ours");
            child.wait().expect("it ends");
            break None;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let read = |file: &mut std::fs::File| {
        let mut bytes = Vec::new();
        io::Seek::rewind(file).expect("a file");
        file.read_to_end(&mut bytes).expect("a file");
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ran { code, out: read(&mut out), err: read(&mut err) }
}
