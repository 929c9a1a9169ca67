//! Every family, its help and its samples.

use super::exposition::{Exposition, Kind};
use super::figures::{Scrape, TestFigures};
use super::named;
use crate::stats::histogram::Cumulative;
use crate::stats::states::RunState;

/// The states of a test.
const STATES: [RunState; 6] = [
    RunState::Ready,
    RunState::Running,
    RunState::Finishing,
    RunState::Completed,
    RunState::Aborted,
    RunState::Failed,
];
/// The states of a node.
const PRESENCES: [&str; 4] = ["alive", "dead", "left", "silent"];

/// The whole document.
pub fn render(scrape: &Scrape) -> String {
    let mut out = Exposition::default();
    fleet(&mut out, scrape);
    let tests = &scrape.tests;
    states(&mut out, tests);
    counts(&mut out, tests);
    drivers(&mut out, tests);
    times(
        &mut out,
        tests,
        "floodgate_latency_seconds",
        "Time from the planned start of a request to the last byte of its response, over the fleet. A bucket \
         may also count values up to 0.1 % above its bound.",
        |test| &test.latency,
    );
    times(
        &mut out,
        tests,
        "floodgate_lag_seconds",
        "Delay between the moment when a request could have been sent and its send: the generator's own \
         delay. A bucket may also count values up to 0.1 % above its bound.",
        |test| &test.lag,
    );
    named::families(&mut out, tests);
    out.end()
}

fn fleet(out: &mut Exposition, scrape: &Scrape) {
    let build = [("version", env!("CARGO_PKG_VERSION"))];
    let help = "The version of the orchestrator; always 1.";
    out.family("floodgate_build_info", Kind::Gauge, help).add(&build, 1.0);
    let mut family = out.family("floodgate_drivers", Kind::Gauge, "Registered drivers by state.");
    for presence in PRESENCES {
        let count = scrape.fleet.iter().filter(|row| row.state == presence).count();
        family.add(&[("state", presence)], count as f64);
    }
    let mut family = out.family(
        "floodgate_driver_last_seen_timestamp_seconds",
        Kind::Gauge,
        "When a driver was last heard from, in s since 1970.",
    );
    for row in &scrape.fleet {
        if let Some(ago_ms) = row.last_seen_ms {
            family.add(&[("driver", &row.node_id)], scrape.now_s - ago_ms as f64 / 1_000.0);
        }
    }
    let mut family = out.family(
        "floodgate_driver_clock_offset_seconds",
        Kind::Gauge,
        "Kafka's clock minus the driver's clock; absent if unknown.",
    );
    for row in &scrape.fleet {
        if let Some(offset_ms) = row.clock_offset_ms {
            family.add(&[("driver", &row.node_id)], offset_ms / 1_000.0);
        }
    }
}

fn states(out: &mut Exposition, tests: &[TestFigures]) {
    let mut family = out.family("floodgate_test_info", Kind::Gauge, "A test and its type; always 1.");
    for test in tests {
        family.add(&[("test_id", &test.test_id), ("test_type", test.test_type)], 1.0);
    }
    let mut family =
        out.family("floodgate_test_state", Kind::Gauge, "1 for the state that the test is in, else 0.");
    for test in tests {
        for state in STATES {
            let is_in = f64::from(u8::from(test.state == state));
            family.add(&[("test_id", &test.test_id), ("state", state.as_str())], is_in);
        }
    }
    let starts = "When the test started, in s since 1970 by Kafka's clock; 0 before that.";
    each(out, tests, "floodgate_test_start_timestamp_seconds", Kind::Gauge, starts, |test| test.start_s);
    let ends = "When the test ended, in s since 1970 by Kafka's clock; 0 before that.";
    each(out, tests, "floodgate_test_end_timestamp_seconds", Kind::Gauge, ends, |test| test.end_s);
    let mut family = out.family(
        "floodgate_threshold_passed",
        Kind::Gauge,
        "1 unless the condition under which the test fails is true.",
    );
    for test in tests {
        for (expression, passed) in &test.thresholds {
            let labels = [("test_id", test.test_id.as_str()), ("expression", expression)];
            family.add(&labels, f64::from(u8::from(*passed)));
        }
    }
    let missing = "Numbered reports that never arrived; known at the end.";
    each(out, tests, "floodgate_reports_missing", Kind::Gauge, missing, |test| test.reports_missing as f64);
}

fn counts(out: &mut Exposition, tests: &[TestFigures]) {
    type Read = fn(&TestFigures) -> u64;
    let all: [(&'static str, &str, Read); 6] = [
        (
            "floodgate_requests_planned_total",
            "Requests that the drivers' schedules planned so far.",
            |test| test.planned,
        ),
        ("floodgate_requests_sent_total", "Requests that were sent.", |test| test.sent),
        (
            "floodgate_requests_queued_total",
            "Sent requests that had to wait for a free connection.",
            |test| test.queued,
        ),
        (
            "floodgate_requests_never_sent_total",
            "Planned requests that were given up before they were sent; known at the end.",
            |test| test.never_sent,
        ),
        ("floodgate_failed_checks_total", "Responses that failed a check of their request.", |test| {
            test.failed_checks
        }),
        ("floodgate_received_bytes_total", "Bytes of all responses.", |test| test.received_bytes),
    ];
    for (name, help, read) in all {
        each(out, tests, name, Kind::Counter, help, |test| read(test) as f64);
    }
}

/// A family with one sample for each test.
fn each(
    out: &mut Exposition,
    tests: &[TestFigures],
    name: &'static str,
    kind: Kind,
    help: &str,
    read: impl Fn(&TestFigures) -> f64,
) {
    let mut family = out.family(name, kind, help);
    for test in tests {
        family.add(&[("test_id", &test.test_id)], read(test));
    }
}

fn drivers(out: &mut Exposition, tests: &[TestFigures]) {
    let all = || {
        tests.iter().flat_map(|test| {
            let named = test.drivers.iter();
            named.map(|(name, driver)| (test.test_id.as_str(), name.as_str(), driver))
        })
    };
    let help = "Complete responses by status.";
    let mut family = out.family("floodgate_responses_total", Kind::Counter, help);
    for (test_id, name, driver) in all() {
        for (code, n) in &driver.responses {
            family.add(&[("test_id", test_id), ("driver", name), ("code", code)], *n as f64);
        }
    }
    let help = "Requests without a complete response by kind of error.";
    let mut family = out.family("floodgate_request_errors_total", Kind::Counter, help);
    for (test_id, name, driver) in all() {
        for (kind, n) in &driver.errors {
            family.add(&[("test_id", test_id), ("driver", name), ("kind", kind)], *n as f64);
        }
    }
    let help = "Share of the time since the start in which a driver's workers had work to do; near 1 the \
                generator is saturated.";
    let mut family = out.family("floodgate_driver_busy_ratio", Kind::Gauge, help);
    for (test_id, name, driver) in all() {
        family.add(&[("test_id", test_id), ("driver", name)], driver.busy);
    }
}

fn times(
    out: &mut Exposition,
    tests: &[TestFigures],
    name: &'static str,
    help: &str,
    read: fn(&TestFigures) -> &Cumulative,
) {
    let mut family = out.family(name, Kind::Histogram, help);
    for test in tests {
        family.times(&[("test_id", &test.test_id)], read(test));
    }
}
