//! The escapes of `$'…'` (bash manual, "ANSI-C Quoting").

/// Appends what the escape at the beginning of `text` stands for, and returns its length.
///
/// # Errors
/// An escape that stands for no character.
pub fn escaped(text: &[u8], into: &mut Vec<u8>) -> Result<usize, String> {
    let simple = |byte: u8| {
        Some(match byte {
            b'a' => 7,
            b'b' => 8,
            b'e' | b'E' => 27,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'\\' | b'\'' | b'"' | b'?' => byte,
            _ => return None,
        })
    };
    match text.get(1).copied() {
        Some(b'0'..=b'7') => {
            let (number, length) = number(&text[1..], 8, 3);
            // Bash keeps the low byte.
            byte((number & 0xff) as u8, into)?;
            Ok(1 + length)
        }
        Some(b'x') if is_hex(text.get(2)) => {
            let (number, length) = number(&text[2..], 16, 2);
            byte(number as u8, into)?;
            Ok(2 + length)
        }
        Some(b'u') if is_hex(text.get(2)) => unicode(text, 4, into),
        Some(b'U') if is_hex(text.get(2)) => unicode(text, 8, into),
        Some(b'c') if text.len() > 2 => {
            byte(text[2].to_ascii_uppercase() & 0x1f, into)?;
            Ok(3)
        }
        Some(other) => {
            match simple(other) {
                Some(byte) => into.push(byte),
                None => into.extend([b'\\', other]),
            }
            Ok(2)
        }
        None => {
            into.push(b'\\');
            Ok(1)
        }
    }
}

fn is_hex(byte: Option<&u8>) -> bool {
    byte.is_some_and(u8::is_ascii_hexdigit)
}

/// The number at the beginning of `text`, and how many of at most `most` digits it has.
fn number(text: &[u8], base: u32, most: usize) -> (u32, usize) {
    let digits = text.iter().take(most).map_while(|byte| char::from(*byte).to_digit(base));
    digits.fold((0, 0), |(number, length), digit| (number * base + digit, length + 1))
}

fn byte(byte: u8, into: &mut Vec<u8>) -> Result<(), String> {
    if byte == 0 {
        return Err("a word cannot contain the character NUL: a shell ends the word before it".to_owned());
    }
    into.push(byte);
    Ok(())
}

/// `\uHHHH` or `\UHHHHHHHH`. Browsers write characters beyond 16 bits as two halves (UTF-16 surrogates).
fn unicode(text: &[u8], most: usize, into: &mut Vec<u8>) -> Result<usize, String> {
    let (first, length) = number(&text[2..], 16, most);
    let mut length = 2 + length;
    let mut code = first;
    if (0xd800..0xdc00).contains(&first) && text[length..].starts_with(b"\\u") {
        let (second, digits) = number(&text[length + 2..], 16, 4);
        if (0xdc00..0xe000).contains(&second) {
            code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            length += 2 + digits;
        }
    }
    if code == 0 {
        byte(0, into)?;
    }
    let Some(c) = char::from_u32(code) else { return Err(format!("\\u{first:x} is not a character")) };
    into.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<u8>, usize) {
        let mut bytes = Vec::new();
        let length = escaped(text.as_bytes(), &mut bytes).expect("an escape");
        (bytes, length)
    }

    #[test]
    fn escapes_are_those_of_bash() {
        for (text, expected, length) in [
            ("\\nx", &b"\n"[..], 2),
            ("\\'", b"'", 2),
            ("\\q", b"\\q", 2),
            ("\\", b"\\", 1),
            ("\\x41z", b"A", 4),
            ("\\x4z", b"\x04", 3),
            ("\\xff0", b"\xff", 4),
            ("\\xz", b"\\x", 2),
            ("\\1019", b"A", 4),
            ("\\u0021", b"!", 6),
            ("\\u21z", b"!", 4),
            ("\\u00e9", "é".as_bytes(), 6),
            ("\\ud83d\\ude00", "😀".as_bytes(), 12),
            ("\\U1f600z", "😀".as_bytes(), 7),
            ("\\ca", b"\x01", 3),
            ("\\c", b"\\c", 2),
        ] {
            assert_eq!(read(text), (expected.to_vec(), length), "{text}");
        }
        for text in
            ["\\0", "\\x00", "\\u0000", "\\ud83d", "\\ude00", "\\U110000", "\\UFFFFFFFF", "\\ud83d\\u0041"]
        {
            assert!(escaped(text.as_bytes(), &mut Vec::new()).is_err(), "{text}");
        }
    }
}
