//! Zstandard: <https://www.rfc-editor.org/rfc/rfc8878>. Producers write one frame, rarely several.

use super::{Refusal, malformed};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::Read;

/// Magic number, descriptor and window: the part of a frame's header that is read here.
const HEAD: usize = 6;
const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
/// Descriptor bit: the frame has no window; its content size serves as one.
const SINGLE_SEGMENT: u8 = 1 << 5;
/// Magic number and length of a skippable frame.
const SKIP_HEAD: usize = 8;
/// Windows are powers of two from 2^10 up. A window below 2^17, the maximum block size, could limit blocks.
const BASE_LOG: u32 = 10;
const BLOCK_LOG: u32 = 17;

pub fn decode(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut decoded = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        rest = decode_frame(rest, limit, &mut decoded)?;
    }
    Ok(decoded)
}

/// Decodes the first frame, appends the result and returns the remaining input.
fn decode_frame<'a>(bytes: &'a [u8], limit: usize, decoded: &mut Vec<u8>) -> Result<&'a [u8], Refusal> {
    let (head, mut rest) = bytes.split_at(bytes.len().min(HEAD));
    let window_log = limit.max(1).next_power_of_two().ilog2().max(BLOCK_LOG);
    let head = with_window_within(window_log, head);
    let mut source = head.as_slice().chain(&mut rest);
    // A new decoder per frame: a reset reserves the whole window, while a new one grows with its output.
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(1 << window_log);
    match decoder.init(&mut source) {
        Ok(()) => {}
        Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
            let end = SKIP_HEAD.saturating_add(length as usize);
            return bytes.get(end..).ok_or_else(|| malformed("a skippable frame is incomplete"));
        }
        Err(FrameDecoderError::WindowSizeTooBig { .. }) => return Err(Refusal::TooLarge),
        Err(error) => return Err(malformed(error)),
    }
    // The decoder holds back a window's worth of output until the end; each block adds up to 128 KiB.
    while !decoder.is_finished() {
        decoder.decode_blocks(&mut source, BlockDecodingStrategy::UptoBlocks(1)).map_err(malformed)?;
        drain(&mut decoder, limit, decoded)?;
    }
    match decoder.get_checksum_from_data() {
        Some(sum) if decoder.get_calculated_checksum() != Some(sum) => {
            Err(malformed("its checksum is wrong"))
        }
        _ => Ok(rest),
    }
}

/// The same header with a window of at most 2^`window_log` bytes. This is harmless for frames that decode to
/// no more than that; high compression levels announce 128 MiB for any content.
fn with_window_within(window_log: u32, head: &[u8]) -> Vec<u8> {
    let mut head = head.to_vec();
    if let [magic @ .., descriptor, window] = head.as_mut_slice()
        && *magic == MAGIC
        && *descriptor & SINGLE_SEGMENT == 0
    {
        // Exponent in the upper five bits, mantissa (eighths) in the lower three.
        *window = (*window).min(((window_log - BASE_LOG) << 3) as u8);
    }
    head
}

fn drain(decoder: &mut FrameDecoder, limit: usize, decoded: &mut Vec<u8>) -> Result<(), Refusal> {
    let left = limit - decoded.len();
    if decoder.can_collect() > left {
        return Err(Refusal::TooLarge);
    }
    decoder.collect_to_writer(decoded).map_err(malformed)?;
    Ok(())
}
