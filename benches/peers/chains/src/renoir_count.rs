//! The words of more than five letters by renoir, in the two ways of its own examples.
//!
//!     renoir_count THREADS (group|fold) FILE
//!
//! `group` is its `wordcount_assoc`, `fold` its `wordcount_opt`: both with its allocator and its
//! batches, and a word is what stands between white space. Prints the ten commonest.

use std::collections::HashMap;
use std::error::Error;
use std::hash::BuildHasherDefault;

use renoir::prelude::*;

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Counts = HashMap<String, u64, BuildHasherDefault<wyhash::WyHash>>;

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split_whitespace().filter(|word| word.len() > 5)
}

fn add(counts: &mut Counts, word: &str) {
    match counts.get_mut(word) {
        Some(n) => *n += 1,
        None => drop(counts.insert(word.to_owned(), 1)),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [threads, how, path] = &arguments[..] else {
        return Err("renoir_count THREADS (group|fold) FILE".into());
    };
    let env = StreamContext::new(RuntimeConfig::local(threads.parse()?)?);
    let lines = env.stream_file(path).batch_mode(BatchMode::fixed(1024));
    let rows = if how == "group" {
        let words =
            lines.flat_map(|line: String| words(&line).map(str::to_owned).collect::<Vec<_>>());
        let counts = words.group_by_count(|word: &String| word.clone()).collect_vec();
        env.execute_blocking();
        let rows = counts.get().ok_or("no result")?;
        rows.into_iter().map(|(word, n)| (word, n as u64)).collect()
    } else {
        let fold = |counts: &mut Counts, line: String| words(&line).for_each(|w| add(counts, w));
        let merge = |counts: &mut Counts, part: Counts| {
            part.into_iter().for_each(|(word, n)| *counts.entry(word).or_default() += n);
        };
        let counts = lines.fold_assoc(Counts::default(), fold, merge).collect_vec();
        env.execute_blocking();
        let rows = counts.get().ok_or("no result")?;
        rows.into_iter().flatten().collect::<Vec<(String, u64)>>()
    };
    let mut rows: Vec<(String, u64)> = rows;
    rows.sort_unstable_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
    rows.iter().take(10).for_each(|(word, n)| println!("[\"{word}\",{n}]"));
    // What is held goes with the process.
    std::process::exit(0)
}
