//! Which records of a partition belong to aborted transactions. A read-committed Fetch brings them all the same,
//! up to the oldest transaction that is still open, and names the aborted ones beside them.

use std::collections::BTreeSet;

/// An aborted transaction: everything of this producer from `first_offset` to its next marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aborted {
    /// The producer's number.
    pub producer: i64,
    /// The first offset of the transaction.
    pub first_offset: i64,
}

/// A walk over the batches of one answer, in order.
#[derive(Debug)]
pub struct Transactions {
    /// Those that are not reached yet, the nearest last.
    ahead: Vec<Aborted>,
    /// Producers within an aborted transaction.
    within: BTreeSet<i64>,
}

impl Transactions {
    /// Begins before the first batch.
    pub fn new(aborted: &[Aborted]) -> Self {
        let mut ahead = aborted.to_vec();
        ahead.sort_unstable_by_key(|transaction| std::cmp::Reverse(transaction.first_offset));
        Transactions { ahead, within: BTreeSet::new() }
    }

    /// Goes on to a batch whose last record has this offset.
    pub fn advance(&mut self, last_offset: i64) {
        while let Some(next) = self.ahead.pop_if(|next| next.first_offset <= last_offset) {
            self.within.insert(next.producer);
        }
    }

    /// Whether a transactional batch of this producer was aborted.
    pub fn is_aborted(&self, producer: i64) -> bool {
        self.within.contains(&producer)
    }

    /// This producer's transaction ends here.
    pub fn end(&mut self, producer: i64) {
        self.within.remove(&producer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_producer_is_aborted_from_its_first_offset_to_its_marker() {
        let aborted =
            [(7, 20), (7, 5), (8, 6)].map(|(producer, first_offset)| Aborted { producer, first_offset });
        let mut transactions = Transactions::new(&aborted);
        let mut aborted_at = |offset, producer| {
            transactions.advance(offset);
            let is_aborted = transactions.is_aborted(producer);
            if offset == 9 {
                transactions.end(producer);
            }
            is_aborted
        };
        assert!(!aborted_at(4, 7));
        assert!(aborted_at(5, 7));
        assert!(aborted_at(6, 8));
        assert!(!aborted_at(7, 9));
        assert!(aborted_at(9, 7));
        assert!(!aborted_at(10, 7), "the next transaction of the same producer");
        assert!(aborted_at(11, 8));
        assert!(aborted_at(20, 7));
    }
}
