//! Decodes what Kafka's compression codecs made of a batch's records. A broker or a topic with `compression.type` set
//! compresses what it stores, so records that were sent uncompressed come back compressed.
//!
//! The output is bounded: input that would decode to more than a limit is refused, and no memory is taken on the word
//! of a length inside it. The codecs of `kafka-protocol` have no such bound.

mod snappy;
mod zstd;

use std::io::Read;

use kafka_protocol::records::Compression;

/// Decodes `bytes`; the error says why they cannot be read, or that they decode to more than `limit` bytes.
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

/// Why compressed bytes are not decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Refusal {
    /// They decode to more than the limit.
    TooLarge,
    /// They are cut short, or no such data at all.
    Malformed(String),
}

fn malformed(error: impl ToString) -> Refusal {
    Refusal::Malformed(error.to_string())
}

/// Reads to the end, and no further than one byte beyond the limit.
fn read_all(reader: impl Read, limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut decoded = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(most).read_to_end(&mut decoded).map_err(malformed)?;
    if decoded.len() > limit { Err(Refusal::TooLarge) } else { Ok(decoded) }
}

#[cfg(test)]
mod tests;
