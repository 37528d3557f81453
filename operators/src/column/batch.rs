//! Several columns over the same records, and the groups that the records are of.

use std::ops::Range;

use super::Column;

/// Columns over the same records, by place, and where the records come from.
///
/// They have no names: whoever has named columns resolves these once, and not for every batch.
///
/// ```
/// use creel_operators::column::{Column, Columns};
///
/// let columns = [Column::integers(&[200, 404]), Column::floats(&[0.5, 1.5])];
/// let batch = Columns::arguments(2, &columns);
/// assert_eq!((batch.rows(), batch.argument(1).len()), (2, 2));
/// assert!(batch.get(2).is_none());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    rows: usize,
    start: usize,
    columns: &'a [Column<'a>],
    positions: Option<Positions<'a>>,
}

/// Where the records of a batch stand in the input: the same however it is cut into batches.
///
/// A record is told from all others by its partition and its number in it, which may be an offset
/// in bytes or a count of records. Aggregates that draw records by chance draw them by this.
///
/// ```
/// use creel_operators::column::{Columns, Positions};
///
/// let batch = Columns::arguments(2, &[]);
/// let batch = batch.with_positions(Positions { partition: 3, rows: &[0, 17] });
/// assert_eq!(batch.slice(1..2).positions().unwrap().rows, [17]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Positions<'a> {
    /// The partition that the records are of.
    pub partition: u64,
    /// The number of each record within its partition.
    pub rows: &'a [u64],
}

impl<'a> Columns<'a> {
    /// The columns of the arguments of an aggregate, over so many records.
    ///
    /// ```
    /// use creel_operators::column::{Column, Columns};
    ///
    /// let columns = [Column::integers(&[1, 2])];
    /// assert_eq!(Columns::arguments(2, &columns).get(0).unwrap().len(), 2);
    /// ```
    ///
    /// # Panics
    ///
    /// If a column is of another length.
    pub fn arguments(rows: usize, columns: &'a [Column<'a>]) -> Self {
        assert!(columns.iter().all(|column| column.len() == rows), "a value for each record");
        Self { rows, start: 0, columns, positions: None }
    }

    /// The same columns with the places of the records.
    ///
    /// # Panics
    ///
    /// If there is not one for each record.
    pub fn with_positions(self, positions: Positions<'a>) -> Self {
        assert_eq!(positions.rows.len(), self.rows, "a place for each record");
        Self { positions: Some(positions), ..self }
    }

    /// How many records there are.
    ///
    /// ```
    /// assert_eq!(creel_operators::column::Columns::arguments(7, &[]).rows(), 7);
    /// ```
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// How many columns there are.
    ///
    /// ```
    /// assert_eq!(creel_operators::column::Columns::arguments(7, &[]).width(), 0);
    /// ```
    pub const fn width(&self) -> usize {
        self.columns.len()
    }

    /// A column by its place.
    #[inline]
    pub fn get(&self, at: usize) -> Option<Column<'a>> {
        let column = self.columns.get(at)?;
        let whole = self.start == 0 && column.len() == self.rows;
        Some(if whole { *column } else { column.slice(self.start..self.start + self.rows) })
    }

    /// An argument of an aggregate by its place.
    ///
    /// ```
    /// use creel_operators::column::{Column, Columns};
    ///
    /// let columns = [Column::bools(&[true])];
    /// assert_eq!(Columns::arguments(1, &columns).argument(0).len(), 1);
    /// ```
    ///
    /// # Panics
    ///
    /// If there are fewer columns than the aggregate takes.
    #[inline]
    pub fn argument(&self, at: usize) -> Column<'a> {
        let given = self.columns.len();
        self.get(at).unwrap_or_else(|| panic!("argument {at} of {given} columns"))
    }

    /// Where the records come from, if it is known.
    pub const fn positions(&self) -> Option<Positions<'a>> {
        self.positions
    }

    /// The columns of some neighbouring records.
    ///
    /// ```
    /// use creel_operators::column::{Column, Columns};
    ///
    /// let columns = [Column::integers(&[7, 8, 9])];
    /// let batch = Columns::arguments(3, &columns).slice(1..3);
    /// assert_eq!((batch.rows(), batch.argument(0).len()), (2, 2));
    /// ```
    ///
    /// # Panics
    ///
    /// If there are fewer records.
    pub fn slice(&self, rows: Range<usize>) -> Self {
        assert!(rows.start <= rows.end && rows.end <= self.rows, "records that are not there");
        let positions =
            self.positions.map(|places| Positions { rows: &places.rows[rows.clone()], ..places });
        Self { rows: rows.len(), start: self.start + rows.start, positions, ..*self }
    }
}

/// The group of each record of a batch.
///
/// ```
/// use creel_operators::column::Groups;
///
/// assert_eq!(Groups::One.of(7), 0);
/// assert_eq!(Groups::Each(&[3, 1]).of(1), 1);
/// ```
#[derive(Debug, Clone, Copy)]
pub enum Groups<'a> {
    /// All records are of group 0: nothing is grouped. The state has that group once it is
    /// [resized](crate::aggregate::Aggregate::resize) to 1, also if no record comes.
    One,
    /// The number of a group for each record.
    Each(&'a [u32]),
}

impl Groups<'_> {
    /// The group of a record.
    ///
    /// # Panics
    ///
    /// If there is no such record.
    #[inline(always)]
    pub fn of(&self, row: usize) -> usize {
        match self {
            Self::One => 0,
            Self::Each(groups) => groups[row] as usize,
        }
    }
}
