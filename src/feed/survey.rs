//! What a plan has to say about a feed.

use super::read::read;
use super::row::{Format, Row, Sink};
use std::io::Read;

/// Up to this size, the text of a feed travels in the plan, in bytes of JSON. A plan is one record of at most
/// 1,000,000 bytes.
pub const INLINE_BYTES: usize = 512_000;

/// A feed that was read once, to be named in a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Number of rows.
    pub count: u64,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
}

/// Reads a file to its end.
///
/// # Errors
/// What is wrong, with the number of the line.
pub fn survey(format: Format, input: impl Read) -> Result<Survey, String> {
    let mut survey = Survey::default();
    survey.sha256 = read(format, input, &mut survey)?;
    Ok(survey)
}

/// Whether a text is small enough to travel in a plan.
pub fn fits_in_plan(text: &str) -> bool {
    text.len() <= INLINE_BYTES && bytes_in_plan(text) <= INLINE_BYTES
}

/// What a text takes in a plan, in bytes of JSON.
pub fn bytes_in_plan(text: &str) -> usize {
    serde_json::to_string(text).map_or(usize::MAX, |json| json.len())
}

impl Sink for Survey {
    fn columns(&mut self, names: &[String]) -> Result<(), String> {
        self.columns = names.to_vec();
        Ok(())
    }

    fn row(&mut self, _: &dyn Row) -> Result<(), String> {
        self.count += 1;
        Ok(())
    }
}
