//! How often the tickets of a driver use a feed: a closed form, so that no ticket needs to know the others.

use std::sync::Arc;

/// Which of a driver's tickets use a feed. The pattern repeats, as the table of the weights does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uses {
    /// Uses among the first turns of a round, from 0 to all of them.
    before: Arc<[u32]>,
    /// The turn of the driver's first ticket.
    offset: u64,
}

impl Uses {
    /// Whether each turn of a round uses the feed. An empty round uses nothing.
    pub fn new(round: impl IntoIterator<Item = bool>) -> Uses {
        let mut before = vec![0];
        let mut sum = 0u32;
        for uses in round {
            sum += u32::from(uses);
            before.push(sum);
        }
        if before.len() == 1 {
            before.push(0);
        }
        Uses { before: before.into(), offset: 0 }
    }

    /// The same pattern for a driver whose first ticket takes another turn.
    #[must_use]
    pub fn from_turn(&self, offset: u64) -> Uses {
        Uses { before: Arc::clone(&self.before), offset: offset % self.turns() }
    }

    /// How many of the driver's first `tickets` tickets use the feed.
    #[inline]
    pub fn among(&self, tickets: u64) -> u64 {
        self.before_turn(self.offset + tickets) - u64::from(self.before[self.offset as usize])
    }

    /// The ticket that makes the `used`-th use, counted from 0; `None` if the feed is never used.
    pub fn nth(&self, used: u64) -> Option<u64> {
        let used = used.checked_add(u64::from(self.before[self.offset as usize]))?;
        let per_round = self.before.last().copied().map_or(0, u64::from);
        let rounds = used.checked_div(per_round)?;
        let rest = (used % per_round) as u32;
        // The last turn before which no more than these were used.
        let turn = self.before.partition_point(|before| *before <= rest) as u64 - 1;
        rounds.checked_mul(self.turns())?.checked_add(turn)?.checked_sub(self.offset)
    }

    #[inline]
    fn before_turn(&self, turn: u64) -> u64 {
        let turns = self.turns();
        // Most plans have one request, which always or never uses the feed.
        if turns == 1 {
            return turn * u64::from(self.before[1]);
        }
        let per_round = u64::from(self.before[turns as usize]);
        turn / turns * per_round + u64::from(self.before[(turn % turns) as usize])
    }

    #[inline]
    fn turns(&self) -> u64 {
        self.before.len() as u64 - 1
    }
}
