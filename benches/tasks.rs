//! What a task costs: many trivial ones as a chain, side by side, as a tree. `tasks THREADS`
//!
//! Both making the graph and running it count.

use std::error::Error;
use std::time::Instant;

use creel::delayed::{Delayed, all, call, delayed};
use creel::{Run, compute_all_blocking};

fn chain(n: u64) -> Delayed<u64> {
    (1..n).fold(delayed(1), |chain: Delayed<u64>, _| chain.map(|n| n + 1))
}

fn wide(n: u64) -> Delayed<u64> {
    let tasks = all((1..n).map(|_| delayed(1_u64)));
    tasks.map(|values| values.iter().map(|value| **value).sum::<u64>() + 1)
}

fn tree(n: u64) -> Delayed<u64> {
    let mut level: Vec<Delayed<u64>> = (0..n / 2).map(|_| delayed(2_u64)).collect();
    while level.len() > 1 {
        let pairs = level.chunks(2).map(|pair| match pair {
            [a, b] => call(|a: &u64, b: &u64| a + b, (a, b)),
            _ => pair[0].clone(),
        });
        level = pairs.collect();
    }
    level.remove(0)
}

fn main() -> Result<(), Box<dyn Error>> {
    let threads = std::env::args().nth(1).ok_or("tasks THREADS")?.parse()?;
    // The first run pays for the allocator's growth, as any program's does.
    compute_all_blocking(&tree(100_000))?;
    type Shape = (&'static str, fn(u64) -> Delayed<u64>);
    let shapes: [Shape; 3] = [("chain", chain), ("wide", wide), ("tree", tree)];
    for (name, shape) in shapes {
        for n in [1_000, 10_000, 100_000, 1_000_000] {
            let start = Instant::now();
            let graph = shape(n);
            let made = start.elapsed();
            assert_eq!(Run::new().threads(threads).compute_blocking(&graph)?, n);
            let run = start.elapsed() - made;
            drop(graph);
            let dropped = start.elapsed() - made - run;
            let cost = start.elapsed().as_secs_f64() * 1e6 / n as f64;
            println!(
                "{name:5} {n:>9} tasks: {cost:.2} us a task (made {made:.1?}, run {run:.1?}, dropped {dropped:.1?})"
            );
        }
    }
    Ok(())
}
