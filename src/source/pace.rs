//! How many requests are under way: as many as the way to the server needs, found by trying.
//!
//! Where one connection carries as much as the server gives, more of them only make ranges
//! shorter, and a request costs a server as much as some MiB (SeaweedFS gives 1 GiB in 4.0 s by
//! requests of 64 MiB, in 5.5 s by those of 8, in 7.3 s by those of 4). Where each connection is
//! slow, or each answer late, the bytes under way have to be as many as bandwidth times delay. So
//! the number is doubled as long as readers wait and doubling makes them faster.
//!
//! Rejected: reckoning it from the time to the first byte and the speed of a connection. A busy
//! server shows the same figures as a distant one, and more requests make it slower.

use std::time::{Duration, Instant};

/// How long a number is tried, at least. Before that, half as much passes untold: it is of requests
/// from before the change.
const TRIAL: Duration = Duration::from_millis(300);
/// Twice as many requests have to bring so much more; noise brings less.
const WORTH_IT: f64 = 1.5;

/// The number of requests for each reader.
#[derive(Debug)]
pub(super) struct Pace {
    width: usize,
    most: usize,
    /// What has to come before a trial tells anything: servers answer in gushes.
    enough: u64,
    /// What is being found out; `None` once the number stands.
    trial: Option<Trial>,
}

#[derive(Debug, Clone, Copy)]
struct Trial {
    /// What came in a second with half as many; 0 before the first doubling.
    before: f64,
    /// When it began, and what had come until then.
    began: Option<(Instant, u64)>,
    settled: bool,
    waited: Duration,
    /// The most that came in a second so far.
    best: f64,
}

impl Trial {
    fn new(before: f64) -> Self {
        Self { before, began: None, settled: false, waited: Duration::ZERO, best: 0.0 }
    }
}

impl Pace {
    /// Begins with `least` requests and never has more than `most`; tries each number until so
    /// much has come that the speed is known.
    pub(super) fn new(least: usize, most: usize, enough: u64) -> Self {
        Self { width: least, most, enough, trial: Some(Trial::new(0.0)) }
    }

    /// Requests that each reader may have under way.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Learns what has come until now, and that a reader waited so long for a part of it.
    pub(super) fn learn(&mut self, came: u64, waited: Duration, readers: usize, now: Instant) {
        let Some(trial) = &mut self.trial else { return };
        trial.waited += waited;
        let (began, before) = *trial.began.get_or_insert((now, came));
        let taken = now - began;
        let parts = if trial.settled { 1 } else { 2 };
        if taken < TRIAL / parts || came - before < self.enough / u64::from(parts) {
            return;
        }
        let rate = trial.best.max((came - before) as f64 / taken.as_secs_f64());
        let starved = trial.waited * 2 > taken * readers.max(1) as u32;
        let again = Trial { settled: true, ..Trial::new(trial.before) };
        self.trial = if !trial.settled {
            // The first answers are late, and what was waiting comes at once.
            Some(again)
        } else if rate < WORTH_IT * trial.before {
            self.width /= 2;
            None
        } else if self.width * 2 > self.most {
            None
        } else if starved {
            self.width *= 2;
            Some(Trial::new(rate))
        } else {
            // Readers are busy: nothing is found out, and nothing is to be gained.
            Some(Trial { best: rate, ..again })
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number that is found where this is the speed with so many requests.
    fn found(least: usize, most: usize, starved: bool, speed: impl Fn(usize) -> u64) -> usize {
        let mut pace = Pace::new(least, most, 1000);
        let (mut now, tick) = (Instant::now(), Duration::from_millis(10));
        let mut came = 0;
        for _ in 0..1000 {
            let waited = if starved { tick } else { Duration::ZERO };
            came += speed(pace.width()) / 100;
            pace.learn(came, waited, 1, now);
            now += tick;
        }
        pace.width()
    }

    #[test]
    fn requests_are_doubled_as_long_as_that_makes_readers_faster() {
        // Each connection is slow; up to eight of them fill the line.
        assert_eq!(found(1, 16, true, |width| 80_000 * width.min(8) as u64), 8);
        assert_eq!(found(32, 128, true, |width| 1_000 * width as u64), 128);
    }

    #[test]
    fn more_requests_are_not_kept_where_they_bring_nothing() {
        assert_eq!(found(1, 16, true, |_| 80_000), 1);
        assert_eq!(found(1, 16, false, |width| 80_000 * width as u64), 1);
    }
}
