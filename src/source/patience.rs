//! How long a request is tried again: the numbers, by the kind of fault.
//!
//! | fault | waits between attempts | given up after |
//! |---|---|---|
//! | no connection to a server that never answered (refused, DNS, TLS) | 0.1 s, doubled | 4 s |
//! | no answer on a connection to such a server | 0.1 s | 2 attempts of 30 s |
//! | no connection to a server that answered before, or a cut | 0.1 s, doubled up to 10 s | 90 s |
//! | a 5xx, also as the first answer | 0.1 s, doubled up to 10 s | 90 s |
//! | a throttled request: 429, or 503 of a store | 0.5 s, doubled up to 20 s, `Retry-After` if longer | 5 min |
//! | an answer that does not agree with its request | 0.2 s, doubled | 5 attempts |
//! | an answer slower than 1 KiB/s over 30 s | 0.1 s | 5 such answers |
//!
//! The times count waits, and the time-outs that were run into, of one offset: bytes that arrive
//! begin a new count. The last wait is what is left, so that it is given up when it is said. Waits are spread by a quarter up and down, so that readers that were refused
//! together do not come back together.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::progress::Waiting;

/// Waits for a server that never answered: more likely a wrong address than a busy one.
const NEVER_SEEN: Duration = Duration::from_secs(4);
/// Waits for a server that answered before, and for one that answers, but only that it cannot: it may
/// restart, which takes up to a minute.
const SEEN: Duration = Duration::from_secs(90);
/// Waits for a server that asks for fewer requests.
pub(super) const THROTTLED: Duration = Duration::from_secs(300);
/// Attempts that may end in an answer that does not agree with the request.
const WRONG: u32 = 5;
/// The longest wait after a fault, and after a refusal for load.
const LONGEST: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(20)];

/// Less than this, and an answer is given up: bytes, in so much time of waiting for them.
pub(super) const SLOW: (u64, Duration) = (30 << 10, Duration::from_secs(30));
/// An answer to a request begins within this, if the environment says nothing else.
pub(super) const SILENT: Duration = Duration::from_secs(30);

/// How long the reason for a refusal may take to arrive.
pub(super) const REASONED: Duration = Duration::from_secs(10);
/// Shorter waits are not worth telling.
const TOLD: Duration = Duration::from_secs(1);

/// What a fault says about the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// No connection, or no answer on it; `lost`: the time-out that was run into.
    Unreached { answered: bool, lost: Duration },
    /// A connection that broke.
    Broken,
    /// The server says that it cannot answer.
    Unwell,
    /// The server asks for fewer requests, and says for how long.
    Throttled { after: Option<Duration> },
    /// An answer that does not agree with its request.
    Wrong,
    /// An answer that comes too slowly.
    Slow,
    /// An answer that is the last word.
    Final,
}

/// What was spent on one offset, or on one request.
#[derive(Debug, Default)]
pub(super) struct Patience {
    spent: Duration,
    tries: i32,
    wrong: u32,
    slow: u32,
}

impl Patience {
    /// Bytes came: what was spent until now was not in vain. Slow answers still count.
    pub(super) fn renew(&mut self) {
        *self = Self { slow: self.slow, ..Self::default() };
    }

    /// How long to wait before the next attempt; `None` if there is none.
    pub(super) fn next(&mut self, class: Class) -> Option<Duration> {
        let (budget, first, longest) = match class {
            Class::Final => return None,
            Class::Wrong => {
                self.wrong += 1;
                if self.wrong >= WRONG {
                    return None;
                }
                return Some(Duration::from_millis(100) * 2_u32.pow(self.wrong));
            }
            Class::Slow => {
                self.slow += 1;
                return (self.slow < WRONG).then_some(Duration::from_millis(100));
            }
            Class::Unreached { answered, lost } => {
                self.spent += lost;
                let never = if lost == SILENT { SILENT + NEVER_SEEN } else { NEVER_SEEN };
                (if answered { SEEN } else { never }, 0.1, LONGEST[0])
            }
            Class::Broken | Class::Unwell => (SEEN, 0.1, LONGEST[0]),
            Class::Throttled { .. } => (THROTTLED, 0.5, LONGEST[1]),
        };
        let left = budget.checked_sub(self.spent).filter(|left| !left.is_zero())?;
        let mut wait = Duration::from_secs_f64(first * 2_f64.powi(self.tries.min(10))).min(longest);
        if let Class::Throttled { after: Some(after) } = class {
            // Sooner it would be refused again.
            if after > left {
                return None;
            }
            wait = wait.max(after);
        }
        let wait = wait.min(left);
        self.tries += 1;
        self.spent += wait;
        Some(wait)
    }
}

/// Waits, spread by a quarter up and down, and tells whom for.
pub(super) async fn pause(wait: Duration, class: Class, host: &str) {
    let random = RandomState::new().hash_one(()) % 1024;
    let spread = scaled(wait).mul_f64(0.75 + random as f64 / 2048.0);
    let _told = (spread >= TOLD).then(|| told(class, host));
    tokio::time::sleep(spread).await;
}

/// The same until some time, and a little more, differently for all who wait for it.
pub(super) async fn pause_until(until: Instant, class: Class, host: &str) {
    let wait = until.saturating_duration_since(Instant::now());
    let random = RandomState::new().hash_one(()) % 1024;
    let _told = (wait >= TOLD).then(|| told(class, host));
    tokio::time::sleep(wait + wait.mul_f64(random as f64 / 4096.0)).await;
}

/// Tells that a request waits, and for whom.
fn told(class: Class, host: &str) -> Waiting {
    let why = match class {
        Class::Throttled { .. } => "it asks for fewer requests",
        Class::Unreached { .. } => "no answer",
        Class::Unwell => "it says that it cannot answer",
        Class::Broken | Class::Slow => "the connection broke",
        Class::Wrong | Class::Final => "its answer was none",
    };
    let most = match class {
        Class::Throttled { .. } => THROTTLED,
        Class::Unreached { answered: true, .. } => SEEN,
        Class::Unwell | Class::Broken | Class::Slow => SEEN,
        Class::Unreached { lost: SILENT, .. } => SILENT + NEVER_SEEN,
        Class::Unreached { .. } => NEVER_SEEN,
        Class::Wrong | Class::Final => NEVER_SEEN,
    };
    Waiting::new(format!("{host} ({why}; given up after {} s without a byte)", most.as_secs()))
}

/// Tells that a request has no answer yet.
pub(super) fn silent(host: &str) -> Waiting {
    Waiting::new(format!("{host} (no answer yet; asked again after {} s)", SILENT.as_secs()))
}

/// A wait as it is waited. Tests have no minutes: for them `CREEL_PATIENCE`, which is no promise
/// to users, makes each wait shorter by this factor; what is given up after how many is the same.
pub(super) fn scaled(wait: Duration) -> Duration {
    wait.mul_f64(scale())
}

/// A time-out as it is kept: with shorter waits it is shorter too, but no less than a machine that
/// is busy with other tests may need.
pub(super) fn timeout(time: Duration) -> Duration {
    scaled(time).max(time.min(Duration::from_secs(1)))
}

fn scale() -> f64 {
    static SCALE: OnceLock<f64> = OnceLock::new();
    *SCALE.get_or_init(|| {
        let told = std::env::var("CREEL_PATIENCE").ok().and_then(|told| told.parse().ok());
        let told = told.filter(|scale: &f64| (0.0..=1.0).contains(scale));
        told.unwrap_or(if cfg!(test) { 0.01 } else { 1.0 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The waits until it is given up.
    fn waits(class: Class) -> Vec<Duration> {
        let mut patience = Patience::default();
        std::iter::from_fn(|| patience.next(class)).collect()
    }

    fn sum(class: Class) -> f64 {
        waits(class).iter().sum::<Duration>().as_secs_f64()
    }

    #[test]
    fn a_dead_server_is_given_up_in_seconds_and_a_busy_one_in_minutes() {
        let never = Class::Unreached { answered: false, lost: Duration::ZERO };
        assert_eq!(sum(never), 4.0);
        assert_eq!(sum(Class::Throttled { after: None }), 300.0);
        assert_eq!(waits(Class::Wrong).len(), 4);
        assert_eq!(waits(Class::Slow).len(), 4);
        assert_eq!(waits(Class::Final).len(), 0);
    }

    #[test]
    fn a_server_that_comes_back_within_a_minute_is_met_and_given_up_when_it_is_said() {
        let seen = Class::Unreached { answered: true, lost: Duration::ZERO };
        for class in [seen, Class::Broken, Class::Unwell] {
            assert_eq!(sum(class), SEEN.as_secs_f64(), "{class:?}");
            // However waits are spread, one ends soon after a minute.
            assert!(waits(class).iter().all(|wait| *wait <= LONGEST[0]));
        }
    }

    #[test]
    fn time_outs_are_a_part_of_what_is_spent() {
        let lost = Duration::from_secs(3);
        assert_eq!(waits(Class::Unreached { answered: false, lost }).len(), 1);
        let lost = Duration::from_secs(30);
        assert_eq!(waits(Class::Unreached { answered: false, lost }).len(), 1);
        assert_eq!(waits(Class::Unreached { answered: true, lost }).len(), 2);
    }

    #[test]
    fn as_long_as_the_server_asks_for_is_waited_or_it_is_given_up_at_once() {
        let asked = |seconds| Class::Throttled { after: Some(Duration::from_secs(seconds)) };
        assert_eq!(waits(asked(100)), [Duration::from_secs(100); 3]);
        assert_eq!(waits(asked(1))[..3], [1, 1, 2].map(Duration::from_secs));
        assert!(waits(asked(3600)).is_empty());
    }

    #[test]
    fn bytes_begin_a_new_count_but_for_slow_answers() {
        let mut patience = Patience::default();
        for _ in 0..4 {
            assert!(patience.next(Class::Wrong).is_some());
            assert!(patience.next(Class::Slow).is_some());
        }
        patience.renew();
        assert!(patience.next(Class::Wrong).is_some());
        assert!(patience.next(Class::Slow).is_none());
    }
}
