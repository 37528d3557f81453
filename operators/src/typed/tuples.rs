//! Several aggregates in one pass.

use super::{Aggregates, Takes};
use crate::aggregate::Reader;

macro_rules! tuple {
    ($($name:ident $at:tt),+) => {
        impl<$($name: Aggregates),+> Aggregates for ($($name,)+) {
            type State = ($($name::State,)+);
            type Output = ($($name::Output,)+);
            type Bare = ($($name::Bare,)+);
            const ORDERED: bool = $($name::ORDERED)||+;

            fn bare(&self) -> Self::Bare {
                ($(self.$at.bare(),)+)
            }

            fn start(&self) -> Self::State {
                ($(self.$at.start(),)+)
            }

            fn resize(&self, state: &mut Self::State, groups: usize) {
                $(self.$at.resize(&mut state.$at, groups);)+
            }

            fn merge(&self, into: &mut Self::State, from: Self::State, map: &[u32]) {
                $(self.$at.merge(&mut into.$at, from.$at, map);)+
            }

            fn split(&self, state: Self::State, part: &[u32], parts: usize) -> Vec<Self::State> {
                let mut split = ($(self.$at.split(state.$at, part, parts).into_iter(),)+);
                std::iter::from_fn(|| Some(($(split.$at.next()?,)+))).collect()
            }

            fn settle(&self, state: &mut Self::State) {
                $(self.$at.settle(&mut state.$at);)+
            }

            fn full(&self, state: &Self::State) -> bool {
                $(self.$at.full(&state.$at))&&+
            }

            fn held(&self, state: &Self::State) -> usize {
                0 $(+ self.$at.held(&state.$at))+
            }

            fn captured(&self) -> usize {
                0 $(+ self.$at.captured())+
            }

            fn parameters(&self, each: &mut dyn FnMut(u64)) {
                $(self.$at.parameters(each);)+
            }

            fn has_form(&self) -> bool {
                $(self.$at.has_form())&&+
            }

            fn save(&self, state: &Self::State, bytes: &mut Vec<u8>) -> bool {
                $(self.$at.save(&state.$at, bytes))&&+
            }

            fn load(&self, groups: usize, bytes: &mut Reader<'_>) -> Option<Self::State> {
                Some(($(self.$at.load(groups, bytes)?,)+))
            }

            fn finish(&self, state: Self::State) -> Vec<Self::Output> {
                let mut results = ($(self.$at.finish(state.$at).into_iter(),)+);
                std::iter::from_fn(|| Some(($(results.$at.next()?,)+))).collect()
            }
        }

        impl<T, $($name: Takes<T>),+> Takes<T> for ($($name,)+) {
            #[inline]
            fn feed(&self, state: &mut Self::State, group: u32, record: &T) {
                $(self.$at.feed(&mut state.$at, group, record);)+
            }
        }
    };
}

tuple! { A 0 }
tuple! { A 0, B 1 }
tuple! { A 0, B 1, C 2 }
tuple! { A 0, B 1, C 2, D 3 }
tuple! { A 0, B 1, C 2, D 3, E 4 }
tuple! { A 0, B 1, C 2, D 3, E 4, F 5 }
tuple! { A 0, B 1, C 2, D 3, E 4, F 5, G 6 }
tuple! { A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7 }
tuple! { A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8 }
tuple! { A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9 }
tuple! { A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10 }
tuple! { A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11 }
