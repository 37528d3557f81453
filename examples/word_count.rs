//! The ten commonest words longer than five letters, written both ways.
//!
//! ```text
//! cargo run --release --example word_count -- 's3://bucket/**/*.txt'
//! ```

use creel::Result;

fn main() -> Result<()> {
    let pattern = std::env::args().nth(1).unwrap_or_else(|| "fixtures/peps/*.rst".to_owned());
    let text = creel::read_text(&pattern)?;

    // Owned records: the chain that users of dask.bag know. Each word is a String.
    let owned = text
        .clone()
        .map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .flatten()
        .filter(|word| word.chars().count() > 5)
        .frequencies()
        .topk(10);

    // Lent records: the same verbs, in a plan over each block. No word is ever copied but the
    // first of its kind.
    let lent = text
        .lend(|lines| lines.words().filter(|word| word.chars().count() > 5).frequencies())
        .topk(10);

    // Both are lazy, and over one source; so it is read once.
    let (owned, lent) = creel::compute_all_blocking(&(owned, lent))?;
    assert_eq!(owned, lent);
    for (word, count) in lent {
        println!("{count:8} {word}");
    }
    Ok(())
}
