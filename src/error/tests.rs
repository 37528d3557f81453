//! Messages: what they name, what they repeat, and what they let through to a terminal.

use std::error::Error as StdError;
use std::{fmt, io};

use super::{Error, Place, snippet};

/// An error with one behind it that its message does not tell.
#[derive(Debug)]
struct Behind(io::Error);

impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no config")
    }
}

impl StdError for Behind {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn a_chain_of_causes_says_each_once() {
    let cause = || Behind(io::Error::other("disk on fire"));
    let task = Error::task(cause()).in_task(|| ("load".into(), "load".into()));
    let disk = Error::io(Place::object("x"), io::Error::other(cause()));
    for (error, first) in [(task, "the task load failed: no config"), (disk, "x: no config")] {
        let chain = std::iter::successors(Some(&error as &dyn StdError), |&e| e.source());
        let said: Vec<String> = chain.map(ToString::to_string).collect();
        assert_eq!(said, [first, "disk on fire"]);
    }
}

#[test]
fn a_place_names_partition_and_byte() {
    let place = Place::object("s3://b/k").partition(3).at(17);
    assert_eq!(place.to_string(), "s3://b/k (partition 3, byte 17)");
}

#[test]
fn nothing_from_the_input_reaches_a_terminal_raw() {
    assert_eq!(snippet(b"a\x1b[31m\xff\0\n"), "a\\x1b[31m\\xff\\x00\\n");
    assert_eq!(snippet("\u{9b}31m é".as_bytes()), "\\u{9b}31m é");
    assert_eq!(Place::object("a\x07b").to_string(), "a\\x07b");
    for c in
        "\u{61c}\u{200b}\u{200e}\u{200f}\u{2028}\u{202a}\u{202e}\u{2066}\u{2069}\u{feff}\u{e0041}"
            .chars()
    {
        assert_eq!(
            Place::object(format!("a{c}b")).to_string(),
            format!("a{}b", c.escape_unicode())
        );
    }
    let joined = "می\u{200c}خواهم 👩\u{200d}🔬 אבג";
    assert_eq!(Place::object(joined).to_string(), joined);
}

#[test]
fn our_error_survives_the_way_through_io() {
    let inner = Error::Changed { place: Place::object("x") };
    let out = Error::io(Place::object("y"), inner.into());
    assert!(matches!(out, Error::Changed { place } if place.object == "x"));
}
