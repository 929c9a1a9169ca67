//! The flags that say what a response must look like.

use crate::check::{Expect, Status, Statuses, Texts};
use clap::Args;
use serde_json::Value;

/// Checks of every response. A response that fails one is counted, and is no error.
#[derive(Args, Clone, Debug, Default)]
pub struct ExpectArgs {
    /// Check that the status is one of these, like 200 or 2xx,404; count the responses that fail
    #[arg(long, value_name = "STATUS,…", value_delimiter = ',', value_parser = Status::parse)]
    expect_status: Vec<Status>,
    /// Check that the body contains this text; repeatable
    #[arg(long, value_name = "TEXT")]
    expect_contains: Vec<String>,
    /// Check that the body does not contain this text; repeatable
    #[arg(long, value_name = "TEXT")]
    expect_not_contains: Vec<String>,
    /// Check a value of the JSON body, like '/id', '/id > 0' or '/items length >= 1'; repeatable
    #[arg(long, value_name = "POINTER [CONDITION]", value_parser = pointed)]
    expect_json: Vec<(String, Value)>,
    /// Check that the value of a response header contains a text; repeatable
    #[arg(long, value_name = "NAME: TEXT", value_parser = field)]
    expect_header: Vec<(String, String)>,
    /// Check that the body has at most this many bytes
    #[arg(long, value_name = "N")]
    expect_max_bytes: Option<u64>,
}

impl ExpectArgs {
    /// What the flags expect.
    pub fn expect(&self) -> Expect {
        Expect {
            status: Some(Statuses(self.expect_status.clone())).filter(|statuses| !statuses.0.is_empty()),
            contains: Texts(self.expect_contains.clone()),
            not_contains: Texts(self.expect_not_contains.clone()),
            json: self.expect_json.iter().cloned().collect(),
            header: self.expect_header.iter().cloned().collect(),
            max_bytes: self.expect_max_bytes,
            capture_bytes: None,
        }
    }
}

/// A flag of this group in the terms of the command line: `request.expect.json./id` is `--expect-json /id`.
pub fn flag(field: &str) -> Option<String> {
    let key = field.strip_prefix("request.expect")?.trim_start_matches('.');
    Some(match key.split_once('.') {
        Some((key, part)) => format!("--expect-{key} {part}"),
        None if key.is_empty() => "--expect-…".to_owned(),
        None => format!("--expect-{}", key.replace('_', "-")),
    })
}

/// A JSON pointer and a condition. A number, `true`, `null` or a text in quotes is a value to equal.
fn pointed(text: &str) -> Result<(String, Value), String> {
    let (pointer, condition) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), "exists"));
    let condition = condition.trim();
    let value = serde_json::from_str(condition).unwrap_or_else(|_| Value::String(condition.to_owned()));
    Ok((pointer.to_owned(), value))
}

/// `Name: text`; without a text, the header must be there.
fn field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').unwrap_or((text, "exists"));
    let value = if value.trim().is_empty() { "exists" } else { value.trim() };
    Ok((name.trim().to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pointers_and_fields_are_split_from_their_conditions() {
        for (text, pointer, value) in [
            ("/id", "/id", json!("exists")),
            ("/id > 0", "/id", json!("> 0")),
            ("/items  length >= 1", "/items", json!("length >= 1")),
            ("/ok true", "/ok", json!(true)),
            ("/name \"a b\"", "/name", json!("a b")),
            ("/name open", "/name", json!("open")),
        ] {
            assert_eq!(pointed(text), Ok((pointer.to_owned(), value)), "{text}");
        }
        let pair = |name: &str, value: &str| Ok((name.to_owned(), value.to_owned()));
        assert_eq!(
            field("Content-Type: text/html; charset=utf-8"),
            pair("Content-Type", "text/html; charset=utf-8")
        );
        assert_eq!((field("etag"), field("etag:")), (pair("etag", "exists"), pair("etag", "exists")));
        assert_eq!(flag("request.expect.not_contains").as_deref(), Some("--expect-not-contains"));
        assert_eq!(flag("request.expect.json./a.b").as_deref(), Some("--expect-json /a.b"));
        assert_eq!(flag("requests[1].expect.status"), None);
    }
}
