//! What a floodgate-target counted during a test, from its `/metrics` before and after.

use crate::message::{MAX_INSTANCE_BYTES, TargetCount, TargetSeen};
use serde::Deserialize;

/// Prefix of a floodgate-target's `Server` header.
pub const SERVER: &str = "floodgate-target";

/// A floodgate-target's count at one point in time.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Reading {
    requests: u64,
    #[serde(default)]
    instance: Option<String>,
}

impl Reading {
    /// Parses the body of `/metrics`; `None` if it contains no count.
    pub fn parse(body: &[u8]) -> Option<Reading> {
        let mut reading: Reading = serde_json::from_slice(body).ok()?;
        reading.instance = reading.instance.filter(|name| name.len() <= MAX_INSTANCE_BYTES);
        Some(reading)
    }
}

/// Combines the readings before and after a test. A count that decreased means a restart, even if the target
/// does not identify its instance.
pub fn between(before: Reading, after: Reading) -> TargetCount {
    if before.instance != after.instance || after.requests < before.requests {
        return TargetCount::Restarted;
    }
    TargetCount::Seen(TargetSeen { before: before.requests, after: after.requests, instance: after.instance })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(json: &str) -> Reading {
        Reading::parse(json.as_bytes()).expect(json)
    }

    #[test]
    fn two_readings_of_one_process_are_its_count() {
        let (before, after) = (r#"{"requests":3,"instance":"a"}"#, r#"{"requests":9,"instance":"a"}"#);
        let seen = TargetSeen { before: 3, after: 9, instance: Some("a".to_owned()) };
        assert_eq!(between(reading(before), reading(after)).seen(), Some(seen));
        let older = between(reading(r#"{"requests":3}"#), reading(r#"{"requests":3}"#));
        assert_eq!(older.seen(), Some(TargetSeen { before: 3, after: 3, instance: None }));
    }

    #[test]
    fn a_restart_is_detected_by_the_instance_or_by_a_decreased_count() {
        for (before, after) in [
            (r#"{"requests":3,"instance":"a"}"#, r#"{"requests":9,"instance":"b"}"#),
            (r#"{"requests":3}"#, r#"{"requests":9,"instance":"b"}"#),
            (r#"{"requests":3,"instance":"a"}"#, r#"{"requests":9}"#),
            (r#"{"requests":3}"#, r#"{"requests":2}"#),
        ] {
            let count = between(reading(before), reading(after));
            assert_eq!(count, TargetCount::Restarted, "{before} {after}");
        }
    }

    #[test]
    fn malformed_counts_are_none_and_long_names_are_dropped() {
        for body in ["", "[]", "{}", r#"{"requests":-1}"#, r#"{"requests":"7"}"#, r#"{"instance":"a"}"#] {
            assert_eq!(Reading::parse(body.as_bytes()), None, "{body}");
        }
        let long = format!(r#"{{"requests":1,"instance":"{}"}}"#, "x".repeat(65));
        assert_eq!(reading(&long).instance, None);
        assert_eq!(reading(r#"{"requests":1,"responses":1,"instance":null}"#).requests, 1);
    }
}
