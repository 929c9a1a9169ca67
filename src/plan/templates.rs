//! The templates of a request.

use crate::template::{Place, Template};
use http::HeaderName;
use std::ops::Range;

/// What differs from one request to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Templates {
    /// Path and query.
    pub path: Template,
    /// The headers that the plan adds, in order.
    pub headers: Vec<(HeaderName, Template)>,
    /// The body.
    pub body: Template,
    /// Where the path begins in the text that it was read from, in bytes.
    pub path_at: usize,
}

/// A part of a request, for errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The URL.
    Url,
    /// The header with this name.
    Header(String),
    /// The body.
    Body,
    /// No single part.
    Whole,
}

impl Templates {
    /// Each template with its place.
    pub fn parts(&self) -> impl Iterator<Item = (Part, Place, &Template)> {
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| (Part::Header(name.to_string()), Place::Header, value));
        [(Part::Url, Place::Path, &self.path)].into_iter().chain(headers).chain([(
            Part::Body,
            Place::Body,
            &self.body,
        )])
    }

    /// Where an expression is in the text that its part was read from.
    pub fn place_of(&self, part: &Part, at: &Range<usize>) -> Range<usize> {
        let offset = if *part == Part::Url { self.path_at } else { 0 };
        at.start + offset..at.end + offset
    }
}
