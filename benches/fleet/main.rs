//! What a large fleet costs its orchestrator: `just bench-fleet 10 100 1000`.
//!
//! For each size, a real orchestrator process runs one test on a real broker with that many drivers, which
//! one process simulates: they register, send a heartbeat every second, follow the plan and the trigger, and
//! report twice a second and once at the end, with histograms like those of 250 requests/s each. Meanwhile,
//! `/dashboard` is read every second.

mod drivers;
mod orchestrator;
mod producer;
mod story;

use drivers::Fleet;
use floodgate::clock;
use floodgate::stats::summary::Summary;
use orchestrator::{Looks, Orchestrator};
use std::time::Duration;

/// Length of each test.
pub const SECONDS: u64 = 20;
const USAGE: &str = "usage: bench-fleet [--orchestrator PROGRAM] [DRIVERS…], with FLOODGATE_KAFKA=HOST:PORT; \
    scripts/kafka start 4.3.0 9092 starts a broker on 127.0.0.1:9092";

/// What one size cost.
struct Cost {
    drivers: usize,
    reports_per_s: f64,
    report_bytes: usize,
    cpu_percent: f64,
    peak_mb: f64,
    looks: Looks,
    wrong: Vec<String>,
}

fn main() {
    if let Err(error) = bench() {
        eprintln!("bench: {error}");
        std::process::exit(1);
    }
}

fn bench() -> Result<(), String> {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench").peekable();
    let mut program = env!("CARGO_BIN_EXE_floodgate-orchestrator").to_owned();
    if words.next_if(|word| word == "--orchestrator").is_some() {
        program = words.next().ok_or(USAGE)?;
    }
    let sizes: Vec<usize> = words.map(|word| word.parse().map_err(|_| USAGE)).collect::<Result<_, _>>()?;
    let sizes = if sizes.is_empty() { vec![10, 100, 1_000] } else { sizes };
    let kafka = std::env::var("FLOODGATE_KAFKA").map_err(|_| USAGE)?;
    println!("drivers  reports/s  bytes/report  CPU of a core  peak memory  /dashboard median   max  totals");
    let mut wrong = Vec::new();
    for drivers in sizes {
        let cost = measure(&program, &kafka, drivers)?;
        println!("{}", row(&cost));
        cost.wrong.iter().for_each(|text| eprintln!("{text}"));
        wrong.extend(cost.wrong);
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{} totals are wrong", wrong.len())) }
}

fn row(cost: &Cost) -> String {
    format!(
        "{:>7} {:>10.0} {:>13} {:>13.1}% {:>9.1} MB {:>15.1} ms {:>5.1}  {}",
        cost.drivers,
        cost.reports_per_s,
        cost.report_bytes,
        cost.cpu_percent,
        cost.peak_mb,
        cost.looks.median_ms(),
        cost.looks.max_ms(),
        if cost.wrong.is_empty() { "right" } else { "wrong" },
    )
}

fn measure(program: &str, kafka: &str, drivers: usize) -> Result<Cost, String> {
    let prefix = format!("bench-{}-{drivers}-", clock::wall_ms(clock::now_ns()) as u64);
    let orchestrator = Orchestrator::start(program, kafka, &prefix)?;
    let mut fleet = Fleet::join(kafka, &prefix, drivers)?;
    fleet.until("all drivers are alive", || orchestrator.alive().map(|alive| alive == drivers))?;
    orchestrator.configure()?;
    fleet.until_started()?;
    let (begun_ns, cpu_s) = (clock::now_ns(), orchestrator.cpu_s()?);
    let looks = orchestrator.look(Duration::from_secs(SECONDS));
    fleet.run()?;
    let looks = looks.join().map_err(|_| "the reader of /dashboard panicked")??;
    let lasted_s = (clock::now_ns() - begun_ns) as f64 / 1e9;
    let cpu_percent = (orchestrator.cpu_s()? - cpu_s) / lasted_s * 100.0;
    let mut result = None;
    fleet.until("the test is over", || {
        result = orchestrator.result()?;
        Ok(result.as_ref().is_some_and(|summary| summary.state.is_over()))
    })?;
    Ok(Cost {
        drivers,
        reports_per_s: fleet.reports() as f64 / lasted_s,
        report_bytes: fleet.report_bytes(),
        cpu_percent,
        peak_mb: orchestrator.peak_mb()?,
        looks,
        wrong: result.map_or_else(Vec::new, |summary| differences(&summary, &fleet)),
    })
}

/// In what the result differs from what the drivers reported.
fn differences(summary: &Summary, fleet: &Fleet) -> Vec<String> {
    let (counts, latency) = fleet.totals();
    let (found, total) = (&summary.conservation, &summary.total);
    let in_seconds: u64 = summary.series.iter().map(|point| point.requests).sum();
    let complete = summary.series.iter().filter(|point| point.complete).count() as u64;
    let checks = [
        ("requests", found.sent, counts.sent),
        ("responses", found.responses, counts.responses),
        ("errors", found.errors, counts.errors_total()),
        ("requests in all seconds", in_seconds, counts.sent),
        ("complete seconds", complete, SECONDS),
        ("missing reports", found.reports_missing, 0),
        ("drivers", summary.drivers.len() as u64, fleet.len() as u64),
    ];
    let wrong = checks.iter().filter(|(_, found, expected)| found != expected);
    let mut wrong: Vec<String> = wrong
        .map(|(what, found, expected)| format!("{} drivers: {found} {what}, not {expected}", fleet.len()))
        .collect();
    if total.latency_ms != latency.distribution() {
        wrong.push(format!("latency {:?}, not {:?}", total.latency_ms, latency.distribution()));
    }
    wrong
}
