//! The rows of groups as JSON: a value, a pair of a key and a value, or an object.

use creel_operators::column::OwnedColumn;

use super::super::grouping::Shape;
use crate::Result;
use crate::record::json::write_string;

/// Bytes of a row that are handed on before it is whole.
const PART: usize = 64 << 10;

/// What stands around the values of a row.
pub(super) struct Labels {
    is_object: bool,
    key: String,
    names: Vec<String>,
}

impl Labels {
    /// The labels of rows of a shape.
    pub(super) fn new(shape: &Shape) -> Self {
        let label = |name: &String| {
            let mut label = String::new();
            write_string(name, &mut label);
            label.push(':');
            label
        };
        match shape {
            Shape::Value | Shape::Members(_) => {
                Self { is_object: false, key: String::new(), names: Vec::new() }
            }
            Shape::Object(key, names) => Self {
                is_object: true,
                key: key.as_ref().map(label).unwrap_or_default(),
                names: names.iter().map(label).collect(),
            },
        }
    }

    /// Writes the row of a group. `part` may take what there is of it after each member of a list: a list
    /// may be as large as the memory.
    ///
    /// # Errors
    ///
    /// If `part` fails.
    pub(super) fn write(
        &self,
        key: Option<&str>,
        results: &[OwnedColumn],
        group: usize,
        row: &mut String,
        part: &mut dyn FnMut(&mut String) -> Result<()>,
    ) -> Result<()> {
        row.clear();
        let (open, close) = match (self.is_object, key) {
            (true, _) => ("{", "}"),
            (false, Some(_)) => ("[", "]"),
            (false, None) => ("", ""),
        };
        row.push_str(open);
        if let Some(key) = key {
            row.push_str(&self.key);
            row.push_str(key);
        }
        for (at, result) in results.iter().enumerate() {
            if at > 0 || key.is_some() {
                row.push(',');
            }
            row.push_str(self.names.get(at).map_or("", String::as_str));
            match result.members(group) {
                Some((members, range)) => {
                    row.push('[');
                    for (n, member) in range.enumerate() {
                        if n > 0 {
                            row.push(',');
                        }
                        members.write_json(member, row);
                        if row.len() >= PART {
                            part(row)?;
                        }
                    }
                    row.push(']');
                }
                None => result.write_json(group, row),
            }
        }
        row.push_str(close);
        Ok(())
    }
}
