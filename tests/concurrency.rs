//! Expensive functions run on all threads, however few the records are and wherever they come from.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use creel::{Bag, Run};

const THREADS: usize = 4;

/// Counts the threads that are inside at one time.
#[derive(Clone, Default)]
struct Meeting(Arc<(Mutex<usize>, Condvar, AtomicUsize)>);

impl Meeting {
    /// Stays until all threads were inside at one time, or, where they never come, for a while.
    fn attend(&self) {
        let (inside, changed, most) = &*self.0;
        let mut here = inside.lock().expect("nobody panics");
        *here += 1;
        most.fetch_max(*here, SeqCst);
        changed.notify_all();
        let alone = |_: &mut usize| most.load(SeqCst) < THREADS;
        let (mut here, waited) =
            changed.wait_timeout_while(here, Duration::from_secs(20), alone).expect("no panic");
        if waited.timed_out() {
            // Nobody waits a second time.
            most.fetch_max(THREADS, SeqCst);
            most.fetch_or(1 << 20, SeqCst);
        }
        *here -= 1;
    }

    /// Returns true if all threads were inside at one time.
    fn took_place(&self) -> bool {
        self.0.2.load(SeqCst) == THREADS
    }
}

/// Bags of a few records in one partition.
fn bags() -> [(&'static str, Bag<u64>); 3] {
    [
        ("from_iter", Bag::from_iter(0..20)),
        ("from_fn", Bag::from_fn(|| 0..20)),
        ("from_sequence", Bag::from_sequence((0..20).collect::<Vec<_>>(), 1)),
    ]
}

/// The records, each of which is worked on until all threads are.
fn attended(bag: Bag<u64>, meeting: &Meeting) -> Bag<u64> {
    let meeting = meeting.clone();
    bag.map(move |n| {
        meeting.attend();
        n
    })
}

#[test]
fn a_sum_of_few_records_uses_all_threads() {
    for (name, bag) in bags() {
        let meeting = Meeting::default();
        let sum = attended(bag, &meeting).sum();
        assert_eq!(Run::new().threads(THREADS).compute_blocking(&sum).expect("no error"), 190);
        assert!(meeting.took_place(), "{name}");
    }
}
