//! Plans over lent records, called as a bag calls them.

use creel_operators::{Combiner, Records};

/// Runs a plan as a bag does: once for each block, each with lines of a lifetime of its own.
fn lend<C, P>(blocks: &[&str], plan: P) -> C::Output
where
    C: Combiner,
    P: Fn(Records<'_, std::str::Lines<'_>, C::State>) -> C,
{
    let mut state = C::State::default();
    let mut combiner = plan(Records::new("".lines(), &mut state));
    for block in blocks {
        let block = String::from(*block);
        combiner = plan(Records::new(block.lines(), &mut state));
    }
    combiner.finish(state)
}

#[test]
fn words_of_blocks_are_counted_lent() {
    let counts = lend(&["the long\nline", "the end\n"], |lines| {
        lines.flat_map(|l| l.split_whitespace()).filter(|w| w.len() > 2).frequencies()
    });
    assert_eq!(counts.topk(1), [("the".to_owned(), 2)]);
}

#[test]
fn folds() {
    let n = lend(&["the long\nline", "the end\n"], |lines| {
        lines.words().fold(|| 0, |n, w| n + w.len(), |a, b| a + b)
    });
    assert_eq!(n, 17);
}
