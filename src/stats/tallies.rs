//! A worker's tallies, one for each request of the plan.

use super::tally::Tally;

/// Tallies by request. A request that is not sent in an interval takes no memory, since a driver may have
/// thousands of workers and a plan many requests.
#[derive(Clone, Debug)]
pub struct Tallies(Vec<Option<Box<Tally>>>);

impl Tallies {
    /// Tallies for this many requests.
    pub fn new(requests: usize) -> Tallies {
        let mut tallies = vec![None; requests.max(1)];
        // The first one also has what is counted for all requests together.
        tallies[0] = Some(Box::default());
        Tallies(tallies)
    }

    /// The tally of a request.
    #[inline]
    pub fn of(&mut self, request: u32) -> &mut Tally {
        self.0[request as usize].get_or_insert_with(Box::default)
    }

    /// Empty tallies with capacity for about as much as these hold.
    pub fn fresh(&self) -> Tallies {
        let fresh = |tally: &Tally| Box::new(tally.fresh());
        let is_used = |index: usize, tally: &Tally| index == 0 || !tally.is_empty();
        let used = self
            .0
            .iter()
            .enumerate()
            .map(|(index, tally)| tally.as_deref().filter(|tally| is_used(index, tally)).map(fresh));
        Tallies(used.collect())
    }

    /// All of them that count anything, each with the index of its request.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Tally)> {
        self.0.iter().enumerate().filter_map(|(index, tally)| Some((index, tally.as_deref()?)))
    }

    /// How many requests the plan has.
    pub fn requests(&self) -> u32 {
        self.0.len() as u32
    }

    /// Requests whose sending began.
    pub fn sent(&self) -> u64 {
        self.iter().map(|(_, tally)| tally.sent).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_that_were_sent_take_memory() {
        let mut tallies = Tallies::new(50);
        let used = |tallies: &Tallies| tallies.iter().map(|(index, _)| index).collect::<Vec<_>>();
        assert_eq!(used(&tallies), [0]);
        tallies.of(7).record_sent(1, false);
        tallies.of(7).record_sent(1, false);
        tallies.of(0).record_sent(1, false);
        assert_eq!((used(&tallies), tallies.sent()), (vec![0, 7], 3));
        let mut fresh = tallies.fresh();
        assert_eq!((used(&fresh), fresh.sent()), (vec![0, 7], 0));
        fresh.of(9).warmup_sent += 1;
        assert_eq!(used(&fresh.fresh()), [0, 9], "a request that is not sent any more is dropped");
    }
}
