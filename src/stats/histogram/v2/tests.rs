use super::*;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use hdrhistogram::Histogram as Hdr;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer, V2Serializer};
use proptest::prelude::*;
use std::io::Write;

/// A plain form with these header fields and counts.
fn plain(length: u32, digits: u32, lowest: u64, highest: u64, counts: &[u8]) -> Vec<u8> {
    let mut bytes = COOKIE.to_be_bytes().to_vec();
    bytes.extend(length.to_be_bytes());
    bytes.extend(0u32.to_be_bytes());
    bytes.extend(digits.to_be_bytes());
    bytes.extend(lowest.to_be_bytes());
    bytes.extend(highest.to_be_bytes());
    bytes.extend(1f64.to_be_bytes());
    bytes.extend(counts);
    bytes
}

fn deflated(plain: &[u8]) -> Vec<u8> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(plain).unwrap();
    let zlib = zlib.finish().unwrap();
    let mut bytes = DEFLATED_COOKIE.to_be_bytes().to_vec();
    bytes.extend((zlib.len() as u32).to_be_bytes());
    bytes.extend(zlib);
    bytes
}

fn steps(bytes: &[u8]) -> Result<Vec<(u64, u64)>, String> {
    let mut steps = Vec::new();
    read(bytes, |value, count| steps.push((value, count)))?;
    Ok(steps)
}

/// What the crate reads from the same bytes.
fn reference(bytes: &[u8]) -> Vec<(u64, u64)> {
    let read: Hdr<u64> = Deserializer::new().deserialize(&mut &bytes[..]).expect("the crate reads its own");
    read.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect()
}

#[test]
fn absurd_lengths_and_bounds_are_refused_before_memory_is_allocated() {
    let wide = 3_600_000_000;
    let cases: [(Vec<u8>, &str); 12] = [
        (plain(u32::MAX, 3, 1, wide, &[2]), "announces 4294967295 bytes of counts"),
        (plain(2, 3, 1, wide, &[2]), "announces 2 bytes of counts but has 1"),
        (plain(1, 6, 1, wide, &[2]), "6 significant digits"),
        (plain(1, u32::MAX, 1, wide, &[2]), "significant digits"),
        (plain(1, 3, 0, wide, &[2]), "are not a valid range"),
        (plain(1, 3, 5, 9, &[2]), "are not a valid range"),
        (plain(1, 5, 1 << 62, u64::MAX, &[2]), "out of range"),
        // A run of empty buckets past the end, then a count there.
        (plain(6, 3, 1, wide, &[0xff, 0xff, 0xff, 0xff, 0x0f, 2]), "more buckets"),
        (plain(10, 3, 1, wide, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]), "more buckets"),
        (
            plain(9, 3, 1, wide, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            "more than 1000000000000000",
        ),
        (plain(1, 3, 1, wide, &[0x80]), "truncated"),
        (vec![0; 40], "begins with 0x0"),
    ];
    for (bytes, expected) in cases {
        for bytes in [deflated(&bytes), bytes] {
            let error = steps(&bytes).expect_err(expected);
            let own_words = expected != "begins with 0x0";
            assert!(error.contains(expected) || !own_words, "{error}, not {expected}");
        }
    }
}

#[test]
fn a_deflate_bomb_is_inflated_only_up_to_the_largest_form() {
    let bomb = deflated(&vec![0; 100 << 20]);
    assert!(bomb.len() < 110_000, "{} bytes", bomb.len());
    let error = steps(&bomb).expect_err("a bomb");
    assert!(error.contains("more than 524288 bytes"), "{error}");
    let mut cut = deflated(&plain(1, 3, 1, 1_000, &[2]));
    cut[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(steps(&cut).expect_err("length").contains("announces 4294967295 deflated bytes"));
}

#[test]
fn a_stream_that_ends_early_or_is_damaged_is_refused_and_the_next_one_is_read() {
    let counts: Vec<u8> = (0..20_000u32).flat_map(|n| [1, (n % 60) as u8 * 2]).collect();
    let whole = deflated(&plain(counts.len() as u32, 3, 1, u64::MAX, &counts));
    let expected = steps(&whole).expect("read");
    for end in [9, 12, whole.len() / 2, whole.len() - 1] {
        let mut cut = whole[..end].to_vec();
        cut[4..8].copy_from_slice(&(end as u32 - 8).to_be_bytes());
        assert!(steps(&cut).is_err_and(|e| e.contains("truncated")), "{end} bytes");
        let mut damaged = whole.clone();
        damaged[end] ^= 0x55;
        assert!(steps(&damaged).is_err() || steps(&damaged) != Ok(expected.clone()), "byte {end}");
        assert_eq!(steps(&whole), Ok(expected.clone()));
    }
}

#[test]
fn the_widest_form_with_the_longest_counts_is_read() {
    let mut wide = Hdr::<u64>::new_with_bounds(1, (1 << 63) - 1, 3).unwrap();
    // Each count takes 6 bytes; with more, the total would exceed the maximum.
    (0..53 * 1_024u64).for_each(|n| wide.record_n(((n & 1_023) + 1_024) << (n >> 10), 1 << 34).unwrap());
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(&wide, &mut bytes).unwrap();
    assert!(steps(&bytes).expect("read") == reference(&bytes));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_shape_is_read_as_the_crate_reads_it(
        digits in 0u8..6,
        lowest in prop_oneof![Just(1u64), 1u64..5_000, Just(1 << 20)],
        spread in prop_oneof![Just(2u64), 2u64..1_000_000, Just(1 << 40)],
        values in prop::collection::vec((0f64..1.0, 1u64..1 << 20), 0..60),
        deflate: bool,
    ) {
        let highest = lowest * spread;
        let mut histogram = Hdr::<u64>::new_with_bounds(lowest, highest, digits).unwrap();
        for (at, count) in values {
            let value = lowest + (at * (highest - lowest) as f64) as u64;
            histogram.record_n(value.min(highest), count).unwrap();
        }
        let mut bytes = Vec::new();
        if deflate {
            V2DeflateSerializer::new().serialize(&histogram, &mut bytes).unwrap();
        } else {
            V2Serializer::new().serialize(&histogram, &mut bytes).unwrap();
        }
        prop_assert_eq!(steps(&bytes).expect("read"), reference(&bytes));
    }
}
