//! As much HTTP/1.1 as the tests speak themselves: one request or response a connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No peer on the same machine is silent for this long.
const SILENCE: Duration = Duration::from_secs(30);

/// The first line and the headers of a message, as they came, without line ends.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) line: String,
    pub(crate) headers: Vec<String>,
}

impl Head {
    /// Reads up to the empty line; `None` if the peer closed before it sent anything.
    pub(crate) fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if from.read_line(&mut line)? == 0 {
                return if lines.is_empty() { Ok(None) } else { Err(cut()) };
            }
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                let mut lines = lines.into_iter();
                let line = lines.next().ok_or_else(cut)?;
                return Ok(Some(Self { line, headers: lines.collect() }));
            }
            lines.push(line.to_owned());
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|header| {
            let (key, value) = header.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Puts a header in the place of all of that name.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.headers.retain(|header| {
            !header.split_once(':').is_some_and(|(key, _)| key.eq_ignore_ascii_case(name))
        });
        self.headers.push(format!("{name}: {value}"));
    }

    /// Takes all headers of a name away.
    pub(crate) fn remove(&mut self, name: &str) {
        self.set(name, "");
        self.headers.pop();
    }

    pub(crate) fn length(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    pub(crate) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let head = format!("{}\r\n{}\r\n\r\n", self.line, self.headers.join("\r\n"));
        to.write_all(head.as_bytes())
    }
}

fn cut() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

/// Connects with time-outs, so that a fault is a failure and never a hang.
pub(crate) fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    Ok(stream)
}

/// One request; gives the status code.
pub(crate) fn request(
    to: SocketAddr,
    line: &str,
    headers: &[&str],
    body: &[u8],
) -> io::Result<u16> {
    let mut head = Head {
        line: format!("{line} HTTP/1.1"),
        headers: headers.iter().map(|&header| header.to_owned()).collect(),
    };
    head.set("Host", &to.to_string());
    head.set("Connection", "close");
    head.set("Content-Length", &body.len().to_string());
    let mut stream = connect(to)?;
    head.write(&mut stream)?;
    stream.write_all(body)?;
    let mut reader = BufReader::new(stream);
    let answer = Head::read(&mut reader)?.ok_or_else(cut)?;
    // Read to the end, so that the server is not left with a reset connection.
    reader.read_to_end(&mut Vec::new())?;
    answer.line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(cut)
}
