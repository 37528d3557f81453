//! Tasks of neighbouring partitions, of about equal bytes.

use std::ops::Range;

/// Neighbours for each of so many tasks at most, by the bytes of all: of about equal bytes. There is one at least.
pub(super) fn divided(bytes: &[u64], tasks: usize) -> Vec<Range<usize>> {
    let weigh = |bytes: &u64| u128::from(*bytes).max(1);
    let (tasks, all) = (tasks.max(1) as u128, bytes.iter().map(weigh).sum::<u128>().max(1));
    let (mut before, mut last) = (0, None);
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (number, bytes) in bytes.iter().map(weigh).enumerate() {
        // The task in whose share of the bytes the middle of the partition is.
        let task = (2 * before + bytes) * tasks / (2 * all);
        before += bytes;
        match ranges.last_mut().filter(|_| last == Some(task)) {
            Some(range) => range.end = number + 1,
            None => ranges.push(number..number + 1),
        }
        last = Some(task);
    }
    if ranges.is_empty() {
        ranges.push(0..0);
    }
    ranges
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tasks_are_neighbours_of_about_equal_bytes(
            bytes in prop::collection::vec(0..1000_u64, 0..40),
            tasks in 1..50_usize,
        ) {
            let ranges = divided(&bytes, tasks);
            prop_assert!((1..=tasks).contains(&ranges.len()));
            let all: Vec<usize> = ranges.iter().cloned().flatten().collect();
            prop_assert_eq!(all, (0..bytes.len()).collect::<Vec<_>>());
            let most = bytes.iter().copied().max().unwrap_or(0) + 1;
            let fair = bytes.iter().map(|bytes| bytes + 1).sum::<u64>() / tasks as u64;
            for range in ranges {
                prop_assert!(bytes[range].iter().sum::<u64>() <= fair + most + 1);
            }
        }
    }
}
