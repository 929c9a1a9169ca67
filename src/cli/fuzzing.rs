//! Fuzzing entry point: flag values.

use super::values;
use crate::http::Pinned;
use crate::units::{parse_duration, parse_fraction};

/// Parses one text as every kind of flag value.
pub fn values(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let text = text.as_ref();
    let _ = (parse_duration(text), parse_fraction(text), text.parse::<Pinned>());
    let _ = (values::rate(text), values::requests(text), values::connections(text));
    let _ = (values::duration(text), values::delay(text), values::stages(text));
    let _ = (values::url(text), values::header(text));
}
