//! What is wrong with a template, and where.

use crate::units::quoted;
use std::fmt;
use std::ops::Range;

/// Maximum number of characters of a name in an error.
const MAX_CHARS: usize = 40;

/// An error in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// The wrong part of the text, in bytes.
    pub at: Range<usize>,
    /// What is wrong with it, and what is allowed.
    pub why: String,
}

impl TemplateError {
    /// An error at a part of the text.
    pub fn new(at: Range<usize>, why: impl Into<String>) -> TemplateError {
        TemplateError { at, why: why.into() }
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// A name in an error: clipped, and in quotes unless it is plain.
pub fn shown(name: &str) -> String {
    quoted(name, MAX_CHARS)
}
