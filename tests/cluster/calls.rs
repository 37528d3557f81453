//! Calls of functions on the cluster, for the tests.

use std::path::Path;
use std::time::Duration;

use creel::client::as_completed;
use creel::cluster::{ClusterClient, Registered};
use creel::{Error, Result, worker};
use futures::StreamExt;
use futures::executor::block_on;

/// Calls of functions on the cluster.
pub(crate) struct Calls {
    square: Registered<(u64,), u64>,
    add: Registered<(u64, u64), u64>,
    parse: Registered<(String,), u64>,
    wait: Registered<(u64, String), u64>,
    explode: Registered<(u64,), u64>,
}

impl Calls {
    pub(crate) fn new() -> Self {
        Self {
            square: worker::register("square", |n: &u64| n * n),
            add: worker::register("add", |a: &u64, b: &u64| a + b),
            parse: worker::try_register("parse", |text: &String| text.parse::<u64>()),
            wait: worker::register("wait", |millis: &u64, marker: &String| {
                std::fs::write(format!("{marker}-{}", std::process::id()), "")
                    .expect("it is written");
                std::thread::sleep(Duration::from_millis(*millis));
                *millis
            }),
            explode: worker::register("explode", |n: &u64| match n {
                7 => panic!("{n} is too much"),
                _ => *n,
            }),
        }
    }

    pub(crate) fn make(&self, cluster: &ClusterClient, mode: &str, marker: &str) -> Result<()> {
        match mode {
            "calls" => {
                let squares = cluster.map(&self.square, 0..6);
                let sum = cluster.submit(&self.add, (&squares[3], &squares[4]));
                let (sum, status) = (sum.wait()?, sum.status());
                println!("{sum} {status:?} {:?}", cluster.gather_blocking(&squares)?);
                let mut done: Vec<u64> = Vec::new();
                let mut completed = as_completed(squares);
                while let Some(future) = block_on(completed.next()) {
                    done.push(block_on(future.into_future())?);
                }
                done.sort_unstable();
                println!("{done:?}");
            }
            "failing" => {
                let bad = cluster.submit(&self.parse, ("x".to_owned(),));
                let needs_it = cluster.submit(&self.square, (&bad,));
                println!("{}", bad.wait().unwrap_err());
                println!("{} {:?}", needs_it.wait().unwrap_err(), needs_it.status());
                println!("{}", cluster.submit(&self.explode, (7,)).wait().unwrap_err());
                println!("{}", cluster.submit(&self.explode, (8,)).wait()?);
            }
            "cancel" => {
                let long = cluster.submit(&self.wait, (600_000, marker.to_owned()));
                while std::fs::read_dir(Path::new(marker).parent().expect("a folder"))
                    .expect("it is read")
                    .count()
                    == 0
                {
                    std::thread::sleep(Duration::from_millis(20));
                }
                println!("{} {:?}", long.cancel(), long.status());
                println!("{}", cluster.submit(&self.square, (3,)).wait()?);
            }
            "lost" => {
                let long = cluster.submit(&self.wait, (600_000, marker.to_owned()));
                println!("{}", long.wait().unwrap_err());
                println!("{}", cluster.submit(&self.square, (3,)).wait().unwrap_err());
                println!("{}", cluster.info().unwrap_err());
            }
            "killed" => {
                println!("{}", cluster.submit(&self.wait, (2_000, marker.to_owned())).wait()?)
            }
            "info" => {
                let info = cluster.info()?;
                println!("{info}");
                let old = cluster.submit(&self.wait, (600_000, marker.to_owned()));
                cluster.restart()?;
                println!("{:?} {}", old.status(), cluster.submit(&self.square, (5,)).wait()?);
            }
            _ => return Err(Error::Plan { reason: format!("there is no mode {mode}") }),
        }
        Ok(())
    }
}
