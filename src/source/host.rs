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

/// A host that was given up is tried again after this.
const TRIED: Duration = Duration::from_secs(5);
/// A host that answered within this is not given up for all.
const WELL: Duration = Duration::from_secs(60);
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
    /// When it answered last.
    last_well: Option<Instant>,
    dead: Option<Dead>,
}

/// That a host was given up.
#[derive(Debug)]
struct Dead {
    since: Instant,
    /// What the last attempt said.
    said: String,
    /// Until then nobody tries again.
    until: Instant,
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
        load.last_well = Some(Instant::now());
        load.dead = None;
        if let Some(limit) = load.limit {
            // One more for each round of answers.
            let limit = limit + 1.0 / limit;
            load.limit = (limit < MANY).then_some(limit);
            drop(load);
            self.left.notify_one();
        }
    }

    /// A request gave it up, as there is no connection, or no answer on one. Others that were to be sent
    /// before that need not find out by themselves, unless somebody else has just been answered.
    pub(super) fn gone(&self, said: String) {
        let mut load = lock(&self.load);
        let now = Instant::now();
        if load.last_well.is_some_and(|well| now - well < scaled(WELL)) {
            return;
        }
        let until = now + scaled(TRIED);
        let since = load.dead.as_ref().map_or(now, |dead| dead.since);
        load.dead = Some(Dead { since, said, until });
    }

    /// Why a request that was meant at some time is not to be sent: the host was given up after that,
    /// or just now. One of them is sent now and then, as it may have come back.
    pub(super) fn verdict(&self, meant: Option<Instant>) -> Option<String> {
        let mut load = lock(&self.load);
        let (now, dead) = (Instant::now(), load.dead.as_mut()?);
        if now >= dead.until {
            dead.until = now + scaled(TRIED);
            return None;
        }
        meant.is_none_or(|meant| meant <= dead.since).then(|| dead.said.clone())
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

    #[test]
    fn a_host_that_was_given_up_is_so_for_all_that_were_meant_before_and_is_tried_again() {
        let host = Host::default();
        let before = Some(Instant::now());
        assert_eq!(host.verdict(before), None);
        host.gone("refused".to_owned());
        assert_eq!(host.verdict(before).as_deref(), Some("refused"));
        assert_eq!(host.verdict(None).as_deref(), Some("refused"));
        assert_eq!(
            host.verdict(Some(Instant::now())),
            None,
            "what was meant later finds out itself"
        );
        lock(&host.load).dead.as_mut().unwrap().until = Instant::now();
        assert_eq!(host.verdict(before), None, "one is sent");
        assert!(host.verdict(before).is_some(), "and no other");
        host.well();
        assert_eq!(host.verdict(before), None);
        host.gone("refused".to_owned());
        assert_eq!(host.verdict(before), None, "another was answered just now");
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
