//! END: closes a test for every reader.
//!
//! It stands in the topic `metrics`, so that one log decides which reports count: those before the first END
//! of their test. Drivers of the original protocol do not read this topic, and some of them start on any
//! record of `trigger`.

use super::tolerant::{maybe, number, text};
use super::{NodeRef, Word, encode};
use crate::units::{clip, format_count};
use serde::{Deserialize, Serialize};

/// Maximum length of a reason if there is little room, in characters.
const MAX_REASON_CHARS: usize = 1_000;

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndState {
    /// Normally.
    Completed,
    /// By a STOP.
    Aborted,
    /// It never started, or a driver was lost and the plan says `on_driver_loss: fail`.
    Failed,
}

/// What became of a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// Its final report counts.
    Done,
    /// It was silent, was replaced, or did not finish in time.
    Lost,
    /// It shut down, or cut its load short.
    Left,
    /// It refused the plan.
    Refused,
    /// It finished, but the bus did not accept its final report.
    Unreported,
}

/// The end of one driver's part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriverEnd {
    /// Which process.
    #[serde(flatten)]
    pub node: NodeRef,
    /// What became of it.
    pub fate: Fate,
    /// Number of its last report that counts; 0 if none does.
    #[serde(default, deserialize_with = "number")]
    pub last_sequence: u64,
    /// Why it did not finish, or cut its load short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What was heard of a driver of the original protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginalEnd {
    /// Its name.
    #[serde(deserialize_with = "text")]
    pub node_id: String,
    /// Whether it sent a heartbeat or a report after the start.
    #[serde(default)]
    pub heard: bool,
    /// Whether it reported.
    #[serde(default)]
    pub reported: bool,
}

/// A STOP that took effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stopped {
    /// Why.
    pub reason: String,
    /// When, in broker time, ms since 1970.
    pub at_ms: f64,
}

/// Headline figures, so that a list of tests needs no reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Headline {
    /// Requests sent.
    pub requests: u64,
    /// Requests failed.
    pub errors: u64,
    /// Complete responses with a status of 400 or more.
    pub error_statuses: u64,
    /// 99th percentile of latency, in ms; absent without a response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
}

/// `metrics`: closes a test. Everything that its result needs besides the plan and the reports before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// The test's id.
    #[serde(deserialize_with = "text")]
    pub test_id: String,
    /// Always [`Word::End`].
    pub trigger: Word,
    /// When its author ended the test, in broker time, ms since 1970.
    #[serde(deserialize_with = "number")]
    pub ended_at_ms: f64,
    /// How it ended.
    pub state: EndState,
    /// When the gate opened, in broker time; absent if it never did.
    #[serde(default, deserialize_with = "maybe", skip_serializing_if = "Option::is_none")]
    pub started_at_ms: Option<f64>,
    /// The STOP, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Stopped>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
    /// Each driver of the plan.
    #[serde(default)]
    pub drivers: Vec<DriverEnd>,
    /// Drivers of the original protocol.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub originals: Vec<OriginalEnd>,
    /// Whose offset from broker time was unknown: drivers, or `the orchestrator`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clock_unknown: Vec<String>,
    /// Other problems.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Headline figures by its author's reading.
    #[serde(default)]
    pub headline: Headline,
}

impl End {
    /// Makes it fit into a record of `most_bytes`, key included: first without the drivers that are done, as
    /// a reader assumes of those not listed, then without what only explains. If there is no room for all
    /// drivers that are not done, the test has failed.
    pub fn fit(&mut self, most_bytes: usize) {
        let steps: [fn(&mut End); 4] = [
            |end| end.drivers.retain(|driver| driver.fate != Fate::Done),
            |end| end.drivers.iter_mut().for_each(|driver| driver.reason = None),
            |end| shorten(&mut end.failed),
            |end| (end.notes, end.clock_unknown, end.originals) = Default::default(),
        ];
        for step in steps {
            if self.fits(most_bytes) {
                return;
            }
            step(self);
        }
        if !self.fits(most_bytes) {
            let all = format_count(self.drivers.len() as u64);
            self.failed.push(format!("{all} drivers did not finish, which is too many to list all of them"));
            self.state = EndState::Failed;
        }
        while !self.fits(most_bytes) && !self.drivers.is_empty() {
            self.drivers.truncate(self.drivers.len() / 2);
        }
    }

    fn fits(&self, most_bytes: usize) -> bool {
        encode(self).len() + self.test_id.len() <= most_bytes
    }
}

/// Keeps the first reasons, and counts the rest.
fn shorten(reasons: &mut Vec<String>) {
    const MOST: usize = 20;
    let more = reasons.len().saturating_sub(MOST);
    reasons.truncate(MOST);
    reasons.iter_mut().for_each(|reason| *reason = clip(reason, MAX_REASON_CHARS));
    reasons.extend((more > 0).then(|| format!("… and {} more reasons", format_count(more as u64))));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Metrics, decode};

    #[test]
    fn an_end_is_read_back_and_is_no_report() {
        let node = NodeRef { node_id: "a".to_owned(), epoch: 7 };
        let end = End {
            test_id: "t".to_owned(),
            trigger: Word::End,
            ended_at_ms: 5.5,
            state: EndState::Aborted,
            started_at_ms: Some(1.0),
            stopped: Some(Stopped { reason: "POST /stop".to_owned(), at_ms: 4.0 }),
            failed: Vec::new(),
            drivers: vec![DriverEnd { node, fate: Fate::Lost, last_sequence: 3, reason: None }],
            originals: vec![OriginalEnd { node_id: "old".to_owned(), heard: true, reported: false }],
            clock_unknown: Vec::new(),
            notes: Vec::new(),
            headline: Headline { requests: 9, p99_ms: Some(2.0), ..Headline::default() },
        };
        assert_eq!(decode::<End>(&encode(&end)), Ok(end.clone()));
        assert!(decode::<Metrics>(&encode(&end)).is_err(), "it names no driver");
        let least = br#"{"test_id":"t","trigger":"end","ended_at_ms":"5","state":"completed"}"#;
        assert_eq!(decode::<End>(least).expect("an END").ended_at_ms, 5.0);
        let report = br#"{"test_id":"t","node_id":"a","metrics":{}}"#;
        assert!(decode::<End>(report).is_err(), "a report is no END");
    }

    #[test]
    fn the_end_of_a_large_fleet_lists_what_went_wrong() {
        let driver = |n: u64| DriverEnd {
            node: NodeRef { node_id: format!("{n}{}", "x".repeat(120)), epoch: n },
            fate: if n.is_multiple_of(10) { Fate::Lost } else { Fate::Done },
            last_sequence: 9,
            reason: Some("it was silent for 3 s".to_owned()),
        };
        let least = br#"{"test_id":"t","trigger":"END","ended_at_ms":5,"state":"completed"}"#;
        let mut end: End = decode(least).expect("an END");
        end.drivers = (0..10_000).map(driver).collect();
        let whole = end.clone();
        end.fit(usize::MAX);
        assert_eq!(end, whole);
        end.fit(1_000_000);
        assert_eq!(end.drivers.len(), 1_000);
        assert!(end.drivers.iter().all(|driver| driver.fate == Fate::Lost && driver.reason.is_some()));
        end.fit(200_000);
        assert!(encode(&end).len() < 200_000, "{}", encode(&end).len());
    }

    #[test]
    fn an_end_fits_even_if_most_of_a_large_fleet_is_lost_or_refuses() {
        let least = br#"{"test_id":"t","trigger":"END","ended_at_ms":5,"state":"completed"}"#;
        let of = |fate: Fate| {
            let mut end: End = decode(least).expect("an END");
            let node = |n: u64| NodeRef { node_id: format!("{n}{}", "x".repeat(120)), epoch: n };
            let driver = |n| DriverEnd { node: node(n), fate, last_sequence: 9, reason: None };
            end.drivers = (0..10_000).map(driver).collect();
            end
        };
        let mut lost = of(Fate::Lost);
        lost.fit(1_000_000);
        assert!(encode(&lost).len() <= 1_000_000 && !lost.drivers.is_empty());
        assert_eq!(lost.state, EndState::Failed);
        assert_eq!(lost.failed, ["10,000 drivers did not finish, which is too many to list all of them"]);
        let mut refused = of(Fate::Refused);
        refused.drivers.truncate(1_000);
        refused.failed =
            (0..10_000).map(|n| format!("driver {n} refused the plan: {}", "no".repeat(100))).collect();
        refused.fit(1_000_000);
        assert!(encode(&refused).len() <= 1_000_000 && refused.drivers.len() == 1_000);
        assert_eq!((refused.state, refused.failed.len()), (EndState::Completed, 21));
        assert_eq!(refused.failed[20], "… and 9,980 more reasons");
    }
}
