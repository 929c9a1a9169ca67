//! Reads values as other programs write them: numbers as texts, texts as numbers, whole numbers with a
//! fraction.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serializer};
use serde_json::Value;

/// Maximum length of a foreign text quoted in an error, in characters.
const MAX_SHOWN_CHARS: usize = 40;

/// A text, or a number as text.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        other => Err(D::Error::custom(format!("{other}: a string is required"))),
    }
}

/// A text, a number as text, or nothing (null, or an empty text).
pub(super) fn maybe_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Value::Number(number) => Ok(Some(number.to_string())),
        other => Err(D::Error::custom(format!("{}: a string is required", shown(&other)))),
    }
}

/// A foreign value, shortened for a log line.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let clipped: String = text.chars().take(MAX_SHOWN_CHARS).collect();
            format!("{clipped:?}")
        }
        Value::Array(_) => "[…]".to_owned(),
        Value::Object(_) => "{…}".to_owned(),
        other => other.to_string(),
    }
}

/// A number. Whole numbers are written without a fraction, because programs that expect an integer refuse
/// `100.0`.
pub(super) fn whole<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if number.fract() == 0.0 && number.abs() < 9e15 {
        serializer.serialize_i64(*number as i64)
    } else {
        serializer.serialize_f64(*number)
    }
}

/// As [`whole`].
pub(super) fn maybe_whole<S: Serializer>(number: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) => whole(number, serializer),
        None => serializer.serialize_none(),
    }
}

/// A number, or a text that contains one.
pub(super) fn number<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    read_number(Value::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// A number, a text that contains one, or nothing (null, or an empty text).
pub(super) fn maybe<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(text) if text.trim().is_empty() => Ok(None),
        value => read_number(value).map(Some).map_err(D::Error::custom),
    }
}

/// A number, or 0 if it is not one.
pub(super) fn number_or_zero<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(read_number(Value::deserialize(deserializer)?).unwrap_or_default())
}

/// Longest text that is read as a number, in bytes.
const MAX_NUMBER_BYTES: usize = 100;

fn read_number<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    let number = match &value {
        Value::String(text) if text.len() <= MAX_NUMBER_BYTES => {
            serde_json::from_str(text.trim()).unwrap_or(Value::Null)
        }
        other => other.clone(),
    };
    // Some writers send every number with a fraction; 5.0 is a whole number too.
    let whole = number.as_f64().filter(|n| n.fract() == 0.0 && (0.0..9e15).contains(n)).map(|n| n as u64);
    let direct = serde_json::from_value(number.clone());
    direct
        .or_else(|e| match whole {
            Some(n) => serde_json::from_value(Value::from(n)).map_err(|_| e),
            None => Err(e),
        })
        .map_err(|_| format!("{value}: a number in range is required"))
}
