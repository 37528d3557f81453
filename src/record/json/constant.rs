//! A constant that values are compared with.

use std::cmp::Ordering;

use creel_operators::column::Number;

use super::{has_escape, rank, small_integer, write_key};

/// A scalar that values are compared with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Constant {
    raw: Box<str>,
    key: Box<str>,
    rank: u8,
    integer: Option<i64>,
    /// The closest double, of a number.
    double: f64,
}

impl Constant {
    /// The constant that a JSON scalar stands for.
    pub(crate) fn new(raw: &str) -> Self {
        let mut key = String::new();
        write_key(raw, &mut key);
        let rank = rank(raw);
        let double = if rank == 3 { Number::of(raw).to_f64() } else { f64::NAN };
        Self { raw: raw.into(), key: key.into(), rank, integer: small_integer(raw), double }
    }

    /// How a checked value compares to it, in jq's order; `scratch` is a buffer.
    #[inline]
    pub(crate) fn compare(&self, raw: &str, scratch: &mut String) -> Ordering {
        match (rank(raw), self.rank) {
            (3, 3) => {
                if let (Some(value), Some(with)) = (small_integer(raw), self.integer) {
                    return value.cmp(&with);
                }
                if raw == &*self.raw {
                    return Ordering::Equal;
                }
                // Rounding keeps the order, so that only numbers of one double need their keys, which
                // take an allocation.
                let value = Number::of(raw).to_f64();
                if let Some(order @ (Ordering::Less | Ordering::Greater)) =
                    value.partial_cmp(&self.double)
                {
                    return order;
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
