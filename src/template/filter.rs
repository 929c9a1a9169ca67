//! Filters: how a value is escaped for the place where it stands.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// An encoding of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Filter {
    /// Percent-encoding of everything but unreserved characters (RFC 3986, sections 2.1 and 2.3).
    Url,
    /// Escapes for the inside of a JSON string, without the quotes (RFC 8259, section 7).
    Json,
    /// Base64 with padding (RFC 4648, section 4).
    Base64,
}

impl Filter {
    /// The names of all filters.
    pub const NAMES: [&str; 3] = ["url", "json", "base64"];

    /// The filter of this name.
    pub fn named(name: &str) -> Option<Filter> {
        [Filter::Url, Filter::Json, Filter::Base64].into_iter().find(|filter| filter.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Filter::Url => Filter::NAMES[0],
            Filter::Json => Filter::NAMES[1],
            Filter::Base64 => Filter::NAMES[2],
        }
    }

    /// Appends the encoded value.
    pub fn apply(self, value: &[u8], out: &mut Vec<u8>) {
        match self {
            Filter::Url => url(value, out),
            Filter::Json => json(value, out),
            Filter::Base64 => {
                let begin = out.len();
                out.resize(begin + encoded(value.len()), 0);
                encode(value, &mut out[begin..]);
            }
        }
    }
}

/// Length of a value in base64.
pub fn encoded(length: usize) -> usize {
    length.div_ceil(3) * 4
}

/// Writes a value in base64. `out` has exactly the encoded length.
pub fn encode(value: &[u8], out: &mut [u8]) {
    // So there is room, and this cannot fail.
    let _ = STANDARD.encode_slice(value, out);
}

/// A text with its filter applied.
pub fn filtered(filter: Option<Filter>, text: &[u8]) -> Vec<u8> {
    let Some(filter) = filter else { return text.to_vec() };
    let mut out = Vec::new();
    filter.apply(text, &mut out);
    out
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

fn url(value: &[u8], out: &mut Vec<u8>) {
    for byte in value {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(*byte),
            _ => {
                out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
        }
    }
}

fn json(value: &[u8], out: &mut Vec<u8>) {
    for byte in value {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1f => {
                let hex = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&hex);
            }
            _ => out.push(*byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn applied(filter: Filter, value: &str) -> String {
        let mut out = b"<".to_vec();
        filter.apply(value.as_bytes(), &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn each_filter_escapes_for_its_place() {
        for (filter, value, expected) in [
            (Filter::Url, "a b&c=ü/~._-", "<a%20b%26c%3D%C3%BC%2F~._-"),
            (Filter::Json, "a \"b\" \\ \n\r\t\u{1}\u{1f} ü", "<a \\\"b\\\" \\\\ \\n\\r\\t\\u0001\\u001F ü"),
            (Filter::Base64, "user:pass", "<dXNlcjpwYXNz"),
            (Filter::Base64, "a", "<YQ=="),
            (Filter::Base64, "", "<"),
        ] {
            assert_eq!(applied(filter, value), expected, "{filter}");
        }
    }

    proptest! {
        #[test]
        fn what_is_escaped_reads_back(text in ".*") {
            let quoted = format!("\"{}\"", &applied(Filter::Json, &text)[1..]);
            prop_assert_eq!(serde_json::from_str::<String>(&quoted).ok(), Some(text.clone()));
            let coded = applied(Filter::Base64, &text)[1..].to_owned();
            prop_assert_eq!(STANDARD.decode(coded).ok(), Some(text.clone().into_bytes()));
            let escaped = applied(Filter::Url, &text);
            let mut parts = escaped[1..].split('%');
            let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
            for part in parts {
                bytes.push(u8::from_str_radix(&part[..2], 16).expect("hex"));
                bytes.extend_from_slice(&part.as_bytes()[2..]);
            }
            prop_assert_eq!(bytes, text.into_bytes());
        }
    }
}
