use super::*;
use crate::stats::causes::{ErrorSample, NO_PORT, UNTRUSTED};
use crate::stats::distribution::Distribution;
use crate::stats::generator::Generator;
use std::collections::BTreeMap;

mod bottleneck;

fn kept() -> Facts {
    Facts {
        finished: true,
        planned: 20_000,
        sent: 20_000,
        responses: 20_000,
        status: BTreeMap::from([("200".to_owned(), 20_000)]),
        lag: Some(lag(0.1)),
        generator: Generator {
            busy: Some(0.4),
            cpu_wait: Some(0.01),
            worker_s: 20.0,
            ..Generator::default()
        },
        latency_p99_ms: Some(2.0),
        rates_rps: Some((1_000.0, 1_000.0)),
        ..Facts::default()
    }
}

/// A lag distribution whose p99 and maximum are `p99_ms`.
fn lag(p99_ms: f64) -> Distribution {
    let low = 0.001;
    Distribution {
        min: low,
        mean: low,
        median: low,
        mode: low,
        p90: low,
        p95: low,
        p99: p99_ms,
        p999: p99_ms,
        max: p99_ms,
        stddev: low,
    }
}

fn verdict(facts: &Facts) -> Vec<String> {
    super::verdict(&findings(facts))
}

fn codes(facts: &Facts) -> Vec<String> {
    findings(facts).into_iter().map(|finding| finding.code).collect()
}

fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
}

#[test]
fn a_met_schedule_is_one_line() {
    assert_eq!(verdict(&kept()), ["OK: schedule met, no errors."]);
    let running = Facts { finished: false, ..kept() };
    assert_eq!(verdict(&running), ["OK so far: schedule met, no errors."]);
}

#[test]
fn failed_checks_are_a_warning_with_the_most_frequent_ones_first() {
    let checked = Facts { has_checks: true, ..kept() };
    assert_eq!(verdict(&checked), ["OK: schedule met, no errors, no failed checks."]);
    let checks: Vec<_> = (1..=7).map(|n| (format!("order check {n}"), 10 * n)).collect();
    let failed = Facts { failed_checks: 200, checks, ..checked };
    let said = "200 of 20,000 responses (1.0 %) failed a check";
    let named = "order check 7 (70), order check 6 (60), order check 5 (50), order check 4 (40), \
                 order check 3 (30), 2 more";
    assert_eq!(verdict(&failed), [format!("{said}: {named}.")]);
    assert_eq!(codes(&failed), ["failed_checks"]);
    let cut = Facts { truncated_checks: 1_200, checks: vec![], ..failed };
    let why = "because only the first bytes of their body are kept for checks: raise capture_bytes";
    assert_eq!(verdict(&cut), [format!("{said}. 1,200 of them did {why}.")]);
}

#[test]
fn a_missed_rate_is_reported_from_one_percent() {
    let rate = |sent| verdict(&Facts { rates_rps: Some((1_000.0, sent)), ..kept() });
    assert!(rate(990.0)[0].starts_with("OK"));
    assert!(rate(989.9)[0].contains("990/s were sent, 1,000/s were planned (99.0 %)"), "{:?}", rate(989.9));
    let mine = Facts { rates_rps: Some((1_000.0, 900.0)), lag: Some(lag(50.0)), ..kept() };
    assert_eq!(verdict(&mine).len(), 1, "a generator that lags takes the blame alone");
    assert!(verdict(&mine)[0].starts_with("The generator"));
    let stopped =
        Facts { rates_rps: Some((1_000.0, 500.0)), stopped: Some("by its user".to_owned()), ..kept() };
    assert_eq!(verdict(&stopped), ["The test was stopped early: by its user"]);
    let told = |n, all| verdict(&Facts { confirmed: Some((n, all)), ..stopped.clone() }).swap_remove(0);
    assert_eq!(told(3, 3), "The test was stopped early: by its user. All 3 drivers stopped and reported.");
    assert_eq!(told(1, 1), "The test was stopped early: by its user. Its driver stopped and reported.");
    assert!(
        told(2, 3).ends_with("Only 2 of 3 drivers stopped and reported; the others may still be sending.")
    );
}

#[test]
fn what_was_never_sent_comes_before_what_queued() {
    let facts = Facts {
        never_sent: 1_000,
        sent: 19_000,
        queued: 15,
        errors: counts(&[("timeout", 10)]),
        rates_rps: Some((1_000.0, 900.0)),
        ..kept()
    };
    let lines = verdict(&facts);
    assert!(lines[0].starts_with("Errors: 10 of 19,000"), "{lines:?}");
    assert!(lines[1].contains("1,000 of 20,000 planned requests (5.0 %) were never sent"), "{lines:?}");
    assert!(lines[1].starts_with("The target was slower than the plan"));
    assert!(lines[2].starts_with("Note: 15 of 19,000"), "{lines:?}");
    assert_eq!(lines.len(), 3);
    let stopped = verdict(&Facts { stopped: Some("Ctrl-C".to_owned()), queued: 0, ..facts });
    assert!(!stopped.iter().any(|line| line.contains("The target")), "{stopped:?}");
}

#[test]
fn errors_are_listed_by_kind_with_shares() {
    let facts = Facts { errors: counts(&[("closed", 20), ("timeout", 100), ("dns", 0)]), ..kept() };
    assert_eq!(
        verdict(&facts),
        ["Errors: 120 of 20,000 requests (0.6 %) failed: timeout 100 (0.5 %), closed 20 (0.1 %)."]
    );
    let statuses = Facts { status: counts(&[("200", 19_000), ("404", 600), ("503", 400)]), ..kept() };
    assert_eq!(
        verdict(&statuses),
        ["1,000 of 20,000 responses (5.0 %) had an error status: 404 600 (3.0 %), 503 400 (2.0 %)."]
    );
}

#[test]
fn nothing_reached_the_server_only_if_no_connection_was_ever_established() {
    let unreached =
        Facts { responses: 0, status: counts(&[]), errors: counts(&[("connect", 20_000)]), ..kept() };
    assert_eq!(
        verdict(&unreached),
        [
            "Could not connect to the target: all requests failed before a connection was established (20,000 of \
          20,000); check the address and that the server is running."
        ]
    );
    let refused = Facts {
        target: Some("10.0.0.1:80".to_owned()),
        causes: vec![cause("connect", "connection refused", 20_000)],
        ..unreached.clone()
    };
    assert!(
        verdict(&refused)[0].starts_with("Could not connect to 10.0.0.1:80: connection refused (20,000 of"),
        "{:?}",
        verdict(&refused)
    );
    let mixed = Facts { errors: counts(&[("connect", 19_000), ("dns", 1_000)]), ..refused };
    assert!(verdict(&mixed)[1].starts_with("Errors: 20,000"), "several kinds are listed");
    let some = Facts { errors: counts(&[("connect", 19_999), ("timeout", 1)]), ..unreached.clone() };
    assert!(!verdict(&some)[0].contains("Could not"));
    let answered = Facts { responses: 1, ..unreached };
    assert!(!verdict(&answered)[0].contains("Could not"));
}

#[test]
fn if_some_connections_failed_the_drivers_host_is_a_possible_cause() {
    let hint = |facts: &Facts| {
        verdict(facts).iter().any(|line| line.contains("ran out of ports or file descriptors"))
    };
    let some = Facts { errors: counts(&[("connect", 100)]), ..kept() };
    assert!(hint(&some), "{:?}", verdict(&some));
    assert!(!hint(&Facts { errors: counts(&[("connect", 0), ("timeout", 100)]), ..kept() }));
    // Without any connection, the verdict says that instead.
    assert!(!hint(&Facts { responses: 0, errors: counts(&[("connect", 20_000)]), ..kept() }));
}

#[test]
fn drivers_are_named() {
    let facts = Facts {
        lost: vec![lost("a", Some(6_260))],
        behind: vec![("b".to_owned(), "did not finish in time".to_owned())],
        late: vec![("c".to_owned(), 120.0)],
        original: vec!["old".to_owned()],
        ..kept()
    };
    let lines = verdict(&facts);
    assert_eq!(
        lines[0],
        "Driver a was lost after 12.4 s: 31.3 % of the plan was not sent (6,260 of 20,000 requests), \
         because it was silent for 5 s."
    );
    assert_eq!(lines[1], "Driver b fell behind: did not finish in time.");
    assert_eq!(lines[2], "Driver c started 120 ms after the gate opened.");
    assert!(lines[3].ends_with("left out of the merged figures: old."));
    assert_eq!(lines.len(), 4);
}

#[test]
fn many_drivers_are_counted_beyond_the_first() {
    let name = |n: usize| format!("d{n}");
    let facts = Facts {
        lost: (0..1_000).map(|n| lost(&name(n), Some(1))).collect(),
        behind: (0..30).map(|n| (name(n), "did not finish in time".to_owned())).collect(),
        late: (0..MOST_NAMES).map(|n| (name(n), 120.0)).collect(),
        ..kept()
    };
    let lines = verdict(&facts);
    assert_eq!(lines.len(), 3 * MOST_NAMES + 2);
    assert_eq!(lines[MOST_NAMES], "… and 980 more drivers were lost or sent no final report.");
    assert_eq!(lines.last().map(String::as_str), Some("… and 10 more drivers fell behind."));
}

fn lost(name: &str, not_sent: Option<u64>) -> LostDriver {
    let what = "it was silent for 5 s".to_owned();
    LostDriver { name: name.to_owned(), what, is_unreported: false, after_s: Some(12.36), not_sent }
}

#[test]
fn a_lost_share_comes_first_and_an_unknown_one_gets_no_number() {
    let facts = Facts { lost: vec![lost("a", None), lost("b", Some(0))], queued: 9_000, ..kept() };
    let lines = verdict(&facts);
    assert!(
        lines[0].starts_with("Driver a was lost after 12.4 s: it was silent for 5 s. How much of the plan")
    );
    assert!(
        lines[1]
            .starts_with("Driver b was lost after 12.4 s: it was silent for 5 s. Everything it had to send")
    );
    assert!(lines[2].starts_with("The target was slower"), "{lines:?}");
}

#[test]
fn bookkeeping_comes_last() {
    let facts = Facts {
        reports_missing: 3,
        differences: vec!["sent against responses + errors: 2 against 1".to_owned()],
        clock_unknown: (0..25).map(|n| format!("d{n}")).collect(),
        notes: vec!["The STOP could not be written.".to_owned()],
        ..kept()
    };
    let lines = verdict(&facts);
    assert!(lines[0].starts_with("3 numbered reports never arrived"));
    assert!(lines[1].starts_with("The counts do not agree: sent against"));
    assert!(lines[2].contains("d19 and 5 more"), "{lines:?}");
    assert_eq!(lines[3], "The STOP could not be written.");
}

#[test]
fn a_failed_test_gives_the_reason_and_no_figures() {
    let facts = Facts {
        failed: vec!["driver a refused the plan: no".to_owned()],
        finished: true,
        ..Facts::default()
    };
    assert_eq!(verdict(&facts), ["The test failed: driver a refused the plan: no"]);
    let empty = Facts { finished: true, ..Facts::default() };
    assert_eq!(verdict(&empty), ["Nothing was sent."]);
}

#[test]
fn if_nothing_reached_the_server_that_comes_first_with_the_right_advice() {
    for (kind, advice) in [("tls", "--ca-cert"), ("dns", "spelling"), ("connect", "running")] {
        let lost = Facts {
            responses: 0,
            errors: counts(&[(kind, 40)]),
            sent: 40,
            lag: Some(lag(9.0)),
            latency_p99_ms: None,
            ..kept()
        };
        let lines = verdict(&lost);
        assert!(!lines[0].starts_with("Errors") && lines[0].contains(advice), "{lines:?}");
        assert!(!lines.iter().any(|line| line.contains("generator")), "{lines:?}");
    }
}

#[test]
fn errors_come_first_then_a_lost_driver_then_a_lagging_generator() {
    let facts = Facts {
        errors: counts(&[("timeout", 500)]),
        status: counts(&[("200", 19_000), ("503", 500)]),
        lost: vec![lost("a", Some(5))],
        lag: Some(lag(9.0)),
        queued: 5_000,
        ..kept()
    };
    let wanted = ["errors", "error_status", "driver_lost", "generator_lag", "target_slow"];
    assert_eq!(codes(&facts), wanted);
    assert_eq!(findings(&facts)[2].driver.as_deref(), Some("a"));
    let stopped = Facts { stopped: Some("Ctrl-C".to_owned()), ..facts };
    assert_eq!(codes(&stopped)[..2], ["stopped", "errors"]);
}

#[test]
fn the_rate_is_not_judged_without_all_final_reports() {
    let unknown = LostDriver {
        name: "a1".to_owned(),
        what: "the broker refused 16,635 bytes; raise max.message.bytes".to_owned(),
        is_unreported: true,
        ..LostDriver::default()
    };
    let facts = Facts { lost: vec![unknown], planned: 0, sent: 0, rates_rps: Some((1_000.0, 0.0)), ..kept() };
    let facts = Facts { responses: 0, status: counts(&[]), lag: None, ..facts };
    assert_eq!(
        verdict(&facts),
        ["Unknown: no final report from a1 (the broker refused 16,635 bytes; raise max.message.bytes); \
          its load is unknown."]
    );
    assert_eq!(codes(&facts), ["no_final_report"]);
}

fn cause(kind: &str, cause: &str, count: u64) -> ErrorSample {
    let drivers = vec!["m1".to_owned()];
    ErrorSample { kind: kind.to_owned(), cause: cause.to_owned(), count, drivers }
}

#[test]
fn a_known_cause_is_shown_with_the_errors() {
    let facts = Facts {
        errors: counts(&[("tls", 40), ("closed", 7)]),
        causes: vec![cause("tls", "the server wants a client certificate", 40)],
        ..kept()
    };
    let lines = verdict(&facts);
    assert!(
        lines[0].ends_with("Most frequent cause of tls: the server wants a client certificate."),
        "{lines:?}"
    );
    let all = Facts { errors: counts(&[("tls", 40)]), sent: 40, responses: 0, status: counts(&[]), ..facts };
    let lines = verdict(&all);
    assert_eq!(
        lines,
        ["The TLS handshake with the target failed: the server wants a client certificate (40 of 40)."]
    );
    let untrusted = Facts { causes: vec![cause("tls", UNTRUSTED, 40)], ..all };
    assert_eq!(
        verdict(&untrusted),
        ["The TLS handshake with the target failed: the issuer of the server's certificate is not trusted \
          (40 of 40); --ca-cert trusts your own CA."]
    );
}

#[test]
fn a_host_without_ports_is_blamed_and_not_the_target() {
    let facts = Facts {
        errors: counts(&[("connect", 100)]),
        causes: vec![cause("connect", &format!("{NO_PORT} for 10.0.0.1:80"), 100)],
        rates_rps: Some((1_000.0, 900.0)),
        ..kept()
    };
    let lines = verdict(&facts);
    assert!(
        lines[1]
            .starts_with("The host of driver m1 ran out of local ports (the target is not to blame): 100"),
        "{lines:?}"
    );
    assert!(!lines.iter().any(|line| line.contains("The target was slower")), "{lines:?}");
    assert_eq!(codes(&facts), ["errors", "ports_exhausted"]);
}

#[test]
fn resent_requests_are_reported_with_their_share() {
    let lines = verdict(&Facts { resent: 20, ..kept() });
    assert!(lines[0].starts_with("20 of 20,000 requests (0.1 %) were resent"), "{lines:?}");
}
