//! No coordinated omission: latency includes the wait that a user would have noticed, which a patient client
//! does not measure.
//!
//! Uses real sockets, a real target process and `floodgate run`. Exact figures are checked by the worker's
//! tests with a manual clock; here the bounds leave room for a busy machine.

use crate::support::process::{Running, addr_in, run, stderr, stdout};
use floodgate::stats::summary::Summary;
use floodgate::stats::verdict::{BUSY_SHARE, CPU_WAIT_SHARE};
use std::time::Duration;

fn target(more: &[&str]) -> (Running, String) {
    let words = [&["--listen", "127.0.0.1:0"], more].concat();
    let mut target = Running::start("floodgate-target", &words, &[]);
    let url = format!("http://{}/ping", addr_in(&target.line("ready")));
    (target, url)
}

fn summary(words: &[&str]) -> Summary {
    let output = run("floodgate", &[&["run", "--json"], words].concat(), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_str(&stdout(&output)).expect("one JSON document")
}

fn codes(summary: &Summary) -> Vec<&str> {
    summary.findings.iter().map(|finding| finding.code.as_str()).collect()
}

fn was_starved(summary: &Summary) -> bool {
    let total = &summary.total;
    total.cpu_wait.is_some_and(|share| share >= CPU_WAIT_SHARE)
        || total.busy.is_some_and(|share| share >= BUSY_SHARE)
}

#[test]
fn tsunami_keeps_its_gap_if_the_target_is_slower() {
    let (_target, url) = target(&["--delay", "30ms"]);
    let plan =
        ["--test-type", "tsunami", "--delay", "20ms", "--requests", "150", "--drivers", "1", "--url", &url];
    let summary = summary(&plan);
    assert_eq!((summary.total.requests, summary.total.responses, summary.total.queued), (150, 150, 0));
    let theory_s = (149.0 * 20.0 + 30.0) / 1_000.0;
    let elapsed_s = summary.total.elapsed_s;
    assert!((theory_s * 0.99..theory_s * 1.1).contains(&elapsed_s), "{elapsed_s} s, in theory {theory_s} s");
}

fn a_frozen_target_shows_in_the_latency(client: &str) {
    let (target, url) = target(&[]);
    let plan = ["--rate", "200", "--duration", "4s", "--drivers", "1", "--connections", "8"];
    let words = [&["run", "--json", "--client", client, "--url", &url], plan.as_slice()].concat();
    let mut floodgate = Running::start("floodgate", &words, &[]);
    // The first progress line is written in the middle of the run.
    floodgate.line("requests");
    target.signal("-STOP");
    floodgate::clock::sleep(Duration::from_secs(1));
    target.signal("-CONT");
    let (code, out) = floodgate.end();
    assert_eq!(code, Some(0));
    let summary: Summary = serde_json::from_str(&out).expect("one JSON document");
    let total = &summary.total;
    assert_eq!((total.requests, total.responses, summary.conservation.never_sent), (800, 800, 0));
    let latency = total.latency_ms.as_ref().expect("latency");
    let service = total.service_ms.as_ref().expect("service time");
    // A quarter of all requests were planned while the target was frozen for a second, evenly over that
    // second.
    assert!((900.0..1_600.0).contains(&latency.max), "max {}", latency.max);
    assert!(latency.p90 > 400.0, "p90 {}", latency.p90);
    assert!(service.p90 < 300.0, "a patient client does not notice it: {}", service.p90);
    assert!((150..=260).contains(&total.queued), "queued {}", total.queued);
    // On a busy machine the generator may be starved. Then nothing proves that the target was slow.
    let is_named = codes(&summary).contains(&"target_slow");
    assert!(is_named || was_starved(&summary), "{:?} {total:?}", summary.verdict);
    assert_eq!(
        codes(&summary).contains(&"generator_saturated"),
        was_starved(&summary),
        "{:?}",
        summary.verdict
    );
}

#[test]
fn a_frozen_target_shows_in_the_latency_of_native() {
    a_frozen_target_shows_in_the_latency("native");
}

#[test]
fn a_frozen_target_shows_in_the_latency_of_ureq() {
    a_frozen_target_shows_in_the_latency("ureq");
}

#[test]
fn a_target_that_is_too_slow_ends_the_run_in_time_and_is_named() {
    let (_target, url) = target(&["--delay", "500ms"]);
    let plan =
        ["--rate", "100", "--duration", "1s", "--drivers", "1", "--connections", "2", "--timeout", "1s"];
    let summary = summary(&[&["--url", &url], plan.as_slice()].concat());
    let counts = &summary.conservation;
    assert_eq!((counts.planned, counts.planned), (100, counts.sent + counts.never_sent));
    assert!(counts.never_sent > 80, "{counts:?}");
    assert!(summary.total.elapsed_s < 5.0, "{} s", summary.total.elapsed_s);
    assert!(codes(&summary).contains(&"never_sent"), "{:?}", summary.verdict);
    let named = summary.verdict.iter().any(|line| line.contains("target was slower"));
    assert!(named || was_starved(&summary), "{:?}", summary.verdict);
}

#[test]
fn warm_up_is_counted_separately() {
    let (_target, url) = target(&[]);
    let plan = ["--rate", "100", "--duration", "1s", "--warmup", "500ms"];
    let summary = summary(&[&["--url", &url], plan.as_slice()].concat());
    let counts = &summary.conservation;
    assert_eq!((counts.sent, counts.warmup_sent, counts.target_seen), (100, 50, Some(150)));
}
