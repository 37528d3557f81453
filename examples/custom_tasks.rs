//! A bag's partitions in tasks of your own, and back: the lines of a log, each partition sorted
//! into classes by a function of ours against a table that is made once, then counted as a bag.
//!
//! ```text
//! cargo run --release --example custom_tasks -- 's3://bucket/*.log'
//! ```

use std::collections::BTreeMap;

use creel::delayed::{all, call};
use creel::{Bag, ReadOptions, Result, delayed};

type Classes = BTreeMap<char, &'static str>;

/// What the status codes mean: stands for a table that is dear to load.
fn classes() -> Classes {
    Classes::from([('2', "served"), ('3', "elsewhere"), ('4', "refused"), ('5', "broken")])
}

/// The reader's own function: a class for each line of one partition.
fn classify(lines: &[String], classes: &Classes) -> Vec<&'static str> {
    let status = |line: &String| line.split('"').nth(2)?.trim_start().chars().next();
    let class = |line| status(line).and_then(|digit| classes.get(&digit).copied());
    lines.iter().map(|line| class(line).unwrap_or("unknown")).collect()
}

fn main() -> Result<()> {
    let pattern = std::env::args().nth(1).unwrap_or_else(|| "fixtures/access.log".to_owned());
    let lines = ReadOptions::new().partition_size(64 << 10).read_text([pattern])?;

    // Out of the bag: a handle for each partition; the table is one task that all of them share.
    let classes = delayed(()).map(|()| classes()).named("classes");
    let parts = lines.to_delayed_blocking()?;
    let task = |lines: &Vec<String>, classes: &Classes| classify(lines, classes);
    let classified = parts.iter().map(|part| call(task, (part, &classes)).named("classify"));
    let classified: Vec<_> = classified.collect();

    // Back into a bag, and beside it a task over the same handles: each of them runs once.
    let counts = Bag::from_delayed(classified.iter().cloned()).map(str::to_owned).frequencies();
    let largest =
        all(classified).map(|parts| parts.iter().map(|part| part.len()).max().unwrap_or_default());
    let (counts, largest) = creel::compute_all_blocking(&(counts.topk(4), largest))?;
    for (class, count) in counts {
        println!("{count:8} {class}");
    }
    println!("The largest of {} partitions has {largest} lines.", parts.len());
    Ok(())
}
