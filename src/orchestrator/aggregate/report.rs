//! One report of a driver, decoded and checked before it is merged. Needs no lock and no state.

use super::target_count;
use crate::check::limits::CHECKS;
use crate::message::{Histograms, LatencyMs, Metrics, NodeRef, TargetCount, encode};
use crate::stats::causes::{ErrorSample, MAX_CAUSES};
use crate::stats::check_samples::{self, CheckSample};
use crate::stats::counts::Counts;
use crate::stats::generator::Generator;
use crate::stats::histogram::{self, Packed};
use crate::stats::outcome::ErrorKind;
use crate::stats::summary::Distribution;
use std::sync::Arc;

/// Largest plausible single count: sums over every possible fleet stay in range.
const MAX_COUNT: u64 = 1_000_000_000_000_000;
/// Longest plausible running time: the longest plan plus an hour, in ms.
const MAX_ELAPSED_MS: f64 = 604_800_000.0 + 3_600_000.0;
/// Latest plausible time (the year 2286), in ms since 1970.
const MAX_MOMENT_MS: f64 = 1e13;
/// How far from a whole second a report may be and still represent it, in ms.
const MARK_TOLERANCE_MS: f64 = 250.0;
/// Maximum number of error kinds in one report.
const MAX_KINDS: usize = 64;
/// Maximum length of an error kind's name, in bytes.
const MAX_KIND_BYTES: usize = 64;
/// Maximum number of request names in one report.
const MAX_NAMES: usize = 50;
/// Maximum length of a check's name, in bytes.
const MAX_CHECK_BYTES: usize = 256;
/// Maximum length of a report id quoted in an error, in characters.
const MAX_ID_CHARS: usize = 100;

/// A driver's cumulative figures at one point in time.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The report's number.
    pub sequence: u64,
    /// Whether it is the last one.
    pub is_final: bool,
    /// Running time that it covers, in ms.
    pub elapsed_ms: f64,
    /// Counts so far.
    pub counts: Counts,
    /// Latencies; `None` also while their histogram has not been read.
    pub latency_ms: Option<Distribution>,
    /// Lag; likewise.
    pub lag_ms: Option<Distribution>,
    /// How the driver's workers spent their time.
    pub generator: Option<Generator>,
    /// Why requests failed.
    pub causes: Vec<ErrorSample>,
    /// The first responses that failed a check.
    pub check_samples: Vec<CheckSample>,
}

/// A histogram of a report.
#[derive(Clone, Debug)]
pub enum Reported {
    /// Not reported.
    Absent,
    /// In its wire form, because no second ends with its report: it may never be needed.
    Unread(String),
    /// Read.
    Read(Packed),
}

impl Reported {
    /// Reads it unless it is `unneeded`, which only checks its form.
    fn new(text: Option<&str>, unneeded: bool) -> Result<Reported, String> {
        match text {
            None | Some("") => Ok(Reported::Absent),
            Some(text) if unneeded => histogram::check(text).map(|()| Reported::Unread(text.to_owned())),
            Some(text) => Packed::decode(text).map(Reported::Read),
        }
    }

    /// The histogram; `None` if it was not reported, or turns out to be malformed.
    pub fn read(&self) -> Option<Packed> {
        match self {
            Reported::Absent => None,
            Reported::Unread(text) => Packed::decode(text).ok(),
            Reported::Read(packed) => Some(packed.clone()),
        }
    }

    /// About how much memory it takes.
    fn bytes(&self) -> usize {
        match self {
            Reported::Absent => 0,
            Reported::Unread(text) => text.len(),
            Reported::Read(packed) => packed.bytes(),
        }
    }

    /// Whether it was not reported.
    pub fn is_absent(&self) -> bool {
        matches!(self, Reported::Absent)
    }

    /// Its figures, if it was read.
    fn distribution(&self) -> Option<Distribution> {
        match self {
            Reported::Read(packed) => packed.distribution(),
            Reported::Absent | Reported::Unread(_) => None,
        }
    }
}

/// A report from a driver with an epoch.
#[derive(Clone, Debug)]
pub struct NumberedReport {
    /// Who sent it.
    pub node: NodeRef,
    /// Its figures.
    pub snapshot: Arc<Snapshot>,
    /// Latencies so far.
    pub latency: Reported,
    /// Lag so far.
    pub lag: Reported,
    /// Start of its measurement, in broker time.
    pub origin_ms: Option<f64>,
    /// Its first measured send, in broker time.
    pub first_send_ms: Option<f64>,
    /// Service times, in the final report.
    pub service: Option<Packed>,
    /// Times of TCP connects, in the final report; `None` if there are none.
    pub connect: Option<Packed>,
    /// Times of TLS handshakes; likewise.
    pub tls: Option<Packed>,
    /// Requests that a floodgate-target counted, in the final report.
    pub target: Option<TargetCount>,
    /// The same report about each named request alone.
    pub by_name: Vec<(String, NumberedReport)>,
}

impl NumberedReport {
    /// The second that ends with this report; `None` if it is in the middle of one. A final report ends the
    /// second that its last request is in.
    pub fn second(&self) -> Option<u64> {
        let Snapshot { elapsed_ms, is_final, .. } = *self.snapshot;
        if is_final { Some(end_second(elapsed_ms)) } else { whole_second(elapsed_ms) }
    }

    /// Whether it counts responses but has no latencies.
    pub fn lacks_latency(&self) -> bool {
        self.latency.is_absent() && self.snapshot.counts.responses > 0
    }

    /// About how much memory it takes.
    fn bytes(&self) -> usize {
        let last = [&self.service, &self.connect, &self.tls].into_iter().flatten();
        let histograms = self.latency.bytes() + self.lag.bytes() + last.map(Packed::bytes).sum::<usize>();
        let named = self.by_name.iter().map(|(name, named)| name.len() + named.bytes()).sum::<usize>();
        let Snapshot { counts, causes, check_samples, .. } = &*self.snapshot;
        let texts = encode(counts).len() + encode(causes).len() + encode(check_samples).len();
        size_of::<NumberedReport>() + size_of::<Snapshot>() + histograms + texts + named
    }

    /// What a final report omitted because the bus would not accept it in full; `None` if it is complete.
    pub fn left_out(&self) -> Option<String> {
        let lacks_service = self.service.as_ref().is_some_and(Packed::is_empty);
        let what = match self.lacks_latency() {
            true => "histograms, so its latencies are those it reported before, if any",
            false if lacks_service && self.snapshot.counts.responses > 0 => {
                "histograms of service time and lag, so they are missing from the fleet's"
            }
            false if self.by_name.iter().any(|(_, named)| named.lacks_latency()) => {
                "histograms by request name, so latencies by name are those it reported before, if any"
            }
            false => return None,
        };
        let name = &self.node.node_id;
        Some(format!(
            "The final report of driver {name} arrived without {what}: the broker refuses records of that \
             size; raise max.message.bytes of the metrics topic to 1048588, Kafka's default."
        ))
    }
}

/// A report as received.
#[derive(Clone, Debug)]
pub enum Report {
    /// From a driver with an epoch.
    Numbered(NumberedReport),
    /// From a driver of the original protocol: its name and latencies.
    Original(String, LatencyMs),
}

impl Report {
    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        match self {
            Report::Numbered(report) => report.bytes(),
            Report::Original(name, _) => size_of::<Report>() + name.len(),
        }
    }

    /// Decodes and checks; the error says what is wrong.
    pub fn read(message: &Metrics) -> Result<Report, String> {
        let Some(epoch) = message.epoch else {
            return Ok(Report::Original(message.node_id.clone(), message.metrics.clone()));
        };
        let node = NodeRef { node_id: message.node_id.clone(), epoch };
        let short = |text: &str| text.chars().take(MAX_ID_CHARS).collect::<String>();
        let who = |what: &str| {
            format!("report {} of driver {}: {what}", short(&message.report_id), short(&node.node_id))
        };
        let sequence = message.sequence.filter(|n| (1..=MAX_COUNT).contains(n));
        let sequence = sequence.ok_or_else(|| who("it has no sequence number of 1 or more"))?;
        let counts = message.counts.as_ref().ok_or_else(|| who("it has no counts"))?;
        let elapsed_ms = message.elapsed_ms.unwrap_or(0.0);
        if !(0.0..=MAX_ELAPSED_MS).contains(&elapsed_ms) {
            return Err(who(&format!("elapsed_ms {elapsed_ms} is outside 0 to {MAX_ELAPSED_MS}")));
        }
        let read = |counts: &Counts, histograms: Option<&Histograms>| {
            let source = Source { node: &node, sequence, elapsed_ms, message };
            source.report(counts, histograms).map_err(|e| who(&e))
        };
        let mut report = read(counts, message.histograms.as_ref())?;
        for (name, named) in message.by_name.iter().take(MAX_NAMES) {
            let named = read(&named.counts, Some(&named.histograms))?;
            report.by_name.push((name.clone(), named));
        }
        let causes = message.error_samples.iter().take(MAX_CAUSES * ErrorKind::ALL.len());
        let snapshot = Arc::make_mut(&mut report.snapshot);
        snapshot.causes = causes.cloned().collect();
        snapshot.check_samples = check_samples::read(&message.check_samples);
        snapshot.generator = message.generator.map(Generator::checked);
        report.target = target_count::read(message);
        Ok(Report::Numbered(report))
    }
}

/// What all figures of one message have in common.
struct Source<'a> {
    node: &'a NodeRef,
    sequence: u64,
    elapsed_ms: f64,
    message: &'a Metrics,
}

impl Source<'_> {
    fn report(&self, counts: &Counts, encoded: Option<&Histograms>) -> Result<NumberedReport, String> {
        check_counts(counts)?;
        let is_final = self.message.is_final;
        let unneeded = !is_final && whole_second(self.elapsed_ms).is_none();
        let text = |of: fn(&Histograms) -> Option<&str>| encoded.and_then(of);
        let latency = Reported::new(text(|all| Some(&all.latency)), unneeded)?;
        let lag = Reported::new(text(|all| all.lag.as_deref()), unneeded)?;
        let last = |text: Option<&str>| {
            text.filter(|text| is_final && !text.is_empty()).map(Packed::decode).transpose()
        };
        let service = last(text(|all| all.service.as_deref()))?;
        let snapshot = Snapshot {
            sequence: self.sequence,
            is_final,
            elapsed_ms: self.elapsed_ms,
            counts: counts.clone(),
            latency_ms: latency.distribution(),
            lag_ms: lag.distribution(),
            generator: None,
            causes: Vec::new(),
            check_samples: Vec::new(),
        };
        let moment = |ms: Option<f64>| ms.filter(|ms| (0.0..=MAX_MOMENT_MS).contains(ms));
        Ok(NumberedReport {
            node: self.node.clone(),
            snapshot: Arc::new(snapshot),
            origin_ms: moment(self.message.origin_ms),
            first_send_ms: moment(self.message.first_send_ms),
            latency,
            lag,
            service: is_final.then(|| service.unwrap_or_default()),
            connect: last(text(|all| all.connect.as_deref()))?.filter(|times| !times.is_empty()),
            tls: last(text(|all| all.tls.as_deref()))?.filter(|times| !times.is_empty()),
            target: None,
            by_name: Vec::new(),
        })
    }
}

/// The second in which a load ended, counted from 1. One that ended shortly after a whole second belongs to
/// it: the last requests of a second end in the next one.
pub fn end_second(elapsed_ms: f64) -> u64 {
    ((elapsed_ms - MARK_TOLERANCE_MS) / 1_000.0).ceil().max(1.0) as u64
}

/// The second whose end this time is near enough to represent.
fn whole_second(elapsed_ms: f64) -> Option<u64> {
    let nearest = (elapsed_ms / 1_000.0).round();
    (nearest >= 1.0 && (elapsed_ms - nearest * 1_000.0).abs() <= MARK_TOLERANCE_MS).then_some(nearest as u64)
}

fn check_counts(counts: &Counts) -> Result<(), String> {
    if counts.errors.len() > MAX_KINDS || counts.errors.keys().any(|kind| kind.len() > MAX_KIND_BYTES) {
        return Err(format!(
            "more than {MAX_KINDS} kinds of errors, or one of more than {MAX_KIND_BYTES} bytes"
        ));
    }
    let is_status = |code: &String| (1..=3).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_digit());
    if !counts.status.keys().all(is_status) {
        return Err("a status that is not a number of up to three digits".to_owned());
    }
    let checks = &counts.checks;
    if checks.len() > MAX_NAMES * CHECKS || checks.keys().any(|name| name.len() > MAX_CHECK_BYTES) {
        return Err(format!("too many checks, or one with a name of more than {MAX_CHECK_BYTES} bytes"));
    }
    let single = [counts.planned, counts.sent, counts.never_sent, counts.queued, counts.responses];
    let mapped = counts.errors.values().chain(counts.status.values()).chain(checks.values());
    let rest = [
        &counts.bytes_received,
        &counts.resent,
        &counts.warmup_sent,
        &counts.warmup_errors,
        &counts.failed_checks,
        &counts.truncated_checks,
    ];
    let all = single.iter().chain(rest).chain(mapped).copied();
    // The sum over all kinds is also a count.
    let errors = counts.errors.values().fold(0u64, |sum, n| sum.saturating_add(*n));
    match all.chain([errors]).find(|n| *n > MAX_COUNT) {
        Some(n) => Err(format!("a count of {n} is more than any driver can reach")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::decode;

    fn read(json: &str) -> Result<Report, String> {
        Report::read(&decode(json.as_bytes()).unwrap())
    }

    #[test]
    fn the_original_form_is_recognized_by_its_missing_epoch() {
        let report = read(
            r#"{"node_id":"old","test_id":"t","report_id":"1","metrics":{"mean_latency":"4.5","max_latency":9}}"#,
        );
        let Ok(Report::Original(name, latency)) = report else { panic!("{report:?}") };
        assert_eq!((name.as_str(), latency.mean_latency, latency.max_latency), ("old", Some(4.5), Some(9.0)));
    }

    #[test]
    fn implausible_reports_are_refused_with_an_error() {
        let with = |more: &str| {
            let json = format!(r#"{{"node_id":"a","test_id":"t","report_id":"r7","epoch":1{more}}}"#);
            read(&json).expect_err(more)
        };
        let cases = [
            ("", "no sequence"),
            (r#","sequence":0"#, "no sequence"),
            (r#","sequence":1"#, "no counts"),
            (r#","sequence":1,"counts":{"sent":10000000000000000}"#, "more than any driver"),
            (
                r#","sequence":1,"counts":{"errors":{"timeout":900000000000000,"closed":900000000000000}}"#,
                "more than any driver",
            ),
            (r#","sequence":1,"counts":{"failed_checks":10000000000000000}"#, "more than any driver"),
            (r#","sequence":1,"counts":{"checks":{"status":10000000000000000}}"#, "more than any driver"),
            (r#","sequence":1,"counts":{"status":{"20x":1}}"#, "three digits"),
            (r#","sequence":1,"counts":{"status":{"":1}}"#, "three digits"),
            (r#","sequence":18446744073709551615,"counts":{}"#, "no sequence"),
            (r#","sequence":1,"counts":{"sent":18446744073709551615}"#, "more than any driver"),
            (r#","sequence":1,"counts":{},"elapsed_ms":-1"#, "outside 0"),
            (r#","sequence":1,"counts":{},"elapsed_ms":1e12"#, "outside 0"),
            (r#","sequence":1,"counts":{},"histograms":{"latency":"%%"}"#, "base64"),
            (r#","sequence":1,"counts":{},"final":true,"histograms":{"connect":"%%"}"#, "base64"),
            (r#","sequence":1,"counts":{},"final":true,"histograms":{"tls":"AAAA"}"#, "HdrHistogram"),
        ];
        let kinds: Vec<String> = (0..65).map(|n| format!(r#""k{n}":1"#)).collect();
        let many = format!(r#","sequence":1,"counts":{{"errors":{{{}}}}}"#, kinds.join(","));
        let long = format!(r#","sequence":1,"counts":{{"errors":{{"{}":1}}}}"#, "k".repeat(65));
        let check = format!(r#","sequence":1,"counts":{{"checks":{{"{}":1}}}}"#, "c".repeat(257));
        let named = [
            (many.as_str(), "kinds of errors"),
            (long.as_str(), "kinds of errors"),
            (check.as_str(), "name of more than 256 bytes"),
        ];
        for (more, expected) in cases.into_iter().chain(named) {
            let error = with(more);
            assert!(error.contains(expected) && error.contains("report r7 of driver a"), "{error}");
        }
    }

    #[test]
    fn implausible_times_are_dropped() {
        for moment in ["-1", "1e14", "-1e308", "1e308"] {
            let report = read(&format!(
                r#"{{"node_id":"a","test_id":"t","report_id":"r","epoch":1,"sequence":1,"counts":{{}},"origin_ms":{moment},"first_send_ms":{moment}}}"#
            ));
            let Ok(Report::Numbered(report)) = report else { panic!("{report:?}") };
            assert_eq!((report.origin_ms, report.first_send_ms), (None, None), "{moment}");
        }
    }

    #[test]
    fn a_report_before_the_first_response_needs_no_histogram() {
        let report =
            read(r#"{"node_id":"a","test_id":"t","report_id":"r","epoch":1,"sequence":1,"counts":{}}"#);
        let Ok(Report::Numbered(report)) = report else { panic!("{report:?}") };
        assert!(report.latency.is_absent() && report.service.is_none());
    }
}
