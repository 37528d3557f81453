//! Counts agree with a plain map.

use std::collections::HashMap;

use super::*;
use proptest::prelude::*;

fn by_hand<K: Ord + Clone + std::hash::Hash>(keys: &[K]) -> Vec<(K, u64)> {
    let mut counts = HashMap::new();
    keys.iter().for_each(|key| *counts.entry(key.clone()).or_insert(0) += 1);
    let mut all: Vec<_> = counts.into_iter().collect();
    all.sort_by(|(a, m), (b, n)| n.cmp(m).then(a.cmp(b)));
    all
}

proptest! {
    #[test]
    fn both_tables_agree_with_a_plain_map(
        text in prop::collection::vec("[ab\u{e9}]{0,3}", 0..200),
        k in 0..20_usize,
    ) {
        let texts: Counts<String> = text.iter().map(String::as_str).collect();
        let in_map: Counts<(String, bool)> = text.iter().map(|t| (t.as_str(), true)).collect();
        let expected = by_hand(&text);
        prop_assert_eq!(texts.sorted(), &expected[..]);
        prop_assert_eq!(texts.topk(k), &expected[..k.min(expected.len())]);
        prop_assert_eq!(texts.total(), text.len() as u64);
        let without_flag: Vec<_> = in_map.sorted().into_iter().map(|((t, _), n)| (t, n)).collect();
        prop_assert_eq!(&without_flag, &expected);
        for (key, n) in &expected {
            prop_assert_eq!(texts.get(key), *n);
            prop_assert_eq!(in_map.get((key, true)), *n);
        }
        let mut moved_out: Vec<_> = texts.into_iter().collect();
        moved_out.sort_by(|(a, m), (b, n)| n.cmp(m).then(a.cmp(b)));
        prop_assert_eq!(moved_out, expected);
    }

    #[test]
    fn pieces_of_a_text_are_counted_as_alone(text in "([a-c\u{e9}]{0,20} ){0,40}") {
        let mut at = 0;
        let pieces: Vec<_> = text.split(' ').map(|piece| {
            at += piece.len() + 1;
            at - 1 - piece.len()..at - 1
        }).collect();
        let mut counts = Counts::default();
        counts.add_pieces(&text, pieces);
        prop_assert_eq!(counts, text.split(' ').collect::<Counts<String>>());
    }

    #[test]
    fn merged_tables_are_the_table_of_all(
        keys in prop::collection::vec(0..300_u16, 0..1000),
        cut in 0..1000_usize,
    ) {
        let (left, right) = keys.split_at(cut.min(keys.len()));
        let text = |keys: &[u16]| keys.iter().map(u16::to_string).collect::<Counts<String>>();
        let numbers = |keys: &[u16]| keys.iter().collect::<Counts<u16>>();
        let (mut merged_text, mut merged_numbers) = (text(left), numbers(left));
        merged_text.merge(text(right));
        merged_numbers.merge(numbers(right));
        prop_assert_eq!(merged_text, text(&keys));
        prop_assert_eq!(merged_numbers, numbers(&keys));
    }
}

#[test]
fn every_form_of_a_text_is_one_key() {
    let mut counts = Counts::<String>::default();
    counts.add("eel", 1);
    counts.add(String::from("eel"), 1);
    counts.add(&String::from("eel"), 1);
    counts.add(std::borrow::Cow::Borrowed("eel"), 1);
    assert_eq!(counts.sorted_lent(), [("eel", 4)]);
    let mut counts = Counts::<Vec<u8>>::default();
    counts.add(&b"eel"[..], 1);
    counts.add(b"eel".to_vec(), 1);
    assert_eq!(counts.sorted_lent(), [(&b"eel"[..], 2)]);
}

#[test]
fn lists_and_options_of_lent_text_are_found_by_owned_ones() {
    let counts = Counts::<Vec<String>>::from_iter([vec!["a", "b"], vec!["a"], vec!["a", "b"]]);
    assert_eq!(counts.get(vec!["a".to_owned(), "b".to_owned()]), 2);
    let counts = Counts::<Option<String>>::from_iter([Some("a"), None, None]);
    assert_eq!((counts.get(Some("a".to_owned())), counts.get(None::<&str>)), (1, 2));
}

#[test]
fn the_empty_text_is_a_key() {
    let counts = Counts::<String>::from_iter(["", "a", ""]);
    assert_eq!(counts.get(""), 2);
}
