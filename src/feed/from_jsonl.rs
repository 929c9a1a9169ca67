//! Rows from lines with JSON objects.

use super::lines::{Lines, in_column};
use super::row::{Row, Sink, at_line, check_columns};
use crate::units::clip;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::io::Read;

/// Reads all rows; returns their number.
pub fn read(input: impl Read, sink: &mut dyn Sink) -> Result<u64, String> {
    let (mut lines, mut rows) = (Lines::new(input), 0);
    let mut columns: Vec<String> = Vec::new();
    while let Some((line, text)) = lines.next_line()? {
        let row = parse(text).map_err(|why| at_line(line, why))?;
        if columns.is_empty() {
            columns = row.0.iter().map(|(name, _)| name.to_string()).collect();
            check_columns(&columns)
                .and_then(|()| sink.columns(&columns))
                .map_err(|why| at_line(line, why))?;
        }
        let row = row.ordered(&columns).map_err(|why| at_line(line, why))?;
        sink.row(&Ordered(row)).map_err(|why| at_line(line, why))?;
        rows += 1;
    }
    Ok(rows)
}

fn parse(text: &str) -> Result<Object<'_>, String> {
    let read = serde_json::from_str(text);
    read.map_err(|error| {
        format!("{}: each line must be a JSON object, like {{\"id\": 7}}", in_column(&error))
    })
}

/// The keys of an object in their order, with their values as written.
struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// The values of these columns. Keys that are no columns are ignored.
    fn ordered(self, columns: &[String]) -> Result<Vec<Cow<'a, str>>, String> {
        let mut cells = vec![None; columns.len()];
        for (at, (name, value)) in self.0.into_iter().enumerate() {
            // Most rows have the same keys in the same order.
            let here = columns.get(at).filter(|column| **column == name).map(|_| at);
            let Some(at) = here.or_else(|| columns.iter().position(|column| *column == name)) else {
                continue;
            };
            if cells[at].is_some() {
                return Err(format!("has the key {:?} twice", clip(&name, 40)));
            }
            cells[at] = Some(text(value)?);
        }
        let missing = cells.iter().position(Option::is_none);
        if let Some(missing) = missing.and_then(|at| columns.get(at)) {
            return Err(format!("lacks {:?}, which the first line has", clip(missing, 40)));
        }
        Ok(cells.into_iter().flatten().collect())
    }
}

/// A value as text: strings without quotes, `null` as nothing, everything else as written.
fn text(value: &RawValue) -> Result<Cow<'_, str>, String> {
    match value.get() {
        "null" => Ok(Cow::Borrowed("")),
        text if text.starts_with('"') => {
            let string: String = serde_json::from_str(text).map_err(|error| error.to_string())?;
            Ok(Cow::Owned(string))
        }
        text => Ok(Cow::Borrowed(text)),
    }
}

struct Ordered<'a>(Vec<Cow<'a, str>>);

impl Row for Ordered<'_> {
    fn cell(&self, column: usize) -> &str {
        self.0.get(column).map_or("", |cell| cell)
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    entries.push((Cow::Owned(key), value));
                }
                Ok(Object(entries))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}
