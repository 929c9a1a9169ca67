//! Orchestrators and drivers that are killed with SIGKILL at any moment, and brokers that restart meanwhile.

use super::process::{Process, wait};
use super::{System, assert_exact, on_both};
use crate::raw_http;
use crate::support::kafka;
use floodgate::clock;
use floodgate::stats::summary::Summary;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

on_both!(
    an_orchestrator_killed_before_its_drivers_are_ready,
    an_orchestrator_killed_before_the_trigger,
    an_orchestrator_killed_in_mid_run,
    an_orchestrator_killed_while_the_run_finishes,
    an_orchestrator_killed_after_the_end,
    a_killed_driver_is_shown_within_five_seconds_and_makes_the_exit_code_four,
    orchestrator_and_driver_killed_and_the_broker_restarted,
    a_driver_stopped_for_ten_seconds_comes_back,
);

/// 50 requests a second from each driver.
fn plan(test_id: &str, seconds: u64) -> Value {
    json!({"test_id": test_id, "test_type": "TSUNAMI", "test_message_delay": 20, "timeout_ms": 2_000,
        "duration_ms": seconds * 1_000})
}

/// A system with three drivers and a second orchestrator that follows the same log all the time.
struct Observed {
    system: System,
    drivers: Vec<Process>,
    _beside: Process,
    beside: SocketAddr,
}

impl Observed {
    fn start(broker: &str, case: &str) -> Observed {
        let system = System::start(broker, case);
        let drivers = ["d1", "d2", "d3"].map(|name| system.driver(name)).into_iter().collect();
        let (beside, addr) = system.orchestrator();
        system.wait_alive(&["d1", "d2", "d3"]);
        Observed { system, drivers, _beside: beside, beside: addr }
    }

    /// Kills the orchestrator and starts another one in its place.
    fn replace_orchestrator(&mut self) {
        self.system.orchestrator.signal(Signal::KILL);
        let (new, addr) = self.system.orchestrator();
        std::mem::replace(&mut self.system.orchestrator, new).kill();
        self.system.addr = addr;
    }

    /// The result, after checking that both orchestrators show it in the same bytes and that each driver
    /// counted what they say.
    fn result(&self, state: &str) -> Summary {
        let summary = self.system.wait_over("t", state);
        let bytes = |addr| {
            let shown: Value = serde_json::from_str(&raw_http::get(addr, "/dashboard").body).expect("JSON");
            Some(shown["test"].to_string()).filter(|_| shown["test"]["state"] == state)
        };
        let ours = bytes(self.system.addr).expect("over");
        let theirs = wait("the other orchestrator's result", String::new, || bytes(self.beside));
        assert_eq!(ours, theirs);
        self.assert_replayed();
        summary
    }

    /// The topics alone give the same bytes.
    fn assert_replayed(&self) {
        let (broker, prefix) = (&self.system.broker, &self.system.prefix);
        let words = ["replay", "--kafka", broker, "--topic-prefix", prefix, "--test-id", "t", "--json"];
        let replayed = Process::start("replay", "floodgate", &words, &[]).end();
        let shown = raw_http::get(self.system.addr, "/tests/t").body;
        assert_eq!(replayed.printed.trim_end(), shown.trim_end(), "{}", replayed.said);
    }

    fn assert_own_counts(&self, summary: &Summary) {
        for (driver, row) in self.drivers.iter().zip(&summary.drivers) {
            let sent = format!("ended: {} requests sent", row.stats.requests);
            assert!(driver.said().contains(&sent), "{}: {sent}; {}", row.node_id, driver.said());
        }
    }

    fn assert_whole(&self) {
        let summary = self.result("completed");
        assert_exact(&summary, 600);
        assert_eq!(self.system.target_count(), 600);
        self.assert_own_counts(&summary);
    }
}

fn an_orchestrator_killed_before_its_drivers_are_ready(version: &str) {
    let _peace = kafka::in_peace();
    let mut observed = Observed::start(&kafka::broker(version), "beforehand");
    observed.drivers[0].signal(Signal::STOP);
    observed.system.configure(&plan("t", 4));
    observed.replace_orchestrator();
    observed.drivers[0].signal(Signal::CONT);
    observed.assert_whole();
}

fn an_orchestrator_killed_before_the_trigger(version: &str) {
    let _peace = kafka::in_peace();
    let mut observed = Observed::start(&kafka::broker(version), "untriggered");
    observed.system.configure(&plan("t", 4));
    observed.replace_orchestrator();
    observed.assert_whole();
}

fn an_orchestrator_killed_in_mid_run(version: &str) {
    let _peace = kafka::in_peace();
    let mut observed = Observed::start(&kafka::broker(version), "midrun");
    observed.system.configure(&plan("t", 4));
    observed.system.wait_second("t", 2);
    observed.replace_orchestrator();
    observed.assert_whole();
}

fn an_orchestrator_killed_while_the_run_finishes(version: &str) {
    let _peace = kafka::in_peace();
    let mut observed = Observed::start(&kafka::broker(version), "finishing");
    let mut patient = plan("t", 4);
    patient["timeout_ms"] = json!(15_000);
    observed.system.configure(&patient);
    observed.system.wait_second("t", 2);
    // One driver cannot report, so the run waits for it.
    observed.drivers[2].signal(Signal::STOP);
    let is_finishing = || observed.system.test("t").filter(|summary| summary.state == "finishing");
    wait("finishing", String::new, is_finishing);
    observed.replace_orchestrator();
    observed.drivers[2].signal(Signal::CONT);
    let summary = observed.result("completed");
    assert_exact(&summary, 600);
    observed.assert_own_counts(&summary);
}

fn an_orchestrator_killed_after_the_end(version: &str) {
    let _peace = kafka::in_peace();
    let mut observed = Observed::start(&kafka::broker(version), "afterwards");
    observed.system.configure(&plan("t", 4));
    observed.system.wait_over("t", "completed");
    observed.replace_orchestrator();
    observed.assert_whole();
}

fn a_killed_driver_is_shown_within_five_seconds_and_makes_the_exit_code_four(version: &str) {
    let _peace = kafka::in_peace();
    let mut observed = Observed::start(&kafka::broker(version), "exit4");
    let url = format!("http://{}", observed.system.addr);
    let words = ["run", "--orchestrator", &url, "--url", &observed.system.url(), "--rate", "300"];
    let words = [&words[..], &["--duration", "12s", "--timeout", "2s"]].concat();
    let mut run = Process::start("run", "floodgate", &words, &[]);
    run.line("2 s");
    let killed_ns = clock::now_ns();
    observed.drivers.remove(1).kill();
    let lost = |s: &Summary| s.drivers.iter().any(|row| row.node_id == "d2" && row.state == "lost");
    wait("d2 lost", String::new, || observed.system.dashboard().test.filter(lost));
    let seconds = (clock::now_ns() - killed_ns) as f64 / 1e9;
    assert!(seconds <= 5.0, "shown after {seconds} s");
    let ended = run.end();
    assert_eq!(ended.code, Some(4), "{} {}", ended.printed, ended.said);
    let said = "of the plan was not sent (";
    assert!(
        ended.printed.contains("Driver d2 was lost") && ended.printed.contains(said),
        "{}",
        ended.printed
    );
}

fn orchestrator_and_driver_killed_and_the_broker_restarted(version: &str) {
    let broker = kafka::Victim::of(version);
    let mut observed = Observed::start(broker.address(), "everything");
    observed.system.configure(&plan("t", 20));
    observed.system.wait_second("t", 2);
    observed.system.orchestrator.signal(Signal::KILL);
    observed.drivers.remove(1).kill();
    broker.stop();
    clock::sleep(Duration::from_secs(2));
    broker.start();
    observed.replace_orchestrator();
    let summary = observed.result("completed");
    let states = summary.drivers.iter().map(|row| row.state.as_str()).collect::<Vec<_>>();
    assert_eq!(states, ["done", "lost", "done"], "{:#?}", summary.verdict);
    let counts = &summary.conservation;
    assert_eq!(counts.planned, 3_000, "{counts:?}");
    assert_eq!((summary.drivers[0].stats.requests, summary.drivers[2].stats.requests), (1_000, 1_000));
    assert_eq!(counts.lost, 1_000 - summary.drivers[1].stats.requests, "{counts:?}");
    assert_eq!(counts.reports_missing, 0);
}

fn a_driver_stopped_for_ten_seconds_comes_back(version: &str) {
    let _peace = kafka::in_peace();
    let observed = Observed::start(&kafka::broker(version), "stopped");
    observed.system.configure(&plan("t", 20));
    observed.system.wait_second("t", 2);
    observed.drivers[0].signal(Signal::STOP);
    clock::sleep(Duration::from_secs(10));
    observed.drivers[0].signal(Signal::CONT);
    let summary = observed.result("completed");
    assert_exact(&summary, 3_000);
    observed.assert_own_counts(&summary);
}
