mod order;

use super::*;
use crate::check::Failed;
use crate::message::{Histograms, Metrics};
use crate::stats::outcome::{ErrorKind, Outcome};
use crate::stats::tally::{Sample, Tally};
use crate::stats::times::Times;
use proptest::prelude::*;

fn node(name: &str) -> NodeRef {
    NodeRef { node_id: name.to_owned(), epoch: 1 }
}

/// A report of `tally` at `elapsed_ms`.
fn report(name: &str, sequence: u64, elapsed_ms: f64, tally: &Tally, is_final: bool) -> NumberedReport {
    let at_end = |times: &Times| is_final.then(|| times.histogram().encode().unwrap());
    let message = Metrics {
        node_id: name.to_owned(),
        test_id: "t".to_owned(),
        report_id: format!("{name}{sequence}"),
        metrics: LatencyMs::default(),
        epoch: Some(1),
        sequence: Some(sequence),
        is_final,
        origin_ms: Some(1_000.0),
        first_send_ms: Some(1_000.5),
        elapsed_ms: Some(elapsed_ms),
        counts: Some(tally.counts(tally.sent, 0)),
        histograms: Some(Histograms {
            latency: tally.latency.histogram().encode().unwrap(),
            service: at_end(&tally.service),
            lag: at_end(&tally.lag),
            connect: at_end(&tally.openings.connect).filter(|_| !tally.openings.connect.is_empty()),
            tls: at_end(&tally.openings.tls).filter(|_| !tally.openings.tls.is_empty()),
        }),
        by_name: BTreeMap::new(),
        generator: None,
        error_samples: Vec::new(),
        check_samples: Vec::new(),
        target_seen: None,
        target_restarted: false,
    };
    match Report::read(&message).unwrap() {
        Report::Numbered(report) => report,
        other => panic!("{other:?}"),
    }
}

/// `n` requests of `ms` each, every tenth of them failed.
fn work(tally: &mut Tally, n: u64, ms: u64) {
    for i in 0..n {
        tally.record_sent(1_000, i % 3 == 0);
        let outcome = if i % 10 == 9 { Outcome::Error(ErrorKind::Timeout) } else { Outcome::Status(200) };
        tally.record_end(&Sample {
            latency_ns: ms * 1_000_000,
            service_ns: ms * 900_000,
            outcome,
            bytes: 7,
            resent: false,
            failed: Failed::default(),
        });
    }
}

/// A driver that sends 20 requests per half second, `step` ms slower each second, and reports twice a second.
fn story(name: &str, halves: u64, step: u64) -> Vec<NumberedReport> {
    let mut tally = Tally::new();
    let mut reports = Vec::new();
    for half in 1..=halves {
        work(&mut tally, 20, 1 + (half - 1) / 2 * step);
        reports.push(report(name, half, half as f64 * 500.0 + 3.0, &tally, false));
    }
    reports.push(report(name, halves + 1, halves as f64 * 500.0 + 40.0, &tally, true));
    reports
}

fn seconds(figures: &Aggregate) -> Vec<(u64, u64, bool)> {
    figures.series(|_| false).iter().map(|point| (point.second, point.requests, point.complete)).collect()
}

#[test]
fn a_second_is_shown_when_all_drivers_have_reported_it() {
    let mut figures = Aggregate::new(&[node("a"), node("b")]);
    let (a, b) = (story("a", 4, 5), story("b", 4, 5));
    a[..4].iter().for_each(|report| assert!(!figures.numbered(report, 60)));
    assert!(figures.series(|_| false).is_empty());
    b[..3].iter().for_each(|report| assert!(!figures.numbered(report, 60)));
    assert_eq!(seconds(&figures), [(1, 80, true)]);
    assert_eq!((figures.counts().sent, figures.counts().errors_total()), (80, 8));
    figures.numbered(&b[3], 60);
    assert_eq!(seconds(&figures), [(1, 80, true), (2, 80, true)]);
    let second = &figures.series(|_| false)[1];
    assert_eq!((second.responses, second.errors), (72, 8));
    let (p50, max) = (second.p50_ms.unwrap(), second.max_ms.unwrap());
    assert!((p50 - 6.0).abs() < 0.01 && (max - 6.0).abs() < 0.01, "the first second's 1 ms are not in it");
}

#[test]
fn a_load_that_ends_shortly_after_a_second_ends_with_it() {
    let mut figures = Aggregate::new(&[node("a")]);
    let reports = story("a", 4, 5);
    // The report at 2 s was never made: the final one, 40 ms later, came first.
    [&reports[0], &reports[1], &reports[2], &reports[4]].into_iter().for_each(|report| {
        figures.numbered(report, 60);
    });
    figures.finish(|_| true);
    assert_eq!(seconds(&figures), [(1, 40, true), (2, 40, true)]);
}

#[test]
fn an_empty_last_second_is_not_shown() {
    let mut figures = Aggregate::new(&[node("a")]);
    // The final report is 40 ms into the third second and contains nothing new.
    story("a", 4, 5).iter().for_each(|report| {
        figures.numbered(report, 60);
    });
    figures.finish(|_| true);
    assert_eq!(seconds(&figures), [(1, 40, true), (2, 40, true)]);
}

#[test]
fn a_lost_driver_is_waited_for_five_seconds_and_its_last_report_counts() {
    let mut figures = Aggregate::new(&[node("a"), node("b")]);
    let (a, b) = (story("a", 14, 0), story("b", 8, 0));
    b[..3].iter().for_each(|report| assert!(!figures.numbered(report, 60)));
    a[..13].iter().for_each(|report| assert!(!figures.numbered(report, 60)));
    assert_eq!(seconds(&figures), [(1, 80, true)]);
    assert!(!figures.numbered(&a[13], 60));
    let shown: Vec<_> = std::iter::once((1, 80, true)).chain((2..=7).map(|s| (s, 40, false))).collect();
    assert_eq!(seconds(&figures), shown, "what it did while silent is unknown");
    assert!(figures.numbered(&a[14], 60));
    let mut unclear = Aggregate::new(&[node("a"), node("b")]);
    b[..3].iter().chain(&a).for_each(|report| {
        unclear.numbered(report, 60);
    });
    unclear.finish(|_| true);
    figures.finish(|node| node.node_id == "a");
    assert_eq!(figures.counts().sent, 280 + 60, "the half second after its last whole one is in");
    let complete = |second| second != 2;
    let sent = |second| if second == 2 { 60 } else { 40 };
    let later = |complete: fn(u64) -> bool| (2..=7).map(move |s| (s, sent(s), complete(s)));
    let first = || std::iter::once((1, 80, true));
    assert_eq!(seconds(&figures), first().chain(later(complete)).collect::<Vec<_>>());
    assert_eq!(seconds(&unclear), first().chain(later(|_| false)).collect::<Vec<_>>(), "its final was due");
    assert_eq!(figures.reports_missing(), 0);
    assert_eq!(figures.drivers()[1].shown.as_ref().map(|shown| shown.sequence), Some(3));
}

#[test]
fn a_driver_that_is_only_late_is_waited_for_five_seconds() {
    let mut figures = Aggregate::new(&[node("a"), node("b")]);
    let (a, b) = (story("a", 20, 0), story("b", 20, 0));
    a[..11].iter().for_each(|report| assert!(!figures.numbered(report, 60)));
    assert!(figures.series(|_| false).is_empty());
    assert_eq!(figures.behind(), [("b".to_owned(), 5)]);
    figures.numbered(&a[11], 60);
    assert_eq!(seconds(&figures), (1..=6).map(|second| (second, 40, false)).collect::<Vec<_>>());
    a[12..14].iter().for_each(|report| assert!(!figures.numbered(report, 60)));
    assert_eq!(figures.closed_second(), 7, "it is not waited for a second time");
    b[..4].iter().for_each(|report| assert!(!figures.numbered(report, 60)));
    a[14..16].iter().for_each(|report| assert!(!figures.numbered(report, 60)));
    assert_eq!((figures.closed_second(), figures.behind()), (8, vec![("b".to_owned(), 6)]));
    b[4..8].iter().for_each(|report| assert!(!figures.numbered(report, 60)));
    a[16..18].iter().for_each(|report| assert!(!figures.numbered(report, 60)));
    assert_eq!(figures.closed_second(), 8, "from 4 s behind on, it is waited for again");
    b[8..].iter().chain(&a[18..]).for_each(|report| {
        figures.numbered(report, 60);
    });
    assert_eq!(figures.closed_second(), 10);
    figures.finish(|_| true);
    assert_eq!(seconds(&figures), (1..=10).map(|second| (second, 80, true)).collect::<Vec<_>>());
    assert_eq!(figures.counts().sent, 2 * 20 * 20);
    assert!(figures.behind().is_empty());
}

#[test]
fn an_outage_shows_neither_an_empty_second_nor_a_peak() {
    let mut figures = Aggregate::new(&[node("a"), node("b")]);
    let (a, b) = (story("a", 20, 0), story("b", 20, 0));
    // From 3 s to 10 s nothing gets through; then a sends only its newest report, b its backlog.
    a[..6].iter().chain(&b[..6]).for_each(|report| assert!(!figures.numbered(report, 60)));
    assert_eq!(seconds(&figures).len(), 3);
    figures.numbered(&a[19], 60);
    let requests = |figures: &Aggregate| seconds(figures).iter().map(|second| second.1).collect::<Vec<_>>();
    assert_eq!(requests(&figures), [80, 80, 80, 40, 40, 40, 40, 40, 40, 40]);
    b[6..].iter().skip(1).step_by(2).for_each(|report| {
        figures.numbered(report, 60);
    });
    let shown = seconds(&figures);
    assert_eq!(shown.len(), 10);
    assert!(shown.iter().all(|(_, requests, _)| *requests == 80), "{shown:?}");
    assert!(
        shown[..3].iter().all(|second| second.2) && shown[3..].iter().all(|second| !second.2),
        "{shown:?}"
    );
}

#[test]
fn a_late_backlog_completes_every_second() {
    let mut figures = Aggregate::new(&[node("a"), node("b")]);
    let (a, b) = (story("a", 20, 0), story("b", 20, 0));
    a.iter().take(20).for_each(|report| assert!(!figures.numbered(report, 60)));
    assert_eq!(seconds(&figures).last(), Some(&(10, 40, false)), "b is waited for at most five seconds");
    b.iter().skip(1).step_by(2).take(10).for_each(|report| {
        figures.numbered(report, 60);
    });
    assert_eq!(seconds(&figures), (1..=10).map(|second| (second, 80, true)).collect::<Vec<_>>());
}

#[test]
fn a_gap_is_counted_at_the_end_and_late_reports_only_fill_it() {
    let mut figures = Aggregate::new(&[node("a")]);
    let a = story("a", 6, 0);
    [0, 3, 6, 4].iter().for_each(|i| {
        figures.numbered(&a[*i], 60);
    });
    assert_eq!(figures.reports_missing(), 0, "not before the end");
    figures.finish(|_| true);
    assert_eq!(figures.reports_missing(), 3);
    let before = figures.counts().clone();
    let beyond = report("a", 99, 9_000.0, &Tally::new(), true);
    assert!(!figures.numbered(&a[1], 60) && !figures.numbered(&beyond, 60));
    assert_eq!((figures.reports_missing(), figures.counts()), (3, &before), "nothing counts after the end");
}

#[test]
fn unknown_drivers_originals_and_impossible_times_are_excluded() {
    let mut figures = Aggregate::new(&[node("a")]);
    let unknown = story("x", 2, 0);
    assert!(!figures.numbered(&unknown[2], 60));
    let elder = NumberedReport { node: NodeRef { epoch: 0, ..node("a") }, ..story("a", 2, 0).remove(2) };
    assert!(!figures.numbered(&elder, 60));
    let mut tally = Tally::new();
    work(&mut tally, 5, 1);
    assert!(!figures.numbered(&report("a", 1, 500_000.0, &tally, true), 60));
    figures.original("old", &LatencyMs { mean_latency: Some(4.0), ..LatencyMs::default() });
    figures.original("a", &LatencyMs::default());
    figures.finish(|_| true);
    assert_eq!(figures.counts(), &Counts::default());
    assert_eq!(figures.originals().keys().collect::<Vec<_>>(), ["old"]);
}

/// What the bus may do to the reports of several drivers.
#[derive(Clone, Debug)]
struct Fate {
    drivers: Vec<Vec<Vec<(u64, bool)>>>,
    order: Vec<prop::sample::Index>,
    lost: Vec<bool>,
}

fn fate() -> impl Strategy<Value = Fate> {
    let half_second = prop::collection::vec((1u64..5_000_000, prop::bool::weighted(0.1)), 0..6);
    let driver = prop::collection::vec(half_second, 1..9);
    (
        prop::collection::vec(driver, 1..4),
        prop::collection::vec(any::<prop::sample::Index>(), 60),
        prop::collection::vec(prop::bool::weighted(0.3), 60),
    )
        .prop_map(|(drivers, order, lost)| Fate { drivers, order, lost })
}

fn told(samples: &[(u64, bool)], into: &mut Tally) {
    for (us, failed) in samples {
        into.record_sent(us * 10, us % 2 == 0);
        let outcome = if *failed { Outcome::Error(ErrorKind::Closed) } else { Outcome::Status(200) };
        into.record_end(&Sample {
            latency_ns: us * 1_000,
            service_ns: us * 700,
            outcome,
            bytes: us % 99,
            resent: false,
            failed: Failed::default(),
        });
    }
}

/// The reports of one driver, some lost, some duplicated, in any order except for the final one, which comes
/// last.
fn mangle(fate: &Fate, which: usize, reports: Vec<NumberedReport>) -> Vec<NumberedReport> {
    let mut kept: Vec<NumberedReport> = Vec::new();
    let last = reports.len() - 1;
    for (i, report) in reports.iter().enumerate().take(last) {
        let roll = (which * 7 + i) % fate.order.len();
        if !fate.lost[roll] {
            kept.insert(fate.order[roll].index(kept.len() + 1), report.clone());
            kept.insert(fate.order[(roll + 1) % 60].index(kept.len() + 1), report.clone());
        }
    }
    kept.push(reports[last].clone());
    kept
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn figures_are_those_of_all_samples_whatever_the_bus_does(fate in fate()) {
        let names = ["a", "b", "c"];
        let nodes: Vec<NodeRef> = names[..fate.drivers.len()].iter().map(|name| node(name)).collect();
        let (mut whole, mut queues) = (Tally::new(), Vec::new());
        for (which, halves) in fate.drivers.iter().enumerate() {
            let (mut tally, mut reports) = (Tally::new(), Vec::new());
            for (i, samples) in halves.iter().enumerate() {
                told(samples, &mut tally);
                told(samples, &mut whole);
                let number = i as u64 + 1;
                reports.push(report(names[which], number, number as f64 * 500.0, &tally, false));
            }
            let end = reports.len() as u64;
            reports.push(report(names[which], end + 1, end as f64 * 500.0, &tally, true));
            queues.push(mangle(&fate, which, reports));
        }
        let mut figures = Aggregate::new(&nodes);
        for turn in 0..60 {
            let which = fate.order[turn].index(queues.len());
            if !queues[which].is_empty() {
                figures.numbered(&queues[which].remove(0), 60);
            }
        }
        queues.iter().flatten().for_each(|report| { figures.numbered(report, 60); });
        figures.finish(|_| true);
        let (latency, service, lag) = figures.histograms();
        prop_assert_eq!(latency.distribution(), whole.latency.histogram().distribution());
        prop_assert_eq!(service.distribution(), whole.service.histogram().distribution());
        prop_assert_eq!(lag.distribution(), whole.lag.histogram().distribution());
        prop_assert_eq!(figures.counts(), &whole.counts(whole.sent, 0));
        let mut sum = Counts::default();
        figures.drivers().iter().filter_map(|d| d.shown.as_ref()).for_each(|shown| sum.merge(&shown.counts));
        prop_assert_eq!(figures.counts(), &sum, "the total is the sum of the drivers");
        let series = figures.series(|_| false);
        prop_assert_eq!(series.iter().map(|p| p.requests).sum::<u64>(), whole.sent);
        prop_assert_eq!(series.iter().map(|p| p.responses).sum::<u64>(), whole.responses());
    }
}

#[test]
fn opening_times_of_all_drivers_are_merged_and_absent_without_tls() {
    let driver = |connects_ms: &[u64], handshakes_ms: &[u64]| {
        let mut tally = Tally::new();
        work(&mut tally, 20, 1);
        connects_ms.iter().for_each(|ms| tally.openings.connect.record_ns(ms * 1_000_000));
        handshakes_ms.iter().for_each(|ms| tally.openings.tls.record_ns(ms * 1_000_000));
        tally
    };
    let of = |tally: &Tally| {
        let figures = |times: &Times| times.histogram().distribution();
        (figures(&tally.openings.connect), figures(&tally.openings.tls))
    };
    let (a, b) = (driver(&[1, 2], &[]), driver(&[900], &[30, 40]));
    let mut figures = Aggregate::new(&[node("a"), node("b")]);
    figures.numbered(&report("a", 1, 500.0, &a, false), 60);
    assert_eq!(figures.openings_ms(), (None, None), "no final report yet");
    figures.numbered(&report("a", 2, 900.0, &a, true), 60);
    assert_eq!(figures.openings_ms(), of(&a));
    assert!(figures.openings_ms().1.is_none(), "no TLS");
    figures.numbered(&report("b", 1, 900.0, &b, true), 60);
    let mut both = a.clone();
    both.merge(&b);
    assert_eq!(figures.openings_ms(), of(&both));
    let rows = figures.drivers().iter().map(|driver| (driver.connect_ms.clone(), driver.tls_ms.clone()));
    assert_eq!(rows.collect::<Vec<_>>(), [of(&a), of(&b)]);
}

/// The same report about two requests, whose sum it is.
fn by_name(sequence: u64, elapsed_ms: f64, parts: [&Tally; 2], is_final: bool) -> NumberedReport {
    let mut all = parts[0].clone();
    all.merge(parts[1]);
    let named = |tally| report("a", sequence, elapsed_ms, tally, is_final);
    let by_name = vec![("a".to_owned(), named(parts[0])), ("other".to_owned(), named(parts[1]))];
    NumberedReport { by_name, ..report("a", sequence, elapsed_ms, &all, is_final) }
}

#[test]
fn the_requests_of_a_known_name_have_their_own_seconds_and_totals() {
    let mut figures = Aggregate::with_names(&[node("a")], &["a".to_owned(), "b".to_owned()]);
    let (mut first, mut second) = (Tally::new(), Tally::new());
    work(&mut first, 20, 5);
    work(&mut second, 10, 50);
    figures.numbered(&by_name(1, 1_000.0, [&first, &second], false), 10);
    work(&mut first, 30, 7);
    figures.numbered(&by_name(2, 2_000.0, [&first, &second], true), 10);
    figures.finish(|_| true);
    let [(a, of_a), (b, of_b)] = figures.by_name() else { panic!("two names") };
    assert_eq!((&**a, &**b), ("a", "b"));
    assert_eq!((of_a.counts().sent, of_b.counts().sent, figures.counts().sent), (50, 0, 60));
    let requests = |figures: &Aggregate| -> Vec<u64> {
        figures.series(|_| false).iter().map(|point| point.requests).collect()
    };
    assert_eq!((requests(of_a), requests(&figures)), (vec![20, 30], vec![30, 30]));
    assert_eq!((of_a.histograms().0.count(), of_a.histograms().1.count()), (45, 45));
    let late = by_name(3, 3_000.0, [&first, &second], true);
    assert!(!figures.numbered(&late, 10) && figures.by_name()[0].1.counts().sent == 50, "it is closed");
}
