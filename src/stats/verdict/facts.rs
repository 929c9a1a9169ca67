//! The facts about a test that the verdict is based on.

use super::Originals;
use crate::stats::causes::ErrorSample;
use crate::stats::distribution::Distribution;
use crate::stats::generator::Generator;
use std::collections::BTreeMap;

/// The facts about a test that the verdict is based on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Host and port of the target; `None` if each driver loads its own.
    pub target: Option<String>,
    /// Why the test failed, one entry per reason.
    pub failed: Vec<String>,
    /// Why it was stopped early.
    pub stopped: Option<String>,
    /// After a STOP: how many drivers sent their final report, and how many there are; `None` while the test
    /// runs, and if it never started.
    pub confirmed: Option<(usize, usize)>,
    /// What there is to say about conditions of the plan, and whether each one was true.
    pub conditions: Vec<(String, bool)>,
    /// Whether all figures are in; a running test is judged by fewer.
    pub finished: bool,
    /// Whether the loop is closed: a request starts when another one ends, at no planned rate.
    pub is_closed: bool,
    /// Requests that the schedule planned.
    pub planned: u64,
    /// Requests whose sending began.
    pub sent: u64,
    /// Sent requests that were resent.
    pub resent: u64,
    /// Planned requests that were given up unsent, by drivers that were not lost.
    pub never_sent: u64,
    /// Sent requests that had to wait for a free connection.
    pub queued: u64,
    /// Complete responses.
    pub responses: u64,
    /// Failed requests by kind.
    pub errors: BTreeMap<String, u64>,
    /// Why they failed, the most frequent cause first.
    pub causes: Vec<ErrorSample>,
    /// Responses by status.
    pub status: BTreeMap<String, u64>,
    /// Whether the plan checks responses.
    pub has_checks: bool,
    /// Responses that failed a check.
    pub failed_checks: u64,
    /// Those that failed one because only the first bytes of their body were kept.
    pub truncated_checks: u64,
    /// Responses that failed each check, by the names of the request, if any, and of the check.
    pub checks: Vec<(String, u64)>,
    /// Lag.
    pub lag: Option<Distribution>,
    /// Requests planned within the maximum lag of each driver. This many can pile up while a generator is
    /// paused, and then need more connections at once than there are.
    pub due_in_pauses: f64,
    /// 99th percentile of latency, in ms.
    pub latency_p99_ms: Option<f64>,
    /// 99th percentile of service time, in ms; unknown before the final reports.
    pub service_p99_ms: Option<f64>,
    /// For an open loop: the planned and the sent rate of the whole fleet, in requests/s.
    pub rates_rps: Option<(f64, f64)>,
    /// How the fleet's workers spent their time.
    pub generator: Generator,
    /// Drivers that are starved by their own figures ([`super::is_starved`]), if there are several drivers.
    pub starved: Vec<(String, Generator)>,
    /// Drivers whose host has too many sockets in TIME_WAIT, with their number per local port
    /// ([`super::PORTS_SHARE`]).
    pub short_of_ports: Vec<(String, f64)>,
    /// Drivers that were lost.
    pub lost: Vec<LostDriver>,
    /// Drivers that fell behind: name and how.
    pub behind: Vec<(String, String)>,
    /// Drivers of the original protocol.
    pub original: Vec<String>,
    /// More about these drivers.
    pub originals: Originals,
    /// Numbered reports that never arrived.
    pub reports_missing: u64,
    /// Counts that do not agree.
    pub differences: Vec<String>,
    /// Drivers whose clock offset is unknown.
    pub clock_unknown: Vec<String>,
    /// Drivers that started late: name and ms after the gate opened.
    pub late: Vec<(String, f64)>,
    /// Other problems, in words.
    pub notes: Vec<String>,
}

/// A driver that was lost during the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LostDriver {
    /// Its name.
    pub name: String,
    /// What happened to it.
    pub what: String,
    /// Whether it is alive, and only its final report could not be delivered.
    pub is_unreported: bool,
    /// Running time that its reports cover, in s; `None` if it never reported.
    pub after_s: Option<f64>,
    /// Planned requests that it did not send, or that no report accounts for; `None` if the plan does not say
    /// how many it should have sent.
    pub not_sent: Option<u64>,
}
