//! Plans over lent and owned records, called as a bag calls them.

use creel_operators::{Collect, Combiner, Count, First, Frequencies, Max, Records};

const BLOCKS: [&str; 3] = ["the long\nline", "", "the end\n\n  of it\n"];

/// Runs a plan as a bag does: for each block, whose lines have a lifetime of their own, into one
/// state for every two blocks.
fn lend<C, P>(blocks: &[&str], plan: P) -> C::Output
where
    C: Combiner,
    P: Fn(Records<'_, std::str::Lines<'_>, C::State>) -> C,
{
    let mut merged = C::State::default();
    let combiner = plan(Records::new("".lines(), &mut merged));
    for lane in blocks.chunks(2) {
        let mut state = C::State::default();
        for block in lane {
            let recycled = String::from(*block);
            plan(Records::new(recycled.lines(), &mut state));
        }
        combiner.merge(&mut merged, state);
    }
    combiner.finish(merged)
}

#[test]
fn words_of_blocks_are_counted_lent() {
    let counts = lend(&BLOCKS, |lines| {
        lines.flat_map(|line| line.split_whitespace()).filter(|word| word.len() > 2).frequencies()
    });
    assert_eq!(counts.sorted_lent(), [("the", 2), ("end", 1), ("line", 1), ("long", 1)]);
}

#[test]
fn every_operator_runs_on_lent_records() {
    let pieces = lend(&BLOCKS, |lines| {
        lines
            .remove(|line| line.is_empty())
            .split(" ")
            .map(|piece| piece.trim_end_matches('e'))
            .filter_map(|piece| piece.chars().next().map(|first| [first; 1]))
            .flatten()
            .map(|first| first.to_string())
            .collect()
    });
    assert_eq!(pieces, ["t", "l", "l", "t", "e", "o", "i"]);
}

#[test]
fn closures_over_lent_records_infer() {
    let bytes = lend(&BLOCKS, |l| l.words().fold(|| 0, |n, word| n + word.len(), |m, n| m + n));
    assert_eq!(bytes, 21);
    let longest = lend(&BLOCKS, |l| l.words().topk_by(2, |word| word.len()));
    assert_eq!(longest, ["line", "long"]);
    assert_eq!(lend(&BLOCKS, |l| l.words().max()).as_deref(), Some("the"));
    assert_eq!(lend(&BLOCKS, |l| l.words().map(str::len).sum()), 21);
}

#[test]
fn several_results_come_from_one_pass() {
    let (words, counts, last) = lend(&BLOCKS, |lines| {
        lines.words().combine((Count, Frequencies::<String>::new(), Max::<String>::new()))
    });
    assert_eq!((words, counts.len(), last.as_deref()), (7, 6, Some("the")));
}

/// A stage that is used in several plans.
fn long<'s, 'b, S>(
    words: Records<'s, impl Iterator<Item = &'b str>, S>,
) -> Records<'s, impl Iterator<Item = &'b str>, S> {
    words.filter(|word| word.len() > 3)
}

#[test]
fn a_stage_can_be_a_function() {
    assert_eq!(lend(&BLOCKS, |lines| long(lines.words()).count()), 2);
}

#[test]
fn a_batch_of_owned_records_runs_through_the_same_operators() {
    let mut batch: Vec<String> = BLOCKS.map(String::from).to_vec();
    let mut recycled: Vec<String> = Vec::new();
    let _: Collect<String> = Records::new(batch.drain(..), &mut recycled).words().collect();
    assert_eq!(recycled, ["the", "long", "line", "the", "end", "of", "it"]);
    let mut pieces = Vec::new();
    let _ = Records::new(recycled.drain(..), &mut pieces).split("e").collect();
    assert_eq!(pieces, ["th", "", "long", "lin", "", "th", "", "", "nd", "of", "it"]);
}

#[test]
fn a_plan_of_the_first_records_pulls_no_more() {
    let mut pulled = 0;
    let mut state = Vec::new();
    let records = (0..100).inspect(|_| pulled += 1);
    let first: First<i32> = Records::new(records, &mut state).first(2);
    assert!(first.full(&state));
    assert_eq!(pulled, 2);
}
