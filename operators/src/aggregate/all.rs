//! `all`: whether none is false; of nothing it is true.

use super::truth::Truth;
use super::{Each, Kind, Needs, Order, Traits};

pub(super) static ALL: Kind = Kind {
    name: "all",
    usage: "all, all(p)",
    help: "whether none is false; of nothing it is true",
    parameters: &[],
    columns: (1, 1),
    needs: Needs::Conditions,
    order: Order::Any,
    traits: Traits::PLAIN,
    new: |_| Box::new(Each::new(Truth(false))),
};
