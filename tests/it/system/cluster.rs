//! A fleet on a cluster of three brokers.

use super::process::{Process, SOON};
use super::{Login, System, assert_exact};
use crate::raw_http;
use crate::support::kafka::{self, ThreeNodes};
use floodgate::bus::kafka::KafkaClientKind;
use floodgate::bus::{Connector, Start, Topic};
use floodgate::stats::summary::Summary;
use serde_json::json;
use std::io::Read;
use std::net::TcpStream;

/// Requests per second: three drivers send one request each every 20 ms.
const PER_SECOND: u64 = 150;
const DRIVERS: [&str; 3] = ["d1", "d2", "d3"];

/// The topics alone give the same bytes.
fn assert_replayed(system: &System, test_id: &str) {
    let own = ["replay", "--kafka", &system.broker, "--topic-prefix", &system.prefix, "--json"];
    let login = system.login.flags("replay");
    let login: Vec<&str> = login.iter().map(String::as_str).collect();
    let words = [&own[..], &["--test-id", test_id], &login].concat();
    let replayed = Process::start("replay", "floodgate", &words, &[]).end();
    let shown = raw_http::get(system.addr, &format!("/tests/{test_id}")).body;
    assert_eq!(replayed.printed.trim_end(), shown.trim_end(), "{}", replayed.said);
}

#[test]
#[ignore = "needs a cluster of Kafka brokers: just test-cluster"]
fn every_broker_is_restarted_in_turn_during_a_test() {
    let cluster = ThreeNodes::running();
    let login = Login::Alice(cluster.secure_folder());
    let system =
        System::begin(&cluster.sasl_ssl_addresses(), "modern", login, kafka::fresh_prefix("rolling"));
    let drivers = DRIVERS.map(|name| system.driver(name));
    system.wait_alive(&DRIVERS);
    // Stopped after the last restart, however long they take.
    let plan = json!({"test_id": "t", "test_type": "TSUNAMI", "test_message_delay": 20,
        "duration_ms": 600_000});
    assert_eq!(system.configure(&plan), DRIVERS);
    system.wait_second("t", 2);
    cluster.nodes().for_each(|node| cluster.restart(node));
    assert_eq!(system.test("t").expect("shown").state, "running");
    assert_eq!(raw_http::post(system.addr, "/stop", "{}").status, 202);
    let summary = system.wait_over("t", "aborted");
    assert_kept(&summary);
    assert_eq!(system.target_count(), summary.conservation.sent);
    assert_replayed(&system, "t");
    system.wait_alive(&DRIVERS);
    drivers.into_iter().chain([system.orchestrator]).for_each(assert_no_error);
}

fn assert_no_error(process: Process) {
    let ended = process.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert!(!ended.said.contains("ERROR"), "{}", ended.said);
}

/// Nothing was lost, and the load was steady.
fn assert_kept(summary: &Summary) {
    let text = format!("{:#?}\n{:#?}\n{:#?}", summary.conservation, summary.verdict, summary.series);
    let counts = &summary.conservation;
    let all = [counts.responses, counts.target_seen.unwrap_or(0), counts.planned - counts.never_sent];
    assert_eq!(all, [counts.sent; 3], "{text}");
    assert_eq!([counts.errors, counts.lost, counts.reports_missing], [0; 3], "{text}");
    // Only what was due at the moment of the stop.
    assert!(counts.never_sent < PER_SECOND / 10, "{text}");
    assert!(summary.drivers.iter().all(|row| row.state == "done"), "{text}");
    assert!(!summary.verdict.iter().any(|line| line.contains("lost")), "{text}");
    let series = &summary.series;
    assert_eq!(series.iter().map(|point| point.requests).sum::<u64>(), counts.sent, "{text}");
    assert!(series.iter().map(|point| point.second).eq(1..=series.len() as u64), "{text}");
    // A restart takes longer than this, so it does not show in the load: nothing waits to be made up for.
    let most_late_s = 2;
    let mut sent = 0;
    for (second, point) in (1..).zip(&series[..series.len() - 1]) {
        sent += point.requests;
        let late_s = second - sent.div_ceil(PER_SECOND).min(second);
        assert!(late_s <= most_late_s, "{late_s} s late after {second} s: {text}");
    }
    assert!(series.len() > 10, "{text}");
}

#[test]
#[ignore = "needs a cluster of Kafka brokers: just test-cluster"]
fn a_connection_that_was_closed_for_being_idle_is_replaced_without_a_loss() {
    let cluster = ThreeNodes::running();
    let connector = kafka::connector(&cluster.addresses, KafkaClientKind::Modern, "idle");
    connector.prepare(SOON).expect("topics");
    let mut bus = connector.open();
    bus.publish(Topic::Metrics, "k", b"before", SOON).expect("publish");
    // These connections are younger, so the one above is closed when they are.
    for address in cluster.addresses.split(',') {
        let mut idle = TcpStream::connect(address).expect("connects");
        idle.set_read_timeout(Some(SOON)).expect("set");
        assert_eq!(idle.read(&mut [0; 1]).expect("closed in time"), 0, "{address}");
    }
    bus.publish(Topic::Metrics, "k", b"after", SOON).expect("publish");
    bus.subscribe(Topic::Metrics, Start::Beginning, SOON).expect("subscribe");
    let mut values = Vec::new();
    while values.last().is_none_or(|last| last != b"after") {
        values.extend(bus.poll(SOON).expect("poll").into_iter().map(|record| record.value));
    }
    assert_eq!(values, [&b"before"[..], b"after"]);
}

#[test]
#[ignore = "needs a cluster of Kafka brokers: just test-cluster"]
fn a_quota_delays_reports_but_not_the_load() {
    let cluster = ThreeNodes::running();
    let config = ["tool", &cluster.version, "kafka.admin.ConfigCommand", "--bootstrap-server"];
    let client = ["--alter", "--entity-type", "clients", "--entity-name", "floodgate-driver"];
    let change = |how: &[&str]| {
        kafka::script(&[&config[..], &[&cluster.addresses], &client, how].concat());
    };
    change(&["--add-config", "producer_byte_rate=1000"]);
    let system = System::start(&cluster.addresses, "quota");
    let driver = system.driver("d1");
    system.wait_alive(&["d1"]);
    let plan = json!({"test_id": "t", "test_type": "TSUNAMI", "test_message_delay": 10,
        "duration_ms": 6_000});
    system.configure(&plan);
    let summary = system.wait_over("t", "completed");
    change(&["--delete-config", "producer_byte_rate"]);
    assert_exact(&summary, 600);
    let said = driver.said();
    let throttled = said.lines().filter(|line| line.contains("reports may be late"));
    assert!((1..=4).contains(&throttled.count()), "{said}");
    assert_no_error(driver);
}
