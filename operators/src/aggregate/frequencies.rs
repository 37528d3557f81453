//! `frequencies`: each value and how often it occurs, commonest first.

use super::tally::Tally;
use super::{Kind, Needs, Order};

pub(super) static FREQUENCIES: Kind = Kind {
    name: "frequencies",
    usage: "frequencies, frequencies(f)",
    help: "each value and how often it occurs, commonest first",
    parameters: &[],
    columns: (1, 1),
    needs: Needs::Values,
    order: Order::Any,
    new: |_| Box::new(Tally::<true>::new()),
};
