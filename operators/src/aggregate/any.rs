//! `any`: whether one is true; of nothing it is false.

use super::truth::Truth;
use super::{Each, Kind, Needs, Order, Traits};

pub(super) static ANY: Kind = Kind {
    name: "any",
    usage: "any, any(p)",
    help: "whether one is true; of nothing it is false",
    parameters: &[],
    columns: (1, 1),
    needs: Needs::Conditions,
    order: Order::Any,
    traits: Traits::PLAIN,
    new: |_| Box::new(Each::new(Truth(true))),
};
