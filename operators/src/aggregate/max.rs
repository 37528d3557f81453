//! `max`: the largest value.

use std::cmp::Ordering;

use super::extreme::Extreme;
use super::{Each, Kind, Needs, Order};

pub(super) static MAX: Kind = Kind {
    name: "max",
    usage: "max, max(f)",
    help: "the largest value",
    parameters: &[],
    columns: (1, 1),
    needs: Needs::Values,
    order: Order::Any,
    new: |_| Box::new(Each::new(Extreme(Ordering::Greater))),
};
