//! Records that can be counted: looked up while lent, stored once, when first seen.

use std::borrow::Cow;
use std::fmt::Debug;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};

use crate::table::{Table, TextTable};
use crate::{Spill, Value};

/// A record that can be looked up while it is lent, and is stored once, when it is first seen.
///
/// Text and bytes, lent or owned, integers, `bool`, `char`, addresses, times, and tuples and
/// options of them are keys. A type of your own becomes one by [`key!`](crate::key!). A lent form hashes as
/// the owned form does, which is what `Hash` of `&str` and `String` promise each other.
///
/// ```
/// use creel_operators::{Counts, Key};
///
/// let mut counts = Counts::default();
/// counts.add(("GET", 200_u16), 1);
/// counts.add(("GET", 200_u16), 1);
/// assert_eq!(counts.get((String::from("GET"), 200_u16)), 2);
/// assert!(("GET", 200_u16).matches(&(String::from("GET"), 200)));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be counted, for it is not a key",
    note = "for a type of your own that is Hash, Ord, Clone and Debug, write `creel_operators::key!(Type);`"
)]
pub trait Key: Hash + Value<Owned: Stored> {
    /// Whether this is the key that was stored.
    fn matches(&self, stored: &Self::Owned) -> bool {
        self.compare(stored).is_eq()
    }

    /// The form in which a table lends this key back, if it is at hand without storing the key.
    ///
    /// Text and bytes have it, so that a table can keep them without an allocation for each.
    fn as_lent(&self) -> Option<<Self::Owned as Stored>::Lent<'_>> {
        None
    }
}

/// A type that keys are stored as: `String` for `&str`.
///
/// It says which table counts its keys, and how the table lends them. [`key!`](crate::key!)
/// implements it for a type of your own. Keys that have a [form in bytes](Spill) are spilled where they outgrow
/// the memory of a run.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be kept as a key",
    note = "a key is owned, as `String` for `&str`; floats are none, as they have no equality that hashing could follow: count `n.to_bits()`, or `n` as text",
    note = "for a type of your own that is Hash, Ord, Clone and Debug, write `creel_operators::key!(Type);`"
)]
pub trait Stored: Spill + Value<Owned = Self> + Hash + Ord + Debug {
    /// A stored key, lent from its table: `&str` for `String`, `&Self` in general.
    type Lent<'a>: Copy + Ord + Debug;

    /// The table that counts these keys.
    type Table: Table<Self>;

    /// Lends a stored key.
    fn lend(&self) -> Self::Lent<'_>;

    /// Copies a lent key.
    fn from_lent(lent: Self::Lent<'_>) -> Self;
}

impl<T: Stored> Key for &T {
    fn matches(&self, stored: &T) -> bool {
        *self == stored
    }
    fn as_lent(&self) -> Option<T::Lent<'_>> {
        Some(self.lend())
    }
}

/// Text and bytes, whose table needs no allocation for a key.
macro_rules! text_key {
    ($($owned:ty, $slice:ty, $cow:ty;)*) => {$(
        impl Stored for $owned {
            type Lent<'a> = &'a $slice;
            type Table = TextTable<Self>;
            fn lend(&self) -> &$slice {
                self
            }
            fn from_lent(lent: &$slice) -> Self {
                lent.into()
            }
        }
        text_key! { @lent $owned, $slice; $owned; &$slice; $cow; }
    )*};
    (@lent $owned:ty, $slice:ty; $($lent:ty;)*) => {$(
        impl Key for $lent {
            fn matches(&self, stored: &$owned) -> bool {
                <$slice as PartialEq>::eq(self, stored)
            }
            fn as_lent(&self) -> Option<&$slice> {
                Some(self)
            }
        }
    )*};
}

text_key! {
    String, str, Cow<'_, str>;
    Vec<u8>, [u8], Cow<'_, [u8]>;
}

/// Makes types of your own keys, which can be counted, compared and ranked.
///
/// They have to be `Hash`, `Ord`, `Clone`, `Debug`, `Send`, `Sync` and `'static`. They have no form in bytes, so
/// they stay in memory: `key!(Level: Spill)` is for a type that implements [`Spill`](crate::Spill) by itself.
///
/// ```
/// use creel_operators::Counts;
///
/// #[derive(Debug, Clone, Hash, PartialEq, Eq, PartialOrd, Ord)]
/// enum Level {
///     Info,
///     Error,
/// }
/// creel_operators::key!(Level);
///
/// let counts: Counts<Level> = [Level::Error, Level::Info, Level::Error].into_iter().collect();
/// assert_eq!(counts.topk(1), [(Level::Error, 2)]);
/// ```
#[macro_export]
macro_rules! key {
    ($type:ty: Spill) => {
        $crate::whole_key!($type);
        $crate::stored_in_map!([] $type);
    };
    ($($type:ty),* $(,)?) => {$(
        $crate::in_memory!($type);
        $crate::key!($type: Spill);
    )*};
}

/// The part of [`key!`] that says how keys are compared.
#[doc(hidden)]
#[macro_export]
macro_rules! whole_key {
    ($type:ty) => {
        impl $crate::Value for $type {
            type Owned = Self;
            fn compare(&self, kept: &Self) -> ::std::cmp::Ordering {
                ::std::cmp::Ord::cmp(self, kept)
            }
            fn into_owned(self) -> Self {
                self
            }
        }
        impl $crate::Key for $type {
            fn matches(&self, stored: &Self) -> bool {
                self == stored
            }
        }
    };
}

/// The part of [`key!`] that generic types share with it.
#[doc(hidden)]
#[macro_export]
macro_rules! stored_in_map {
    ([$($param:ident),*] $type:ty) => {
        impl<$($param: $crate::Stored),*> $crate::Stored for $type {
            type Lent<'a> = &'a Self;
            type Table = $crate::table::Map<Self>;
            fn lend(&self) -> &Self {
                self
            }
            fn from_lent(lent: &Self) -> Self {
                ::std::clone::Clone::clone(lent)
            }
        }
    };
}

/// Keys that are stored as they are.
macro_rules! plain_keys {
    ($($type:ty)*) => {$(
        whole_key!($type);
        stored_in_map!([] $type);
    )*};
}

plain_keys! {
    () u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize
    bool char Ipv4Addr Ipv6Addr IpAddr Duration SystemTime Vec<String>
}

impl Key for Vec<&str> {}

impl<T: Key> Key for Option<T> {}
stored_in_map!([T] Option<T>);

macro_rules! tuple_key {
    ($($name:ident $index:tt),*) => {
        impl<$($name: Key),*> Key for ($($name,)*) {
            fn matches(&self, stored: &Self::Owned) -> bool {
                $(self.$index.matches(&stored.$index))&&*
            }
        }
        stored_in_map!([$($name),*] ($($name,)*));
    };
}

tuple_key! { A 0, B 1 }
tuple_key! { A 0, B 1, C 2 }
tuple_key! { A 0, B 1, C 2, D 3 }

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::BuildHasher;

    use proptest::prelude::*;

    /// A key finds itself once it is stored, and nothing else.
    fn found<Q: Key + Clone>(key: &Q, other: &Q) -> bool {
        let hashes = foldhash::fast::FixedState::default();
        let stored = key.clone().into_owned();
        let stays = stored.clone().into_owned() == stored && stored.compare(&stored).is_eq();
        let equal = other.clone().into_owned() == stored;
        stays
            && hashes.hash_one(key) == hashes.hash_one(&stored)
            && key.matches(&stored)
            && key.compare(&stored).is_eq()
            && other.matches(&stored) == equal
            && other.compare(&stored) == other.clone().into_owned().cmp(&stored)
            && key.as_lent().is_none_or(|lent| Q::Owned::from_lent(lent) == stored)
    }

    proptest! {
        #[test]
        fn lent_keys_hash_and_compare_as_stored_ones(
            (a, b) in ("[ab]{0,2}", "[ab]{0,2}"),
            (m, n) in (0..3_u8, 0..3_u8),
        ) {
            let (s, t) = (a.as_str(), b.as_str());
            prop_assert!(found(&s, &t));
            prop_assert!(found(&a, &b));
            prop_assert!(found(&&a, &&b));
            prop_assert!(found(&Cow::Borrowed(s), &Cow::Owned(b.clone())));
            prop_assert!(found(&s.as_bytes(), &t.as_bytes()));
            prop_assert!(found(&m, &n));
            prop_assert!(found(&(s, m), &(t, n)));
            prop_assert!(found(&(m, s, a.as_bytes()), &(n, t, b.as_bytes())));
            prop_assert!(found(&(m, (s, ()), m > 1, 'c'), &(n, (t, ()), n > 1, 'c')));
            prop_assert!(found(&(m > 0).then_some(s), &(n > 0).then_some(t)));
            prop_assert!(found(&vec![s; m.into()], &vec![t; n.into()]));
        }
    }

    #[derive(Debug, Clone, Hash, PartialEq, Eq, PartialOrd, Ord)]
    struct Seat(u32);
    crate::key!(Seat);

    #[test]
    fn whether_states_have_a_form_does_not_depend_on_what_they_have_seen() {
        use crate::{Combiner, Feed, Frequencies};

        let mut state = Default::default();
        let combiner = Frequencies::<Option<Seat>>::new();
        assert!(!combiner.save(&state, &mut Vec::new()));
        Feed::<Option<Seat>>::feed(&combiner, &mut state, None);
        assert!(!combiner.save(&state, &mut Vec::new()));
        const { assert!(<(u8, Option<String>)>::HAS_FORM && !<(u8, Seat)>::HAS_FORM) };
    }
}
