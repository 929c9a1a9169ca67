//! The key `expect` of a request.

use super::keys::{Table, unknown};
use super::reader::Reader;
use super::source::Problem;
use super::value::{Value, Wrong, in_order, not, text, whole};
use crate::check::{Expect, Status, Statuses, Texts, limits};
use crate::units::clip;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use toml::de::DeValue;

/// Maximum depth of a list or table that a value must equal.
const MAX_DEPTH: usize = 16;

impl Reader {
    /// Reads what a response must look like. The rules of a plan check it; here only its form is.
    pub fn expect(&mut self, path: &str, value: &Value) -> Option<Expect> {
        let DeValue::Table(table) = value.get_ref() else {
            let like = "a table, like { status = 200, contains = \"hits\" }";
            return self.take(path, Err(not(value, like)));
        };
        let mut expect = Expect::default();
        for (key, at, value) in in_order(table) {
            let own = format!("{path}.{key}");
            self.places.insert(own.clone(), value.span());
            match key {
                "status" => expect.status = self.take(&own, list(value, status)).map(Statuses),
                "contains" => expect.contains = self.texts(&own, value),
                "not_contains" => expect.not_contains = self.texts(&own, value),
                "json" => {
                    expect.json = self.keyed(&own, value, "{ \"/id\" = \"> 0\" }", |value| json(value, 0))
                }
                "header" => {
                    let any = |value: &Value| text(value, "\"application/json\"", |text| Ok(text.to_owned()));
                    expect.header = self.keyed(&own, value, "{ content-type = \"application/json\" }", any);
                }
                "max_bytes" => {
                    expect.max_bytes = self.take(&own, whole(value, |n| bytes(n, limits::MAX_BYTES)))
                }
                "capture_bytes" => {
                    expect.capture_bytes = self.take(&own, whole(value, |n| bytes(n, limits::CAPTURE_BYTES)));
                }
                _ => self.problems.push(Problem { at, text: unknown(key, Table::Expect) }),
            }
        }
        Some(expect)
    }

    fn texts(&mut self, path: &str, value: &Value) -> Texts {
        let any = |value: &Value| text(value, "\"hits\"", |text| Ok(text.to_owned()));
        Texts(self.take(path, list(value, any)).unwrap_or_default())
    }

    /// A table with any keys, each of which is the place of its value.
    fn keyed<T>(
        &mut self,
        path: &str,
        value: &Value,
        like: &str,
        read: impl Fn(&Value) -> Result<T, Wrong>,
    ) -> BTreeMap<String, T> {
        let DeValue::Table(table) = value.get_ref() else {
            self.take::<()>(path, Err(not(value, &format!("a table, like {like}"))));
            return BTreeMap::new();
        };
        let mut found = BTreeMap::new();
        for (name, _, value) in in_order(table) {
            let own = format!("{path}.{}", clip(name, 100));
            self.places.insert(own.clone(), value.span());
            found.extend(self.take(&own, read(value)).map(|value| (name.to_owned(), value)));
        }
        found
    }
}

/// A list, or a single item.
fn list<T>(value: &Value, item: impl Fn(&Value) -> Result<T, Wrong>) -> Result<Vec<T>, Wrong> {
    match value.get_ref() {
        DeValue::Array(items) => items.iter().map(item).collect(),
        _ => item(value).map(|one| vec![one]),
    }
}

fn status(value: &Value) -> Result<Status, Wrong> {
    let written = match value.get_ref() {
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::String(text) => text.to_string(),
        _ => return Err(not(value, "a status like 200, a class like \"2xx\", or a list of these")),
    };
    Status::parse(&written).map_err(|why| (value.span(), why))
}

fn bytes(text: &str, allowed: RangeInclusive<u64>) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| allowed.contains(number));
    number.ok_or_else(|| format!("use a whole number of bytes from {} to {}", allowed.start(), allowed.end()))
}

/// A value as JSON has it.
fn json(value: &Value, depth: usize) -> Result<Json, Wrong> {
    if depth > MAX_DEPTH {
        return Err((value.span(), format!("is nested more than {MAX_DEPTH} levels deep")));
    }
    let number = |text: &str| {
        let number = text.replace('_', "").trim_start_matches('+').to_owned();
        let wrong = || (value.span(), "is not a number that JSON has".to_owned());
        serde_json::from_str::<Json>(&number).ok().filter(Json::is_number).ok_or_else(wrong)
    };
    Ok(match value.get_ref() {
        DeValue::String(text) => Json::String(text.to_string()),
        DeValue::Boolean(yes) => Json::Bool(*yes),
        DeValue::Integer(digits) => {
            let parsed = i128::from_str_radix(digits.as_str(), digits.radix()).unwrap_or(i128::MAX);
            number(&parsed.to_string())?
        }
        DeValue::Float(digits) => number(digits.as_str())?,
        DeValue::Datetime(_) => {
            return Err(not(value, "a string, a number, true or false, a list or a table"));
        }
        DeValue::Array(items) => {
            Json::Array(items.iter().map(|item| json(item, depth + 1)).collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => {
            let member = |(name, _, value): (&str, _, &Value)| Ok((name.to_owned(), json(value, depth + 1)?));
            Json::Object(in_order(table).into_iter().map(member).collect::<Result<_, Wrong>>()?)
        }
    })
}
