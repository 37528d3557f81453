//! Records that take long to work on: whether all threads have work, whatever the input and the end.
//!
//!     expensive sum|compute THREADS        (100 records of 10 ms out of an iterator)
//!     expensive lines THREADS FILE         (a map of 20 µs a line, computed in input order)
//!
//! Prints the seconds that the run took.

use std::error::Error;
use std::hint::spin_loop;
use std::thread::sleep;
use std::time::{Duration, Instant};

use creel::{Bag, Run, read_text};

const USAGE: &str = "expensive sum|compute THREADS, or expensive lines THREADS FILE";

const RECORDS: u64 = 100;
const A_RECORD: Duration = Duration::from_millis(10);
const A_LINE: Duration = Duration::from_micros(20);

fn slow(record: u64) -> u64 {
    sleep(A_RECORD);
    record
}

fn busy(line: String) -> usize {
    let began = Instant::now();
    while began.elapsed() < A_LINE {
        spin_loop();
    }
    line.len()
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (work, threads, files) = match &arguments[..] {
        [work, threads, files @ ..] => (*work, threads.parse()?, files),
        _ => return Err(USAGE.into()),
    };
    let run = Run::new().threads(threads);
    let records = Bag::from_iter(0..RECORDS).map(slow);
    let began = Instant::now();
    match (work, files) {
        ("sum", []) => assert_eq!(run.compute_blocking(&records.sum())?, 4950),
        ("compute", []) => assert_eq!(run.compute_blocking(&records)?, Vec::from_iter(0..RECORDS)),
        ("lines", [file]) => drop(run.compute_blocking(&read_text(*file)?.map(busy))?),
        _ => return Err(USAGE.into()),
    }
    println!("{}", began.elapsed().as_secs_f64());
    Ok(())
}
