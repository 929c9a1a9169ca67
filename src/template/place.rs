//! Where a template stands in a request, and which values may stand there.

/// A place in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Path and query of the URL.
    Path,
    /// The value of a header.
    Header,
    /// The body.
    Body,
}

impl Place {
    /// Checks a value after its filter.
    ///
    /// # Errors
    /// What the value contains that would break the request, and what helps: RFC 3986, section 3 for paths,
    /// RFC 9110, section 5.5 for headers.
    pub fn check(self, value: &[u8]) -> Result<(), String> {
        let wrong = |byte: &&u8| match self {
            Place::Path => !byte.is_ascii_graphic() || b"\"#<>\\^`{|}".contains(byte),
            Place::Header => byte.is_ascii_control() && **byte != b'\t',
            Place::Body => false,
        };
        let Some(byte) = value.iter().find(wrong) else { return Ok(()) };
        let what = match byte {
            b'\r' | b'\n' => "a line break".to_owned(),
            0 => "a NUL character".to_owned(),
            b' ' => "a space".to_owned(),
            0x21..=0x7e => format!("the character {}", char::from(*byte)),
            0x80.. => "a character outside ASCII".to_owned(),
            _ => "a control character".to_owned(),
        };
        Err(match self {
            Place::Path => format!("contains {what}, which a URL cannot contain: add the filter |url"),
            _ => format!("contains {what}, which a header cannot contain: remove it or add a filter"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_would_break_a_request_are_refused() {
        for (place, value, expected) in [
            (Place::Path, "a b", "contains a space, which a URL cannot contain: add the filter |url"),
            (Place::Path, "ü", "a character outside ASCII"),
            (Place::Path, "a\r\nb", "a line break"),
            (Place::Path, "a#b", "the character #"),
            (Place::Path, "<b>", "the character <"),
            (Place::Path, "\u{7f}", "a control character"),
            (Place::Header, "a\r\nb", "contains a line break, which a header cannot contain"),
            (Place::Header, "\0", "a NUL character"),
        ] {
            let error = place.check(value.as_bytes()).expect_err(value);
            assert!(error.contains(expected), "{error}");
        }
        for (place, value) in
            [(Place::Path, "a/b?c[d]=e&f=%20"), (Place::Header, "a b\tü"), (Place::Body, "\0\r\n")]
        {
            assert_eq!(place.check(value.as_bytes()), Ok(()), "{value:?}");
        }
    }
}
