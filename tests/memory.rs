//! Counts of a run that may not hold them all while it reads.

use creel::{Bag, Error, Run};

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

/// The error of a run that may hold a megabyte.
fn refused<C: creel::Compute>(threads: usize, what: &C) -> Error {
    let run = Run::new().threads(threads).memory(1 << 20);
    let refused = run.compute_blocking(what).map(drop);
    refused.expect_err("it does not fit")
}

#[test]
fn states_that_cannot_be_spilled_are_refused_over_the_memory_of_a_run() {
    for threads in 1..4 {
        let numbers = Bag::from_iter(0..300_000_u64);
        let texts = numbers.clone().map(|n| format!("text {n}"));
        let errors = [
            refused(threads, &numbers.clone().frequencies()),
            refused(threads, &numbers.clone().topk(200_000)),
            refused(threads, &texts.clone().topk(50_000)),
        ];
        for error in errors {
            assert!(matches!(error, Error::Memory { limit: 0x0010_0000, .. }), "{error}");
            assert!(error.to_string().contains("no form for the disk"), "{error}");
        }
        // What fits is not refused.
        let run = Run::new().threads(threads).memory(1 << 20);
        let few = (numbers.clone().map(|n| n % 100).frequencies(), numbers.topk(10), texts.count());
        let (counts, top, count) = run.compute_blocking(&few).expect("it fits");
        assert_eq!((counts.len(), top[0], count), (100, 299_999, 300_000));
    }
}
