//! Bodies of forms: `name=value&name=value`, percent-encoded.

/// Maximum number of pairs of one body.
const MAX_PAIRS: usize = 64;

/// The pairs in order. An error says what is wrong with the body.
pub fn read(body: &[u8]) -> Result<Vec<(String, String)>, String> {
    let parts = body.split(|byte| *byte == b'&').filter(|part| !part.is_empty());
    let mut pairs = Vec::new();
    for part in parts {
        if pairs.len() == MAX_PAIRS {
            return Err(format!("the form has more than {MAX_PAIRS} fields"));
        }
        let at = part.iter().position(|byte| *byte == b'=').unwrap_or(part.len());
        let (name, value) = (&part[..at], part.get(at + 1..).unwrap_or_default());
        pairs.push((decode(name)?, decode(value)?));
    }
    Ok(pairs)
}

fn decode(text: &[u8]) -> Result<String, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next()), digit(rest.next()));
                let value = high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                value.ok_or("the form contains a % without two hexadecimal digits")?
            }
            byte => byte,
        });
    }
    String::from_utf8(out).map_err(|_| "the form is not in UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            read(b"a=1+2&&b=%C3%A4%26&c&d=x=y"),
            Ok(vec![pair("a", "1 2"), pair("b", "ä&"), pair("c", ""), pair("d", "x=y")])
        );
        assert_eq!(read(b""), Ok(vec![]));
    }

    #[test]
    fn malformed_and_endless_bodies_are_refused() {
        for body in [&b"a=%"[..], b"a=%4", b"a=%zz", b"a=%+1", b"a=%ff"] {
            assert!(read(body).is_err(), "{body:?}");
        }
        assert!(read(&b"a=1&".repeat(MAX_PAIRS)).is_ok());
        assert!(read(&b"a=1&".repeat(MAX_PAIRS + 1)).is_err());
    }
}
