//! Bytes without a known beginning: text by their shape, or not.
//!
//! Text may hold a few NULs and control characters (terminal colours, separators of FIX), and may
//! be in an encoding that is not UTF-8; none of that is refused. UTF-16 and UTF-32 have NULs at
//! regular places. Binary data has many NULs or control characters of many kinds, or is not UTF-8
//! and has many control characters.

use memchr::memchr_iter;

use super::{Expected, Kind};
use crate::block::delimiter::Ends;
use crate::block::encoding::Units;

const UTF32: &str = "convert it first: iconv -f utf-32 -t utf-8 FILE | creel ...";
const ANY: &str = "creel reads text; write it as text first, or leave it out";

/// Names bytes that are no text in the encoding that they are expected in.
pub(super) fn find(head: &[u8], expected: Expected) -> Option<Kind> {
    match expected.units {
        Units::Utf16 { big_endian } => not_utf16(head, big_endian),
        Units::Bytes | Units::SingleByte(_) => {
            let marked = expected.units == Units::Bytes;
            wide_mark(head)
                .filter(|_| marked)
                .or_else(|| nul_bytes(head, expected).filter(|_| !expected.nul_delimited))
                .or_else(|| controls(head).filter(|_| marked))
        }
    }
}

/// Whether bytes are UTF-8, of which the last character may be cut.
pub(super) fn is_utf8(head: &[u8]) -> bool {
    match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    }
}

/// Whether most records in these first bytes are not UTF-8, so that leaving those out would leave
/// little.
pub(in crate::block) fn is_foreign(head: &[u8], ends: &Ends) -> bool {
    if is_utf8(head) {
        return false;
    }
    let (mut start, mut records, mut wrong) = (0, 0, 0);
    while start < head.len() {
        let end = ends.first(head, start).unwrap_or(head.len());
        records += 1;
        wrong += usize::from(!is_utf8(&head[start..end]));
        start = end;
    }
    wrong * 2 > records
}

/// Whether bytes are surely no text of an encoding that has single bytes for ASCII: they confirm a
/// magic number that text may begin with too.
pub(super) fn looks_binary(head: &[u8]) -> bool {
    let many = |bytes: usize| bytes > 1 && bytes * 50 >= head.len();
    many(memchr_iter(0, head).count()) || many(odd_controls(head)) && !is_utf8(head)
}

/// Byte order marks that do not stand for the encoding that the bytes are read in.
fn wide_mark(head: &[u8]) -> Option<Kind> {
    let what = match head {
        [0xff, 0xfe, 0, 0, ..] => "UTF-32 (little-endian), by its mark",
        [0, 0, 0xfe, 0xff, ..] => "UTF-32 (big-endian), by its mark",
        [0xff, 0xfe, ..] => return Some(utf16(false)),
        [0xfe, 0xff, ..] => return Some(utf16(true)),
        _ => return None,
    };
    Some(Kind { what, mend: UTF32 })
}

/// NULs where UTF-16 and UTF-32 have them, or too many for text.
fn nul_bytes(head: &[u8], expected: Expected) -> Option<Kind> {
    let nuls = memchr_iter(0, head).count();
    if nuls == 0 {
        return None;
    }
    if nuls == head.len() {
        let what = "nothing but NUL bytes, as far as it was looked at";
        let mend = "it may be an empty tar archive, or a file that was never written";
        return (nuls > 1).then_some(Kind { what, mend });
    }
    if let Some(big_endian) = utf32_units(head) {
        let what = if big_endian { "UTF-32 (big-endian)" } else { "UTF-32 (little-endian)" };
        return Some(Kind { what, mend: UTF32 });
    }
    if let Some(big_endian) = utf16_units(head, nuls, expected.units) {
        return Some(utf16(big_endian));
    }
    // A short text with a NUL or two in it is text.
    let many = if head.len() < 64 { nuls * 5 >= head.len() * 2 } else { nuls * 5 >= head.len() };
    let mend = "creel reads text; write it as text first, or leave it out; where NULs end records, \
                use --delimiter '\\0'";
    (many && nuls > 1).then_some(Kind { what: "binary data (many NUL bytes)", mend })
}

fn utf16(big_endian: bool) -> Kind {
    match big_endian {
        true => {
            Kind { what: "UTF-16 (big-endian)", mend: "name its encoding: --encoding utf-16be" }
        }
        false => {
            Kind { what: "UTF-16 (little-endian)", mend: "name its encoding: --encoding utf-16le" }
        }
    }
}

/// Whether the bytes are units of UTF-32 without a mark, and in which order.
fn utf32_units(head: &[u8]) -> Option<bool> {
    let (units, _) = head.as_chunks::<4>();
    let all = |number: fn([u8; 4]) -> u32| {
        let characters = || units.iter().map(|unit| char::from_u32(number(*unit)));
        let text = characters().flatten().filter(|c| *c != '\0').count();
        units.len() > 1 && text * 10 >= units.len() * 9 && characters().all(|c| c.is_some())
    };
    match (all(u32::from_le_bytes), all(u32::from_be_bytes)) {
        (true, false) => Some(false),
        (false, true) => Some(true),
        _ => None,
    }
}

/// Whether the bytes are units of UTF-16 without a mark, and in which order.
fn utf16_units(head: &[u8], nuls: usize, units: Units) -> Option<bool> {
    let pairs = head.len() / 2;
    let first = head.iter().step_by(2).filter(|byte| **byte == 0).count();
    let second = nuls - first;
    let (big_endian, here, there) =
        if first > second { (true, first, second) } else { (false, second, first) };
    // Mostly ASCII: half of the bytes are NUL, all in one place of each pair.
    let share = if pairs < 16 { 80 } else { 40 };
    let ascii = pairs > 1 && here * 100 >= pairs * share && there * 50 <= pairs;
    // Other scripts: only white space and digits have a NUL, and the rest is not UTF-8 text.
    let text = is_utf8(head) && (odd_controls(head) - nuls) * 20 < head.len();
    let other = units == Units::Bytes
        && !text
        && there == 0
        && here > 1
        && here * 100 >= pairs
        && is_utf16(head, big_endian);
    if ascii || other {
        return Some(big_endian);
    }
    // Characters of two units, as emoji are.
    let wide = |big_endian| surrogates(head, big_endian) * 4 >= pairs && is_utf16(head, big_endian);
    [false, true].into_iter().find(|big_endian| pairs > 1 && wide(*big_endian))
}

/// How many units of UTF-16 are halves of characters of two.
fn surrogates(head: &[u8], big_endian: bool) -> usize {
    let high = head.iter().skip(usize::from(!big_endian)).step_by(2);
    high.filter(|byte| (0xd8..0xe0).contains(*byte)).count()
}

/// Whether bytes decode as UTF-16 that has no odd control characters.
fn is_utf16(head: &[u8], big_endian: bool) -> bool {
    let (pairs, _) = head.as_chunks::<2>();
    let unit = |pair: &[u8; 2]| match big_endian {
        true => u16::from_be_bytes(*pair),
        false => u16::from_le_bytes(*pair),
    };
    // The last character may be cut.
    let wrong = char::decode_utf16(pairs.iter().map(unit)).enumerate().find(|(_, c)| match c {
        Ok(c) => c.is_control() && !c.is_whitespace(),
        Err(_) => true,
    });
    wrong.is_none_or(|(at, _)| at + 1 >= pairs.len())
}

/// Bytes that are going to be read as UTF-16 and are something else.
fn not_utf16(head: &[u8], big_endian: bool) -> Option<Kind> {
    match (head, big_endian) {
        ([0xff, 0xfe, 0, 0, ..], false) | ([0, 0, 0xfe, 0xff, ..], true) => {
            return wide_mark(head);
        }
        ([0xff, 0xfe, ..], true) => return Some(utf16(false)),
        ([0xfe, 0xff, ..], false) => return Some(utf16(true)),
        _ => {}
    }
    let nuls = memchr_iter(0, head).count();
    let (pairs, _) = head.as_chunks::<2>();
    if pairs.len() < 2 {
        return None;
    }
    if utf16_units(head, nuls, Units::Bytes) == Some(!big_endian) {
        return Some(utf16(!big_endian));
    }
    let zeros = pairs.iter().filter(|pair| **pair == [0, 0]).count();
    if zeros * 5 >= pairs.len() && zeros > 1 {
        return Some(Kind { what: "binary data (many NUL characters)", mend: ANY });
    }
    // Text in one byte a character is taken for rare ideographs, and has no line end then.
    let text = nuls == 0 && head.is_ascii() && odd_controls(head) == 0;
    (text && pairs.len() >= 8)
        .then_some(Kind { what: "text in UTF-8, and not in UTF-16", mend: "leave out --encoding" })
}

/// Bytes with more control characters than any encoding of text, or more than text and not UTF-8.
fn controls(head: &[u8]) -> Option<Kind> {
    let odd = odd_controls(head);
    // Nearly all text ends here: one count, where the searches below cost 2 us a small file.
    if odd <= 1 || odd * 25 < head.len() {
        return None;
    }
    if is_utf8(head) {
        // Protocols of records have one or two of them, as often as they have fields.
        let kinds = (0..32).filter(|byte| is_odd(byte) && head.contains(byte)).count();
        let many = kinds >= 6 && odd * 16 >= head.len();
        return many.then_some(Kind { what: "binary data (many control characters)", mend: ANY });
    }
    let invalid: usize = head.utf8_chunks().filter(|chunk| !chunk.invalid().is_empty()).count();
    (invalid * 20 >= head.len()).then_some(Kind { what: "binary data", mend: ANY })
}

/// How many bytes are control characters that text does not have: all but white space, backspace,
/// bell, escape and the separators.
fn odd_controls(head: &[u8]) -> usize {
    // Sums in bytes, of as many as fit one, are what compilers make vector code of.
    let odd = |bytes: &[u8]| bytes.iter().map(|byte| u8::from(is_odd(byte))).sum::<u8>();
    head.chunks(usize::from(u8::MAX)).map(|bytes| usize::from(odd(bytes))).sum()
}

fn is_odd(byte: &u8) -> bool {
    // Without a branch.
    (*byte < 7) | (byte.wrapping_sub(14) < 13) | (*byte == 127)
}
