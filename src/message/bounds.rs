//! Limits on untrusted JSON, checked before it is parsed: size, depth and number of values.
//!
//! A parser needs stack for each level, and up to forty bytes of memory for each byte of small values. None
//! of our messages comes near these limits.

/// Largest message that is accepted, in bytes: more than [`crate::message::encode`] produces for the largest
/// plan.
pub const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// Maximum nesting depth of objects and lists.
pub const MAX_DEPTH: usize = 32;
/// Maximum number of values in all objects and lists together; a plan for the largest fleet has a quarter of
/// this.
pub const MAX_VALUES: usize = 100_000;

/// How many bytes of a text are checked at once.
const BLOCK: usize = 32;

/// Refuses input that should not be parsed. Allocates nothing; text that is not JSON is left to the parser.
///
/// # Errors
/// A description of the limit that is exceeded.
pub fn check(json: &[u8]) -> Result<(), String> {
    if json.len() > MAX_MESSAGE_BYTES {
        return Err(format!("message of {} bytes: at most {MAX_MESSAGE_BYTES} are read", json.len()));
    }
    let (mut depth, mut values, mut rest) = (0usize, 0usize, json);
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'"' => rest = after_text(after),
            b'[' | b'{' => {
                depth += 1;
                values += 1;
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => values += 1,
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(format!("nested more than {MAX_DEPTH} levels deep"));
        }
        if values > MAX_VALUES {
            return Err(format!("more than {MAX_VALUES} values"));
        }
    }
    Ok(())
}

/// What follows the text that begins here, after its opening quote. Most of a report is a few long texts, so
/// they are skipped in blocks.
fn after_text(mut rest: &[u8]) -> &[u8] {
    let ends = |byte: &u8| matches!(byte, b'"' | b'\\');
    loop {
        let plain =
            rest.chunks_exact(BLOCK).take_while(|block| !block.iter().fold(false, |any, b| any | ends(b)));
        rest = &rest[plain.count() * BLOCK..];
        let Some(end) = rest.iter().position(ends) else { return &[] };
        match rest[end] {
            b'"' => return &rest[end + 1..],
            _ => rest = rest.get(end + 2..).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn depth_counts_outside_texts_only() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert_eq!(check(nested(MAX_DEPTH).as_bytes()), Ok(()));
        assert!(check(nested(MAX_DEPTH + 1).as_bytes()).is_err_and(|e| e.contains("levels deep")));
        let text = format!(r#"{{"a":"\"{}","b":"\\","c":{}}}"#, "[".repeat(100), nested(MAX_DEPTH - 1));
        assert_eq!(check(text.as_bytes()), Ok(()));
        let after = format!(r#"{{"a":"\\","b":{}}}"#, nested(MAX_DEPTH));
        assert!(check(after.as_bytes()).is_err());
        assert_eq!(check("[],".repeat(40).as_bytes()), Ok(()), "side by side is not deep");
    }

    /// One byte after another.
    fn text_end(json: &[u8]) -> Option<usize> {
        let mut escaped = false;
        json.iter().position(|byte| {
            let ends = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            ends
        })
    }

    proptest! {
        #[test]
        fn a_text_ends_at_its_first_quote_that_is_not_escaped(
            parts in prop::collection::vec(prop_oneof!["[a-z]{0,70}", "\\PC?", Just("\\".to_owned())], 0..9),
            end in "\"?[a-z]{0,40}",
        ) {
            let json = parts.concat() + &end;
            let after = text_end(json.as_bytes()).map_or(&[][..], |end| &json.as_bytes()[end + 1..]);
            prop_assert_eq!(after_text(json.as_bytes()), after);
        }
    }

    #[test]
    fn values_and_bytes_are_bounded() {
        assert!(
            check(format!("[{}0]", "0,".repeat(MAX_VALUES)).as_bytes()).is_err_and(|e| e.contains("values"))
        );
        assert!(check(&vec![b' '; MAX_MESSAGE_BYTES + 1]).is_err_and(|e| e.contains("1048577 bytes")));
        for junk in ["", "]]]]", "\"", "\\", "{\"a\":\"\\"] {
            assert_eq!(check(junk.as_bytes()), Ok(()));
        }
    }
}
