//! The memory of a count of texts: a bound for each distinct key, whatever their number.

use creel_operators::Counts;

/// Bytes for a key, at most: 16 for a slot, of which a shard that was just divided or has just grown
/// uses five in sixteen; and a tenth, since hashes do not divide keys evenly.
const EACH: usize = 57;
/// Bytes of a count that has no room in its slot, at most: 33 in a hash table that is seven sixteenths full.
const OFTEN: usize = 76;
/// Bytes of the smallest table.
const FIRST: usize = 2048;

/// Checks the bound as keys are added, at sizes that are between all powers of two.
fn check(key: impl Fn(u32) -> String, times: u64, own: usize) {
    let mut counts = Counts::<String>::default();
    let mut next = 1;
    for n in 0..400_000 {
        counts.add(key(n), times);
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
    check(|n| format!("{n:013}"), 1, 0);
}

#[test]
fn a_long_key_takes_its_bytes_and_length_too_and_room_for_as_many() {
    check(|n| format!("{n:032}"), 1, 66);
}

#[test]
fn a_key_that_was_counted_very_often_takes_a_place_elsewhere_too() {
    check(|n| format!("{n:013}"), 1 << 24, OFTEN);
}
