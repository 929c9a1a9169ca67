//! Finds the records that belong to aborted transactions. A read-committed Fetch returns these records too,
//! up to the oldest open transaction, together with a list of the aborted transactions.

use std::collections::BTreeSet;

/// An aborted transaction: all records of this producer from `first_offset` to its next marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aborted {
    /// The producer's id.
    pub producer: i64,
    /// The first offset of the transaction.
    pub first_offset: i64,
}

/// Tracks transactions over the batches of one response, in order.
#[derive(Debug)]
pub struct Transactions {
    /// Aborted transactions not reached yet, nearest last.
    ahead: Vec<Aborted>,
    /// Producers inside an aborted transaction.
    within: BTreeSet<i64>,
}

impl Transactions {
    /// Starts before the first batch.
    pub fn new(aborted: &[Aborted]) -> Self {
        let mut ahead = aborted.to_vec();
        ahead.sort_unstable_by_key(|transaction| std::cmp::Reverse(transaction.first_offset));
        Transactions { ahead, within: BTreeSet::new() }
    }

    /// Advances to a batch whose last record has this offset.
    pub fn advance(&mut self, last_offset: i64) {
        while let Some(next) = self.ahead.pop_if(|next| next.first_offset <= last_offset) {
            self.within.insert(next.producer);
        }
    }

    /// Whether this producer is inside an aborted transaction.
    pub fn is_aborted(&self, producer: i64) -> bool {
        self.within.contains(&producer)
    }

    /// Ends this producer's transaction.
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
