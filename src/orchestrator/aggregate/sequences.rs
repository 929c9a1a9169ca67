//! Tracks which numbered reports of one driver were seen, in little memory: the gaps, not the numbers.

use std::collections::BTreeMap;

/// Maximum number of gaps that can still be filled; further ones count as permanently missing.
const MAX_GAPS: usize = 1_000;

/// The numbers 1, 2, 3… that were seen.
#[derive(Clone, Debug, Default)]
pub struct Sequences {
    highest: u64,
    /// First and last number of each gap below the highest.
    gaps: BTreeMap<u64, u64>,
    forgotten: u64,
}

impl Sequences {
    /// Notes a number; seeing it again changes nothing.
    pub fn see(&mut self, number: u64) {
        if number == 0 {
            return;
        }
        if number > self.highest {
            if number - 1 > self.highest {
                self.add_gap(self.highest + 1, number - 1);
            }
            self.highest = number;
            return;
        }
        let Some((&first, &last)) = self.gaps.range(..=number).next_back() else { return };
        if number > last {
            return;
        }
        self.gaps.remove(&first);
        if first < number {
            self.add_gap(first, number - 1);
        }
        if number < last {
            self.add_gap(number + 1, last);
        }
    }

    /// The highest number seen; 0 if none.
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// How many numbers up to the highest were never seen.
    pub fn missing(&self) -> u64 {
        let gaps = self.gaps.iter().map(|(first, last)| last - first + 1);
        gaps.fold(self.forgotten, u64::saturating_add)
    }

    fn add_gap(&mut self, first: u64, last: u64) {
        if self.gaps.len() >= MAX_GAPS {
            self.forgotten = self.forgotten.saturating_add(last - first + 1);
        } else {
            self.gaps.insert(first, last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn missing_numbers_are_those_absent_from_a_set(numbers in prop::collection::vec(1u64..60, 0..120)) {
            let mut sequences = Sequences::default();
            numbers.iter().for_each(|number| sequences.see(*number));
            let set: BTreeSet<u64> = numbers.iter().copied().collect();
            let highest = set.last().copied().unwrap_or(0);
            prop_assert_eq!(sequences.highest(), highest);
            prop_assert_eq!(sequences.missing(), highest - set.len() as u64);
        }
    }

    #[test]
    fn the_largest_number_does_not_overflow() {
        let mut sequences = Sequences::default();
        [u64::MAX, 1, u64::MAX - 1, u64::MAX].into_iter().for_each(|number| sequences.see(number));
        assert_eq!((sequences.highest(), sequences.missing()), (u64::MAX, u64::MAX - 3));
        sequences.see(u64::MAX);
        assert_eq!(sequences.missing(), u64::MAX - 3);
    }

    #[test]
    fn the_memory_of_gaps_is_bounded() {
        let mut sequences = Sequences::default();
        (1..=5_000).for_each(|n| sequences.see(2 * n));
        assert_eq!(sequences.gaps.len(), MAX_GAPS);
        assert_eq!(sequences.missing(), 5_000);
    }
}
