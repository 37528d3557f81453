//! Records that can be compared while lent, and are stored only when they are kept.

use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};

/// A record that can be compared with one that was kept, and becomes one that can be kept.
///
/// A lent record (`&str`) is compared as it stands and stored (`String`) only if it is kept: so the
/// maximum of a million lines allocates a few times, not a million times. Every [`Key`](crate::Key)
/// is a value; floats are values but not keys. [`key!`](crate::key!) makes your own type both.
///
/// Floats are compared by their total order: `-NaN < -inf < ... < -0.0 < 0.0 < ... < inf < NaN`.
///
/// ```
/// use creel_operators::Value;
///
/// assert!("b".compare(&String::from("a")).is_gt());
/// assert!(f64::NAN.compare(&f64::INFINITY).is_gt());
/// assert_eq!("b".into_owned(), String::from("b"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no order to compare records by",
    note = "for a type of your own that is Hash, Ord, Clone and Debug, write `creel_operators::key!(Type);`"
)]
pub trait Value: Sized {
    /// What is kept: `String` for `&str`, the record itself if it is owned.
    type Owned: Value<Owned = Self::Owned> + Send + 'static;

    /// Compares this record with one that was kept.
    fn compare(&self, kept: &Self::Owned) -> Ordering;

    /// Stores this record.
    fn into_owned(self) -> Self::Owned;

    /// The bytes of memory that it points to, as far as it knows.
    fn heap(&self) -> usize {
        0
    }
}

impl<T: Value<Owned = T> + Clone + Send + 'static> Value for &T {
    type Owned = T;
    fn compare(&self, kept: &T) -> Ordering {
        T::compare(self, kept)
    }
    fn into_owned(self) -> T {
        self.clone()
    }
}

/// Lent forms of text and bytes, by the type that they deref to.
macro_rules! lent_value {
    ($($lent:ty => $owned:ty, $slice:ty;)*) => {$(
        impl Value for $lent {
            type Owned = $owned;
            fn compare(&self, kept: &$owned) -> Ordering {
                <$slice as Ord>::cmp(self, kept)
            }
            fn into_owned(self) -> $owned {
                self.into()
            }
            fn heap(&self) -> usize {
                let text: &$slice = self;
                size_of_val(text)
            }
        }
    )*};
}

lent_value! {
    &str => String, str;
    Cow<'_, str> => String, str;
    String => String, str;
    &[u8] => Vec<u8>, [u8];
    Cow<'_, [u8]> => Vec<u8>, [u8];
    Vec<u8> => Vec<u8>, [u8];
}

macro_rules! float_value {
    ($($float:ty)*) => {$(
        impl Value for $float {
            type Owned = Self;
            fn compare(&self, kept: &Self) -> Ordering {
                self.total_cmp(kept)
            }
            fn into_owned(self) -> Self {
                self
            }
        }
    )*};
}

float_value! { f32 f64 }

impl<T: Value> Value for Option<T> {
    type Owned = Option<T::Owned>;
    fn compare(&self, kept: &Self::Owned) -> Ordering {
        match (self, kept) {
            (Some(this), Some(kept)) => this.compare(kept),
            (this, kept) => this.is_some().cmp(&kept.is_some()),
        }
    }
    fn into_owned(self) -> Self::Owned {
        self.map(T::into_owned)
    }
}

/// Turns the order around: with it, `topk` keeps the smallest.
impl<T: Value> Value for Reverse<T> {
    type Owned = Reverse<T::Owned>;
    fn compare(&self, kept: &Self::Owned) -> Ordering {
        self.0.compare(&kept.0).reverse()
    }
    fn into_owned(self) -> Self::Owned {
        Reverse(self.0.into_owned())
    }
}

impl Value for Vec<&str> {
    type Owned = Vec<String>;
    fn compare(&self, kept: &Vec<String>) -> Ordering {
        self.iter().copied().cmp(kept.iter().map(String::as_str))
    }
    fn into_owned(self) -> Vec<String> {
        self.into_iter().map(String::from).collect()
    }
}

macro_rules! tuple_value {
    ($($name:ident $index:tt),*) => {
        impl<$($name: Value),*> Value for ($($name,)*) {
            type Owned = ($($name::Owned,)*);
            fn compare(&self, kept: &Self::Owned) -> Ordering {
                Ordering::Equal$(.then_with(|| self.$index.compare(&kept.$index)))*
            }
            fn into_owned(self) -> Self::Owned {
                ($(self.$index.into_owned(),)*)
            }
        }
    };
}

tuple_value! { A 0, B 1 }
tuple_value! { A 0, B 1, C 2 }
tuple_value! { A 0, B 1, C 2, D 3 }
