//! What is promised of tasks whose values are taken in turn, over graphs made by chance.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use proptest::prelude::*;
use proptest::sample::Index;

use super::tests::{Table, expected, tables, tasks};
use crate::{Bag, Error, Run};

/// Takes records of some tasks of a graph, in an order of their own.
fn agrees(table: &Table, handles: &[Index], most: usize, threads: usize) {
    let runs: Arc<Vec<AtomicUsize>> = Arc::new(table.iter().map(|_| 0.into()).collect());
    let all = tasks(table, &runs);
    let at = |handle: &Index| handle.index(table.len());
    let parts = handles.iter().map(|handle| all[at(handle)].map(|value| [*value]));
    let taken = Run::new().threads(threads).compute_blocking(&Bag::from_delayed(parts).take(most));

    let values = expected(table);
    // The first that fail are those that matter, if so much is taken.
    let expected: Option<Vec<u64>> = handles.iter().take(most).map(|n| values[at(n)]).collect();
    match expected {
        Some(expected) => assert_eq!(taken.expect("what is taken does not fail"), expected),
        None => assert!(matches!(taken, Err(Error::Task { .. })), "{taken:?}"),
    }
    assert!(runs.iter().all(|runs| runs.load(SeqCst) <= 1), "a task ran twice");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_taken_agrees_with_its_plain_evaluation(
        table in tables(100, 0.0),
        handles in prop::collection::vec(any::<Index>(), 0..60),
        most in 1..70_usize,
        threads in 1..5_usize,
    ) {
        agrees(&table, &handles, most, threads);
    }

    #[test]
    fn only_what_is_taken_can_fail(
        table in tables(100, 0.03),
        handles in prop::collection::vec(any::<Index>(), 0..60),
        most in 1..20_usize,
        threads in 1..5_usize,
    ) {
        agrees(&table, &handles, most, threads);
    }
}
