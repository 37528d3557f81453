//! Any bytes, at any place in memory: words and counts are those of a plain twin.

#![no_main]

use std::collections::BTreeMap;

use creel::operators::{Counts, Pieces, code_points};
use creel_kernels::Words;
use libfuzzer_sys::fuzz_target;

/// Whether white space begins some bytes, and its length.
fn space(bytes: &[u8]) -> Option<usize> {
    let character = (1..=3.min(bytes.len())).find_map(|len| {
        let text = std::str::from_utf8(&bytes[..len]).ok()?;
        text.chars().next().filter(|c| c.is_whitespace())
    });
    character.map(char::len_utf8)
}

fn plain(bytes: &[u8]) -> Vec<(usize, usize)> {
    let (mut words, mut start, mut at) = (Vec::new(), None, 0);
    while at < bytes.len() {
        match space(&bytes[at..]) {
            Some(len) => {
                words.extend(start.take().map(|start| (start, at)));
                at += len;
            }
            None => {
                start.get_or_insert(at);
                at += 1;
            }
        }
    }
    words.extend(start.map(|start| (start, bytes.len())));
    words
}

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (skip, enough, bytes) = input;
    let bytes = bytes.get(usize::from(skip)..).unwrap_or_default();
    let expected = plain(bytes);
    assert!(Words::new(bytes).eq(expected.iter().copied()));
    let (mut words, mut filled) = (Words::new(bytes), Vec::new());
    while words.fill(&mut filled, expected.len().min(usize::from(enough)), |from, to| (from, to)) {
        filled.extend(words.next());
    }
    assert_eq!(filled, expected);

    let Ok(text) = std::str::from_utf8(bytes) else { return };
    assert!(text.words().eq(text.split_whitespace()));
    assert!(text.words().all(|word| code_points(word) == word.chars().count()));
    let mut by_hand = BTreeMap::new();
    text.split_whitespace().for_each(|word| *by_hand.entry(word).or_insert(0) += 1);
    let mut pieces = Counts::default();
    pieces.add_pieces(text, expected.iter().map(|&(start, end)| start..end));
    let mut all = Counts::<String>::default();
    all.add_all(text.words());
    assert_eq!(pieces, all);
    assert_eq!(all.iter().collect::<BTreeMap<_, _>>(), by_hand);
});
