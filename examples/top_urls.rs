//! The ten URLs asked for most, and those that were not there, from a web server's combined log.
//!
//! ```text
//! cargo run --release --example top_urls -- 'gs://bucket/access.log.*.gz'
//! ```

use creel::Result;

/// The two fields of a line that this report needs, lent from it.
struct Request<'a> {
    url: &'a str,
    status: u16,
}

impl<'a> Request<'a> {
    /// `host - - [date] "GET /url HTTP/1.1" 200 1234 "referrer" "agent"`
    fn parse(line: &'a str) -> Option<Self> {
        let mut quoted = line.splitn(3, '"').skip(1);
        let url = quoted.next()?.split(' ').nth(1)?;
        let status = quoted.next()?.split(' ').nth(1)?.parse().ok()?;
        Some(Self { url, status })
    }
}

fn main() -> Result<()> {
    let pattern = std::env::args().nth(1).unwrap_or_else(|| "fixtures/access.log".to_owned());
    let log = creel::read_text(&pattern)?;
    let all = log
        .clone()
        .lend(|lines| lines.filter_map(Request::parse).map(|request| request.url).frequencies())
        .topk(10);
    let missing = log
        .lend(|lines| {
            let requests = lines.filter_map(Request::parse);
            requests.filter(|r| r.status == 404).map(|r| r.url).frequencies()
        })
        .map(|counts| (counts.total(), counts.topk(3)));

    let (all, (failures, missing)) = creel::compute_all_blocking(&(all, missing))?;
    println!("asked for most:");
    all.iter().for_each(|(url, count)| println!("{count:8} {url}"));
    println!("{failures} were not there, most of all:");
    missing.iter().for_each(|(url, count)| println!("{count:8} {url}"));
    Ok(())
}
