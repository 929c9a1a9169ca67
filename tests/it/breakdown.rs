//! Threads that panic: the panic is reported, and the run or the role ends with the reason.

use crate::orchestrator::support::{SOON, wait};
use crate::raw_http;
use crate::support::http_server::Server;
use crate::support::trap::{Call, Fault, Trap};
use floodgate::bus::{Connector, Topic};
use floodgate::driver::{self, Driver};
use floodgate::orchestrator::{Config, Orchestrator};
use floodgate::plan::Defaults;
use floodgate::stats::summary::Summary;
use std::sync::Arc;
use std::time::Duration;

const PONG: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npong";

/// A target, an orchestrator with an HTTP API, and a driver on the same bus, whose calls can be made to fail.
struct Scene {
    server: Server,
    trap: Trap,
    orchestrator: Orchestrator,
    driver: Option<Driver>,
}

impl Scene {
    fn new() -> Scene {
        let (server, trap) = (Server::answering(PONG), Trap::default());
        let orchestrator = orchestrator(Arc::new(trap.inner.clone()));
        let driver = Some(driver(&trap, &server));
        wait("the driver", || (orchestrator.control().fleet_alive() == 1).then_some(()));
        Scene { server, trap, orchestrator, driver }
    }

    /// Starts a test at 100/s and waits for its first requests.
    fn run(&self, test_id: &str, duration_ms: u64) {
        let before = self.server.received().len();
        let plan = format!(
            r#"{{"test_id":"{test_id}","test_type":"TSUNAMI","test_message_delay":10,"duration_ms":{duration_ms},"timeout_ms":1000}}"#
        );
        self.orchestrator.control().configure_json(plan.as_bytes()).expect("configures");
        wait("requests", || (self.server.received().len() > before + 20).then_some(()));
    }

    fn end_driver(&mut self) {
        self.driver.take().into_iter().for_each(Driver::shutdown);
    }

    fn over(&self, test_id: &str) -> Summary {
        let control = self.orchestrator.control();
        let is_over = |s: &Summary| ["completed", "aborted", "failed"].contains(&s.state.as_str());
        wait("the end", || control.summary(test_id).filter(is_over))
    }
}

fn orchestrator(connector: Arc<dyn Connector>) -> Orchestrator {
    let listen = Some("127.0.0.1:0".parse().expect("an address"));
    let config = Config { listen, connect_timeout: SOON, ..Config::default() };
    floodgate::orchestrator::start(connector, config).expect("starts")
}

fn driver(trap: &Trap, server: &Server) -> Driver {
    let defaults = Defaults { target_url: Some(server.url("/ping")), ..Defaults::default() };
    let (node_id, node_ip) = ("d1".to_owned(), "127.0.0.1".to_owned());
    let config =
        driver::Config { node_id, node_ip, defaults, connect_timeout: SOON, ..driver::Config::default() };
    driver::start(Arc::new(trap.clone()), config).expect("starts")
}

fn the_orchestrator_says_so(call: Call, thread: &str) {
    let trap = Trap::default();
    let orchestrator = orchestrator(Arc::new(trap.clone()));
    let (addr, control) = (orchestrator.addr().expect("listens"), orchestrator.control());
    assert_eq!(raw_http::get(addr, "/healthz").status, 200);
    trap.set(call, Fault::Panics);
    if call == Call::Publish(Topic::Register) {
        raw_http::post(addr, "/register", r#"{"node_id":"a","node_ip":"b"}"#);
    }
    let answer = wait("503", || Some(raw_http::get(addr, "/healthz")).filter(|answer| answer.status == 503));
    let why = format!("thread {thread} panicked: {call:?} met a trap");
    assert!(answer.body.contains(&why), "{}", answer.body);
    assert_eq!(control.failure(), Some(why.as_str()));
    let answer = raw_http::post(addr, "/configure", r#"{"test_id":"t","test_type":"AVALANCHE"}"#);
    assert_eq!(answer.status, 503, "{}", answer.body);
    orchestrator.shutdown();
}

#[test]
fn an_orchestrator_whose_reader_panics_is_not_healthy() {
    the_orchestrator_says_so(Call::Poll(Topic::Heartbeat), "orchestrator-read");
}

#[test]
fn an_orchestrator_whose_writer_panics_is_not_healthy() {
    the_orchestrator_says_so(Call::Publish(Topic::Register), "orchestrator-write");
}

#[test]
fn a_driver_without_its_heartbeat_thread_stops_its_load_reports_and_ends() {
    let mut scene = Scene::new();
    scene.run("t", 60_000);
    scene.trap.set(Call::Publish(Topic::Heartbeat), Fault::Panics);
    let why = wait("the failure", || scene.driver.as_ref().and_then(Driver::failure).map(str::to_owned));
    assert!(why.starts_with("thread heartbeat panicked"), "{why}");
    let summary = scene.over("t");
    let (counts, seen) = (&summary.conservation, scene.server.received().len() as u64);
    assert!(counts.sent > 20 && counts.sent == counts.responses + counts.errors, "{counts:?}");
    // The server may have received requests without a response, and requests for its counts.
    assert!(seen >= counts.responses && seen <= counts.sent + 2, "{seen} seen of {counts:?}");
    scene.end_driver();
}

#[test]
fn a_driver_without_its_control_thread_stops_its_load_and_leaves() {
    let mut scene = Scene::new();
    scene.run("t", 60_000);
    scene.trap.set(Call::Poll(Topic::Trigger), Fault::Panics);
    let why = wait("the failure", || scene.driver.as_ref().and_then(Driver::failure).map(str::to_owned));
    assert!(why.starts_with("thread control panicked"), "{why}");
    scene.end_driver();
    let summary = scene.over("t");
    assert_eq!(summary.drivers[0].state, "lost", "{:?}", summary.verdict);
    assert!(summary.verdict.join("\n").contains("crashed mid-run"), "{:?}", summary.verdict);
    // The load has ended as well.
    let idle = || {
        let before = scene.server.received().len();
        floodgate::clock::sleep(Duration::from_millis(300));
        (scene.server.received().len() == before).then_some(())
    };
    wait("an idle target", idle);
}

#[test]
fn a_driver_whose_reporter_panics_says_why_and_runs_the_next_test() {
    let mut scene = Scene::new();
    scene.run("t", 1_500);
    scene.trap.set(Call::Publish(Topic::Metrics), Fault::Panics);
    let summary = scene.over("t");
    let verdict = summary.verdict.join("\n");
    assert!(verdict.contains("d1") && verdict.contains("thread reporter panicked"), "{verdict}");
    assert_eq!(scene.driver.as_ref().and_then(Driver::failure), None);
    scene.trap.clear();
    scene.run("u", 500);
    let summary = scene.over("u");
    assert_eq!(
        (summary.state.as_str(), summary.conservation.sent),
        ("completed", 50),
        "{:?}",
        summary.verdict
    );
    scene.end_driver();
}

#[test]
fn a_driver_that_shuts_down_after_its_load_retries_until_its_last_report_is_accepted() {
    let mut scene = Scene::new();
    scene.run("t", 1_000);
    scene.trap.set(Call::Publish(Topic::Metrics), Fault::Fails);
    let finishing = || {
        let fleet = scene.orchestrator.control().dashboard().fleet;
        fleet.iter().any(|row| row.activity.as_deref() == Some("finishing")).then_some(())
    };
    wait("the end of the load", finishing);
    scene.driver.iter().for_each(Driver::begin_shutdown);
    // Long enough for many attempts; a driver that does not wait has ended by then.
    floodgate::clock::sleep(Duration::from_millis(1_500));
    let fleet = scene.orchestrator.control().dashboard().fleet;
    assert!(fleet.iter().all(|row| row.state == "alive"), "it has left: {fleet:?}");
    scene.trap.clear();
    scene.end_driver();
    let summary = scene.over("t");
    let counts = &summary.conservation;
    assert_eq!((counts.planned, counts.sent, counts.responses), (100, 100, 100), "{:?}", summary.verdict);
    assert_eq!(summary.drivers[0].state, "done", "{:?}", summary.verdict);
}
