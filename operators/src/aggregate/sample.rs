//! `sample`: some values by chance, the same ones for a seed.

use twox_hash::XxHash3_64;

use super::{
    Damaged, Each, Gives, Kind, Needs, NoBytes, Order, Parameter, PerGroup, Reader, Traits, Writer,
};
use crate::column::{Columns, Groups, OwnedColumn, OwnedData, OwnedDatum};

pub(super) static SAMPLE: Kind = Kind {
    name: "sample",
    usage: "sample(n), sample(n; seed), sample(n; seed; f)",
    help: "n by chance, in the order of the input; the same for a seed",
    parameters: &[
        Parameter::whole("n"),
        Parameter { default: Some(0.0), ..Parameter::whole("seed") },
    ],
    columns: (1, 1),
    needs: Needs::Records,
    order: Order::Any,
    traits: Traits { gives: Gives::Members, is_numbered: true, ..Traits::PLAIN },
    new: |of| Box::new(Each::new(Sample { n: of[0] as usize, seed: of[1] as u64 })),
};

/// Keeps the `n` values whose places in the input have the least hashes: each `n` of them are as
/// likely as any others, and neither cuts nor order show.
///
/// Without [places](crate::column::Positions) values are drawn by their own hashes: equal ones all or none.
#[derive(Clone, Copy)]
struct Sample {
    n: usize,
    seed: u64,
}

#[derive(Debug)]
struct Drawn {
    hash: u64,
    place: [u64; 2],
    value: OwnedDatum,
}

impl Drawn {
    /// By chance first. Values of one place, which there should not be, by themselves.
    fn compare(&self, other: &Self) -> std::cmp::Ordering {
        (self.hash, self.place).cmp(&(other.hash, other.place)).then_with(|| {
            let json = |drawn: &Self| {
                let mut json = String::new();
                drawn.value.lend().write_json(&mut json);
                json
            };
            json(self).cmp(&json(other))
        })
    }
}

impl Sample {
    fn settle(&self, kept: &mut Vec<Drawn>) {
        if kept.len() >= self.n && self.n > 0 {
            kept.select_nth_unstable_by(self.n - 1, Drawn::compare);
            kept.truncate(self.n);
        }
    }

    fn sorted<'d>(&self, kept: &'d [Drawn]) -> Vec<&'d Drawn> {
        let mut sorted: Vec<_> = kept.iter().collect();
        sorted.sort_by(|a, b| a.compare(b));
        sorted.truncate(self.n);
        sorted
    }
}

impl PerGroup for Sample {
    type Group = Vec<Drawn>;

    fn update(&self, states: &mut [Self::Group], groups: Groups<'_>, columns: &Columns<'_>) {
        let Some(last) = self.n.checked_sub(1) else { return };
        let mut json = String::new();
        columns.argument(0).each(|row, datum| {
            let place = columns.positions().map(|of| [of.partition, of.rows[row]]);
            let hash = match place {
                Some([partition, number]) => {
                    let place = u128::from(partition) << 64 | u128::from(number);
                    XxHash3_64::oneshot_with_seed(self.seed, &place.to_le_bytes())
                }
                None => {
                    json.clear();
                    datum.write_json(&mut json);
                    XxHash3_64::oneshot_with_seed(self.seed, json.as_bytes())
                }
            };
            let kept = &mut states[groups.of(row)];
            if kept.get(last).is_none_or(|last| hash <= last.hash) {
                let place = place.unwrap_or_default();
                kept.push(Drawn { hash, place, value: datum.to_owned() });
                if kept.len() == self.n || kept.len() >= self.n.saturating_mul(2) {
                    self.settle(kept);
                }
            }
        });
    }

    fn merge(&self, into: &mut Self::Group, mut from: Self::Group) {
        into.append(&mut from);
        self.settle(into);
    }

    fn encode(&self, kept: &Self::Group, bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        let sorted = self.sorted(kept);
        bytes.put_u64(sorted.len() as u64);
        for Drawn { hash, place, value } in sorted {
            [*hash, place[0], place[1]].into_iter().for_each(|n| bytes.put_u64(n));
            bytes.put_datum(&value.lend());
        }
        Ok(())
    }

    fn decode(&self, bytes: &mut Reader<'_>) -> Result<Self::Group, Damaged> {
        let mut kept = Vec::new();
        for _ in 0..bytes.count(4)? {
            let (hash, place) = (bytes.u64()?, [bytes.u64()?, bytes.u64()?]);
            kept.push(Drawn { hash, place, value: bytes.owned_datum()? });
        }
        self.settle(&mut kept);
        Ok(kept)
    }

    fn finish(&self, groups: Vec<Self::Group>) -> OwnedColumn {
        let (mut items, mut ends) = (OwnedColumn::default(), Vec::new());
        for kept in &groups {
            let mut sorted = self.sorted(kept);
            sorted.sort_by_key(|drawn| drawn.place);
            sorted.iter().for_each(|drawn| items.push(Some(drawn.value.lend())));
            ends.push(items.len());
        }
        OwnedColumn::new(OwnedData::Lists { ends, items: Box::new(items) })
    }

    fn heap(&self, kept: &Self::Group) -> usize {
        let heap: usize = kept.iter().map(|drawn| drawn.value.heap()).sum();
        kept.capacity() * size_of::<Drawn>() + heap
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::{Column, Positions};

    #[test]
    fn all_places_are_drawn_equally_often() {
        let (numbers, places): (Vec<i64>, Vec<u64>) = ((0..100).collect(), (0..100).collect());
        let mut times = [0_u32; 100];
        for seed in 0..2000 {
            let columns = [Column::integers(&numbers)];
            let columns = Columns::arguments(100, &columns)
                .with_positions(Positions { partition: 0, rows: &places });
            let sample = Sample { n: 10, seed };
            let mut states = [Vec::new()];
            sample.update(&mut states, Groups::One, &columns);
            let drawn = sample.sorted(&states[0]);
            assert_eq!(drawn.len(), 10);
            drawn.iter().for_each(|drawn| times[drawn.place[1] as usize] += 1);
        }
        // 200 times each, give or take 13.4: six of that are seen once in 10^9.
        assert!(times.iter().all(|n| (120..280).contains(n)), "{times:?}");
    }
}
