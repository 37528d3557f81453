//! The memory of a count of texts: a bound for each distinct key, whatever their number.

use creel_operators::Counts;

/// Bytes for a key, at most: 16 for a slot, of which a shard that was just divided or has just grown
/// uses five in sixteen; and a tenth, since hashes do not divide keys evenly.
const EACH: usize = 57;
/// Bytes of the smallest table.
const FIRST: usize = 2048;

/// Checks the bound as keys are added, at sizes that are between all powers of two.
fn check(key: impl Fn(u32) -> String, own: usize) {
    let mut counts = Counts::<String>::default();
    let mut next = 1;
    for n in 0..400_000 {
        counts.add(key(n), 1);
        if n + 1 == next {
            next += next / 8 + 1;
            let (keys, weight) = (counts.len(), counts.weight());
            assert!(keys == n as usize + 1 && weight >= keys * (16 + own / 2));
            assert!(weight <= FIRST + keys * (EACH + own), "{keys} keys in {weight} bytes");
        }
    }
}

#[test]
fn a_short_key_takes_its_slot_and_the_empty_ones_beside_it() {
    check(|n| format!("{n:013}"), 0);
}

#[test]
fn a_long_key_takes_its_bytes_and_length_too_and_room_for_as_many() {
    check(|n| format!("{n:032}"), 66);
}
