//! The benchmark's job by the library: a lent plan. `lent_count THREADS FILE...`

use std::error::Error;

use creel::operators::code_points;
use creel::{ReadOptions, Run};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let threads = arguments.next().ok_or("lent_count THREADS FILE...")?.parse()?;
    let files: Vec<String> = arguments.collect();
    let top = ReadOptions::new()
        .read_text(&files)?
        .lend(|lines| {
            lines
                .words()
                .filter(|word| word.len() > 5)
                .filter(|word| code_points(word) > 5)
                .frequencies()
        })
        .topk(10);
    for (word, count) in Run::new().threads(threads).compute_blocking(&top)? {
        println!("[\"{word}\",{count}]");
    }
    Ok(())
}
