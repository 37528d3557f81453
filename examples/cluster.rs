//! Compiled closures and functions on a Dask cluster.
//!
//! ```text
//! dask scheduler                                    # prints its address
//! dask worker tcp://127.0.0.1:8786 --nthreads 1     # twice
//! cargo run --release --example cluster -- tcp://127.0.0.1:8786 /data/access.log
//! ```

use creel::{Client, Run};

/// The bytes of the longest line of a file.
fn longest(path: &String) -> std::io::Result<u64> {
    let text = std::fs::read_to_string(path)?;
    Ok(text.lines().map(str::len).max().unwrap_or(0) as u64)
}

fn main() -> creel::Result<()> {
    // On a worker this process does one step of the computation below, and ends there.
    creel::worker::init();
    let longest = creel::worker::try_register("longest", longest);
    let mut arguments = std::env::args().skip(1);
    let (Some(scheduler), Some(logs)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: cluster SCHEDULER LOGS");
        std::process::exit(2);
    };

    // On a worker a function is called here.
    let cluster = Client::connect(&*scheduler)?;

    let lines = creel::read_text(&logs)?;
    let hosts = lines
        .clone()
        .filter(|line| line.contains(" 404 "))
        .map(|line| line.split(' ').next().unwrap_or_default().to_owned());
    let bytes = lines.map(|line| line.len()).sum();

    let run = Run::new().scheduler(scheduler);
    let (hosts, bytes) = run.compute_blocking(&(hosts.frequencies().topk(3), bytes))?;
    for (host, n) in hosts {
        println!("{n} {host}");
    }
    println!("{bytes} bytes");

    let longest = cluster.submit(&longest, (logs,));
    println!("the longest line has {} bytes", longest.wait()?);
    Ok(())
}
