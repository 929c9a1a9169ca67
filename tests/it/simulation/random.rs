//! Random numbers that depend on nothing but their seed.

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A sequence for each seed.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// The sequence of one part of a simulation, independent of how often the others draw.
    pub fn of(seed: u64, part: &[u64]) -> Self {
        let mut random = Random(seed);
        for number in part {
            random = Random(random.next() ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
        random
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `most`.
    pub fn up_to(&mut self, most: u64) -> u64 {
        match most.checked_add(1) {
            Some(count) => self.next() % count,
            None => self.next(),
        }
    }

    /// True `permille` times in 1,000.
    pub fn chance(&mut self, permille: u32) -> bool {
        self.next() % 1_000 < u64::from(permille)
    }
}

#[test]
fn numbers_follow_from_the_seed() {
    // The first outputs of the reference implementation for seed 1234567.
    let mut random = Random::new(1_234_567);
    assert_eq!(random.next(), 6_457_827_717_110_365_317);
    assert_eq!(random.next(), 3_203_168_211_198_807_973);
    let draw = |part: &[u64]| Random::of(7, part).next();
    assert_eq!(draw(&[1, 2]), draw(&[1, 2]));
    assert_ne!(draw(&[1, 2]), draw(&[2, 1]));
    assert_ne!(draw(&[1]), draw(&[1, 0]));
}

#[test]
fn numbers_stay_in_their_range() {
    let mut random = Random::new(1);
    assert!((0..1_000).all(|_| random.up_to(3) <= 3));
    assert_eq!(random.up_to(0), 0);
    random.up_to(u64::MAX);
    let hits = (0..10_000).filter(|_| random.chance(100)).count();
    assert!((800..1_200).contains(&hits), "{hits} of 10,000 at 10 %");
    assert!(!(0..100).any(|_| random.chance(0)) && (0..100).all(|_| random.chance(1_000)));
}
