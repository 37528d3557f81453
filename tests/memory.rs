//! Counts of a run that may not hold them all while it reads.

use creel::{Bag, Run};

#[test]
fn counts_over_the_memory_of_a_run_are_the_same() {
    let words = Bag::from_iter(0..60_000_u32).map(|n| format!("word {}", n % 20_011));
    let expected = words.clone().frequencies().compute_blocking().expect("it is counted");
    assert_eq!(expected.len(), 20_011);
    for threads in 1..4 {
        // A fifth of the table that they end with: it is put away some times.
        let run = Run::new().threads(threads).memory(100_000);
        let counts = run.compute_blocking(&words.clone().frequencies()).expect("it is counted");
        assert!(counts == expected, "{threads} threads");
        // A second computation of the same run has a file of its own.
        let top = run.compute_blocking(&words.clone().frequencies().topk(3));
        assert_eq!(top.expect("it is counted"), expected.topk(3));
    }
}
