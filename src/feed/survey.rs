//! What a plan has to say about a feed.

use super::hashing::of_rows;
use super::read::{Format, Row, Sink, check_columns, read};
use std::io::Read;

/// Up to this size, rows travel in the plan, in bytes of JSON. A plan is one record of at most 1,000,000 bytes.
pub const INLINE_BYTES: usize = 512_000;

/// A feed that was read once, to be named in a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Number of rows.
    pub count: u64,
    /// SHA-256, in hex.
    pub sha256: String,
    /// All rows, if they fit in a plan.
    pub rows: Option<Vec<Vec<String>>>,
    bytes: usize,
}

/// Reads a file.
///
/// # Errors
/// What is wrong, with the number of the line.
pub fn survey(format: Format, input: impl Read) -> Result<Survey, String> {
    let mut survey = Survey { rows: Some(Vec::new()), ..Survey::default() };
    survey.sha256 = read(format, input, &mut survey)?;
    Ok(survey)
}

/// Takes rows that are written in the plan.
///
/// # Errors
/// There are none, they are too many, or the names of the columns are wrong.
pub fn survey_rows(columns: Vec<String>, rows: Vec<Vec<String>>) -> Result<Survey, String> {
    check_columns(&columns)?;
    if rows.is_empty() {
        return Err("is empty: at least one row is needed".to_owned());
    }
    let bytes = rows.iter().map(|row| json_bytes(row)).sum();
    if bytes > INLINE_BYTES {
        return Err(format!(
            "has {bytes} bytes: at most {INLINE_BYTES} fit in a plan; put the rows in a file"
        ));
    }
    let sha256 = of_rows(&columns, &rows);
    Ok(Survey { columns, count: rows.len() as u64, sha256, rows: Some(rows), bytes })
}

fn json_bytes(row: &[String]) -> usize {
    serde_json::to_string(row).map_or(0, |text| text.len() + 1)
}

impl Sink for Survey {
    fn columns(&mut self, names: &[String]) -> Result<(), String> {
        self.columns = names.to_vec();
        self.bytes = json_bytes(names);
        Ok(())
    }

    fn row(&mut self, row: &dyn Row) -> Result<(), String> {
        self.count += 1;
        let Some(rows) = &mut self.rows else { return Ok(()) };
        let row: Vec<String> = (0..self.columns.len()).map(|column| row.cell(column).to_owned()).collect();
        self.bytes += json_bytes(&row);
        if self.bytes > INLINE_BYTES {
            self.rows = None;
        } else {
            rows.push(row);
        }
        Ok(())
    }
}
