//! How often each of many integers occurs: a bag in memory.
//!
//!     integers FILE COUNT DISTINCT     (makes FILE: so many integers, eight bytes each)
//!     integers FILE THREADS [time] [memory=BYTES]
//!
//! Prints how many are distinct, how many there are, and how often the commonest occurs; or the seconds that the
//! run took. The memory is that of the run, beside the integers.

use std::error::Error;
use std::io::{BufWriter, Write};
use std::time::Instant;

use creel::{Bag, Run, delayed};

const USAGE: &str = "integers FILE COUNT DISTINCT, or integers FILE THREADS [time] [memory=BYTES]";

/// The partitions of the bag.
const PARTITIONS: usize = 16;

/// SplitMix64's last step: numbers all over, the same every time.
fn mixed(n: u64) -> u64 {
    let z = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z ^ (z >> 27)
}

fn make(path: &str, count: u64, distinct: u64) -> Result<(), Box<dyn Error>> {
    let mut out = BufWriter::with_capacity(1 << 20, std::fs::File::create(path)?);
    for n in 0..count {
        out.write_all(&mixed(mixed(n) % distinct).to_le_bytes())?;
    }
    Ok(out.flush()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (path, threads, rest) = match arguments[..] {
        [path, count, distinct]
            if let (Ok(count), Ok(distinct)) = (count.parse(), distinct.parse()) =>
        {
            return make(path, count, distinct);
        }
        [path, threads, ref rest @ ..] => (path, threads, rest),
        _ => return Err(USAGE.into()),
    };
    let timed = rest.contains(&"time");
    let memory = rest.iter().find_map(|word| word.strip_prefix("memory="));
    let mut run = Run::new().threads(threads.parse()?);
    if let Some(memory) = memory {
        run = run.memory(memory.parse()?);
    }
    let bytes = std::fs::read(path)?;
    let integers: Vec<u64> = bytes.as_chunks().0.iter().map(|n| u64::from_le_bytes(*n)).collect();
    drop(bytes);
    let partitions = integers.chunks(integers.len().div_ceil(PARTITIONS).max(1));
    let bag = Bag::from_delayed(partitions.map(|part| delayed(part.to_vec())).collect::<Vec<_>>());
    drop(integers);
    let began = Instant::now();
    let counts = run.compute_blocking(&bag.frequencies())?;
    let took = began.elapsed();
    if timed {
        println!("{}", took.as_secs_f64());
        return Ok(());
    }
    let total: u64 = counts.iter().map(|(_, n)| n).sum();
    let most = counts.iter().map(|(_, n)| n).max().unwrap_or(0);
    println!("{} {total} {most}", counts.len());
    Ok(())
}
