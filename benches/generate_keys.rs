//! Makes lines of 16 to 24 letters and digits that repeat.
//!
//!     generate_keys FILE COUNT MOST     (so many lines, of so many keys at most)

use std::error::Error;
use std::io::{BufWriter, Write};

const USAGE: &str = "generate_keys FILE COUNT MOST";

const LETTERS: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

/// SplitMix64's last step: numbers all over, the same every time.
fn mixed(n: u64) -> u64 {
    let z = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z ^ (z >> 27)
}

/// The key of a number, and a line feed.
fn line(number: u64) -> ([u8; 25], usize) {
    let mut line = [b'\n'; 25];
    let halves = [mixed(number), mixed(number ^ u64::MAX), mixed(number.rotate_left(32))];
    let len = 16 + (halves[0] % 9) as usize;
    for (at, byte) in line[..len].iter_mut().enumerate() {
        let six = halves[at / 10] >> (at % 10 * 6);
        *byte = LETTERS[(six % 64) as usize];
    }
    (line, len + 1)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, count, most] = &arguments[..] else { return Err(USAGE.into()) };
    let (count, most): (u64, u64) = (count.parse()?, most.parse()?);
    let mut out = BufWriter::with_capacity(1 << 20, std::fs::File::create(path)?);
    for n in 0..count {
        let (line, len) = line(mixed(n) % most.max(1));
        out.write_all(&line[..len])?;
    }
    Ok(out.flush()?)
}
