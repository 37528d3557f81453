//! Makes the records that the JSON benchmark reads: an access log as JSON Lines, seeded, the same
//! every time.
//!
//!     cargo run --release --example generate_json -- target/bench/access.jsonl 1000000 [PAGES]
//!
//! A million records of 266 bytes or so: ten fields, paths by a power law, one status in
//! twenty from 500 on. With PAGES, each of seven topics has no more than so many. A few agents have escaped quotes, as in real logs.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};

/// SplitMix64: a few lines, and never different after an update.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((u128::from(z ^ (z >> 31)) * u128::from(n)) >> 64) as u64
    }

    fn of<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }
}

const AGENTS: &[&str] = &[
    "Mozilla/5.0 (Windows NT 6.1) AppleWebKit/537 Chrome/32.0.1700",
    "Mozilla/5.0 (X11; Linux x86_64; rv:27.0) Gecko/20100101 Firefox/27.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "UniversalFeedParser/4.2-pre-314-svn +http://feedparser.org/",
    "Tiny Tiny RSS/1.11 (http://tt-rss.org/)",
    "curl/7.22.0 (\\\"x86_64\\\") libcurl/7.22.0 OpenSSL/1.0.1",
];
const REFERERS: &[&str] = &["-", "-", "http://www.google.com/", "https://example.org/tags"];
const STATUS: &[&str] = &["200", "200", "200", "200", "200", "200", "304", "301", "404"];
const FAILED: &[&str] = &["500", "502", "503", "504"];
const TOPICS: &[&str] =
    &["blog", "images", "presentations", "articles", "files", "api/v2", "projects"];

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    const USAGE: &str = "usage: generate_json PATH RECORDS [PAGES]";
    let path = args.next().ok_or(USAGE)?;
    let records: u64 = args.next().ok_or(USAGE)?.parse()?;
    let pages: u64 = args.next().map_or(Ok(u64::MAX), |pages| pages.parse())?;
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut random = Random(20_260_101);
    for n in 0..records {
        let status = if random.below(20) == 0 { random.of(FAILED) } else { random.of(STATUS) };
        // The square of a uniform draw: low numbers far more often.
        let page = (random.below(1 << 20) * random.below(1 << 20)) >> 26;
        let page = page % pages;
        writeln!(
            out,
            "{{\"ts\":\"2026-01-{:02}T{:02}:{:02}:{:02}Z\",\"remote_addr\":\"10.{}.{}.{}\",\
             \"method\":\"{}\",\"uri\":\"/{}/page-{page}.html\",\"status\":{status},\"bytes\":{},\"rt\":{}.{:03},\"referer\":\"{}\",\
             \"ua\":\"{}\",\"req\":{{\"id\":{n},\"host\":\"h{}.example.org\"}}}}",
            1 + n * 28 / records,
            n / 3600 % 24,
            n / 60 % 60,
            n % 60,
            random.below(256),
            random.below(256),
            random.below(256),
            random.of(&["GET", "GET", "GET", "POST", "HEAD"]),
            random.of(TOPICS),
            random.below(200_000),
            random.below(3),
            random.below(1000),
            random.of(REFERERS),
            random.of(AGENTS),
            random.below(16),
        )?;
    }
    Ok(out.flush()?)
}
