//! What a task costs: many trivial ones in one of four shapes, by creel or by a peer.
//! `tasks SHAPE TASKS THREADS [ENGINE]`
//!
//! Prints a line of JSON: the value, the seconds of making the graph, of running and of dropping
//! it, and the most memory that this process held, start to end. A small graph is run many times;
//! the median is told. `tasks.py` runs all, each in a process of its own, and prints a table.
//!
//! | shape | tasks |
//! |---|---|
//! | chain | each needs the one before |
//! | wide | all need the first, and the last needs all |
//! | tree | half of them need the first, the others two each, until one is left |
//! | random | each needs none to four of those before, by chance; the last needs what nobody did |

use std::error::Error;
use std::time::{Duration, Instant};

use creel::Run;
use creel::delayed::{Delayed, all, call, delayed};

#[path = "peers/tasks_rayon.rs"]
mod by_rayon;
#[path = "peers/tasks_tokio.rs"]
mod by_tokio;

/// How long making, running and dropping took.
type Times = [Duration; 3];

/// The value, and how long it took.
type Measured = Result<(u64, Times), Box<dyn Error>>;

/// Numbers by chance, the same in each run and in each language.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % end as u64) as usize
    }
}

/// The shape `random`: `make` is given what a task needs of those that it has made.
fn random<T: Clone>(tasks: usize, first: T, mut make: impl FnMut(&[T]) -> T) -> Vec<T> {
    let (mut chance, mut needs) = (Chance(1), Vec::new());
    let (mut made, mut wanted) = (vec![first], vec![false]);
    while made.len() < tasks {
        for _ in 0..chance.below(5) {
            let before = chance.below(made.len());
            wanted[before] = true;
            needs.push(made[before].clone());
        }
        made.push(make(&needs));
        wanted.push(false);
        needs.clear();
    }
    made.into_iter().zip(wanted).filter(|(_, wanted)| !wanted).map(|(task, _)| task).collect()
}

fn graph(shape: &str, tasks: usize) -> Option<Delayed<u64>> {
    let first = delayed(1_u64);
    Some(match shape {
        "chain" => (1..tasks).fold(first, |chain, _| chain.map(|n| n + 1)),
        "wide" => {
            let ones = all((3..tasks).map(|_| first.map(|n| *n)));
            ones.map(|ones| ones.iter().map(|n| **n).sum())
        }
        "tree" => {
            let mut level: Vec<Delayed<u64>> = (0..tasks / 2).map(|_| first.map(|n| *n)).collect();
            while level.len() > 1 {
                let pairs = level.chunks(2).map(|pair| match pair {
                    [a, b] => call(|a: &u64, b: &u64| a + b, (a, b)),
                    _ => pair[0].clone(),
                });
                level = pairs.collect();
            }
            level.pop()?
        }
        "random" => {
            let ends = random(tasks - 2, first.clone(), |needs| match needs {
                [] => first.map(|n| *n),
                [a] => a.map(|a| a + 1),
                [a, b] => call(|a: &u64, b: &u64| 1 + a + b, (a, b)),
                [a, b, c] => call(|a: &u64, b: &u64, c: &u64| 1 + a + b + c, (a, b, c)),
                [a, b, c, d, ..] => {
                    let sum = |a: &u64, b: &u64, c: &u64, d: &u64| 1 + a + b + c + d;
                    call(sum, (a, b, c, d))
                }
            });
            all(ends).map(|ends| ends.iter().map(|n| **n).sum())
        }
        _ => return None,
    })
}

fn by_creel(shape: &str, tasks: usize, threads: usize) -> Measured {
    let start = Instant::now();
    let graph = graph(shape, tasks).ok_or("no such shape")?;
    let made = start.elapsed();
    let value = Run::new().threads(threads).compute_blocking(&graph)?;
    let run = start.elapsed();
    drop(graph);
    Ok((value, [made, run - made, start.elapsed() - run]))
}

/// The most memory that this process held so far, in bytes, where the kernel tells.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [shape, tasks, threads, engine @ ..] = arguments.as_slice() else {
        return Err("tasks SHAPE TASKS THREADS [creel | rayon | tokio]".into());
    };
    let measure = match engine.first().map_or("creel", String::as_str) {
        "creel" => by_creel,
        "rayon" => by_rayon::measure,
        "tokio" => by_tokio::measure,
        _ => return Err("no such engine".into()),
    };
    let (tasks, threads) = (tasks.parse::<usize>()?.max(4), threads.parse()?);
    let mut runs = Vec::new();
    for _ in 0..(200_000 / tasks).max(1) {
        runs.push(measure(shape, tasks, threads)?);
    }
    runs.sort_by_key(|(_, times)| times.iter().sum::<Duration>());
    let (value, [made, run, dropped]) = runs[runs.len() / 2];
    println!(
        r#"{{"value": {value}, "made": {}, "run": {}, "dropped": {}, "peak": {}}}"#,
        made.as_secs_f64(),
        run.as_secs_f64(),
        dropped.as_secs_f64(),
        peak().map_or("null".to_owned(), |bytes| bytes.to_string())
    );
    Ok(())
}
