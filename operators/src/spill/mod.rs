//! Records that a run may write to its temporary file: the trait, and how a type stays in memory.

mod forms;

use std::ops::Deref;

use crate::table::saved;

/// A type whose records may have a form in bytes, in which a run writes them to its temporary file.
///
/// Text, bytes, numbers, `bool`, `char`, addresses, times, and vectors, arrays, tuples, options, maps and sets of
/// them have a form. `&'static str` and slices are `Spill` too, but have none: they stay in memory. So do types
/// of your own for which [`in_memory!`](crate::in_memory!) or [`key!`](crate::key!) was written. A type gets a form
/// by an implementation of its own:
///
/// ```
/// use creel_operators::Spill;
///
/// #[derive(Debug, Clone, PartialEq)]
/// struct Reading {
///     station: String,
///     degrees: f64,
/// }
///
/// impl Spill for Reading {
///     const HAS_FORM: bool = true;
///     fn save(&self, bytes: &mut Vec<u8>) -> bool {
///         self.station.save(bytes) && self.degrees.save(bytes)
///     }
///     fn load(bytes: &mut &[u8]) -> Option<Self> {
///         let (station, degrees) = Spill::load(bytes)?;
///         Some(Self { station, degrees })
///     }
///     fn heap_size(&self) -> usize {
///         self.station.heap_size()
///     }
/// }
///
/// let (mut bytes, reading) = (Vec::new(), Reading { station: "Hornsea".into(), degrees: 7.5 });
/// assert!(reading.save(&mut bytes));
/// assert_eq!(Spill::load(&mut &bytes[..]), Some(reading));
/// ```
#[diagnostic::on_unimplemented(
    message = "records that are `{Self}` cannot be sorted or made distinct: write `creel::operators::in_memory!({Self});`",
    label = "`{Self}` is not `Spill`",
    note = "for a type of your own that is Clone, Send and Sync, write `creel::operators::in_memory!(Type);`: its records stay in memory",
    note = "for a type of another crate, have `map(creel::operators::InMemory)` wrap it",
    note = "to let them go to a file when they outgrow the memory of the run, implement `creel::operators::Spill`"
)]
pub trait Spill: Clone + Send + Sync + 'static {
    /// True if records of this type have a form in bytes: [`save`](Self::save) is true for each of them, and if
    /// they have none, it is true for none.
    const HAS_FORM: bool;

    /// Appends a record to bytes, one byte at least, for [`load`](Self::load). `false` if records of this type
    /// [have no form](Self::HAS_FORM) in bytes; some bytes may have been appended then.
    ///
    /// ```
    /// use creel_operators::Spill;
    ///
    /// let (mut bytes, record) = (Vec::new(), (String::from("cod"), Some(-3_i32), 0.5));
    /// assert!(record.save(&mut bytes));
    /// assert_eq!(Spill::load(&mut &bytes[..]), Some(record));
    /// ```
    fn save(&self, bytes: &mut Vec<u8>) -> bool;

    /// Takes a record off the front of bytes; `None` if none was saved as these.
    fn load(bytes: &mut &[u8]) -> Option<Self>;

    /// The bytes of memory that a record points to, about, with what the allocator needs for them. A run
    /// counts them as part of its memory.
    ///
    /// ```
    /// use creel_operators::Spill;
    ///
    /// assert_eq!(7_u64.heap_size(), 0);
    /// assert!("x".repeat(1000).heap_size() >= 1000);
    /// ```
    fn heap_size(&self) -> usize;

    /// [Saves](Self::save) records one behind the other. Integers do so many at a time.
    #[doc(hidden)]
    fn save_all(records: &[Self], bytes: &mut Vec<u8>) -> bool {
        records.iter().all(|record| record.save(bytes))
    }

    /// [Loads](Self::load) so many records; `None` if there are fewer.
    #[doc(hidden)]
    fn load_all(bytes: &mut &[u8], records: usize, mut each: impl FnMut(Self)) -> Option<()> {
        (0..records).try_for_each(|_| Self::load(bytes).map(&mut each))
    }
}

/// Lets records of types of your own stay in memory, wherever records have to be [`Spill`]. A run that has no
/// room for them is refused.
///
/// The types have to be `Clone`, `Send`, `Sync` and `'static`. Those for which [`key!`](crate::key!) was
/// written are `Spill` already. What a record points to is not counted as memory of the run.
///
/// ```
/// use creel_operators::Spill;
///
/// #[derive(Clone)]
/// struct Position {
///     degrees: (f64, f64),
/// }
/// creel_operators::in_memory!(Position);
///
/// assert!(!Position { degrees: (53.9, -0.2) }.save(&mut Vec::new()));
/// ```
#[macro_export]
macro_rules! in_memory {
    ($($type:ty),* $(,)?) => {$(
        $crate::generic_in_memory!([] $type);
    )*};
}

/// The part of [`in_memory!`] that generic types share with it.
#[doc(hidden)]
#[macro_export]
macro_rules! generic_in_memory {
    ($([$($generics:tt)*] $type:ty),* $(,)?) => {$(
        impl<$($generics)*> $crate::Spill for $type {
            const HAS_FORM: bool = false;

            fn save(&self, _: &mut ::std::vec::Vec<u8>) -> bool {
                false
            }

            fn load(_: &mut &[u8]) -> ::std::option::Option<Self> {
                None
            }

            fn heap_size(&self) -> usize {
                0
            }
        }
    )*};
}

/// Appends lent text or bytes as a [`String`] or a `Vec<u8>` of them is [saved](Spill::save).
///
/// ```
/// use creel_operators::{Spill, save_bytes};
///
/// let mut bytes = Vec::new();
/// save_bytes(b"cod", &mut bytes);
/// assert_eq!(String::load(&mut &bytes[..]), Some("cod".to_owned()));
/// ```
pub fn save_bytes(record: &[u8], bytes: &mut Vec<u8>) {
    saved::put_bytes(bytes, record);
}

/// A record of a type of another crate, which stays in memory wherever records have to be [`Spill`].
///
/// ```
/// use creel_operators::{InMemory, Spill};
///
/// #[derive(Clone)]
/// struct OfAnotherCrate;
/// assert!(!InMemory(OfAnotherCrate).save(&mut Vec::new()));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InMemory<T>(pub T);

generic_in_memory! { [T: Clone + Send + Sync + 'static] InMemory<T> }

impl<T> Deref for InMemory<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
