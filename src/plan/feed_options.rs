//! What a user may set of a feed, in a plan file or by a flag.

use crate::feed::{AtEnd, Pick};
use crate::message::FeedSpec;
use std::path::PathBuf;

/// The settings of a feed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeedOptions {
    /// Its name.
    pub name: String,
    /// How rows are chosen.
    pub pick: Option<Pick>,
    /// What happens when every row was used.
    pub at_end: Option<AtEnd>,
    /// The file, as it is written.
    pub file: Option<String>,
    /// Rows that are written in the plan, as lines with JSON objects.
    pub rows: Option<String>,
    /// The file on this machine.
    pub path: Option<PathBuf>,
    /// What a plan says of the feed, once it was read.
    pub read: Option<FeedSpec>,
}

impl FeedOptions {
    /// The feed as a `test_config` has it; `None` before it was read.
    pub fn spec(&self) -> Option<FeedSpec> {
        let read = self.read.clone()?;
        Some(FeedSpec { name: self.name.clone(), pick: self.pick, at_end: self.at_end, ..read })
    }
}

/// These feeds, and those of `below` with other names.
pub(super) fn over(above: Vec<FeedOptions>, below: Vec<FeedOptions>) -> Vec<FeedOptions> {
    let is_new = |feed: &FeedOptions| !above.iter().any(|own| own.name == feed.name);
    let mut merged: Vec<_> = below.into_iter().filter(is_new).collect();
    merged.extend(above);
    merged
}

/// Largest seed, so that every reader of JSON keeps it exactly.
pub const MAX_SEED: u64 = (1 << 53) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_replaces_the_one_with_its_name() {
        let feed = |name: &str, file: &str| FeedOptions {
            name: name.to_owned(),
            file: Some(file.to_owned()),
            ..FeedOptions::default()
        };
        let merged = over(vec![feed("a", "new")], vec![feed("a", "old"), feed("b", "kept")]);
        assert_eq!(merged, [feed("b", "kept"), feed("a", "new")]);
    }
}
