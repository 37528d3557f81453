//! Refuses computations that other processes cannot do, and says why.

use std::fmt::Write as _;

use crate::bag::item::Work;
use crate::bag::origin::Origin;
use crate::bag::verbs::Verb;
use crate::graph::Step;
use crate::{Error, Result};

/// Fails for work that no other process can do.
pub(super) fn goes(work: &Work) -> Result<()> {
    let reduced = match work {
        Work::Alone(alone) if alone.blocksize.is_none() => return Ok(()),
        Work::Alone(alone) => {
            let what = format!("`{}`", alone.operation);
            return Err(stays(&what, "it ends the reading as soon as it has its records"));
        }
        Work::Task(_) => return Ok(()),
        Work::Reduce(reduced) => reduced,
    };
    let mut origin = &reduced.base.origin;
    loop {
        let what = || reduced.base.steps.first().map_or_else(String::new, called);
        origin = match origin {
            Origin::Text(_) => return Ok(()),
            Origin::Memory(_) => {
                return Err(stays(&what(), "its records are in the memory of this process"));
            }
            Origin::Tasks(tasks) => match tasks.phase.as_deref() {
                Some(phase) => match phase.reduced() {
                    Some(reduced) => &reduced.base.origin,
                    None => return Ok(()),
                },
                None => return Err(stays(&what(), "its records are of tasks of this process")),
            },
        };
    }
}

pub(super) fn stays(what: &str, why: &str) -> Error {
    let reason =
        format!("{what} cannot be computed on a cluster: {why}; compute it without a scheduler");
    Error::Plan { reason }
}

/// The error for a step that has something of this process.
pub(super) fn holds(verb: &Verb) -> Error {
    let why = match &*verb.step.what {
        "combine" => {
            "its combiner has fields, or functions that have captured a local value; where the fields are numbers, \
             have it give them (`Combiner::parameters`) and say that nothing is captured (`Combiner::captured`)"
        }
        _ => {
            "its function has captured a local value, or is a pointer to a function; make the value a constant, or \
             hand it over as an argument, by `map_with`, `filter_with`, `flat_map_with` or `lend_with` of \
             `creel::delayed(value)`"
        }
    };
    let reason = format!(
        "{} holds {} bytes of this process, which workers do not have: {why}",
        called(&verb.step),
        verb.code.held
    );
    Error::Plan { reason }
}

/// A step and its place in the program.
pub(super) fn called(step: &Step) -> String {
    let mut named = format!("`{}`", step.what);
    if let Some(at) = step.at {
        let _ = write!(named, " ({at})");
    }
    named
}

pub(super) fn unknown_form(what: &str, name: &str) -> Error {
    let within = |name: &'_ str, of: &str| -> Option<String> {
        Some(name.strip_prefix(of)?.strip_suffix('>')?.to_owned())
    };
    // That of a type is that of these of it too.
    let of = ["alloc::vec::Vec<", "core::option::Option<"].iter().find_map(|of| within(name, of));
    let record = of.as_deref().unwrap_or(name);
    let reason = format!(
        "{what} `{record}`, of which creel knows no form in bytes, so it cannot go to another process; implement \
         `creel::operators::Spill` for it with `HAS_FORM`, and call `creel::worker::form::<{record}>()` in `main`"
    );
    Error::Plan { reason }
}
