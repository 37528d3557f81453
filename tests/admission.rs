//! Runs that are awaited at once: a bounded number goes on, all end, and none waits for ever.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};

use creel::Bag;
use futures::executor::block_on;
use futures::future::join_all;

/// Runs that go on at once.
const MOST: usize = 64;

/// The tests share the runs of this process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_thousand_awaited_runs_take_a_bounded_number_of_threads() {
    let _alone = alone();
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let runs = (0..1000_usize).map(|n| {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        let look = move |record: usize| {
            most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
            std::thread::yield_now();
            running.fetch_sub(1, SeqCst);
            record
        };
        Bag::from_iter([n]).map(look).sum().compute()
    });
    let sums = block_on(join_all(runs.collect::<Vec<_>>()));
    let total: usize = sums.into_iter().map(|sum| sum.expect("nothing fails") as usize).sum();
    assert_eq!(total, 999 * 1000 / 2);
    assert!(most.load(SeqCst) <= MOST, "{most:?} at once");
}

#[test]
fn runs_that_wait_for_each_other_end() {
    let _alone = alone();
    let barrier = Arc::new(Barrier::new(MOST + 2));
    let runs = (0..MOST + 2).map(|_| {
        let barrier = Arc::clone(&barrier);
        let wait = move |()| barrier.wait().is_leader();
        Bag::from_iter([()]).map(wait).compute()
    });
    let ended = block_on(join_all(runs.collect::<Vec<_>>()));
    let leaders = ended.into_iter().flat_map(|run| run.expect("nothing fails"));
    assert_eq!(leaders.filter(|is_leader| *is_leader).count(), 1);
}

#[test]
fn runs_within_runs_have_no_turn_to_wait_for() {
    let _alone = alone();
    let runs = (0..2 * MOST as u64).map(|n| {
        let inner = move |record: u64| {
            block_on(Bag::from_iter([record]).map(|record| record + 1).sum().compute())
                .expect("nothing fails") as u64
        };
        Bag::from_iter([n]).map(inner).sum().compute()
    });
    let sums = block_on(join_all(runs.collect::<Vec<_>>()));
    let total: u64 = sums.into_iter().map(|sum| sum.expect("nothing fails") as u64).sum();
    let most = 2 * MOST as u64;
    assert_eq!(total, most * (most + 1) / 2);
}

#[test]
fn runs_that_are_dropped_while_they_wait_leave_their_turn_to_others() {
    let _alone = alone();
    let gate = Arc::new(Barrier::new(2));
    let held: Vec<_> = (0..3 * MOST)
        .map(|n| {
            let gate = Arc::clone(&gate);
            let hold = move |()| if n == 0 { gate.wait().is_leader() } else { false };
            Box::pin(Bag::from_iter([()]).map(hold).compute())
        })
        .collect();
    // All are polled once, so that they run or wait; most are dropped.
    let mut held: Vec<_> = held.into_iter().map(|run| (run, false)).collect();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    held.iter_mut().for_each(|(run, ended)| {
        *ended = std::future::Future::poll(run.as_mut(), &mut context).is_ready();
    });
    let (first, _) = held.swap_remove(0);
    drop(held);
    gate.wait();
    assert_eq!(block_on(first).expect("nothing fails").len(), 1);
    let after = block_on(Bag::from_iter(0..7_i64).sum().compute());
    assert_eq!(after.expect("nothing fails"), 21);
}
