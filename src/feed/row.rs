//! Rows, whatever they are read from.

use super::{MAX_COLUMNS, MAX_ROW_BYTES};
use crate::units::clip;
use serde::{Deserialize, Serialize};

/// How the rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Comma-separated values with a header line (RFC 4180).
    #[default]
    Csv,
    /// One JSON object a line; the keys of the first one are the columns.
    Jsonl,
    /// One path or absolute URL a line, or a JSON object with a `path`; all have the same origin.
    Urls,
}

impl Format {
    /// The format that a file's extension implies.
    ///
    /// # Errors
    /// The name has another ending.
    pub fn of(file: &str) -> Result<Format, String> {
        let ending = file.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        match ending.as_deref() {
            Some("csv") => Ok(Format::Csv),
            Some("jsonl" | "ndjson") => Ok(Format::Jsonl),
            _ => Err("must end in .csv (with a header line), .jsonl or .ndjson".to_owned()),
        }
    }
}

/// One row.
pub trait Row {
    /// The value in a column, by its index.
    fn cell(&self, column: usize) -> &str;
}

/// Takes what is read.
pub trait Sink {
    /// The names of the columns, which are distinct; called once, before any row.
    ///
    /// # Errors
    /// A column is missing.
    fn columns(&mut self, names: &[String]) -> Result<(), String>;

    /// The next row, which has all columns.
    ///
    /// # Errors
    /// A value cannot be used.
    fn row(&mut self, row: &dyn Row) -> Result<(), String>;
}

/// Checks the names of the columns.
///
/// # Errors
/// There are none or too many of them, or one occurs twice or is empty.
pub fn check_columns(names: &[String]) -> Result<(), String> {
    if !(1..=MAX_COLUMNS).contains(&names.len()) {
        return Err(format!("has {} columns: use 1 to {MAX_COLUMNS}", names.len()));
    }
    for (at, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(format!("column {} has no name", at + 1));
        }
        if let Some(first) = names[..at].iter().position(|other| other == name) {
            let name = clip(name, 40);
            return Err(format!("columns {} and {} are both called {name}", first + 1, at + 1));
        }
    }
    Ok(())
}

/// The error of a row that is too long.
pub fn too_long() -> String {
    format!("the row is longer than {MAX_ROW_BYTES} bytes: is a quote or a line break missing?")
}

/// Adds the number of the line to an error.
pub fn at_line(line: u64, why: impl std::fmt::Display) -> String {
    format!("line {line}: {why}")
}
