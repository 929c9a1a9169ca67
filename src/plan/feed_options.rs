//! What a user may set of a feed, in a plan file or by a flag.

use super::options::{NamedOptions, Options, RequestOptions};
use crate::feed::{AtEnd, Pick};
use crate::message::FeedSpec;
use crate::template::has_expression;
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

impl Options {
    /// The seed: the given one, or if there are templates, one that follows from the test's id. So values differ
    /// from test to test, and a recorded plan repeats them.
    pub(super) fn seed_for(&self, test_id: &str) -> Option<u64> {
        // 64-bit FNV-1a, as for the hash of a plan.
        let hash = test_id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let varies = !self.feeds.is_empty() || self.has_templates();
        self.seed.or_else(|| varies.then_some(hash & MAX_SEED))
    }

    fn has_templates(&self) -> bool {
        let urls = [&self.url, &self.other].into_iter().flatten();
        let named = || self.named.iter().flatten();
        let paths = named().filter_map(|one: &NamedOptions| one.url.as_ref());
        let requests = std::iter::once(&self.request).chain(named().map(|one| &one.request));
        let mut requests = requests;
        urls.chain(paths).any(|url| has_expression(url.as_bytes()))
            || requests.any(RequestOptions::has_templates)
    }
}

impl RequestOptions {
    fn has_templates(&self) -> bool {
        let in_header = self.headers.iter().any(|(_, value)| has_expression(value.as_bytes()));
        in_header || self.body.as_deref().is_some_and(has_expression)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_seed_if_something_varies() {
        let plain = Options { url: Some("http://h/".to_owned()), ..Options::default() };
        assert_eq!(plain.seed_for("t"), None);
        assert_eq!(Options { seed: Some(7), ..plain.clone() }.seed_for("t"), Some(7));
        let varying = Options { url: Some("http://h/{{uuid}}".to_owned()), ..Options::default() };
        let (one, other) = (varying.seed_for("t"), varying.seed_for("u"));
        assert!(one.is_some_and(|seed| seed <= MAX_SEED) && one != other && one == varying.seed_for("t"));
        let request = RequestOptions { body: Some(b"{{uuid}}".to_vec()), ..RequestOptions::default() };
        let named = NamedOptions { request: request.clone(), ..NamedOptions::default() };
        let cases = [
            Options { request, ..Options::default() },
            Options { named: Some(vec![named]), ..Options::default() },
            Options { feeds: vec![FeedOptions::default()], ..Options::default() },
        ];
        assert!(cases.iter().all(|options| options.seed_for("t").is_some()));
    }

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
