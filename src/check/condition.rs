//! A condition on one value: a comparison, its length, or whether it exists.

use crate::units::clip;
use serde_json::{Number, Value};
use std::cmp::Ordering;

/// What a value must satisfy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It exists, even if it is `null`.
    Exists,
    /// It does not exist.
    Absent,
    /// The comparison holds. An absent value satisfies none, not even `!=`.
    Is(Op, Value),
    /// The number of elements of a list, members of an object, or characters of a string.
    Length(Op, Value),
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    AtLeast,
    AtMost,
    NotEqual,
    More,
    Less,
    Equal,
}

/// Longer ones before those they begin with.
const OPS: [(&str, Op); 7] = [
    (">=", Op::AtLeast),
    ("<=", Op::AtMost),
    ("!=", Op::NotEqual),
    ("==", Op::Equal),
    (">", Op::More),
    ("<", Op::Less),
    ("=", Op::Equal),
];

impl Condition {
    /// Reads a condition as a plan says it: `"> 0"`, `"!= null"`, `"length >= 1"`, `"exists"`, `"absent"`, or
    /// a value to equal.
    ///
    /// # Errors
    /// What is wrong, and how to write it.
    pub fn read(value: &Value) -> Result<Condition, String> {
        let Value::String(text) = value else { return Ok(Condition::Is(Op::Equal, value.clone())) };
        let trimmed = text.trim();
        if let Some((op, rest)) = Op::split(trimmed) {
            return Ok(Condition::Is(op, operand(op, rest)?));
        }
        let length = trimmed.strip_prefix("length").map(str::trim_start).and_then(Op::split);
        Ok(match (trimmed, length) {
            ("exists", _) => Condition::Exists,
            ("absent", _) => Condition::Absent,
            (_, Some((op, rest))) => {
                let number = rest.parse::<u64>().map_err(|_| {
                    format!("a length is a whole number, like \"length >= 1\", not {:?}", clip(rest, 40))
                })?;
                Condition::Length(op, number.into())
            }
            _ => Condition::Is(Op::Equal, value.clone()),
        })
    }

    /// Whether a value satisfies it; `None` is no value.
    pub fn holds(&self, found: Option<&Value>) -> bool {
        match (self, found) {
            (Condition::Absent, found) => found.is_none(),
            (_, None) => false,
            (Condition::Exists, _) => true,
            (Condition::Is(op, wanted), Some(found)) => op.holds(found, wanted),
            (Condition::Length(op, wanted), Some(found)) => {
                length(found).is_some_and(|length| op.holds(&length.into(), wanted))
            }
        }
    }
}

impl Op {
    /// The comparison at the beginning of a text, and what follows.
    pub fn split(text: &str) -> Option<(Op, &str)> {
        OPS.iter().find_map(|(sign, op)| Some((*op, text.strip_prefix(sign)?.trim())))
    }

    fn is_of_order(self) -> bool {
        !matches!(self, Op::Equal | Op::NotEqual)
    }

    /// Whether the comparison of `found` to `wanted` holds. Only two numbers or two strings have an order.
    pub fn holds(self, found: &Value, wanted: &Value) -> bool {
        match self {
            Op::Equal => same(found, wanted),
            Op::NotEqual => !same(found, wanted),
            _ => order(found, wanted).is_some_and(|order| match self {
                Op::AtLeast => order.is_ge(),
                Op::AtMost => order.is_le(),
                Op::More => order.is_gt(),
                _ => order.is_lt(),
            }),
        }
    }
}

/// What a value is compared to: JSON, or a text without quotes if it needs no order. A text that begins with
/// a sign needs quotes, because `=> 0` and `=~ ^a` are no comparisons.
pub fn operand(op: Op, text: &str) -> Result<Value, String> {
    let read = serde_json::from_str::<Value>(text);
    let is_sign = text.starts_with(['<', '>', '=', '!', '~']);
    match read {
        Ok(value) if !op.is_of_order() || value.is_number() || value.is_string() => Ok(value),
        Err(_) if !op.is_of_order() && !text.is_empty() && !is_sign && !text.starts_with(['"', '[', '{']) => {
            Ok(Value::String(text.to_owned()))
        }
        _ => Err(format!(
            "use a comparison like \"> 0\", \">= 1.5\" or '!= \"text\"'; {:?} is not a value to compare with",
            clip(text, 40)
        )),
    }
}

fn length(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => Some(text.chars().count() as u64),
        Value::Array(elements) => Some(elements.len() as u64),
        Value::Object(members) => Some(members.len() as u64),
        _ => None,
    }
}

/// Whether two values are equal; numbers by their value, so that 1 equals 1.0.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => numbers(one, other) == Some(Ordering::Equal),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let is_in_other =
                |(name, value): (&String, &Value)| other.get(name).is_some_and(|o| same(value, o));
            one.len() == other.len() && one.iter().all(is_in_other)
        }
        _ => one == other,
    }
}

fn order(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => numbers(one, other),
        (Value::String(one), Value::String(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

/// Whole numbers are compared exactly.
fn numbers(one: &Number, other: &Number) -> Option<Ordering> {
    let whole = |n: &Number| n.as_i64().map(i128::from).or_else(|| n.as_u64().map(i128::from));
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(condition: Value, found: Option<Value>) -> bool {
        Condition::read(&condition).expect("a condition").holds(found.as_ref())
    }

    #[test]
    fn comparisons_of_numbers_texts_and_lengths() {
        for (condition, yes, no) in [
            (json!("> 0"), json!(1), json!(0)),
            (json!(">0"), json!(0.5), json!(-1)),
            (json!(">= 1"), json!(1.0), json!(0.999)),
            (json!("< 1.5"), json!(1), json!(1.5)),
            (json!("<= -1"), json!(-1), json!(0)),
            (json!("> 9007199254740992"), json!(9_007_199_254_740_993u64), json!(9_007_199_254_740_992u64)),
            (json!("!= 0"), json!(1), json!(0.0)),
            (json!("!= \"x\""), json!("y"), json!("x")),
            (json!("!= x"), json!("y"), json!("x")),
            (json!("!= null"), json!(0), json!(null)),
            (json!("= \"exists\""), json!("exists"), json!("x")),
            (json!("== 5"), json!(5.0), json!("5")),
            (json!("= \"5\""), json!("5"), json!(5)),
            (json!("> \"2026-01-01\""), json!("2026-01-02"), json!("2025-12-31")),
            (json!("length > 0"), json!([null]), json!([])),
            (json!("length = 2"), json!("äö"), json!("abc")),
            (json!("length <= 1"), json!({"a": 1}), json!({"a": 1, "b": 2})),
            (json!(1), json!(1.0), json!(2)),
            (json!(true), json!(true), json!("true")),
            (json!(null), json!(null), json!(0)),
            (json!("open"), json!("open"), json!("Open")),
            (json!("length"), json!("length"), json!([])),
            (json!([1, {"a": 2.0}]), json!([1.0, {"a": 2}]), json!([1, {"a": 2, "b": 3}])),
        ] {
            assert!(holds(condition.clone(), Some(yes.clone())), "{condition}: {yes}");
            assert!(!holds(condition.clone(), Some(no.clone())), "{condition}: {no}");
            assert!(!holds(condition.clone(), None), "{condition}: absent");
        }
    }

    #[test]
    fn values_of_other_types_have_no_order() {
        for found in [json!("1"), json!(null), json!([1]), json!({}), json!(true)] {
            assert!(!holds(json!("> 0"), Some(found.clone())) && !holds(json!("<= 0"), Some(found)));
        }
        assert!(!holds(json!("length >= 0"), Some(json!(7))));
        assert!(holds(json!("exists"), Some(json!(null))) && !holds(json!("exists"), None));
        assert!(holds(json!("absent"), None) && !holds(json!("absent"), Some(json!(null))));
    }

    #[test]
    fn a_malformed_comparison_is_refused_with_an_example() {
        for text in ["> 1o", ">", "< abc", "> true", ">= null", "= \"x", "!= [1", "=", "<html>"] {
            let error = Condition::read(&json!(text)).expect_err(text);
            assert!(error.contains("use a comparison like \"> 0\""), "{text}: {error}");
        }
        for text in ["length > x", "length = -1", "length >"] {
            let error = Condition::read(&json!(text)).expect_err(text);
            assert!(error.contains("a length is a whole number"), "{text}: {error}");
        }
    }
}
