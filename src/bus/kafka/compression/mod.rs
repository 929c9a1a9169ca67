//! Decodes the records of batches that Kafka's codecs compressed. A broker or topic with `compression.type`
//! set compresses what it stores, so records that were sent uncompressed come back compressed.
//!
//! The output is bounded: input that would decode to more than a limit is refused, and no memory is allocated
//! based on a length in the input. The codecs of `kafka-protocol` have no such bound.

mod snappy;
mod zstd;

use kafka_protocol::records::Compression;
use std::io::Read;

/// Decodes `bytes`. The error says why this failed, or that the output exceeds `limit` bytes.
pub fn decode(codec: Compression, bytes: &[u8], limit: usize) -> Result<Vec<u8>, String> {
    let decoded = match codec {
        Compression::None => read_all(bytes, limit),
        Compression::Gzip => read_all(flate2::read::MultiGzDecoder::new(bytes), limit),
        Compression::Snappy => snappy::decode(bytes, limit),
        Compression::Lz4 => read_all(lz4_flex::frame::FrameDecoder::new(bytes), limit),
        Compression::Zstd => zstd::decode(bytes, limit),
    };
    decoded.map_err(|refusal| match refusal {
        Refusal::TooLarge => format!("its {codec:?} data decode to more than {limit} bytes"),
        Refusal::Malformed(why) => format!("its {codec:?} data are malformed: {why}"),
    })
}

/// Why compressed bytes were not decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Refusal {
    /// They decode to more than the limit.
    TooLarge,
    /// They are truncated or otherwise invalid.
    Malformed(String),
}

fn malformed(error: impl ToString) -> Refusal {
    Refusal::Malformed(error.to_string())
}

/// Reads to the end, but at most one byte beyond the limit.
fn read_all(reader: impl Read, limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut decoded = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(most).read_to_end(&mut decoded).map_err(malformed)?;
    if decoded.len() > limit { Err(Refusal::TooLarge) } else { Ok(decoded) }
}

#[cfg(test)]
mod tests;
