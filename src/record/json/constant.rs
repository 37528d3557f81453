//! A constant that values are compared with.

use std::cmp::Ordering;

use super::{has_escape, rank, small_integer, write_key};

/// A scalar that values are compared with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Constant {
    key: Box<str>,
    rank: u8,
    integer: Option<i64>,
}

impl Constant {
    /// The constant that a JSON scalar stands for.
    pub(crate) fn new(raw: &str) -> Self {
        let mut key = String::new();
        write_key(raw, &mut key);
        Self { key: key.into(), rank: rank(raw), integer: small_integer(raw) }
    }

    /// How a checked value compares to it, in jq's order; `scratch` is a buffer.
    #[inline]
    pub(crate) fn compare(&self, raw: &str, scratch: &mut String) -> Ordering {
        match (rank(raw), self.rank) {
            (3, 3) => {
                if let (Some(value), Some(with)) = (small_integer(raw), self.integer) {
                    return value.cmp(&with);
                }
            }
            (4, 4) if !has_escape(raw) => return raw[1..raw.len() - 1].cmp(&self.key[1..]),
            (rank, with) if rank != with => return rank.cmp(&with),
            _ => {}
        }
        scratch.clear();
        write_key(raw, scratch);
        (**scratch).cmp(&*self.key)
    }
}
