//! The chunked transfer coding (RFC 9112, section 7.1), decoded in place: a sink gets the data.

use crate::http::MAX_HEAD_BYTES;
use crate::http::capture::{Dropped, Sink};
use crate::stats::outcome::ErrorKind;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the hexadecimal size; the flag says whether a digit was seen.
    Size(bool),
    /// After the size: extensions, skipped up to the end of the line.
    Extension,
    /// After the `\r` that ends the size line.
    SizeEnd,
    Data,
    /// After the data: `\r\n`, or a bare `\n` from lenient servers.
    DataEnd,
    DataEndLf,
    /// At the start of a trailer line; an empty line ends the body.
    Trailer,
    TrailerLine,
    TrailerEnd,
    Done,
}

/// The position in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunked {
    state: State,
    /// The chunk size as parsed so far, then the bytes left of it.
    left: u64,
    /// Bytes of this size line or of all trailers, to bound their length.
    line: u32,
}

impl Default for Chunked {
    fn default() -> Chunked {
        Chunked { state: State::Size(false), left: 0, line: 0 }
    }
}

impl Chunked {
    /// Whether the last chunk and the trailers are complete.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Consumes bytes of the body and returns how many belong to it: all of them, unless it ends earlier.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] for malformed chunks, and for an endless size line or trailer.
    pub fn advance(&mut self, input: &[u8]) -> Result<usize, ErrorKind> {
        self.advance_into(input, &mut Dropped)
    }

    /// Like [`Chunked::advance`], and passes the data to `sink`.
    ///
    /// # Errors
    /// As [`Chunked::advance`].
    pub fn advance_into(&mut self, input: &[u8], sink: &mut impl Sink) -> Result<usize, ErrorKind> {
        let mut at = 0;
        while at < input.len() && self.state != State::Done {
            if self.state == State::Data {
                let taken = (input.len() - at).min(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left -= taken as u64;
                sink.body(&input[at..at + taken]);
                at += taken;
                if self.left == 0 {
                    self.state = State::DataEnd;
                }
            } else {
                self.state = self.next(input[at])?;
                at += 1;
            }
        }
        Ok(at)
    }

    fn next(&mut self, byte: u8) -> Result<State, ErrorKind> {
        self.line += 1;
        if self.line as usize > MAX_HEAD_BYTES {
            return Err(ErrorKind::Protocol);
        }
        match (self.state, byte) {
            (State::Size(seen), _) => self.size(seen, byte),
            (State::Extension, b'\r') => Ok(State::SizeEnd),
            (State::Extension | State::SizeEnd, b'\n') => Ok(self.after_size()),
            (State::Extension, _) => Ok(State::Extension),
            (State::DataEnd, b'\r') => Ok(State::DataEndLf),
            (State::DataEnd | State::DataEndLf, b'\n') => {
                (self.left, self.line) = (0, 0);
                Ok(State::Size(false))
            }
            (State::Trailer, b'\r') => Ok(State::TrailerEnd),
            (State::Trailer | State::TrailerEnd, b'\n') => Ok(State::Done),
            (State::TrailerLine, b'\n') => Ok(State::Trailer),
            (State::Trailer | State::TrailerLine, _) => Ok(State::TrailerLine),
            _ => Err(ErrorKind::Protocol),
        }
    }

    fn size(&mut self, seen: bool, byte: u8) -> Result<State, ErrorKind> {
        if let Some(digit) = (byte as char).to_digit(16) {
            // A size of more than 60 bits exceeds every limit.
            if self.left >> 56 != 0 {
                return Err(ErrorKind::Protocol);
            }
            self.left = self.left << 4 | u64::from(digit);
            return Ok(State::Size(true));
        }
        match byte {
            b';' | b' ' | b'\t' if seen => Ok(State::Extension),
            b'\r' if seen => Ok(State::SizeEnd),
            b'\n' if seen => Ok(self.after_size()),
            _ => Err(ErrorKind::Protocol),
        }
    }

    fn after_size(&mut self) -> State {
        self.line = 0;
        if self.left == 0 { State::Trailer } else { State::Data }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Result<(usize, bool), ErrorKind> {
        let mut chunked = Chunked::default();
        Ok((chunked.advance(text.as_bytes())?, chunked.is_done()))
    }

    #[test]
    fn the_end_is_found_and_the_rest_is_left() {
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "A;x=\"y;z\"\r\n0123456789\r\n000\r\nT: v\r\nU: w\r\n\r\n",
            "1\na\n0\n\n",
        ] {
            assert_eq!(whole(&format!("{body}HTTP")), Ok((body.len(), true)), "{body:?}");
            assert_eq!(whole(&body[..body.len() - 1]), Ok((body.len() - 1, false)), "{body:?}");
        }
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for body in [
            "\r\n",
            ";\r\n",
            "g\r\n",
            "5\rX",
            "5\r\nhelloX",
            "5\r\nhello\rX",
            "123456789abcdef01\r\n",
            "0\r\n\rX",
        ] {
            assert_eq!(whole(body), Err(ErrorKind::Protocol), "{body:?}");
        }
    }

    #[test]
    fn endless_extensions_and_trailers_are_refused() {
        let long = "x".repeat(MAX_HEAD_BYTES + 1);
        assert_eq!(whole(&format!("5;{long}")), Err(ErrorKind::Protocol));
        assert_eq!(whole(&format!("0\r\n{long}")), Err(ErrorKind::Protocol));
        // The limit is per line: many chunks are legitimate.
        let many = "1\r\na\r\n".repeat(MAX_HEAD_BYTES);
        assert_eq!(whole(&many), Ok((many.len(), false)));
    }
}
