//! Forms in bytes, found by the type: for values that go to another process, whose type says nothing of a form.
//!
//! A bag's records are of any type, and a function of them needs none of its properties. So whether records have a
//! form is asked when they have to leave the process. Common types are known here; [`register`] adds others.

use std::any::{Any, TypeId};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{LazyLock, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use crate::{ExactSum, Spill};

/// How values of a type are written and read.
#[derive(Clone, Copy)]
struct Form {
    save: fn(&dyn Any, &mut Vec<u8>) -> bool,
    load: fn(&mut &[u8]) -> Option<Box<dyn Any + Send>>,
}

type Forms = HashMap<TypeId, Form>;

static FORMS: LazyLock<RwLock<Forms>> = LazyLock::new(|| RwLock::new(common()));

/// Makes the form of a type known, and that of `Vec`s and `Option`s of it.
///
/// ```
/// use creel_operators::{Spill, form};
///
/// #[derive(Debug, Clone, PartialEq)]
/// struct Degrees(f64);
///
/// impl Spill for Degrees {
///     const HAS_FORM: bool = true;
///     fn save(&self, bytes: &mut Vec<u8>) -> bool {
///         self.0.save(bytes)
///     }
///     fn load(bytes: &mut &[u8]) -> Option<Self> {
///         Spill::load(bytes).map(Self)
///     }
///     fn heap_size(&self) -> usize {
///         0
///     }
/// }
///
/// assert!(!form::is_known::<Vec<Degrees>>());
/// form::register::<Degrees>();
/// let mut bytes = Vec::new();
/// assert!(form::save(&vec![Degrees(7.5)], &mut bytes));
/// assert_eq!(form::load(&bytes), Some(vec![Degrees(7.5)]));
/// ```
///
/// A type without a form is refused when it is built:
///
/// ```compile_fail
/// creel_operators::form::register::<&'static str>();
/// ```
pub fn register<T: Spill>() {
    const {
        assert!(
            T::HAS_FORM,
            "the type has no form in bytes: implement `Spill` for it, with `HAS_FORM`"
        )
    };
    let forms = &mut FORMS.write().unwrap_or_else(PoisonError::into_inner);
    add_with_kin::<T>(forms);
    add_ranked::<T>(forms);
}

/// Returns true if the form of a type is known.
///
/// ```
/// use creel_operators::form;
///
/// assert!(form::is_known::<Vec<(String, u64)>>());
/// assert!(!form::is_known::<std::thread::ThreadId>());
/// ```
pub fn is_known<T: 'static>() -> bool {
    of::<T>().is_some()
}

/// Appends a value to bytes; `false` if the form of its type is not known.
///
/// ```
/// let mut bytes = Vec::new();
/// assert!(creel_operators::form::save(&7_u64, &mut bytes));
/// assert_eq!(creel_operators::form::load::<u64>(&bytes), Some(7));
/// ```
pub fn save<T: 'static>(value: &T, bytes: &mut Vec<u8>) -> bool {
    of::<T>().is_some_and(|form| (form.save)(value, bytes))
}

/// The value of which these bytes are the form; `None` if they are of none.
pub fn load<T: 'static>(mut bytes: &[u8]) -> Option<T> {
    let value = (of::<T>()?.load)(&mut bytes)?.downcast().ok()?;
    bytes.is_empty().then_some(*value)
}

fn of<T: 'static>() -> Option<Form> {
    let forms = FORMS.read().unwrap_or_else(PoisonError::into_inner);
    forms.get(&TypeId::of::<T>()).copied()
}

fn add<T: Spill>(forms: &mut Forms) {
    let form = Form {
        save: |value, bytes| value.downcast_ref::<T>().is_some_and(|value| value.save(bytes)),
        load: |bytes| Some(Box::new(T::load(bytes)?)),
    };
    forms.insert(TypeId::of::<T>(), form);
}

/// Adds a type, and what combiners hold of it.
fn add_with_kin<T: Spill>(forms: &mut Forms) {
    add::<T>(forms);
    add::<Vec<T>>(forms);
    add::<Vec<Reverse<T>>>(forms);
    add::<Option<T>>(forms);
}

/// Adds what is kept of records of a type by their ranks, if these are numbers or the lengths of texts.
fn add_ranked<T: Spill>(forms: &mut Forms) {
    fn by<R: Spill, T: Spill>(forms: &mut Forms) {
        add::<Vec<(R, Reverse<T>)>>(forms);
        add::<Vec<(Reverse<R>, Reverse<T>)>>(forms);
    }
    by::<usize, T>(forms);
    by::<u64, T>(forms);
    by::<i64, T>(forms);
    by::<f64, T>(forms);
}

/// Adds pairs of each of the first types with each of the second.
macro_rules! pairs {
    ($forms:ident, [$($first:ty),*], $second:tt) => {
        $(pairs! { @ $forms, $first, $second })*
    };
    (@ $forms:ident, $first:ty, [$($second:ty),*]) => {
        $(add_with_kin::<($first, $second)>($forms);)*
    };
}

/// Adds tables of each of the first types to each of the second.
macro_rules! tables {
    ($forms:ident, [$($key:ty),*], $value:tt) => {
        $(
            add::<HashSet<$key>>($forms);
            add::<BTreeSet<$key>>($forms);
            tables! { @ $forms, $key, $value }
        )*
    };
    (@ $forms:ident, $key:ty, [$($value:ty),*]) => {
        $(
            add::<HashMap<$key, $value>>($forms);
            add::<BTreeMap<$key, $value>>($forms);
            add::<Option<HashMap<$key, $value>>>($forms);
            add::<Option<BTreeMap<$key, $value>>>($forms);
        )*
    };
}

macro_rules! each {
    ($forms:ident, $($type:ty)*) => {
        $(add_with_kin::<$type>($forms);)*
    };
}

/// The types that records and accumulators mostly are.
fn common() -> Forms {
    let mut made = Forms::new();
    let forms = &mut made;
    each! { forms, () bool char u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 }
    each! { forms, String Box<str> IpAddr Ipv4Addr Ipv6Addr Duration SystemTime ExactSum }
    each! { forms, Vec<u8> Vec<String> Vec<u64> Vec<i64> Vec<usize> Vec<f64> }
    each! { forms, Option<String> Option<u64> Option<i64> Option<usize> Option<f64> }
    each! { forms, (String, String, String) (String, String, u64) (u64, u64, u64) (f64, f64, f64) }
    pairs! { forms, [String, u32, u64, usize, i32, i64, i128, f64, bool],
    [String, u32, u64, usize, i32, i64, i128, f64, bool] }
    add_ranked::<String>(forms);
    add_ranked::<u64>(forms);
    add_ranked::<usize>(forms);
    add_ranked::<i64>(forms);
    add_ranked::<f64>(forms);
    tables! { forms, [String, u32, u64, usize, i64], [u64, usize, i64, f64, String] }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_without_a_form_are_not_saved_and_bytes_of_another_type_are_refused() {
        struct Unknown;
        let mut bytes = Vec::new();
        assert!(!save(&Unknown, &mut bytes) && bytes.is_empty());
        assert!(save(&"cod".to_owned(), &mut bytes));
        assert_eq!(load::<u64>(&bytes), None);
        assert_eq!(load::<String>(&bytes).as_deref(), Some("cod"));
        bytes.push(0);
        assert_eq!(load::<String>(&bytes), None, "something follows");
    }

    #[test]
    fn tables_are_read_back() {
        let counts = HashMap::from([("cod".to_owned(), 3_u64), ("eel".to_owned(), 1)]);
        let mut bytes = Vec::new();
        assert!(save(&counts, &mut bytes));
        assert_eq!(load(&bytes), Some(counts));
    }
}
