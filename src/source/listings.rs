//! Which listings of a bucket a pattern needs, and what each of its alternatives matches there.
//!
//! Alternatives whose prefixes overlap share one listing. A prefix begins as a literal and may
//! end in the middle of a name; a listing stays at one level if all its alternatives do.

use std::collections::HashMap;

use super::glob::Alternatives;
use super::pattern::is_glob;
use super::room::Room;
use super::rows::{Row, Rows};
use crate::Result;

/// One alternative with its number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alternative<'p> {
    pub(super) number: usize,
    /// Scheme and bucket.
    pub(super) base: &'p str,
    pub(super) key: &'p str,
}

impl<'p> Alternative<'p> {
    /// What all keys that match begin with.
    fn prefix(self) -> &'p str {
        literal_prefix(self.key)
    }

    /// Whether what matches is all at the level of the prefix.
    fn is_level(self) -> bool {
        let rest = &self.key[self.prefix().len()..];
        !rest.is_empty() && !rest.contains('/') && !rest.contains("**")
    }

    /// The directory that the prefix ends in.
    fn directory(self) -> &'p str {
        self.prefix().rsplit_once('/').map_or("", |(directory, _)| directory)
    }
}

pub(super) fn literal_prefix(key: &str) -> &str {
    &key[..key.find(['*', '?', '[']).unwrap_or(key.len())]
}

/// One listing, and the alternatives that it is for.
#[derive(Debug)]
pub(super) struct Ask<'p> {
    pub(super) base: &'p str,
    pub(super) prefix: &'p str,
    pub(super) level: bool,
    alternatives: Vec<Alternative<'p>>,
}

impl<'p> Ask<'p> {
    fn of(alternative: Alternative<'p>) -> Self {
        let Alternative { base, .. } = alternative;
        let (prefix, level) = (alternative.prefix(), alternative.is_level());
        Self { base, prefix, level, alternatives: vec![alternative] }
    }

    /// Whether this listing holds all that an alternative can match.
    fn covers(&self, other: Alternative<'p>) -> bool {
        let rest = other.prefix().strip_prefix(self.prefix);
        let level = other.is_level() && rest.is_some_and(|rest| !rest.contains('/'));
        self.base == other.base && rest.is_some() && (!self.level || level)
    }
}

/// The listings that alternatives need, by the first alternative of each.
pub(super) fn asks(mut alternatives: Vec<Alternative<'_>>) -> HashMap<usize, Ask<'_>> {
    // What covers a prefix among those that cover no other is the last before it in order.
    let mut deep: Vec<Ask<'_>> = Vec::new();
    alternatives.sort_by_key(|one| (one.base, one.prefix()));
    for &one in alternatives.iter().filter(|one| !one.is_level()) {
        match deep.last_mut().filter(|last| last.covers(one)) {
            Some(last) => last.alternatives.push(one),
            None => deep.push(Ask::of(one)),
        }
    }
    let mut level: Vec<Ask<'_>> = Vec::new();
    alternatives.retain(|one| one.is_level());
    alternatives.sort_by_key(|one| (one.base, one.directory(), one.prefix()));
    for one in alternatives {
        let order = |ask: &Ask<'_>| (ask.base, ask.prefix) <= (one.base, one.prefix());
        let before = deep.partition_point(order).checked_sub(1);
        if let Some(deep) = before.map(|at| &mut deep[at]).filter(|deep| deep.covers(one)) {
            deep.alternatives.push(one);
        } else if let Some(last) = level.last_mut().filter(|last| last.covers(one)) {
            last.alternatives.push(one);
        } else {
            level.push(Ask::of(one));
        }
    }
    let by_first = deep.into_iter().chain(level).map(|mut ask| {
        ask.alternatives.sort_by_key(|one| one.number);
        (ask.alternatives[0].number, ask)
    });
    by_first.collect()
}

/// What alternatives match, sorted by key.
pub(super) type Matches = HashMap<usize, Rows>;

impl Ask<'_> {
    /// What each alternative matches of the objects that were listed: their keys, sorted, each with
    /// its size first.
    ///
    /// # Errors
    /// If an alternative is no pattern, or there is no room for what they match.
    pub(super) fn matches(&self, found: &Rows, room: &Room) -> Result<Matches> {
        let numbered = || self.alternatives.iter().map(|one| (one.number, one.key));
        let patterns = Alternatives::of_keys(numbered())?;
        // A name is meant as it stands if there is an object of it, as on disk; a folder too.
        let mut by_key: HashMap<&str, Vec<usize>> = HashMap::new();
        for (number, key) in numbered() {
            by_key.entry(key).or_default().push(number);
        }
        let mut taken = room.taken();
        let mut add = |to: &mut Matches, number: usize, row: &Row| {
            let rows = to.entry(number).or_default();
            let before = rows.weight();
            rows.push(&row.name, row.numbers, row.tag.as_deref());
            taken.more(rows.weight() - before)
        };
        let mut standing = Matches::new();
        let mut rows = found.from(0);
        while let Some(row) = rows.advance() {
            if is_marker(row) {
                continue;
            }
            let folders = row.name.match_indices('/').map(|(at, _)| &row.name[..=at]);
            let folders = folders.filter(|folder| is_glob(folder) && *folder != row.name);
            // A slash at the end names a folder: an object of that name is one of those in it.
            let object = Some(&*row.name).filter(|name| !name.ends_with('/') || is_glob(name));
            for name in folders.chain(object) {
                for &number in by_key.get(name).into_iter().flatten() {
                    add(&mut standing, number, row)?;
                }
            }
        }
        let mut matches = Matches::new();
        let mut rows = found.from(0);
        while let Some(row) = rows.advance() {
            if is_marker(row) {
                continue;
            }
            for number in patterns.match_object(&row.name) {
                if !standing.contains_key(&number) {
                    add(&mut matches, number, row)?;
                }
            }
        }
        matches.extend(standing);
        Ok(matches)
    }
}

/// Whether an object is none but marks a folder: it is empty.
fn is_marker(row: &Row) -> bool {
    row.name.ends_with('/') && row.numbers[0] == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The listings of some keys in one bucket: prefix, whether at one level, and for which.
    fn listings(keys: &[&str]) -> Vec<(String, bool, Vec<usize>)> {
        let one = |(number, key)| Alternative { number, base: "s3://b", key };
        let mut asks: Vec<_> = asks(keys.iter().copied().enumerate().map(one).collect())
            .into_values()
            .map(|ask| {
                let numbers = ask.alternatives.iter().map(|one| one.number).collect();
                (ask.prefix.to_owned(), ask.level, numbers)
            })
            .collect();
        asks.sort();
        asks
    }

    fn ask(prefix: &str, level: bool, numbers: &[usize]) -> (String, bool, Vec<usize>) {
        (prefix.to_owned(), level, numbers.to_vec())
    }

    #[test]
    fn prefixes_that_overlap_are_listed_once() {
        let many: Vec<_> = (0..90_000).map(|n| format!("**/*{n}.log")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert_eq!(listings(&many).len(), 1);
        assert_eq!(
            listings(&["a/b/*", "a/**", "ab*", "a/b/**", "a*"]),
            [ask("a", true, &[2, 4]), ask("a/", false, &[0, 1, 3])]
        );
        assert_eq!(listings(&["**", "a/*", "b/c*/d"]), [ask("", false, &[0, 1, 2])]);
    }

    #[test]
    fn prefixes_that_do_not_overlap_have_their_own_listings() {
        assert_eq!(listings(&["b2*", "b1*"]), [ask("b1", true, &[1]), ask("b2", true, &[0])]);
        // A listing of one level has nothing of the folders in it.
        assert_eq!(
            listings(&["a/*", "a/b/*", "a/c*", "a/b/c/"]),
            [ask("a/", true, &[0, 2]), ask("a/b/", true, &[1]), ask("a/b/c/", false, &[3])]
        );
        let one = |number, base| Alternative { number, base, key: "a*" };
        assert_eq!(asks(vec![one(0, "s3://a"), one(1, "s3://b")]).len(), 2);
    }
}
