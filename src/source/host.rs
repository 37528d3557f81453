//! What is known of each host: whether it ever answered well, and how many requests it bears.
//!
//! A host that refuses a request for load is asked by half as many at a time from then on, and by
//! none before the time that it named; each good answer allows one more at times, until there is
//! no limit again. What counts is a request without its answer: bodies that are being read hold
//! no place, since their reader may be waiting for another request.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::patience::{Class, THROTTLED, pause_until, scaled};

/// Above so many requests at a time there is no limit.
const MANY: f64 = 256.0;

/// All hosts that a client has asked.
#[derive(Debug, Default)]
pub(super) struct Hosts(Mutex<HashMap<String, Arc<Host>>>);

impl Hosts {
    pub(super) fn get(&self, name: &str) -> Arc<Host> {
        let mut hosts = lock(&self.0);
        match hosts.get(name) {
            Some(host) => Arc::clone(host),
            None => Arc::clone(hosts.entry(name.to_owned()).or_default()),
        }
    }
}

/// One of them.
#[derive(Debug, Default)]
pub(super) struct Host {
    answered: AtomicBool,
    load: Mutex<Load>,
    left: Notify,
}

#[derive(Debug, Default)]
struct Load {
    /// Requests without an answer.
    under_way: usize,
    /// How many there may be; `None` for no limit.
    limit: Option<f64>,
    /// Nothing is asked before.
    not_before: Option<Instant>,
}

/// The place of a request that waits for its answer.
#[derive(Debug)]
pub(super) struct Turn<'a>(&'a Host);

impl Host {
    /// Whether it ever answered well.
    pub(super) fn answered(&self) -> bool {
        self.answered.load(Relaxed)
    }

    /// It answered, with what was asked for or with a reason why not.
    pub(super) fn well(&self) {
        self.answered.store(true, Relaxed);
        let mut load = lock(&self.load);
        load.not_before = None;
        if let Some(limit) = load.limit {
            // One more for each round of answers.
            let limit = limit + 1.0 / limit;
            load.limit = (limit < MANY).then_some(limit);
            drop(load);
            self.left.notify_one();
        }
    }

    /// It asks for fewer requests, and for none within this time.
    pub(super) fn throttled(&self, wait: Duration) {
        let mut load = lock(&self.load);
        let now = (load.under_way + 1) as f64;
        load.limit = Some((load.limit.map_or(now, |limit| limit.min(now)) / 2.0).max(1.0));
        // Longer than any request waits, it holds for the one that it was said to alone.
        if wait <= THROTTLED {
            load.not_before = Instant::now().checked_add(scaled(wait)).max(load.not_before);
        }
    }

    /// Waits until one more request may be sent.
    pub(super) async fn turn(&self, name: &str) -> Turn<'_> {
        loop {
            let mut left = pin!(self.left.notified());
            left.as_mut().enable();
            let until = {
                let mut load = lock(&self.load);
                let until = load.not_before.filter(|&until| until > Instant::now());
                if until.is_none() && load.limit.is_none_or(|limit| load.under_way < limit as usize)
                {
                    load.under_way += 1;
                    return Turn(self);
                }
                until
            };
            match until {
                Some(until) => pause_until(until, Class::Throttled { after: None }, name).await,
                None => left.await,
            }
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        lock(&self.0.load).under_way -= 1;
        self.0.left.notify_one();
    }
}

fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_throttled_host_is_asked_by_half_as_many_until_it_answers_well() {
        let host = Host::default();
        let turn = || host.turn("h").now_or_never();
        let mut turns: Vec<_> = (0..7).map(|_| turn().expect("no limit")).collect();
        host.throttled(Duration::ZERO);
        assert!(turn().is_none(), "seven are under way, and four may be");
        turns.truncate(3);
        turns.push(turn().expect("a fourth"));
        assert!(turn().is_none());
        for _ in 0..5 {
            host.well();
        }
        turns.push(turn().expect("a fifth"));
        assert!(turn().is_none());
        for _ in 0..40_000 {
            host.well();
        }
        turns.extend((0..300).map(|_| turn().expect("no limit")));
    }

    #[tokio::test]
    async fn a_wait_that_nobody_waits_keeps_no_other_request() {
        let host = Host::default();
        host.throttled(Duration::from_secs(3600));
        assert!(host.turn("h").now_or_never().is_some());
        host.throttled(Duration::from_secs(300));
        assert!(host.turn("h").now_or_never().is_none());
    }

    #[test]
    fn one_request_is_always_let_through() {
        let host = Host::default();
        for _ in 0..10 {
            host.throttled(Duration::ZERO);
        }
        let turn = host.turn("h").now_or_never();
        assert!(turn.is_some() && host.turn("h").now_or_never().is_none());
        drop(turn);
        assert!(host.turn("h").now_or_never().is_some());
    }
}
