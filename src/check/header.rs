//! A condition on a header field of a response.

use super::condition::{Op, operand};
use serde_json::Value;

/// A check of all header fields with one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderCheck {
    name: String,
    condition: Condition,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    Exists,
    Absent,
    /// A value contains this text, in any letter case.
    Contains(String),
    /// The comparison with a number or a text holds for a value. For `!=`, it holds for all of them.
    Is(Op, Value),
}

impl HeaderCheck {
    /// Reads a condition: a text that the value contains, `exists`, `absent`, or a comparison such as
    /// `= no-store` or `> 0`.
    ///
    /// # Errors
    /// What is wrong, and how to write it.
    pub fn read(name: &str, condition: &str) -> Result<HeaderCheck, String> {
        let name = http::HeaderName::from_bytes(name.trim().as_bytes())
            .map_err(|_| "is not the name of a header: letters, digits and dashes are allowed".to_owned())?;
        let text = condition.trim();
        let condition = match (text, Op::split(text)) {
            (_, Some((op, rest))) => Condition::Is(op, number_or_text(operand(op, rest)?, rest)),
            ("exists", _) => Condition::Exists,
            ("absent", _) => Condition::Absent,
            ("", _) => return Err("is empty: use \"exists\", or a text that the value contains".to_owned()),
            _ => Condition::Contains(text.to_owned()),
        };
        Ok(HeaderCheck { name: name.as_str().to_owned(), condition })
    }

    /// The name of the header, in lower case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the header lines satisfy it.
    pub fn holds(&self, head: &[u8]) -> bool {
        let mut values = values(head, &self.name).peekable();
        match &self.condition {
            Condition::Absent => values.peek().is_none(),
            _ if values.peek().is_none() => false,
            Condition::Exists => true,
            Condition::Contains(text) => values.any(|value| contains_ignoring_case(value, text.as_bytes())),
            Condition::Is(Op::NotEqual, wanted) => {
                values.all(|value| Op::NotEqual.holds(&typed(value, wanted), wanted))
            }
            Condition::Is(op, wanted) => values.any(|value| op.holds(&typed(value, wanted), wanted)),
        }
    }
}

/// The values of all fields with this name. Lines without a colon, such as the first one of a response, have
/// no name.
fn values<'h>(head: &'h [u8], name: &str) -> impl Iterator<Item = &'h [u8]> {
    head.split(|byte| *byte == b'\n').filter_map(move |line| {
        let (found, value) = line.split_at_checked(name.len())?;
        let value = value.strip_prefix(b":")?;
        found.eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim_ascii())
    })
}

fn contains_ignoring_case(value: &[u8], text: &[u8]) -> bool {
    value.windows(text.len()).any(|part| part.eq_ignore_ascii_case(text))
}

/// What a field is compared to. Other kinds of JSON are only texts in a header: `true`, `null`.
fn number_or_text(read: Value, written: &str) -> Value {
    if read.is_number() || read.is_string() { read } else { Value::String(written.to_owned()) }
}

/// A field's value, as a number if it is compared to one.
fn typed(value: &[u8], wanted: &Value) -> Value {
    let text = String::from_utf8_lossy(value);
    let number = wanted.is_number().then(|| serde_json::from_str::<Value>(&text).ok()).flatten();
    number.filter(Value::is_number).unwrap_or_else(|| Value::String(text.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 200 OK: fine\r\nContent-Type: application/json; charset=utf-8\r\n\
        cache-control:no-store\r\nX-Left: 12\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nEmpty:\r\n\
        X-Hit: true\r\nX-Id: null\r\n\r\n";

    fn holds(name: &str, condition: &str) -> bool {
        HeaderCheck::read(name, condition).expect("a condition").holds(HEAD)
    }

    #[test]
    fn a_value_contains_a_text_or_compares() {
        for (name, condition) in [
            ("content-type", "application/json"),
            ("Content-Type", "APPLICATION/JSON"),
            ("cache-control", "= no-store"),
            ("cache-control", "= \"no-store\""),
            ("cache-control", "!= no-cache"),
            ("x-left", "> 0"),
            ("x-left", "= 12"),
            ("x-left", "<= 12.0"),
            ("set-cookie", "b="),
            ("set-cookie", "= a=1"),
            ("empty", "exists"),
            ("x-hit", "= true"),
            ("x-hit", "!= false"),
            ("x-id", "= null"),
            ("x-id", "!= [1]"),
            ("etag", "absent"),
        ] {
            assert!(holds(name, condition), "{name}: {condition}");
        }
        for (name, condition) in [
            ("content-type", "text/html"),
            ("content-type", "= application/json"),
            ("cache-control", "= NO-STORE"),
            ("cache-control", "!= no-store"),
            ("cache-control", "> 0"),
            ("x-left", "= 1"),
            ("set-cookie", "!= a=1"),
            ("set-cookie", "absent"),
            ("etag", "exists"),
            ("etag", "!= x"),
            ("set", "exists"),
            ("x-hit", "!= true"),
            ("x-hit", "= false"),
        ] {
            assert!(!holds(name, condition), "{name}: {condition}");
        }
    }

    #[test]
    fn a_malformed_name_or_condition_is_refused() {
        for (name, condition, meant) in [
            ("a b", "x", "is not the name of a header"),
            ("", "x", "is not the name of a header"),
            ("a", " ", "is empty"),
            ("a", "> x", "use a comparison"),
            ("a", "=~ ^x", "use a comparison"),
        ] {
            let error = HeaderCheck::read(name, condition).expect_err(name);
            assert!(error.contains(meant), "{name}: {error}");
        }
    }
}
