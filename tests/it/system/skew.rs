//! How closely together the processes of a fleet start, over ten runs.

use super::process::wait;
use super::{System, assert_exact, on_both};
use crate::support::kafka;
use floodgate::bus::kafka::{KafkaConnector, KafkaSettings};
use floodgate::bus::{Bus, Connector, Start, Topic};
use floodgate::message::{Metrics, decode};
use serde_json::json;
use std::time::Duration;

on_both!(eight_drivers_start_simultaneously);

const DRIVERS: usize = 8;
const RUNS: usize = 10;
const DELAY_MS: f64 = 50.0;
/// Requests of each driver, which take 0.5 s.
const REQUESTS: u64 = 10;
/// Maximum allowed median over all runs, in ms.
const MEDIAN_MS: f64 = 5.0;

/// Start times of each driver in broker time, from its own final report.
struct Starts {
    origins_ms: Vec<f64>,
    /// First sends minus the phase of the driver's share.
    sends_ms: Vec<f64>,
}

fn spread(values: &[f64]) -> f64 {
    let fold = |f: fn(f64, f64) -> f64| values.iter().copied().reduce(f).expect("values");
    fold(f64::max) - fold(f64::min)
}

fn median_and_max(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    ((values[middle - 1] + values[middle]) / 2.0, values[values.len() - 1])
}

/// Reads the final reports of one test: driver `di` executes share i.
fn starts(bus: &mut dyn Bus, test_id: &str) -> Starts {
    let mut found: [Option<(f64, f64)>; DRIVERS] = [None; DRIVERS];
    wait("final reports", String::new, || {
        for record in bus.poll(Duration::from_millis(500)).expect("poll") {
            // The END stands among the reports.
            let Ok(report) = decode::<Metrics>(&record.value) else { continue };
            if report.is_final && report.test_id == test_id {
                let i: usize = report.node_id[1..].parse().expect("a number");
                found[i] = report.origin_ms.zip(report.first_send_ms);
            }
        }
        found.iter().all(Option::is_some).then_some(())
    });
    let phase_ms = |i: usize| i as f64 * DELAY_MS / DRIVERS as f64;
    let found: Vec<(f64, f64)> = found.into_iter().flatten().collect();
    Starts {
        origins_ms: found.iter().map(|(origin, _)| *origin).collect(),
        sends_ms: found.iter().enumerate().map(|(i, (_, sent))| sent - phase_ms(i)).collect(),
    }
}

fn eight_drivers_start_simultaneously(version: &str) {
    // No other test uses the brokers at the same time.
    let victim = kafka::Victim::of(version);
    let system = System::start(victim.address(), "skew");
    let names: Vec<String> = (0..DRIVERS).map(|i| format!("d{i}")).collect();
    let _drivers: Vec<_> = names.iter().map(|name| system.driver(name)).collect();
    system.wait_alive(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let settings = KafkaSettings {
        topic_prefix: system.prefix.clone(),
        ..KafkaSettings::new(vec![system.broker.clone()])
    };
    let mut bus = KafkaConnector::new(settings).expect("settings").open();
    bus.subscribe(Topic::Metrics, Start::End, Duration::from_secs(10)).expect("subscribe");
    let mut table = format!("Kafka {version}, {DRIVERS} driver processes, TSUNAMI {DELAY_MS} ms\n");
    table +=
        "run  skew of origins/ms  of first sends - phase in ms  shown/ms  first send after the gate/ms\n";
    let (mut origins, mut sends) = (Vec::new(), Vec::new());
    for run in 1..=RUNS {
        let test_id = format!("run-{run}");
        system.configure(&json!({"test_id": test_id, "test_type": "TSUNAMI", "test_message_delay": DELAY_MS,
            "message_count_per_driver": REQUESTS}));
        let summary = system.wait_over(&test_id, "completed");
        assert_exact(&summary, REQUESTS * DRIVERS as u64);
        let starts = starts(bus.as_mut(), &test_id);
        let (origin, send) = (spread(&starts.origins_ms), spread(&starts.sends_ms));
        let shown = summary.total.start_skew_ms.expect("the result contains the skew");
        // A driver's clock offset becomes more accurate with each report, so the two may differ slightly.
        assert!((shown - send).abs() < 1.0, "shown {shown}, {send} according to the reports");
        let late =
            starts.sends_ms.iter().copied().fold(f64::MIN, f64::max) - summary.started_at.expect("start");
        table += &format!("{run:3}  {origin:18.3}  {send:29.3}  {shown:8.3}  {late:28.3}\n");
        origins.push(origin);
        sends.push(send);
    }
    let (origin, origin_max) = median_and_max(origins);
    let (send, send_max) = median_and_max(sends);
    table += &format!("median {origin:16.3}  {send:29.3}\nmax    {origin_max:16.3}  {send_max:29.3}\n");
    println!("{table}");
    assert!(origin <= MEDIAN_MS && send <= MEDIAN_MS, "{table}");
}
