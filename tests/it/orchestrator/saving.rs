//! Tests in a store: saved by one or several orchestrators, listed after a restart, recomputed from the log.

use super::support::*;
use crate::raw_http::{Connection, get};
use crate::support::scratch::Scratch;
use floodgate::bus::Connector;
use floodgate::orchestrator::{Config, Orchestrator, StoreSettings, start};
use floodgate::run::output::Output;
use floodgate::run::replay::{Settings, Source, run};
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

fn serve(bus: &Arc<dyn Connector>, dir: Option<&Path>) -> (Orchestrator, SocketAddr) {
    let config = Config {
        listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        connect_timeout: SOON,
        store: dir.map(|dir| StoreSettings { dir: dir.to_owned(), keep: None }),
        ..Config::default()
    };
    let orchestrator = start(Arc::clone(bus), config).expect("starts");
    let addr = orchestrator.addr().expect("listens");
    (orchestrator, addr)
}

fn plan(test_id: &str) -> Vec<u8> {
    let request = json!({"headers": [["Authorization", "Bearer s3cret"]]});
    json!({"test_id": test_id, "test_type": "TSUNAMI", "test_message_delay": 20, "duration_ms": 1000,
        "request": request})
    .to_string()
    .into_bytes()
}

/// The driver executes the test that is configured next, in two reports.
fn execute(driver: &mut Driver) {
    let (plan, origin_ms) = driver.run();
    let figures = Figures { sequence: 1, origin_ms, elapsed_ms: 500.0, responses: 25, ..Figures::default() };
    driver.report(&plan.test_id, Figures { latency_ms: 2, ..figures });
    let last = Figures { sequence: 2, elapsed_ms: 1_000.0, responses: 50, latency_ms: 2, ..figures };
    driver.report(&plan.test_id, Figures { is_final: true, ..last });
    driver.state(&plan.test_id, "idle");
}

fn json_of(addr: SocketAddr, path: &str) -> Value {
    let answer = get(addr, path);
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    serde_json::from_str(&answer.body).expect("JSON")
}

/// What a browser sees.
fn get_html(addr: SocketAddr, path: &str) -> String {
    let mut connection = Connection::open(addr);
    connection
        .send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n").as_bytes());
    let answer = connection.receive();
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.body
}

fn refusal(addr: SocketAddr, path: &str, status: u16) -> String {
    let answer = get(addr, path);
    assert_eq!(answer.status, status, "{path}: {answer:?}");
    answer.body
}

#[test]
fn a_saved_test_is_served_also_after_a_restart_without_its_records() {
    let dir = Scratch::new("serve");
    let bus = local();
    let (orchestrator, addr) = serve(&bus, Some(dir.path()));
    let control = orchestrator.control();
    assert_eq!(json_of(addr, "/tests"), json!({"tests": []}));
    let mut driver = Driver::join(&bus, "a", 1);
    wait_alive(&control, 1);
    control.configure_json(&plan("t:1")).expect("configured");
    execute(&mut driver);
    let summary = wait_state(&control, "t:1", "completed");
    wait("saved", || control.saved("t:1"));
    let live = get(addr, "/tests/t:1").body;
    assert_eq!(live, summary.document());
    orchestrator.shutdown();

    let (_second, addr) = serve(&local(), Some(dir.path()));
    let tests = json_of(addr, "/tests?limit=5");
    let row = &tests["tests"][0];
    assert_eq!(
        (&row["test_id"], &row["state"], &row["requests"]),
        (&json!("t:1"), &json!("completed"), &json!(50))
    );
    assert_eq!(json_of(addr, "/dashboard")["history"], tests["tests"]);
    for path in ["/tests/t:1", "/tests/t%3A1", "/tests/t:1/", "/tests/t:1/summary.json"] {
        assert_eq!(get(addr, path).body, live, "{path}");
    }
    let file = |name: &str| get(addr, &format!("/tests/t:1/{name}")).body;
    assert!(file("series.csv").starts_with("second,planned,requests"));
    assert!(file("latency.hgrm").contains("Total count    =           50]"));
    assert!(file("latency.hlog").starts_with("#[Histogram log format version 1.3]\n"));
    let report = get(addr, "/tests/t:1/report.html");
    assert!(report.body.contains("id=\"latency\"") && !report.body.contains("s3cret"), "{}", report.body);
    for (name, value) in [
        ("content-type", "text/html"),
        ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert!(report.header(name).is_some_and(|found| found.starts_with(value)), "{name}");
    }
    let compared = json_of(addr, "/compare?a=t%3A1&b=t:1");
    assert_eq!(
        (&compared["schema"], &compared["a"][0]["test_id"]),
        (&json!("floodgate.compare/1"), &json!("t:1"))
    );
    assert!(
        compared["sentence"].as_str().is_some_and(|text| text.contains("1 s is too short")),
        "{compared}"
    );
    let page = get_html(addr, "/compare?a=t:1&b=t:1");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("1 s is too short"), "{page}");
    assert!(refusal(addr, "/compare?a=t:1", 400).contains("/compare?a=ID&b=ID"));
    assert!(refusal(addr, "/compare?a=t:1&b=unknown", 404).contains("GET /tests"));
    let records = file("records.jsonl");
    assert!(records.starts_with(r#"{"topic":"test_config""#), "{records}");
    assert!(!records.contains("s3cret") && !live.contains("s3cret") && live.contains("(hidden)"));
    assert!(refusal(addr, "/tests/unknown", 404).contains("GET /tests"));
    assert!(refusal(addr, "/tests/..", 404).contains("GET /tests"));
    assert!(refusal(addr, "/tests/t:1/report.pdf", 404).contains("series.csv"));
    assert!(refusal(addr, "/tests/t:1/a/b", 404).contains("/tests/ID/FILE"));
    refusal(addr, "/tests?limit=0", 400);
    // As an older version saved it.
    let folder = dir.entries().into_iter().find(|path| path.join("report.html").is_file()).expect("saved");
    fs::remove_file(folder.join("report.html")).expect("removed");
    assert!(file("report.html").contains("The records of this test are not saved"));
}

#[test]
fn without_a_store_the_newest_results_are_served_and_the_rest_is_explained() {
    let bus = local();
    let (orchestrator, addr) = serve(&bus, None);
    let control = orchestrator.control();
    let mut driver = Driver::join(&bus, "a", 1);
    wait_alive(&control, 1);
    control.configure_json(&plan("t")).expect("configured");
    execute(&mut driver);
    wait_state(&control, "t", "completed");
    assert_eq!(json_of(addr, "/tests")["tests"][0]["test_id"], "t");
    assert_eq!(json_of(addr, "/tests/t")["state"], "completed");
    assert!(get(addr, "/tests/t/series.csv").body.starts_with("second,"));
    assert!(get(addr, "/tests/t/report.html").body.contains("id=\"latency\""));
    assert!(refusal(addr, "/tests/t/latency.hgrm", 404).contains("--store DIR"));
    assert!(refusal(addr, "/tests/other", 404).contains("--store DIR"));
}

#[test]
fn orchestrators_save_the_same_bytes_also_one_that_started_during_the_test() {
    let (shared, own) = (Scratch::new("shared"), Scratch::new("own"));
    let bus = local();
    let (first, _) = serve(&bus, Some(shared.path()));
    let (second, _) = serve(&bus, Some(shared.path()));
    let mut driver = Driver::join(&bus, "a", 1);
    wait_alive(&first.control(), 1);
    wait_alive(&second.control(), 1);
    first.control().configure_json(&plan("t")).expect("configured");
    let (config, origin_ms) = driver.run();
    let figures = Figures { sequence: 1, origin_ms, responses: 25, latency_ms: 2, ..Figures::default() };
    driver.report(&config.test_id, Figures { elapsed_ms: 500.0, ..figures });
    wait_state(&first.control(), "t", "running");
    let (third, _) = serve(&bus, Some(own.path()));
    let last = Figures { sequence: 2, elapsed_ms: 1_000.0, responses: 50, is_final: true, ..figures };
    driver.report(&config.test_id, last);
    driver.state(&config.test_id, "idle");
    let orchestrators = [first, second, third];
    let outcomes =
        orchestrators.each_ref().map(|orchestrator| wait("saved", || orchestrator.control().saved("t")));
    assert!(
        outcomes.iter().all(|outcome| outcome.folder.is_some() && outcome.problems.is_empty()),
        "{outcomes:?}"
    );
    orchestrators.into_iter().for_each(Orchestrator::shutdown);
    let (one, other) = (shared.entries(), own.entries());
    assert_eq!((one.len(), other.len()), (1, 1), "{one:?} {other:?}");
    assert_eq!(one[0].file_name(), other[0].file_name());
    let read = |folder: &Path, name: &str| fs::read_to_string(folder.join(name)).expect(name);
    for name in ["summary.json", "series.csv", "latency.hgrm", "latency.hlog"] {
        assert_eq!(read(&one[0], name), read(&other[0], name), "{name}");
    }
    // The third one did not see the heartbeats from before its start.
    let log = |folder: &Path| {
        let text = read(folder, "records.jsonl");
        let lines = text.lines().filter(|line| !line.starts_with(r#"{"topic":"heartbeat""#));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(log(&one[0]), log(&other[0]));

    let mut out = Vec::new();
    let output = Output { json: true, ..Output::default() };
    let source = Source::Bus { connector: Arc::clone(&bus), test_id: "t".to_owned() };
    assert_eq!(run(&Settings { source, output: output.clone() }, &mut out), 0);
    assert_eq!(String::from_utf8(out).expect("text"), read(&one[0], "summary.json"));
    let source = Source::Bus { connector: bus, test_id: "unknown".to_owned() };
    assert_eq!(run(&Settings { source, output }, &mut Vec::new()), 1);
}
