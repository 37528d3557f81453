//! A row of the table of aggregates, and the help that is made of all rows.

use std::fmt;

use super::{Aggregate, Damaged, Reader};

/// A row of the table of aggregates: its name, what it takes, and how its states are made.
///
/// ```
/// use creel_operators::aggregate::{Order, find};
///
/// let topk = find("topk").unwrap();
/// assert_eq!((topk.parameters[0].name, topk.order), ("k", Order::Any));
/// let refused = topk.make(&[-1.0]).err().unwrap();
/// assert_eq!(refused.to_string(), "topk: k is a whole number from 0 to 9007199254740991, not -1");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// The name by which it is called.
    pub name: &'static str,
    /// How it is written, with its arguments; empty if the row before says it too.
    pub usage: &'static str,
    /// What it does, in a line or two of help; empty if the row before says it too.
    pub help: &'static str,
    /// The numbers that it takes, which come before its columns.
    pub parameters: &'static [Parameter],
    /// How few and how many columns it takes.
    pub columns: (usize, usize),
    /// What its columns hold.
    pub needs: Needs,
    /// Whether the order of the records shows.
    pub order: Order,
    /// More that a language is to know of it.
    pub traits: Traits,
    /// Makes a state of no groups. The parameters were checked, and those left out are there.
    pub new: fn(parameters: &[f64]) -> Box<dyn Aggregate>,
}

/// A number that an aggregate takes.
///
/// ```
/// use creel_operators::aggregate::Parameter;
///
/// let share = Parameter { most: 1.0, whole: false, ..Parameter::whole("q") };
/// assert_eq!((share.name, share.least), ("q", 0.0));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// What messages call it.
    pub name: &'static str,
    /// What it is if it is left out, if it may be.
    pub default: Option<f64>,
    /// The least that it may be.
    pub least: f64,
    /// The greatest that it may be.
    pub most: f64,
    /// Whether it has no fraction.
    pub whole: bool,
}

impl Parameter {
    /// A whole number that is not negative, which has to be given.
    ///
    /// ```
    /// assert!(creel_operators::aggregate::Parameter::whole("k").whole);
    /// ```
    pub const fn whole(name: &'static str) -> Self {
        Self { name, default: None, least: 0.0, most: 9_007_199_254_740_991.0, whole: true }
    }
}

/// The values that the columns of an aggregate hold.
///
/// An aggregate cannot refuse a record. It passes over missing values and values of other kinds. Before an
/// aggregate of numbers gets a JSON value, the command makes it an error of its record if it is neither a
/// number nor null. The library has no such error: texts add nothing to a mean.
///
/// If a number is outside the domain of an aggregate, as zero is for a harmonic mean, the result of its group
/// is null, and [`Kind::help`] says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Values that count as true or not.
    Conditions,
    /// Numbers.
    Numbers,
    /// Values of any kind, that are compared.
    Values,
    /// Values of any kind, of which the first column is given back as it is, and those after it are
    /// compared.
    Records,
}

/// Whether the order of the records shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// It does not: states may be fed any records, and be merged in any order.
    Any,
    /// It does: a state has to be fed neighbouring records in their order, and is merged with what
    /// comes after it.
    Input,
}

/// More that a language is to know of an aggregate, which most have nothing of.
///
/// ```
/// use creel_operators::aggregate::{Gives, Traits, find};
///
/// assert_eq!(find("mean").unwrap().traits, Traits::PLAIN);
/// assert_eq!(find("topk").unwrap().traits.gives, Gives::Ranked);
/// assert_eq!(find("max").unwrap().traits.as_written, Some("max_by"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traits {
    /// The rows that it gives of all records, if it is the only aggregate of these.
    pub gives: Gives,
    /// Whether its state depends on the number of each record in the whole input: see
    /// [`Positions`](crate::column::Positions).
    pub is_numbered: bool,
    /// The aggregate of two columns that gives values back as they were written, where they are in the form in
    /// which they are compared: given a column twice, it is this one.
    pub as_written: Option<&'static str>,
    /// Whether it counts distinct values, as `frequencies | count` does.
    pub counts_distinct: bool,
}

impl Traits {
    /// Those of an aggregate that gives one value.
    pub const PLAIN: Self =
        Self { gives: Gives::Value, is_numbered: false, as_written: None, counts_distinct: false };
}

/// The rows that an aggregate gives of all records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// One: its value.
    Value,
    /// The members of the list that it is.
    Members,
    /// The members of the list that it is, largest first.
    Ranked,
}

/// Parameters that an aggregate does not take.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl Refused {
    pub(crate) fn unknown(name: &str) -> Self {
        let names: Vec<_> = super::KINDS.iter().map(|kind| kind.name).collect();
        Self(format!("there is no aggregate `{name}`: there are {}", names.join(", ")))
    }

    pub(crate) fn ordered(kind: &Kind) -> Self {
        Self(format!(
            "{0}: the order of the records shows in it; use `{0}(...)` of `typed`",
            kind.name
        ))
    }
}

impl Kind {
    /// Makes a state of no groups.
    ///
    /// ```
    /// use creel_operators::aggregate::find;
    ///
    /// assert_eq!(find("count").unwrap().make(&[]).unwrap().groups(), 0);
    /// ```
    ///
    /// # Errors
    ///
    /// If there are more or fewer parameters than it takes, or one is out of its range.
    pub fn make(&self, parameters: &[f64]) -> Result<Box<dyn Aggregate>, Refused> {
        let refuse = |why: String| Err(Refused(format!("{}: {why}", self.name)));
        if parameters.len() > self.parameters.len() {
            return refuse(format!("{} parameters are too many", parameters.len()));
        }
        let mut all = Vec::with_capacity(self.parameters.len());
        for (n, parameter) in self.parameters.iter().enumerate() {
            let Parameter { name, default, least, most, whole } = *parameter;
            let Some(value) = parameters.get(n).copied().or(default) else {
                return refuse(format!("{name} is left out"));
            };
            if !(least..=most).contains(&value) || whole && value.fract() != 0.0 {
                let kind = if whole { "whole number" } else { "number" };
                let [least, most, value] = [least, most, value].map(shown);
                return refuse(format!("{name} is a {kind} from {least} to {most}, not {value}"));
            }
            all.push(value);
        }
        Ok((self.new)(&all))
    }

    /// Makes the state of so many groups that was encoded as these bytes.
    ///
    /// ```
    /// use creel_operators::aggregate::find;
    ///
    /// let count = find("count").unwrap();
    /// let state = count.decode(&[], 2, &[7, 9]).unwrap();
    /// assert_eq!(state.finish().to_json(), ["7", "9"]);
    /// assert!(count.decode(&[], 3, &[7, 9]).is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// If no state of this kind was, or the parameters are refused.
    pub fn decode(
        &self,
        parameters: &[f64],
        groups: usize,
        bytes: &[u8],
    ) -> Result<Box<dyn Aggregate>, Damaged> {
        let refused = Damaged { at: 0, what: "parameters that are refused" };
        let mut state = self.make(parameters).map_err(|_| refused)?;
        let mut reader = Reader::new(bytes);
        state.decode(groups, &mut reader)?;
        reader.end()?;
        Ok(state)
    }
}

/// A number as a message shows it: of one with very many digits, its exponent.
fn shown(number: f64) -> String {
    let is_long = number != 0.0 && !(1e-6..1e16).contains(&number.abs());
    if is_long { format!("{number:e}") } else { number.to_string() }
}

/// The help for rows of the table, in lines of up to 80 characters: for each how it is written, and what
/// it does. A command prints it, so that a new row is in its help.
///
/// ```
/// use creel_operators::aggregate::{KINDS, help};
///
/// let text = help(KINDS.iter().copied());
/// assert!(text.contains("\n  mean, mean(f)            the mean of numbers\n"), "{text}");
/// assert!(text.lines().all(|line| line.len() <= 80));
/// ```
pub fn help(kinds: impl IntoIterator<Item = &'static Kind>) -> String {
    const USAGE: usize = 24;
    const LINE: usize = 80;
    let mut text = String::new();
    // A row without them is in those of the row before.
    for Kind { usage, help, .. } in kinds.into_iter().filter(|kind| !kind.usage.is_empty()) {
        let indented = || " ".repeat(2 + USAGE);
        let mut line = format!("  {usage:<USAGE$}");
        let mut end = |line: &mut String| {
            text.push_str(line.trim_end());
            text.push('\n');
            *line = indented();
        };
        if usage.len() > USAGE {
            end(&mut line);
        }
        for word in help.split_whitespace() {
            if line.len() + 1 + word.len() > LINE {
                end(&mut line);
            }
            line.push(' ');
            line.push_str(word);
        }
        end(&mut line);
    }
    text
}
