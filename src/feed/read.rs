//! Reads the rows of a file, one after the other.

use super::hashing::Hashing;
use super::row::{Format, Sink};
use super::{from_csv, from_jsonl, from_urls};
use std::io::Read;

/// Reads a file to its end; returns its SHA-256, in hex.
///
/// # Errors
/// What is wrong, with the number of the line.
pub fn read(format: Format, input: impl Read, sink: &mut dyn Sink) -> Result<String, String> {
    let mut input = Hashing::new(input);
    let rows = match format {
        Format::Csv => from_csv::read(&mut input, sink)?,
        Format::Jsonl => from_jsonl::read(&mut input, sink)?,
        Format::Urls => from_urls::read(&mut input, sink)?,
    };
    if rows == 0 {
        return Err(empty(format).to_owned());
    }
    Ok(input.sha256())
}

fn empty(format: Format) -> &'static str {
    match format {
        Format::Csv => "is empty: a header line and at least one row are needed",
        Format::Jsonl => "is empty: at least one line with a JSON object is needed",
        Format::Urls => "is empty: at least one line with a URL is needed",
    }
}
