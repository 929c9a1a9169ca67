use super::*;
use kafka_protocol::records::Compression::{self, Gzip, Lz4, Snappy, Zstd};
use proptest::prelude::*;
use std::io::Write;

const CODECS: [Compression; 4] = [Gzip, Snappy, Lz4, Zstd];
const LIMIT: usize = 256 << 10;

/// Encodes `bytes` with the codec's own encoder.
fn encode(codec: Compression, bytes: &[u8]) -> Vec<u8> {
    match codec {
        Compression::None => bytes.to_vec(),
        Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Snappy => framed(bytes),
        Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Zstd => ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest),
    }
}

fn raw_snappy(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(bytes).unwrap()
}

/// Java's framing, in blocks of 32 KiB.
fn framed(bytes: &[u8]) -> Vec<u8> {
    let mut out = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for block in bytes.chunks(32 << 10) {
        let block = raw_snappy(block);
        out.extend((block.len() as u32).to_be_bytes());
        out.extend(block);
    }
    out
}

/// Text that compresses moderately.
fn text(length: usize) -> Vec<u8> {
    (0u64..).flat_map(|n| format!("record {} of driver {n};", n * n % 97).into_bytes()).take(length).collect()
}

#[test]
fn encoded_data_is_decoded() {
    for codec in CODECS {
        for length in [0, 1, 100, 70_000, LIMIT] {
            let plain = text(length);
            assert!(
                decode(codec, &encode(codec, &plain), LIMIT).as_ref() == Ok(&plain),
                "{codec:?}, {length}"
            );
        }
    }
    let plain = text(5_000);
    assert_eq!(decode(Snappy, &raw_snappy(&plain), LIMIT), Ok(plain));
}

#[test]
fn a_decompression_bomb_is_refused() {
    for codec in CODECS {
        for length in [LIMIT + 1, 8 << 20] {
            let bomb = encode(codec, &vec![0; length]);
            let error = decode(codec, &bomb, LIMIT).unwrap_err();
            assert!(
                error.contains("more than 262144 bytes") && error.contains(&format!("{codec:?}")),
                "{error}"
            );
        }
    }
}

/// The lz4 decoder treats an end between two blocks as the end of the frame; the record count in the batch's
/// head then reveals the missing records.
#[test]
fn truncated_data_are_malformed() {
    for codec in CODECS {
        let whole = encode(codec, &text(3_000));
        for keep in (1..whole.len()).step_by(7) {
            let cut = decode(codec, &whole[..keep], LIMIT);
            if codec == Lz4 && cut.as_ref().is_ok_and(|cut| cut.len() <= 3_000) {
                continue;
            }
            let error = cut.expect_err(&format!("{codec:?} cut to {keep} of {}", whole.len()));
            assert!(error.contains("malformed"), "{codec:?} {keep}: {error}");
        }
    }
}

#[test]
fn a_length_in_the_data_allocates_no_memory() {
    // A raw block of 6 bytes that announces 256 KiB minus one byte, and one that announces 4 GiB.
    let error = decode(Snappy, &[0xff, 0xff, 0x0f, 0, 0, 0], LIMIT).unwrap_err();
    assert!(error.contains("announced length"), "{error}");
    let error = decode(Snappy, &[0xff, 0xff, 0xff, 0xff, 0x0f, 0], LIMIT).unwrap_err();
    assert!(error.contains("more than"), "{error}");
    // A single segment of 2^50 bytes.
    let huge = [&[0x28, 0xb5, 0x2f, 0xfd, 0xe0][..], &(1u64 << 50).to_le_bytes(), &[1, 0, 0]].concat();
    assert!(decode(Zstd, &huge, LIMIT).unwrap_err().contains("more than"));
}

#[test]
fn zstd_with_a_large_window_over_few_bytes_is_read() {
    let mut frame = encode(Zstd, &text(5_000));
    assert_eq!(frame[4] & (1 << 5), 0, "the encoder writes a window");
    frame[5] = 17 << 3; // 128 MiB, as level 22 announces
    assert_eq!(decode(Zstd, &frame, LIMIT), Ok(text(5_000)));
}

#[test]
fn zstd_frames_are_concatenated_and_skippable_ones_skipped() {
    let skippable = [&0x184D_2A53_u32.to_le_bytes()[..], &3u32.to_le_bytes(), b"any"].concat();
    let both = [encode(Zstd, b"one, "), skippable.clone(), encode(Zstd, b"two")].concat();
    assert_eq!(decode(Zstd, &both, LIMIT), Ok(b"one, two".to_vec()));
    assert!(decode(Zstd, &skippable[..10], LIMIT).unwrap_err().contains("skippable"));
}

proptest! {
    #[test]
    fn malformed_input_never_panics(bytes: Vec<u8>) {
        for codec in CODECS {
            let _ = decode(codec, &bytes, LIMIT);
        }
        let _ = decode(Snappy, &[&framed(b"")[..], &bytes].concat(), LIMIT);
    }

    #[test]
    fn a_changed_byte_never_panics(at: prop::sample::Index, change in 1u8..) {
        for codec in CODECS {
            let mut bytes = encode(codec, &text(500));
            let at = at.index(bytes.len());
            bytes[at] ^= change;
            let _ = decode(codec, &bytes, LIMIT);
        }
    }
}
