//! Where in the input something happened.

use std::fmt;

use super::{Shown, concealed_url};

/// Where in the input something happened.
///
/// Offsets count bytes of the decompressed object, from 0; for an object that is not compressed
/// they are offsets in the object itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The object, as a user would write it: a path or a URL without credentials or query.
    pub object: String,
    /// The partition, counted from 0, where one is known.
    pub partition: Option<usize>,
    /// The byte offset, where one is known.
    pub offset: Option<u64>,
}

impl Place {
    /// An object as a whole.
    pub fn object(name: impl Into<String>) -> Self {
        Self { object: concealed_url(&name.into()), partition: None, offset: None }
    }

    /// The place as a message names it.
    pub(super) fn shown(&self) -> Shown {
        let Self { object, partition, offset } = self;
        let behind = Self { object: String::new(), partition: *partition, offset: *offset };
        Shown::name(object).and(Shown::new(behind))
    }

    /// The same place, in this partition.
    pub fn partition(self, partition: usize) -> Self {
        Self { partition: Some(partition), ..self }
    }

    /// The same place, at this byte.
    pub fn at(self, offset: u64) -> Self {
        Self { offset: Some(offset), ..self }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Shown::name(&self.object))?;
        match (self.partition, self.offset) {
            (Some(p), Some(o)) => write!(f, " (partition {p}, byte {o})"),
            (None, Some(o)) => write!(f, " (byte {o})"),
            (Some(p), None) => write!(f, " (partition {p})"),
            (None, None) => Ok(()),
        }
    }
}
