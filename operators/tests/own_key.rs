//! A key of one's own that is lent: looked up as it stands, stored once, when first seen.

use std::cell::Cell;
use std::cmp::Ordering;

use creel_operators::{Key, Value, run};

#[derive(Debug, Clone, Hash, PartialEq, Eq, PartialOrd, Ord)]
struct Visit {
    page: String,
    status: u16,
}

creel_operators::key!(Visit);

/// A visit lent from its line; it counts how often one is stored.
#[derive(Debug, Clone, Copy)]
struct LentVisit<'b> {
    page: &'b str,
    status: u16,
    stored: &'b Cell<u32>,
}

impl std::hash::Hash for LentVisit<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.page, self.status).hash(state);
    }
}

impl Value for LentVisit<'_> {
    type Owned = Visit;
    fn compare(&self, kept: &Visit) -> Ordering {
        (self.page, self.status).cmp(&(kept.page.as_str(), kept.status))
    }
    fn into_owned(self) -> Visit {
        self.stored.set(self.stored.get() + 1);
        Visit { page: self.page.to_owned(), status: self.status }
    }
}

impl Key for LentVisit<'_> {}

#[test]
fn a_lent_key_is_stored_once() {
    let stored = Cell::new(0);
    let lines = "/a 200\n/b 404\n/a 200\n/a 404\n/b 404\n".repeat(100);
    let visits = run(lines.lines(), |lines| {
        lines
            .filter_map(|line| {
                let (page, status) = line.split_once(' ')?;
                Some(LentVisit { page, status: status.parse().ok()?, stored: &stored })
            })
            .frequencies()
    });
    assert_eq!(visits.len(), 3);
    assert_eq!(visits.get(&Visit { page: "/a".into(), status: 200 }), 200);
    assert_eq!(stored.get(), 3, "one for each distinct key");
}

#[test]
fn a_maximum_stores_only_what_it_keeps() {
    let stored = Cell::new(0);
    let pages = ["/c", "/b", "/a", "/c", "/b"];
    let last = run(pages, |pages| {
        pages.map(|page| LentVisit { page, status: 200, stored: &stored }).max()
    });
    assert_eq!(last, Some(Visit { page: "/c".into(), status: 200 }));
    assert_eq!(stored.get(), 1);
}

/// A text of two parts, which is at hand as one only if the second is empty.
#[derive(Debug, Clone, Copy)]
struct Joined<'b>(&'b str, &'b str);

impl std::hash::Hash for Joined<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.into_owned().hash(state);
    }
}

impl Value for Joined<'_> {
    type Owned = String;
    fn compare(&self, kept: &String) -> Ordering {
        self.into_owned().cmp(kept)
    }
    fn into_owned(self) -> String {
        [self.0, self.1].concat()
    }
}

impl Key for Joined<'_> {
    fn as_lent(&self) -> Option<&str> {
        self.1.is_empty().then_some(self.0)
    }
}

#[test]
fn keys_that_are_lent_and_keys_that_are_not_are_counted_side_by_side() {
    let numbers: Vec<String> = (0..5000).map(|n| n.to_string()).collect();
    let keys = numbers.iter().enumerate().map(|(n, number)| match n % 2 {
        0 => Joined(number, ""),
        _ => Joined("odd ", number),
    });
    let counts = run(keys.clone().chain(keys), |keys| keys.frequencies());
    assert_eq!(counts.len(), numbers.len());
    assert_eq!((counts.get("4998"), counts.get("odd 4999"), counts.get("4999")), (2, 2, 0));
    assert!(counts.iter().all(|(_, n)| n == 2));
}
