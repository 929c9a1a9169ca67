//! The result of a test, `floodgate.summary/1`: the same in `--json`, on the dashboard and in saved runs.

use super::causes::ErrorSample;
use super::check_samples::CheckSample;
use super::counts::{Counts, is_error_status, is_zero};
pub use super::distribution::Distribution;
use super::generator::Generator;
use super::histogram::{Histogram, round_ms};
use super::states::{DriverRowState, RunState};
use super::verdict::{Finding, Severity};
use crate::units::sum;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The value of `schema` in a [`Summary`].
pub const SCHEMA: &str = "floodgate.summary/1";

/// The figures of one driver, or of the fleet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stats {
    /// Requests that were sent.
    pub requests: u64,
    /// Complete responses, whatever their status.
    pub responses: u64,
    /// Sent requests whose planned start passed while every slot was busy.
    pub queued: u64,
    /// Requests that were resent, because the first attempt cannot have reached the server; omitted if there
    /// are none.
    #[serde(skip_serializing_if = "is_zero")]
    pub resent: u64,
    /// Failed requests by kind.
    pub errors: BTreeMap<String, u64>,
    /// Responses by status code.
    pub status: BTreeMap<String, u64>,
    /// Responses that failed a check of their request; they are responses and no errors. Omitted if there
    /// are none.
    #[serde(skip_serializing_if = "is_zero")]
    pub failed_checks: u64,
    /// Those of them that failed a check because only the first bytes of their body were kept; omitted if
    /// there are none.
    #[serde(skip_serializing_if = "is_zero")]
    pub truncated_checks: u64,
    /// Failed responses by check. A response may fail several. Omitted if there are none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, u64>,
    /// Bytes of all responses.
    pub bytes_received: u64,
    /// Running time in s; for the fleet, the union of its drivers' running times.
    pub elapsed_s: f64,
    /// Responses per second of running time.
    pub throughput_rps: f64,
    /// Planned start to last byte; null if there is no response.
    pub latency_ms: Option<Distribution>,
    /// Send to last byte; null until the final reports are in.
    pub service_ms: Option<Distribution>,
    /// Send minus the later of planned start and free slot; null if nothing was sent.
    pub lag_ms: Option<Distribution>,
    /// TCP connect of every connection that was opened, also before the start and in the warm-up; omitted if
    /// there is none, and until the final reports are in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_ms: Option<Distribution>,
    /// TLS handshake of these connections; omitted likewise, and without TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_ms: Option<Distribution>,
    /// For the fleet: maximum minus minimum start of its drivers. For one driver: its start relative to the
    /// earliest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_skew_ms: Option<f64>,
    /// Share of the workers' time during which they had work to do; omitted if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busy: Option<f64>,
    /// Share of it during which they were runnable but got no CPU; omitted if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_wait: Option<f64>,
    /// Share of it during which they let responses accumulate, the generator's own part of service times;
    /// omitted if they did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest: Option<f64>,
}

impl Stats {
    /// Combines exact counts, merged histograms and a running time. Distributions that are not known yet are
    /// empty.
    pub fn new(
        counts: &Counts,
        latency: &Histogram,
        service: &Histogram,
        lag: &Histogram,
        elapsed_s: f64,
    ) -> Stats {
        Stats {
            latency_ms: latency.distribution(),
            service_ms: service.distribution(),
            lag_ms: lag.distribution(),
            ..Stats::counted(counts, elapsed_s)
        }
    }

    /// Exact counts and a running time, without distributions.
    pub fn counted(counts: &Counts, elapsed_s: f64) -> Stats {
        let throughput = if elapsed_s > 0.0 { counts.responses as f64 / elapsed_s } else { 0.0 };
        Stats {
            requests: counts.sent,
            responses: counts.responses,
            queued: counts.queued,
            resent: counts.resent,
            errors: counts.errors.clone(),
            status: counts.status.clone(),
            failed_checks: counts.failed_checks,
            truncated_checks: counts.truncated_checks,
            checks: counts.checks.clone(),
            bytes_received: counts.bytes_received,
            elapsed_s: round_ms(elapsed_s),
            throughput_rps: round_ms(throughput),
            ..Stats::default()
        }
    }

    /// Adds how the generator spent its time.
    #[must_use]
    pub fn with(self, generator: &Generator) -> Stats {
        let round = |share: Option<f64>| share.map(round_ms);
        Stats {
            busy: round(generator.busy),
            cpu_wait: round(generator.cpu_wait),
            rest: round(generator.rest),
            ..self
        }
    }

    /// All errors together.
    pub fn errors_total(&self) -> u64 {
        sum(self.errors.values().copied())
    }

    /// Complete responses with a status of 400 or more.
    pub fn error_statuses(&self) -> u64 {
        sum(self.status.iter().filter(|(code, _)| is_error_status(code)).map(|(_, n)| *n))
    }
}

/// One driver's row. In JSON, the figures are on the same level as the name. A driver of the original
/// protocol reports only four latencies; its other figures are null.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DriverSummary {
    /// Its name.
    pub node_id: String,
    /// Its state.
    pub state: DriverRowState,
    /// Its figures.
    pub stats: Stats,
}

impl DriverSummary {
    /// Whether it is a driver of the original protocol, which reports no counts.
    pub fn is_original(&self) -> bool {
        self.state == DriverRowState::Original
    }
}

#[derive(Serialize)]
struct Row<'a, S> {
    node_id: &'a str,
    state: DriverRowState,
    #[serde(flatten)]
    stats: S,
}

impl Serialize for DriverSummary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (node_id, state) = (&self.node_id, self.state);
        if !self.is_original() {
            return Row { node_id, state, stats: &self.stats }.serialize(serializer);
        }
        let mut stats = serde_json::to_value(&self.stats).unwrap_or_default();
        for (field, value) in stats.as_object_mut().into_iter().flatten() {
            if field != "latency_ms" {
                *value = Value::Null;
            }
        }
        Row { node_id, state, stats }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for DriverSummary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Named {
            node_id: String,
            state: DriverRowState,
            #[serde(flatten)]
            stats: Map<String, Value>,
        }
        let mut row = Named::deserialize(deserializer)?;
        row.stats.retain(|_, value| !value.is_null());
        let stats = serde_json::from_value(Value::Object(row.stats)).map_err(D::Error::custom)?;
        Ok(DriverSummary { node_id: row.node_id, state: row.state, stats })
    }
}

/// The figures of one named request over the whole fleet: in an A/B test, of the requests to one of its URLs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestSummary {
    /// Its name: `a` or `b` in an A/B test.
    pub name: String,
    /// Its method.
    #[serde(default = "get")]
    pub method: String,
    /// Where it goes: a URL in an A/B test, otherwise path and query on the target.
    pub url: String,
    /// Its figures; `start_skew_ms`, `busy` and the like belong to the drivers and are omitted.
    #[serde(flatten)]
    pub stats: Stats,
}

/// The result of one `--fail-if` expression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThresholdResult {
    /// As specified: `p99 > 250ms`.
    pub expression: String,
    /// The measured value: times in ms, shares in %, rates in requests/s; null if nothing was measured. With
    /// `for`, the worst value of the time through which the condition was true, or else the newest.
    pub value: Option<f64>,
    /// False if the condition was true.
    pub passed: bool,
    /// If it was true: since when, in whole s after the gate opened; omitted if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_s: Option<u64>,
}

/// Where every planned request went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conservation {
    /// Requests that the schedule planned.
    pub planned: u64,
    /// Requests whose sending began.
    pub sent: u64,
    /// Sent requests that were resent, because the first attempt cannot have reached the server: attempts
    /// that no server counts.
    #[serde(default)]
    pub resent: u64,
    /// Planned requests that were given up before they were sent.
    pub never_sent: u64,
    /// Planned requests of lost drivers that no report accounts for.
    #[serde(default)]
    pub lost: u64,
    /// Whether more than that was lost, because the plan does not say how much a lost driver should have
    /// sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost_unknown: bool,
    /// Requests that a lost driver reported as sent without reporting how they ended.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost_in_flight: u64,
    /// Complete responses.
    pub responses: u64,
    /// Failed requests.
    pub errors: u64,
    /// Requests of the warm-up; no other count includes them.
    pub warmup_sent: u64,
    /// Warm-up requests without a complete response; omitted if there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub warmup_errors: u64,
    /// Requests that a floodgate-target counted during the test, warm-up included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_seen: Option<u64>,
    /// Requests that it counted in addition to the fleet's while drivers of the original protocol ran,
    /// presumably theirs.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub target_beyond: u64,
    /// Numbered reports that never arrived.
    pub reports_missing: u64,
}

impl Conservation {
    /// A description of each difference; empty if all counts agree.
    pub fn differences(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut check = |left: u64, right: u64, text: &str| {
            if left != right {
                found.push(format!(
                    "{text}: {left} against {right}, a difference of {}",
                    left.abs_diff(right)
                ));
            }
        };
        let placed = self.sent + self.never_sent + self.lost;
        let ended = self.responses + self.errors + self.lost_in_flight;
        check(self.planned, placed, "planned against sent + never sent + lost");
        check(self.sent, ended, "sent against responses + errors");
        if let Some(seen) = self.target_seen {
            // Errors may or may not have reached the target, so the check is exact only without errors.
            let least = self.responses + self.warmup_sent.saturating_sub(self.warmup_errors);
            let most = self.sent + self.warmup_sent + self.target_beyond;
            if self.errors == 0 && self.warmup_errors == 0 {
                check(seen, most, "requests that the target counted against sent (warm-up included)");
            } else if seen < least || seen > most {
                found.push(format!(
                    "the target counted {seen} requests, but by the drivers' counts {least} to {most} \
                     reached it"
                ));
            }
        }
        found
    }
}

/// One second of the test over the whole fleet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SeriesPoint {
    /// 1 for the first second.
    pub second: u64,
    /// Requests that the whole fleet should have started in this second by the plan, also those of drivers
    /// that were lost; null if the plan sets no pace.
    #[serde(default)]
    pub planned: Option<u64>,
    /// Requests sent in this second.
    pub requests: u64,
    /// Responses that ended in this second.
    pub responses: u64,
    /// Requests that failed in this second.
    pub errors: u64,
    /// Responses of this second with a status of 400 or more; omitted if there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub error_statuses: u64,
    /// Responses of this second that failed a check; omitted if there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed_checks: u64,
    /// Sent requests that had to wait for a free slot.
    #[serde(default)]
    pub queued: u64,
    /// Median latency in ms; null if there was no response.
    pub p50_ms: Option<f64>,
    /// 90th percentile of latency in ms.
    #[serde(default)]
    pub p90_ms: Option<f64>,
    /// 99th percentile of latency in ms.
    pub p99_ms: Option<f64>,
    /// Maximum latency in ms.
    pub max_ms: Option<f64>,
    /// 99th percentile of lag in ms; null if nothing was sent.
    #[serde(default)]
    pub lag_p99_ms: Option<f64>,
    /// Share of the workers' time in which they had work to do; null if unknown.
    #[serde(default)]
    pub busy: Option<f64>,
    /// Whether each running driver reported this second separately. If a driver reported several at once, its
    /// counts are spread evenly over them and its latencies are excluded from their percentiles.
    pub complete: bool,
}

/// The whole result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`SCHEMA`].
    pub schema: String,
    /// The test's id.
    pub test_id: String,
    /// `AVALANCHE` or `TSUNAMI`.
    pub test_type: String,
    /// The state of the test.
    pub state: RunState,
    /// The content of the `test_config` message.
    pub plan: serde_json::Value,
    /// When the gate opened, in ms since 1970 (broker time); null if it never did.
    pub started_at: Option<f64>,
    /// The fleet's figures, from merged histograms.
    pub total: Stats,
    /// Each driver's figures.
    pub drivers: Vec<DriverSummary>,
    /// The figures of each named request; omitted if the plan names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<RequestSummary>,
    /// Of an A/B test that has ended: B against A, as a `floodgate.compare/1` document. Omitted otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Value>,
    /// The results of the `--fail-if` expressions.
    pub thresholds: Vec<ThresholdResult>,
    /// Where every planned request went.
    pub conservation: Conservation,
    /// While the test runs: why its figures are not up to date. Omitted if they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
    /// What a reader must know first, most important first; includes the names of lost drivers.
    pub verdict: Vec<String>,
    /// The same for programs, in the same order.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// Why requests failed: the most frequent causes of each kind, up to four.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub error_samples: Vec<ErrorSample>,
    /// The first responses that failed a check, of each request up to ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub check_samples: Vec<CheckSample>,
    /// Second by second.
    pub series: Vec<SeriesPoint>,
}

/// Before requests had a method, all of them were alike.
fn get() -> String {
    "GET".to_owned()
}

impl Summary {
    /// Whether half of the requests went to another URL.
    pub fn is_ab(&self) -> bool {
        self.plan["ab"].is_array()
    }

    /// The document that `--json` prints and a saved run contains: one line with its newline.
    pub fn document(&self) -> String {
        // It contains only texts, numbers, and maps with text keys, which always have a JSON form.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// The severity of the worst finding; `None` if an older orchestrator sent no findings.
    pub fn worst_severity(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    /// Whether only drivers of the original protocol reported, so that there are no counts.
    pub fn is_original_only(&self) -> bool {
        !self.drivers.is_empty() && self.drivers.iter().all(DriverSummary::is_original)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_an_original_driver_does_not_report_is_null() {
        let stats = Stats { requests: 0, ..Stats::default() };
        let row =
            |state: DriverRowState| DriverSummary { node_id: "m".to_owned(), state, stats: stats.clone() };
        let json = |state| serde_json::to_value(row(state)).expect("JSON");
        let fields = ["requests", "responses", "queued", "errors", "status", "throughput_rps"];
        assert!(
            fields.iter().all(|field| json(DriverRowState::Original)[field].is_null()),
            "{}",
            json(DriverRowState::Original)
        );
        assert_eq!(
            (&json(DriverRowState::Done)["requests"], &json(DriverRowState::Done)["errors"]),
            (&json!(0), &json!({}))
        );
        for state in [DriverRowState::Original, DriverRowState::Done] {
            assert_eq!(serde_json::from_value::<DriverSummary>(json(state)).expect("read"), row(state));
        }
    }

    #[test]
    fn the_targets_count_is_checked_against_the_drivers_within_what_they_know() {
        let counted = |seen, warmup_errors| {
            let sent = Conservation { planned: 10, sent: 10, responses: 10, ..Conservation::default() };
            Conservation { warmup_sent: 5, warmup_errors, target_seen: Some(seen), ..sent }.differences()
        };
        assert!(counted(15, 0).is_empty());
        assert_eq!(counted(14, 0).len(), 1);
        // Two warm-up requests were aborted: they may or may not have reached the target.
        for (seen, agrees) in [(12, false), (13, true), (14, true), (15, true), (16, false)] {
            assert_eq!(counted(seen, 2).is_empty(), agrees, "{seen}");
        }
    }
}
