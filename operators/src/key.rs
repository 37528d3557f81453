//! Records that can be counted: looked up while lent, stored once, when first seen.

use std::borrow::Cow;
use std::fmt::Debug;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Value;
use crate::table::{Table, TextTable, saved};

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
/// implements it for a type of your own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be kept as a key",
    note = "a key is owned, as `String` for `&str`; floats are none, as they have no equality that hashing could follow: count `n.to_bits()`, or `n` as text",
    note = "for a type of your own that is Hash, Ord, Clone and Debug, write `creel_operators::key!(Type);`"
)]
pub trait Stored: Value<Owned = Self> + Hash + Ord + Clone + Debug + Send + Sync + 'static {
    /// A stored key, lent from its table: `&str` for `String`, `&Self` in general.
    type Lent<'a>: Copy + Ord + Debug;

    /// The table that counts these keys.
    type Table: Table<Self>;

    /// True if keys of this type have a form in bytes: [`save`](Self::save) appends all of them, or none.
    const HAS_FORM: bool = false;

    /// Lends a stored key.
    fn lend(&self) -> Self::Lent<'_>;

    /// Copies a lent key.
    fn from_lent(lent: Self::Lent<'_>) -> Self;

    /// Appends a key to bytes, for [`load`](Self::load). `false` if keys of this type
    /// [have no form](Self::HAS_FORM) in bytes, as those of [`key!`](crate::key!); some may have been appended
    /// then.
    ///
    /// ```
    /// use creel_operators::Stored;
    ///
    /// let (mut bytes, key) = (Vec::new(), (String::from("cod"), Some(-3_i32)));
    /// assert!(key.save(&mut bytes));
    /// assert_eq!(Stored::load(&mut &bytes[..]), Some(key));
    /// ```
    fn save(&self, _bytes: &mut Vec<u8>) -> bool {
        false
    }

    /// Takes a key off the front of bytes; `None` if none was saved as these.
    fn load(_bytes: &mut &[u8]) -> Option<Self> {
        None
    }

    /// [Saves](Self::save) keys one behind the other. Integers do so many at a time.
    #[doc(hidden)]
    fn save_all(keys: &[Self], bytes: &mut Vec<u8>) -> bool {
        keys.iter().all(|key| key.save(bytes))
    }

    /// [Loads](Self::load) so many keys; `None` if there are fewer.
    #[doc(hidden)]
    fn load_all(bytes: &mut &[u8], keys: usize, mut each: impl FnMut(Self)) -> Option<()> {
        (0..keys).try_for_each(|_| Self::load(bytes).map(&mut each))
    }
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
    ($($owned:ty, $slice:ty, $cow:ty, $from:expr;)*) => {$(
        impl Stored for $owned {
            type Lent<'a> = &'a $slice;
            type Table = TextTable<Self>;
            const HAS_FORM: bool = true;
            fn lend(&self) -> &$slice {
                self
            }
            fn from_lent(lent: &$slice) -> Self {
                lent.into()
            }
            fn save(&self, bytes: &mut Vec<u8>) -> bool {
                saved::put_bytes(bytes, self.as_ref());
                true
            }
            fn load(bytes: &mut &[u8]) -> Option<Self> {
                let key = saved::take_bytes(bytes)?.to_vec();
                $from(key)
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
    String, str, Cow<'_, str>, |key| Self::from_utf8(key).ok();
    Vec<u8>, [u8], Cow<'_, [u8]>, Some;
}

/// Makes types of your own keys, which can be counted, compared and ranked.
///
/// They have to be `Hash`, `Ord`, `Clone`, `Debug`, `Send`, `Sync` and `'static`.
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
    ($($type:ty),* $(,)?) => {$(
        $crate::whole_key!($type);
        $crate::stored_in_map!([] $type);
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
    ([$($param:ident),*] $type:ty $(; $($bytes:tt)*)?) => {
        impl<$($param: $crate::Stored),*> $crate::Stored for $type {
            type Lent<'a> = &'a Self;
            type Table = $crate::table::Map<Self>;
            fn lend(&self) -> &Self {
                self
            }
            fn from_lent(lent: &Self) -> Self {
                ::std::clone::Clone::clone(lent)
            }
            $($($bytes)*)?
        }
    };
}

/// Keys that are stored as they are, with their form in bytes.
macro_rules! plain_key {
    ($($type:ty: $save:expr, $load:expr;)*) => {$(
        whole_key!($type);
        stored_in_map!([] $type;
            const HAS_FORM: bool = true;
            fn save(&self, bytes: &mut Vec<u8>) -> bool {
                let save: fn(&Self, &mut Vec<u8>) -> bool = $save;
                save(self, bytes)
            }
            fn load(bytes: &mut &[u8]) -> Option<Self> {
                let load: fn(&mut &[u8]) -> Option<Self> = $load;
                load(bytes)
            }
        );
    )*};
}

/// Integers, of as many bytes as they have.
macro_rules! integer_key {
    ($($type:ty)*) => {$(
        whole_key!($type);
        stored_in_map!([] $type;
            const HAS_FORM: bool = true;
            fn save(&self, bytes: &mut Vec<u8>) -> bool {
                bytes.extend(self.to_le_bytes());
                true
            }
            fn load(bytes: &mut &[u8]) -> Option<Self> {
                let (n, rest) = bytes.split_first_chunk()?;
                *bytes = rest;
                Some(Self::from_le_bytes(*n))
            }
            fn save_all(keys: &[Self], bytes: &mut Vec<u8>) -> bool {
                let start = bytes.len();
                bytes.resize(start + size_of_val(keys), 0);
                let (saved, _) = bytes[start..].as_chunks_mut();
                saved.iter_mut().zip(keys).for_each(|(saved, key)| *saved = key.to_le_bytes());
                true
            }
            fn load_all(bytes: &mut &[u8], keys: usize, mut each: impl FnMut(Self)) -> Option<()> {
                let (saved, rest) = bytes.split_at_checked(keys.checked_mul(size_of::<Self>())?)?;
                *bytes = rest;
                saved.as_chunks().0.iter().for_each(|saved| each(Self::from_le_bytes(*saved)));
                Some(())
            }
        );
    )*};
}

integer_key! { u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize }

plain_key! {
    bool: |key, bytes| u8::from(*key).save(bytes), |bytes| match u8::load(bytes)? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    };
    char: |key, bytes| u32::from(*key).save(bytes), |bytes| Self::from_u32(u32::load(bytes)?);
    (): |_, _| true, |_| Some(());
    Ipv4Addr: |key, bytes| key.to_bits().save(bytes), |bytes| u32::load(bytes).map(Self::from_bits);
    Ipv6Addr: |key, bytes| key.to_bits().save(bytes), |bytes| u128::load(bytes).map(Self::from_bits);
    IpAddr: |key, bytes| match key {
        IpAddr::V4(address) => (false, *address).save(bytes),
        IpAddr::V6(address) => (true, *address).save(bytes),
    }, |bytes| match bool::load(bytes)? {
        false => Ipv4Addr::load(bytes).map(IpAddr::V4),
        true => Ipv6Addr::load(bytes).map(IpAddr::V6),
    };
    Duration: |key, bytes| (key.as_secs(), key.subsec_nanos()).save(bytes), |bytes| {
        let (seconds, nanos) = <(u64, u32)>::load(bytes)?;
        (nanos < 1_000_000_000).then(|| Duration::new(seconds, nanos))
    };
    SystemTime: |key, bytes| match key.duration_since(UNIX_EPOCH) {
        Ok(since) => (false, since).save(bytes),
        Err(before) => (true, before.duration()).save(bytes),
    }, |bytes| match <(bool, Duration)>::load(bytes)? {
        (false, since) => UNIX_EPOCH.checked_add(since),
        (true, before) => UNIX_EPOCH.checked_sub(before),
    };
    Vec<String>: |key, bytes| {
        saved::put(bytes, key.len() as u64);
        key.iter().all(|text| text.save(bytes))
    }, |bytes| {
        let len = saved::take(bytes)?;
        (0..len).map(|_| String::load(bytes)).collect()
    };
}

impl Key for Vec<&str> {}

impl<T: Key> Key for Option<T> {}
stored_in_map!([T] Option<T>;
    const HAS_FORM: bool = T::HAS_FORM;
    fn save(&self, bytes: &mut Vec<u8>) -> bool {
        self.is_some().save(bytes);
        self.as_ref().is_none_or(|key| key.save(bytes))
    }
    fn load(bytes: &mut &[u8]) -> Option<Self> {
        if bool::load(bytes)? { T::load(bytes).map(Some) } else { Some(None) }
    }
);

macro_rules! tuple_key {
    ($($name:ident $index:tt),*) => {
        impl<$($name: Key),*> Key for ($($name,)*) {
            fn matches(&self, stored: &Self::Owned) -> bool {
                $(self.$index.matches(&stored.$index))&&*
            }
        }
        stored_in_map!([$($name),*] ($($name,)*);
            const HAS_FORM: bool = $($name::HAS_FORM)&&*;
            fn save(&self, bytes: &mut Vec<u8>) -> bool {
                $(self.$index.save(bytes))&&*
            }
            fn load(bytes: &mut &[u8]) -> Option<Self> {
                Some(($($name::load(bytes)?,)*))
            }
        );
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

    /// A key that is saved is loaded, and nothing but its bytes is taken.
    fn read_back<K: Stored>(key: &K) -> bool {
        let mut bytes = Vec::new();
        let saved = key.save(&mut bytes);
        bytes.push(7);
        let mut rest = &bytes[..];
        saved && K::load(&mut rest).as_ref() == Some(key) && rest == [7]
    }

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
            && read_back(&stored)
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

        #[test]
        fn addresses_and_times_are_loaded_as_they_were_saved(bits: u128, seconds: u32, nanos in 0..1_000_000_000_u32) {
            let span = Duration::new(seconds.into(), nanos);
            prop_assert!(read_back(&IpAddr::V6(Ipv6Addr::from_bits(bits))));
            prop_assert!(read_back(&IpAddr::V4(Ipv4Addr::from_bits(seconds))));
            prop_assert!(read_back(&span));
            prop_assert!(read_back(&(UNIX_EPOCH + span)) && read_back(&(UNIX_EPOCH - span)));
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
