//! The rows of a feed in memory.

use super::MAX_MEMORY;
use super::read::read;
use super::row::{Format, Row, Sink};
use crate::spelling::nearest;
use crate::template::{Filter, Place};
use crate::units::{clip, format_bytes};
use std::collections::BTreeSet;
use std::io::Read;

/// A column as templates use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub column: String,
    /// How it is escaped.
    pub filter: Option<Filter>,
    /// Where it stands.
    pub places: BTreeSet<Place>,
}

/// The escaped values of the wanted columns, row by row.
#[derive(Debug, Default)]
pub struct Table {
    bytes: Vec<u8>,
    /// Where each value ends, after a leading 0.
    ends: Vec<u32>,
    columns: usize,
    rows: u64,
}

/// A table, and what its file was.
#[derive(Debug)]
pub struct Loaded {
    /// The rows.
    pub table: Table,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
}

impl Table {
    /// Reads the wanted columns of a file.
    ///
    /// # Errors
    /// What is wrong, with the number of the line.
    pub fn read(format: Format, input: impl Read, wanted: &[Wanted]) -> Result<Loaded, String> {
        let mut loader = Loader::new(wanted);
        let sha256 = read(format, input, &mut loader)?;
        Ok(Loaded { table: loader.finish(), sha256 })
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// A value. `row` is below [`Table::rows`], `column` an index of the wanted columns; anything else is
    /// empty.
    #[inline]
    pub fn cell(&self, row: u64, column: u16) -> &[u8] {
        let at = row as usize * self.columns + usize::from(column);
        match (self.ends.get(at), self.ends.get(at + 1)) {
            (Some(begin), Some(end)) if usize::from(column) < self.columns => {
                self.bytes.get(*begin as usize..*end as usize).unwrap_or_default()
            }
            _ => &[],
        }
    }

    /// Memory that it occupies, in bytes.
    pub fn memory(&self) -> u64 {
        (self.bytes.capacity() + self.ends.capacity() * size_of::<u32>()) as u64
    }
}

/// Fills a table.
struct Loader<'a> {
    wanted: &'a [Wanted],
    /// Index in the file of each wanted column.
    indices: Vec<usize>,
    table: Table,
}

impl<'a> Loader<'a> {
    fn new(wanted: &'a [Wanted]) -> Loader<'a> {
        let table = Table { ends: vec![0], columns: wanted.len(), ..Table::default() };
        Loader { wanted, indices: Vec::new(), table }
    }

    fn finish(mut self) -> Table {
        self.table.bytes.shrink_to_fit();
        self.table.ends.shrink_to_fit();
        self.table
    }
}

impl Sink for Loader<'_> {
    fn columns(&mut self, names: &[String]) -> Result<(), String> {
        let index = |wanted: &Wanted| {
            let found = names.iter().position(|name| *name == wanted.column);
            found.ok_or_else(|| unknown_column("there is", &wanted.column, names))
        };
        self.indices = self.wanted.iter().map(index).collect::<Result<_, _>>()?;
        Ok(())
    }

    fn row(&mut self, row: &dyn Row) -> Result<(), String> {
        let table = &mut self.table;
        for (wanted, index) in self.wanted.iter().zip(&self.indices) {
            let (value, begin) = (row.cell(*index).as_bytes(), table.bytes.len());
            match wanted.filter {
                Some(filter) => filter.apply(value, &mut table.bytes),
                None => table.bytes.extend_from_slice(value),
            }
            for place in &wanted.places {
                place.check(&table.bytes[begin..]).map_err(|why| format!("{} {why}", wanted.column))?;
            }
            table.ends.push(u32::try_from(table.bytes.len()).unwrap_or(u32::MAX));
        }
        table.rows += 1;
        // The limit is below the range of the offsets.
        let used = table.bytes.len() as u64 + table.ends.len() as u64 * size_of::<u32>() as u64;
        if used > MAX_MEMORY {
            let most = format_bytes(MAX_MEMORY);
            return Err(format!("the feed needs more than {most} of memory: use fewer rows or columns"));
        }
        Ok(())
    }
}

/// The error of a column that a feed does not have. `it` begins the sentence: `there is`, or `users has`.
pub fn unknown_column(it: &str, name: &str, names: &[String]) -> String {
    const MOST: usize = 20;
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    let what = format!("{it} no column {:?}", clip(name, 40));
    if let [only] = known[..]
        && only.contains([';', '\t'])
    {
        return format!("{what}: the only one is {:?}; separate columns by commas", clip(only, 100));
    }
    match nearest(name, &known) {
        Some(near) => format!("{what}: did you mean {}?", clip(near, 40)),
        None => {
            let more = if known.len() > MOST { ", …" } else { "" };
            let known: Vec<String> = known.iter().take(MOST).map(|name| clip(name, 40)).collect();
            format!("{what}: use {}{more}", known.join(", "))
        }
    }
}
