//! The shapes of `tasks` by rayon, which has no graph: a task is a closure that another spawns.
//!
//! A wide shape is a `spawn` each, not a parallel iterator, which would make few tasks of many
//! elements. A task that two others need cannot be said.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rayon::Scope;

use super::Measured;

pub(crate) fn measure(shape: &str, tasks: usize, threads: usize) -> Measured {
    let start = Instant::now();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let sum = AtomicU64::new(0);
    match shape {
        "chain" => pool.scope(|scope| link(scope, tasks, &sum)),
        "wide" => pool.scope(|scope| {
            (3..tasks).for_each(|_| scope.spawn(|_| add(&sum)));
        }),
        "tree" => sum.store(pool.install(|| tree(tasks / 2)), Relaxed),
        _ => return Err("rayon has no such shape".into()),
    }
    drop(pool);
    Ok((sum.into_inner(), [Duration::ZERO, start.elapsed(), Duration::ZERO]))
}

fn add(sum: &AtomicU64) {
    sum.fetch_add(1, Relaxed);
}

fn link<'s>(scope: &Scope<'s>, left: usize, sum: &'s AtomicU64) {
    add(sum);
    if left > 1 {
        scope.spawn(move |scope| link(scope, left - 1, sum));
    }
}

fn tree(leaves: usize) -> u64 {
    if leaves == 1 {
        return 1;
    }
    let (a, b) = rayon::join(|| tree(leaves / 2), || tree(leaves - leaves / 2));
    a + b
}
