//! Bodies of the HTTP API: JSON in, messages out. An error says what is wrong, where, and what is allowed.
//!
//! On the bus, unknown fields are ignored, because an older reader must understand a newer writer. Here, a
//! person may have written the body, and a misspelled limit must not become a flood without a limit.

use super::ApiError;
use crate::message::{TestConfig, bounds, encode};
use crate::plan::fields;
use crate::plan_file::posted;
use crate::units::without_place;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;
use serde_json::value::RawValue;

/// The smallest body of `POST /configure`.
const PLAN: &str = r#"{"test_id": "t1", "test_type": "AVALANCHE"}"#;
/// What else that body may be.
const TOML: &str = "; a plan file in TOML needs the header Content-Type: application/toml";
/// Maximum length of the part of a body or value that an error shows, in characters.
const MOST_SHOWN: usize = 40;

/// Reads a plan, in which every field must be known. It is a plan file in TOML, or a JSON object: either a
/// `test_config`, directly or inside another object (as one orchestrator of the original protocol wraps it),
/// or the keys of a plan file as `plan`. A missing `test_id` is generated.
pub fn read_plan(body: &[u8], content_type: &str) -> Result<TestConfig, ApiError> {
    if is_toml(content_type) {
        return posted::from_toml(body, &new_id()).map_err(|why| ApiError::new(400, why));
    }
    let value = object(body, PLAN, TOML)?;
    if value.get("plan").is_some() {
        return read_keys(body, &value);
    }
    let wrapped = value.get("test_config").filter(|_| value.get("test_id").is_none());
    let plan = wrapped.unwrap_or(&value);
    fields::check(plan).map_err(|why| ApiError::new(400, why))?;
    let known = plan.get("test_id").is_some();
    if known && wrapped.is_none() {
        // Read from the text as it came, which reveals duplicate fields.
        return typed(body, &value);
    }
    let mut plan = plan.clone();
    if let Some(object) = plan.as_object_mut().filter(|_| !known) {
        object.insert("test_id".to_owned(), Value::String(new_id()));
    }
    typed(&encode(&plan), &plan)
}

fn new_id() -> String {
    format!("test-{}", uuid::Uuid::new_v4())
}

fn is_toml(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    ["application/toml", "text/toml", "text/x-toml"].iter().any(|toml| kind.eq_ignore_ascii_case(toml))
}

/// The keys of a plan file, and perhaps a test id beside them.
#[derive(Deserialize)]
struct Keys<'a> {
    #[serde(borrow)]
    plan: &'a RawValue,
    test_id: Option<String>,
}

fn read_keys(body: &[u8], value: &Value) -> Result<TestConfig, ApiError> {
    let refused = |why: String| ApiError::new(400, why);
    fields::check_object(value, "a body with a plan", &["plan", "test_id"]).map_err(refused)?;
    let keys: Keys = serde_json::from_slice(body).map_err(|why| refused(why.to_string()))?;
    posted::from_json(keys.plan.get(), &keys.test_id.unwrap_or_else(new_id)).map_err(refused)
}

/// Reads a body in which every field must be one of `names`.
pub fn read_strict<T: DeserializeOwned>(body: &[u8], what: &str, names: &[&str]) -> Result<T, ApiError> {
    let example = format!("{{\"{}\": …}}", names.first().unwrap_or(&"field"));
    let value = object(body, &example, "")?;
    fields::check_object(&value, what, names).map_err(|why| ApiError::new(400, why))?;
    typed(body, &value)
}

/// Reads a body like a message, ignoring unknown fields.
pub fn read_json<T: DeserializeOwned>(body: &[u8], example: &str) -> Result<T, ApiError> {
    let value = object(body, example, "")?;
    typed(body, &value)
}

/// The body as one JSON object. `otherwise` is what else it may be.
fn object(body: &[u8], example: &str, otherwise: &str) -> Result<Value, ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(ApiError::new(400, format!("The body is empty: send one JSON object, like {example}")));
    }
    if body.trim_ascii_start().first() != Some(&b'{') {
        let begin: String = String::from_utf8_lossy(body.trim_ascii()).chars().take(MOST_SHOWN).collect();
        let begin: String = begin.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let message =
            format!("The body must be one JSON object, like {example} (it begins with `{begin}`){otherwise}");
        return Err(ApiError::new(400, message));
    }
    // The server threads have small stacks.
    bounds::check(body).map_err(|why| ApiError::new(400, format!("The body is too large: {why}")))?;
    serde_json::from_slice(body).map_err(|e| ApiError::new(400, not_json(body, &e)))
}

fn not_json(body: &[u8], error: &serde_json::Error) -> String {
    let end = String::from_utf8_lossy(body.trim_ascii_end()).into_owned();
    let tail: String = end.chars().skip(end.chars().count().saturating_sub(MOST_SHOWN)).collect();
    let printable: String = tail.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match error.classify() {
        Category::Eof => format!("The body is not valid JSON (it ends after `{printable}`)"),
        _ => format!("The body is not valid JSON: {error}"),
    }
}

/// Reads the message; an error names the field and the required value, not a place in the text, which may be
/// a copy.
fn typed<T: DeserializeOwned>(json: &[u8], body: &Value) -> Result<T, ApiError> {
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(json)).map_err(|e| {
        ApiError::new(400, wrong(&e.path().to_string(), without_place(&e.inner().to_string()), body))
    })
}

fn wrong(path: &str, why: &str, body: &Value) -> String {
    let quoted =
        |before: &str| Some(why.strip_prefix(before)?.split('`').next().unwrap_or_default().to_owned());
    if let Some(field) = quoted("missing field `") {
        let field = if matches!(path, "." | "?") { field } else { format!("{path}.{field}") };
        let kind = fields::kind(&plain(&field)).map_or(String::new(), |kind| format!(": it must be {kind}"));
        return format!("{field} is missing{kind}");
    }
    if let Some(field) = quoted("duplicate field `") {
        return format!("{field} appears twice: remove one of them");
    }
    match fields::kind(&plain(path)) {
        Some(kind) => format!("{path} must be {kind}{}", got(path, body)),
        // The reader calls the whole body "."; its error text then names the field.
        None if matches!(path, "." | "?") || why.starts_with(path) => why.to_owned(),
        None => format!("{path}: {why}"),
    }
}

/// A path without its list indices: `stages[0].rate` becomes `stages[].rate`.
fn plain(path: &str) -> String {
    let mut out = String::new();
    for (at, part) in path.split('[').enumerate() {
        let rest = part.split_once(']').map_or(part, |(_, rest)| rest);
        out.push_str(if at == 0 { "" } else { "[]" });
        out.push_str(rest);
    }
    out
}

/// The value at this path.
fn got(path: &str, body: &Value) -> String {
    let pointer = format!("/{}", path.replace(['.', '['], "/").replace(']', ""));
    match body.pointer(&pointer) {
        None => String::new(),
        Some(value) => {
            let text = value.to_string();
            let clipped: String = text.chars().take(MOST_SHOWN).collect();
            format!(", not {clipped}{}", if clipped.len() < text.len() { "…" } else { "" })
        }
    }
}
