use super::*;
use crate::driver::collector::Draft;
use crate::message::NodeRef;
use crate::stats::histogram::Histogram;

fn reporting() -> Reporting {
    let identity = NodeRef { node_id: "a".to_owned(), epoch: 7 };
    Reporting::new(Author {
        identity,
        test_id: "t".to_owned(),
        target_on: None,
        unverified: false,
        proxied: false,
    })
}

fn report(half_seconds: u64, is_final: bool) -> DraftReport {
    let mut latency = Histogram::new();
    latency.record_us(1_000);
    let draft = Draft {
        is_final,
        origin_ns: 2 * NS_PER_S,
        first_send_ns: None,
        elapsed_ns: half_seconds * NS_PER_S / 2,
        counts: Default::default(),
        service: is_final.then(|| latency.clone()),
        lag: latency.clone(),
        latency,
        connect: None,
        tls: None,
        causes: Vec::new(),
        check_samples: Vec::new(),
        generator: None,
        by_name: Vec::new(),
    };
    DraftReport { draft, target: None }
}

fn offer(reporting: &mut Reporting, half_seconds: u64, is_final: bool) {
    reporting.offer(report(half_seconds, is_final), Facts { zero_ms: 1_000.0, ..Facts::default() });
}

/// With its final report queued, and no more to come.
fn closed(now_ns: u64) -> Reporting {
    let mut reporting = reporting();
    offer(&mut reporting, 7, true);
    reporting.close(now_ns);
    reporting
}

/// The number and time of the report to send.
fn sent(reporting: &mut Reporting, now_ns: u64) -> (Option<u64>, Option<f64>) {
    match reporting.next(now_ns) {
        Next::Send(report) => (report.sequence, report.elapsed_ms),
        other => panic!("{other:?}"),
    }
}

fn away() -> Result<(), BusError> {
    Err(BusError::Unavailable("away".to_owned()))
}

fn gave_up() -> Next<'static> {
    Next::Over(Some("Kafka was unavailable".to_owned()))
}

/// Attempts that all fail, one every second; returns how many were made before it gave up.
fn attempts(reporting: &mut Reporting, from_s: u64) -> u64 {
    for second in 0..10_000 {
        let now_ns = (from_s + second) * NS_PER_S;
        match reporting.next(now_ns) {
            Next::Send(_) => assert!(reporting.outcome(away(), now_ns).is_some()),
            over => {
                assert_eq!(over, gave_up());
                return second;
            }
        }
    }
    panic!("it never gives up")
}

#[test]
fn reports_are_sent_in_order_and_a_failed_one_is_retried_unchanged_after_a_pause() {
    let mut reporting = reporting();
    assert_eq!(reporting.next(0), Next::Wait { until_ns: u64::MAX });
    offer(&mut reporting, 1, false);
    assert_eq!(sent(&mut reporting, 0), (Some(1), Some(500.0)));
    assert_eq!(reporting.outcome(away(), 5), Some(Failed::Later("away".to_owned())));
    (2..=4).for_each(|half| offer(&mut reporting, half, false));
    assert_eq!(reporting.next(6), Next::Wait { until_ns: 5 + PAUSE_NS });
    assert_eq!(sent(&mut reporting, 5 + PAUSE_NS), (Some(1), Some(500.0)));
    assert_eq!(reporting.outcome(Ok(()), 6 + PAUSE_NS), None);
    let now_ns = 7 + PAUSE_NS;
    for (sequence, elapsed_ms) in [(2, 1_000.0), (3, 2_000.0)] {
        assert_eq!(sent(&mut reporting, now_ns), (Some(sequence), Some(elapsed_ms)), "no half seconds");
        reporting.outcome(Ok(()), now_ns);
    }
    assert_eq!(reporting.next(now_ns), Next::Wait { until_ns: u64::MAX });
    reporting.close(now_ns);
    assert_eq!(reporting.next(now_ns), Next::Over(None));
}

#[test]
fn times_are_given() {
    let mut reporting = reporting();
    offer(&mut reporting, 1, false);
    let Next::Send(metrics) = reporting.next(0) else { panic!("nothing to send") };
    assert_eq!((metrics.origin_ms, metrics.epoch), (Some(3_000.0), Some(7)));
    assert!(metrics.histograms.as_ref().is_some_and(|all| !all.latency.is_empty() && all.service.is_none()));
}

#[test]
fn the_final_report_survives_an_outage_of_an_hour_but_not_more() {
    let from_s = 100;
    assert_eq!(attempts(&mut closed(from_s * NS_PER_S), from_s), 3_600);
    let mut back = closed(0);
    sent(&mut back, 0);
    back.outcome(away(), 0);
    sent(&mut back, 3_599 * NS_PER_S);
    assert_eq!(back.outcome(Ok(()), 3_599 * NS_PER_S), None);
    assert_eq!(back.next(3_599 * NS_PER_S), Next::Over(None));
}

#[test]
fn a_suspended_process_makes_one_more_attempt() {
    let mut reporting = closed(0);
    let late_ns = 9_999 * NS_PER_S;
    sent(&mut reporting, late_ns);
    reporting.outcome(away(), late_ns);
    assert_eq!(reporting.next(late_ns), gave_up());
}

#[test]
fn the_next_plan_ends_the_wait_but_nothing_is_dropped_while_the_bus_accepts_reports() {
    let mut stuck = closed(0);
    stuck.hurry(Hurry::NextPlan, 60 * NS_PER_S);
    stuck.hurry(Hurry::NextPlan, 64 * NS_PER_S);
    assert_eq!(attempts(&mut stuck, 60), 5);

    let mut slow = reporting();
    (1..=20).for_each(|second| offer(&mut slow, 2 * second, false));
    slow.hurry(Hurry::NextPlan, 0);
    slow.close(0);
    slow.hurry(Hurry::NextPlan, 0);
    for second in 1..=20 {
        assert_eq!(sent(&mut slow, second * NS_PER_S).0, Some(second));
        slow.outcome(Ok(()), second * NS_PER_S);
    }
    assert_eq!(slow.next(21 * NS_PER_S), Next::Over(None));
}

#[test]
fn at_shutdown_only_the_newest_report_is_sent_and_not_for_long() {
    let mut reporting = reporting();
    (1..=5).for_each(|second| offer(&mut reporting, 2 * second, false));
    reporting.hurry(Hurry::Leaving, 0);
    assert_eq!(sent(&mut reporting, 0), (Some(1), Some(1_000.0)), "the load has not ended");
    reporting.outcome(Ok(()), 0);
    offer(&mut reporting, 12, true);
    reporting.close(10 * NS_PER_S);
    reporting.hurry(Hurry::Leaving, 10 * NS_PER_S);
    assert_eq!(sent(&mut reporting, 10 * NS_PER_S), (Some(2), Some(6_000.0)));
    assert_eq!(attempts(&mut reporting, 10), 6);
}

#[test]
fn a_report_that_is_too_large_is_reduced_and_then_dropped_with_its_reason() {
    let mut reporting = closed(0);
    let large = || Err(BusError::TooLarge { bytes: 1_234_567, text: "too large".to_owned() });
    let mut seen = Vec::new();
    while let Next::Send(report) = reporting.next(0) {
        let kept = report.histograms.as_ref().map(|all| (all.lag.is_some(), !all.latency.is_empty()));
        seen.push((report.sequence, kept));
        reporting.outcome(large(), 0);
    }
    assert_eq!(
        seen,
        [(Some(1), Some((true, true))), (Some(1), Some((false, true))), (Some(1), None)],
        "without pauses"
    );
    let why = "the broker refused 1,234,567 bytes; raise max.message.bytes";
    let mut reporting = closed(0);
    (0..3).for_each(|_| {
        sent(&mut reporting, 0);
        reporting.outcome(large(), 0);
    });
    assert_eq!(reporting.next(0), Next::Over(Some(why.to_owned())));

    let mut rejected = closed(0);
    sent(&mut rejected, 0);
    let error = BusError::Rejected("no such topic".to_owned());
    assert_eq!(rejected.outcome(Err(error), 0), Some(Failed::Lost("no such topic".to_owned())));
    assert_eq!(rejected.next(0), Next::Over(Some("no such topic".to_owned())));
}
