//! Parts of a checked value: a path into it, its members, its length.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

use super::scan::Cursor;
use super::{rank, unescape};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A member of an object.
    Key(Box<str>),
    /// An element of an array, from its end if negative.
    Index(i64),
}

impl Step {
    /// What is wrong with taking this step into a value.
    pub(crate) fn refused(&self) -> &'static str {
        match self {
            Self::Key(_) => "a field is taken of a value that is no object",
            Self::Index(_) => "an element is taken of a value that is no array",
        }
    }

    /// Whether a value is of a type that the step can be taken into; into null all can.
    pub(crate) fn suits(&self, raw: &str) -> bool {
        matches!((self, rank(raw)), (_, 0) | (Self::Key(_), 6) | (Self::Index(_), 5))
    }
}

/// The part of a checked value that a path leads to, an empty range where there is none; or which step
/// cannot be taken.
pub(crate) fn find<'p>(
    text: &str,
    value: Range<usize>,
    path: impl IntoIterator<Item = &'p Step>,
) -> Result<Range<usize>, usize> {
    let mut value = value;
    for (n, step) in path.into_iter().enumerate() {
        let raw = &text[value.clone()];
        if !step.suits(raw) {
            return Err(n);
        }
        let missing = value.start..value.start;
        value = match step {
            Step::Key(name) => member(text, value, name),
            Step::Index(index) => element(text, value, *index),
        }
        .unwrap_or(missing);
    }
    Ok(value)
}

fn member(text: &str, value: Range<usize>, name: &str) -> Option<Range<usize>> {
    let mut found = None;
    let mut cursor = Cursor { bytes: &text.as_bytes()[..value.end], at: value.start };
    if rank(&text[value]) == 6 {
        // It was checked before; and of equal keys the last wins.
        let _ = cursor.object(0, |member| {
            if member.is(text, name) {
                found = Some(member.value);
            }
        });
    }
    found
}

fn element(text: &str, value: Range<usize>, index: i64) -> Option<Range<usize>> {
    if rank(&text[value.clone()]) != 5 {
        return None;
    }
    let index = match usize::try_from(index) {
        Ok(index) => index,
        Err(_) => count_elements(text, value.clone()).checked_add_signed(index as isize)?,
    };
    let (mut found, mut n) = (None, 0);
    let mut cursor = Cursor { bytes: &text.as_bytes()[..value.end], at: value.start };
    let _ = cursor.array(0, |element| {
        if n == index {
            found = Some(element);
        }
        n += 1;
    });
    found
}

fn count_elements(text: &str, value: Range<usize>) -> usize {
    let mut count = 0;
    let mut cursor = Cursor { bytes: &text.as_bytes()[..value.end], at: value.start };
    let _ = cursor.array(0, |_| count += 1);
    count
}

/// How many different keys an object has.
fn count_keys(text: &str, value: Range<usize>) -> usize {
    // Of most objects the keys are few, and told apart without an allocation.
    let mut keys = [""; 32];
    let (mut count, mut many) = (0, false);
    let mut cursor = Cursor { bytes: &text.as_bytes()[..value.end], at: value.start };
    let _ = cursor.object(0, |member| {
        let key = &text[member.key.clone()];
        many |= member.escaped;
        if !many && !keys[..count].contains(&key) {
            match keys.get_mut(count) {
                Some(free) => (*free, count) = (key, count + 1),
                None => many = true,
            }
        }
    });
    if many { entries(text, value).len() } else { count }
}

/// The members of a checked object, each key once: where it came first, with the value it had last.
pub(super) fn entries(text: &str, value: Range<usize>) -> Vec<(Cow<'_, str>, Range<usize>)> {
    let mut entries: Vec<(Cow<'_, str>, Range<usize>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    let mut cursor = Cursor { bytes: &text.as_bytes()[..value.end], at: value.start };
    let _ = cursor.object(0, |member| {
        let mut key = Cow::Borrowed(&text[member.key.clone()]);
        if member.escaped {
            let mut read = String::new();
            unescape(&key, &mut read);
            key = Cow::Owned(read);
        }
        let place = *places.entry(key.clone()).or_insert(entries.len());
        match entries.get_mut(place) {
            Some(entry) => entry.1 = member.value,
            None => entries.push((key, member.value)),
        }
    });
    entries
}

/// Replaces `members` by what `.[]` gives of a checked value: the elements of an array, the values of an object;
/// false, and none, of any other.
pub(crate) fn members(text: &str, value: Range<usize>, members: &mut Vec<Range<usize>>) -> bool {
    members.clear();
    match rank(&text[value.clone()]) {
        5 => {
            let mut cursor = Cursor { bytes: &text.as_bytes()[..value.end], at: value.start };
            let _ = cursor.array(0, |element| members.push(element));
        }
        6 => members.extend(entries(text, value).into_iter().map(|(_, value)| value)),
        _ => return false,
    }
    true
}

/// Appends the `length` of a checked value, as JSON; `false` if it has none.
pub(crate) fn length(text: &str, value: Range<usize>, out: &mut String) -> bool {
    let raw = &text[value.clone()];
    let length = match rank(raw) {
        0 => 0,
        3 => {
            out.push_str(raw.trim_start_matches('-'));
            return true;
        }
        4 => {
            let end = out.len();
            unescape(&raw[1..raw.len() - 1], out);
            let length = out[end..].chars().count();
            out.truncate(end);
            length
        }
        5 => count_elements(text, value),
        6 => count_keys(text, value),
        _ => return false,
    };
    write!(out, "{length}").is_ok()
}
