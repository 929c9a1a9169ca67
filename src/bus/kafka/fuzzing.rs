//! Fuzz targets: frames, responses and record batches.

use super::batches::{Part, RECORDS_AT, Room};
use super::frame::FrameReader;
use super::versions::Api;
use super::{batches as record_batches, responses};
use bytes::{Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use kafka_protocol::records::{
    self, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, Record,
    RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use std::io::Write;
use std::ops::Range;

/// Positions in a batch of its checksum and of the low byte of its attributes.
const CHECKSUM_AT: Range<usize> = 17..21;
const ATTRIBUTES_AT: usize = 22;

/// Reads a stream of frames, in pieces of three bytes and in one piece.
pub fn frame(bytes: &[u8]) {
    for piece in [3, bytes.len().max(1)] {
        let mut reader = FrameReader::new(1_000, i32::MAX);
        let mut rest = bytes;
        while !rest.is_empty() {
            match reader.push(&rest[..piece.min(rest.len())]) {
                Ok((used, _)) => rest = &rest[used..],
                Err(_) => break,
            }
        }
    }
}

/// Reads a response as each kind, in its lowest and highest version.
pub fn answer(bytes: &[u8]) {
    for (api, versions) in [
        (Api::Versions, [0, 3]),
        (Api::Metadata, [4, 10]),
        (Api::CreateTopics, [2, 5]),
        (Api::Produce, [3, 9]),
        (Api::ListOffsets, [1, 6]),
        (Api::Fetch, [4, 12]),
        (Api::SaslHandshake, [1, 1]),
        (Api::SaslAuthenticate, [0, 2]),
    ] {
        for version in versions {
            let Ok((_, mut reader)) = responses::body(api, version, bytes) else { continue };
            match api {
                Api::Versions => drop(responses::api_versions(&mut reader)),
                Api::Metadata => drop(responses::metadata(&mut reader, version)),
                Api::CreateTopics => drop(responses::create_topics(&mut reader, version)),
                Api::Produce => drop(responses::produce(&mut reader, version)),
                Api::ListOffsets => drop(responses::list_offsets(&mut reader, version)),
                Api::Fetch => drop(responses::fetch(&mut reader, version, true)),
                Api::SaslHandshake => drop(responses::sasl_handshake(&mut reader)),
                Api::SaslAuthenticate => drop(responses::sasl_authenticate(&mut reader, version)),
            }
        }
    }
}

/// Reads record batches, as given and with a corrected checksum, from several offsets.
pub fn batches(bytes: &[u8]) {
    let right = with_checksum(bytes);
    for bytes in std::iter::once(bytes).chain(right.as_deref()) {
        for from in [0, 1, i64::MAX] {
            let part = Part { bytes, from, cut: true, aborted: &[] };
            let found = record_batches::read(part, &mut Room::of_an_answer());
            assert!(found.next >= from);
        }
    }
}

/// Valid batches: two uncompressed ones, and one per codec.
pub fn batch_seeds() -> Vec<Vec<u8>> {
    let one = plain(0);
    let (head, records) = one.split_at(RECORDS_AT.min(one.len()));
    let compressed = (1..=4u8).filter_map(|codec| {
        let mut batch = [head, &compress(codec, records)].concat();
        *batch.get_mut(ATTRIBUTES_AT)? |= codec;
        let length = u32::try_from(batch.len().checked_sub(12)?).ok()?;
        batch.get_mut(8..12)?.copy_from_slice(&length.to_be_bytes());
        with_checksum(&batch)
    });
    std::iter::once([plain(0), plain(1)].concat()).chain(compressed).collect()
}

/// Writing to memory cannot fail.
fn compress(codec: u8, bytes: &[u8]) -> Vec<u8> {
    match codec {
        1 => {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            let _ = gzip.write_all(bytes);
            gzip.finish().unwrap_or_default()
        }
        2 => snap::raw::Encoder::new().compress_vec(bytes).unwrap_or_default(),
        3 => {
            let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
            let _ = lz4.write_all(bytes);
            lz4.finish().unwrap_or_default()
        }
        _ => ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest),
    }
}

/// A batch of one record.
pub(super) fn plain(offset: i64) -> Vec<u8> {
    let record = Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        timestamp_type: TimestampType::LogAppend,
        offset,
        sequence: NO_SEQUENCE,
        timestamp: 1_750_000_000_000,
        key: Some(Bytes::from_static(b"d1")),
        value: Some(Bytes::from_static(b"{\"node_id\":\"d1\"}")),
        headers: Default::default(),
    };
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: records::Compression::None };
    let _ = RecordBatchEncoder::encode(&mut bytes, [&record], &options);
    bytes.to_vec()
}

/// The same bytes with the checksum of the first batch corrected; `None` if the checksum is not what is
/// wrong. The codec's error contains the correct one.
fn with_checksum(bytes: &[u8]) -> Option<Vec<u8>> {
    let error = RecordBatchDecoder::decode_batch_info(&mut &bytes[..]).err()?.to_string();
    let right: u32 = error.rsplit_once("!= ")?.1.trim_end_matches(')').parse().ok()?;
    let mut bytes = bytes.to_vec();
    bytes.get_mut(CHECKSUM_AT)?.copy_from_slice(&right.to_be_bytes());
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_is_read_completely() {
        let seeds = batch_seeds();
        assert_eq!(seeds.len(), 5);
        for bytes in &seeds {
            let found = record_batches::read(
                Part { bytes, from: 0, cut: false, aborted: &[] },
                &mut Room::of_an_answer(),
            );
            assert!(!found.records.is_empty() && found.passed_over.is_empty(), "{found:?}");
            assert_eq!(found.records[0].key, b"d1");
        }
    }
}
