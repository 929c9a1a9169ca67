//! The starts of recorded requests in a `test_config`.

use super::tolerant::number;
use crate::units::gcd;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// Maximum length of `gaps`, in characters. A plan is one record of at most 1,000,000 bytes; this is room for
/// 525,000 requests with gaps of up to 127 units, for 262,500 of up to 16,383 units, and for more than
/// 100,000 whatever their gaps are within 7 days.
pub const MAX_GAPS_CHARS: usize = 700_000;
/// Maximum number of starts: each takes at least a byte before base64.
pub const MAX_STARTS: usize = MAX_GAPS_CHARS / 4 * 3;

/// When each request starts, in ascending order, after the beginning of the measurement: the gaps between
/// them (the first one from 0) as whole numbers of a unit, each in LEB128 (DWARF 5, section 7.6), in base64.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedStarts {
    /// Number of requests.
    #[serde(deserialize_with = "number")]
    pub count: u64,
    /// The last start, in µs.
    #[serde(deserialize_with = "number")]
    pub last_us: u64,
    /// The unit, in µs.
    #[serde(deserialize_with = "number")]
    pub unit_us: u64,
    /// The gaps; results do not have them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub gaps: String,
}

impl RecordedStarts {
    /// Encodes starts in µs, in ascending order.
    ///
    /// # Errors
    /// How many of them there is room for.
    pub fn encode(starts_us: &[u64]) -> Result<RecordedStarts, usize> {
        let unit_us = starts_us.iter().fold(0, |all, start| gcd(all, *start)).max(1);
        let (mut bytes, mut before) = (Vec::with_capacity(starts_us.len() * 2), 0);
        for (index, start) in starts_us.iter().enumerate() {
            write(start.saturating_sub(before) / unit_us, &mut bytes);
            before = *start;
            if bytes.len() > MAX_STARTS {
                return Err(index);
            }
        }
        let gaps = STANDARD.encode(bytes);
        Ok(RecordedStarts { count: starts_us.len() as u64, last_us: before, unit_us, gaps })
    }

    /// The starts in µs, in ascending order.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn decode(&self) -> Result<Vec<u64>, String> {
        if self.gaps.len() > MAX_GAPS_CHARS {
            return Err(format!("gaps has {} characters: at most {MAX_GAPS_CHARS}", self.gaps.len()));
        }
        let bytes = STANDARD.decode(&self.gaps).map_err(|error| format!("gaps is not base64: {error}"))?;
        let (mut rest, mut before, mut starts) = (&bytes[..], 0u64, Vec::with_capacity(bytes.len()));
        while !rest.is_empty() {
            let gap = read(&mut rest).and_then(|gap| gap.checked_mul(self.unit_us));
            let start = gap.and_then(|gap| before.checked_add(gap));
            before = start.ok_or("gaps has a number that is cut off or too large")?;
            starts.push(before);
        }
        if starts.is_empty() || starts.len() as u64 != self.count || before != self.last_us {
            return Err(format!(
                "gaps has {} starts up to {before} us, but count and last_us say {} up to {} us",
                starts.len(),
                self.count,
                self.last_us
            ));
        }
        Ok(starts)
    }
}

/// Seven bits of the number in each byte, the lowest ones first; the highest bit says that more follow.
fn write(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// `None` if the number is cut off or too large.
fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::{TestConfig, TestType, decode_config, encode};
    use super::*;
    use proptest::prelude::*;

    /// As many starts as fit, with this gap.
    fn most(gap_us: u64) -> usize {
        // Gaps of one more keep the unit at 1 us.
        let starts: Vec<u64> = (0..MAX_STARTS as u64 + 1).map(|k| k * gap_us + k % 2).collect();
        let found = RecordedStarts::encode(&starts).expect_err("too many");
        let fitting = RecordedStarts::encode(&starts[..found]).expect("fits");
        assert!(fitting.gaps.len() <= MAX_GAPS_CHARS);
        assert_eq!(fitting.decode().as_deref(), Ok(&starts[..found]));
        found
    }

    #[test]
    fn there_is_room_for_at_least_100_000_starts() {
        assert_eq!(most(100), 525_000, "a byte each");
        assert_eq!(most(1_000), 262_500, "two bytes each, but the first");
        assert_eq!(most(100_000), 175_000);
        // The longest mean gap that 100,000 starts can have within 7 days.
        assert_eq!(most(6_047_000), 131_250);
    }

    #[test]
    fn the_unit_is_as_large_as_it_can_be() {
        let starts = RecordedStarts::encode(&[0, 2_000, 7_000, 7_000]).expect("fits");
        let expected =
            RecordedStarts { count: 4, last_us: 7_000, unit_us: 1_000, gaps: "AAIFAA==".to_owned() };
        assert_eq!(starts, expected);
        assert_eq!(RecordedStarts::encode(&[0]).expect("fits").decode(), Ok(vec![0]));
    }

    /// A driver that does not know them reads another plan, so it refuses the test.
    #[test]
    fn the_starts_are_a_part_of_the_plan_that_drivers_agree_on() {
        let hash = |starts_us: Option<&[u64]>| {
            let mut config = TestConfig::new("t", TestType::Avalanche);
            config.starts = starts_us.map(|starts_us| RecordedStarts::encode(starts_us).expect("fits"));
            assert_eq!(decode_config(&encode(&config)), Ok(config.clone()));
            config.plan_hash()
        };
        let hashes = [hash(None), hash(Some(&[0, 1, 5])), hash(Some(&[0, 2, 5]))];
        assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2] && hashes[0] != hashes[2], "{hashes:?}");
    }

    #[test]
    fn wrong_gaps_are_refused() {
        let starts = |count, last_us, unit_us, gaps: &str| {
            let gaps = gaps.to_owned();
            RecordedStarts { count, last_us, unit_us, gaps }.decode().expect_err("wrong")
        };
        let cut_off = "gaps has a number that is cut off or too large";
        assert_eq!(starts(1, 1, 1, "gA=="), cut_off);
        assert_eq!(starts(1, 1, 1, &STANDARD.encode([0xff; 12])), cut_off);
        assert_eq!(starts(2, 0, u64::MAX, &STANDARD.encode([1, 1])), cut_off);
        assert_eq!(
            starts(3, 2, 1, &STANDARD.encode([1, 1])),
            "gaps has 2 starts up to 2 us, but count and last_us say 3 up to 2 us"
        );
        assert!(starts(0, 0, 1, "").contains("0 starts"));
        assert!(starts(1, 1, 1, "?").contains("not base64"));
        assert!(starts(1, 1, 1, &"A".repeat(MAX_GAPS_CHARS + 4)).contains("at most 700000"));
    }

    proptest! {
        #[test]
        fn starts_read_back(mut starts in prop::collection::vec(0u64..1 << 40, 1..50), unit in 1u64..2_000) {
            starts.iter_mut().for_each(|start| *start *= unit);
            starts.sort_unstable();
            let encoded = RecordedStarts::encode(&starts).expect("fits");
            prop_assert_eq!(encoded.unit_us % unit, 0);
            prop_assert_eq!(encoded.decode(), Ok(starts));
        }
    }
}
