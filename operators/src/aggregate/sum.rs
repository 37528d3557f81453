//! `sum`: the exact sum of numbers.

use super::total::{Sum, Total};
use super::{Damaged, Each, Kind, Needs, NoBytes, Order, PerGroup, Reader};
use crate::column::{Columns, Data, Datum, Form, Groups, OwnedColumn, small_integer};

pub(super) static SUM: Kind = Kind {
    name: "sum",
    usage: "sum, sum(f)",
    help: "the sum of numbers: of integers exact, of others rounded once",
    parameters: &[],
    columns: (1, 1),
    needs: Needs::Numbers,
    order: Order::Any,
    new: |_| Box::new(Each::new(Summed)),
};

#[derive(Clone, Copy)]
struct Summed;

impl PerGroup for Summed {
    type Group = Total;

    fn update(&self, totals: &mut [Total], groups: Groups<'_>, columns: &Columns<'_>) {
        let column = columns.argument(0);
        // Integers of one group are added up before: 128 bits hold more of them than there can be.
        match (column.data(), column.missing(), groups) {
            (Data::Integers(values), None, Groups::One) => {
                totals[0].add_integer(values.iter().copied().map(i128::from).sum());
            }
            (Data::Texts { form: Form::Json, text, spans }, None, Groups::One) => {
                let mut integers = 0;
                for raw in spans.iter().map(|span| span.of(text)) {
                    match small_integer(raw) {
                        Some(integer) => integers += i128::from(integer),
                        None => {
                            let number = Datum::Json(raw).number();
                            number.iter().for_each(|number| totals[0].add(number));
                        }
                    }
                }
                totals[0].add_integer(integers);
            }
            _ => column.numbers(|row, number| totals[groups.of(row)].add(&number)),
        }
    }

    fn merge(&self, into: &mut Total, from: Total) {
        into.merge(&from);
    }

    fn encode(&self, total: &Total, bytes: &mut Vec<u8>) -> Result<(), NoBytes> {
        total.encode(bytes);
        Ok(())
    }

    fn decode(&self, bytes: &mut Reader<'_>) -> Result<Total, Damaged> {
        Total::decode(bytes)
    }

    fn finish(&self, totals: Vec<Total>) -> OwnedColumn {
        let mut sums = OwnedColumn::default();
        for total in totals {
            match total.sum() {
                Sum::Integer(integer) => sums.push(Some(Datum::Integer(integer))),
                Sum::Huge(huge) => sums.push(Some(Datum::Number(&huge.to_string()))),
                Sum::Double(double) => sums.push(Some(Datum::Float(double))),
            }
        }
        sums
    }

    fn heap(&self, total: &Total) -> usize {
        total.heap()
    }
}
