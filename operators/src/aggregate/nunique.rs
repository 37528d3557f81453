//! `nunique`: how many distinct values there are.

use super::tally::Tally;
use super::{Kind, Needs, Order, Traits};

pub(super) static NUNIQUE: Kind = Kind {
    name: "nunique",
    usage: "nunique, nunique(f)",
    help: "how many distinct values there are",
    parameters: &[],
    columns: (1, 1),
    needs: Needs::Values,
    order: Order::Any,
    traits: Traits { counts_distinct: true, ..Traits::PLAIN },
    new: |_| Box::new(Tally::<false>::new()),
};
