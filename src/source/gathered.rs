//! The objects of a listing, as its pages come: each once, and in order.

use std::collections::HashSet;

use super::page::Found;
use super::room::{Room, Taken};
use super::rows::{Row, Rows};
use crate::Result;

/// The objects of a listing, as its pages come.
pub(super) struct Gathered {
    pub(super) found: Rows,
    /// The last key, if all came in order.
    last: Option<String>,
    /// All keys, where they do not: one may come twice.
    keys: Option<HashSet<String>>,
    pub(super) taken: Taken,
}

impl Gathered {
    pub(super) fn new(room: &Room) -> Self {
        Self { found: Rows::default(), last: None, keys: None, taken: room.taken() }
    }

    /// Adds an object, or gives its key back, if there is one of it already.
    ///
    /// # Errors
    /// If there is no room for it.
    pub(super) fn add(&mut self, Found { key, meta }: Found) -> Result<Option<String>> {
        if self.last.as_ref().is_some_and(|last| *last >= key) && self.keys.is_none() {
            self.keys = Some(self.names()?);
        }
        if let Some(keys) = &mut self.keys {
            self.taken.more(weight(&key))?;
            if !keys.insert(key.clone()) {
                return Ok(Some(key));
            }
        }
        let before = self.found.weight();
        let date = meta.last_modified.timestamp();
        let numbers = [meta.size as i64, date, 0, 0, 0, 0, 0, 0, 0];
        self.found.push(&key, numbers, meta.e_tag.as_deref());
        self.taken.more(self.found.weight() - before)?;
        self.last = Some(key);
        Ok(None)
    }

    /// The keys so far.
    fn names(&mut self) -> Result<HashSet<String>> {
        let (mut rows, mut keys) = (self.found.from(0), HashSet::new());
        while let Some(row) = rows.advance() {
            self.taken.more(weight(&row.name))?;
            keys.insert(row.name.clone());
        }
        Ok(keys)
    }

    /// The same, sorted by key.
    ///
    /// # Errors
    /// If there is no room for that.
    pub(super) fn sorted(mut self) -> Result<Self> {
        if self.keys.take().is_some() {
            let mut rows = self.found.from(0);
            while let Some(row) = rows.advance() {
                self.taken.more(weight(&row.name) + size_of::<Row>())?;
            }
            self.found = std::mem::take(&mut self.found).sorted();
        }
        Ok(self)
    }
}

/// What a key takes by itself, about.
fn weight(key: &str) -> usize {
    key.len() + 2 * size_of::<String>()
}
