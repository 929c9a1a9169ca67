//! Feeds and the schedule: which rows a share uses, and when the fleet runs out of them.

use super::{Schedule, Share};
use crate::feed::{Pick, Rows, Uses};
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

/// When the fleet runs out of rows that are used once; `None` if it never does. `schedule` need not know it.
fn first_end(schedule: &Schedule, plan: &Plan, drivers: u64) -> Option<Exhausted> {
    let shares = if plan.is_ab() { 2 * drivers } else { drivers };
    let unique = plan.feeds().iter().enumerate().filter(|(_, feed)| feed.pick == Pick::Unique);
    let ends = unique.filter_map(|(index, feed)| {
        let pattern = pattern(plan, feed);
        let ticket = |part: u64| {
            let mut share = schedule.view(part % drivers, drivers);
            (share.part, share.parts) = (part, shares);
            let Draws { rows, uses, warmups } = share.draws_of(plan, feed, index as u64, &pattern);
            let left = rows.supply()?.saturating_sub(warmups);
            Some(share.fleet_ticket(uses.nth(left)?))
        };
        let requests = (0..shares).filter_map(ticket).min()?;
        Some(Exhausted { feed: feed.spec.name.clone(), rows: feed.spec.count, requests })
    });
    ends.min_by_key(|end| end.requests)
}

/// The end of a plan whose rows are used once, if that comes before the end of its count. It is known before
/// the start, for a number of drivers.
pub fn exhausted(plan: &Plan, drivers: u64) -> Option<Exhausted> {
    // Other plans need not pay for the schedule.
    plan.feeds().iter().find(|feed| feed.pick == Pick::Unique)?;
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
    match exhausted(plan, drivers) {
        Some(Exhausted { feed, rows, requests: 0 }) => {
            let (rows, drivers) = (format_count(rows), counted(drivers));
            Err(format!(
                "feed {feed}: has {rows} rows, each of which is used once: not enough for {drivers} and the \
                 warm-up. Use more rows, fewer drivers, or pick = \"cycle\""
            ))
        }
        _ => Ok(()),
    }
}

fn counted(drivers: u64) -> String {
    if drivers == 1 { "one driver".to_owned() } else { format!("{} drivers", format_count(drivers)) }
}
