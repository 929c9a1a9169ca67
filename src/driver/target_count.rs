//! What a floodgate-target counted while a driver loaded it: its `/metrics`, read before and after.

use crate::message::{MAX_INSTANCE_BYTES, TargetCount, TargetSeen};
use serde::Deserialize;

/// How the `Server` header of a floodgate-target begins.
pub const SERVER: &str = "floodgate-target";

/// A floodgate-target's count at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Reading {
    requests: u64,
    #[serde(default)]
    instance: Option<String>,
}

impl Reading {
    /// Reads the body of `/metrics`; none where it holds no count.
    pub fn parse(body: &[u8]) -> Option<Reading> {
        let mut reading: Reading = serde_json::from_slice(body).ok()?;
        reading.instance = reading.instance.filter(|name| name.len() <= MAX_INSTANCE_BYTES);
        Some(reading)
    }
}

/// Joins the reading of a ready driver and the one at its end. A count that went back began anew, whether or not the
/// target says who it is.
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
    fn a_restart_is_known_by_the_name_or_by_a_count_that_went_back() {
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
    fn what_is_no_count_is_none_and_no_name_is_endless() {
        for body in ["", "[]", "{}", r#"{"requests":-1}"#, r#"{"requests":"7"}"#, r#"{"instance":"a"}"#] {
            assert_eq!(Reading::parse(body.as_bytes()), None, "{body}");
        }
        let long = format!(r#"{{"requests":1,"instance":"{}"}}"#, "x".repeat(65));
        assert_eq!(reading(&long).instance, None);
        assert_eq!(reading(r#"{"requests":1,"responses":1,"instance":null}"#).requests, 1);
    }
}
