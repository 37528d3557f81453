//! A loopback proxy in front of a real server: it counts requests, and breaks some on purpose.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::http::{Head, connect};

/// A request that came by.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Path and query, percent-decoded: the stores' clients encode differently.
    pub(crate) target: String,
    /// The offset at which the asked range begins.
    pub(crate) from: Option<u64>,
}

impl Seen {
    /// Asks for the content of the object whose name ends so.
    pub(crate) fn reads(&self, name: &str) -> bool {
        let path = self.target.split('?').next().unwrap_or_default();
        self.method == "GET" && path.ends_with(name)
    }
}

/// Makes an answer of a real server wrong.
pub(crate) type Change = fn(&mut Head, &mut Vec<u8>);

/// What is done to a request.
pub(crate) enum Fault {
    /// Answer with this status and an empty body.
    Status(u16),
    /// Pass the answer on, and break the connection after half of its body.
    Cut,
    /// Change the answer, head and body.
    Change(Change),
    /// Do something first, then pass the request on.
    First(Box<dyn Fn() + Send>),
}

/// Which of the requests for an object a fault hits: `skip` pass first, then `times` are hit.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) skip: usize,
    pub(crate) times: usize,
    pub(crate) fault: Fault,
}

/// The proxy; it stops when dropped.
pub(crate) struct Proxy {
    pub(crate) addr: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: SocketAddr,
    /// The name by which the server routes, where that is not the address that was connected to.
    host: Option<String>,
    seen: Mutex<Vec<Seen>>,
    rule: Mutex<Option<Rule>>,
    stopped: AtomicBool,
}

impl Proxy {
    pub(crate) fn start(upstream: SocketAddr, host: Option<String>, rule: Option<Rule>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free loopback port");
        let addr = listener.local_addr().expect("a bound address");
        let shared = Arc::new(Shared {
            upstream,
            host,
            seen: Mutex::default(),
            rule: Mutex::new(rule),
            stopped: AtomicBool::new(false),
        });
        let for_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if for_thread.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&for_thread);
                // A broken connection is the client's to report; the test looks at what it says.
                std::thread::spawn(move || stream.and_then(|stream| shared.serve(stream)));
            }
        });
        Self { addr, shared }
    }

    /// Everything that came by so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the listener; if that fails it has ended.
        let _ = TcpStream::connect(self.addr);
    }
}

/// What is done to one request, once the rule has been asked.
enum Doing {
    Pass,
    Status(u16),
    Cut,
    Change(Change),
}

impl Shared {
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(client.try_clone()?);
        let Some(mut head) = Head::read(&mut reader)? else { return Ok(()) };
        let mut body = vec![0; head.length().unwrap_or(0) as usize];
        reader.read_exact(&mut body)?;
        let seen = seen(&head);
        let doing = self.meet(&seen);
        self.seen.lock().unwrap().push(seen);
        if let Doing::Status(code) = doing {
            let answer = format!(
                "HTTP/1.1 {code} Injected\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            return client.write_all(answer.as_bytes());
        }
        if let Some(host) = &self.host {
            head.set("Host", host);
        }
        // One request a connection: the end of the body is the end of the stream.
        head.set("Connection", "close");
        let mut server = connect(self.upstream)?;
        head.write(&mut server)?;
        server.write_all(&body)?;
        let mut server = BufReader::new(server);
        let Some(mut answer) = Head::read(&mut server)? else { return Ok(()) };
        answer.set("Connection", "close");
        if let Doing::Change(change) = doing {
            let mut body = Vec::new();
            server.read_to_end(&mut body)?;
            change(&mut answer, &mut body);
            answer.write(&mut client)?;
            client.write_all(&body)?;
            return client.shutdown(Shutdown::Both);
        }
        answer.write(&mut client)?;
        let limit = match doing {
            Doing::Cut => answer.length().map_or(1, |length| length / 2),
            _ => u64::MAX,
        };
        io::copy(&mut server.take(limit), &mut client)?;
        client.shutdown(Shutdown::Both)
    }

    /// Finds what is to be done to a request, and does what comes before it.
    fn meet(&self, seen: &Seen) -> Doing {
        let mut rule = self.rule.lock().unwrap();
        let Some(rule) = rule.as_mut().filter(|rule| seen.reads(rule.name)) else {
            return Doing::Pass;
        };
        if rule.skip > 0 {
            rule.skip -= 1;
            return Doing::Pass;
        }
        if rule.times == 0 {
            return Doing::Pass;
        }
        rule.times -= 1;
        match &rule.fault {
            Fault::Status(code) => Doing::Status(*code),
            Fault::Cut => Doing::Cut,
            Fault::Change(change) => Doing::Change(*change),
            Fault::First(act) => {
                act();
                Doing::Pass
            }
        }
    }
}

fn seen(head: &Head) -> Seen {
    let mut words = head.line.split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let target = decoded(words.next().unwrap_or_default());
    // Azure has a header of its own, which it prefers.
    let range = head.header("x-ms-range").or_else(|| head.header("range"));
    let from = range
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|range| range.split('-').next()?.parse().ok());
    Seen { method, target, from }
}

fn decoded(target: &str) -> String {
    let mut parts = target.split('%');
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
