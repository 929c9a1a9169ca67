//! Reports that the bus rejects because of their size.

use crate::orchestrator::support::{SOON, orchestrator, wait, wait_alive, wait_state};
use floodgate::bus::local::LocalConnector;
use floodgate::bus::{Appended, Bus, BusError, Connector, Position, Record, Start, Topic};
use floodgate::check::{Failed, Seen};
use floodgate::driver::collector::{Draft, NamedDraft};
use floodgate::driver::report::{Author, Detail, DraftReport, Facts};
use floodgate::driver::{self, Driver};
use floodgate::message::{End, Heartbeat, Metrics, NodeRef, decode};
use floodgate::plan::Defaults;
use floodgate::stats::check_samples::{CheckSample, Failing, samples};
use floodgate::stats::counts::Counts;
use floodgate::stats::failures::Failures;
use floodgate::stats::histogram::Histogram;
use floodgate::stats::summary::Summary;
use floodgate::target::{self, Target};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A bus whose `topic` rejects records larger than `most` bytes.
#[derive(Clone)]
struct Narrow<B> {
    inner: B,
    topic: Topic,
    most: usize,
}

impl Connector for Narrow<Arc<LocalConnector>> {
    fn open(&self) -> Box<dyn Bus> {
        Box::new(Narrow { inner: self.inner.open(), topic: self.topic, most: self.most })
    }

    fn prepare(&self, timeout: Duration) -> Result<(), BusError> {
        self.inner.prepare(timeout)
    }

    fn describe(&self) -> String {
        "narrow bus".to_owned()
    }
}

impl Bus for Narrow<Box<dyn Bus>> {
    fn publish(
        &mut self,
        topic: Topic,
        key: &str,
        value: &[u8],
        within: Duration,
    ) -> Result<Appended, BusError> {
        let bytes = value.len();
        if topic == self.topic && bytes > self.most {
            return Err(BusError::TooLarge { bytes, text: format!("{bytes} bytes are too many") });
        }
        self.inner.publish(topic, key, value, within)
    }

    fn end(&mut self, topic: Topic, timeout: Duration) -> Result<Position, BusError> {
        self.inner.end(topic, timeout)
    }

    fn subscribe(&mut self, topic: Topic, start: Start, timeout: Duration) -> Result<(), BusError> {
        self.inner.subscribe(topic, start, timeout)
    }

    fn poll(&mut self, timeout: Duration) -> Result<Vec<Record>, BusError> {
        self.inner.poll(timeout)
    }
}

fn a_target() -> Target {
    target::start(target::Config::plain(SocketAddr::from(([127, 0, 0, 1], 0)))).expect("a target")
}

fn a_driver(bus: Arc<dyn Connector>, target: &Target) -> Driver {
    let url = format!("http://{}/ping", target.addr());
    let config = driver::Config {
        node_id: "a1".to_owned(),
        node_ip: "127.0.0.1".to_owned(),
        defaults: Defaults { target_url: Some(url), ..Defaults::default() },
        connect_timeout: SOON,
        ..driver::Config::default()
    };
    driver::start(bus, config).expect("starts")
}

/// Runs a test while `metrics` rejects records larger than `most` bytes. Returns the result, and the reports
/// and heartbeats of the driver.
fn run(most: usize) -> (Summary, Vec<Metrics>, Vec<Heartbeat>) {
    let inner = Arc::new(LocalConnector::new());
    let sound: Arc<dyn Connector> = inner.clone();
    let orchestrator = orchestrator(&sound);
    let control = orchestrator.control();
    let target = a_target();
    let mut reader = sound.open();
    for topic in [Topic::Metrics, Topic::Heartbeat] {
        reader.subscribe(topic, Start::Beginning, SOON).expect("subscribes");
    }
    let driver = a_driver(Arc::new(Narrow { inner, topic: Topic::Metrics, most }), &target);
    wait_alive(&control, 1);
    let plan = json!({"test_id": "t", "test_type": "TSUNAMI", "test_message_delay": 10, "duration_ms": 1500,
        "timeout_ms": 500});
    control.configure_json(&serde_json::to_vec(&plan).expect("json")).expect("configures");
    let result = wait_state(&control, "t", "completed");
    driver.shutdown();
    let records = wait("the driver's goodbye", || {
        let records = reader.poll(Duration::from_millis(100)).expect("polls");
        (!records.is_empty()).then_some(records)
    });
    let of = |topic| records.iter().filter(move |record| record.topic == topic).map(|record| &record.value);
    let metrics = of(Topic::Metrics).filter(|value| decode::<End>(value).is_err());
    let reports = metrics.map(|value| decode(value).expect("a report")).collect();
    let beats = of(Topic::Heartbeat).map(|value| decode(value).expect("a heartbeat")).collect();
    target.shutdown();
    (result, reports, beats)
}

fn last(reports: &[Metrics]) -> &Metrics {
    reports.iter().find(|report| report.is_final).expect("a final report")
}

#[test]
fn a_final_report_that_is_refused_is_sent_without_service_and_lag_then_without_histograms() {
    let (whole, reports, _) = run(usize::MAX);
    let size = |report: &Metrics| serde_json::to_vec(report).expect("json").len();
    let full = last(&reports).clone();
    let mut latency_only = full.clone();
    let histograms = latency_only.histograms.as_mut().expect("histograms");
    (histograms.service, histograms.lag, histograms.connect) = (None, None, None);
    let bare = Metrics { histograms: None, ..full.clone() };
    let between = |more, less| (size(more) + size(less)) / 2;
    assert_eq!((whole.total.requests, whole.drivers[0].state.as_str()), (150, "done"));

    let (result, reports, _) = run(between(&full, &latency_only));
    let histograms = last(&reports).histograms.clone().expect("histograms");
    assert!(!histograms.latency.is_empty());
    let others = [histograms.service, histograms.lag, histograms.connect, histograms.tls];
    assert!(others.iter().all(Option::is_none), "{others:?}");
    assert_eq!((result.total.requests, result.drivers[0].state.as_str()), (150, "done"));
    assert!(result.total.latency_ms.is_some() && result.total.service_ms.is_none());
    assert!(whole.total.connect_ms.is_some() && result.total.connect_ms.is_none());
    assert!(says(&result, "without histograms of service time and lag"), "{:?}", result.verdict);

    let (result, reports, _) = run(between(&latency_only, &bare));
    assert_eq!(last(&reports).histograms, None);
    assert_eq!((result.total.requests, result.total.responses), (150, 150));
    assert_eq!(result.drivers[0].state, "done");
    assert!(says(&result, "raise max.message.bytes"), "{:?}", result.verdict);
}

fn says(result: &Summary, words: &str) -> bool {
    result.verdict.iter().any(|line| line.contains(words))
}

/// As many responses that failed as one report may have.
fn check_samples() -> Vec<CheckSample> {
    let (mut failures, body) = (Failures::default(), "x".repeat(500));
    for n in 0..10 {
        let mut failed = Failed::default();
        failed.add(n % 4);
        let seen = Seen { status: 500, head: b"", body: body.as_bytes(), body_bytes: 500 };
        failures.note(n as u64, failed, &seen);
    }
    let checks: Vec<String> = (0..4).map(|n| format!("contains {n:0>40}")).collect();
    let failing = Failing { request: Some("order"), checks: &checks, failures: &failures };
    samples(&vec![failing; 50], 0)
}

/// A final report about 50 requests, whose responses took this many µs and up to that many times as long.
fn of_fifty(shortest_us: u64, times: u64) -> Metrics {
    let mut histogram = Histogram::new();
    // Every bucket that such times have is used, each with another count.
    for k in 0..200_000u64 {
        let us = shortest_us as f64 * (times as f64).powf(k as f64 / 200_000.0);
        (0..k * 2_654_435_761 % 7).for_each(|_| histogram.record_us(us as u64));
    }
    // Four checks of each request.
    let checks = (0..4).map(|n| (format!("contains {n:0>40}"), 1_000_000)).collect();
    let (planned, sent, responses, failed_checks) = (1_000_000, 1_000_000, 1_000_000, 1_000_000);
    let counts = Counts { planned, sent, responses, failed_checks, checks, ..Counts::default() };
    let named = |n: usize| NamedDraft {
        name: format!("{n:0>40}"),
        counts: counts.clone(),
        latency: histogram.clone(),
        service: Some(histogram.clone()),
        lag: histogram.clone(),
    };
    let draft = Draft {
        is_final: true,
        origin_ns: 0,
        first_send_ns: Some(0),
        elapsed_ns: 36_000_000_000_000,
        counts: counts.clone(),
        latency: histogram.clone(),
        service: Some(histogram.clone()),
        lag: histogram.clone(),
        connect: None,
        tls: None,
        causes: Vec::new(),
        check_samples: check_samples(),
        generator: None,
        by_name: (0..50).map(named).collect(),
    };
    let identity = NodeRef { node_id: "d".to_owned(), epoch: 1 };
    let author =
        Author { identity, test_id: "t".to_owned(), target_on: None, unverified: false, proxied: false };
    author.metrics(DraftReport { draft, target: None }, Facts::default())
}

#[test]
fn reports_about_many_requests_lose_the_histograms_by_name_before_all_others() {
    let bytes = |report: &Metrics| serde_json::to_vec(report).expect("json").len();
    let usual = of_fifty(1_000, 100);
    println!("1 to 100 ms: {} bytes", bytes(&usual));
    let mut wide = of_fifty(100, 600_000);
    println!("0.1 ms to 60 s: {} bytes", bytes(&wide));
    // A record of Kafka has at most 1,000,000 bytes by default.
    assert!(bytes(&usual) < bytes(&wide) && bytes(&wide) < 1_000_000);
    let whole = wide.histograms.clone();
    Detail::Totals.limit(&mut wide);
    println!("without histograms by name: {} bytes", bytes(&wide));
    assert!(bytes(&wide) < 200_000, "{} bytes", bytes(&wide));
    assert_eq!(wide.histograms, whole, "those of all requests together are complete");
    assert!(wide.by_name.values().all(|named| named.counts.sent == 1_000_000));
    let levels = |has_names| {
        let mut levels = vec![Detail::All];
        while let Some(less) = levels.last().and_then(|level: &Detail| level.less(has_names)) {
            levels.push(less);
        }
        levels
    };
    assert_eq!(levels(true), [Detail::All, Detail::Totals, Detail::Latency, Detail::Counts]);
    assert_eq!(levels(false), [Detail::All, Detail::Latency, Detail::Counts]);
}

#[test]
fn a_driver_whose_final_report_is_refused_in_every_form_says_so_and_is_not_waited_for() {
    let (result, reports, beats) = run(300);
    assert!(reports.is_empty(), "{reports:?}");
    let told = beats.iter().find(|beat| beat.reason.is_some()).expect("a reason");
    assert_eq!(told.test_id.as_deref(), Some("t"));
    let reason = told.reason.as_deref().expect("a reason");
    assert!(
        reason.starts_with("the broker refused ") && reason.ends_with("raise max.message.bytes"),
        "{reason}"
    );
    assert_eq!(result.drivers[0].state, "unreported");
    let first = &result.findings[0];
    assert_eq!((first.code.as_str(), first.driver.as_deref()), ("no_final_report", Some("a1")));
    assert!(
        first.text.starts_with(&format!("Unknown: no final report from a1 ({reason})")),
        "{}",
        first.text
    );
    assert_eq!(result.findings.len(), 1, "an unknown rate is not judged: {:?}", result.verdict);
}

#[test]
fn a_plan_that_the_bus_rejects_fails_with_its_size() {
    let narrow = Narrow { inner: Arc::new(LocalConnector::new()), topic: Topic::TestConfig, most: 50 };
    let orchestrator_bus: Arc<dyn Connector> = Arc::new(narrow.clone());
    let orchestrator = orchestrator(&orchestrator_bus);
    let control = orchestrator.control();
    let target = a_target();
    let driver = a_driver(orchestrator_bus, &target);
    wait_alive(&control, 1);
    let plan = br#"{"test_id":"t","test_type":"TSUNAMI","test_message_delay":10,"duration_ms":1500}"#;
    let refused = control.configure_json(plan).expect_err("too large");
    assert_eq!(refused.status, 413);
    assert!(
        refused.message.contains("the plan could not be written")
            && refused.message.contains("bytes are too many"),
        "{refused}"
    );
    driver.shutdown();
    target.shutdown();
}
