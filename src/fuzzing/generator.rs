//! Generates inputs from a seed: random bytes, and valid inputs with faults. Reproducible from the seed.

/// Maximum size of a generated input, in bytes.
const MAX_BYTES: usize = 64 * 1024;
/// Values for lengths and counts.
const NUMBERS: [u64; 12] = [
    0,
    1,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 62,
    u64::MAX >> 1,
    u64::MAX - 1,
    u64::MAX,
];
/// Words to insert where they do not belong.
const WORDS: [&[u8]; 20] = [
    b"[",
    b"{\"a\":",
    b"\"",
    b"\\",
    b"null",
    b"-1",
    b"1e999",
    b"1e308",
    b"18446744073709551616",
    b"NaN",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\r\n\r\n",
    b"0\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"\0",
    b":",
];

/// A generator of inputs. Random numbers come from xorshift64* (Vigna, "An experimental exploration of
/// Marsaglia's xorshift generators, scrambled", 2016).
#[derive(Clone, Debug)]
pub struct Generator(u64);

impl Generator {
    /// A generator whose inputs depend only on `seed`.
    pub fn new(seed: u64) -> Generator {
        Generator(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`, which is at least 1.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// The next input. Of ten, one is random, one an unchanged seed, and eight are seeds with up to eight
    /// faults.
    pub fn input(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let kind = self.below(10);
        if kind == 0 || seeds.is_empty() {
            let length = 1 << self.below(11);
            let length = self.below(length);
            return (0..length).map(|_| self.next() as u8).collect();
        }
        let mut input = seeds[self.below(seeds.len())].clone();
        if kind > 1 {
            for _ in 0..=self.below(8) {
                let other = &seeds[self.below(seeds.len())];
                self.mutate(&mut input, other);
            }
        }
        input.truncate(MAX_BYTES);
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(input.len() + 1);
        match self.below(10) {
            0 => input.truncate(at),
            1 => drop(input.drain(at..(at + self.below(16)).min(input.len()))),
            2 => insert(input, at, WORDS[self.below(WORDS.len())]),
            3 => {
                let (word, times) = (WORDS[self.below(6)], 1 << self.below(12));
                insert(input, at, &word.repeat(times));
            }
            4 => self.set_number(input, at),
            5 => self.set_digits(input, at),
            6 => insert(input, at, &other[self.below(other.len() + 1)..]),
            7 => {
                let again = input[at..(at + self.below(64)).min(input.len())].to_vec();
                insert(input, at, &again);
            }
            _ => {
                if let Some(byte) = input.get_mut(at) {
                    *byte =
                        if self.next() & 1 == 0 { self.next() as u8 } else { *byte ^ (1 << self.below(8)) };
                }
            }
        }
    }

    /// A big-endian field of 1, 2, 4 or 8 bytes.
    fn set_number(&mut self, input: &mut [u8], at: usize) {
        let number = NUMBERS[self.below(NUMBERS.len())].to_be_bytes();
        let field = &number[8 - (1 << self.below(4))..];
        input.iter_mut().skip(at).zip(field).for_each(|(byte, new)| *byte = *new);
    }

    /// The decimal number at or after an offset.
    fn set_digits(&mut self, input: &mut Vec<u8>, at: usize) {
        let Some(begin) = input.iter().skip(at).position(u8::is_ascii_digit).map(|n| n + at) else { return };
        let end = input
            .iter()
            .skip(begin)
            .position(|byte| !byte.is_ascii_digit())
            .map_or(input.len(), |n| n + begin);
        let number = NUMBERS[self.below(NUMBERS.len())].to_string();
        input.splice(begin..end, number.into_bytes());
    }
}

fn insert(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    input.splice(at..at, bytes.iter().copied().take(MAX_BYTES));
}
