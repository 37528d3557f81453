//! The check of the laws finds aggregates that break them.

use super::check_states;
use crate::aggregate::{Aggregate, Damaged, Each, NoBytes, Order, PerGroup, Reader, Writer};
use crate::column::{Column, Columns, Groups, OwnedColumn};

/// Keeps numbers: lawful or not, by what it is made of.
#[derive(Clone)]
struct Numbers {
    merge: fn(&mut Vec<u64>, Vec<u64>),
    feed: fn(&mut Vec<u64>, u64),
    encode: fn(&[u64], &mut Vec<u8>),
    decode: fn(&mut Reader<'_>) -> Result<Vec<u64>, Damaged>,
    finish: fn(Vec<u64>) -> u64,
    full: fn(&[u64]) -> bool,
}

const LAWFUL: Numbers = Numbers {
    merge: |into, mut from| into.append(&mut from),
    feed: |group, x| group.push(x),
    encode: |group, bytes| {
        let mut sorted = group.to_vec();
        sorted.sort_unstable();
        bytes.put_u64(sorted.len() as u64);
        sorted.into_iter().for_each(|x| bytes.put_u64(x));
    },
    decode: |bytes| (0..bytes.count(1)?).map(|_| bytes.u64()).collect(),
    finish: |group| group.iter().sum(),
    full: |_| false,
};

impl PerGroup for Numbers {
    type Group = Vec<u64>;

    fn update(&self, states: &mut [Vec<u64>], groups: Groups<'_>, columns: &Columns<'_>) {
        let column = columns.argument(0);
        column.doubles(|row, x| (self.feed)(&mut states[groups.of(row)], x as u64));
    }
    fn merge(&self, into: &mut Vec<u64>, from: Vec<u64>) {
        (self.merge)(into, from);
    }
    fn encode(&self, group: &Vec<u64>, bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        (self.encode)(group, bytes);
        Ok(())
    }
    fn decode(&self, bytes: &mut Reader<'_>) -> Result<Vec<u64>, Damaged> {
        (self.decode)(bytes)
    }
    fn finish(&self, groups: Vec<Vec<u64>>) -> OwnedColumn {
        OwnedColumn::counts(groups.into_iter().map(|group| (self.finish)(group)))
    }
    fn heap(&self, group: &Vec<u64>) -> usize {
        group.capacity() * size_of::<u64>()
    }
    fn full(&self, group: &Vec<u64>) -> bool {
        (self.full)(group)
    }
}

fn check(numbers: &Numbers, order: Order) {
    let columns = [Column::integers(&[3, 1, 2, 2, 5])];
    let batch = Columns::arguments(5, &columns);
    let make = || -> Box<dyn Aggregate> { Box::new(Each::new(numbers.clone())) };
    check_states(&make, order, &batch, &[0, 1, 0, 0, 1]);
}

#[test]
fn a_lawful_aggregate_passes() {
    check(&LAWFUL, Order::Any);
    let first = Numbers { finish: |group| group.first().copied().unwrap_or(0), ..LAWFUL };
    let encode = |group: &[u64], bytes: &mut Vec<u8>| {
        bytes.put_u64(group.len() as u64);
        group.iter().for_each(|x| bytes.put_u64(*x));
    };
    check(&Numbers { encode, ..first }, Order::Input);
}

#[test]
#[should_panic(expected = "a state of no records changed the one that it was merged into")]
fn a_merge_that_forgets_is_found() {
    check(&Numbers { merge: |into, from| *into = from, ..LAWFUL }, Order::Any);
}

#[test]
#[should_panic(expected = "merged as")]
fn a_merge_that_is_not_associative_is_found() {
    let merge = |into: &mut Vec<u64>, mut from: Vec<u64>| {
        if into.len() < 2 || from.is_empty() {
            into.append(&mut from);
        }
    };
    check(&Numbers { merge, ..LAWFUL }, Order::Any);
}

#[test]
#[should_panic(expected = "other bytes")]
fn bytes_that_depend_on_the_order_are_found() {
    let encode = |group: &[u64], bytes: &mut Vec<u8>| {
        bytes.put_u64(group.len() as u64);
        group.iter().for_each(|x| bytes.put_u64(*x));
    };
    check(&Numbers { encode, ..LAWFUL }, Order::Any);
}

#[test]
#[should_panic(expected = "another result")]
fn an_order_that_shows_is_found() {
    let finish = |group: Vec<u64>| group.first().copied().unwrap_or(0);
    check(&Numbers { finish, ..LAWFUL }, Order::Any);
}

#[test]
#[should_panic(expected = "written and read")]
fn a_state_that_does_not_come_back_is_found() {
    let decode = |bytes: &mut Reader<'_>| {
        let mut all = (LAWFUL.decode)(bytes)?;
        all.truncate(1);
        Ok(all)
    };
    check(&Numbers { decode, ..LAWFUL }, Order::Any);
}

#[test]
#[should_panic(expected = "are taken")]
fn cut_bytes_that_are_taken_are_found() {
    let decode = |bytes: &mut Reader<'_>| {
        let count = bytes.u64().unwrap_or(0);
        Ok((0..count.min(9)).filter_map(|_| bytes.u64().ok()).collect())
    };
    check(&Numbers { decode, ..LAWFUL }, Order::Any);
}

#[test]
#[should_panic(expected = "full, and")]
fn a_state_that_is_full_too_early_is_found() {
    check(&Numbers { full: |group| !group.is_empty(), ..LAWFUL }, Order::Any);
}
