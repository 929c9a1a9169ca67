//! A broker that stops or hangs while the gate is open does not affect the load.

use super::{System, assert_exact, on_both};
use crate::support::kafka::Victim;
use floodgate::clock;
use floodgate::stats::summary::Summary;
use serde_json::json;
use std::time::Duration;

on_both!(a_broker_is_stopped_for_six_seconds, a_broker_hangs_for_six_seconds);

const AWAY: Duration = Duration::from_secs(6);
/// Requests per second: two drivers send one request each every 20 ms.
const PER_SECOND: u64 = 100;

fn a_broker_is_stopped_for_six_seconds(version: &str) {
    // A broker takes up to 20 s to start on a busy host.
    through(version, "stopped", 40, |victim| {
        victim.stop();
        clock::sleep(AWAY);
        victim.start();
    });
}

fn a_broker_hangs_for_six_seconds(version: &str) {
    through(version, "frozen", 14, |victim| {
        victim.freeze();
        clock::sleep(AWAY);
        victim.thaw();
    });
}

fn through(version: &str, case: &str, seconds: u64, disturb: impl FnOnce(&Victim)) {
    let victim = Victim::of(version);
    let system = System::start(victim.address(), case);
    let drivers = [system.driver("d1"), system.driver("d2")];
    system.wait_alive(&["d1", "d2"]);
    let plan = json!({"test_id": case, "test_type": "TSUNAMI", "test_message_delay": 20,
        "duration_ms": seconds * 1_000});
    system.configure(&plan);
    system.wait_second(case, 2);
    disturb(&victim);
    assert_eq!(system.test(case).expect("shown").state, "running", "the disturbance must end before the run");
    let summary = system.wait_over(case, "completed");
    assert_exact(&summary, seconds * PER_SECOND);
    assert_pace(&summary, seconds);
    let fleet = system.dashboard().fleet;
    assert!(fleet.iter().all(|row| row.state == "alive"), "{fleet:#?}");
    for driver in drivers {
        let ended = driver.terminate();
        assert_eq!(ended.code, Some(0), "{}", ended.said);
        assert!(ended.said.contains("can publish heartbeats again"), "{}", ended.said);
    }
}

/// Asserts that the requests were sent on schedule, second by second.
fn assert_pace(summary: &Summary, seconds: u64) {
    let text = format!("{:#?}\n{:#?}", summary.verdict, summary.total);
    let elapsed_s = summary.total.elapsed_s;
    assert!((elapsed_s - seconds as f64).abs() <= 0.02 * seconds as f64, "{elapsed_s} s: {text}");
    let lag = summary.total.lag_ms.as_ref().expect("lag");
    assert!(lag.p99 < 100.0, "lag of {} ms: {text}", lag.p99);
    assert!(summary.drivers.iter().all(|row| row.state == "done"), "{text}");
    assert!(!summary.verdict.iter().any(|line| line.contains("lost")), "{text}");
    assert_eq!(summary.series.iter().map(|point| point.requests).sum::<u64>(), seconds * PER_SECOND);
}
