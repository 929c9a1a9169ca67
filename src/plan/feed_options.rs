//! What a user may set of a feed, in a plan file or by a flag.

use crate::feed::{AtEnd, Format, INLINE_BYTES, Pick, bytes_in_plan, fits_in_plan, survey};
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

    /// Reads the rows that are written in the plan, if any. Returns whether there are any.
    ///
    /// # Errors
    /// What is wrong with them, with the number of the row.
    pub fn read_rows(&mut self) -> Result<bool, String> {
        let Some(rows) = &self.rows else { return Ok(false) };
        // Rows in a plan have numbers instead of lines.
        let in_rows =
            |why: String| why.strip_prefix("line ").map_or_else(|| why.clone(), |rest| format!("row {rest}"));
        let found = survey(Format::Jsonl, rows.as_bytes()).map_err(in_rows)?;
        if !fits_in_plan(rows) {
            return Err(format!("have more than {INLINE_BYTES} bytes: put them in a file"));
        }
        self.read = Some(FeedSpec {
            format: Format::Jsonl,
            columns: found.columns,
            count: found.count,
            sha256: found.sha256,
            data: Some(rows.clone()),
            ..FeedSpec::default()
        });
        Ok(true)
    }
}

/// Most that starts and rows may have together in a plan, in bytes of JSON; the rest of the 1,000,000 of a
/// record is left for everything else.
const MOST_TOGETHER: usize = 900_000;

/// How much of a plan rows may take beside starts of this many bytes.
pub(super) fn room(starts_bytes: usize) -> usize {
    INLINE_BYTES.min(MOST_TOGETHER.saturating_sub(starts_bytes))
}

/// These feeds, and those of `below` with other names, with at most `room` bytes of rows in the plan.
pub(super) fn over(above: Vec<FeedOptions>, below: Vec<FeedOptions>, room: usize) -> Vec<FeedOptions> {
    let is_new = |feed: &FeedOptions| !above.iter().any(|own| own.name == feed.name);
    let mut merged: Vec<_> = below.into_iter().filter(is_new).collect();
    merged.extend(above);
    fit_together(&mut merged, room);
    merged
}

/// Takes the largest files out of the plan until the feeds that travel in it fit together.
fn fit_together(feeds: &mut [FeedOptions], room: usize) {
    let bytes = |feed: &FeedOptions| {
        let data = feed.read.as_ref().and_then(|read| read.data.as_deref());
        data.map_or(0, bytes_in_plan)
    };
    let mut sizes: Vec<usize> = feeds.iter().map(bytes).collect();
    while sizes.iter().sum::<usize>() > room {
        let files = (0..feeds.len()).filter(|at| feeds[*at].path.is_some() && sizes[*at] > 0);
        let Some(largest) = files.max_by_key(|at| sizes[*at]) else { return };
        sizes[largest] = 0;
        if let Some(read) = &mut feeds[largest].read {
            read.data = None;
        }
    }
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
        let merged = over(vec![feed("a", "new")], vec![feed("a", "old"), feed("b", "kept")], room(0));
        assert_eq!(merged, [feed("b", "kept"), feed("a", "new")]);
    }

    #[test]
    fn feeds_that_fit_alone_but_not_together_stay_files_the_largest_first() {
        let feed = |name: &str, bytes: usize, path: Option<&str>| FeedOptions {
            name: name.to_owned(),
            path: path.map(PathBuf::from),
            read: Some(FeedSpec { data: Some("x".repeat(bytes)), ..FeedSpec::default() }),
            ..FeedOptions::default()
        };
        let feeds = vec![
            feed("small", 100_000, Some("s.csv")),
            feed("large", 300_000, Some("l.csv")),
            feed("rows", 350_000, None),
        ];
        let merged = over(feeds.clone(), Vec::new(), room(0));
        let in_plan = |feeds: &[FeedOptions]| -> Vec<String> {
            let has_data = |feed: &&FeedOptions| feed.read.as_ref().is_some_and(|read| read.data.is_some());
            feeds.iter().filter(has_data).map(|feed| feed.name.clone()).collect()
        };
        assert_eq!(in_plan(&merged), ["small", "rows"]);
        assert_eq!(in_plan(&over(feeds[..2].to_vec(), Vec::new(), room(0))), ["small", "large"]);
        let beside = |starts| in_plan(&over(feeds[..2].to_vec(), Vec::new(), room(starts)));
        assert_eq!([beside(499_000), beside(600_000)], [vec!["small", "large"], vec!["small"]]);
        assert_eq!(in_plan(&over(feeds.clone(), Vec::new(), 0)), ["rows"], "which have no file to stay in");
    }
}
