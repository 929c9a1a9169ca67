//! Rows from CSV.

use super::MAX_ROW_BYTES;
use super::row::{Row, Sink, at_line, check_columns, too_long};
use csv::{ErrorKind, ReaderBuilder, StringRecord};
use std::io::{self, Read};

/// Bytes read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// Ends a row that does not end: its parser would keep all of it in memory.
struct Bounded<R> {
    inner: R,
    /// Bytes that the current row may still read.
    left: usize,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other(too_long()));
        }
        let most = buffer.len().min(self.left);
        let count = self.inner.read(&mut buffer[..most])?;
        self.left -= count;
        Ok(count)
    }
}

impl Row for StringRecord {
    fn cell(&self, column: usize) -> &str {
        self.get(column).unwrap_or_default()
    }
}

/// Reads all rows; returns their number.
pub fn read(input: impl Read, sink: &mut dyn Sink) -> Result<u64, String> {
    let input = Bounded { inner: input, left: MAX_ROW_BYTES };
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(BUFFER_BYTES)
        .from_reader(input);
    let (mut record, mut rows, mut columns) = (StringRecord::new(), 0, 0);
    loop {
        let before = reader.position().line();
        // A part of the row may have been read together with the previous one.
        reader.get_mut().left = MAX_ROW_BYTES;
        if !reader.read_record(&mut record).map_err(|error| explain(error, before))? {
            return Ok(rows);
        }
        let line = record.position().map_or(before, csv::Position::line);
        if columns == 0 {
            let names: Vec<String> = record.iter().map(|name| name.trim().to_owned()).collect();
            check_columns(&names).and_then(|()| sink.columns(&names)).map_err(|why| at_line(line, why))?;
            columns = names.len();
            continue;
        }
        if record.len() != columns {
            let hint = if record.len() > columns { ": put values that contain commas in quotes" } else { "" };
            let plural = if record.len() == 1 { "" } else { "s" };
            let why = format!("has {} column{plural}, but the header has {columns}{hint}", record.len());
            return Err(at_line(line, why));
        }
        sink.row(&record).map_err(|why| at_line(line, why))?;
        rows += 1;
    }
}

/// The parser's error. `line` is where the row begins unless the error knows better.
fn explain(error: csv::Error, line: u64) -> String {
    match error.into_kind() {
        ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => error.to_string(),
        ErrorKind::Io(error) => at_line(line, error),
        ErrorKind::Utf8 { pos, err } => {
            let line = pos.map_or(line, |pos| pos.line());
            let why = format!("column {} is not UTF-8: save the file as UTF-8", err.field() + 1);
            at_line(line, why)
        }
        other => at_line(line, format!("malformed: {other:?}")),
    }
}
