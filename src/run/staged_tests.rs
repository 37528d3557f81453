//! A stage that sees blocks in their order, between lanes: the same for any threads, up to a failure, or
//! until it has enough.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use proptest::prelude::*;

use super::Context;
use super::staged::{Staged, Weighed};
use super::stream::stream;
use super::tests::Numbers;
use crate::spill::Budget;
use crate::{Error, Result};

impl Weighed for Vec<u32> {
    fn weight(&self) -> usize {
        self.len() * 4
    }
}

/// A stage that lets the first `most` blocks through and adds to each how many came before, on an input where
/// work fails over the block `bad` and the stage over the block `hated`.
fn staged(
    context: &Context,
    input: &Numbers,
    (most, bad, hated): (usize, u32, u32),
) -> Staged<Numbers, Vec<u32>, Vec<u32>> {
    let work = move |block: Vec<u32>| match block == [bad] {
        true => panic!("a block that this does not like"),
        false => Ok(block),
    };
    let mut seen = 0;
    let stage = move |mut block: Vec<u32>| {
        if block == [hated] {
            return (Vec::new(), Err(Error::Cancelled));
        }
        block.push(seen);
        seen += 1;
        let has_enough = seen as usize >= most;
        (block, Ok(if has_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }))
    };
    Staged::new(context, Arc::new(input.clone()), work, Vec::len, stage)
}

/// What is read of it in order, and what the run has come to.
fn read(context: &Context, input: Staged<Numbers, Vec<u32>, Vec<u32>>) -> (Vec<u32>, Result<()>) {
    let mut seen = Vec::new();
    let ended = stream(
        context,
        &Arc::new(input),
        |_, block| Ok(block),
        Vec::len,
        |block: Vec<u32>| {
            seen.extend(block);
            Ok(ControlFlow::Continue(()))
        },
    );
    (seen, ended)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn a_stage_sees_all_blocks_in_order_up_to_what_it_wants_or_the_first_failure(
        (partitions, blocks) in (0..6_usize, 0..12_usize),
        threads in 1..5_usize,
        most in 1..60_usize,
        bad in 0..120_u32,
        hated in 0..120_u32,
        failing in prop::option::of((0..6_usize, 0..12_usize)),
        limit in prop::option::of(0..200_u64),
    ) {
        let failing: Vec<_> = failing.into_iter().collect();
        let input = Numbers::failing(partitions, blocks, &failing);
        let budget = limit.map(|limit| Arc::new(Budget::new(limit, None)));
        let context = Context { threads, budget, ..Context::default() };
        let (seen, ended) = read(&context, staged(&context, &input, (most, bad, hated)));
        let fails = |n: &u32| {
            let at = (*n as usize / blocks, *n as usize % blocks);
            *n == bad || *n == hated || failing.contains(&at)
        };
        let all = input.all();
        let whole = all.iter().take_while(|n| !fails(n)).count();
        let expected = all.iter().take(whole.min(most)).enumerate();
        let expected: Vec<u32> = expected.flat_map(|(before, n)| [*n, before as u32]).collect();
        prop_assert_eq!(seen, expected);
        prop_assert_eq!(ended.is_ok(), whole == all.len() || most <= whole);
    }
}

#[test]
fn a_stage_that_has_enough_leaves_the_rest_of_a_slow_input_unread() {
    for threads in 1..4 {
        let input = Numbers::new(10_000, 1).slow(Duration::from_micros(50));
        let context = Context { threads, ..Context::default() };
        let (seen, ended) = read(&context, staged(&context, &input, (3, u32::MAX, u32::MAX)));
        ended.expect("nothing fails");
        assert_eq!(seen, [0, 0, 1, 1, 2, 2]);
        assert!(input.opened() < 100, "{} were opened", input.opened());
    }
}

#[test]
fn an_empty_stage_opens_nothing() {
    let input = Numbers::new(3, 3);
    let context = Context { threads: 2, ..Context::default() };
    let (seen, ended) = read(&context, staged(&context, &input, (1, 0, 0)).empty());
    ended.expect("nothing fails");
    assert!(seen.is_empty() && input.opened() == 0);
}

#[test]
fn a_run_that_is_cancelled_within_a_stage_ends() {
    for threads in 1..4 {
        let input = Numbers::new(1000, 10);
        let context = Context { threads, ..Context::default() };
        let stop = context.stop.clone();
        let stage = move |block: Vec<u32>| {
            if block == [500] {
                stop.cancel();
            }
            (block, Ok(ControlFlow::Continue(())))
        };
        let staged = Staged::new(&context, Arc::new(input), Ok, Vec::len, stage);
        let (_, ended) = read(&context, staged);
        assert!(matches!(ended, Err(Error::Cancelled)), "{ended:?}");
    }
}

#[test]
fn a_run_that_is_told_to_stop_gives_out_all_that_the_stage_has_seen() {
    for threads in 1..4 {
        let input = Numbers::new(50, 40);
        let context = Context { threads, ..Context::default() };
        let (stop, given) = (context.stop.clone(), Arc::new(AtomicUsize::new(0)));
        let counts = Arc::clone(&given);
        let stage = move |block: Vec<u32>| {
            if counts.fetch_add(1, SeqCst) == 100 {
                stop.stop();
            }
            (block, Ok(ControlFlow::Continue(())))
        };
        let staged = Staged::new(&context, Arc::new(input), Ok, Vec::len, stage);
        let (seen, ended) = read(&context.after_reading(), staged);
        ended.expect("nothing fails");
        assert_eq!(seen.len(), given.load(SeqCst));
        assert!((101..2000).contains(&seen.len()), "{}", seen.len());
    }
}

#[test]
fn nothing_is_reserved_for_a_stage_that_has_enough() {
    for threads in 1..4 {
        let input = Numbers::new(40, 3).slow(Duration::from_micros(100));
        let budget = Arc::new(Budget::new(1 << 20, None));
        let context = Context { threads, budget: Some(Arc::clone(&budget)), ..Context::default() };
        let staged = Arc::new(staged(&context, &input, (2, u32::MAX, u32::MAX)));
        let ended = stream(
            &context,
            &staged,
            |_, block| Ok(block),
            Vec::len,
            |_: Vec<u32>| Ok(ControlFlow::Continue(())),
        );
        ended.expect("nothing fails");
        assert_eq!(budget.used(), 0);
    }
}
