use super::*;
use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, Record,
    RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use proptest::prelude::*;

/// Reads with the room of one response and no aborted transactions.
fn read(bytes: &[u8], from: i64, cut: bool) -> Batches {
    super::read(Part { bytes, from, cut, aborted: &[] }, &mut Room::of_an_answer())
}

fn batch(base: i64, values: &[&[u8]], control: bool) -> Vec<u8> {
    let records: Vec<Record> = (base..)
        .zip(values)
        .map(|(offset, value)| Record {
            transactional: control,
            control,
            delete_horizon: false,
            partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            timestamp_type: TimestampType::Creation,
            offset,
            sequence: NO_SEQUENCE + (offset - base) as i32,
            timestamp: 1_000 + offset,
            key: Some(Bytes::from_static(b"k")),
            value: Some(Bytes::copy_from_slice(value)),
            headers: Default::default(),
        })
        .collect();
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut bytes, &records, &options).unwrap();
    bytes.to_vec()
}

fn plain(base: i64, values: &[&[u8]]) -> Vec<u8> {
    batch(base, values, false)
}

/// Fixes the checksum of a changed batch: the codec's error contains the correct one.
fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    let error = RecordBatchDecoder::decode_batch_info(&mut &bytes[..]).unwrap_err().to_string();
    let right: u32 = error.rsplit_once("!= ").unwrap().1.trim_end_matches(')').parse().unwrap();
    bytes[17..21].copy_from_slice(&right.to_be_bytes());
    bytes
}

fn offsets(found: &Batches) -> Vec<i64> {
    found.records.iter().map(|record| record.offset).collect()
}

#[test]
fn several_batches_are_read_in_order() {
    let bytes = [plain(5, &[b"a", b"b"]), plain(7, &[b"c"]), plain(9, &[b"d"])].concat();
    let found = read(&bytes, 5, false);
    assert_eq!(offsets(&found), [5, 6, 7, 9]);
    assert_eq!((found.next, found.passed_over.len()), (10, 0));
    assert_eq!((&found.records[1].key[..], &found.records[1].value[..]), (&b"k"[..], &b"b"[..]));
    assert_eq!(found.records[1].append_ms, None);
}

#[test]
fn reading_starts_at_the_requested_offset() {
    let bytes = plain(5, &[b"a", b"b", b"c"]);
    assert_eq!(offsets(&read(&bytes, 7, false)), [7]);
    let found = read(&bytes, 8, false);
    assert_eq!((offsets(&found), found.next), (vec![], 8));
}

#[test]
fn with_log_append_time_the_max_timestamp_of_the_batch_counts() {
    let mut bytes = plain(0, &[b"a", b"b"]);
    bytes[22] |= 8;
    let found = read(&with_checksum(bytes), 0, false);
    assert_eq!(found.records.iter().map(|record| record.append_ms).collect::<Vec<_>>(), [Some(1_001); 2]);
}

#[test]
fn an_incomplete_batch_is_left_for_the_next_fetch() {
    let bytes = [plain(0, &[b"a"]), plain(1, &[b"b"])].concat();
    for missing in 1..plain(1, &[b"b"]).len() {
        let found = read(&bytes[..bytes.len() - missing], 0, false);
        assert_eq!((offsets(&found), found.next, found.passed_over.len()), (vec![0], 1, 0));
    }
}

#[test]
fn a_cut_batch_that_is_too_large_is_skipped() {
    let huge = vec![0; LARGEST_READ + 100];
    let bytes = plain(3, &[&huge, b"x"]);
    let found = read(&bytes[..1_000], 3, true);
    assert_eq!((offsets(&found), found.next), (vec![], 5));
    assert!(found.passed_over[0].why.contains("too large"), "{found:?}");
}

#[test]
fn an_oversized_record_is_skipped_and_its_neighbours_are_kept() {
    let huge = vec![0; LARGEST_READ + 1];
    let found = read(&plain(3, &[b"a", &huge, b"b"]), 3, false);
    assert_eq!((offsets(&found), found.next), (vec![3, 5], 6));
    assert_eq!((found.passed_over[0].from, found.passed_over[0].to), (4, 5));
}

#[test]
fn unreadable_batches_are_skipped_with_a_reason() {
    let good = plain(10, &[b"after"]);
    let mut compressed = plain(8, &[b"a", b"b"]);
    compressed[22] |= 3;
    let mut unknown = plain(9, &[b"a"]);
    unknown[16] = 3;
    let mut rotten = plain(8, &[b"a", b"b"]);
    rotten[60] ^= 1;
    let mut old = plain(9, &[b"a"]);
    old[16] = 1;
    let mut miscounted = plain(8, &[b"a", b"b"]);
    miscounted[57..61].copy_from_slice(&i32::MAX.to_be_bytes());
    for (bad, word) in [
        (with_checksum(compressed), "Lz4"),
        (rotten, "check"),
        (old, "before Kafka 0.11"),
        (unknown, "format 3"),
        (with_checksum(miscounted), "malformed"),
    ] {
        let bytes = [bad, good.clone()].concat();
        let found = read(&bytes, 8, false);
        assert_eq!(offsets(&read(&bytes, 10, false)), [10], "{word}");
        assert_eq!((found.passed_over[0].from, found.passed_over[0].to), (8, 10), "{word}");
        assert!(found.passed_over[0].why.contains(word), "{found:?}");
    }
}

#[test]
fn transaction_markers_are_dropped_silently() {
    let found = read(&batch(4, &[b"marker"], true), 4, false);
    assert_eq!(found, Batches { next: 5, ..Batches::default() });
}

/// Written by real brokers and clients; see the README next to them.
const STORED: [(&str, &[u8]); 8] = [
    ("gzip, Java", include_bytes!("../../../../tests/it/fixtures/kafka/gzip-java.batch")),
    ("gzip, Python", include_bytes!("../../../../tests/it/fixtures/kafka/gzip-python.batch")),
    ("snappy, Java", include_bytes!("../../../../tests/it/fixtures/kafka/snappy-java.batch")),
    ("snappy, Python", include_bytes!("../../../../tests/it/fixtures/kafka/snappy-python.batch")),
    ("lz4, Java", include_bytes!("../../../../tests/it/fixtures/kafka/lz4-java.batch")),
    ("lz4, Python", include_bytes!("../../../../tests/it/fixtures/kafka/lz4-python.batch")),
    ("zstd, Java", include_bytes!("../../../../tests/it/fixtures/kafka/zstd-java.batch")),
    ("zstd, Python", include_bytes!("../../../../tests/it/fixtures/kafka/zstd-python.batch")),
];

#[test]
fn compressed_batches_of_java_and_python_are_read() {
    for (name, stored) in STORED {
        let found = read(stored, 0, false);
        assert_eq!((offsets(&found), found.next), (vec![0, 1, 2], 3), "{name}: {found:?}");
        let second = &found.records[1];
        assert_eq!((&second.key[..], second.append_ms.is_some()), (&b"a1"[..], true), "{name}");
        assert_eq!(second.value, br#"{"node_id":"a1","heartbeat":"YES"}"#, "{name}");
        assert_eq!(offsets(&read(stored, 2, false)), [2], "{name}: from within the batch");
    }
}

/// A batch whose records are replaced by these compressed bytes.
fn compressed(base: i64, codec: i16, records: &[u8]) -> Vec<u8> {
    let mut bytes = plain(base, &[b"a"])[..RECORDS_AT].to_vec();
    bytes.extend(records);
    let length = (bytes.len() - BATCH_HEAD) as i32;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[22] |= codec as u8;
    with_checksum(bytes)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_decompression_bomb_is_skipped_and_only_one_is_decoded_per_response() {
    let bomb = gzip(&vec![0; LARGEST_DECODED + 1]);
    let bytes = [compressed(5, 1, &bomb), compressed(6, 1, &bomb), plain(7, &[b"after"])].concat();
    let found = read(&bytes, 5, false);
    assert_eq!((offsets(&found), found.next, found.passed_over.len()), (vec![], 6, 1));
    assert!(found.passed_over[0].why.contains("more than 4194304 bytes"), "{found:?}");
    assert_eq!(read(&bytes, 6, false).next, 7);
    assert_eq!(offsets(&read(&bytes, 7, false)), [7]);
}

#[test]
fn a_batch_of_very_many_records_is_read_in_several_responses() {
    // 4 MB of the smallest records, compressed to 4 KB, all with the same offset.
    let records: Vec<u8> = (0u32..600_000).flat_map(|_| [12, 0, 0, 0, 1, 1, 0]).collect();
    let records = &records[..records.len() / 7 * 7];
    let mut bytes = compressed(0, 1, &gzip(&records[..4_199_993 / 7 * 7 - 7_000]));
    bytes[57..61].copy_from_slice(&500_000i32.to_be_bytes());
    let found = read(&with_checksum(bytes), 0, false);
    assert_eq!(found.records.len(), 10_000);
    assert_eq!((found.next, found.passed_over.len()), (0, 0), "{:?}", found.passed_over);
}

#[test]
fn parts_of_a_response_share_its_room_and_the_rest_waits() {
    let bytes = [plain(0, &[b"a", b"b"]), plain(2, &[b"c", b"d"]), plain(4, &[b"e"])].concat();
    let part = Part { bytes: &bytes, from: 0, cut: false, aborted: &[] };
    let mut room = Room { records: 3, decoded: 100 };
    let found = super::read(part, &mut room);
    assert_eq!((offsets(&found), found.next), (vec![0, 1, 2], 3));
    let found = super::read(Part { from: 3, ..part }, &mut room);
    assert_eq!((offsets(&found), found.next), (vec![], 3), "there is no room for another part");
    assert_eq!(offsets(&read(&bytes, 3, false)), [3, 4]);
}

/// Makes a batch part of this producer's transaction.
fn transactional(mut bytes: Vec<u8>, producer: i64) -> Vec<u8> {
    bytes[22] |= 1 << 4;
    bytes[43..51].copy_from_slice(&producer.to_be_bytes());
    with_checksum(bytes)
}

/// An end-of-transaction marker: kind 0 (aborted) or 1 (committed).
fn marker(offset: i64, producer: i64, kind: u8) -> Vec<u8> {
    let mut bytes = plain(offset, &[b"??????"]);
    // Length, attributes, time and offset, then a key of four bytes and a value of two.
    bytes.truncate(RECORDS_AT);
    bytes.extend([11 << 1, 0, 0, 0, 4 << 1, 0, 0, 0, kind, 1 << 1, 0, 0]);
    let length = (bytes.len() - BATCH_HEAD) as i32;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[22] |= 1 << 5;
    transactional(bytes, producer)
}

#[test]
fn records_of_aborted_transactions_are_dropped() {
    let bytes = [
        transactional(plain(0, &[b"aborted"]), 7),
        plain(1, &[b"no transaction"]),
        transactional(plain(2, &[b"another producer"]), 8),
        marker(3, 7, 0),
        transactional(plain(4, &[b"committed"]), 7),
        marker(5, 7, 1),
        marker(6, 8, 1),
        plain(7, &[b"after"]),
    ]
    .concat();
    let aborted = [Aborted { producer: 7, first_offset: 0 }];
    let part = Part { bytes: &bytes, from: 0, cut: false, aborted: &aborted };
    let found = super::read(part, &mut Room::of_an_answer());
    assert_eq!((offsets(&found), found.next, found.passed_over.len()), (vec![1, 2, 4, 7], 8, 0));
}

proptest! {
    #[test]
    fn malformed_input_never_panics_and_never_goes_back(bytes: Vec<u8>, from in 0i64..1_000, cut: bool) {
        let found = read(&bytes, from, cut);
        prop_assert!(found.next >= from);
    }

    #[test]
    fn a_changed_byte_never_panics(at in 0usize..200, change: u8, cut: bool, keep in 0usize..400) {
        let mut bytes = [plain(5, &[b"abc", b"def"]), plain(7, &[b"ghi"])].concat();
        let at = at % bytes.len();
        bytes[at] ^= change;
        let keep = keep.min(bytes.len());
        prop_assert!(read(&bytes[..keep], 5, cut).next >= 5);
    }

    #[test]
    fn a_changed_byte_with_a_valid_checksum_never_panics(at in 21usize..90, change in 1u8..) {
        let mut bytes = plain(5, &[b"abc", b"def"]);
        let at = 21 + at % (bytes.len() - 21);
        bytes[at] ^= change;
        prop_assert!(read(&with_checksum(bytes), 5, false).next >= 5);
    }
}
