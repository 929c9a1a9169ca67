//! A real driver on the in-process bus, with the test as its orchestrator and a real socket server as its
//! target.

mod stage;
mod stops;

use crate::orchestrator::support::wait;
use crate::support::http_server::Server;
use floodgate::bus::Topic;
use floodgate::clock;
use floodgate::driver::Driver;
use floodgate::driver::prepare::{ClientSettings, prepare};
use floodgate::driver::session::Assignment;
use floodgate::http::ClientKind;
use floodgate::message::*;
use floodgate::plan::{Defaults, Plan};
use floodgate::stats::histogram::Histogram;
use floodgate::threads::StopFlag;
use stage::{Stage, WAIT};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::mpsc::Receiver;
use std::time::Duration;

const PONG: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npong";

fn config(node: NodeRef) -> TestConfig {
    let mut config = TestConfig::new("t1", TestType::Avalanche);
    (config.connections, config.drivers) = (Some(4), vec![node]);
    config
}

fn a_count_is_sent_and_reported(client: ClientKind) {
    let server = Server::answering(PONG);
    let mut stage = Stage::new();
    let driver = stage.driver("d1", &server.url("/ping"), client);
    let mut config = config(stage.register());
    (config.target_throughput, config.message_count_per_driver) = (Some(100.0), Some(180));
    stage.start(&config);
    let report = stage.final_report();
    let counts = report.counts.expect("counts");
    assert_eq!((counts.planned, counts.sent, counts.responses, counts.never_sent), (180, 180, 180, 0));
    assert_eq!(counts.status.get("200"), Some(&180));
    assert_eq!(server.received().iter().filter(|received| received.line().contains("/ping")).count(), 180);
    let histograms = report.histograms.expect("histograms");
    for text in [Some(histograms.latency), histograms.service, histograms.lag] {
        assert_eq!(Histogram::decode(&text.expect("present")).expect("decodes").count(), 180);
    }
    let connects = Histogram::decode(&histograms.connect.expect("connects")).expect("decodes");
    let requests = server.received().into_iter().filter(|received| received.line().contains("/ping"));
    let used: BTreeSet<usize> = requests.map(|received| received.connection).collect();
    assert_eq!(connects.count(), used.len() as u64);
    assert_eq!(histograms.tls, None, "no TLS");
    let earlier = stage.reports().into_iter().filter(|report| !report.is_final);
    assert!(earlier.filter_map(|report| report.histograms).all(|histograms| histograms.connect.is_none()));
    let elapsed_ms = report.elapsed_ms.expect("elapsed");
    assert!((1_790.0..3_000.0).contains(&elapsed_ms), "180 requests at 100/s took {elapsed_ms} ms");
    let sequences: Vec<u64> = stage.reports().iter().filter_map(|metrics| metrics.sequence).collect();
    assert!(sequences.len() >= 3, "one every half second: {sequences:?}");
    assert!(sequences.iter().copied().eq(1..=sequences.len() as u64), "{sequences:?}");
    stage.beat(DriverState::Idle);
    driver.shutdown();
    stage.goodbye();
}

#[test]
fn a_count_is_sent_and_reported_by_native() {
    a_count_is_sent_and_reported(ClientKind::Native);
}

#[test]
fn a_count_is_sent_and_reported_by_ureq() {
    a_count_is_sent_and_reported(ClientKind::Ureq);
}

/// Expects this many connections for requests when the driver is ready, and this many at the end of the test.
fn connections_are(threads: usize, ready: usize, end: RangeInclusive<usize>, change: fn(&mut TestConfig)) {
    let server = Server::answering(PONG);
    let mut stage = Stage::new();
    let clients = ClientSettings { threads: Some(threads), ..ClientSettings::default() };
    let driver = stage.driver_with("a", &server.url("/"), clients);
    let mut config = config(stage.register());
    (config.connections, config.message_count_per_driver) = (Some(40), Some(400));
    change(&mut config);
    stage.publish(Topic::TestConfig, &encode(&config));
    stage.beat(DriverState::Ready);
    // The first connection reads the counts of a floodgate-target; the others are for requests.
    let opened = || server.connections() - 1;
    wait("the connections", || (opened() >= ready).then_some(()));
    assert_eq!((opened(), server.received().len()), (ready, 1));
    stage.publish(Topic::Trigger, &encode(&Trigger::start(&config.test_id, 0.0)));
    let counts = stage.final_report().counts.expect("counts");
    assert_eq!(Some(counts.responses), config.message_count_per_driver);
    assert!(end.contains(&opened()), "{} opened in total", opened());
    driver.shutdown();
}

#[test]
fn a_closed_loop_has_its_connections_before_the_gate_opens() {
    connections_are(1, 40, 40..=40, |_| {});
    connections_are(3, 40, 40..=40, |_| {});
    connections_are(1, 7, 7..=7, |config| config.message_count_per_driver = Some(7));
}

#[test]
fn connections_are_released_if_the_gate_stays_closed() {
    let (closing, closed) = std::sync::mpsc::channel();
    let server = Server::start(move |conn| {
        while conn.request().is_some() && conn.send(PONG) {}
        let _ = closing.send(conn.number);
    });
    let defaults = Defaults { target_url: Some(server.url("/")), ..Defaults::default() };
    let plan = Plan::new(&config(NodeRef { node_id: "a".to_owned(), epoch: 1 }), &defaults).expect("a plan");
    let (test_id, plan_hash) = ("t1".to_owned(), String::new());
    let assignment = Assignment { test_id, plan_hash, node_id: "a".to_owned(), part: 0, parts: 1, plan };
    let mut prepared =
        prepare(assignment, &ClientSettings::default(), StopFlag::default()).expect("prepared");
    let since_ns = prepared.open_since_ns.expect("connections are open");
    prepared.release(since_ns + 29 * clock::NS_PER_S);
    assert!(
        closed.recv_timeout(Duration::from_millis(100)).is_ok_and(|number| number == 0),
        "the read of /metrics"
    );
    assert!(closed.recv_timeout(Duration::from_millis(100)).is_err(), "it is too early");
    prepared.release(since_ns + 30 * clock::NS_PER_S);
    (0..4).for_each(|_| assert!(closed.recv_timeout(WAIT).is_ok()));
}

/// A driver that is preparing test t1, for a target that accepts connections but never answers the TLS
/// handshake.
fn getting_ready(stage: &mut Stage) -> (Server, Receiver<()>, Driver, TestConfig) {
    let (closing, closed) = std::sync::mpsc::channel();
    let server = Server::start(move |conn| {
        conn.stall();
        let _ = closing.send(());
    });
    let driver = stage.driver("d1", &server.url("/").replace("http:", "https:"), ClientKind::Native);
    let config = config(stage.register());
    stage.publish(Topic::TestConfig, &encode(&config));
    wait("a connection", || (server.connections() > 0).then_some(()));
    (server, closed, driver, config)
}

#[test]
fn a_preparing_driver_reacts_to_a_stop_and_then_to_the_next_plan() {
    let mut stage = Stage::new();
    let (_server, closed, driver, config) = getting_ready(&mut stage);
    stage.publish(Topic::Trigger, &encode(&Trigger::stop(&config.test_id, "changed my mind")));
    // Without the STOP, the driver would wait 5 s for the TLS handshake.
    closed.recv_timeout(Duration::from_secs(4)).expect("the connections are given up");
    // An open loop opens no connections ahead.
    let next = TestConfig { test_id: "t2".to_owned(), target_throughput: Some(1.0), ..config };
    stage.publish(Topic::TestConfig, &encode(&next));
    assert_eq!(stage.beat(DriverState::Ready).test_id.as_deref(), Some("t2"));
    driver.shutdown();
}

#[test]
fn a_preparing_driver_reacts_to_shutdown() {
    let mut stage = Stage::new();
    let (_server, closed, driver, _) = getting_ready(&mut stage);
    driver.begin_shutdown();
    closed.recv_timeout(Duration::from_secs(4)).expect("the connections are given up");
    driver.shutdown();
    stage.goodbye();
    assert!(stage.seen.iter().all(|(_, value)| value["state"] != "ready"), "{:#?}", stage.seen);
}

#[test]
fn other_loads_open_connections_on_demand() {
    connections_are(1, 0, 1..=2, |config| {
        (config.test_type, config.test_message_delay) = (TestType::Tsunami, Some(1.0));
        config.connections = Some(2);
    });
    connections_are(1, 0, 80..=119, |config| config.max_requests_per_connection = Some(5));
}

/// A pinned name, connections and threads as set by flags, on real sockets.
fn a_name_is_pinned_and_connections_carry_as_many_as_allowed(client: ClientKind) {
    let server = Server::answering(PONG);
    let port = server.address.port();
    let pinned = vec![format!("no-such-host.invalid:{port}:127.0.0.1").parse().expect("pinned")];
    let clients =
        ClientSettings { client: Some(client), threads: Some(2), pinned, ..ClientSettings::default() };
    let mut stage = Stage::new();
    let driver = stage.driver_with("d1", &format!("http://no-such-host.invalid:{port}/ping"), clients);
    let mut config = config(stage.register());
    (config.message_count_per_driver, config.max_requests_per_connection) = (Some(40), Some(5));
    stage.start(&config);
    let counts = stage.final_report().counts.expect("counts");
    assert_eq!((counts.sent, counts.responses), (40, 40), "{:?}", counts.errors);
    driver.shutdown();
    let mut carried = std::collections::BTreeMap::new();
    let pings = server.received().into_iter().filter(|received| received.line().contains("/ping"));
    pings.for_each(|received| *carried.entry(received.connection).or_insert(0u64) += 1);
    assert!(carried.values().all(|count| *count <= 5) && carried.len() >= 8, "{carried:?}");
    assert!(carried.values().any(|count| *count == 5), "{carried:?}");
}

#[test]
fn a_name_is_pinned_and_connections_carry_as_many_as_allowed_by_native() {
    a_name_is_pinned_and_connections_carry_as_many_as_allowed(ClientKind::Native);
}

#[test]
fn a_name_is_pinned_and_connections_carry_as_many_as_allowed_by_ureq() {
    a_name_is_pinned_and_connections_carry_as_many_as_allowed(ClientKind::Ureq);
}

fn a_silent_target_delays_neither_heartbeat_nor_stop(client: ClientKind) {
    let server = Server::start(|conn| {
        if conn.request().is_some() {
            conn.stall();
        }
    });
    let mut stage = Stage::new();
    let driver = stage.driver("d1", &server.url("/"), client);
    let mut config = config(stage.register());
    (config.duration_ms, config.timeout_ms) = (Some(60_000), Some(60_000));
    stage.start(&config);
    stage.beat(DriverState::Running);
    let begin_ns = clock::now_ns();
    for _ in 0..3 {
        stage.beat(DriverState::Running);
    }
    let beats_ms = (clock::now_ns() - begin_ns) / clock::NS_PER_MS;
    assert!(beats_ms < 8_000, "three heartbeats took {beats_ms} ms");
    stage.publish(Topic::Trigger, &encode(&Trigger::stop("t1", "enough")));
    let counts = stage.final_report().counts.expect("counts");
    assert_eq!((counts.sent, counts.responses, counts.errors.get("aborted")), (4, 0, Some(&4)));
    stage.beat(DriverState::Idle);
    driver.shutdown();
}

#[test]
fn a_silent_target_delays_neither_heartbeat_nor_stop_of_native() {
    a_silent_target_delays_neither_heartbeat_nor_stop(ClientKind::Native);
}

#[test]
fn a_silent_target_delays_neither_heartbeat_nor_stop_of_ureq() {
    a_silent_target_delays_neither_heartbeat_nor_stop(ClientKind::Ureq);
}

#[test]
fn a_driver_reports_before_it_shuts_down() {
    let server = Server::answering(PONG);
    let mut stage = Stage::new();
    let driver = stage.driver("d1", &server.url("/"), ClientKind::Native);
    let mut config = config(stage.register());
    (config.target_throughput, config.duration_ms) = (Some(50.0), Some(60_000));
    stage.start(&config);
    stage.wait(Topic::Metrics, |metrics: &Metrics| {
        metrics.counts.as_ref().is_some_and(|counts| counts.sent > 10)
    });
    driver.shutdown();
    let counts = stage.final_report().counts.expect("counts");
    assert_eq!(counts.sent, counts.responses + counts.errors_total());
    assert_eq!(counts.planned, counts.sent + counts.never_sent);
    stage.goodbye();
}

#[test]
fn a_plan_for_a_foreign_host_is_refused_with_a_reason() {
    let mut stage = Stage::new();
    let driver = stage.driver("d1", "http://127.0.0.1:9/", ClientKind::Native);
    let mut config = config(stage.register());
    config.target_url = Some("http://192.0.2.1/".to_owned());
    stage.publish(Topic::TestConfig, &encode(&config));
    let beat = stage.beat(DriverState::Refused);
    let reason = beat.reason.expect("a reason");
    assert!(reason.contains("192.0.2.1") && reason.contains("--allow-target"), "{reason}");
    assert_eq!(beat.test_id.as_deref(), Some("t1"));
    driver.shutdown();
}

#[test]
fn messages_older_than_the_registration_are_ignored() {
    let mut stage = Stage::new();
    let mut old = config(NodeRef { node_id: "d1".to_owned(), epoch: 1 });
    old.drivers.clear();
    stage.publish(Topic::TestConfig, &encode(&old));
    stage.publish(Topic::TestConfig, b"{\"malformed\": true}");
    let driver = stage.driver("d1", "http://127.0.0.1:9/", ClientKind::Native);
    let node = stage.register();
    stage.publish(Topic::TestConfig, b"more malformed input");
    let mut mine = config(node);
    mine.test_id = "t2".to_owned();
    stage.publish(Topic::TestConfig, &encode(&mine));
    assert_eq!(stage.beat(DriverState::Ready).test_id.as_deref(), Some("t2"));
    assert!(!stage.seen.iter().any(|(_, value)| value["test_id"] == "t1"), "{:#?}", stage.seen);
    driver.shutdown();
}

#[test]
fn a_refused_port_and_an_unknown_host_are_counted() {
    for (url, kind) in [("http://127.0.0.1:9/", "connect"), ("http://nowhere.invalid/", "dns")] {
        for client in ClientKind::ALL {
            let mut stage = Stage::new();
            let driver = stage.driver("d1", url, client);
            let mut config = config(stage.register());
            config.message_count_per_driver = Some(20);
            stage.start(&config);
            let counts = stage.final_report().counts.expect("counts");
            assert_eq!(
                (counts.sent, counts.errors.get(kind)),
                (20, Some(&20)),
                "{url} by {client}: {counts:?}"
            );
            driver.shutdown();
        }
    }
}
