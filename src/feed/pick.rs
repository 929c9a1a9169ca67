//! Which row a request uses: a pure function of the driver, the use and the ticket.

use crate::template::{Moment, Random, key};
use serde::{Deserialize, Serialize};

/// How rows are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pick {
    /// One after the other over the whole fleet, from the first again after the last.
    #[default]
    Cycle,
    /// By chance: any row at any time.
    Random,
    /// One after the other, each once over the whole fleet; the test ends when they run out.
    Unique,
}

impl Pick {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Pick::Cycle => "cycle",
            Pick::Random => "random",
            Pick::Unique => "unique",
        }
    }

    /// The pick of this name.
    pub fn named(name: &str) -> Option<Pick> {
        [Pick::Cycle, Pick::Random, Pick::Unique].into_iter().find(|pick| pick.name() == name)
    }
}

/// What happens when every row was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AtEnd {
    /// The test ends.
    Stop,
    /// The first row follows the last one.
    Repeat,
}

/// The pick that `pick` and `at_end` mean together. A cycle that stops at its end is the same as `unique`.
///
/// # Errors
/// The two contradict each other.
pub fn pick(pick: Pick, at_end: Option<AtEnd>) -> Result<Pick, &'static str> {
    match (pick, at_end) {
        (Pick::Cycle, Some(AtEnd::Stop)) => Ok(Pick::Unique),
        (Pick::Unique, Some(AtEnd::Repeat)) => {
            Err("repeat would use rows more than once: use pick = \"cycle\", or omit at_end")
        }
        (Pick::Random, Some(_)) => Err("does not apply to pick = \"random\", which has no end: omit it"),
        (pick, _) => Ok(pick),
    }
}

/// The rows of one driver: the u-th use on driver i of n takes row i + u·n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    pick: Pick,
    rows: u64,
    part: u64,
    parts: u64,
    key: u64,
}

/// Distinguishes the choice of rows from the generated fields of a plan, which are counted from 0.
const FEED_POSITIONS: u64 = 1 << 32;

impl Rows {
    /// The rows of driver `part` of `parts`, out of `rows`, which must not be 0, for the `feed`-th feed of a
    /// plan with this seed.
    pub fn new(pick: Pick, rows: u64, (part, parts): (u64, u64), seed: u64, feed: u64) -> Rows {
        Rows { pick, rows: rows.max(1), part, parts: parts.max(1), key: key(seed, FEED_POSITIONS + feed) }
    }

    /// The row of the driver's `used`-th use, counted from 0.
    #[inline]
    pub fn row(&self, used: u64, moment: &Moment) -> u64 {
        match self.pick {
            Pick::Random => Random::new(self.key, moment.number()).below(self.rows),
            Pick::Cycle | Pick::Unique => (self.part + used * self.parts) % self.rows,
        }
    }

    /// How many uses the driver has; `None` if there is no limit.
    pub fn supply(&self) -> Option<u64> {
        let left = self.rows.saturating_sub(self.part);
        (self.pick == Pick::Unique).then(|| left.div_ceil(self.parts))
    }
}
