//! Every aggregate of typed records: its laws, and that groups are what each is alone.

use std::fmt::Debug;

use proptest::prelude::*;

use super::{any as any_of, *};
use crate::{Combiner, ExactSum, Feed, Fold, Sum, laws, run};

type Pair = (u8, f64);

/// The laws of an aggregate over all records, and over groups of them; and that a group of many is
/// what it is alone.
fn check<A>(make: impl Fn() -> A, records: &[Pair])
where
    A: Takes<Pair, Output: PartialEq + Debug> + Send + Sync + 'static,
{
    let lent: Vec<&Pair> = records.iter().collect();
    laws::check(&Whole::new(make()), &lent);
    let groups = GroupBy::new(|pair: &Pair| pair.0, make());
    laws::check(&groups, &lent);
    for (key, result) in run(lent, |r| r.combine(groups)) {
        let alone: Vec<&Pair> = records.iter().filter(|pair| pair.0 == key).collect();
        let alone = run(alone, |r| r.combine(Whole::new(make())));
        // By what is printed: NaN is no equal of its own.
        assert_eq!(format!("{result:?}"), format!("{alone:?}"), "group {key}");
    }
}

fn number(pair: &Pair) -> f64 {
    pair.1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn aggregates_keep_the_laws_and_grouped_equals_ungrouped(
        records in prop::collection::vec((0..3_u8, prop::num::f64::ANY), 0..7),
    ) {
        check(count, &records);
        check(|| (sum(number), mean(number), var(number), std(number)), &records);
        check(|| (p50(number), p90(number), p99(number), quantile(0.25, number)), &records);
        check(|| (min(number), max(number), topk(2, number), bottomk(2, number)), &records);
        check(|| (first(number), last(number), list(number)), &records);
        check(|| (min_by(|pair: &Pair| pair.0 / 2), max_by(number)), &records);
        check(|| (count_if(|pair: &Pair| pair.1 > 0.0), any_of(|pair: &Pair| pair.1 > 0.0)), &records);
        check(|| all(|pair: &Pair| pair.1 > 0.0), &records);
        check(|| (nunique(number), approx_nunique(number), sample(2, 7, number)), &records);
        check(|| histogram(1e300, number), &records);
        check(|| frequencies(|pair: &Pair| pair.1.to_bits()), &records);
        check(|| combine(Sum::<ExactSum>::new(), number), &records);
    }

    #[test]
    fn sums_and_means_are_those_of_the_combiners(
        floats in prop::collection::vec(prop::num::f64::ANY, 1..20),
        integers in prop::collection::vec(u64::arbitrary(), 1..20),
    ) {
        let exact = run(&floats, |r| r.sum());
        let typed = run(floats, |r| r.aggregate(sum(|x: &f64| *x)));
        prop_assert!(exact == typed || exact.is_nan() && typed.is_nan());
        let exact = run(&integers, |r| r.sum());
        prop_assert_eq!(exact, run(integers, |r| r.aggregate(sum(|n: &u64| *n))));
    }

    #[test]
    fn folds_by_key_keep_the_laws(records in prop::collection::vec((0..3_u8, "[a-c]{1}"), 0..8)) {
        let concat = |text: String, pair: (u8, String)| text + &pair.1;
        let merge = |a: String, b: String| a + &b;
        let by_key = FoldBy::new(|pair: &(u8, String)| pair.0, String::new, concat, merge);
        laws::check(&by_key, &records);
        for (key, folded) in run(records.clone(), |r| r.combine(by_key)) {
            let alone = records.iter().filter(|pair| pair.0 == key).cloned();
            prop_assert_eq!(folded, run(alone, |r| r.combine(Fold::new(String::new, concat, merge))));
        }
    }

    #[test]
    fn damaged_states_of_groups_are_refused(
        records in prop::collection::vec((0..3_u8, f64::arbitrary()), 1..6),
        at in prop::sample::Index::arbitrary(),
        byte: u8,
    ) {
        let groups = GroupBy::new(|pair: &Pair| pair.0, (count(), mean(number)));
        let mut state = Default::default();
        records.iter().for_each(|pair| groups.feed(&mut state, pair));
        let mut state = groups.parts(state, 0).remove(0);
        let mut bytes = Vec::new();
        prop_assert!(groups.save(&state, &mut bytes));
        prop_assert!(!groups.load(&mut state, &bytes[..at.index(bytes.len())]));
        let place = at.index(bytes.len());
        bytes[place] ^= byte;
        // It is another state, or none; it does not panic.
        groups.load(&mut state, &bytes);
    }
}

#[test]
fn batches_of_many_groups_are_added() {
    let rows = run(0..10_000_u32, |n| {
        n.group_by(|n| n % 7).aggregate((count(), sum(|n: &u32| *n), last(|n: &u32| *n)))
    });
    for (key, (count, sum, last)) in rows {
        let alone = || (0..10_000_u32).filter(|n| n % 7 == key);
        assert_eq!(count, alone().count() as u64);
        assert_eq!(sum, alone().map(i128::from).sum());
        assert_eq!(last, alone().next_back());
    }
}

#[test]
fn twelve_aggregates_are_a_tuple() {
    let n = |n: &i32| *n;
    let all = run([2, 1], |r| {
        r.aggregate((
            count(),
            sum(n),
            mean(n),
            min(n),
            max(n),
            var(n),
            first(n),
            last(n),
            topk(1, n),
            list(n),
            nunique(n),
            p50(n),
        ))
    });
    let (a, b) =
        ((all.0, all.1, all.2, all.3, all.4, all.5), (all.6, all.7, all.8, all.9, all.10, all.11));
    assert_eq!(a, (2, 3, Some(1.5), Some(1), Some(2), Some(0.25)));
    assert_eq!(b, (Some(2), Some(1), vec![2], vec![2, 1], 2, Some(1.0)));
}

#[test]
fn text_is_a_key_lent_and_owned() {
    let lines = ["cod 3", "eel 1", "cod 4"];
    let key = |line: &&'static str| &line[..3];
    let lent = run(lines, |r| r.group_by(key).aggregate(count()));
    let owned = run(lines, |r| r.group_by(|line| line[..3].to_owned()).aggregate(count()));
    assert_eq!(lent, [("cod".to_owned(), 2), ("eel".to_owned(), 1)]);
    assert_eq!(lent, owned);
}

#[test]
#[should_panic(expected = "quantile: q is a number from 0 to 1, not 2")]
fn a_share_out_of_range_is_named() {
    let _ = quantile(2.0, |n: &i32| *n);
}

#[test]
fn infinities_have_an_interval_of_their_own() {
    let ends = [(0, f64::INFINITY), (1, 1e300), (0, f64::NEG_INFINITY), (0, 1.5)];
    let rows = run(ends, |r| r.group_by(|r| r.0).aggregate(histogram(1.0, number_of)));
    let of_ends = vec![(f64::MIN, 1), (1.0, 1), (f64::MAX, 1)];
    assert_eq!(rows, [(0, of_ends), (1, vec![(1e300, 1)])]);
}

fn number_of(pair: &(i32, f64)) -> f64 {
    pair.1
}
