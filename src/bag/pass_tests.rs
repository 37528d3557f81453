//! Passes that are made in parts, each as another process makes it, against one run.

use std::fmt::Debug;
use std::io::Cursor;
use std::sync::Arc;

use proptest::prelude::*;

use super::computation::Computation;
use super::compute::Compute;
use super::pass::{MadePasses, NamedState};
use super::{Bag, ReadOptions, Run};
use crate::aggregate::{count, max, mean};
use crate::plan::Partitions;
use crate::run::{Context, Stop};
use crate::{Error, Result, delayed};

/// Computes by passes that are cut into so many tasks, of which so many states are merged at a time.
fn by_parts<C: Compute>(
    what: &C,
    tasks: usize,
    fan: usize,
    memory: Option<u64>,
) -> Result<C::Output> {
    let run = memory.map_or_else(Run::new, |bytes| Run::new().memory(bytes)).threads(2);
    let mut computation = Computation::default();
    what.add(&mut computation);
    let context = || run.context(Stop::default(), computation.blocksize());
    let (places, roots) = computation.all_roots();
    let mut made = MadePasses::default();
    for pass in computation.passes(&roots)? {
        let digest = pass.digest();
        let here = made.clone().known_to(&context());
        let values = pass.values(&here)?;
        pass.check_forms(&here, &values)?;
        let values = pass.encode(&values)?;
        let shared = || pass.decode(&values);
        let mut states: Vec<Vec<u8>> = Vec::new();
        let listing = pass.list(digest, Some(tasks), &context())?;
        for numbers in listing.divide(tasks)? {
            let (mut bytes, mut state) = (Vec::new(), Vec::new());
            listing.write(numbers, &mut bytes)?;
            let partitions = Partitions::from_bytes(&bytes)?;
            pass.run(digest, &shared()?, &partitions, &context(), &mut state)?;
            states.push(state);
        }
        while states.len() > 1 {
            let merged = states.chunks(fan.max(2)).map(|some| {
                let (mut state, named) = (Vec::new(), some.iter().cloned());
                let named = named
                    .map(|state| ("a state".to_owned(), Box::new(Cursor::new(state)) as Box<_>));
                let named: Vec<NamedState> = named.collect();
                pass.merge(digest, &shared()?, named, &context(), &mut state)?;
                Ok(state)
            });
            states = merged.collect::<Result<_>>()?;
        }
        made.add(&pass, digest, Arc::from(states.remove(0)));
    }
    let context = made.known_to(&context());
    let values = computation.run_roots(&context, &places, &roots);
    Ok(what.take(&mut values?))
}

/// Lines of the files, in partitions and blocks that are small.
fn lines() -> Bag<String> {
    let options = ReadOptions::new().blocksize(4 << 10);
    options.read_text(["fixtures/peps/pep-00*.rst", "fixtures/access.log"]).expect("a pattern")
}

#[track_caller]
fn is_that_of_one_run<C: Compute<Output: Debug + PartialEq>>(what: &C) {
    let whole = Run::new().compute_blocking(what).expect("it is computed");
    for (tasks, fan, memory) in [(1, 2, None), (7, 3, None), (40, 8, Some(400_000))] {
        let parts = by_parts(what, tasks, fan, memory).expect("it is computed in parts");
        assert_eq!(parts, whole, "{tasks} tasks, {fan} states at a time, {memory:?} bytes");
    }
}

#[test]
fn counts_sums_and_extremes_of_parts_are_those_of_one_run() {
    let lengths = lines().map(|line| line.len());
    is_that_of_one_run(&(
        lengths.clone().count(),
        lengths.clone().sum(),
        lengths.clone().map(|n| n as f64 / 3.0).sum(),
        (lengths.clone().min(), lengths.clone().max(), lengths.clone().last()),
        lengths.clone().topk(4),
        lengths.clone().bottomk(4),
        (lines().topk_by(3, |line| line.len()), lines().min_by(|line| line.len())),
        lengths.combine((creel_operators::Count, creel_operators::Max::new())),
    ));
}

#[test]
fn records_in_order_and_tables_of_parts_are_those_of_one_run() {
    let words = lines().words();
    is_that_of_one_run(&words.clone().frequencies().map(|counts| counts.sorted()));
    is_that_of_one_run(&(words.clone().sort(), words.clone().sort_by_key(String::len)));
    is_that_of_one_run(&(words.clone().distinct(), words.clone().distinct().take(9)));
    is_that_of_one_run(&words.clone().sort().take(7));
    is_that_of_one_run(&words.clone().map(|word| (word.clone(), word.len())));
    let rows = words.clone().group_by(|word| word.len());
    is_that_of_one_run(&rows.aggregate((
        count(),
        mean(|w: &String| w.len()),
        max(|w: &String| w.len()),
    )));
    let joined = |mut a: Vec<usize>, b: Vec<usize>| {
        a.extend(b);
        a
    };
    let pushed = |mut numbers: Vec<usize>, word: String| {
        numbers.push(word.len());
        numbers
    };
    is_that_of_one_run(&words.fold(Vec::new, pushed, joined));
}

#[test]
fn bags_of_reductions_and_arguments_of_steps_are_those_of_one_run() {
    let counts = lines().words().frequencies();
    let of_counts = counts.clone().into_bag().map(|(_, n)| n).frequencies().topk(3);
    is_that_of_one_run(&(counts.topk(3), of_counts));
    let longest = lines().map(|line| line.len()).max();
    let half = |line: &String, longest: &Option<usize>| Some(line.len() * 2) > *longest;
    let near = lines().filter_with(&longest, half).count();
    is_that_of_one_run(&near);
    let at_least = lines().map_with(delayed(40_usize), |line, least: &usize| line.len() >= *least);
    is_that_of_one_run(&at_least.filter(|is| *is).count());
}

#[test]
fn a_step_that_has_captured_a_value_and_a_type_without_a_form_are_named() {
    let needle = "a".to_owned();
    let captured = lines().filter(move |line| line.contains(&needle)).count();
    let error = by_parts(&captured, 2, 2, None).expect_err("it has captured").to_string();
    assert!(error.starts_with("`filter` (src/bag/pass_tests.rs:"), "{error}");
    assert!(error.contains("holds 24 bytes of this process"), "{error}");

    struct Formless;
    let error = by_parts(&lines().map(|_| Formless), 2, 2, None).map(|all| all.len());
    let error = error.expect_err("it has no form").to_string();
    assert!(error.starts_with("`collect` holds `creel::bag::pass_tests::"), "{error}");
    let argument =
        lines().map_with(delayed(std::time::Instant::now()), |_, _: &std::time::Instant| ());
    let error = by_parts(&argument.count(), 2, 2, None).expect_err("it has no form").to_string();
    assert!(error.starts_with("the argument of a step is `std::time::Instant`"), "{error}");

    let error = by_parts(&Bag::from_iter(0..3).count(), 2, 2, None).expect_err("it is in memory");
    assert!(matches!(error, Error::Plan { .. }), "{error}");
    assert!(by_parts(&lines().take(1), 2, 2, None).is_err());
}

#[test]
fn digests_tell_what_passes_are_made_of() {
    let digest = |bag: Bag<String>| {
        let mut computation = Computation::default();
        bag.count().add(&mut computation);
        let (_, roots) = computation.all_roots();
        computation.passes(&roots).expect("it reads text")[0].digest()
    };
    let split = |at: &str| lines().split(at);
    assert_eq!(digest(split(",")), digest(split(",")));
    assert_ne!(digest(split(",")), digest(split(";")));
    // Two closures of one function, given to one line of it.
    fn keep(keep: impl Fn(&String) -> bool + Send + Sync + 'static) -> Bag<String> {
        lines().filter(keep)
    }
    let kept = |long: bool| match long {
        true => keep(|line| line.len() > 3),
        false => keep(|line| line.contains("GET")),
    };
    assert_eq!(digest(kept(true)), digest(kept(true)));
    assert_ne!(digest(kept(true)), digest(kept(false)));
    let read = |pattern: &str| creel_read(pattern);
    assert_ne!(digest(read("fixtures/access.log")), digest(read("fixtures/access.jsonl")));
}

fn creel_read(pattern: &str) -> Bag<String> {
    crate::read_text(pattern).expect("a pattern")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn bytes_that_are_no_state_are_refused(at: prop::sample::Index, bit in 0..8_u8) {
        let count = lines().count();
        let mut computation = Computation::default();
        count.add(&mut computation);
        let (_, roots) = computation.all_roots();
        let pass = &computation.passes(&roots).expect("it reads text")[0];
        let (digest, context) = (pass.digest(), Context::default());
        let mut bytes = Vec::new();
        let listing = pass.list(digest, None, &context).expect("it is listed");
        listing.write(0..listing.len(), &mut bytes).expect("it is written");
        let partitions = Partitions::from_bytes(&bytes).expect("they are whole");
        let mut state = Vec::new();
        pass.run(digest, &[], &partitions, &context, &mut state).expect("it runs");
        let at = at.index(state.len());
        state[at] ^= 1_u8 << bit;
        let named: Vec<NamedState> = vec![("a state".to_owned(), Box::new(Cursor::new(state)))];
        prop_assert!(pass.merge(digest, &[], named, &context, &mut Vec::new()).is_err());
    }
}
