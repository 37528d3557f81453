//! What aggregates state of their errors and of their memory, at the sizes that they state.

use creel_operators::aggregate::{Aggregate, find};
use creel_operators::column::{Column, Columns, Groups, OwnedColumn, OwnedData, Span};

/// As many numbers of a group as a quantile keeps.
const EXACT: usize = 1 << 20;

fn numbers(count: usize) -> Vec<f64> {
    // All of them different, in no order, over seven powers of ten.
    (0..count).map(|n| 10_f64.powf((n * 7919 % count) as f64 / count as f64 * 7.0 - 3.0)).collect()
}

fn fed(name: &str, columns: &[Column<'_>], rows: std::ops::Range<usize>) -> Box<dyn Aggregate> {
    let mut state = find(name).unwrap().make(&[]).unwrap();
    state.resize(1);
    let all = Columns::arguments(columns[0].len(), columns);
    for start in rows.clone().step_by(1 << 16) {
        state.update(Groups::One, &all.slice(start..rows.end.min(start + (1 << 16))));
    }
    state
}

fn float(result: &OwnedColumn) -> f64 {
    let OwnedData::Floats(values) = result.data() else { panic!("{result:?}") };
    values[0]
}

#[test]
fn quantiles_are_exact_up_to_a_million_numbers_and_close_beyond() {
    for count in [EXACT, EXACT + 1000] {
        let numbers = numbers(count);
        let mut sorted = numbers.clone();
        sorted.sort_by(f64::total_cmp);
        let columns = [Column::floats(&numbers)];
        let name = "p99";
        let expected = sorted[(count * 99).div_ceil(100) - 1];
        let whole = fed(name, &columns, 0..count);
        // Whatever the pieces: one that is exact by itself, and ones that are not.
        let cut = count / 3;
        let mut pieces = fed(name, &columns, cut..count);
        pieces.merge(fed(name, &columns, 0..cut), &[0]);
        let (mut bytes, mut others) = (Vec::new(), Vec::new());
        whole.encode(&[0], &mut bytes).unwrap();
        pieces.encode(&[0], &mut others).unwrap();
        assert!(bytes == others, "{name} of {count}: bytes");
        let (whole, pieces) = (float(&whole.finish()), float(&pieces.finish()));
        assert_eq!(whole, pieces);
        if count <= EXACT {
            assert_eq!(whole, expected);
        } else {
            let error = (whole / expected - 1.0).abs();
            assert!(error <= 1.0 / 256.0 && error > 0.0, "{name}: {error}");
            // Of the numbers as they are there would be 8 MiB.
            assert!(bytes.len() < 1 << 16, "{} bytes", bytes.len());
        }
    }
}

#[test]
fn states_are_small_for_each_group() {
    const GROUPS: usize = 10_000;
    let numbers: Vec<f64> = (0..GROUPS * 4).map(|n| n as f64 / 1000.0).collect();
    let groups: Vec<u32> = (0..GROUPS as u32 * 4).map(|n| n % GROUPS as u32).collect();
    let columns = [Column::floats(&numbers)];
    let batch = Columns::arguments(numbers.len(), &columns);
    for (name, most) in [("count", 8), ("sum", 48), ("mean", 64), ("min", 32), ("var", 112)] {
        let mut state = find(name).unwrap().make(&[]).unwrap();
        state.resize(GROUPS);
        let batch = if name == "count" { Columns::arguments(numbers.len(), &[]) } else { batch };
        state.update(Groups::Each(&groups), &batch);
        assert!(state.weight() <= GROUPS * most, "{name}: {}", state.weight() / GROUPS);
    }
}

/// About how many of so many distinct texts there are.
fn distinct(set: usize, count: usize) -> i64 {
    let (mut text, mut spans) = (String::new(), Vec::new());
    for n in 0..count {
        let start = text.len();
        text.push_str(&format!("{set} {n}"));
        spans.push(Span::new(start, text.len()));
    }
    let state = fed("approx_nunique", &[Column::text(&text, &spans)], 0..count);
    assert!(state.weight() <= 16_384 + 256);
    let OwnedData::Integers(found) = state.finish().data().clone() else { panic!("a count") };
    found[0]
}

#[test]
fn distinct_values_are_exact_up_to_1024_and_take_16_kib_beyond() {
    assert_eq!(distinct(0, 1024), 1024);
    // Estimates of a standard error of 0.81 % at most: their mean square tells it to a tenth or so.
    let sizes = [1025, 2000, 5000, 10_000, 20_000, 40_000];
    let errors = (0..60).map(|set| {
        let size = sizes[set % sizes.len()];
        distinct(set, size) as f64 / size as f64 - 1.0
    });
    let errors: Vec<f64> = errors.collect();
    let deviation = (errors.iter().map(|error| error * error).sum::<f64>() / 60.0).sqrt();
    assert!(deviation < 0.0081 * 1.3 && deviation > 0.001, "{deviation}");
    assert!(errors.iter().all(|error| error.abs() < 5.0 * 0.0081), "{errors:?}");
}
