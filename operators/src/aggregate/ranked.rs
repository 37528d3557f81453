//! Values that are ranked by others: what `topk`, `bottomk`, `min_by` and `max_by` hold.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::cmp::Ordering;

use super::first_k::{self, FirstK};
use super::{Damaged, NoBytes, PerGroup, Reader, Writer};
use crate::column::{
    Canonical, CanonicalValue as Value, Column, Columns, Data, Datum, Form, Groups, OwnedColumn,
    OwnedData, OwnedDatum,
};

/// Keeps the first `k` values of each group in the order of what they are ranked by: of the second
/// column, if there are two.
///
/// Of values that are ranked alike the smaller comes first: so the order of the input does not show.
#[derive(Clone, Copy)]
pub(super) struct Best {
    pub(super) k: usize,
    /// Whether the largest comes first.
    pub(super) largest: bool,
    /// Whether the result is the first value itself, in place of a list.
    pub(super) alone: bool,
}

/// A value, and what it is ranked by.
pub(super) struct Ranked {
    by: Canonical<'static>,
    /// Unless it is what it is ranked by.
    value: Option<Kept>,
}

/// A value that is kept, and what it is compared by.
struct Kept {
    value: OwnedDatum,
    /// Its canonical form, once it was compared with a value that is ranked alike, if that form is no part
    /// of it: to make it of a large record takes far longer than to compare it.
    canonical: OnceCell<Canonical<'static>>,
}

impl Kept {
    fn new(value: OwnedDatum) -> Self {
        Self { value, canonical: OnceCell::new() }
    }

    /// Its canonical form, by which values that rank alike are ordered.
    fn canonical(&self) -> Canonical<'_> {
        if let Some(made) = self.canonical.get() {
            return made.lend();
        }
        let value = self.value.lend();
        match value.is_made() {
            false => value.canonical(),
            true => self.canonical.get_or_init(|| value.canonical().into_owned()).lend(),
        }
    }

    /// Keeps the canonical form that was made of it already, if that is no part of it.
    fn keep(&mut self, made: Option<Canonical<'_>>) {
        if let Some(made) = made.filter(|_| self.value.lend().is_made()) {
            self.canonical = OnceCell::from(made.into_owned());
        }
    }

    /// The bytes of memory that it points to.
    fn heap(&self) -> usize {
        let made = self.canonical.get().map_or(0, Canonical::heap);
        first_k::allocated(self.value.heap()) + first_k::allocated(made)
    }
}

impl Ranked {
    /// The order of values that are ranked alike.
    fn tie(&self, other: &Self) -> Ordering {
        let (Some(a), Some(b)) = (&self.value, &other.value) else { return Ordering::Equal };
        tie((&a.value.lend(), || a.canonical()), (&b.value.lend(), || b.canonical()))
    }
}

/// The order of values that are ranked alike, and of what gives their canonical forms: of equal ones, by how
/// they are written.
fn tie<'a, 'b>(
    (a, canonical_a): (&Datum<'_>, impl FnOnce() -> Canonical<'a>),
    (b, canonical_b): (&Datum<'_>, impl FnOnce() -> Canonical<'b>),
) -> Ordering {
    match (a, b) {
        // Texts, and the same record again, need no canonical form.
        (Datum::Text(a), Datum::Text(b)) => a.cmp(b),
        (Datum::Json(a), Datum::Json(b)) if a == b => Ordering::Equal,
        _ => canonical_a()
            .cmp(&canonical_b())
            .then_with(|| written(a).cmp(&written(b)))
            .then_with(|| form(a).cmp(&form(b))),
    }
}

/// The form of a value. The same value in two forms is encoded as different bytes, so one of them comes first:
/// null may be JSON, or an empty piece of it.
fn form(value: &Datum<'_>) -> u8 {
    match value {
        Datum::Null => 0,
        Datum::Bool(_) => 1,
        Datum::Integer(_) => 2,
        Datum::Float(_) => 3,
        Datum::Number(_) => 4,
        Datum::Text(_) => 5,
        Datum::Key(_) => 6,
        Datum::Json(_) => 7,
        Datum::List(_) => 8,
    }
}

fn written<'d>(value: &Datum<'d>) -> Cow<'d, str> {
    match *value {
        Datum::Json(raw) | Datum::Number(raw) => Cow::Borrowed(raw),
        _ => {
            let mut json = String::new();
            value.write_json(&mut json);
            Cow::Owned(json)
        }
    }
}

impl Best {
    fn order(&self, a: &Canonical<'_>, b: &Canonical<'_>) -> Ordering {
        if self.largest { b.cmp(a) } else { a.cmp(b) }
    }

    fn compare(&self, a: &Ranked, b: &Ranked) -> Ordering {
        self.order(&a.by, &b.by).then_with(|| a.tie(b))
    }

    /// The first of them.
    fn first(&self) -> FirstK<impl Fn(&Ranked, &Ranked) -> Ordering> {
        let this = *self;
        FirstK::new(self.k, move |a: &Ranked, b: &Ranked| this.compare(a, b))
    }

    /// Adds values that are ranked by themselves. Of columns of one kind, most values are told by one
    /// comparison to come behind the last that is kept.
    fn update_alone(
        &self,
        states: &mut [Vec<Ranked>],
        groups: Groups<'_>,
        values: &Column<'_>,
        last: usize,
    ) {
        let is_behind = |order: Ordering| if self.largest { order.is_le() } else { order.is_ge() };
        let keep = |kept: &mut Vec<Ranked>, by: Canonical<'_>| {
            if !kept.get(last).is_some_and(|last| is_behind(by.cmp(&last.by))) {
                self.first().push(kept, Ranked { by: by.into_owned(), value: None });
            }
        };
        match (values.data(), values.missing(), groups) {
            (Data::Integers(integers), None, Groups::One) => {
                let kept = &mut states[0];
                let least = |kept: &[Ranked]| match kept.get(last)?.by.value() {
                    Value::Integer(least) => Some(*least),
                    _ => None,
                };
                // With their bits flipped, integers are in the other order.
                let flip = if self.largest { 0 } else { -1 };
                let mut integers = integers.iter();
                loop {
                    let next = match least(kept) {
                        Some(least) => integers.find(|next| **next ^ flip > least ^ flip),
                        None => integers.next(),
                    };
                    let Some(next) = next else { return };
                    keep(kept, Datum::Integer(*next).canonical());
                }
            }
            (Data::Texts { form: Form::Text, text, spans }, None, Groups::One) => {
                let kept = &mut states[0];
                for text in spans.iter().map(|span| span.of(text)) {
                    match kept.get(last).map(|last| last.by.value()) {
                        Some(Value::Text(least)) if is_behind(text.cmp(least)) => {}
                        _ => keep(kept, Datum::Text(text).canonical()),
                    }
                }
            }
            _ => {
                let mut room = String::new();
                values.each(|row, datum| {
                    keep(&mut states[groups.of(row)], Canonical::within(&datum, &mut room));
                });
            }
        }
    }

    /// Those that are kept in the end, in their order.
    fn sorted<'r>(&self, kept: &'r [Ranked]) -> Vec<&'r Ranked> {
        let first = FirstK::new(self.k, |a: &&Ranked, b: &&Ranked| self.compare(a, b));
        first.sorted(kept.iter().collect())
    }
}

/// The bytes of memory that a value points to, and what it is ranked by.
fn heap(ranked: &Ranked) -> usize {
    let value = ranked.value.as_ref().map_or(0, Kept::heap);
    first_k::allocated(ranked.by.heap()) + value
}

impl PerGroup for Best {
    type Group = Vec<Ranked>;

    fn update(&self, states: &mut [Self::Group], groups: Groups<'_>, columns: &Columns<'_>) {
        let Some(last) = self.k.checked_sub(1) else { return };
        let values = columns.argument(0);
        let Some(by) = columns.get(1) else {
            return self.update_alone(states, groups, &values, last);
        };
        // Most values are compared and dropped: nothing is allocated for these.
        let (mut room_of_by, mut room) = (String::new(), String::new());
        by.each(|row, datum| {
            let ranked_by = Canonical::within(&datum, &mut room_of_by);
            let kept = &mut states[groups.of(row)];
            let Some(value) = values.get(row) else { return };
            let mut made = None;
            // What comes behind the last of the first `k`, or is the same, is not stored at all.
            if let Some(last) = kept.get(last) {
                let (made, room) = (&mut made, &mut room);
                let tie = move || match &last.value {
                    Some(last) => {
                        let made = move || {
                            let (made, room) = (made, room);
                            made.insert(Canonical::within(&value, room)).lend()
                        };
                        tie((&last.value.lend(), || last.canonical()), (&value, made))
                    }
                    None => Ordering::Less,
                };
                if self.order(&last.by, &ranked_by).then_with(tie).is_le() {
                    return;
                }
            }
            let mut value = Kept::new(value.to_owned());
            value.keep(made);
            self.first().push(kept, Ranked { by: ranked_by.into_owned(), value: Some(value) });
        });
    }

    fn merge(&self, into: &mut Self::Group, from: Self::Group) {
        self.first().merge(into, from);
    }

    fn encode(&self, kept: &Self::Group, bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        let sorted = self.sorted(kept);
        bytes.put_u64(sorted.len() as u64);
        for Ranked { by, value } in sorted {
            bytes.put_canonical(by);
            bytes.push(u8::from(value.is_some()));
            value.iter().for_each(|kept| bytes.put_datum(&kept.value.lend()));
        }
        Ok(())
    }

    fn decode(&self, bytes: &mut Reader<'_>) -> Result<Self::Group, Damaged> {
        let mut kept = Vec::new();
        for _ in 0..bytes.count(2)? {
            let by = bytes.canonical()?;
            let value = bytes.flag()?.then(|| bytes.owned_datum()).transpose()?.map(Kept::new);
            kept.push(Ranked { by, value });
        }
        self.first().settle(&mut kept);
        Ok(kept)
    }

    fn finish(&self, groups: Vec<Self::Group>) -> OwnedColumn {
        let datum = |ranked: &Ranked, into: &mut OwnedColumn| {
            let value = ranked.value.as_ref().map(|kept| kept.value.lend());
            into.push(Some(value.unwrap_or_else(|| ranked.by.datum())));
        };
        let (mut items, mut ends) = (OwnedColumn::default(), Vec::new());
        for kept in &groups {
            let sorted = self.sorted(kept);
            match (sorted.first(), self.alone) {
                (None, true) => items.push(None),
                (Some(first), true) => datum(first, &mut items),
                (_, false) => sorted.into_iter().for_each(|ranked| datum(ranked, &mut items)),
            }
            ends.push(items.len());
        }
        if self.alone {
            return items;
        }
        OwnedColumn::new(OwnedData::Lists { ends, items: Box::new(items) })
    }

    fn heap(&self, kept: &Self::Group) -> usize {
        first_k::held(kept, heap)
    }

    fn most_weight(&self, kept: &Self::Group) -> Option<usize> {
        // Twice as many as are wanted are held.
        let each = size_of::<Ranked>() + first_k::behind(kept, heap) / kept.len().max(1);
        Some(each.saturating_mul(2).saturating_mul(self.k))
    }
}
