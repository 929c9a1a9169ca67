//! What a plan expects of a response, as it is written and sent.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;

/// The key `expect` of a request. Every part must hold; what is absent is not checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Expect {
    /// The allowed statuses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Statuses>,
    /// Texts that the body must contain, each of them.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub contains: Texts,
    /// Texts of which the body must contain none.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub not_contains: Texts,
    /// Conditions on values of a JSON body, by their JSON pointers (RFC 6901).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub json: BTreeMap<String, Value>,
    /// Conditions on header fields, by their names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub header: BTreeMap<String, String>,
    /// Maximum size of the body in bytes, without framing and as received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// How many of the first bytes of a body are kept for the checks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture_bytes: Option<u64>,
}

impl Expect {
    /// These expectations, completed by those of `below`: each key replaces the same one.
    #[must_use]
    pub fn over(self, below: Expect) -> Expect {
        let texts = |own: Texts, below: Texts| if own.is_empty() { below } else { own };
        Expect {
            status: self.status.or(below.status),
            contains: texts(self.contains, below.contains),
            not_contains: texts(self.not_contains, below.not_contains),
            json: if self.json.is_empty() { below.json } else { self.json },
            header: if self.header.is_empty() { below.header } else { self.header },
            max_bytes: self.max_bytes.or(below.max_bytes),
            capture_bytes: self.capture_bytes.or(below.capture_bytes),
        }
    }
}

/// The keys of [`Expect`].
pub const KEYS: [&str; 7] =
    ["status", "contains", "not_contains", "json", "header", "max_bytes", "capture_bytes"];

/// Completes "must be …" for a key of [`Expect`], or for all of it if the key is empty.
pub fn kind(key: &str) -> Option<&'static str> {
    Some(match key {
        "" => "an object, like {\"status\": 200, \"contains\": \"hits\"}",
        "status" => "a status like 200, a class like \"2xx\", or a list of these",
        "contains" | "not_contains" => "a string or a list of strings",
        "max_bytes" | "capture_bytes" => "a whole number of bytes",
        _ if key.starts_with("json") => {
            "an object of JSON pointers and conditions, like {\"/items\": \"length > 0\"}"
        }
        _ if key.starts_with("header") => {
            "an object of names and texts, like {\"content-type\": \"application/json\"}"
        }
        _ => return None,
    })
}

/// The first key whose value cannot be read, and that value; the key is empty if it is all of it.
pub fn misshapen(expect: &Value) -> Option<(&'static str, &Value)> {
    let Some(fields) = expect.as_object() else { return Some(("", expect)).filter(|_| !expect.is_null()) };
    KEYS.into_iter().filter_map(|key| Some((key, fields.get(key)?))).find(|(key, value)| {
        let alone = serde_json::Map::from_iter([((*key).to_owned(), (*value).clone())]);
        serde_json::from_value::<Expect>(Value::Object(alone)).is_err()
    })
}

/// One allowed status, or a class of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// This status: `200`.
    Code(u16),
    /// All statuses with this first digit: `"2xx"`.
    Class(u8),
}

/// Allowed statuses: written `200`, `"2xx"`, or as a list of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statuses(pub Vec<Status>);

/// Texts: one, or a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts(pub Vec<String>);

impl Status {
    /// Reads `200` or `2xx`.
    ///
    /// # Errors
    /// What is allowed.
    pub fn parse(text: &str) -> Result<Status, String> {
        let text = text.trim();
        let is_plain = text.len() == 3 && text.starts_with(|first| matches!(first, '1'..='9'));
        let class = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX"));
        let status = match class {
            Some(digit) if is_plain => digit.parse().ok().map(Status::Class),
            _ if is_plain => text.parse().ok().map(Status::Code),
            _ => None,
        };
        status.ok_or_else(|| {
            format!("use a status like 200 or a class like 2xx, not {:?}", super::clip(text, 20))
        })
    }

    /// Whether it is this status, or one of this class.
    pub fn allows(self, status: u16) -> bool {
        match self {
            Status::Code(code) => code == status,
            Status::Class(digit) => status / 100 == u16::from(digit),
        }
    }
}

impl Statuses {
    /// Whether this status is allowed.
    #[inline]
    pub fn allow(&self, status: u16) -> bool {
        self.0.iter().any(|allowed| allowed.allows(status))
    }
}

impl Texts {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Status::Code(code) => serializer.serialize_u16(*code),
            Status::Class(digit) => serializer.serialize_str(&format!("{digit}xx")),
        }
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Status, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            other => other.to_string(),
        };
        Status::parse(&text).map_err(D::Error::custom)
    }
}

impl Serialize for Statuses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        one_or_list(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Statuses, D::Error> {
        list(deserializer).map(Statuses)
    }
}

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        one_or_list(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Texts, D::Error> {
        list(deserializer).map(Texts)
    }
}

fn one_or_list<T: Serialize, S: Serializer>(items: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    match items {
        [one] => one.serialize(serializer),
        many => many.serialize(serializer),
    }
}

/// A list, or a single item.
fn list<'de, T: serde::de::DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let items = match Value::deserialize(deserializer)? {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        one => vec![one],
    };
    items.into_iter().map(|item| serde_json::from_value(item).map_err(D::Error::custom)).collect()
}
