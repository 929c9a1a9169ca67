//! One value of a plan file, and its conversion to what a key needs.

use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and its place.
pub type Value<'a> = Spanned<DeValue<'a>>;

/// What is wrong with a value: why, and at which part of it.
pub type Wrong = (Range<usize>, String);

/// The keys of a table in the order of the file, each with its place and its value.
pub fn in_order<'t, 'a>(table: &'t DeTable<'a>) -> Vec<(&'t str, Range<usize>, &'t Value<'a>)> {
    let mut entries: Vec<_> =
        table.iter().map(|(key, value)| (key.get_ref().as_ref(), key.span(), value)).collect();
    entries.sort_by_key(|(_, at, _)| at.start);
    entries
}

/// What kind of value this is, for errors.
pub fn kind(value: &DeValue) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A value of the wrong kind.
pub fn not(value: &Value, expected: &str) -> Wrong {
    (value.span(), format!("must be {expected}, not {}", kind(value.get_ref())))
}

/// A string that `parse` accepts; `like` is an example.
pub fn text<T>(value: &Value, like: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, Wrong> {
    match value.get_ref() {
        DeValue::String(text) => parse(text).map_err(|why| (value.span(), why)),
        _ => Err(not(value, &format!("a string, like {like}"))),
    }
}

/// A duration: a string with a unit.
pub fn duration<T>(value: &Value, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, Wrong> {
    match value.get_ref() {
        DeValue::Integer(_) | DeValue::Float(_) => Err((
            value.span(),
            "must be a string with a unit, like \"30s\" or \"500ms\", not a number".to_owned(),
        )),
        _ => text(value, "\"30s\"", parse).map_err(|(at, why)| (at, without_quote(why))),
    }
}

/// Errors of durations quote the value, which the caret already points at.
fn without_quote(why: String) -> String {
    match why.strip_prefix("duration \"").and_then(|rest| rest.split_once("\": ")) {
        Some((_, why)) => why.to_owned(),
        None => why,
    }
}

/// A number that `parse` accepts.
pub fn number<T>(value: &Value, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, Wrong> {
    let wrong = |why| (value.span(), why);
    match value.get_ref() {
        DeValue::Integer(number) => {
            // Numbers outside this range are outside those of every key.
            let decimal = i128::from_str_radix(number.as_str(), number.radix()).map(|n| n.to_string());
            parse(decimal.as_deref().unwrap_or_default()).map_err(wrong)
        }
        DeValue::Float(number) => parse(number.as_str()).map_err(wrong),
        DeValue::String(text) if parse(text).is_ok() => {
            Err(wrong(format!("must be a number, not a string: write {} without quotes", text.trim())))
        }
        _ => Err(not(value, "a number")),
    }
}

/// A whole number that `parse` accepts.
pub fn whole<T>(value: &Value, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, Wrong> {
    match value.get_ref() {
        DeValue::Float(_) => Err((value.span(), "must be a whole number, without a point".to_owned())),
        DeValue::Array(_) | DeValue::Table(_) => Err(not(value, "a whole number")),
        _ => number(value, parse),
    }
}
