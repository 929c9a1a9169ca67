//! The feeds of a plan, and which requests use them.

use super::requests::Requests;
use super::rules::{PlanError, error};
use super::templates::Part;
use super::{Fixed, limits, names};
use crate::feed::{self, MAX_BYTES, MAX_COLUMNS, MAX_FEEDS, Pick};
use crate::message::{FeedSpec, TestConfig, TestType};
use crate::spelling::nearest;
use crate::units::clip;

/// A feed of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Feed {
    /// What the plan says of it.
    pub spec: FeedSpec,
    /// How rows are chosen.
    pub pick: Pick,
    /// The requests that use it, as indices into the plan's requests.
    pub used_by: Vec<usize>,
}

impl Feed {
    /// Whether the test ends with its rows.
    pub fn ends(&self) -> bool {
        self.pick == Pick::Unique && !self.used_by.is_empty()
    }
}

/// Maximum number of rows: a file has no room for more.
const MAX_ROWS: u64 = MAX_BYTES;
/// The search for unknown feeds and columns ends after this many.
const MOST_UNKNOWN: usize = 20;

/// The feeds of a plan, each with the requests that use it.
///
/// # Errors
/// Every broken rule.
pub fn read(config: &TestConfig, sent: &Requests) -> Result<Vec<Feed>, Vec<PlanError>> {
    let mut errors = Vec::new();
    if !config.feeds.is_empty() && config.seed.is_none() {
        errors.push(error("seed", "is missing: a plan with feeds needs one, because templates need one"));
    }
    if config.feeds.len() > MAX_FEEDS {
        let reason = format!("{} feeds: at most {MAX_FEEDS} are allowed", config.feeds.len());
        errors.push(error("feeds", reason));
    }
    let mut feeds = Vec::new();
    for (index, spec) in config.feeds.iter().enumerate().take(MAX_FEEDS) {
        let field = format!("feeds.{}", clip(&spec.name, limits::NAME_CHARS));
        if config.feeds[..index].iter().any(|other| other.name == spec.name) {
            errors.push(error(field.clone(), "is defined twice: use another name"));
        }
        match check(spec) {
            Ok(pick) => feeds.push(Feed { spec: spec.clone(), pick, used_by: Vec::new() }),
            Err((key, reason)) => errors.push(error(format!("{field}{key}"), reason)),
        }
    }
    if errors.is_empty() {
        errors = connect(&mut feeds, sent);
    }
    // The halves of a share take turns, so that only a feed of both has rows in the right order.
    let of_one = |feed: &&Feed| sent.is_ab() && feed.used_by.len() == 1;
    errors.extend(feeds.iter().find(of_one).map(|feed| {
        let name = &feed.spec.name;
        error("ab", format!("only one of the URLs uses the feed {name}: use it in both, or in neither"))
    }));
    errors.extend(check_warmup(config, &feeds));
    if errors.is_empty() { Ok(feeds) } else { Err(errors) }
}

/// Checks one feed. The error has the key, if a single one is wrong.
fn check(spec: &FeedSpec) -> Result<Pick, (&'static str, String)> {
    names::check(&spec.name).map_err(|why| ("", why))?;
    if spec.count > MAX_ROWS || spec.columns.len() > MAX_COLUMNS {
        return Err(("", format!("has too many rows or columns: at most {MAX_ROWS} and {MAX_COLUMNS}")));
    }
    if spec.count == 0 || spec.columns.is_empty() {
        return Err(("", "is empty: columns and count must say what it contains".to_owned()));
    }
    if let Some(file) = spec.file.as_deref().filter(|file| !is_plain(file)) {
        let why = format!("{:?} must be the name of a file, without folders", clip(file, 100));
        return Err((".file", why));
    }
    feed::pick(spec.pick.unwrap_or_default(), spec.at_end).map_err(|why| (".at_end", why.to_owned()))
}

/// Whether this is the name of a file in a folder, and cannot lead out of it.
pub fn is_plain(file: &str) -> bool {
    !file.is_empty() && file != "." && file != ".." && !file.contains(['/', '\\', '\0'])
}

/// Notes which requests use which feed; returns what they use and does not exist, the first of it.
fn connect(feeds: &mut [Feed], sent: &Requests) -> Vec<PlanError> {
    let mut errors = Vec::new();
    for (index, request) in sent.list().iter().enumerate() {
        let Some(templates) = request.templates() else { continue };
        for (part, _, template) in templates.parts() {
            for column in template.columns() {
                let found = feeds.iter().position(|feed| feed.spec.name == column.feed);
                let wrong = match found {
                    None => Some(unknown_feed(&column.feed, feeds)),
                    Some(at) => {
                        let feed = &mut feeds[at];
                        if !feed.used_by.contains(&index) {
                            feed.used_by.push(index);
                        }
                        let is_known = feed.spec.columns.contains(&column.column);
                        let it = format!("{} has", column.feed);
                        (!is_known).then(|| feed::unknown_column(&it, &column.column, &feed.spec.columns))
                    }
                };
                let at = Some(templates.place_of(&part, &column.at));
                errors.extend(wrong.map(|why| PlanError { part: at, ..sent.error(index, &part, why) }));
                if errors.len() == MOST_UNKNOWN {
                    return errors;
                }
            }
        }
    }
    errors
}

fn unknown_feed(name: &str, feeds: &[Feed]) -> String {
    let names: Vec<&str> = feeds.iter().map(|feed| feed.spec.name.as_str()).collect();
    let what = format!("there is no feed {}", clip(name, limits::NAME_CHARS));
    match nearest(name, &names) {
        Some(near) => format!("{what}: did you mean {near}?"),
        None if names.is_empty() => {
            format!(
                "{what}: define it as [feeds.{0}] in a plan file, or with --feed {0}=FILE",
                clip(name, limits::NAME_CHARS)
            )
        }
        None => format!("{what}: use {}", names.join(", ")),
    }
}

/// In a closed loop, the warm-up uses as many rows as it gets to, so nobody knows which are left.
fn check_warmup(config: &TestConfig, feeds: &[Feed]) -> Option<PlanError> {
    let unique = feeds.iter().find(|feed| feed.ends())?;
    // If a plan of the type TSUNAMI has no interval, each driver has its own.
    let is_paced = Fixed::by(config).paced || config.test_type == TestType::Tsunami;
    let warms_up = config.warmup_ms.is_some_and(|ms| ms > 0);
    (warms_up && !is_paced).then(|| {
        let name = &unique.spec.name;
        let reason = format!(
            "conflicts with the feed {name}, whose rows are used once: without a rate, it is not known how many \
             of them the warm-up uses. Set a rate, or omit the warm-up"
        );
        error("warmup_ms", reason)
    })
}

impl Requests {
    /// An error in a part of the request with this index.
    pub(super) fn error(&self, index: usize, part: &Part, reason: String) -> PlanError {
        error(self.field(index, part), reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::RequestSpec;
    use crate::plan::Plan;
    use crate::plan::feed_options::MAX_SEED;

    fn config(body: &str) -> TestConfig {
        let mut config = TestConfig::new("t", TestType::Avalanche);
        config.target_url = Some("http://h/".to_owned());
        let spec = RequestSpec {
            method: Some("POST".to_owned()),
            body: Some(body.to_owned()),
            ..RequestSpec::default()
        };
        let columns = (0..MAX_COLUMNS).map(|n| format!("{n}{}", "x".repeat(3_000))).collect();
        let feed = FeedSpec { name: "f".to_owned(), columns, count: 9, ..FeedSpec::default() };
        (config.request, config.feeds, config.seed) = (Some(spec), vec![feed], Some(1));
        config
    }

    #[test]
    fn the_search_for_unknown_columns_ends_early() {
        let body: String = (0..1_000).map(|n| format!("{{{{f.c{n}}}}}")).collect();
        let errors = Plan::as_written(&config(&body)).expect_err("unknown columns");
        assert_eq!(errors.len(), MOST_UNKNOWN, "{}", errors.len());
        assert!(errors[0].to_string().contains("f has no column \"c0\": use "), "{}", errors[0]);
    }

    #[test]
    fn a_seed_is_a_number_that_every_reader_keeps() {
        let with = |seed: u64| Plan::as_written(&TestConfig { seed: Some(seed), ..config("") });
        assert!(with(MAX_SEED).is_ok());
        let errors = with(MAX_SEED + 1).expect_err("too large");
        assert_eq!(errors[0].field, "seed", "{}", errors[0]);
    }
}
