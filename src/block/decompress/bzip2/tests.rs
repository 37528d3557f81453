//! Blocks against libbzip2: the same text of whatever it accepts, and a fault of all else.

use std::io::{Read, Write};

use bzip2::Compression;
use bzip2::read::MultiBzDecoder;
use bzip2::write::BzEncoder;
use proptest::prelude::*;

use super::bits::Fault;
use super::block::{Scratch, decode};
use super::find::{BLOCK, END, Magics, at_bit};
use super::*;
use crate::block::tests::{options, read_shared, read_whole};
use crate::block::{BlockOptions, Encoding};

fn stream(text: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = BzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// What libbzip2 makes of a file.
fn reference(stored: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    MultiBzDecoder::new(stored).read_to_end(&mut text).map(|_| text)
}

/// What we make of it, with so many lanes that take turns by chance, as `seed` says.
fn ours(stored: &[u8], lanes: usize, seed: u64) -> crate::Result<Vec<u8>> {
    let options = BlockOptions { encoding: Encoding::Raw, ..options() };
    Ok(read_shared(stored, &options, lanes, 7000, seed)?.bytes())
}

/// Texts that sort in awkward ways: runs, short periods, few letters, noise.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        ("[a-c\n]{0,9}", 1..200_usize).prop_map(|(text, n)| text.repeat(n).into_bytes()),
        (any::<u8>(), 1..2000_usize).prop_map(|(byte, n)| vec![byte; n]),
        proptest::collection::vec(any::<u8>(), 0..3000),
        proptest::collection::vec(0..3_u8, 0..3000),
    ];
    proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_comes_back(
        texts in proptest::collection::vec(texts(), 1..4),
        repeat in 1..8_usize,
        level in 1..10_u32,
        lanes in 1..4_usize,
        seed: u64,
    ) {
        let texts: Vec<_> = texts.iter().map(|text| text.repeat(repeat)).collect();
        let stored: Vec<u8> = texts.iter().flat_map(|text| stream(text, level)).collect();
        prop_assert_eq!(ours(&stored, lanes, seed).unwrap(), texts.concat());
    }

    #[test]
    fn whatever_is_damaged_is_what_the_library_makes_of_it_or_a_fault(
        text in texts(),
        level in 1..3_u32,
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), 0..8_u32), 1..3),
        cut in any::<Option<proptest::sample::Index>>(),
        lanes in 1..4_usize,
        seed: u64,
    ) {
        let mut stored = stream(&text, level);
        // Past the first bytes, by which the codec is known.
        for (at, bit) in flips {
            let at = 10 + at.index(stored.len() - 10);
            stored[at] ^= 1 << bit;
        }
        if let Some(cut) = cut {
            stored.truncate(10 + cut.index(stored.len() - 10));
        }
        match (ours(&stored, lanes, seed), reference(&stored)) {
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs),
            (Err(_), _) => {}
            (Ok(_), Err(error)) => prop_assert!(false, "it is damaged: {}", error),
        }
    }
}

#[test]
fn blocks_are_found_at_any_bit() {
    for magic in [BLOCK, END] {
        for before in 0..70 {
            let mut bits = Writer::default();
            (0..before).for_each(|n| bits.put(1, u64::from(n % 3 == 0)));
            bits.put(48, magic);
            bits.put(9, 0);
            for from in 0..=before {
                assert_eq!(Magics::default().first(&bits.bytes, from), Some(before));
            }
            assert_eq!(Magics::default().first(&bits.bytes, before + 1), None);
            assert_eq!(at_bit(&bits.bytes, before), Some(magic));
            let short = &bits.bytes[..(before + 40) / 8];
            assert_eq!(Magics::default().first(short, 0), None);
        }
    }
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    length: usize,
}

impl Writer {
    fn put(&mut self, count: usize, bits: u64) {
        for n in (0..count).rev() {
            if self.length.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let bit = (bits >> n & 1) as u8;
            *self.bytes.last_mut().unwrap() |= bit << (7 - self.length % 8);
            self.length += 1;
        }
    }
}

/// A stream of one block, of a code in which any bits mean something: so these, among others, can
/// stand in it; with the checksum given.
fn crafted(inside: &[u64], crc: u32) -> Vec<u8> {
    let mut bits = Writer::default();
    bits.put(32, u64::from(u32::from_be_bytes(*b"BZh9")));
    bits.put(48, BLOCK);
    bits.put(32, u64::from(crc));
    bits.put(1 + 24, 0);
    // All bytes are used; two codes, of which the first is for all groups.
    bits.put(16, 0xffff);
    (0..16).for_each(|_| bits.put(16, 0xffff));
    bits.put(3, 2);
    let groups = 2000;
    bits.put(15, groups);
    (0..groups).for_each(|_| bits.put(1, 0));
    for _ in 0..2 {
        // Symbols of 9 bits: the two that stand for runs, one byte, and the end. All others of 8.
        bits.put(5, 9);
        for symbol in 0..258 {
            match symbol {
                3 => bits.put(2, 0b11),
                257 => bits.put(2, 0b10),
                _ => {}
            }
            bits.put(1, 0);
        }
    }
    for (n, magic) in inside.iter().enumerate() {
        bits.put(48, *magic);
        // Some symbols that stand for bytes, so that nothing lines up.
        (0..40).for_each(|k| bits.put(8, (7 * k + 13 * n as u64) % 200));
        bits.put(8, 3 * n as u64);
    }
    bits.put(9, 0x1ff);
    bits.put(48, END);
    bits.put(32, u64::from(crc));
    bits.bytes
}

#[test]
fn the_number_of_a_block_inside_of_one_does_not_mislead() {
    for inside in [&[BLOCK][..], &[END], &[BLOCK, END, BLOCK, BLOCK], &[BLOCK; 40]] {
        let mut text = Vec::new();
        let wrong =
            decode(&crafted(inside, 0), 80, 900_000, 1 << 20, &mut Scratch::default(), &mut text);
        assert_eq!(wrong.unwrap_err(), Fault::Damaged("the checksum of a block is wrong"));
        let one = crafted(inside, crc::of(&text));
        assert!(text.len() > 40 && reference(&one).unwrap() == text, "it is a good stream");
        let stored = [&one[..], &stream(b"more\n", 1), &one].concat();
        let expected = [&text[..], b"more\n", &text].concat();
        for lanes in 1..4 {
            assert_eq!(ours(&stored, lanes, 5).unwrap(), expected);
        }
        assert_eq!(read_whole(&stored, &options()).unwrap().bytes(), expected);
    }
}

#[test]
fn a_few_bytes_that_stand_for_very_many_are_decoded_alone() {
    // 46 MB of one byte are one block: more than a lane takes.
    let text = vec![b'x'; 45 << 20];
    let stored = [stream(b"first\n", 9), stream(&text, 9)].concat();
    assert!(stored.len() < 1000);
    let read = ours(&stored, 2, 1).unwrap();
    assert!(read.starts_with(b"first\nxxx") && read.len() == 6 + text.len());
}
