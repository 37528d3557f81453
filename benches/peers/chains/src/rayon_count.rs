//! The words of more than five letters by rayon, over lines held in memory.
//!
//!     rayon_count THREADS (lent|owned) (all|time) FILE...
//!
//! Counts words that are lent from the lines, or a `String` for each as an owned chain has them. Prints
//! the ten commonest; with `time` how many seconds the count takes once the lines are there.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::time::Instant;

use rayon::prelude::*;

type Counts = HashMap<String, u64>;

/// The lines, in a few parts for each thread: left to itself rayon makes so many that it is merging maps
/// most of the time.
fn shared(lines: &[String]) -> impl IndexedParallelIterator<Item = &String> {
    lines.par_iter().with_min_len(lines.len() / (2 * rayon::current_num_threads()))
}

fn lent(lines: &[String]) -> Counts {
    let words = shared(lines).flat_map_iter(|line| line.split_whitespace());
    words
        .filter(|word| word.len() > 5)
        .fold(Counts::new, |mut counts, word| {
            // A word is allocated when it is first seen.
            match counts.get_mut(word) {
                Some(n) => *n += 1,
                None => drop(counts.insert(word.to_owned(), 1)),
            }
            counts
        })
        .reduce(Counts::new, merged)
}

fn owned(lines: &[String]) -> Counts {
    let words_of = |line: &String| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let words = shared(lines).flat_map_iter(words_of);
    words
        .filter(|word| word.len() > 5)
        .fold(Counts::new, |mut counts, word| {
            *counts.entry(word).or_default() += 1;
            counts
        })
        .reduce(Counts::new, merged)
}

fn merged(a: Counts, b: Counts) -> Counts {
    let (mut into, from) = if a.len() < b.len() { (b, a) } else { (a, b) };
    from.into_iter().for_each(|(word, n)| *into.entry(word).or_default() += n);
    into
}

fn main() -> Result<(), Box<dyn Error>> {
    const USAGE: &str = "rayon_count THREADS (lent|owned) (all|time) FILE...";
    let mut arguments = std::env::args().skip(1);
    let threads = arguments.next().ok_or(USAGE)?.parse()?;
    let count = if arguments.next().ok_or(USAGE)? == "owned" { owned } else { lent };
    let timed = arguments.next().ok_or(USAGE)? == "time";
    let files: Vec<String> = arguments.collect();
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let texts = files.par_iter().map(fs::read_to_string).collect::<Result<Vec<_>, _>>()?;
    let lines: Vec<String> =
        texts.into_par_iter().flat_map_iter(|text| lines_of(&text)).collect();
    let began = Instant::now();
    let counts = count(&lines);
    if timed {
        println!("{:.4}", began.elapsed().as_secs_f64());
        return Ok(());
    }
    let mut rows: Vec<_> = counts.iter().collect();
    rows.sort_unstable_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
    rows.iter().take(10).for_each(|(word, n)| println!("[\"{word}\",{n}]"));
    // What is held goes with the process.
    std::process::exit(0)
}

fn lines_of(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}
