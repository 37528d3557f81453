//! Ends that look at the order of blocks keep it when their states are spilled.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::Context;
use super::reduce::{Pass, reduce};
use super::spilled::Held;
use super::tasks::{fed, of_tasks};
use super::tests::Numbers;
use crate::graph::{Moved, Name, Node, Shared};
use crate::spill::Budget;
use crate::{Error, Result};

/// The numbers that leave each remainder, in the order of the input.
#[derive(Debug, Clone, Copy)]
struct Remainders {
    of: u32,
    has_form: bool,
}

type Lists = BTreeMap<u32, Vec<u32>>;

impl Remainders {
    fn expected(self, numbers: &[u32]) -> Lists {
        let mut lists = Lists::new();
        numbers.iter().for_each(|n| lists.entry(n % self.of).or_default().push(*n));
        lists
    }
}

impl Pass<Vec<u32>> for Remainders {
    type State = Lists;

    fn ordered(&self) -> bool {
        true
    }

    fn start(&self, _: &Context, _: &[Shared]) -> Lists {
        Lists::new()
    }

    fn emptied(&self, _: &Lists) -> Lists {
        Lists::new()
    }

    fn feed(&self, _: &Context, _: &[Shared], state: &mut Lists, block: Vec<u32>) -> Result<()> {
        self.merge(state, self.expected(&block));
        Ok(())
    }

    fn merge(&self, into: &mut Lists, from: Lists) {
        from.into_iter().for_each(|(key, list)| into.entry(key).or_default().extend(list));
    }

    fn weight(&self, state: &Lists) -> usize {
        state.values().map(|list| 4 * list.len()).sum()
    }

    fn parts(&self, state: Lists, bits: u32) -> Vec<Lists> {
        let mut parts = vec![Lists::new(); 1 << bits];
        for (key, list) in state {
            parts[key as usize % (1 << bits)].insert(key, list);
        }
        parts
    }

    fn join(&self, parts: Vec<Lists>) -> Lists {
        parts.into_iter().flatten().collect()
    }

    fn save(&self, state: &Lists, bytes: &mut Vec<u8>) -> bool {
        for (key, list) in state {
            let row = [*key, list.len() as u32].into_iter().chain(list.iter().copied());
            bytes.extend(row.flat_map(u32::to_le_bytes));
        }
        self.has_form
    }

    fn load(&self, into: &mut Lists, bytes: &[u8]) -> bool {
        let (numbers, rest) = bytes.as_chunks();
        let mut numbers = numbers.iter().map(|bytes| u32::from_le_bytes(*bytes));
        while let (Some(key), Some(len)) = (numbers.next(), numbers.next()) {
            let list = numbers.by_ref().take(len as usize);
            into.entry(key).or_default().extend(list);
        }
        rest.is_empty()
    }
}

fn context(threads: usize, budget: &Arc<Budget>) -> Context {
    Context { threads, budget: Some(Arc::clone(budget)), ..Context::default() }
}

proptest! {
    #[test]
    fn states_that_spill_keep_the_order_of_the_input(
        partitions in 1..6_usize, blocks in 1..40_usize, of in 1..9_u32,
        threads in 1..5_usize, limit in 0..400_u64,
    ) {
        let budget = Arc::new(Budget::new(limit, None));
        let input = Numbers::new(partitions, blocks);
        let pass = Remainders { of, has_form: true };
        let lists = reduce(&context(threads, &budget), Arc::new(input.clone()), pass);
        prop_assert_eq!(lists.expect("it spills"), pass.expected(&input.all()));
        prop_assert!(budget.written() > 0 || 4 * input.all().len() as u64 <= limit + 32);
    }

    #[test]
    fn states_of_tasks_that_spill_are_merged_in_the_order_of_the_tasks(
        tasks in prop::collection::vec(0..30_u32, 0..20), of in 1..9_u32,
        threads in 1..5_usize, limit in 0..400_u64,
    ) {
        let budget = Arc::new(Budget::new(limit, None));
        let pass = Arc::new(Remainders { of, has_form: true });
        let mut all = Vec::new();
        let lanes = tasks.iter().enumerate().map(|(n, len)| {
            let numbers: Vec<u32> = (0..*len).map(|at| 100 * n as u32 + at).collect();
            all.extend(numbers.iter().copied());
            let pass = Arc::clone(&pass);
            Node::new(Name::Only("lane"), Vec::new(), move |context, _| {
                let mut held = Held::all(pass.start(context, &[]));
                for block in numbers.chunks(7) {
                    pass.feed(context, &[], &mut held.state, block.to_vec())?;
                    held.weigh(context, &*pass)?;
                }
                Ok(fed(held))
            })
        });
        let whole = of_tasks(lanes.collect(), Arc::clone(&pass), Vec::new());
        let lists = crate::graph::run(&context(threads, &budget), &[whole]);
        let lists = Moved::<Lists>::out_of(lists.expect("it spills").remove(0));
        prop_assert_eq!(lists, pass.expected(&all));
        prop_assert!(budget.written() > 0 || 4 * all.len() as u64 <= limit + 32);
    }
}

#[test]
fn states_without_a_form_for_the_disk_are_refused_over_the_budget() {
    for threads in 1..4 {
        let budget = Arc::new(Budget::new(100, None));
        let pass = Remainders { of: 3, has_form: false };
        let refused = reduce(&context(threads, &budget), Arc::new(Numbers::new(5, 40)), pass);
        assert!(matches!(refused, Err(Error::Memory { .. })), "{refused:?}");
    }
}

#[test]
fn a_failure_behind_states_that_spilled_is_what_the_run_ends_with() {
    for threads in 1..4 {
        let budget = Arc::new(Budget::new(60, None));
        let pass = Remainders { of: 3, has_form: true };
        let input = Numbers::failing(5, 20, &[(4, 7)]);
        let failed = reduce(&context(threads, &budget), Arc::new(input), pass);
        assert!(matches!(failed, Err(Error::Changed { .. })), "{failed:?}");
        let context = context(threads, &budget);
        context.stop.cancel();
        let cancelled = reduce(&context, Arc::new(Numbers::new(5, 20)), pass);
        assert!(matches!(cancelled, Err(Error::Cancelled)), "{cancelled:?}");
    }
}
