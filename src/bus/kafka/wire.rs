//! Reads the primitive types of the Kafka protocol from untrusted bytes.
//!
//! The codec of `kafka-protocol` reserves memory for as many elements as the response announces, so a
//! malformed response of twenty bytes could make it allocate hundreds of gigabytes. So responses are parsed
//! here: memory grows only with the bytes present, and the worst outcome for any input is a [`Malformed`].
//!
//! Types: <https://kafka.apache.org/protocol.html#protocol_types>

/// The bytes are truncated or violate the protocol; the text says how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// A reader of one response. `flexible` responses use compact lengths and have tagged fields (KIP-482).
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    flexible: bool,
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from the start.
    pub fn new(bytes: &'a [u8], flexible: bool) -> Self {
        Reader { rest: bytes, flexible }
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) =
            self.rest.split_at_checked(count).ok_or(Malformed("the response is truncated"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed("the response is truncated"))?;
        self.rest = rest;
        Ok(*taken)
    }

    /// One byte.
    pub fn i8(&mut self) -> Result<i8, Malformed> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    /// Two bytes, big-endian.
    pub fn i16(&mut self) -> Result<i16, Malformed> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    /// Four bytes, big-endian.
    pub fn i32(&mut self) -> Result<i32, Malformed> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// Eight bytes, big-endian.
    pub fn i64(&mut self) -> Result<i64, Malformed> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// Base 128, least significant group first, in at most `bytes` bytes.
    fn base128(&mut self, bytes: u32) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for group in 0..bytes {
            let byte = self.array::<1>()?[0];
            value |= u64::from(byte & 0x7f) << (7 * group);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed("a variable-length number has no end"))
    }

    /// An unsigned variable-length number of up to 32 bits.
    pub fn unsigned_varint(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.base128(5)?).map_err(|_| Malformed("a variable-length number is too large"))
    }

    /// A zigzag variable-length number of up to 32 bits.
    pub fn varint(&mut self) -> Result<i32, Malformed> {
        let raw = self.unsigned_varint()?;
        Ok((raw >> 1) as i32 ^ -((raw & 1) as i32))
    }

    /// A zigzag variable-length number of up to 64 bits.
    pub fn varlong(&mut self) -> Result<i64, Malformed> {
        let raw = self.base128(10)?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    /// A length or element count; `None` if null.
    fn length(
        &mut self,
        plain: impl FnOnce(&mut Self) -> Result<i32, Malformed>,
    ) -> Result<Option<usize>, Malformed> {
        if self.flexible {
            return Ok(self.unsigned_varint()?.checked_sub(1).map(|length| length as usize));
        }
        match plain(self)? {
            -1 => Ok(None),
            length => Ok(Some(usize::try_from(length).map_err(|_| Malformed("a length is negative"))?)),
        }
    }

    /// A string; `None` if null. Invalid UTF-8 is replaced.
    pub fn nullable_string(&mut self) -> Result<Option<String>, Malformed> {
        let Some(length) = self.length(|reader| reader.i16().map(i32::from))? else { return Ok(None) };
        Ok(Some(String::from_utf8_lossy(self.take(length)?).into_owned()))
    }

    /// A string; null reads as empty.
    pub fn string(&mut self) -> Result<String, Malformed> {
        Ok(self.nullable_string()?.unwrap_or_default())
    }

    /// A byte field and whether it is complete: of a field that extends beyond the response, the bytes
    /// present are returned. Null reads as empty.
    pub fn bytes_as_far_as_there(&mut self) -> Result<(&'a [u8], bool), Malformed> {
        let length = self.length(Self::i32)?.unwrap_or(0);
        let there = length.min(self.rest.len());
        Ok((self.take(there)?, there == length))
    }

    /// An array, element by element; null reads as empty. Its memory grows only with the bytes present.
    pub fn list<T>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.length(Self::i32)?.unwrap_or(0);
        let mut list = Vec::new();
        for _ in 0..count {
            // Without this check, a huge count of zero-byte elements could loop indefinitely.
            if self.rest.is_empty() {
                return Err(Malformed("the response ends within an array"));
            }
            list.push(element(self)?);
        }
        Ok(list)
    }

    /// Skips the tagged fields at the end of a structure if the response is flexible.
    pub fn tags(&mut self) -> Result<(), Malformed> {
        if !self.flexible {
            return Ok(());
        }
        for _ in 0..self.unsigned_varint()? {
            self.unsigned_varint()?;
            let length = self.unsigned_varint()? as usize;
            self.take(length)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn variable_length_numbers_follow_the_protocol() {
        let mut reader = Reader::new(&[0xac, 0x02, 0x03, 0x04, 0xff, 0xff, 0xff, 0xff, 0x0f], false);
        assert_eq!(reader.unsigned_varint(), Ok(300));
        assert_eq!(reader.varint(), Ok(-2));
        assert_eq!(reader.varlong(), Ok(2));
        assert_eq!(reader.varint(), Ok(i32::MIN));
        assert!(Reader::new(&[0xff; 11], false).varlong().is_err());
    }

    #[test]
    fn strings_and_arrays_are_read_in_both_forms() {
        let plain = [0, 2, b'a', b'b', 0xff, 0xff, 0, 0, 0, 2, 7, 8];
        let mut reader = Reader::new(&plain, false);
        assert_eq!(reader.string(), Ok("ab".to_string()));
        assert_eq!(reader.nullable_string(), Ok(None));
        assert_eq!(reader.list(Reader::i8), Ok(vec![7, 8]));
        let compact = [3, b'a', b'b', 0, 3, 7, 8, 1, 5, 2, 9, 9, 42];
        let mut reader = Reader::new(&compact, true);
        assert_eq!(reader.string(), Ok("ab".to_string()));
        assert_eq!(reader.nullable_string(), Ok(None));
        assert_eq!(reader.list(Reader::i8), Ok(vec![7, 8]));
        reader.tags().unwrap();
        assert_eq!(reader.rest, [42]);
    }

    #[test]
    fn a_huge_count_over_few_bytes_is_refused() {
        let bytes = [0x7f, 0xff, 0xff, 0xff, 1, 2, 3];
        assert!(Reader::new(&bytes, false).list(Reader::i8).is_err());
    }

    proptest! {
        #[test]
        fn malformed_input_never_panics(bytes: Vec<u8>, flexible: bool) {
            let mut reader = Reader::new(&bytes, flexible);
            let _ = reader.tags();
            let _ = reader.list(|reader| reader.list(Reader::string));
            let _ = reader.varlong();
            let _ = reader.bytes_as_far_as_there();
        }
    }
}
