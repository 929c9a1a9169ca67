//! The lines of a text.

use super::MAX_ROW_BYTES;
use super::row::{at_line, too_long};
use crate::units::{without_mark, without_place};
use std::io::{self, BufRead, BufReader, Read};

/// Bytes read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// Reads a text line by line.
pub struct Lines<R> {
    input: BufReader<R>,
    text: Vec<u8>,
    number: u64,
}

impl<R: Read> Lines<R> {
    /// From the beginning.
    pub fn new(input: R) -> Lines<R> {
        Lines { input: BufReader::with_capacity(BUFFER_BYTES, input), text: Vec::new(), number: 0 }
    }

    /// The next line that is not blank, and its number, from 1; `None` at the end.
    ///
    /// # Errors
    /// A line that is too long, is not UTF-8, or cannot be read.
    pub fn next_line(&mut self) -> Result<Option<(u64, &str)>, String> {
        loop {
            self.text.clear();
            self.number += 1;
            let most = MAX_ROW_BYTES as u64 + 1;
            let read = self.input.by_ref().take(most).read_until(b'\n', &mut self.text);
            let count = read.map_err(|error| explain(&error, self.number))?;
            if count == 0 {
                return Ok(None);
            }
            if count > MAX_ROW_BYTES {
                return Err(at_line(self.number, too_long()));
            }
            if !self.line().trim_ascii().is_empty() {
                break;
            }
        }
        let not_text = |_| at_line(self.number, "is not UTF-8: save the file as UTF-8");
        std::str::from_utf8(self.line()).map(|text| Some((self.number, text))).map_err(not_text)
    }

    /// The line, without the mark that some editors write at the beginning of a file.
    fn line(&self) -> &[u8] {
        if self.number == 1 { without_mark(&self.text) } else { &self.text }
    }
}

/// What is wrong with the JSON of a line. The position inside a single line is only its column.
pub fn in_column(error: &serde_json::Error) -> String {
    format!("column {}: {}", error.column(), without_place(&error.to_string()))
}

fn explain(error: &io::Error, line: u64) -> String {
    match error.kind() {
        io::ErrorKind::FileTooLarge => error.to_string(),
        _ => at_line(line, error),
    }
}
