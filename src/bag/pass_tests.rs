//! Passes that are made in parts, each as another process makes it, against one run.

use std::fmt::Debug;
use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use creel_operators::{Max, TopK};
use proptest::prelude::*;

use super::computation::Computation;
use super::computation::Compute;
use super::pass::{Elsewhere, MakePass, NamedState, TextPass};
use super::{Bag, ReadOptions, Run};
use crate::aggregate::{self, count, max, mean, p50, p99, quantile};
use crate::delayed::call;
use crate::graph::Shared;
use crate::plan::{Digest, Partitions, PassReader, Piece};
use crate::run::{Context, Stop};
use crate::source::Missing;
use crate::{Error, Invalid, Result, delayed};

/// Makes passes cut into so many tasks, of which so many states are merged at a time.
struct ByParts {
    tasks: usize,
    fan: usize,
    run: Run,
    blocksize: Option<usize>,
}

impl MakePass for ByParts {
    fn make(&self, pass: &TextPass, values: &[Shared], _: &Context) -> Result<NamedState> {
        let context = || {
            // Each as in a process of its own, which counts by itself.
            let context = self.run.context(Stop::default(), self.blocksize);
            Context { progress: Arc::default(), ..context }
        };
        let digest = pass.digest();
        let values = pass.encode(values)?;
        let shared = || pass.decode(&values);
        let mut states: Vec<Vec<u8>> = Vec::new();
        let listing = pass.list(digest, Some(self.tasks), &context())?;
        for numbers in listing.divide(self.tasks)? {
            let (mut bytes, mut state) = (Vec::new(), Vec::new());
            listing.write(numbers, &mut bytes)?;
            let partitions = Partitions::from_bytes(&bytes)?;
            pass.run(digest, &shared()?, &partitions, &context(), &mut state)?;
            states.push(state);
        }
        while states.len() > 1 {
            let merged = states.chunks(self.fan.max(2)).map(|some| {
                let (mut state, named) = (Vec::new(), some.iter().cloned());
                let named = named
                    .map(|state| ("a state".to_owned(), Box::new(Cursor::new(state)) as Box<_>));
                let named: Vec<NamedState> = named.collect();
                pass.merge(digest, &shared()?, named, &context(), &mut state)?;
                Ok(state)
            });
            states = merged.collect::<Result<_>>()?;
        }
        Ok(("the state of all".to_owned(), Box::new(Cursor::new(states.remove(0)))))
    }
}

/// Computes by passes that are cut into so many tasks, of which so many states are merged at a time.
fn by_parts<C: Compute>(
    what: &C,
    tasks: usize,
    fan: usize,
    memory: Option<u64>,
) -> Result<C::Output> {
    by_parts_in(&Run::new(), what, tasks, fan, memory)
}

fn by_parts_in<C: Compute>(
    run: &Run,
    what: &C,
    tasks: usize,
    fan: usize,
    memory: Option<u64>,
) -> Result<C::Output> {
    let run = memory.map_or_else(|| run.clone(), |bytes| run.clone().memory(bytes)).threads(2);
    let mut computation = Computation::default();
    what.add(&mut computation);
    let blocksize = computation.blocksize();
    let (places, roots) = computation.all_roots();
    let passes = computation.passes(&roots)?;
    let context = run.context(Stop::default(), blocksize);
    let maker = Box::new(ByParts { tasks, fan, run, blocksize });
    let context = Elsewhere::new(&passes, maker).known_to(&context);
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
fn a_task_that_several_passes_look_at_runs_once() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let least = call(|| CALLS.fetch_add(1, Relaxed) + 40, ());
    let longer = |line: String, least: &usize| line.len() > *least;
    let other = ReadOptions::new().read_text(["fixtures/access.jsonl"]).expect("a pattern");
    let counts = (
        lines().map_with(&least, longer).filter(|is| *is).count(),
        other.map_with(&least, longer).filter(|is| *is).count(),
        least,
    );
    let (first, second, least) = by_parts(&counts, 3, 2, None).expect("it is computed");
    assert!(first > 0 && second > 0);
    assert_eq!((least, CALLS.load(Relaxed)), (40, 1));
}

#[test]
fn a_run_reports_rejected_records_of_all_passes_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.log");
    std::fs::write(&path, b"12\n\xff\xff\n123\n\xff\n").expect("it is written");
    let options =
        ReadOptions::new().on_missing(Missing::Skip).invalid(Invalid::Replace).blocksize(3);
    let missing = folder.path().join("missing.log");
    let text = options.read_text([path, missing].map(|path| path.display().to_string()));
    let text = text.expect("paths");
    let longest = text.clone().map(|line| line.len()).max();
    let count =
        text.filter_with(&longest, |line, longest: &Option<usize>| Some(line.len()) != *longest);
    let told = |run: &Run| {
        let progress = run.progress();
        let first = progress.take_first_invalid().expect("there is one").to_string();
        assert!(first.contains("a.log") && first.contains("byte 3"), "{first}");
        let unread = progress.take_unread().len();
        (progress.records_replaced(), progress.entries_unread(), unread)
    };
    let (here, parts) = (Run::new(), Run::new());
    let expected = here.compute_blocking(&count.clone().count()).expect("it is computed");
    let counted = by_parts_in(&parts, &count.count(), 3, 2, None).expect("it is computed");
    assert_eq!(counted, expected);
    assert_eq!(told(&parts), told(&here));
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

#[test]
fn a_fault_behind_an_object_that_is_gone_names_its_partition_in_the_listing() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = ["a.log", "b.log", "c.log"].map(|name| folder.path().join(name));
    for (path, text) in paths.iter().zip([&b"one\n"[..], b"two\n", b"\xff\n"]) {
        std::fs::write(path, text).expect("it is written");
    }
    let options = ReadOptions::new().on_missing(Missing::Skip).partition_size(1);
    let count = options.read_text(paths.iter().map(|path| path.display().to_string()));
    let count = count.expect("paths").count();
    let mut computation = Computation::default();
    count.add(&mut computation);
    let (_, roots) = computation.all_roots();
    let pass = &computation.passes(&roots).expect("it reads text")[0];
    let listing = pass.list(pass.digest(), Some(3), &Context::default()).expect("it is listed");
    let mut bytes = Vec::new();
    listing.write(0..listing.len(), &mut bytes).expect("it is written");
    let partitions = Partitions::from_bytes(&bytes).expect("they are whole");
    let partition = || {
        let run = pass.run(pass.digest(), &[], &partitions, &Context::default(), &mut Vec::new());
        run.expect_err("it is no UTF-8").place().and_then(|place| place.partition)
    };
    let all = partition();
    std::fs::remove_file(&paths[0]).expect("it is removed");
    assert_eq!((all, partition()), (Some(partitions.len() - 1), all));
}

#[test]
fn collected_records_go_in_pieces() {
    let lengths = lines().map(|line| line.len()).collect();
    let mut computation = Computation::default();
    lengths.add(&mut computation);
    let (_, roots) = computation.all_roots();
    let pass = &computation.passes(&roots).expect("it reads text")[0];
    let (digest, context) = (pass.digest(), Context::default());
    let listing = pass.list(digest, None, &context).expect("it is listed");
    let (mut partitions, mut state) = (Vec::new(), Vec::new());
    listing.write(0..listing.len(), &mut partitions).expect("it is written");
    let partitions = Partitions::from_bytes(&partitions).expect("they are whole");
    pass.run(digest, &[], &partitions, &context, &mut state).expect("it runs");
    let mut reader = PassReader::new(&state[..], digest, "a state").expect("it is a state");
    let mut pieces = 0;
    while let Piece::Chunk { bytes, .. } = reader.next().expect("it is whole") {
        assert!(bytes.len() < 4 << 10, "{} bytes", bytes.len());
        pieces += 1;
    }
    assert!(pieces > 10, "{pieces} pieces");
}

#[test]
fn digests_tell_the_numbers_that_ends_were_given() {
    let digest = |item: &dyn Fn(&mut Computation)| {
        let mut computation = Computation::default();
        item(&mut computation);
        let (_, roots) = computation.all_roots();
        computation.passes(&roots).expect("it reads text")[0].digest()
    };
    let lengths = || lines().map(|line| line.len());
    let ends: [&dyn Fn(usize) -> Digest; 8] = [
        &|k| digest(&|all| lengths().topk(k).add(all)),
        &|k| digest(&|all| lengths().combine((Max::new(), TopK::new(k))).add(all)),
        &|k| digest(&|all| lengths().aggregate(aggregate::topk(k, |n: &usize| *n)).add(all)),
        &|k| digest(&|all| lengths().aggregate(aggregate::bottomk(k, |n: &usize| *n)).add(all)),
        &|k| digest(&|all| lengths().aggregate(quantile(k as f64 / 9.0, |n: &usize| *n)).add(all)),
        &|k| digest(&|all| lines().sort().take(k).add(all)),
        &|k| digest(&|all| lines().topk_by(k, |line| line.len()).add(all)),
        &|k| match k {
            1 => digest(&|all| lengths().aggregate(p99(|n: &usize| *n)).add(all)),
            _ => digest(&|all| lengths().aggregate(p50(|n: &usize| *n)).add(all)),
        },
    ];
    for (n, end) in ends.iter().enumerate() {
        assert_eq!(end(1), end(1), "end {n}");
        assert_ne!(end(1), end(2), "end {n}");
    }
    let folded = |longest: bool| match longest {
        true => digest(&|all| {
            lines()
                .fold_by(String::len, || 0, |n: usize, s: String| n.max(s.len()), usize::max)
                .add(all)
        }),
        false => digest(&|all| {
            lines()
                .fold_by(String::len, || 0, |n: usize, s: String| n.min(s.len()), usize::max)
                .add(all)
        }),
    };
    assert_ne!(folded(true), folded(false));
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
