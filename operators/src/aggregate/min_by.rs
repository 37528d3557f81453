//! `min_by`: the record with the smallest f.

use super::ranked::Best;
use super::{Each, Kind, Needs, Order, Traits};

pub(super) static MIN_BY: Kind = Kind {
    name: "min_by",
    usage: "min_by(f)",
    help: "the record with the smallest f",
    parameters: &[],
    columns: (2, 2),
    needs: Needs::Records,
    order: Order::Any,
    traits: Traits::PLAIN,
    new: |_| Box::new(Each::new(Best { k: 1, largest: false, alone: true })),
};
