//! Counts the requests of each host of a log of JSON lines, and measures them: aggregates by key.
//!
//! ```text
//! cargo run --release --example hosts -- 's3://bucket/access.*.jsonl.gz'
//! ```

use creel::Result;
use creel::aggregate::{count, count_if, mean, nunique, p99};
use serde_json::Value;

/// The fields of a record that this report needs.
struct Request {
    host: String,
    path: String,
    status: u64,
    /// None where nothing was sent.
    bytes: Option<u64>,
}

impl Request {
    fn parse(line: &str) -> Option<Self> {
        let record: Value = serde_json::from_str(line).ok()?;
        Some(Self {
            host: record["host"].as_str()?.to_owned(),
            path: record["path"].as_str()?.to_owned(),
            status: record["status"].as_u64()?,
            bytes: record["bytes"].as_u64(),
        })
    }
}

fn main() -> Result<()> {
    let pattern = std::env::args().nth(1).unwrap_or_else(|| "fixtures/access.jsonl".to_owned());
    let requests = creel::read_text(&pattern)?.filter_map(|line| Request::parse(&line));

    let hosts = requests.group_by(|request| request.host.clone()).aggregate((
        count(),
        count_if(|request: &Request| request.status != 200),
        nunique(|request: &Request| request.path.clone()),
        mean(|request: &Request| request.bytes),
        p99(|request: &Request| request.bytes),
    ));

    println!("requests not-200    paths       mean        p99 host");
    for (host, (requests, other, paths, mean, p99)) in hosts.compute_blocking()? {
        let bytes =
            |bytes: Option<f64>| bytes.map_or("-".to_owned(), |bytes| format!("{bytes:.1}"));
        println!("{requests:8} {other:7} {paths:8} {:>10} {:>10} {host}", bytes(mean), bytes(p99));
    }
    Ok(())
}
