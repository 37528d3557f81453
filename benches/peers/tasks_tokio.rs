//! The shapes of `tasks` by tokio: a spawned task each, which awaits the handles of those that it
//! needs. It starts at once, so there is no graph to make.

use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::runtime::Builder;
use tokio::spawn;
use tokio::task::{JoinError, JoinHandle};

use super::{Measured, random};

pub(crate) fn measure(shape: &str, tasks: usize, threads: usize) -> Measured {
    let start = Instant::now();
    let runtime = Builder::new_multi_thread().worker_threads(threads).build()?;
    // Inside, so that what spawns is a worker too.
    let value = match shape {
        "chain" => runtime.block_on(async move { spawn(chain(tasks)).await? }),
        "wide" => runtime.block_on(async move { spawn(wide(tasks)).await? }),
        "tree" => runtime.block_on(async move { spawn(tree(tasks)).await? }),
        "random" => runtime.block_on(async move { spawn(by_chance(tasks)).await? }),
        _ => return Err("no such shape".into()),
    }?;
    drop(runtime);
    Ok((value, [Duration::ZERO, start.elapsed(), Duration::ZERO]))
}

async fn chain(tasks: usize) -> Result<u64, JoinError> {
    let next =
        |last: JoinHandle<Result<u64, JoinError>>, _| spawn(async move { Ok(last.await?? + 1) });
    (1..tasks).fold(spawn(async { Ok(1) }), next).await?
}

async fn wide(tasks: usize) -> Result<u64, JoinError> {
    let ones: Vec<_> = (3..tasks).map(|_| spawn(async { 1 })).collect();
    let mut sum = 0;
    for one in ones {
        sum += one.await?;
    }
    Ok(sum)
}

async fn tree(tasks: usize) -> Result<u64, JoinError> {
    let mut level: Vec<_> = (0..tasks / 2).map(|_| spawn(async { Ok(1) })).collect();
    while level.len() > 1 {
        let mut above = Vec::with_capacity(level.len().div_ceil(2));
        let mut pairs = level.into_iter();
        while let Some(a) = pairs.next() {
            above.push(match pairs.next() {
                Some(b) => spawn(async move { Ok(a.await?? + b.await??) }),
                None => a,
            });
        }
        level = above;
    }
    level.remove(0).await?
}

/// A handle can be awaited once; shared, by all that need the task. Errors cannot be shared.
async fn by_chance(tasks: usize) -> Result<u64, JoinError> {
    let share =
        |task: JoinHandle<u64>| task.map(|value| value.unwrap_or_default()).boxed().shared();
    let ends = random(tasks - 2, share(spawn(async { 1 })), |needs| {
        let needs = needs.to_vec();
        share(spawn(async move {
            let mut sum = 1;
            for need in needs {
                sum += need.await;
            }
            sum
        }))
    });
    let mut sum = 0;
    for end in ends {
        sum += end.await;
    }
    Ok(sum)
}
