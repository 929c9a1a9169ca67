//! The chunked transfer coding of request bodies, parsed strictly (RFC 9112, section 7.1). Pure.

use super::head::Refusal;

/// Maximum length of a chunk-size line, including extensions.
const MAX_SIZE_LINE: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Size,
    Data(u64),
    DataEnd,
    Trailer,
    Done,
}

/// The position in a chunked body.
#[derive(Clone, Debug)]
pub struct Chunks {
    place: Place,
    /// Bytes of the trailer so far.
    trailer: usize,
}

/// What the input begins with.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// This many bytes of framing, which are not part of the body.
    Frame(usize),
    /// The size of the chunk that begins, and the length of its size line.
    Announced(u64, usize),
    /// This many bytes of the body.
    Data(usize),
    /// Undecided: more bytes are needed.
    Wait,
    /// The body is complete.
    Done,
}

fn malformed(what: &str) -> Refusal {
    Refusal::new(400, format!("malformed chunked body: {what}"))
}

impl Chunks {
    /// A decoder at the start of a body.
    pub fn new() -> Chunks {
        Chunks { place: Place::Size, trailer: 0 }
    }

    /// Classifies the beginning of `input`. `max_trailer` bounds the trailer, which is discarded.
    pub fn next(&mut self, input: &[u8], max_trailer: usize) -> Result<Piece, Refusal> {
        match self.place {
            Place::Size => self.size(input),
            Place::Data(_) if input.is_empty() => Ok(Piece::Wait),
            Place::Data(left) => {
                let taken = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let left = left - taken as u64;
                self.place = if left == 0 { Place::DataEnd } else { Place::Data(left) };
                Ok(Piece::Data(taken))
            }
            Place::DataEnd => match input {
                [b'\r', b'\n', ..] => {
                    self.place = Place::Size;
                    Ok(Piece::Frame(2))
                }
                [] | [b'\r'] => Ok(Piece::Wait),
                _ => Err(malformed("a chunk is longer than its size")),
            },
            Place::Trailer => self.trailer_line(input, max_trailer),
            Place::Done => Ok(Piece::Done),
        }
    }

    fn size(&mut self, input: &[u8]) -> Result<Piece, Refusal> {
        let Some(length) = line(input, MAX_SIZE_LINE, "a size line")? else { return Ok(Piece::Wait) };
        // `httparse` would accept an empty line as 0.
        let size = match httparse::parse_chunk_size(&input[..length]) {
            Ok(httparse::Status::Complete((end, size))) if end == length && input[0].is_ascii_hexdigit() => {
                size
            }
            _ => return Err(malformed("a chunk has no valid size")),
        };
        self.place = if size == 0 { Place::Trailer } else { Place::Data(size) };
        Ok(Piece::Announced(size, length))
    }

    fn trailer_line(&mut self, input: &[u8], max_trailer: usize) -> Result<Piece, Refusal> {
        let left = max_trailer.saturating_sub(self.trailer);
        let Some(length) = line(input, left, "the trailer")? else { return Ok(Piece::Wait) };
        self.trailer += length;
        if length == 2 {
            self.place = Place::Done;
        }
        Ok(Piece::Frame(length))
    }
}

/// Length of the first line of `input`, including its CR LF; `None` if the line is incomplete.
fn line(input: &[u8], most: usize, what: &str) -> Result<Option<usize>, Refusal> {
    match input.iter().take(most).position(|byte| *byte == b'\n') {
        Some(0) => Err(malformed("a line ends without a carriage return")),
        Some(feed) if input[feed - 1] != b'\r' => Err(malformed("a line ends without a carriage return")),
        Some(feed) => Ok(Some(feed + 1)),
        None if input.len() >= most => {
            Err(Refusal::new(431, format!("{what} of the chunked body is too long")))
        }
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body and the number of bytes consumed; reading in pieces must give the same.
    fn read(text: &str, most: usize) -> Result<(String, usize, bool), u16> {
        let (mut chunks, mut at, mut body) = (Chunks::new(), 0, String::new());
        let input = text.as_bytes();
        loop {
            match chunks.next(&input[at..], most).map_err(|refusal| refusal.status)? {
                Piece::Frame(count) | Piece::Announced(_, count) => at += count,
                Piece::Data(count) => {
                    body.push_str(&text[at..at + count]);
                    at += count;
                }
                Piece::Wait => return Ok((body, at, false)),
                Piece::Done => return Ok((body, at, true)),
            }
        }
    }

    #[test]
    fn a_body_ends_where_its_last_chunk_says() {
        for (text, body) in [
            ("0\r\n\r\n", ""),
            ("5\r\nhello\r\n0\r\n\r\n", "hello"),
            ("3;x=\"y;z\"\r\nabc\r\nA \r\n0123456789\r\n00\r\nT: v\r\nU: w\r\n\r\n", "abc0123456789"),
        ] {
            let whole = Ok((body.to_owned(), text.len(), true));
            assert_eq!(read(&format!("{text}GET"), 100), whole, "{text:?}");
            for cut in 0..text.len() {
                assert!(read(&text[..cut], 100).is_ok_and(|(_, _, done)| !done), "{:?}", &text[..cut]);
            }
        }
    }

    #[test]
    fn ambiguous_framing_is_refused() {
        for text in [
            "\r\n",
            ";\r\n",
            "g\r\n",
            "-1\r\n",
            "0x5\r\n",
            " 5\r\n",
            "5\n",
            "5;a\nb\r\n",
            "5\rX\n",
            "5\r\nhelloX\r",
            "5\r\nhello\n",
            "12345678901234567\r\n",
            "0\r\n\n",
            "0\r\nT: v\n",
        ] {
            assert_eq!(read(text, 100), Err(400), "{text:?}");
        }
    }

    #[test]
    fn endless_lines_and_trailers_are_refused() {
        assert_eq!(read(&format!("5;{}", "x".repeat(MAX_SIZE_LINE)), 100), Err(431));
        assert_eq!(read(&format!("0\r\n{}", "x".repeat(100)), 100), Err(431));
        assert_eq!(read(&format!("0\r\n{}", "T: v\r\n".repeat(17)), 100), Err(431));
    }
}
