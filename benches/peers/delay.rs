//! A proxy that makes a server slower to answer, and nothing else: each request waits for some
//! milliseconds, bodies pass as they come.
//!
//! `delay PORT MILLISECONDS` listens on a free loopback port, which it prints, and passes on to
//! the port that is named, until its standard input ends. With `host` as a third argument it says
//! the server's own address where a client says the proxy's: some servers route by it, and others
//! sign it.
//!
//! What a client sends is held back as a whole: a GET has no body, and nobody pipelines.

use std::io::{self, Read};
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Passed on at a time: fewer system calls than the client's own reads.
const CHUNK: usize = 512 << 10;

async fn serve(client: TcpStream, port: u16, delay: Duration, host: bool) -> io::Result<()> {
    let names = [client.local_addr()?, (Ipv4Addr::LOCALHOST, port).into()];
    let [ours, theirs] = names.map(|name| name.to_string().into_bytes());
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let requests = async {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = from_client.read(&mut buffer).await?;
            if read == 0 {
                return to_server.shutdown().await;
            }
            tokio::time::sleep(delay).await;
            let request = &buffer[..read];
            match memchr::memmem::find(request, &ours).filter(|_| host) {
                None => to_server.write_all(request).await?,
                Some(at) => {
                    let rest = &request[at + ours.len()..];
                    to_server.write_all(&[&request[..at], &theirs, rest].concat()).await?;
                }
            }
        }
    };
    let answers = async {
        let mut buffer = vec![0; CHUNK];
        loop {
            let read = from_server.read(&mut buffer).await?;
            if read == 0 {
                return to_client.shutdown().await;
            }
            to_client.write_all(&buffer[..read]).await?;
        }
    };
    tokio::try_join!(requests, answers).map(|_| ())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [port, delay, rest @ ..] = &args[..] else {
        return Err("PORT MILLISECONDS [host]".into());
    };
    let host = rest == ["host"];
    let (port, delay) = (port.parse()?, Duration::from_millis(delay.parse()?));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?.port());
    std::thread::spawn(|| {
        // Whoever started this has ended, or ends it.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    loop {
        let (client, _) = listener.accept().await?;
        // A broken connection is the client's to report.
        tokio::spawn(serve(client, port, delay, host));
    }
}
