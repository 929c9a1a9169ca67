//! How often the tickets of a driver use a feed: a closed form, so that no ticket needs to know the others.

/// Which of a driver's tickets use a feed. The pattern repeats, as the table of the weights does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uses {
    /// Uses among the first tickets of a round, from 0 to all of them.
    before: Vec<u32>,
}

impl Uses {
    /// Whether each ticket of one round uses the feed, in the driver's order. An empty round uses nothing.
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
        Uses { before }
    }

    /// How many of the driver's first `tickets` tickets use the feed.
    #[inline]
    pub fn among(&self, tickets: u64) -> u64 {
        let length = self.before.len() as u64 - 1;
        let (rounds, rest) = (tickets / length, tickets % length);
        rounds * self.per_round() + u64::from(self.before[rest as usize])
    }

    /// The ticket that makes the `used`-th use, counted from 0; `None` if the feed is never used.
    pub fn nth(&self, used: u64) -> Option<u64> {
        let per_round = self.per_round();
        let rounds = used.checked_div(per_round)?;
        let rest = (used % per_round) as u32;
        // The last ticket before which no more than these were used.
        let at = self.before.partition_point(|before| *before <= rest) as u64 - 1;
        rounds.checked_mul(self.before.len() as u64 - 1)?.checked_add(at)
    }

    fn per_round(&self) -> u64 {
        self.before.last().copied().map_or(0, u64::from)
    }
}

/// The first ticket of the fleet that would find no row, if each driver may use the feed `supply` times in the
/// measurement; `None` if that never happens. `of(part)` gives the uses and the supply of a driver.
pub fn exhausted(parts: u64, of: impl Fn(u64) -> (Uses, u64)) -> Option<u64> {
    let ticket = |part: u64| {
        let (uses, supply) = of(part);
        uses.nth(supply)?.checked_mul(parts)?.checked_add(part)
    };
    (0..parts).filter_map(ticket).min()
}
