//! Feeds: rows of data for the requests of a plan.
//!
//! A feed is a CSV file with a header line, a file with one JSON object a line, or a list of URLs; small ones
//! travel in the plan. It is read once per driver. Only the columns that templates use are kept, escaped as
//! they use them: one block of bytes and one offset per cell, which all workers share.

mod from_csv;
mod from_jsonl;
mod from_urls;
mod hashing;
mod lines;
mod pick;
mod read;
mod row;
mod supply;
mod survey;
mod table;
mod uses;

pub use from_urls::{Address, PATH, two_origins};
pub use hashing::sha256;
pub use lines::{Lines, in_column};
pub use pick::{AtEnd, Pick, Rows, pick};
pub use row::{Format, Row, Sink};
pub use supply::{Supplied, Supply, Taken};
pub use survey::{INLINE_BYTES, Survey, bytes_in_plan, fits_in_plan, survey};
pub use table::{Loaded, Table, Wanted, unknown_column};
pub use uses::Uses;

/// Largest file of a feed, in bytes.
pub const MAX_BYTES: u64 = 1 << 30;
/// Most that the rows of a feed may occupy in memory, in bytes.
pub const MAX_MEMORY: u64 = 2 << 30;
/// Maximum number of columns.
pub const MAX_COLUMNS: usize = 1_000;
/// Maximum length of a row in its file, in bytes. A request could not be larger.
pub const MAX_ROW_BYTES: usize = 1_000_000;
/// Maximum number of feeds of a plan.
pub const MAX_FEEDS: usize = 16;

#[cfg(test)]
mod tests;
