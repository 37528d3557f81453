//! Sorted runs in memory made one run, by one thread or by all of a run.

use std::cmp::Ordering;
use std::sync::{Arc, Mutex};

use creel_operators::Spill;

use crate::Result;
use crate::graph::{Moved, Name, Node};
use crate::run::{Context, once};
use crate::spill::MergedRecords;

/// Fewer records are merged by one thread.
const LEAST_FOR_THREADS: usize = if cfg!(test) { 16 } else { 1 << 16 };

/// The ranges of records for each thread: more than one, so that none is long alone at the end.
const RANGES: usize = 4;

/// The records of a sample for each range.
const SAMPLED: usize = 32;

/// How records are compared.
pub(super) trait Compare<T>: Fn(&T, &T) -> Ordering + Send + Sync + 'static {}

impl<T, C: Fn(&T, &T) -> Ordering + Send + Sync + 'static> Compare<T> for C {}

/// The first `most` records of sorted runs in one order; equal ones in the order of the runs.
pub(super) fn merged<T: Spill>(
    mut runs: Vec<Vec<T>>,
    most: usize,
    compare: &impl Compare<T>,
) -> Vec<T> {
    runs.retain(|run| !run.is_empty());
    let all: usize = runs.iter().map(Vec::len).sum();
    let mut records = match runs.len() {
        // Each record is fetched once, where it points to memory anywhere: 5 M strings take three quarters of the
        // time of a stable sort.
        3.. if std::mem::needs_drop::<T>() => {
            let mut records = Vec::with_capacity(all.min(most));
            records.extend(MergedRecords::of_vecs(runs, compare).take(most));
            records
        }
        // A stable sort finds what is in order already.
        _ => {
            let one = runs.len() <= 1;
            let mut records = concatenated(runs);
            if !one {
                records.sort_by(compare);
            }
            records
        }
    };
    if records.len() > most {
        records.truncate(most);
        records.shrink_to_fit();
    }
    records
}

/// The same by all threads of a run: each merges ranges of records that are in no other range.
///
/// # Errors
///
/// If the run is cancelled.
pub(super) fn merged_on_threads<T: Spill, C: Compare<T>>(
    context: &Context,
    runs: Vec<Vec<T>>,
    most: usize,
    compare: &Arc<C>,
) -> Result<Vec<T>> {
    let all: usize = runs.iter().map(Vec::len).sum();
    if context.threads <= 1 || runs.len() <= 1 || all < LEAST_FOR_THREADS {
        return Ok(merged(runs, most, &**compare));
    }
    let ranges = cut(runs, RANGES * context.threads, &**compare).into_iter().map(|range| {
        let (range, compare) = (Mutex::new(Some(range)), Arc::clone(compare));
        Node::new(Name::Only("merge a range"), [], move |_, _| {
            Ok(Moved::outcome(merged(once(&range), most, &*compare)))
        })
    });
    let merged = crate::graph::run(context, &ranges.collect::<Vec<_>>())?;
    let mut records = concatenated(merged.into_iter().map(Moved::out_of).collect());
    if records.len() > most {
        records.truncate(most);
        records.shrink_to_fit();
    }
    Ok(records)
}

/// Cuts sorted runs into ranges: for each range, the records of all runs. Equal records are in one range.
fn cut<T: Spill>(runs: Vec<Vec<T>>, ranges: usize, compare: &impl Compare<T>) -> Vec<Vec<Vec<T>>> {
    let all: usize = runs.iter().map(Vec::len).sum();
    let step = (all / (ranges * SAMPLED)).max(1);
    let mut sample: Vec<&T> = runs.iter().flat_map(|run| run.iter().step_by(step)).collect();
    sample.sort_by(|a, b| compare(a, b));
    let firsts = (1..ranges).map(|n| sample[n * sample.len() / ranges].clone());
    let firsts: Vec<T> = firsts.collect();
    let mut cut: Vec<Vec<Vec<T>>> = (0..ranges).map(|_| Vec::new()).collect();
    for mut run in runs {
        for (n, first) in firsts.iter().enumerate().rev() {
            let at = run.partition_point(|record| compare(record, first).is_lt());
            cut[n + 1].push(run.split_off(at));
        }
        run.shrink_to_fit();
        cut[0].push(run);
    }
    cut
}

/// Records one behind the other.
fn concatenated<T>(runs: Vec<Vec<T>>) -> Vec<T> {
    let all: usize = runs.iter().map(Vec::len).sum();
    let mut runs = runs.into_iter();
    let mut records = runs.next().unwrap_or_default();
    records.reserve_exact(all - records.len());
    runs.for_each(|mut behind| records.append(&mut behind));
    records
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_threads_merge_runs_as_a_stable_sort_does(
            runs in prop::collection::vec(prop::collection::vec(0..40_u8, 0..60), 0..9),
            threads in 1..5_usize,
            most in prop::sample::select(vec![0_usize, 7, usize::MAX]),
        ) {
            let context = Context { threads, ..Context::default() };
            let by_key = |a: &(u8, String), b: &(u8, String)| a.0.cmp(&b.0);
            let named = runs.into_iter().enumerate().map(|(n, keys)| {
                let named = keys.into_iter().enumerate().map(|(at, key)| (key, format!("{n} {at}")));
                let mut named: Vec<_> = named.collect();
                named.sort_by(by_key);
                named
            });
            let runs: Vec<Vec<(u8, String)>> = named.collect();
            let mut expected = runs.concat();
            expected.sort_by(by_key);
            expected.truncate(most);
            let found = merged_on_threads(&context, runs, most, &Arc::new(by_key)).unwrap();
            prop_assert_eq!(found, expected);
        }
    }
}
