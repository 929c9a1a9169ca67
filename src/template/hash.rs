//! Random values as pure functions: a hash of seed, field and ticket starts a small generator.

/// The increment of SplitMix64: 2^64 divided by the golden ratio, made odd.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output function of SplitMix64, a permutation of the 64-bit numbers in which every bit of the input
/// changes each bit of the output with a probability of about one half. Sources: Steele, Lea and Flood, "Fast
/// Splittable Pseudorandom Number Generators", OOPSLA 2014, and <https://prng.di.unimi.it/splitmix64.c>.
#[inline]
pub fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What distinguishes a field of a plan from the others and from the same field of a plan with another seed.
pub fn key(seed: u64, field: u64) -> u64 {
    mix(mix(seed.wrapping_add(GAMMA)).wrapping_add(field.wrapping_add(1).wrapping_mul(GAMMA)))
}

/// A generator of random numbers (SplitMix64). The same start gives the same numbers.
#[derive(Clone, Copy, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of one field for one ticket. For the same key, different tickets start differently: both
    /// steps are permutations.
    #[inline]
    pub fn new(key: u64, ticket: u64) -> Random {
        Random(mix(key ^ mix(ticket.wrapping_add(GAMMA))))
    }

    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        mix(self.0)
    }

    /// A number below `end`, each with the same probability; `end` must not be 0. Source: Lemire, "Fast
    /// Random Integer Generation in an Interval", 2019, <https://arxiv.org/abs/1805.10941>, algorithm 5.
    #[inline]
    pub fn below(&mut self, end: u64) -> u64 {
        let mut product = u128::from(self.bits()) * u128::from(end);
        if (product as u64) < end {
            let least = end.wrapping_neg() % end;
            while (product as u64) < least {
                product = u128::from(self.bits()) * u128::from(end);
            }
        }
        (product >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_generator() {
        // The first outputs of splitmix64.c from the state 1234567.
        let mut random = Random(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(expected.map(|_| random.bits()), expected);
    }

    #[test]
    fn numbers_below_an_end_are_even() {
        for end in [1, 2, 6, 10, 1_000] {
            let mut counts = vec![0u32; end as usize];
            let rounds = 1_000 * end;
            for ticket in 0..rounds {
                counts[Random::new(key(7, 3), ticket).below(end) as usize] += 1;
            }
            // Each count is binomial with a mean of 1,000; 7 standard deviations are 221.
            let (least, most) = (counts.iter().min(), counts.iter().max());
            assert!(least >= Some(&779) && most <= Some(&1_221), "{end}: {least:?} to {most:?}");
        }
    }

    #[test]
    fn an_end_that_does_not_divide_evenly_draws_again() {
        // Two thirds of all 64-bit numbers: without a second draw, a third of the results would be twice as
        // frequent as the others.
        let end = (1u64 << 63) + (1 << 62);
        let low = (0..30_000).filter(|ticket| Random::new(key(1, 1), *ticket).below(end) < end / 2).count();
        assert!((14_500..15_500).contains(&low), "{low}");
    }

    #[test]
    fn seed_field_and_ticket_each_matter() {
        let first = |seed, field, ticket| Random::new(key(seed, field), ticket).bits();
        let all = [first(0, 0, 0), first(1, 0, 0), first(0, 1, 0), first(0, 0, 1), first(1, 1, 1)];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one), "{all:x?}");
        }
    }
}
