//! Checks that an aggregate keeps its laws.

use crate::aggregate::{Aggregate, Damaged, Kind, Order, Reader};
use crate::column::{Columns, Groups};

/// Checks over records that an aggregate keeps the laws that [the module](crate::aggregate) states:
/// associative, neutral, without order if it says so, any cut, any split, bytes and back, canonical
/// bytes, damaged bytes refused, and a group among others as alone.
///
/// `groups` has the group of each record; they are numbered from 0. Call it with many small batches,
/// as a property test does: the time grows with the cube of the number of records.
///
/// ```
/// use creel_operators::aggregate::find;
/// use creel_operators::column::{Column, Columns};
/// use creel_operators::laws;
///
/// let columns = [Column::floats(&[0.1, 0.2, 0.3, 1e300])];
/// let batch = Columns::arguments(4, &columns);
/// laws::check_aggregate(find("sum").unwrap(), &[], &batch, &[0, 1, 0, 1]);
/// ```
///
/// # Panics
///
/// If a law is broken, naming it; or if the parameters are refused.
#[track_caller]
pub fn check_aggregate(kind: &Kind, parameters: &[f64], batch: &Columns<'_>, groups: &[u32]) {
    let make = || kind.make(parameters).unwrap_or_else(|refused| panic!("{refused}"));
    check_laws(&format!("{} {parameters:?}", kind.name), &make, kind.order, batch, groups);
}

/// As [`check_aggregate`], of states that are no row of the table: `make` makes one of no groups.
///
/// ```
/// use creel_operators::aggregate::{Aggregate, Floats, FromCombiner, Order};
/// use creel_operators::column::{Column, Columns, Datum, OwnedColumn};
/// use creel_operators::{ExactSum, Sum, laws};
///
/// let put = |sum: f64, out: &mut OwnedColumn| out.push(Some(Datum::Float(sum)));
/// let make = || -> Box<dyn Aggregate> {
///     Box::new(FromCombiner::<_, Floats, _>::new(Sum::<ExactSum>::new(), put))
/// };
/// let columns = [Column::floats(&[0.1, 0.2, 0.3])];
/// laws::check_states(&make, Order::Any, &Columns::arguments(3, &columns), &[0, 1, 0]);
/// ```
///
/// # Panics
///
/// If a law is broken, naming it.
#[track_caller]
pub fn check_states(
    make: &dyn Fn() -> Box<dyn Aggregate>,
    order: Order,
    batch: &Columns<'_>,
    groups: &[u32],
) {
    check_laws("states", make, order, batch, groups);
}

#[track_caller]
fn check_laws(
    name: &str,
    make: &dyn Fn() -> Box<dyn Aggregate>,
    order: Order,
    batch: &Columns<'_>,
    groups: &[u32],
) {
    assert_eq!(batch.rows(), groups.len(), "a group for each record");
    let all = groups.iter().map(|group| *group as usize + 1).max().unwrap_or(0);
    let mut laws = Laws { name, make, order, batch, groups, all, results: vec![], bytes: vec![] };
    let fed = laws.fed(0..batch.rows()).complete(all);
    laws.bytes = encoded(&*fed.state, &fed.order(all)).unwrap_or_default();
    laws.results = laws.results_of(fed);
    laws.neutral(make());
    laws.row_by_row();
    laws.full();
    for i in 0..=batch.rows() {
        for j in i..=batch.rows() {
            laws.cut(i, j);
        }
    }
    laws.without_order();
    laws.alone();
    laws.damaged();
}

struct Laws<'c> {
    name: &'c str,
    make: &'c dyn Fn() -> Box<dyn Aggregate>,
    order: Order,
    batch: &'c Columns<'c>,
    groups: &'c [u32],
    /// How many groups there are.
    all: usize,
    /// What all records fed to one state come to.
    results: Vec<String>,
    /// The bytes of that state; none if it has no bytes.
    bytes: Vec<u8>,
}

/// A state that has seen some records, and which groups it has, by its own numbers.
struct Seen {
    state: Box<dyn Aggregate>,
    names: Vec<u32>,
}

impl Seen {
    /// The own numbers of all groups in their order.
    fn order(&self, all: usize) -> Vec<u32> {
        let number = |name| self.names.iter().position(|known| *known == name);
        (0..all as u32).filter_map(|name| Some(number(name)? as u32)).collect()
    }

    /// Gives it all groups.
    fn complete(mut self, all: usize) -> Self {
        for name in 0..all as u32 {
            if !self.names.contains(&name) {
                self.names.push(name);
            }
        }
        self.state.resize(all);
        self
    }
}

fn encoded(state: &dyn Aggregate, order: &[u32]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    state.encode(order, &mut bytes).ok().map(|()| bytes)
}

impl Laws<'_> {
    fn empty(&self) -> Seen {
        Seen { state: (self.make)(), names: Vec::new() }
    }

    /// A state that is fed some records, with groups numbered as they come.
    fn fed(&self, rows: std::ops::Range<usize>) -> Seen {
        let mut seen = self.empty();
        let own: Vec<u32> =
            rows.clone().map(|row| number(&mut seen.names, self.groups[row])).collect();
        seen.state.resize(seen.names.len());
        seen.state.update(Groups::Each(&own), &self.batch.slice(rows));
        seen
    }

    fn merged(&self, into: &mut Seen, from: Seen) {
        let map: Vec<u32> = from.names.iter().map(|name| number(&mut into.names, *name)).collect();
        into.state.resize(into.names.len());
        into.state.merge(from.state, &map);
    }

    fn results_of(&self, seen: Seen) -> Vec<String> {
        let order = seen.order(self.all);
        let results = seen.state.finish().to_json();
        assert_eq!(results.len(), seen.names.len(), "{}: a result for each group", self.name);
        order.into_iter().map(|group| results[group as usize].clone()).collect()
    }

    /// That a state is as if it had been fed all records.
    fn expect(&self, seen: Seen, broken: &str) {
        let Self { name, all, .. } = *self;
        let seen = seen.complete(all);
        assert_eq!(seen.state.groups(), all, "{name}: groups");
        let bytes = encoded(&*seen.state, &seen.order(all)).unwrap_or_default();
        assert_eq!(bytes, self.bytes, "{name}: {broken}: other bytes");
        let results = self.results_of(seen);
        assert_eq!(results, self.results, "{name}: {broken}: another result");
    }

    fn neutral(&self, empty: Box<dyn Aggregate>) {
        let mut seen = self.fed(0..self.batch.rows());
        seen.state.merge(empty.fresh(), &[]);
        self.merged(&mut seen, self.empty().complete(self.all));
        self.expect(seen, "a state of no records changed the one that it was merged into");
        let mut seen = self.empty().complete(self.all);
        self.merged(&mut seen, self.fed(0..self.batch.rows()));
        self.expect(seen, "a state of no records changed the one that was merged into it");
        assert_eq!(empty.groups(), 0, "{}: a state that was just made has groups", self.name);
    }

    fn row_by_row(&self) {
        let mut seen = self.empty().complete(self.all);
        for (row, group) in self.groups.iter().enumerate() {
            seen.state.update(Groups::Each(&[*group]), &self.batch.slice(row..row + 1));
        }
        self.expect(seen, "records fed one by one");
    }

    /// A state says that it is full only when records of its groups cannot show.
    fn full(&self) {
        for end in 0..=self.batch.rows() {
            let mut seen = self.fed(0..end);
            if seen.names.len() == self.all && seen.state.full() {
                let rest: Vec<u32> =
                    self.groups[end..].iter().map(|g| number(&mut seen.names, *g)).collect();
                let results = self.results_of(seen);
                assert_eq!(results, self.results, "{}: full, and {rest:?} show", self.name);
                break;
            }
        }
    }

    fn cut(&self, i: usize, j: usize) {
        let pieces = || [self.fed(0..i), self.fed(i..j), self.fed(j..self.batch.rows())];
        let place = |law| format!("cut before {i} and {j}, {law}");
        let [mut a, b, c] = pieces();
        self.merged(&mut a, b);
        self.merged(&mut a, c);
        self.expect(a, &place("merged as (a + b) + c"));
        let [mut a, mut b, c] = pieces();
        self.merged(&mut b, c);
        self.merged(&mut a, b);
        self.expect(a, &place("merged as a + (b + c)"));
        if self.order == Order::Any {
            let [a, b, mut c] = pieces();
            self.merged(&mut c, a);
            self.merged(&mut c, b);
            self.expect(c, &place("merged as c + a + b"));
        }
        self.expect(self.split(pieces()), &place("split by groups, merged, and put together"));
        self.expect(self.divided(pieces()), &place("divided, merged, and joined"));
        if !self.bytes.is_empty() {
            self.expect(self.through_bytes(pieces()), &place("written and read"));
        }
    }

    /// States split by groups, of which parts are merged, and then all of them.
    fn split(&self, pieces: [Seen; 3]) -> Seen {
        const PARTS: usize = 2;
        let mut parts: Vec<Seen> = (0..PARTS).map(|_| self.empty()).collect();
        for Seen { state, names } in pieces {
            let part: Vec<u32> = names.iter().map(|name| name / 2 % PARTS as u32).collect();
            let split = state.split(&part, PARTS);
            assert_eq!(split.len(), PARTS, "{}: parts", self.name);
            for (n, (into, state)) in parts.iter_mut().zip(split).enumerate() {
                let own = names.iter().zip(&part).filter(|(_, part)| **part as usize == n);
                let names = own.map(|(name, _)| *name).collect();
                self.merged(into, Seen { state, names });
            }
        }
        let mut all = self.empty();
        parts.into_iter().for_each(|part| self.merged(&mut all, part));
        all
    }

    /// States divided by what they hold, of which pieces are merged, and then joined.
    fn divided(&self, pieces: [Seen; 3]) -> Seen {
        let mut joined: Vec<Seen> = (0..2).map(|_| self.empty().complete(self.all)).collect();
        for Seen { state, names } in pieces {
            let divided = state.divide(1);
            assert_eq!(divided.len(), 2, "{}: pieces", self.name);
            for (into, state) in joined.iter_mut().zip(divided) {
                self.merged(into, Seen { state, names: names.clone() });
            }
        }
        let mut joined = joined.into_iter();
        let first = joined.next().unwrap_or_else(|| unreachable!("two pieces"));
        let names = first.names;
        Seen { state: first.state.join(joined.map(|piece| piece.state).collect()), names }
    }

    fn decoded(&self, groups: usize, bytes: &[u8]) -> Result<Box<dyn Aggregate>, Damaged> {
        let (mut state, mut reader) = ((self.make)(), Reader::new(bytes));
        state.decode(groups, &mut reader)?;
        reader.end()?;
        Ok(state)
    }

    /// States that were written and read before they were merged.
    fn through_bytes(&self, pieces: [Seen; 3]) -> Seen {
        let mut all = self.empty();
        for Seen { state, names } in pieces {
            let order: Vec<u32> = (0..names.len() as u32).rev().collect();
            let bytes = encoded(&*state, &order).unwrap_or_default();
            let read = self.decoded(names.len(), &bytes);
            let state = read.unwrap_or_else(|damaged| panic!("{}: {damaged}", self.name));
            let names = names.into_iter().rev().collect();
            self.merged(&mut all, Seen { state, names });
        }
        all
    }

    fn without_order(&self) {
        if self.order == Order::Input {
            return;
        }
        let rows = self.batch.rows();
        for start in [rows.saturating_sub(1), rows / 2] {
            let mut seen = self.empty().complete(self.all);
            // From a record on backwards, and around.
            for n in 0..rows {
                let row = (start + rows - n) % rows;
                let group = [self.groups[row]];
                seen.state.update(Groups::Each(&group), &self.batch.slice(row..row + 1));
            }
            self.expect(seen, "the order of the records shows, but not by its kind");
        }
    }

    /// Each group is fed alone, and as if there were no groups.
    fn alone(&self) {
        for group in 0..self.all as u32 {
            let mut alone = self.empty();
            alone.state.resize(1);
            for row in (0..self.batch.rows()).filter(|row| self.groups[*row] == group) {
                alone.state.update(Groups::One, &self.batch.slice(row..row + 1));
            }
            let result = alone.state.finish().to_json();
            let expected = &self.results[group as usize..=group as usize];
            assert_eq!(result, expected, "{}: a group alone is another result", self.name);
        }
        if self.all == 1 {
            let mut seen = Seen { names: vec![0], ..self.empty() };
            seen.state.resize(1);
            seen.state.update(Groups::One, self.batch);
            self.expect(seen, "records of one group, fed without groups");
        }
    }

    /// Bytes that are cut are refused; changed ones are refused, or are some state.
    fn damaged(&self) {
        let decode = |bytes: &[u8]| self.decoded(self.all, bytes);
        // Not all of a long state, but its beginning.
        for end in (0..self.bytes.len()).filter(|end| *end < 48 || end % 1024 == 0) {
            let cut = decode(&self.bytes[..end]);
            assert!(cut.is_err(), "{}: bytes cut at {end} are taken", self.name);
            for bit in [0, 1, 3, 7] {
                let mut bytes = self.bytes.clone();
                bytes[end] ^= 1 << bit;
                if let Ok(state) = decode(&bytes) {
                    let order: Vec<u32> = (0..self.all as u32).collect();
                    let again = encoded(&*state, &order).unwrap_or_default();
                    let read = decode(&again);
                    assert!(read.is_ok(), "{}: a state that it wrote is refused", self.name);
                    state.finish().to_json();
                }
            }
        }
        if !self.bytes.is_empty() {
            let longer = [&*self.bytes, &[0]].concat();
            assert!(decode(&longer).is_err(), "{}: more bytes are taken", self.name);
        }
    }
}

/// The number of a group by its name, which is new if it was not seen.
fn number(names: &mut Vec<u32>, name: u32) -> u32 {
    let known = names.iter().position(|known| *known == name);
    known.unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    }) as u32
}

#[cfg(test)]
mod tests;
