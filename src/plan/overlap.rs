//! The objects of several states: all of them, and the refusal of states that share any.

use std::collections::{BTreeMap, BTreeSet};

use super::coverage::{Covered, Span, joined};
use super::state::Stored;
use crate::{Error, Result};

/// Gives the objects of all states in the order of their ids, each once. A frame of objects of each state
/// is held, however many there are.
///
/// # Errors
/// [`Error::Plan`] if two states are of the same bytes of an object, or if those of two shards are not; and as for reading states.
pub(super) fn union(states: &[Stored], give: &mut dyn FnMut(Covered) -> Result<()>) -> Result<()> {
    let shards: BTreeSet<u32> = states.iter().map(shard_number).collect();
    let mut readers: Vec<_> = states.iter().map(Stored::objects).collect();
    // The next object of each state.
    let mut next = BTreeMap::new();
    for (state, reader) in readers.iter_mut().enumerate() {
        next.extend(reader.next()?.map(|object| ((object.id, state), object)));
    }
    while let Some(((id, state), object)) = next.pop_first() {
        next.extend(readers[state].next()?.map(|object| ((object.id, state), object)));
        let mut same = vec![(state, object)];
        while let Some(entry) = next.first_entry().filter(|entry| entry.key().0 == id) {
            let ((_, state), object) = entry.remove_entry();
            next.extend(readers[state].next()?.map(|object| ((object.id, state), object)));
            same.push((state, object));
        }
        give(one(states, &shards, same)?)?;
    }
    Ok(())
}

/// The one object that several states are of, if they are of other bytes of it; or, where all shards are merged, if the
/// states of each shard are of the same bytes.
fn one(states: &[Stored], shards: &BTreeSet<u32>, same: Vec<(usize, Covered)>) -> Result<Covered> {
    if shards.len() == 1 {
        return of_shard(states, same).map(|(_, object)| object);
    }
    let mut by_shard: BTreeMap<u32, Vec<(usize, Covered)>> = BTreeMap::new();
    for (state, object) in same {
        by_shard.entry(shard_number(&states[state])).or_default().push((state, object));
    }
    let of_each = shards.iter().map(|number| {
        let same = by_shard.remove(number);
        Ok((*number, same.map(|same| of_shard(states, same)).transpose()?))
    });
    let of_each: Vec<(u32, Option<(usize, Covered)>)> = of_each.collect::<Result<_>>()?;
    let first = of_each.iter().find_map(|(_, object)| object.as_ref());
    let (state, first) = first.unwrap_or_else(|| unreachable!("a state is of it"));
    let differs = |object: &Option<(usize, Covered)>| {
        object.as_ref().is_none_or(|(_, object)| object.spans != first.spans)
    };
    match of_each.iter().find(|(_, object)| differs(object)) {
        None => Ok(first.clone()),
        Some((number, _)) => Err(apart(&states[*state], first, *number)),
    }
}

/// The one object that states of a shard are of, and one of these states.
fn of_shard(states: &[Stored], mut same: Vec<(usize, Covered)>) -> Result<(usize, Covered)> {
    if same.len() == 1 {
        return Ok(same.swap_remove(0));
    }
    let of_each = |(state, object): &(usize, Covered)| {
        let state = *state;
        object.spans.clone().into_iter().map(move |span| (span, state))
    };
    let mut spans: Vec<(Span, usize)> = same.iter().flat_map(of_each).collect();
    spans.sort_unstable_by_key(|(span, state)| (span.start, span.end(), *state));
    let name = same.iter().find_map(|(_, object)| object.name.clone());
    if let Some(pair) = spans.windows(2).find(|pair| pair[1].0.start < pair[0].0.end()) {
        return Err(shared(states, name.as_deref(), [pair[0], pair[1]]));
    }
    let spans = joined(spans.into_iter().map(|(span, _)| span).collect());
    let (state, object) = same.swap_remove(0);
    Ok((state, Covered { spans, name, ..object }))
}

/// The number of the shard that a state is of.
fn shard_number(state: &Stored) -> u32 {
    state.shard.map_or(0, |shard| shard.number)
}

/// The error for an object of which the states of two shards have read other bytes.
fn apart(state: &Stored, object: &Covered, number: u32) -> Error {
    let object = object.name.clone().unwrap_or_else(|| "an object".to_owned());
    let own = state.shard.map_or_else(String::new, |shard| format!(" ({})", shard.name()));
    let reason = format!(
        "{}{own} has read {object}, of which the states of shard {number} have not read the same bytes: one \
         is missing or of other partitions; give the states of the same runs of each shard",
        state.name(),
    );
    Error::Plan { reason }
}

/// The error for two states of the same bytes of an object.
fn shared(states: &[Stored], name: Option<&str>, pair: [(Span, usize); 2]) -> Error {
    let [(first, one), (second, other)] = pair;
    let object = name.map_or_else(|| "the same object".to_owned(), str::to_owned);
    let of = states[one].shard.map_or_else(String::new, |shard| format!(" ({})", shard.name()));
    let (start, end) = (first.start.max(second.start), first.end().min(second.end()));
    let what = match (start, end) {
        (0, u64::MAX) => object,
        (_, u64::MAX) => format!("the bytes from {start} on of {object}"),
        _ => format!("the bytes from {start} to {end} of {object}"),
    };
    let reason = format!(
        "{} holds what {} holds{of}: both have read {what}, and its records would be counted twice; leave one \
         of the two out, or write one of them again without it",
        states[one.max(other)].name(),
        states[one.min(other)].name(),
    );
    Error::Plan { reason }
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::plan::{self, InputFormat, Partitions, Plan, State};

    #[test]
    fn slices_of_one_object_merge_once_each() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        // Some records of 8 MiB, in slices of 64.
        let mut record = vec![b'a'; 8 << 20];
        record.push(b'\n');
        std::fs::write(&path, record.repeat(20)).unwrap();
        let plan = Plan::new("count", InputFormat::TEXT, [path.to_str().unwrap()]).unwrap();
        let parts: Vec<Partitions> = plan::list(&plan).unwrap().split();
        assert!(parts.len() > 2);
        let states: Vec<State> = parts.iter().map(|part| plan::run(&plan, part).unwrap()).collect();
        let merged = |of: &[&State]| {
            let states: Vec<State> = of.iter().copied().cloned().collect();
            plan::merge(&plan, &states)
        };
        let [one, other] = [&states[0], states.last().unwrap()];
        let ends = merged(&[other, one]).unwrap();
        let all: Vec<&State> = states.iter().collect();
        let whole = merged(&all).unwrap();
        assert_eq!(plan::finish(&plan, &whole).unwrap().iter().collect::<Vec<_>>(), ["20"]);
        let read_at_once = plan::run(&plan, &plan::list(&plan).unwrap()).unwrap();
        for (shared, says) in [
            ([one, one], "state 2 holds what state 1 holds: both have read the bytes from 0 to "),
            ([&ends, one], "both have read the bytes from 0 to "),
            ([other, &ends], "both have read the bytes from "),
            ([&whole, other], "both have read the bytes from "),
            ([one, &read_at_once], "both have read the bytes from 0 to "),
            ([&whole, &read_at_once], "large, and its records would be counted twice"),
        ] {
            let Err(Error::Plan { reason }) = merged(&shared) else { panic!("{says}") };
            assert!(reason.contains(says), "no {says:?} in: {reason}");
            assert!(reason.contains("large"), "{reason}");
        }
    }
}
