//! The forms of types of the standard library.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::ffi::OsString;
use std::hash::{BuildHasher, Hash};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Spill, save_bytes};
use crate::table::saved;

/// Bytes on the heap, with what the allocator needs for them.
#[inline]
fn allocated(bytes: usize) -> usize {
    /// The mean overhead of an allocation: the allocator's own bytes, and rounding.
    const OVERHEAD: usize = 16;
    if bytes == 0 { 0 } else { bytes + OVERHEAD }
}

// References, and what is rarely a record.
crate::in_memory! { &'static str, PathBuf, OsString }
crate::generic_in_memory! {
    [T: Sync] &'static [T],
    [T: Spill, E: Spill] Result<T, E>,
}

/// Collections of records, as a number and the records.
macro_rules! collections {
    ($($collection:ty: [$($bounds:tt)*], $record:ty, $save:expr, $heap:expr;)*) => {$(
        impl<$($bounds)*> Spill for $collection {
            const HAS_FORM: bool = <$record>::HAS_FORM;

            fn save(&self, bytes: &mut Vec<u8>) -> bool {
                saved::put(bytes, self.len() as u64);
                self.iter().all(|record| $save(record, bytes))
            }

            fn load(bytes: &mut &[u8]) -> Option<Self> {
                let len = usize::try_from(saved::take(bytes)?).ok()?;
                (0..len).map(|_| <$record>::load(bytes)).collect()
            }

            fn heap_size(&self) -> usize {
                allocated(self.len() * size_of::<$record>()) + self.iter().map($heap).sum::<usize>()
            }
        }
    )*};
}

collections! {
    BTreeMap<K, V>: [K: Spill + Ord, V: Spill], (K, V),
        |(key, value): (&K, &V), bytes: &mut _| key.save(bytes) && value.save(bytes),
        |(key, value)| key.heap_size() + value.heap_size();
    VecDeque<T>: [T: Spill], T, |record: &T, bytes: &mut _| record.save(bytes), T::heap_size;
    BTreeSet<T>: [T: Spill + Ord], T, |record: &T, bytes: &mut _| record.save(bytes), T::heap_size;
    HashMap<K, V, S>: [K: Spill + Eq + Hash, V: Spill, S: BuildHasher + Default + Clone + Send + Sync + 'static], (K, V),
        |(key, value): (&K, &V), bytes: &mut _| key.save(bytes) && value.save(bytes),
        |(key, value)| key.heap_size() + value.heap_size();
    HashSet<T, S>: [T: Spill + Eq + Hash, S: BuildHasher + Default + Clone + Send + Sync + 'static], T,
        |record: &T, bytes: &mut _| record.save(bytes), T::heap_size;
}

impl Spill for String {
    const HAS_FORM: bool = true;

    fn save(&self, bytes: &mut Vec<u8>) -> bool {
        save_bytes(self.as_bytes(), bytes);
        true
    }

    fn load(bytes: &mut &[u8]) -> Option<Self> {
        std::str::from_utf8(saved::take_bytes(bytes)?).ok().map(str::to_owned)
    }

    #[inline]
    fn heap_size(&self) -> usize {
        allocated(self.capacity())
    }
}

/// Owned forms of text, which are saved as text is.
macro_rules! text {
    ($($type:ty)*) => {$(
        impl Spill for $type {
            const HAS_FORM: bool = true;

            fn save(&self, bytes: &mut Vec<u8>) -> bool {
                save_bytes(self.as_bytes(), bytes);
                true
            }

            fn load(bytes: &mut &[u8]) -> Option<Self> {
                String::load(bytes).map(Self::from)
            }

            fn heap_size(&self) -> usize {
                allocated(self.len())
            }
        }
    )*};
}

text! { Box<str> Arc<str> Cow<'static, str> }

/// Integers, of as many bytes as they have.
macro_rules! integers {
    ($($type:ty)*) => {$(
        impl Spill for $type {
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

            fn heap_size(&self) -> usize {
                0
            }

            fn save_all(records: &[Self], bytes: &mut Vec<u8>) -> bool {
                let start = bytes.len();
                bytes.resize(start + size_of_val(records), 0);
                let (saved, _) = bytes[start..].as_chunks_mut();
                saved.iter_mut().zip(records).for_each(|(saved, n)| *saved = n.to_le_bytes());
                true
            }

            fn load_all(bytes: &mut &[u8], records: usize, mut each: impl FnMut(Self)) -> Option<()> {
                let (saved, rest) =
                    bytes.split_at_checked(records.checked_mul(size_of::<Self>())?)?;
                *bytes = rest;
                saved.as_chunks().0.iter().for_each(|saved| each(Self::from_le_bytes(*saved)));
                Some(())
            }
        }
    )*};
}

integers! { u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize }

/// Types of a fixed size, by how they are saved and loaded.
macro_rules! plain {
    ($($type:ty: $save:expr, $load:expr;)*) => {$(
        impl Spill for $type {
            const HAS_FORM: bool = true;

            fn save(&self, bytes: &mut Vec<u8>) -> bool {
                let save: fn(&Self, &mut Vec<u8>) -> bool = $save;
                save(self, bytes)
            }

            fn load(bytes: &mut &[u8]) -> Option<Self> {
                let load: fn(&mut &[u8]) -> Option<Self> = $load;
                load(bytes)
            }

            fn heap_size(&self) -> usize {
                0
            }
        }
    )*};
}

plain! {
    f32: |n, bytes| n.to_bits().save(bytes), |bytes| u32::load(bytes).map(Self::from_bits);
    f64: |n, bytes| n.to_bits().save(bytes), |bytes| u64::load(bytes).map(Self::from_bits);
    bool: |is, bytes| u8::from(*is).save(bytes), |bytes| match u8::load(bytes)? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    };
    char: |c, bytes| u32::from(*c).save(bytes), |bytes| Self::from_u32(u32::load(bytes)?);
    // A byte, as each record has one at least: so damaged bytes tell no more records than there are bytes.
    (): |(), bytes| 0_u8.save(bytes), |bytes| (u8::load(bytes)? == 0).then_some(());
    Ipv4Addr: |ip, bytes| ip.to_bits().save(bytes), |bytes| u32::load(bytes).map(Self::from_bits);
    Ipv6Addr: |ip, bytes| ip.to_bits().save(bytes), |bytes| u128::load(bytes).map(Self::from_bits);
    IpAddr: |ip, bytes| match ip {
        IpAddr::V4(address) => (false, *address).save(bytes),
        IpAddr::V6(address) => (true, *address).save(bytes),
    }, |bytes| match bool::load(bytes)? {
        false => Ipv4Addr::load(bytes).map(IpAddr::V4),
        true => Ipv6Addr::load(bytes).map(IpAddr::V6),
    };
    Duration: |span, bytes| (span.as_secs(), span.subsec_nanos()).save(bytes), |bytes| {
        let (seconds, nanos) = <(u64, u32)>::load(bytes)?;
        (nanos < 1_000_000_000).then(|| Duration::new(seconds, nanos))
    };
    SystemTime: |time, bytes| match time.duration_since(UNIX_EPOCH) {
        Ok(since) => (false, since).save(bytes),
        Err(before) => (true, before.duration()).save(bytes),
    }, |bytes| match <(bool, Duration)>::load(bytes)? {
        (false, since) => UNIX_EPOCH.checked_add(since),
        (true, before) => UNIX_EPOCH.checked_sub(before),
    };
}

impl<T: Spill> Spill for Option<T> {
    const HAS_FORM: bool = T::HAS_FORM;

    fn save(&self, bytes: &mut Vec<u8>) -> bool {
        self.is_some().save(bytes);
        self.as_ref().is_none_or(|record| record.save(bytes))
    }

    fn load(bytes: &mut &[u8]) -> Option<Self> {
        if bool::load(bytes)? { T::load(bytes).map(Some) } else { Some(None) }
    }

    fn heap_size(&self) -> usize {
        self.as_ref().map_or(0, T::heap_size)
    }
}

impl<T: Spill> Spill for Reverse<T> {
    const HAS_FORM: bool = T::HAS_FORM;

    fn save(&self, bytes: &mut Vec<u8>) -> bool {
        self.0.save(bytes)
    }

    fn load(bytes: &mut &[u8]) -> Option<Self> {
        T::load(bytes).map(Reverse)
    }

    fn heap_size(&self) -> usize {
        self.0.heap_size()
    }
}

/// Pointers that own one record. An [`Arc`] that is read back shares nothing.
macro_rules! pointers {
    ($($type:ident)*) => {$(
        impl<T: Spill> Spill for $type<T> {
            const HAS_FORM: bool = T::HAS_FORM;

            fn save(&self, bytes: &mut Vec<u8>) -> bool {
                T::save(self, bytes)
            }

            fn load(bytes: &mut &[u8]) -> Option<Self> {
                T::load(bytes).map(Self::new)
            }

            fn heap_size(&self) -> usize {
                allocated(size_of::<T>()) + T::heap_size(self)
            }
        }
    )*};
}

pointers! { Box Arc }

impl<T: Spill> Spill for Box<[T]> {
    const HAS_FORM: bool = T::HAS_FORM;

    fn save(&self, bytes: &mut Vec<u8>) -> bool {
        saved::put(bytes, self.len() as u64);
        T::save_all(self, bytes)
    }

    fn load(bytes: &mut &[u8]) -> Option<Self> {
        Vec::load(bytes).map(Vec::into_boxed_slice)
    }

    fn heap_size(&self) -> usize {
        allocated(size_of_val(&self[..])) + self.iter().map(T::heap_size).sum::<usize>()
    }
}

impl<T: Spill> Spill for Vec<T> {
    const HAS_FORM: bool = T::HAS_FORM;

    fn save(&self, bytes: &mut Vec<u8>) -> bool {
        saved::put(bytes, self.len() as u64);
        T::save_all(self, bytes)
    }

    fn load(bytes: &mut &[u8]) -> Option<Self> {
        let len = usize::try_from(saved::take(bytes)?).ok()?;
        // Damaged bytes may tell any length. A record has a byte at least.
        if len > bytes.len() {
            return None;
        }
        let mut records = Self::with_capacity(len.min(bytes.len() / size_of::<T>().max(1) + 1));
        T::load_all(bytes, len, |record| records.push(record))?;
        Some(records)
    }

    fn heap_size(&self) -> usize {
        let own = allocated(self.capacity() * size_of::<T>());
        own + self.iter().map(T::heap_size).sum::<usize>()
    }
}

impl<T: Spill, const N: usize> Spill for [T; N] {
    const HAS_FORM: bool = T::HAS_FORM;

    fn save(&self, bytes: &mut Vec<u8>) -> bool {
        if N == 0 {
            return ().save(bytes);
        }
        T::save_all(self, bytes)
    }

    fn load(bytes: &mut &[u8]) -> Option<Self> {
        if N == 0 {
            <()>::load(bytes)?;
        }
        let mut records = Vec::with_capacity(N);
        T::load_all(bytes, N, |record| records.push(record))?;
        records.try_into().ok()
    }

    fn heap_size(&self) -> usize {
        self.iter().map(T::heap_size).sum()
    }
}

macro_rules! tuples {
    ($(($($name:ident $index:tt),*))*) => {$(
        impl<$($name: Spill),*> Spill for ($($name,)*) {
            const HAS_FORM: bool = $($name::HAS_FORM)&&*;

            fn save(&self, bytes: &mut Vec<u8>) -> bool {
                $(self.$index.save(bytes))&&*
            }

            fn load(bytes: &mut &[u8]) -> Option<Self> {
                Some(($($name::load(bytes)?,)*))
            }

            fn heap_size(&self) -> usize {
                0 $(+ self.$index.heap_size())*
            }
        }
    )*};
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use proptest::prelude::*;

    use super::*;

    /// A record that is saved is loaded, and nothing but its bytes is taken.
    fn read_back<T: Spill + PartialEq + Debug>(record: &T) -> bool {
        let mut bytes = Vec::new();
        let saved = record.save(&mut bytes);
        bytes.push(7);
        let mut rest = &bytes[..];
        T::HAS_FORM && saved && T::load(&mut rest).as_ref() == Some(record) && rest == [7]
    }

    proptest! {
        #[test]
        fn records_are_loaded_as_they_were_saved(
            text: String,
            bytes: Vec<u8>,
            numbers: (u8, i16, u32, i64, u128),
            floats in (prop::num::f32::NORMAL, prop::num::f64::NORMAL),
            is: bool,
            list: Vec<(Option<String>, u16)>,
        ) {
            prop_assert!(read_back(&text) && read_back(&bytes) && read_back(&numbers));
            prop_assert!(read_back(&floats) && read_back(&list) && read_back(&[floats.1; 3]));
            prop_assert!(read_back(&Box::<str>::from(text.clone())));
            prop_assert!(read_back(&Arc::<str>::from(text.clone())));
            prop_assert!(read_back(&Cow::<'static, str>::Owned(text.clone())));
            prop_assert!(read_back(&Arc::new(list.clone())) && read_back(&vec![[0_u8; 0]; 3]));
            prop_assert!(read_back(&list.clone().into_boxed_slice()) && read_back(&vec![(); 5]));
            prop_assert!(read_back(&is.then(|| (Reverse(text.clone()), Box::new(numbers)))));
            prop_assert!(read_back(&(is, 'c', (), bytes, list.clone(), text, numbers.0)));
            prop_assert!(list.heap_size() >= list.iter().map(|(text, _)| text.as_ref().map_or(0, String::len)).sum());
        }

        #[test]
        fn addresses_and_times_are_loaded_as_they_were_saved(
            bits: u128,
            seconds: u32,
            nanos in 0..1_000_000_000_u32,
        ) {
            let span = Duration::new(seconds.into(), nanos);
            prop_assert!(read_back(&IpAddr::V6(Ipv6Addr::from_bits(bits))));
            prop_assert!(read_back(&IpAddr::V4(Ipv4Addr::from_bits(seconds))));
            prop_assert!(read_back(&span));
            prop_assert!(read_back(&(UNIX_EPOCH + span)) && read_back(&(UNIX_EPOCH - span)));
        }

        #[test]
        fn any_bytes_are_records_or_are_refused(bytes: Vec<u8>) {
            let mut rest = &bytes[..];
            while !rest.is_empty() && <(String, Vec<u32>, Option<char>)>::load(&mut rest).is_some() {}
            let _ = <Vec<Vec<[u16; 2]>>>::load(&mut &bytes[..]);
        }
    }

    #[test]
    fn records_with_a_member_without_a_form_have_no_form() {
        const { assert!(<(u8, Option<Vec<String>>)>::HAS_FORM && !<(u8, &'static str)>::HAS_FORM) };
        assert!(!vec![Some("cod")].save(&mut Vec::new()));
    }
}
