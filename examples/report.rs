//! A report on a web server's log: three results of one read.
//!
//! ```text
//! cargo run --release --example report -- 's3://bucket/access.log.*.gz'
//! ```

use creel::operators::{Count, Max, Sum};
use creel::{Result, Run};

/// The fields of a line that this report needs.
struct Request {
    url: String,
    status: u16,
    bytes: u64,
}

impl Request {
    /// `host - - [date] "GET /url HTTP/1.1" 200 1234 "referrer" "agent"`
    fn parse(line: String) -> Option<Self> {
        let mut quoted = line.splitn(3, '"').skip(1);
        let url = quoted.next()?.split(' ').nth(1)?.to_owned();
        let mut numbers = quoted.next()?.split_whitespace();
        let status = numbers.next()?.parse().ok()?;
        // A dash where nothing was sent.
        let bytes = numbers.next()?.parse().unwrap_or(0);
        Some(Self { url, status, bytes })
    }
}

fn main() -> Result<()> {
    let pattern = std::env::args().nth(1).unwrap_or_else(|| "fixtures/access.log".to_owned());
    let requests = creel::read_text(&pattern)?.filter_map(Request::parse);

    let classes = requests.clone().map(|request| request.status / 100).frequencies();
    let urls = requests.clone().map(|request| request.url).frequencies().topk(5);
    let sent =
        requests.map(|request| request.bytes).combine((Count, Sum::<i128>::new(), Max::new()));

    // One source, so one pass over it: each block is parsed for all three and forgotten.
    let run = Run::new();
    let (classes, urls, (count, total, largest)) = run.compute_blocking(&(classes, urls, sent))?;

    println!("{count} requests");
    for (class, count) in classes.sorted() {
        println!("{count:8} {class}xx");
    }
    println!("asked for most:");
    for (url, count) in urls {
        println!("{count:8} {url}");
    }
    println!("{total} bytes were sent, at most {} at once", largest.unwrap_or_default());
    println!("{} bytes of log were read for this", run.progress().bytes_read());
    Ok(())
}
