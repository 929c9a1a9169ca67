//! Which of several requests a ticket sends: a pure function of its number.
//!
//! The requests take turns by smooth weighted round-robin, as in nginx
//! (<https://github.com/nginx/nginx/commit/52327e0627f4>): each turn adds to every request's credit its
//! weight, and the request with the highest credit is next and pays the sum of all weights. After as many
//! turns as that sum, each has had exactly its weight, and none comes more often than needed in between. The
//! turns are computed once, as a table that repeats.

use crate::units::gcd;
use std::sync::Arc;

/// The repeating order of a plan's requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix {
    /// Indices of requests.
    table: Arc<[u8]>,
    requests: usize,
}

impl Mix {
    /// The only request every time.
    pub fn single() -> Mix {
        Mix::new(&[1])
    }

    /// Requests with these weights, at most 256 of them. A weight of 0 counts as 1.
    pub fn new(weights: &[u32]) -> Mix {
        let weights = weights.iter().map(|weight| u64::from(*weight).max(1));
        let divisor = weights.clone().fold(0, gcd).max(1);
        let weights: Vec<i64> = weights.map(|weight| (weight / divisor) as i64).collect();
        let all: i64 = weights.iter().sum();
        let mut credits = vec![0; weights.len()];
        let mut turn = || {
            credits.iter_mut().zip(&weights).for_each(|(credit, weight)| *credit += weight);
            // Of equal credits, the first in the plan comes first.
            let best = (0..credits.len()).rev().max_by_key(|index| credits[*index]).unwrap_or(0);
            credits.iter_mut().skip(best).take(1).for_each(|credit| *credit -= all);
            best as u8
        };
        Mix { table: (0..all.max(1)).map(|_| turn()).collect(), requests: weights.len().max(1) }
    }

    /// The turns of driver `part` (from 0) of `parts`. The drivers begin at evenly spaced places of the
    /// table, so that the fleet has the right shares at any moment.
    pub fn turns(&self, part: u64, parts: u64) -> Turns {
        let length = self.table.len() as u128;
        let offset = u128::from(part) * length / u128::from(parts.max(1)) % length;
        Turns { mix: self.clone(), offset: offset as usize }
    }

    /// How many requests take turns.
    pub fn requests(&self) -> usize {
        self.requests
    }

    /// The requests of one round, as indices in the plan.
    pub fn round(&self) -> impl Iterator<Item = usize> {
        self.table.iter().map(|request| usize::from(*request))
    }
}

/// Which request each ticket of one driver sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turns {
    mix: Mix,
    offset: usize,
}

impl Turns {
    /// The request of the driver's j-th ticket, as its index in the plan.
    #[inline]
    pub fn request(&self, j: u64) -> u32 {
        let table = &self.mix.table;
        if table.len() == 1 {
            return 0;
        }
        let turn = (j % table.len() as u64) as usize + self.offset;
        u32::from(table[if turn < table.len() { turn } else { turn - table.len() }])
    }

    /// The turn of the driver's first ticket.
    pub fn offset(&self) -> u64 {
        self.offset as u64
    }

    /// How many of the driver's first `tickets` tickets each request has.
    pub fn counts(&self, tickets: u64) -> Vec<u64> {
        let table = &self.mix.table;
        let (rounds, rest) = (tickets / table.len() as u64, tickets % table.len() as u64);
        let mut counts = vec![0; self.mix.requests];
        table.iter().for_each(|request| counts[usize::from(*request)] += rounds);
        (0..rest).for_each(|j| counts[self.request(j) as usize] += 1);
        counts
    }

    /// How many requests take turns.
    pub fn requests(&self) -> usize {
        self.mix.requests
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn order(weights: &[u32]) -> Vec<u8> {
        Mix::new(weights).table.to_vec()
    }

    #[test]
    fn requests_take_turns_smoothly() {
        assert_eq!(order(&[5, 1, 1]), [0, 0, 1, 0, 2, 0, 0], "the example in the commit to nginx");
        assert_eq!(order(&[1, 1]), [0, 1]);
        assert_eq!(order(&[20, 10]), [0, 1, 0], "only the proportion matters");
        assert_eq!(order(&[1]), [0]);
    }

    proptest! {
        #[test]
        fn each_request_has_exactly_its_weight(
            weights in prop::collection::vec(1u32..=50, 1..8), rounds in 1u64..4, parts in 1u64..9,
        ) {
            let mix = Mix::new(&weights);
            let length = mix.table.len() as u64;
            let all: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
            for part in 0..parts {
                let counts = mix.turns(part, parts).counts(rounds * length);
                for (count, weight) in counts.iter().zip(&weights) {
                    prop_assert_eq!(count * all, u64::from(*weight) * rounds * length);
                }
            }
        }

        #[test]
        fn counts_are_those_of_the_single_tickets(
            weights in prop::collection::vec(1u32..=9, 1..6), tickets in 0u64..200, part in 0u64..5,
        ) {
            let turns = Mix::new(&weights).turns(part, 5);
            let mut counted = vec![0; weights.len()];
            (0..tickets).for_each(|j| counted[turns.request(j) as usize] += 1);
            prop_assert_eq!(turns.counts(tickets), counted);
        }

        #[test]
        fn at_any_moment_no_request_is_far_from_its_share(
            weights in prop::collection::vec(1u32..=20, 2..6), parts in 1u64..7, tickets in 0u64..300,
        ) {
            let mix = Mix::new(&weights);
            let all: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
            let of_driver = |part| mix.turns(part, parts).counts(tickets);
            let mut sums = vec![0u64; weights.len()];
            for counts in (0..parts).map(of_driver) {
                sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
            for (sum, weight) in sums.iter().zip(&weights) {
                let due = (parts * tickets * u64::from(*weight)) as f64 / all as f64;
                // Each driver is off by less than the number of requests that take turns.
                let most = (parts * weights.len() as u64) as f64;
                prop_assert!((*sum as f64 - due).abs() <= most, "{sum} instead of {due}");
            }
        }
    }
}
