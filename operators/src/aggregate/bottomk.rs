//! `bottomk`: the k smallest, smallest first; bottomk(k; f): by f.

use super::ranked::Best;
use super::{Each, Kind, Needs, Order, Parameter};

pub(super) static BOTTOMK: Kind = Kind {
    name: "bottomk",
    usage: "bottomk(k), bottomk(k; f)",
    help: "the k smallest, smallest first; bottomk(k; f): by f",
    parameters: &[Parameter::whole("k")],
    columns: (1, 2),
    needs: Needs::Records,
    order: Order::Any,
    new: |of| Box::new(Each::new(Best { k: of[0] as usize, largest: false, alone: false })),
};
