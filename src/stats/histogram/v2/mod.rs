//! Reads HdrHistogram's V2 encoding, plain or deflated, from untrusted sources: every length and bound is
//! checked before memory is allocated, and no histogram of a foreign shape is ever built.
//!
//! Format:
//! <https://github.com/HdrHistogram/HdrHistogram/blob/master/src/main/java/org/HdrHistogram/EncodableHistogram.java>
//! and the classes next to it.

use flate2::{Decompress, FlushDecompress, Status};
use std::cell::RefCell;
use std::fmt::Display;

/// Marks the plain form.
const COOKIE: u32 = 0x1c84_9313;
/// Marks the deflated form.
const DEFLATED_COOKIE: u32 = 0x1c84_9314;
/// Largest plain form that is accepted, in bytes. The widest one, with 3 digits from 1 to 2^64 and every
/// count at its longest, has 513,000.
pub const MAX_PLAIN_BYTES: usize = 1 << 19;
/// Maximum samples in one histogram. Sums over every possible fleet stay in range.
pub const MAX_SAMPLES: u64 = 1_000_000_000_000_000;
/// Maximum number of significant digits in the format.
const MAX_DIGITS: u32 = 5;

/// Calls `each` with the highest value and the count of every nonempty bucket. It may have been called before
/// an error is returned.
///
/// # Errors
/// A description of what is wrong with the bytes.
pub fn read(bytes: &[u8], each: impl FnMut(u64, u64)) -> Result<(), String> {
    let mut fields = Fields(bytes);
    match fields.u32()? {
        COOKIE => read_plain(fields, each),
        DEFLATED_COOKIE => {
            let length = fields.u32()? as usize;
            let there = fields.0.len();
            let deflated = fields
                .0
                .get(..length)
                .ok_or_else(|| format!("it announces {length} deflated bytes but has {there}"))?;
            let plain = inflate(deflated)?;
            let mut fields = Fields(&plain);
            match fields.u32()? {
                COOKIE => read_plain(fields, each),
                other => Err(format!("the inflated form begins with {other:#x}, not with {COOKIE:#x}")),
            }
        }
        other => Err(format!("it begins with {other:#x}, not with {DEFLATED_COOKIE:#x}")),
    }
}

thread_local! {
    /// Reused, since setting up its tables takes longer than inflating an ordinary histogram.
    static INFLATER: RefCell<Decompress> = RefCell::new(Decompress::new(true));
}

fn inflate(deflated: &[u8]) -> Result<Vec<u8>, String> {
    let failed = |what: &dyn Display| format!("it cannot be inflated: {what}");
    INFLATER.with_borrow_mut(|inflater| {
        inflater.reset(true);
        let mut plain = Vec::with_capacity(deflated.len().saturating_mul(4).clamp(64, MAX_PLAIN_BYTES + 1));
        loop {
            let before = (inflater.total_in(), plain.len());
            let rest = deflated.get(before.0 as usize..).unwrap_or_default();
            let status = inflater.decompress_vec(rest, &mut plain, FlushDecompress::None);
            match status.map_err(|e| failed(&e))? {
                _ if plain.len() > MAX_PLAIN_BYTES => {
                    return Err(format!("it inflates to more than {MAX_PLAIN_BYTES} bytes"));
                }
                Status::StreamEnd => return Ok(plain),
                _ if plain.len() == plain.capacity() => {
                    plain.reserve_exact(plain.len().min(MAX_PLAIN_BYTES + 1 - plain.len()));
                }
                _ if (inflater.total_in(), plain.len()) == before => return Err(failed(&"it is truncated")),
                _ => {}
            }
        }
    })
}

/// Reads what follows the cookie of the plain form.
fn read_plain(mut fields: Fields<'_>, mut each: impl FnMut(u64, u64)) -> Result<(), String> {
    let length = fields.u32()? as usize;
    let offset = fields.u32()?;
    let digits = fields.u32()?;
    let (lowest, highest) = (fields.u64()?, fields.u64()?);
    let ratio = f64::from_bits(fields.u64()?);
    if offset != 0 || ratio != 1.0 {
        return Err(format!("a normalizing offset ({offset}) or a ratio ({ratio}) is not supported"));
    }
    let shape = Shape::new(digits, lowest, highest)?;
    let there = fields.0.len();
    let mut counts = Fields(
        fields
            .0
            .get(..length)
            .ok_or_else(|| format!("it announces {length} bytes of counts but has {there}"))?,
    );
    let (mut index, mut total) = (0u64, 0u64);
    while !counts.0.is_empty() {
        // Zigzag: a negative number is a run of empty buckets.
        let zigzag = counts.varint()?;
        let number = ((zigzag >> 1) as i64) ^ -((zigzag & 1) as i64);
        if number < 0 {
            index = index.saturating_add(number.unsigned_abs());
        } else {
            total = total.saturating_add(number.unsigned_abs());
            if total > MAX_SAMPLES {
                return Err(format!("it holds more than {MAX_SAMPLES} samples"));
            }
            if number > 0 {
                let value =
                    shape.highest_equivalent(index).ok_or("it has more buckets than its bounds allow")?;
                each(value, number.unsigned_abs());
            }
            index = index.saturating_add(1);
        }
    }
    Ok(())
}

/// The mapping of values to buckets.
struct Shape {
    /// Bits below the resolution of the lowest bucket.
    unit_bits: u32,
    /// Bits of an index within half of a bucket.
    half_bits: u32,
    /// Total number of buckets.
    buckets: u64,
}

impl Shape {
    fn new(digits: u32, lowest: u64, highest: u64) -> Result<Shape, String> {
        if digits > MAX_DIGITS {
            return Err(format!("{digits} significant digits: at most {MAX_DIGITS} are read"));
        }
        if lowest == 0 || highest / 2 < lowest {
            return Err(format!("values from {lowest} to {highest} are not a valid range"));
        }
        let resolution = 2 * 10u64.pow(digits);
        let sub_buckets = resolution.next_power_of_two();
        let (unit_bits, half_bits) = (lowest.ilog2(), sub_buckets.ilog2() - 1);
        if unit_bits + half_bits > 61 {
            return Err(format!("{digits} significant digits from {lowest} up are out of range"));
        }
        // Each doubling beyond the first range adds half as many buckets as the first range has.
        let first_end = u128::from(sub_buckets) << unit_bits;
        let doublings = (0..64u64).find(|n| first_end << n > u128::from(highest)).unwrap_or(64);
        Ok(Shape { unit_bits, half_bits, buckets: (doublings + 2) << half_bits })
    }

    /// The highest value of a bucket; `None` if there is no such bucket.
    fn highest_equivalent(&self, index: u64) -> Option<u64> {
        if index >= self.buckets {
            return None;
        }
        let half = 1u64 << self.half_bits;
        let (doublings, within) = match index >> self.half_bits {
            0 | 1 => (0, index),
            n => ((n - 1) as u32, (index & (half - 1)) + half),
        };
        let shift = doublings + self.unit_bits;
        if shift + self.half_bits < 62 {
            return Some(((within + 1) << shift) - 1);
        }
        let past_end = u128::from(within + 1) << shift;
        Some(u64::try_from(past_end - 1).unwrap_or(u64::MAX))
    }
}

/// A sequence of big-endian fields.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (first, rest) = self.0.split_first_chunk::<N>().ok_or("it is truncated")?;
        self.0 = rest;
        Ok(*first)
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.bytes().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.bytes().map(u64::from_be_bytes)
    }

    /// LEB128 of at most 9 bytes; the ninth holds 8 bits of the number.
    #[inline]
    fn varint(&mut self) -> Result<u64, String> {
        if let [byte @ ..0x80, rest @ ..] = self.0 {
            self.0 = rest;
            return Ok(u64::from(*byte));
        }
        let mut value = 0;
        for at in 0..9 {
            let [byte] = self.bytes()?;
            if at == 8 {
                return Ok(value | u64::from(byte) << 56);
            }
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                break;
            }
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests;
