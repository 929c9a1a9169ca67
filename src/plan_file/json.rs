//! Plan files in JSON: the same keys, rewritten as TOML, so that there is one reader.
//!
//! The order of keys is kept, and keys that appear twice stay so, for the TOML parser to reject.

use crate::units::without_place;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt;

/// The TOML of a JSON object with the keys of a plan file.
///
/// # Errors
/// Text that is no JSON object, or a value that TOML does not have, null, with its key.
pub fn to_toml(json: &str) -> Result<String, String> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let mut out = String::with_capacity(json.len());
    let written = Writer { out: &mut out, is_top: true }.deserialize(&mut reader);
    written.and_then(|()| reader.end()).map_err(|error| own(&error))?;
    Ok(out)
}

/// The text of an error. Lines and columns count inside a part of the text.
fn own(error: &impl fmt::Display) -> String {
    without_place(&error.to_string()).to_owned()
}

/// Writes one value.
struct Writer<'o> {
    out: &'o mut String,
    /// Whether it is the object with the keys of the plan.
    is_top: bool,
}

impl Writer<'_> {
    /// JSON's escapes are TOML's; only DEL must be escaped in TOML, but not in JSON (TOML 1.0, section
    /// String).
    fn string(&mut self, text: &str) {
        self.out.push_str(&Value::from(text).to_string().replace('\u{7f}', "\\u007f"));
    }
}

impl<'de> DeserializeSeed<'de> for Writer<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        if self.is_top {
            return reader.deserialize_map(self);
        }
        // A number stays as it is written: 1.10, or one with more digits than a float has.
        let written = <&RawValue>::deserialize(reader)?.get();
        if written.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            self.out.push_str(written);
            return Ok(());
        }
        let mut reader = serde_json::Deserializer::from_str(written);
        reader.deserialize_any(self).map_err(|error| D::Error::custom(own(&error)))
    }
}

impl<'de> Visitor<'de> for Writer<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_top { "an object with the keys of a plan file" } else { "a value" })
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.out.push_str(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<(), E> {
        self.string(text);
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Err(E::custom("null is not a value of a plan: omit the key"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.out.push('[');
        while list.next_element_seed(Writer { out: self.out, is_top: false })?.is_some() {
            self.out.push(',');
        }
        self.out.push(']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let (begin, between, end) = if self.is_top { ("", "\n", "") } else { ("{", ",", "}") };
        self.out.push_str(begin);
        let mut is_first = true;
        while let Some(key) = map.next_key::<String>()? {
            self.out.push_str(if is_first { "" } else { between });
            is_first = false;
            self.string(&key);
            self.out.push('=');
            map.next_value_seed(Writer { out: self.out, is_top: false })
                .map_err(|error| A::Error::custom(format!("{key}: {}", own(&error))))?;
        }
        self.out.push_str(end);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_json_but_null_has_a_form_in_toml() {
        let json = r#" {"z": 1, "a key": [true, -2.5, 1e21, 1.10, 12345678901234567890123, "q\"\\\n\u0001/"], "t": {"b": {}, "c": []}} "#;
        let toml = to_toml(json).expect("JSON");
        assert_eq!(
            toml,
            "\"z\"=1\n\"a key\"=[true,-2.5,1e21,1.10,12345678901234567890123,\"q\\\"\\\\\\n\\u0001/\",]\n\"t\"={\"b\"={},\"c\"=[]}"
        );
        let (_, wrong) = toml::de::DeTable::parse_recoverable(&toml);
        assert!(wrong.is_empty(), "{wrong:?}");
        let text = to_toml("{\"a\": \"\\u007f\u{7f}\"}").expect("JSON");
        assert_eq!(text, "\"a\"=\"\\u007f\\u007f\"");
        for (json, expected) in [
            ("{\"a\": [1, null]}", "a: null is not a value of a plan: omit the key"),
            ("[1]", "expected an object with the keys of a plan file"),
            ("{\"a\": 1", "EOF"),
            ("{} x", "trailing characters"),
        ] {
            let error = to_toml(json).expect_err("wrong");
            assert!(error.contains(expected) && !error.contains("line 1"), "{error}");
        }
    }
}
