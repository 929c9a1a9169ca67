//! What checks read in a body: texts, and JSON.

use super::Seen;
use crate::units::without_mark;
use memchr::memmem::Finder;
use serde_json::Value;

/// A text to find.
#[derive(Clone, Debug)]
pub struct Text {
    text: String,
    finder: Finder<'static>,
}

impl Text {
    /// Prepares the search.
    pub fn new(text: &str) -> Text {
        Text { text: text.to_owned(), finder: Finder::new(text).into_owned() }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether these bytes contain it.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.finder.find(bytes).is_some()
    }
}

/// The body as JSON, with or without a byte order mark; `None` if it is not JSON or was not kept as a whole.
pub fn json(seen: &Seen<'_>) -> Option<Value> {
    seen.is_whole().then(|| serde_json::from_slice(without_mark(seen.body)).ok()).flatten()
}
