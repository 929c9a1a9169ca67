//! Generated values: pure functions of the field and the ticket.

use super::filter::{encode, encoded};
use super::hash::{self, Random};
use crate::units::{MS_PER_DAY, civil};

/// Maximum length of `random(n)`, in characters.
pub const MAX_RANDOM: usize = 256;
/// Bounds of `int(a,b)`.
pub const MAX_INT: i64 = 1_000_000_000_000_000_000;
/// First `counter` of the warm-up, above every counter of a measurement.
pub const WARMUP_COUNTER: u64 = 1_000_000_000_000_000;
/// Room that every generated value fits in, in bytes, before a filter; a choice needs its own length.
const ROOM: usize = MAX_RANDOM;
/// Times that `now_ms` and `now_iso` write with their usual number of digits: the years 2001 to 2286.
const NOW_MS: std::ops::RangeInclusive<u64> = 1_000_000_000_000..=9_999_999_999_999;
const DAY_MS: u64 = MS_PER_DAY as u64;
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Letters that one random number of 64 bits yields. 62^8 is far below 2^64, so they are nearly even.
const LETTERS_PER_NUMBER: usize = 8;

/// What identifies a request: its values follow from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Index in the schedule of the fleet, from 0; the warm-up has its own.
    pub ticket: u64,
    /// Whether it belongs to the warm-up.
    pub is_warmup: bool,
    /// When it is sent, in ms since 1970.
    pub now_ms: u64,
}

impl Moment {
    /// Unique for each request of a fleet.
    pub fn number(&self) -> u64 {
        self.ticket | u64::from(self.is_warmup) << 63
    }
}

/// A function of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Function {
    /// The ticket; in the warm-up, from [`WARMUP_COUNTER`].
    Counter,
    /// A random UUID (RFC 9562, section 5.4), in lower case.
    Uuid,
    /// A whole number: the lowest one, and how many there are.
    Int(i64, u64),
    /// One of several texts, which are already filtered.
    Choice(Vec<Vec<u8>>),
    /// Letters and digits.
    Random(usize),
    /// The time of sending, in ms since 1970.
    NowMs,
    /// The time of sending, like `2026-11-29T04:40:32.123Z` (RFC 3339).
    NowIso,
}

impl Function {
    /// Its length in bytes, if all its values have the same.
    fn width(&self) -> Option<usize> {
        match self {
            Function::Counter => None,
            Function::Uuid => Some(36),
            Function::Int(low, count) => {
                let high = low.saturating_add_unsigned(count - 1);
                let digits = |number: i64| number.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
                let is_even = (*low < 0) == (high < 0) && digits(*low) == digits(high);
                is_even.then(|| digits(*low) + usize::from(*low < 0))
            }
            Function::Choice(texts) => {
                let width = texts.first()?.len();
                texts.iter().all(|text| text.len() == width).then_some(width)
            }
            Function::Random(length) => Some(*length),
            Function::NowMs => Some(13),
            Function::NowIso => Some(24),
        }
    }
}

/// A function in its place: the same function twice in a plan gives different values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    function: Function,
    is_base64: bool,
    key: u64,
    width: Option<usize>,
}

impl Field {
    /// The `position`-th field of a plan with this seed.
    pub fn new(function: Function, is_base64: bool, seed: u64, position: u64) -> Field {
        let width = function.width().map(|width| if is_base64 { encoded(width) } else { width });
        Field { function, is_base64, key: hash::key(seed, position), width }
    }

    /// Its length in bytes, if all its values have the same.
    pub fn width(&self) -> Option<usize> {
        self.width
    }

    /// Whether its values depend on the time of sending.
    pub fn tells_time(&self) -> bool {
        matches!(self.function, Function::NowMs | Function::NowIso)
    }

    /// Appends the value.
    #[inline]
    pub fn render(&self, moment: &Moment, out: &mut Vec<u8>) {
        let begin = out.len();
        if let Some(width) = self.width {
            out.resize(begin + width, 0);
            return self.patch(moment, &mut out[begin..]);
        }
        if let Function::Choice(texts) = &self.function {
            return out.extend_from_slice(self.choose(texts, moment));
        }
        // Only numbers remain.
        let mut room = [0; 24];
        let length = self.write(moment, &mut room);
        if !self.is_base64 {
            return out.extend_from_slice(&room[..length]);
        }
        out.resize(begin + encoded(length), 0);
        encode(&room[..length], &mut out[begin..]);
    }

    /// Writes the value of a field with a width into as many bytes.
    #[inline]
    pub fn patch(&self, moment: &Moment, out: &mut [u8]) {
        if let Function::Choice(texts) = &self.function {
            return out.copy_from_slice(self.choose(texts, moment));
        }
        if !self.is_base64 {
            self.write(moment, out);
            return;
        }
        let mut room = [0; ROOM];
        let length = self.write(moment, &mut room);
        encode(&room[..length], out);
    }

    fn choose<'a>(&self, texts: &'a [Vec<u8>], moment: &Moment) -> &'a [u8] {
        let chosen = Random::new(self.key, moment.number()).below(texts.len() as u64);
        &texts[chosen as usize]
    }

    /// Writes the value before its filter to the beginning of `out`; returns its length.
    #[inline]
    fn write(&self, moment: &Moment, out: &mut [u8]) -> usize {
        let random = || Random::new(self.key, moment.number());
        match &self.function {
            Function::Counter => {
                let first = if moment.is_warmup { WARMUP_COUNTER } else { 0 };
                decimal(first + moment.ticket, out)
            }
            Function::Uuid => uuid(random(), out),
            Function::Int(low, count) => {
                let number = low.wrapping_add_unsigned(random().below(*count));
                let sign = usize::from(number < 0);
                out[..sign].fill(b'-');
                sign + decimal(number.unsigned_abs(), &mut out[sign..])
            }
            Function::Random(length) => letters(random(), &mut out[..*length]),
            Function::NowMs => decimal(moment.now_ms.clamp(*NOW_MS.start(), *NOW_MS.end()), out),
            Function::NowIso => iso(moment.now_ms.clamp(*NOW_MS.start(), *NOW_MS.end()), out),
            Function::Choice(_) => 0,
        }
    }
}

/// Writes a number; returns its length.
#[inline]
pub fn decimal(number: u64, out: &mut [u8]) -> usize {
    let length = number.checked_ilog10().unwrap_or(0) as usize + 1;
    padded(number, &mut out[..length]);
    length
}

/// Writes the last digits of a number, as many as there is room for.
#[inline]
fn padded(mut number: u64, out: &mut [u8]) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn uuid(mut random: Random, out: &mut [u8]) -> usize {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    // RFC 9562, section 5.4: the version 4 in bits 48 to 51, the variant 10 in bits 64 and 65.
    let high = random.bits() & !0xf000 | 0x4000;
    let low = random.bits() >> 2 | 1 << 63;
    let mut at = 0;
    for (half, dashes) in [(high, [8, 12]), (low, [0, 4])] {
        for digit in 0..16 {
            if dashes.contains(&digit) {
                out[at] = b'-';
                at += 1;
            }
            out[at] = HEX[(half >> (60 - 4 * digit)) as usize & 15];
            at += 1;
        }
    }
    at
}

fn letters(mut random: Random, out: &mut [u8]) -> usize {
    for some in out.chunks_mut(LETTERS_PER_NUMBER) {
        let mut bits = random.bits();
        for letter in some {
            // The fraction of 2^64 that the number is, one digit after the other in base 62.
            let product = u128::from(bits) * LETTERS.len() as u128;
            *letter = LETTERS[(product >> 64) as usize];
            bits = product as u64;
        }
    }
    out.len()
}

fn iso(ms: u64, out: &mut [u8]) -> usize {
    let (year, month, day) = civil((ms / DAY_MS) as i64);
    let ms = ms % DAY_MS;
    out[..24].copy_from_slice(b"0000-00-00T00:00:00.000Z");
    padded(year as u64, &mut out[..4]);
    padded(month as u64, &mut out[5..7]);
    padded(day as u64, &mut out[8..10]);
    padded(ms / 3_600_000, &mut out[11..13]);
    padded(ms / 60_000 % 60, &mut out[14..16]);
    padded(ms / 1_000 % 60, &mut out[17..19]);
    padded(ms % 1_000, &mut out[20..23]);
    24
}
