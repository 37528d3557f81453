//! `topk`: the k largest, largest first; topk(k; f): by f.

use super::ranked::Best;
use super::{Each, Kind, Needs, Order, Parameter};

pub(super) static TOPK: Kind = Kind {
    name: "topk",
    usage: "topk(k), topk(k; f)",
    help: "the k largest, largest first; topk(k; f): by f",
    parameters: &[Parameter::whole("k")],
    columns: (1, 2),
    needs: Needs::Records,
    order: Order::Any,
    new: |of| Box::new(Each::new(Best { k: of[0] as usize, largest: true, alone: false })),
};
