//! `max_by`: the record with the largest f.

use super::ranked::Best;
use super::{Each, Kind, Needs, Order, Traits};

pub(super) static MAX_BY: Kind = Kind {
    name: "max_by",
    usage: "max_by(f)",
    help: "the record with the largest f",
    parameters: &[],
    columns: (2, 2),
    needs: Needs::Records,
    order: Order::Any,
    traits: Traits::PLAIN,
    new: |_| Box::new(Each::new(Best { k: 1, largest: true, alone: true })),
};
