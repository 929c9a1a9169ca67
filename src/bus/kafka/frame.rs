//! Splits a connection's byte stream into frames: a big-endian length of four bytes, then that many bytes.
//!
//! Memory is bounded whatever the peer sends: the buffer grows with the bytes received, and only the first
//! `keep` bytes of a frame are kept; the rest is counted and dropped. So a record of 100 MB can be skipped
//! without holding it in memory.

use std::fmt;

/// A complete frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its bytes without the length, at most `keep` of them.
    pub bytes: Vec<u8>,
    /// Whether it was truncated.
    pub cut: bool,
}

/// The stream is not a Kafka stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// It starts like a response of another protocol; its name.
    OtherProtocol(&'static str),
    /// It contains a length that no Kafka broker sends.
    BadLength(i32),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::OtherProtocol(name) => write!(f, "it speaks {name}, not Kafka"),
            FrameError::BadLength(length) => {
                write!(f, "it sent a frame length of {length}, which is not valid in Kafka")
            }
        }
    }
}

/// Assembles frames from pieces of any size.
#[derive(Debug)]
pub struct FrameReader {
    keep: usize,
    longest: i32,
    head: Vec<u8>,
    length: Option<usize>,
    seen: usize,
    body: Vec<u8>,
}

impl FrameReader {
    /// Accepts frames of up to `longest` bytes and keeps the first `keep` of each.
    pub fn new(keep: usize, longest: i32) -> Self {
        FrameReader { keep, longest, head: Vec::new(), length: None, seen: 0, body: Vec::new() }
    }

    /// Consumes received bytes. Returns how many were used and the frame they completed, if any; pass the
    /// rest to the next call.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(usize, Option<Frame>), FrameError> {
        let mut used = 0;
        let length = match self.length {
            Some(length) => length,
            None => {
                used = bytes.len().min(4 - self.head.len());
                self.head.extend_from_slice(&bytes[..used]);
                let Some(head) = self.head.first_chunk::<4>() else { return Ok((used, None)) };
                let length = check_length(*head, self.longest)?;
                self.length = Some(length);
                length
            }
        };
        let body = &bytes[used..];
        let of_this = body.len().min(length - self.seen);
        let kept = of_this.min(self.keep.saturating_sub(self.body.len()));
        self.body.extend_from_slice(&body[..kept]);
        self.seen += of_this;
        used += of_this;
        if self.seen < length {
            return Ok((used, None));
        }
        let frame = Frame { bytes: std::mem::take(&mut self.body), cut: length > self.keep };
        self.head.clear();
        self.length = None;
        self.seen = 0;
        Ok((used, Some(frame)))
    }
}

fn check_length(head: [u8; 4], longest: i32) -> Result<usize, FrameError> {
    let length = i32::from_be_bytes(head);
    match usize::try_from(length) {
        Ok(size) if length <= longest => Ok(size),
        _ => Err(foreign(head).map_or(FrameError::BadLength(length), FrameError::OtherProtocol)),
    }
}

/// Recognizes other protocols by their first four bytes.
fn foreign(head: [u8; 4]) -> Option<&'static str> {
    match &head {
        b"HTTP" | b"<htm" | b"<HTM" | b"<!DO" => Some("HTTP"),
        b"SSH-" => Some("SSH"),
        b"220 " | b"220-" => Some("SMTP or FTP"),
        b"-ERR" => Some("the Redis protocol"),
        // A TLS alert record: content type 21, then major version 3.
        [21, 3, _, _] => Some("TLS"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn framed(body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32).to_be_bytes(), body].concat()
    }

    fn read_all(reader: &mut FrameReader, mut bytes: &[u8], piece: usize) -> Result<Vec<Frame>, FrameError> {
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            let (used, frame) = reader.push(&bytes[..piece.min(bytes.len())])?;
            frames.extend(frame);
            bytes = &bytes[used..];
        }
        Ok(frames)
    }

    #[test]
    fn other_protocols_are_named() {
        let mut reader = FrameReader::new(100, 1_000);
        let error = reader.push(b"HTTP/1.1 400 Bad Request\r\n").unwrap_err();
        assert_eq!(error, FrameError::OtherProtocol("HTTP"));
        assert_eq!(FrameReader::new(9, 9).push(&[21, 3, 3, 0]), Err(FrameError::OtherProtocol("TLS")));
        assert_eq!(FrameReader::new(9, 9).push(&[255; 4]), Err(FrameError::BadLength(-1)));
        assert_eq!(FrameReader::new(9, 9).push(&[0, 0, 0, 10]), Err(FrameError::BadLength(10)));
    }

    #[test]
    fn an_empty_frame_is_a_frame() {
        let frames = read_all(&mut FrameReader::new(9, 9), &[0, 0, 0, 0, 0, 0, 0, 1, 7], 9).unwrap();
        assert!(frames[0].bytes.is_empty());
        assert_eq!(frames[1].bytes, [7]);
    }

    proptest! {
        #[test]
        fn frames_survive_any_split(bodies: Vec<Vec<u8>>, piece in 1usize..40, keep in 1usize..50) {
            let stream: Vec<u8> = bodies.iter().flat_map(|body| framed(body)).collect();
            let frames = read_all(&mut FrameReader::new(keep, 1 << 20), &stream, piece).unwrap();
            prop_assert_eq!(frames.len(), bodies.len());
            for (frame, body) in frames.iter().zip(&bodies) {
                prop_assert_eq!(&frame.bytes[..], &body[..body.len().min(keep)]);
                prop_assert_eq!(frame.cut, body.len() > keep);
            }
        }

        #[test]
        fn malformed_input_never_panics_and_never_fills_memory(bytes: Vec<u8>, piece in 1usize..40) {
            let mut reader = FrameReader::new(64, i32::MAX);
            let _ = read_all(&mut reader, &bytes, piece);
            prop_assert!(reader.body.len() <= 64 && reader.body.capacity() <= 256);
        }
    }
}
