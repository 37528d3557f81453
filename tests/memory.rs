//! Counts of a run that may not hold them all while it reads.

use std::io::Write;

use creel::aggregate::{count, max};
use creel::{Bag, Error, Run, delayed};
use proptest::prelude::*;

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
fn counts_of_integers_over_the_memory_of_a_run_are_the_same() {
    let number = |n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 60_013;
    let parts = (0..16_u64).map(|part| {
        delayed(()).map(move |()| (part * 10_000..).take(10_000).map(number).collect::<Vec<u64>>())
    });
    let bags = [Bag::from_iter(0..160_000_u64).map(number), Bag::from_delayed(parts)];
    let expected = bags[0].clone().frequencies().compute_blocking().expect("it is counted");
    for bag in bags {
        for threads in 1..4 {
            let run = Run::new().threads(threads).memory(400_000);
            let counts = run.compute_blocking(&bag.clone().frequencies()).expect("it is spilled");
            assert!(counts == expected, "{threads} threads");
        }
    }
}

#[test]
fn states_with_a_form_for_the_disk_spill_beside_states_without_one() {
    let numbers = Bag::from_iter(0..60_000_u32);
    let joined = |text: String, n: u32| {
        if n.is_multiple_of(10_000) { text + &format!("{n};") } else { text }
    };
    let all = (
        numbers.clone().fold(String::new, joined, |a, b| a + &b),
        numbers.clone().map(|n| format!("word {}", n % 20_011)).frequencies(),
        numbers.clone().map(|n| Seat(n % 7)).frequencies(),
        numbers.group_by(|n| n % 20_011).aggregate(count()),
    );
    let expected = creel::compute_all_blocking(&all).expect("it fits");
    assert_eq!(expected.0, "0;10000;20000;30000;40000;50000;");
    assert_eq!((expected.1.len(), expected.2.len(), expected.3.len()), (20_011, 7, 20_011));
    for threads in 1..4 {
        let run = Run::new().threads(threads).memory(400_000);
        let results = run.compute_blocking(&all).expect("it is spilled");
        assert!(results == expected, "{threads} threads");
    }
}

/// A key without a form in bytes.
#[derive(Debug, Clone, Hash, PartialEq, Eq, PartialOrd, Ord)]
struct Seat(u32);
creel::operators::key!(Seat);

#[test]
fn states_that_cannot_be_spilled_are_refused_over_the_memory_of_a_run() {
    for threads in 1..4 {
        let numbers = Bag::from_iter(0..300_000_u64);
        let texts = numbers.clone().map(|n| format!("text {n}"));
        let errors = [
            refused(threads, &numbers.clone().map(|n| Seat(n as u32)).frequencies()),
            refused(threads, &numbers.clone().topk(200_000)),
            refused(threads, &texts.clone().topk(50_000)),
        ];
        for error in errors {
            assert!(matches!(error, Error::Memory { limit: 0x0010_0000, .. }), "{error}");
            assert!(error.to_string().contains("no form for the disk"), "{error}");
        }
        // What fits is not refused, also if it is merged of many that take more together.
        let parts = (0..16_u64).map(|part| delayed(()).map(move |()| vec![part; 8_000]));
        let run = Run::new().threads(threads).memory(1 << 20);
        let top = run.compute_blocking(&Bag::from_delayed(parts).topk(40_000)).expect("it fits");
        assert_eq!((top.len(), top[39_999]), (40_000, 11));
        let run = Run::new().threads(threads).memory(1 << 20);
        let few = (numbers.clone().map(|n| n % 100).frequencies(), numbers.topk(10), texts.count());
        let (counts, top, count) = run.compute_blocking(&few).expect("it fits");
        assert_eq!((counts.len(), top[0], count), (100, 299_999, 300_000));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_memory_and_threads_give_the_same_results_and_more_memory_refuses_no_more(
        share in prop::sample::select(vec![0_u32, 10, 50, 100]),
        records in 0..20_000_u32,
        threads in 1..5_usize,
        handles in 0..6_u32,
    ) {
        // A share of the records has one key, and the others have keys of their own.
        let key = move |n: u32| if n % 100 < share { "one".to_owned() } else { format!("key {n}") };
        let numbers = match handles {
            0 => Bag::from_iter(0..records),
            _ => Bag::from_delayed((0..handles).map(|part| {
                delayed((0..records).filter(|n| n % handles == part).collect::<Vec<u32>>())
            })),
        };
        let keys = numbers.clone().map(key);
        let groups = numbers.clone().group_by(move |n| key(*n));
        let all = (
            keys.clone().frequencies(),
            (groups.aggregate((count(), max(|n: &u32| *n))), numbers.clone().map(|n| (n % 777, n % 3)).frequencies()),
            (keys.clone().topk(5), keys.clone().distinct().count(), keys.sort().take(7), numbers.sum()),
        );
        let expected = creel::compute_all_blocking(&all).expect("it fits");
        let mut was_enough = false;
        for memory in [50_000, 400_000, 3_000_000, 64 << 20] {
            match Run::new().threads(threads).memory(memory).compute_blocking(&all) {
                Ok(results) => {
                    prop_assert!(results == expected, "{memory} bytes");
                    was_enough = true;
                }
                // Groups of a maximum by a closure stay in memory.
                Err(Error::Memory { .. }) if !was_enough && memory < 64 << 20 => {}
                Err(error) => prop_assert!(false, "{memory} bytes: {error}"),
            }
        }
    }
}

/// The most bytes of this process that were resident so far, if the system says.
fn most_resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(most.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// Runs this test in a process of its own, so that it is seen what runs hold at most. Returns true there.
fn is_alone(name: &str) -> bool {
    if std::env::var_os("MEMORY_ALONE").is_some() {
        return true;
    }
    let mut alone = std::process::Command::new(std::env::current_exe().expect("a program"));
    let alone = alone.args(["--exact", name]).env("MEMORY_ALONE", "1").output();
    let alone = alone.expect("it runs");
    assert!(alone.status.success(), "{}", String::from_utf8_lossy(&alone.stdout));
    false
}

#[test]
fn the_memory_bounds_blocks_and_threads_of_a_run_that_reads_text() {
    if !is_alone("the_memory_bounds_blocks_and_threads_of_a_run_that_reads_text") {
        return;
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut out = std::io::BufWriter::new(file.as_file());
    (0..2_000_000).for_each(|n| writeln!(out, "{:064}", n % 1000).expect("written"));
    out.flush().expect("written");
    let text = creel::ReadOptions::new()
        .partition_size(2 << 20)
        .read_text([file.path().to_string_lossy()]);
    let text = text.expect("a pattern");
    let run = Run::new().threads(64).memory(64 << 20);
    let before = most_resident();
    let counted = run.compute_blocking(&(
        text.clone().count(),
        text.clone().frequencies().map(|counts| counts.len()),
        text.clone().map(|line| line.len()).sum(),
    ));
    assert_eq!(counted.expect("it is read"), (2_000_000, 1000, 128_000_000));
    let streamed = futures::executor::block_on(async {
        use futures::TryStreamExt;
        run.stream(text).try_fold(0, |n, _| async move { Ok(n + 1) }).await
    });
    assert_eq!(streamed.expect("it is read"), 2_000_000);
    let (Some(before), Some(after)) = (before, most_resident()) else { return };
    let more = after.saturating_sub(before) >> 20;
    assert!(more <= 64, "{more} MiB more than {} MiB before", before >> 20);
}

/// Text of `lines` lines of 60 bytes, of which no two neighbours are in order, each as often as `copies` says.
fn lines_of_text(lines: u64, copies: u64) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut out = std::io::BufWriter::new(file.as_file());
    for n in 0..lines {
        let n = (n / copies).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        writeln!(out, "{n:016x} {:042}", n % 1000).expect("written");
    }
    out.flush().expect("written");
    drop(out);
    file
}

/// What the process holds at most while `work` is done, in MiB, beyond what it held before.
fn peak_of(work: impl FnOnce()) -> u64 {
    let before = most_resident();
    work();
    let (Some(before), Some(after)) = (before, most_resident()) else { return 0 };
    after.saturating_sub(before) >> 20
}

#[test]
fn a_sort_of_more_text_than_memory_stays_within_the_memory() {
    if !is_alone("a_sort_of_more_text_than_memory_stays_within_the_memory") {
        return;
    }
    let file = lines_of_text(5_000_000, 1);
    let text = creel::read_text(file.path().to_string_lossy()).expect("a pattern");
    let run = Run::new().threads(2).memory(64 << 20);
    let more = peak_of(|| {
        let read = futures::executor::block_on(async {
            use futures::TryStreamExt;
            let next = |(last, n): (String, u64), line: String| async move {
                assert!(last <= line, "{last} stands before {line}");
                Ok((line, n + 1))
            };
            run.stream(text.sort()).try_fold((String::new(), 0), next).await
        });
        assert_eq!(read.expect("it is spilled").1, 5_000_000);
    });
    assert!(more <= 64, "{more} MiB more than before");
}

#[test]
fn distinct_lines_of_more_text_than_memory_stay_within_the_memory() {
    if !is_alone("distinct_lines_of_more_text_than_memory_stay_within_the_memory") {
        return;
    }
    let file = lines_of_text(5_000_000, 1);
    let text = creel::read_text(file.path().to_string_lossy()).expect("a pattern");
    let run = Run::new().threads(2).memory(64 << 20);
    let more = peak_of(|| {
        // The count shares the pass: its states are cut with those of the distinct lines.
        let counted = run.compute_blocking(&(text.clone().distinct().count(), text.count()));
        assert_eq!(counted.expect("it is spilled"), (5_000_000, 5_000_000));
    });
    assert!(more <= 64, "{more} MiB more than before");
}
