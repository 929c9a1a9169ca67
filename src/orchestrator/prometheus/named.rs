//! The families of named requests. They have their own names: with those of the drivers, a sum over all
//! labels would count every request twice.

use super::exposition::{Exposition, Kind};
use super::figures::{NamedFigures, TestFigures};

/// Adds the families; nothing if no listed test has requests with names.
pub fn families(out: &mut Exposition, tests: &[TestFigures]) {
    let all = || {
        tests.iter().flat_map(|test| {
            let named = test.requests.iter();
            named.map(|(name, figures)| ([("test_id", test.test_id.as_str()), ("name", name)], figures))
        })
    };
    if all().next().is_none() {
        return;
    }
    let help = "Requests with this name that were sent.";
    let mut family = out.family("floodgate_named_requests_sent_total", Kind::Counter, help);
    all().for_each(|(labels, figures)| family.add(&labels, figures.sent as f64));
    let help = "Complete responses to requests with this name by status.";
    let mut family = out.family("floodgate_named_responses_total", Kind::Counter, help);
    for (labels, NamedFigures { outcomes, .. }) in all() {
        for (code, n) in &outcomes.responses {
            family.add(&[&labels[..], &[("code", code)]].concat(), *n as f64);
        }
    }
    let help = "Requests with this name without a complete response by kind of error.";
    let mut family = out.family("floodgate_named_request_errors_total", Kind::Counter, help);
    for (labels, NamedFigures { outcomes, .. }) in all() {
        for (kind, n) in &outcomes.errors {
            family.add(&[&labels[..], &[("kind", kind)]].concat(), *n as f64);
        }
    }
    let help = "Responses to requests with this name that failed a check.";
    let mut family = out.family("floodgate_named_failed_checks_total", Kind::Counter, help);
    all().for_each(|(labels, figures)| family.add(&labels, figures.failed_checks as f64));
    let help = "Time from the planned start of a request with this name to the last byte of its response, \
                over the fleet.";
    let mut family = out.family("floodgate_named_latency_seconds", Kind::Histogram, help);
    all().for_each(|(labels, figures)| family.times(&labels, &figures.latency));
}
