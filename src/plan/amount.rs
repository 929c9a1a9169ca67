//! A number in a plan, either per driver or for the whole fleet, and one driver's part of it.

/// Whether a number in a plan is per driver or for the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Per driver.
    Driver,
    /// For all drivers together.
    Fleet,
}

/// A count and its scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    /// The count.
    pub value: u64,
    /// The scope.
    pub scope: Scope,
}

impl Amount {
    /// A count per driver.
    pub fn each(value: u64) -> Amount {
        Amount { value, scope: Scope::Driver }
    }

    /// A count for all drivers together.
    pub fn total(value: u64) -> Amount {
        Amount { value, scope: Scope::Fleet }
    }

    /// The part of driver `part` (from 0) of `parts`. A total is split exactly, into parts that differ by at
    /// most 1: 10 over 3 drivers is 4, 3 and 3.
    pub fn of(self, part: u64, parts: u64) -> u64 {
        match self.scope {
            Scope::Driver => self.value,
            Scope::Fleet => self.value / parts + u64::from(part < self.value % parts),
        }
    }

    /// The total over `parts` drivers.
    pub fn of_all(self, parts: u64) -> u128 {
        match self.scope {
            Scope::Driver => u128::from(self.value) * u128::from(parts),
            Scope::Fleet => u128::from(self.value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_total_is_split_evenly() {
        let parts = |value, parts| (0..parts).map(|i| Amount::total(value).of(i, parts)).collect::<Vec<_>>();
        assert_eq!(parts(10, 3), [4, 3, 3]);
        assert_eq!(parts(2, 3), [1, 1, 0]);
        assert_eq!(Amount::each(10).of(2, 3), 10);
        assert_eq!((Amount::each(10).of_all(3), Amount::total(10).of_all(3)), (30, 10));
    }

    proptest! {
        #[test]
        fn the_parts_add_up_to_the_total(
            value in 0u64..2_000_000_000_000,
            parts in 1u64..300,
            each in any::<bool>(),
        ) {
            let amount = if each { Amount::each(value) } else { Amount::total(value) };
            let sum: u128 = (0..parts).map(|part| u128::from(amount.of(part, parts))).sum();
            prop_assert_eq!(sum, amount.of_all(parts));
        }
    }
}
