//! The parts of a parsed template.

use super::field::Function;
use super::filter::Filter;
use std::ops::Range;

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text that is sent as it is.
    Text(Vec<u8>),
    /// The driver's node id.
    Driver {
        /// How it is escaped.
        filter: Option<Filter>,
        /// Where it is written.
        at: Range<usize>,
    },
    /// A column of a feed.
    Column(Column),
    /// A generated value, and whether it is sent in base64.
    Function(Function, bool),
}

/// A column of a feed in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Name of the feed.
    pub feed: String,
    /// Name of the column.
    pub column: String,
    /// How it is escaped.
    pub filter: Option<Filter>,
    /// Where it is written.
    pub at: Range<usize>,
}
