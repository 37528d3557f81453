//! Keys of text that wait to be counted, where most keys are new.
//!
//! A table of all keys is larger than any cache, and each new key misses it. So when half of the keys that come are
//! new, they wait in [logs](super::logs), and each log is counted by itself at the end: 50 million keys of 20 bytes,
//! of which 32 million differ, take half of the time, and half of the memory until they are counted. Text of a
//! language does not come to that: a million words that differ are among a hundred million.

use std::ops::Range;

use super::logs::{KeyLogs, are_logs, checked};
use super::slot::INLINE;
use super::text::TextTable;
use super::text_key::Text;
use crate::Key;

/// The keys of a table from which on it is asked whether most keys are new: less fits a cache.
const LEAST: usize = if cfg!(test) { 32 } else { 1 << 18 };

/// Bytes of logs from which on it is asked whether keys repeat in them.
const LEAST_WAITING: usize = if cfg!(test) { 600 } else { 64 << 20 };

/// One of so many logs is counted to see that. Much larger ones than others are counted too: they may be of one key.
const SOME: usize = 64;
const MUCH_LARGER: usize = 4;

/// When it is asked next how many keys are new.
#[derive(Debug, Clone)]
pub(super) struct Look {
    /// The records since it was asked last, and the keys that there were then.
    records: u64,
    keys: usize,
    /// From how many keys, or bytes of logs, on it is asked.
    at: usize,
}

impl Default for Look {
    fn default() -> Self {
        Self { records: 0, keys: 0, at: LEAST }
    }
}

impl<K> TextTable<K> {
    /// Goes by so many records more, which were counted or wait.
    #[inline]
    fn saw(&mut self, records: u64) {
        self.look.records += records;
        let (has, at) = match &self.logs {
            None => (self.distinct, self.look.at),
            Some(logs) => (logs.held(), self.look.at.max(LEAST_WAITING)),
        };
        if has >= at {
            self.look(has);
        }
    }

    /// Looks how many keys are new.
    #[cold]
    fn look(&mut self, has: usize) {
        if self.logs.is_some() {
            return self.look_at_logs();
        }
        let new = (has - self.look.keys.min(has)) as u64;
        if 2 * new >= self.look.records {
            self.begin_logs();
        } else {
            self.look = Look { records: 0, keys: has, at: 2 * has };
        }
    }

    /// Moves all keys to logs, and has those that come wait there.
    fn begin_logs(&mut self) {
        let mut logs = Box::new(KeyLogs::new(self.skip));
        let table = std::mem::replace(self, Self::empty(self.skip));
        // A shard goes when its rows are there, so that not all is there twice.
        for shard in table.shards {
            shard.each_row(&table.seed, |hash, key, n| logs.push(hash, key, n));
        }
        self.logs = Some(logs);
    }

    /// Counts the keys that wait if they repeat, as those of some logs do.
    #[cold]
    fn look_at_logs(&mut self) {
        let Some(mut logs) = self.logs.take() else { return };
        let all = 1 << logs.bits();
        let some = (all / SOME).max(1);
        let mean = logs.held() / all;
        let (mut before, mut after) = (0, 0);
        for log in 0..all {
            if log < some {
                let (rows, keys) = self.cut_down(&mut logs, log);
                (before, after) = (before + rows, after + keys);
            } else if logs.held_of(log) > MUCH_LARGER * mean {
                // It may be of one key.
                self.cut_down(&mut logs, log);
            }
        }
        let held = logs.held();
        self.logs = Some(logs);
        if before >= after * 5 / 2 {
            self.count_logs();
            self.look = Look { records: 0, keys: self.distinct, at: 2 * self.distinct };
        } else {
            self.look.at = 2 * held;
        }
    }

    /// Leaves one row of each key in a log; returns how many rows there were, and are.
    fn cut_down(&self, logs: &mut KeyLogs, log: usize) -> (u64, u64) {
        let mut table = Self::empty(self.skip + logs.bits());
        let rows = logs.take(log).map(|rows| table.add_own(&rows)).sum();
        table.each_row(|hash, key, n| logs.push(hash, key, n));
        (rows, table.distinct as u64)
    }

    /// Counts rows of a log.
    fn add_own(&mut self, rows: &[u8]) -> u64 {
        let counted = self.add_rows(rows, |_| true);
        counted.unwrap_or_else(|| unreachable!("a log holds the rows that were appended to it"))
    }

    /// Appends all keys to bytes as logs.
    pub(super) fn save_logs(&self, bytes: &mut Vec<u8>) {
        let Some(logs) = &self.logs else { return };
        if self.distinct == 0 {
            return logs.save(bytes);
        }
        let mut all = KeyLogs::clone(logs);
        self.each_row(|hash, key, n| all.push(hash, key, n));
        all.save(bytes);
    }

    fn each_row(&self, mut visit: impl FnMut(u32, &[u8], u64)) {
        self.shards.iter().for_each(|shard| shard.each_row(&self.seed, &mut visit));
    }

    /// Counts all keys that wait.
    pub(super) fn count_logs(&mut self) {
        let Some(mut logs) = self.logs.take() else { return };
        let table = std::mem::replace(self, Self::part(self.skip));
        let mut parts = table.cut(logs.bits());
        // Hashes spread keys evenly: a log comes to about as many as the last.
        let (mut last, mut keys, mut long) = (1, 0, 0);
        for (log, part) in parts.iter_mut().enumerate() {
            let bytes = logs.held_of(log);
            let of_this = |n: usize| (n as u128 * bytes as u128 / last as u128) as usize;
            part.shards[0].reserve(of_this(keys), of_this(long));
            for rows in logs.take(log) {
                part.add_own(&rows);
            }
            (last, keys, long) = (bytes.max(1), part.distinct, part.shards[0].long());
        }
        *self = Self::joined(parts);
    }

    /// As [`Table::each_part`](super::Table::each_part).
    pub(super) fn count_each_log(mut self, visit: &mut dyn FnMut(Self) -> Self) {
        let Some(mut logs) = self.logs.take() else { return drop(visit(self)) };
        let mut table = Self::empty(self.skip + logs.bits());
        for (log, part) in self.cut(logs.bits()).into_iter().enumerate() {
            part.shards.iter().for_each(|shard| table.merge_shard(shard));
            for rows in logs.take(log) {
                table.add_own(&rows);
            }
            table = visit(table);
            table.clear();
        }
    }

    /// Forgets all keys, and keeps memory for as many.
    fn clear(&mut self) {
        match self.shards.as_mut_slice() {
            [shard] => shard.clear(),
            _ => *self = Self::empty(self.skip),
        }
        self.distinct = 0;
    }

    /// The bytes of a table of the keys that wait, if none repeats.
    pub(super) fn counted(&self) -> usize {
        /// The bytes of slots for a key: from 1.4 to 2.8 of them, of sixteen bytes.
        const SLOTS: usize = 36;
        let Some(logs) = &self.logs else { return 0 };
        let (rows, bytes) = (logs.rows(), logs.held());
        // Keys that have no room in their slots are beside them.
        let long = if bytes / rows.max(1) > INLINE + 2 { bytes } else { 0 };
        rows * SLOTS + long
    }

    /// Appends the keys that wait in another table.
    pub(super) fn append_logs(&mut self, other: Option<Box<KeyLogs>>) {
        match (&mut self.logs, other) {
            (Some(logs), Some(other)) => logs.append(*other),
            (none @ None, other) => *none = other,
            (Some(_), None) => {}
        }
    }
}

impl TextTable<String> {
    /// As [`add_pieces`](Self::add_pieces); keys may wait to be counted.
    #[inline]
    pub(crate) fn add_pieces_later(
        &mut self,
        text: &str,
        pieces: impl ExactSizeIterator<Item = Range<usize>>,
    ) {
        let records = pieces.len() as u64;
        match &mut self.logs {
            None => self.add_pieces(text, pieces),
            Some(logs) => pieces.for_each(|piece| {
                let key = text[piece].as_bytes();
                logs.push(self.seed.hash_bytes(key), key, 1);
            }),
        }
        self.saw(records);
    }
}

impl<K: Text> TextTable<K> {
    /// As [`Table::add_later`](super::Table::add_later).
    #[inline]
    pub(super) fn add_keys_later<Q: Key<Owned = K>>(&mut self, keys: impl Iterator<Item = Q>) {
        use super::Table;
        let mut records = 0;
        let keys = keys.inspect(|_| records += 1);
        match &mut self.logs {
            None => self.add_all(keys),
            Some(logs) => keys.for_each(|key| {
                let mut push = |key: &[u8]| logs.push(self.seed.hash_bytes(key), key, 1);
                match key.as_lent() {
                    Some(lent) => push(K::bytes(lent)),
                    None => push(K::bytes(key.into_owned().lend())),
                }
            }),
        }
        self.saw(records);
    }

    /// As [`Table::load`](super::Table::load).
    pub(super) fn load_later(&mut self, bytes: &[u8]) -> bool {
        let Self { logs, seed, .. } = self;
        let hash = |key: &[u8]| seed.hash_bytes(key);
        let rows = match logs {
            none @ None if are_logs(bytes) => {
                none.insert(Box::new(KeyLogs::new(self.skip))).load(bytes, K::can_be, hash)
            }
            None => self.add_rows(bytes, K::can_be),
            Some(logs) if are_logs(bytes) => logs.load(bytes, K::can_be, hash),
            Some(logs) => checked(bytes, K::can_be, |key, n| logs.push(hash(key), key, n)),
        };
        self.saw(rows.unwrap_or(0));
        rows.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::Table;
    use super::*;
    use crate::{Combiner, Counting, Feed, Frequencies};

    type Texts = TextTable<String>;

    /// A call of a method of the table.
    #[derive(Debug, Clone)]
    enum Step {
        /// So many new keys, behind so many of one key.
        New(usize, usize),
        /// So many keys of the first ones.
        Again(usize),
        Parts(u32),
        SavedParts(u32),
        Merge,
        Settle,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0..400_usize, 0..200_usize).prop_map(|(new, same)| Step::New(new, same)),
            2 => (0..400_usize).prop_map(Step::Again),
            1 => (0..7_u32).prop_map(Step::Parts),
            1 => (0..7_u32).prop_map(Step::SavedParts),
            1 => Just(Step::Merge),
            1 => Just(Step::Settle),
        ];
        prop::collection::vec(step, 1..9)
    }

    fn key(n: usize) -> String {
        format!("{n:0width$}", width = [1, 13, 14, 40][n % 4])
    }

    /// Takes all steps; returns the table and what it is to hold.
    fn walked(steps: &[Step]) -> (Texts, BTreeMap<String, u64>) {
        let (mut table, mut expected) = (Texts::default(), BTreeMap::new());
        let mut next = 0;
        for step in steps {
            match *step {
                Step::New(new, same) => {
                    let keys = (0..same).map(|_| key(7)).chain((next..next + new).map(key));
                    next += new;
                    add(&mut table, &mut expected, keys.collect());
                }
                Step::Again(count) => {
                    let keys = (0..count).map(|n| key(n * 7 % next.max(1)));
                    add(&mut table, &mut expected, keys.collect());
                }
                Step::Parts(bits) => table = Texts::join(table.parts(bits)),
                Step::SavedParts(bits) => {
                    let mut loaded = Vec::new();
                    table.save_parts(bits, &mut |bytes| {
                        let mut part = Texts::empty(bits);
                        assert!(part.load(bytes));
                        loaded.push(part);
                        true
                    });
                    table = Texts::join(loaded);
                }
                Step::Merge => {
                    let mut other = Texts::default();
                    add(&mut other, &mut expected, (0..300).map(key).collect());
                    table.merge(other);
                }
                Step::Settle => table.settle(),
            }
        }
        (table, expected)
    }

    fn add(table: &mut Texts, expected: &mut BTreeMap<String, u64>, keys: Vec<String>) {
        table.add_later(keys.iter().map(String::as_str));
        keys.into_iter().for_each(|key| *expected.entry(key).or_default() += 1);
    }

    proptest! {
        #[test]
        fn keys_that_wait_are_counted_whatever_becomes_of_their_table(steps in steps()) {
            let (mut table, expected) = walked(&steps);
            let mut visited = BTreeMap::new();
            table.clone().each_part(&mut |part| {
                for (key, n) in part.iter() {
                    assert!(visited.insert(key.to_owned(), n).is_none(), "a key is in one part");
                }
                part
            });
            prop_assert_eq!(&visited, &expected);
            table.settle();
            prop_assert_eq!(table.distinct(), expected.len());
            prop_assert_eq!(table.into_iter().collect::<BTreeMap<_, _>>(), expected);
        }

        #[test]
        fn pieces_of_a_text_wait_as_keys_do(words in prop::collection::vec(0..2000_usize, 0..900)) {
            let text = words.iter().map(|n| key(*n)).collect::<Vec<_>>().join(" ");
            let (mut counting, mut keys) = (Counting::default(), Counting::default());
            for _ in 0..2 {
                let spans = text.split(' ').map(|word| {
                    let start = word.as_ptr().addr() - text.as_ptr().addr();
                    start..start + word.len()
                });
                counting.add_pieces(&text, spans.collect::<Vec<_>>().into_iter());
                Frequencies::<String>::new().feed_all(&mut keys, text.split(' '));
            }
            prop_assert_eq!(counting.finish(), Frequencies::new().finish(keys));
        }
    }

    #[test]
    fn keys_wait_where_most_are_new_and_no_more_where_they_repeat() {
        let mut table = Texts::default();
        let words = |from: usize, to: usize| (from..to).map(key).collect::<Vec<_>>();
        let feed = |table: &mut Texts, keys: &[String]| {
            table.add_later(keys.iter().map(String::as_str));
        };
        feed(&mut table, &words(0, LEAST));
        assert!(table.logs.is_some());
        for _ in 0..20 {
            feed(&mut table, &words(0, LEAST));
        }
        assert!(table.logs.is_none());
        assert_eq!((table.distinct(), table.get(key(3).as_str())), (LEAST, 21));
    }

    #[test]
    fn rows_of_one_common_key_do_not_pile_up() {
        let mut table = Texts::default();
        let mut next = 0;
        for _ in 0..200 {
            let new = (next..next + 20).map(key);
            next += 20;
            let keys: Vec<_> = new.chain((0..15).map(|_| key(0))).collect();
            table.add_later(keys.iter().map(String::as_str));
        }
        let logs = table.logs.as_ref().expect("most keys are new");
        let largest = (0..1 << logs.bits()).map(|log| logs.held_of(log)).max();
        assert!(largest.expect("a log") < logs.held() / 3);
        table.settle();
        assert_eq!((table.distinct(), table.get(key(0).as_str())), (next, 3001));
    }
}
