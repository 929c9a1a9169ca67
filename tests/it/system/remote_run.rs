//! `floodgate run --orchestrator`: the same output and exit codes with a remote fleet.

use super::process::{Ended, Process};
use super::{System, assert_exact, on_both};
use crate::support::kafka;
use floodgate::stats::summary::Summary;
use rustix::process::Signal;
use serde_json::Value;

on_both!(
    a_remote_run_prints_one_json_document,
    totals_are_exact_over_any_number_of_drivers,
    ctrl_c_stops_the_fleet,
    changes_require_the_token
);

fn run(system: &System, words: &[&str]) -> Process {
    let url = format!("http://{}", system.addr);
    let own = ["run", "--orchestrator", &url, "--json"];
    Process::start("floodgate run", "floodgate", &[&own[..], words].concat(), &[])
}

/// The only document that was printed.
fn summary(ended: &Ended) -> Summary {
    let read = serde_json::from_str(&ended.printed);
    read.unwrap_or_else(|e| panic!("{e} in {:?}, with {}", ended.printed, ended.said))
}

fn a_remote_run_prints_one_json_document(version: &str) {
    let _peace = kafka::in_peace();
    let system = System::start(&kafka::broker(version), "remote");
    let early = run(&system, &["--requests", "10"]).end();
    assert_eq!(early.code, Some(1), "{}", early.said);
    assert!(early.said.contains("no driver is alive"), "{}", early.said);

    let (_one, _two) = (system.driver("d1"), system.driver("d2"));
    system.wait_alive(&["d1", "d2"]);
    let ended = run(&system, &["--delay", "10ms", "--requests", "300"]).end();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    let result = summary(&ended);
    assert_eq!((result.schema.as_str(), result.state.as_str()), ("floodgate.summary/1", "completed"));
    assert_exact(&result, 300);
    let printed: Value = serde_json::from_str(&ended.printed).expect("JSON");
    for part in ["test_id", "test_type", "plan", "started_at", "total", "drivers", "thresholds", "verdict"] {
        assert!(!printed[part].is_null(), "{part} of {printed}");
    }
    for figure in ["min", "mean", "median", "mode", "p90", "p95", "p99", "p999", "max", "stddev"] {
        assert!(printed["total"]["latency_ms"][figure].is_f64(), "{figure} of {printed}");
    }
    assert_eq!(system.test(&result.test_id), Some(result), "the dashboard shows the same");

    let strange = run(&system, &["--requests", "10", "--url", "http://192.0.2.1/"]).end();
    assert_eq!(strange.code, Some(1), "{}", strange.said);
    let refused = summary(&strange).verdict.join("\n");
    // The first refusal ends the test, no matter which driver it comes from.
    assert!(refused.contains(" refused the plan") && refused.contains("--allow-target"), "{refused}");
}

fn totals_are_exact_over_any_number_of_drivers(version: &str) {
    let _peace = kafka::in_peace();
    let system = System::start(&kafka::broker(version), "totals");
    let (mut drivers, mut names) = (Vec::new(), Vec::new());
    for count in [1, 2, 3, 7] {
        while drivers.len() < count {
            names.push(format!("d{}", drivers.len() + 1));
            drivers.push(system.driver(&names[drivers.len()]));
        }
        system.wait_alive(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let ended = run(&system, &["--rate", "1000", "--requests", "10000", "--connections", "10"]).end();
        assert_eq!(ended.code, Some(0), "{}", ended.said);
        assert_exact(&summary(&ended), 10_000);
    }
    let few = run(&system, &["--connections", "3", "--requests", "10"]).end();
    assert_eq!(few.code, Some(1), "{}", few.said);
    assert!(few.said.contains("3 cannot be split over 7 drivers"), "{}", few.said);
}

fn ctrl_c_stops_the_fleet(version: &str) {
    let _peace = kafka::in_peace();
    let system = System::start(&kafka::broker(version), "ctrl-c");
    let (_one, _two) = (system.driver("d1"), system.driver("d2"));
    system.wait_alive(&["d1", "d2"]);
    let running = run(&system, &["--delay", "10ms", "--duration", "600s"]);
    super::wait(
        "two seconds of load",
        || running.said(),
        || system.dashboard().test.filter(|test| test.series.len() >= 2),
    );
    running.signal(Signal::INT);
    let ended = running.end();
    assert_eq!(ended.code, Some(130), "{}", ended.said);
    let partial = summary(&ended);
    assert_eq!(partial.state, "aborted");
    assert!(partial.total.responses > 200, "{:?}", partial.total);
    assert!(partial.verdict.join("\n").contains("Ctrl-C"), "{:?}", partial.verdict);
    system.wait_activity("d1", "idle");
    system.wait_activity("d2", "idle");
    assert_eq!(system.target_count(), partial.conservation.target_seen.expect("seen"));
}

fn changes_require_the_token(version: &str) {
    let _peace = kafka::in_peace();
    let mut system = System::start(&kafka::broker(version), "token");
    let words = ["--kafka", &system.broker, "--listen", "127.0.0.1:0"];
    let variables = [("FLOODGATE_TOKEN", "secret"), ("FLOODGATE_TOPIC_PREFIX", &system.prefix)];
    let mut guarded = Process::start("guarded", "floodgate-orchestrator", &words, &variables);
    system.addr = super::addr_in(&guarded.line("ready"));
    let _one = system.driver("d1");
    system.wait_alive(&["d1"]);
    let without = run(&system, &["--requests", "10"]).end();
    assert_eq!(without.code, Some(1));
    assert!(without.said.contains("--token"), "{}", without.said);
    let with = run(&system, &["--requests", "10", "--token", "secret"]).end();
    assert_eq!(with.code, Some(0), "{}", with.said);
    assert_exact(&summary(&with), 10);
}
