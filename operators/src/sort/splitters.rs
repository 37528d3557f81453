//! Where keys are cut into ranges.

use super::order::same_bytes;
use super::word;

/// Cuts keys into ranges that follow each other: `2^bits` of them, of about as many keys each, going by a
/// sample.
///
/// Keys are told apart by the eight bytes after what all keys of the sample begin with. So keys that differ
/// only behind these are of one range, which has to be cut again if it is large.
///
/// ```
/// use creel_operators::sort::Splitters;
///
/// let mut sample: Vec<&[u8]> = vec![b"/d", b"/a", b"/c", b"/b"];
/// let splitters = Splitters::of(&mut sample, 1);
/// assert_eq!(splitters.ranges(), 2);
/// assert_eq!((splitters.range(b"/b"), splitters.range(b"/ca")), (0, 1));
/// assert_eq!((splitters.range(b""), splitters.range(b"x")), (0, 1));
/// ```
#[derive(Debug, Clone)]
pub struct Splitters {
    /// The common beginning of all keys of the sample.
    prefix: Vec<u8>,
    bits: u32,
    /// The words that ranges begin with, in the order of a walk by levels, from 1 on.
    tree: Vec<u64>,
}

/// Keys that are looked up at once, so that steps of one do not wait for those of another.
const AT_ONCE: usize = 16;

impl Splitters {
    /// The bytes behind the common beginning that keys are told apart by.
    pub const BYTES: usize = size_of::<u64>();

    /// Splitters by a sample of keys, which is sorted.
    ///
    /// ```
    /// assert_eq!(creel_operators::sort::Splitters::of(&mut [], 3).range(b"net"), 7);
    /// ```
    pub fn of(sample: &mut [&[u8]], bits: u32) -> Self {
        sample.sort_unstable();
        let prefix = match *sample {
            [first, .., last] => {
                let most = first.len().min(last.len());
                &first[..same_bytes(&first[..most], &last[..most])]
            }
            _ => &[],
        };
        let words: Vec<u64> = sample.iter().map(|key| word(key, prefix.len(), key.len())).collect();
        let first = |range: usize| words.get((words.len() * range) >> bits).copied().unwrap_or(0);
        let sorted: Vec<u64> = (1..1 << bits).map(first).collect();
        let mut tree = vec![0; 1 << bits];
        fill(&mut tree, 1, &sorted);
        Self { prefix: prefix.to_vec(), bits, tree }
    }

    /// How many ranges there are.
    ///
    /// ```
    /// assert_eq!(creel_operators::sort::Splitters::of(&mut [], 4).ranges(), 16);
    /// ```
    pub fn ranges(&self) -> usize {
        1 << self.bits
    }

    /// The range of a key.
    ///
    /// ```
    /// let splitters = creel_operators::sort::Splitters::of(&mut [b"a", b"b"], 1);
    /// assert!(splitters.range(b"a") < splitters.range(b"b"));
    /// ```
    pub fn range(&self, key: &[u8]) -> usize {
        let mut range = [0];
        self.find(&[self.word(key, 0..key.len())], &mut range);
        range[0] as usize
    }

    /// The ranges of keys, which are pieces of a text: each is visited with its range.
    ///
    /// ```
    /// let splitters = creel_operators::sort::Splitters::of(&mut [b"a", b"b"], 1);
    /// let mut ranges = Vec::new();
    /// splitters.each(b"ba", [0..1, 1..2].into_iter(), |key, range| ranges.push((key, range)));
    /// assert_eq!(ranges, [(0..1, 1), (1..2, 0)]);
    /// ```
    pub fn each(
        &self,
        text: &[u8],
        mut keys: impl Iterator<Item = std::ops::Range<usize>>,
        mut visit: impl FnMut(std::ops::Range<usize>, usize),
    ) {
        let mut some: [std::ops::Range<usize>; AT_ONCE] = [const { 0..0 }; AT_ONCE];
        loop {
            let (mut words, mut ranges) = ([0; AT_ONCE], [0; AT_ONCE]);
            let mut n = 0;
            for key in keys.by_ref().take(AT_ONCE) {
                words[n] = self.word(text, key.clone());
                some[n] = key;
                n += 1;
            }
            self.find(&words, &mut ranges);
            for (key, range) in some[..n].iter().zip(ranges) {
                visit(key.clone(), range as usize);
            }
            if n < AT_ONCE {
                return;
            }
        }
    }

    /// The eight bytes that decide the range of a key.
    #[inline]
    fn word(&self, text: &[u8], key: std::ops::Range<usize>) -> u64 {
        if self.prefix.is_empty() {
            return word(text, key.start, key.end);
        }
        let own = &text[key.clone()];
        match own.get(..self.prefix.len()) {
            Some(first) if first == self.prefix => {
                word(text, key.start + self.prefix.len(), key.end)
            }
            _ if own < self.prefix.as_slice() => 0,
            _ => u64::MAX,
        }
    }

    #[inline]
    fn find<const N: usize>(&self, words: &[u64; N], ranges: &mut [u32; N]) {
        let mut nodes = [1_usize; N];
        for _ in 0..self.bits {
            for (node, word) in nodes.iter_mut().zip(words) {
                *node = *node * 2 + usize::from(self.tree[*node] <= *word);
            }
        }
        for (range, node) in ranges.iter_mut().zip(nodes) {
            *range = (node - (1 << self.bits)) as u32;
        }
    }
}

/// Puts sorted words in the order of a walk by levels, so that a look-up is shifts and additions.
fn fill(tree: &mut [u64], at: usize, sorted: &[u64]) {
    let middle = sorted.len() / 2;
    if let Some(word) = sorted.get(middle) {
        tree[at] = *word;
        fill(tree, at * 2, &sorted[..middle]);
        fill(tree, at * 2 + 1, &sorted[middle + 1..]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> impl Strategy<Value = Vec<u8>> {
        let byte = || prop::sample::select(vec![0, 1, 7, 0xff]);
        (0..12_usize, prop::collection::vec(byte(), 0..12))
            .prop_map(|(n, end)| [vec![7; n], end].concat())
    }

    proptest! {
        #[test]
        fn ranges_follow_each_other_as_keys_do(
            sample in prop::collection::vec(key(), 0..40),
            keys in prop::collection::vec(key(), 0..60),
            bits in 0..6_u32,
        ) {
            let mut sample: Vec<&[u8]> = sample.iter().map(Vec::as_slice).collect();
            let splitters = Splitters::of(&mut sample, bits);
            let mut keys = keys;
            keys.sort();
            let ranges: Vec<usize> = keys.iter().map(|key| splitters.range(key)).collect();
            prop_assert!(ranges.is_sorted());
            prop_assert!(ranges.iter().all(|range| *range < splitters.ranges()));
            let text = keys.concat();
            let mut at = 0;
            let places: Vec<_> = keys.iter().map(|key| {
                at += key.len();
                at - key.len()..at
            }).collect();
            let mut found = Vec::new();
            splitters.each(&text, places.into_iter(), |_, range| found.push(range));
            prop_assert_eq!(found, ranges);
        }
    }

    #[test]
    fn a_sample_is_cut_into_even_ranges() {
        let keys: Vec<String> =
            (0..10_000).map(|n| format!("some/common/path/{:08}", n * 7)).collect();
        let mut sample: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
        let splitters = Splitters::of(&mut sample, 6);
        let mut number = vec![0; 64];
        keys.iter().for_each(|key| number[splitters.range(key.as_bytes())] += 1);
        assert!(number.iter().all(|n| (150..165).contains(n)), "{number:?}");
    }
}
