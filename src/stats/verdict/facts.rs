//! What is known of a test.

use super::Originals;
use crate::stats::causes::ErrorSample;
use crate::stats::distribution::Distribution;
use crate::stats::generator::Generator;
use std::collections::BTreeMap;

/// What is known of a test.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Why the test failed before it started, one reason each.
    pub failed: Vec<String>,
    /// Why it was stopped early.
    pub stopped: Option<String>,
    /// Whether all figures are in; a running test is judged by less.
    pub finished: bool,
    /// Whether a request starts when another one ended, at no planned rate.
    pub is_closed: bool,
    /// Requests that the schedule wanted sent.
    pub planned: u64,
    /// Requests whose sending began.
    pub sent: u64,
    /// Of them, those that were sent once more.
    pub resent: u64,
    /// Planned requests that were given up unsent.
    pub never_sent: u64,
    /// Sent requests that were due while every connection was busy.
    pub queued: u64,
    /// Complete responses.
    pub responses: u64,
    /// Failed requests by kind.
    pub errors: BTreeMap<String, u64>,
    /// Why they failed, the most frequent cause first.
    pub causes: Vec<ErrorSample>,
    /// Responses by status.
    pub status: BTreeMap<String, u64>,
    /// Lag.
    pub lag: Option<Distribution>,
    /// Requests that were planned for as long a time as the greatest lag of each driver: so many can gather while a
    /// generator itself is paused, and then want more connections at once than there are.
    pub due_in_pauses: f64,
    /// 99th percentile of latency, in ms.
    pub latency_p99_ms: Option<f64>,
    /// 99th percentile of service time, in ms; unknown before the final reports.
    pub service_p99_ms: Option<f64>,
    /// Of an open loop: requests/s of the whole fleet that were planned, and that were sent.
    pub rates_rps: Option<(f64, f64)>,
    /// What the fleet's workers did with their time.
    pub generator: Generator,
    /// Of several drivers, those that are starved by their own figures ([`super::is_starved`]).
    pub starved: Vec<(String, Generator)>,
    /// Drivers whose host has too many sockets in TIME_WAIT, and how many for each local port
    /// ([`super::PORTS_SHARE`]).
    pub short_of_ports: Vec<(String, f64)>,
    /// Drivers that were lost.
    pub lost: Vec<LostDriver>,
    /// Drivers that fell behind: name and how.
    pub behind: Vec<(String, String)>,
    /// Drivers of the original protocol.
    pub original: Vec<String>,
    /// What else is known of those.
    pub originals: Originals,
    /// Numbered reports that never arrived.
    pub reports_missing: u64,
    /// Counts that do not agree.
    pub differences: Vec<String>,
    /// Whose clock offset is unknown.
    pub clock_unknown: Vec<String>,
    /// Drivers that started late: name and ms after the gate opened.
    pub late: Vec<(String, f64)>,
    /// What else went wrong, in words.
    pub notes: Vec<String>,
}

/// A driver that was lost in mid-run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LostDriver {
    /// Its name.
    pub name: String,
    /// What happened to it.
    pub what: String,
    /// Whether it lives, and only its final report could not be delivered.
    pub is_unreported: bool,
    /// Running time that its reports cover, in s; none if it never reported.
    pub after_s: Option<f64>,
    /// Planned requests that no report accounts for; none if the plan does not say how many it should have sent.
    pub not_sent: Option<u64>,
}
