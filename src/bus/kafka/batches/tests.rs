use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, Record,
    RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use proptest::prelude::*;

use super::*;

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

/// Changes a batch and mends its checksum with the codec's help: its error names the right one.
fn mended(mut bytes: Vec<u8>) -> Vec<u8> {
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
fn reading_begins_at_the_offset_that_was_asked_for() {
    let bytes = plain(5, &[b"a", b"b", b"c"]);
    assert_eq!(offsets(&read(&bytes, 7, false)), [7]);
    let found = read(&bytes, 8, false);
    assert_eq!((offsets(&found), found.next), (vec![], 8));
}

#[test]
fn with_log_append_time_the_batch_s_greatest_time_counts() {
    let mut bytes = plain(0, &[b"a", b"b"]);
    bytes[22] |= 8;
    let found = read(&mended(bytes), 0, false);
    assert_eq!(found.records.iter().map(|record| record.append_ms).collect::<Vec<_>>(), [Some(1_001); 2]);
}

#[test]
fn a_batch_that_is_incomplete_waits_for_the_next_fetch() {
    let bytes = [plain(0, &[b"a"]), plain(1, &[b"b"])].concat();
    for missing in 1..plain(1, &[b"b"]).len() {
        let found = read(&bytes[..bytes.len() - missing], 0, false);
        assert_eq!((offsets(&found), found.next, found.passed_over.len()), (vec![0], 1, 0));
    }
}

#[test]
fn a_cut_batch_that_is_too_large_is_passed_over() {
    let huge = vec![0; LARGEST_READ + 100];
    let bytes = plain(3, &[&huge, b"x"]);
    let found = read(&bytes[..1_000], 3, true);
    assert_eq!((offsets(&found), found.next), (vec![], 5));
    assert!(found.passed_over[0].why.contains("too large"), "{found:?}");
}

#[test]
fn a_record_that_is_too_large_is_passed_over_and_its_neighbours_are_kept() {
    let huge = vec![0; LARGEST_READ + 1];
    let found = read(&plain(3, &[b"a", &huge, b"b"]), 3, false);
    assert_eq!((offsets(&found), found.next), (vec![3, 5], 6));
    assert_eq!((found.passed_over[0].from, found.passed_over[0].to), (4, 5));
}

#[test]
fn what_cannot_be_read_is_passed_over_in_words() {
    let good = plain(10, &[b"after"]);
    let mut compressed = plain(8, &[b"a", b"b"]);
    compressed[22] |= 3;
    let mut rotten = plain(8, &[b"a", b"b"]);
    rotten[60] ^= 1;
    let mut old = plain(9, &[b"a"]);
    old[16] = 1;
    let mut miscounted = plain(8, &[b"a", b"b"]);
    miscounted[57..61].copy_from_slice(&i32::MAX.to_be_bytes());
    for (bad, word) in
        [(mended(compressed), "Lz4"), (rotten, "check"), (old, "older"), (mended(miscounted), "wrong")]
    {
        let found = read(&[bad, good.clone()].concat(), 8, false);
        assert_eq!((offsets(&found), found.next), (vec![10], 11), "{word}");
        assert_eq!((found.passed_over[0].from, found.passed_over[0].to), (8, 10), "{word}");
        assert!(found.passed_over[0].why.contains(word), "{found:?}");
    }
}

#[test]
fn transaction_markers_are_left_out_silently() {
    let found = read(&batch(4, &[b"marker"], true), 4, false);
    assert_eq!(found, Batches { next: 5, ..Batches::default() });
}

proptest! {
    #[test]
    fn rubbish_never_panics_and_never_goes_back(bytes: Vec<u8>, from in 0i64..1_000, cut: bool) {
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
    fn a_changed_byte_under_a_right_checksum_never_panics(at in 21usize..90, change in 1u8..) {
        let mut bytes = plain(5, &[b"abc", b"def"]);
        let at = 21 + at % (bytes.len() - 21);
        bytes[at] ^= change;
        prop_assert!(read(&mended(bytes), 5, false).next >= 5);
    }
}
