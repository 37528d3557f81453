//! `min`: the smallest value.

use std::cmp::Ordering;

use super::extreme::Extreme;
use super::{Each, Kind, Needs, Order};

pub(super) static MIN: Kind = Kind {
    name: "min",
    usage: "min, min(f)",
    help: "the smallest value",
    parameters: &[],
    columns: (1, 1),
    needs: Needs::Values,
    order: Order::Any,
    new: |_| Box::new(Each::new(Extreme(Ordering::Less))),
};
