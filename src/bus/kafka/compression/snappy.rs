//! Snappy in both forms that producers use: one raw block (librdkafka), or the framing of the Java library,
//! which most others copy: <https://github.com/xerial/snappy-java#compatibility-notes>.

use super::{Refusal, malformed};

/// The framing starts with these bytes, followed by the version and oldest compatible version (4 bytes each).
const MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
const HEAD: usize = 16;
/// Maximum expansion of a block: its densest element decodes 2 bytes to 64.
const MOST_EXPANSION: usize = 32;

pub fn decode(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut decoded = Vec::new();
    if !bytes.starts_with(MAGIC) {
        append(bytes, limit, &mut decoded)?;
        return Ok(decoded);
    }
    let mut rest = bytes.get(HEAD..).ok_or_else(|| malformed("its header is incomplete"))?;
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk().ok_or_else(|| malformed("a length is incomplete"))?;
        let length = u32::from_be_bytes(*length) as usize;
        let (block, after) =
            after.split_at_checked(length).ok_or_else(|| malformed("a block is incomplete"))?;
        append(block, limit, &mut decoded)?;
        rest = after;
    }
    Ok(decoded)
}

/// Decodes one block and appends the result.
fn append(block: &[u8], limit: usize, decoded: &mut Vec<u8>) -> Result<(), Refusal> {
    let length = snap::raw::decompress_len(block).map_err(malformed)?;
    if length > limit - decoded.len() {
        return Err(Refusal::TooLarge);
    }
    if length > block.len().saturating_mul(MOST_EXPANSION) {
        return Err(malformed("a block is shorter than its announced length allows"));
    }
    let start = decoded.len();
    decoded.resize(start + length, 0);
    snap::raw::Decoder::new().decompress(block, &mut decoded[start..]).map_err(malformed)?;
    Ok(())
}
