//! Feeds and the schedule: which rows a share uses, and when the fleet runs out of them.

use super::{Schedule, Share};
use crate::feed::{Rows, Uses};
use crate::plan::feeds::Feed;
use crate::plan::{Amount, Plan};
use crate::units::format_count;
use std::borrow::Borrow;

/// What a share uses of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draws {
    /// Which rows.
    pub rows: Rows,
    /// Which tickets.
    pub uses: Uses,
    /// Uses in the warm-up of an open loop.
    pub warmups: u64,
}

/// The end of a test whose rows are used once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// The name of the feed that ends first.
    pub feed: String,
    /// Its number of rows.
    pub rows: u64,
    /// Requests of the whole fleet until then.
    pub requests: u64,
}

impl Exhausted {
    /// `users has 10,000 rows: the test ends after 50,000 requests`
    pub fn sentence(&self) -> String {
        let requests = format_count(self.requests);
        format!("{} has {} rows: the test ends after {requests} requests", self.feed, format_count(self.rows))
    }
}

/// What each turn of a round uses.
fn pattern(plan: &Plan, feed: &Feed) -> Uses {
    // In an A/B test, both URLs get the same request.
    let round = plan.sent().mix().round();
    Uses::new(round.map(|request| feed.used_by.contains(&request)))
}

impl<S: Borrow<Schedule>> Share<S> {
    /// What this share uses of the feed with this index.
    pub fn draws(&self, plan: &Plan, feed: usize) -> Option<Draws> {
        let found = plan.feeds().get(feed)?;
        Some(self.draws_of(plan, found, feed as u64, &pattern(plan, found)))
    }

    fn draws_of(&self, plan: &Plan, feed: &Feed, index: u64, pattern: &Uses) -> Draws {
        let (part, parts) = (self.part, self.parts);
        let turn = if plan.is_ab() { 0 } else { plan.sent().mix().turns(part, parts).offset() };
        let uses = pattern.from_turn(turn);
        Draws {
            rows: Rows::new(feed.pick, feed.spec.count, (part, parts), plan.seed(), index),
            warmups: uses.among(self.warmup_count()),
            uses,
        }
    }

    /// The index in the fleet's schedule of this share's ticket `number`.
    #[inline]
    pub fn fleet_ticket(&self, number: u64) -> u64 {
        self.part.wrapping_add(number.wrapping_mul(self.parts))
    }
}

/// What each share of a fleet uses of a feed; in an A/B test, each half of a share.
fn fleet_draws<'a>(
    schedule: &'a Schedule,
    plan: &'a Plan,
    drivers: u64,
    (index, feed): (usize, &'a Feed),
) -> impl Iterator<Item = (Share<&'a Schedule>, Draws)> {
    let shares = if plan.is_ab() { 2 * drivers } else { drivers };
    let pattern = pattern(plan, feed);
    (0..shares).map(move |part| {
        let mut share = schedule.view(part % drivers, drivers);
        (share.part, share.parts) = (part, shares);
        let draws = share.draws_of(plan, feed, index as u64, &pattern);
        (share, draws)
    })
}

/// The feeds whose rows are used once, with their indices.
fn unique(plan: &Plan) -> impl Iterator<Item = (usize, &Feed)> {
    plan.feeds().iter().enumerate().filter(|(_, feed)| feed.ends())
}

/// When the fleet runs out of rows that are used once; `None` if it never does. `schedule` need not know it.
fn first_end(schedule: &Schedule, plan: &Plan, drivers: u64) -> Option<Exhausted> {
    let ends = unique(plan).filter_map(|(index, feed)| {
        let ticket = |(share, draws): (Share<&Schedule>, Draws)| {
            let left = draws.rows.supply()?.saturating_sub(draws.warmups);
            Some(share.fleet_ticket(draws.uses.nth(left)?))
        };
        let requests = fleet_draws(schedule, plan, drivers, (index, feed)).filter_map(ticket).min()?;
        Some(Exhausted { feed: feed.spec.name.clone(), rows: feed.spec.count, requests })
    });
    ends.min_by_key(|end| end.requests)
}

/// The end of a plan whose rows are used once, if that comes before the end of its count. It is known before
/// the start, for a number of drivers.
pub fn exhausted(plan: &Plan, drivers: u64) -> Option<Exhausted> {
    // Other plans need not pay for the schedule.
    unique(plan).next()?;
    let end = first_end(&Schedule::unlimited(plan), plan, drivers.max(1))?;
    let most = plan.count().map_or(u128::MAX, |count| count.of_all(drivers));
    (u128::from(end.requests) < most).then_some(end)
}

/// The count of a plan, which rows that are used once may shorten.
pub(super) fn count(plan: &Plan) -> Option<Amount> {
    exhausted(plan, plan.drivers()).map(|end| Amount::total(end.requests)).or(plan.count())
}

/// Checks that the rows suffice for a start.
///
/// # Errors
/// A feed that has too few rows for the drivers and their warm-up.
pub fn check(plan: &Plan, drivers: u64) -> Result<(), String> {
    if unique(plan).next().is_none() {
        return Ok(());
    }
    let (schedule, drivers) = (Schedule::unlimited(plan), drivers.max(1));
    let overruns = |found: (usize, &Feed)| {
        let mut shares = fleet_draws(&schedule, plan, drivers, found);
        shares.any(|(_, draws)| draws.rows.supply().is_some_and(|rows| draws.warmups > rows))
    };
    let nothing_left = exhausted(plan, drivers).filter(|end| end.requests == 0);
    let short = unique(plan).find(|found| {
        overruns(*found) || nothing_left.as_ref().is_some_and(|end| end.feed == found.1.spec.name)
    });
    let Some((_, feed)) = short else { return Ok(()) };
    let (name, rows) = (&feed.spec.name, format_count(feed.spec.count));
    Err(format!(
        "feed {name}: has {rows} rows, each of which is used once: not enough for {} and the warm-up. Use more \
         rows, fewer drivers, or pick = \"cycle\"",
        counted(drivers)
    ))
}

fn counted(drivers: u64) -> String {
    if drivers == 1 { "one driver".to_owned() } else { format!("{} drivers", format_count(drivers)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::Pick;
    use crate::message::{FeedSpec, NamedRequest, NodeRef, RequestSpec, TestConfig, TestType};
    use crate::template::Moment;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// A plan at 1,000/s of these requests: their weights, and whether they use the feed.
    fn plan(requests: &[(u32, bool)], rows: u64, drivers: u64, change: impl FnOnce(&mut TestConfig)) -> Plan {
        let mut config = TestConfig::new("t", TestType::Avalanche);
        config.target_url = Some("http://127.0.0.1/".to_owned());
        (config.seed, config.target_throughput) = (Some(1), Some(1_000.0));
        let feed = FeedSpec { name: "f".to_owned(), pick: Some(Pick::Unique), ..FeedSpec::default() };
        config.feeds = vec![FeedSpec { columns: vec!["id".to_owned()], count: rows, ..feed }];
        let named = |(index, (weight, uses)): (usize, &(u32, bool))| NamedRequest {
            name: format!("r{index}"),
            weight: Some(*weight),
            url: Some(if *uses { "/{{f.id}}" } else { "/" }.to_owned()),
            spec: RequestSpec::default(),
        };
        config.requests = requests.iter().enumerate().map(named).collect();
        config.drivers = (0..drivers).map(|n| NodeRef { node_id: n.to_string(), epoch: 1 }).collect();
        change(&mut config);
        Plan::as_written(&config).expect("a valid plan")
    }

    /// The rows that all drivers take, each as often as it is taken, up to the end of the schedule.
    fn taken(plan: &Plan) -> Vec<u64> {
        let schedule = Schedule::new(plan);
        let mut rows = Vec::new();
        let sides = plan.sides().count() as u64;
        for part in 0..plan.drivers() {
            for side in 0..sides {
                let share = schedule.share(part, plan.drivers()).side(side, sides);
                let draws = share.draws(plan, 0).expect("a feed");
                let end = share.planned_before(u64::MAX / 2).expect("an open loop");
                let uses = |j: u64| draws.uses.among(j + 1) > draws.uses.among(j);
                let row = |used| draws.rows.row(used, &Moment::default());
                rows.extend((0..draws.warmups).map(row));
                let measured = (0..end).filter(|j| uses(*j));
                rows.extend(measured.map(|j| row(draws.warmups + draws.uses.among(j))));
            }
        }
        rows
    }

    #[test]
    fn the_end_is_known_before_the_start() {
        let shop = |rows, drivers| plan(&[(3, false), (2, true)], rows, drivers, |_| ());
        let end = exhausted(&shop(10_000, 1), 1).expect("an end");
        assert_eq!(end.sentence(), "f has 10,000 rows: the test ends after 25,001 requests");
        assert_eq!(shop(10_000, 1).duration(), None, "nothing else ends it");
        assert_eq!(exhausted(&plan(&[(1, false)], 5, 1, |_| ()), 1), None, "no request uses it");
        let shorter = plan(&[(1, true)], 5, 1, |config| config.message_count_per_driver = Some(4));
        assert_eq!(exhausted(&shorter, 1), None, "the count ends first");
        let cycle = plan(&[(1, true)], 5, 1, |config| config.feeds[0].pick = None);
        assert_eq!(exhausted(&cycle, 1), None);
        let warm = plan(&[(1, true)], 5, 2, |config| config.warmup_ms = Some(10));
        assert!(check(&warm, 2).expect_err("too few").contains("not enough for 2 drivers and the warm-up"));
        assert_eq!(check(&shop(3, 7), 7), Ok(()), "three drivers have a row");
        // The first turn uses no row, but the warm-up uses more than there are.
        let long = plan(&[(6, false), (1, true)], 1_000, 3, |config| config.warmup_ms = Some(10_000));
        assert!(check(&long, 3).expect_err("too few").contains("1,000 rows"));
        let fits = plan(&[(6, false), (1, true)], 10_000, 3, |config| config.warmup_ms = Some(10_000));
        assert_eq!(check(&fits, 3), Ok(()));
    }

    proptest! {
        #[test]
        fn no_row_is_taken_twice_and_few_are_left(
            weights in prop::collection::vec((1u32..5, any::<bool>()), 1..5),
            rows in 60u64..300, drivers in 1u64..6, warmup_ms in 0u64..6, ab: bool,
        ) {
            let plan = plan(&weights, rows, drivers, |config| {
                config.warmup_ms = Some(warmup_ms);
                config.duration_ms = Some(5_000);
                if ab {
                    config.target_url = None;
                    config.requests.clear();
                    config.ab = vec!["http://a/{{f.id}}".to_owned(), "http://b/{{f.id}}".to_owned()];
                }
            });
            let taken = taken(&plan);
            let distinct: BTreeSet<u64> = taken.iter().copied().collect();
            prop_assert_eq!(distinct.len(), taken.len());
            prop_assert!(taken.iter().all(|row| *row < rows));
            if ab || weights.iter().any(|(_, uses)| *uses) {
                // The drivers begin at different turns, so one runs out before the others.
                let most = 20 * drivers;
                prop_assert!(rows - taken.len() as u64 <= most, "{} of {rows} rows", taken.len());
            }
        }
    }
}
