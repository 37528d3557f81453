//! The benchmark's job by owned records: every word a `String`, every step a closure.
//!
//!     owned_count THREADS (words|closures) FILE...
//!
//! `words` cuts by creel's own operator, `closures` by the caller's code alone.

use std::error::Error;

use creel::{ReadOptions, Run};

fn words_of(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    const USAGE: &str = "owned_count THREADS (words|closures) FILE...";
    let mut arguments = std::env::args().skip(1);
    let threads = arguments.next().ok_or(USAGE)?.parse()?;
    let how = arguments.next().ok_or(USAGE)?;
    let files: Vec<String> = arguments.collect();
    let lines = ReadOptions::new().read_text(&files)?;
    let words = match how.as_str() {
        "words" => lines.words(),
        _ => lines.flat_map(|line| words_of(&line)),
    };
    let top = words.filter(|word| word.len() > 5).frequencies().topk(10);
    for (word, count) in Run::new().threads(threads).compute_blocking(&top)? {
        println!("[\"{word}\",{count}]");
    }
    Ok(())
}
