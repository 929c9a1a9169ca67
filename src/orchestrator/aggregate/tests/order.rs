//! What the order of the reports decides, and what it does not.
//!
//! The reports of one driver always keep their order: one producer writes them to one partition, each after
//! the one before. Those of different drivers interleave freely. Once the run is closed, nothing of a result
//! depends on how they did. Before, their order decides which seconds are closed, and so what is shown.

use super::*;
use serde_json::json;

/// Everything that a result takes from the figures.
fn bytes(figures: &Aggregate) -> Vec<u8> {
    let (latency, service, lag) = figures.histograms();
    let totals = [latency, service, lag].map(Histogram::distribution);
    let rows: Vec<_> = figures.drivers().iter().map(row).collect();
    let intervals = figures.series.intervals();
    let intervals: Vec<_> = intervals.map(|(second, latency)| (second, latency.distribution())).collect();
    let all = json!([
        figures.counts(),
        totals,
        rows,
        figures.series(|_| false),
        intervals,
        figures.reports_missing(),
        figures.closed_second(),
    ]);
    serde_json::to_vec(&all).expect("JSON")
}

fn row(driver: &DriverFigures) -> serde_json::Value {
    let shown = driver
        .shown
        .as_ref()
        .map(|shown| json!([shown.sequence, shown.elapsed_ms, shown.counts, shown.latency_ms, shown.lag_ms]));
    json!([driver.node, driver.origin_ms, driver.first_send_ms, driver.service_ms, shown])
}

/// The reports of one driver, some lost, the last ones perhaps too, some of the others repeated later.
fn queue(fate: &Fate, which: usize, name: &str) -> Vec<NumberedReport> {
    let (mut tally, mut reports) = (Tally::new(), Vec::new());
    for (i, samples) in fate.drivers[which].iter().enumerate() {
        told(samples, &mut tally);
        let number = i as u64 + 1;
        reports.push(report(name, number, number as f64 * 500.0, &tally, false));
    }
    let end = reports.len() as u64 + 1;
    reports.push(report(name, end, end as f64 * 500.0 - 200.0, &tally, true));
    let roll = |i: usize| (which * 11 + i) % 60;
    let mut kept: Vec<NumberedReport> = Vec::new();
    for (i, report) in reports.into_iter().enumerate() {
        if !fate.lost[roll(i)] {
            kept.push(report);
            let again = fate.order[roll(i)].get(&kept).clone();
            kept.extend(Some(again).filter(|_| fate.lost[roll(i + 30)]));
        }
    }
    kept
}

/// The queues in one order; `turns` says whose turn it is.
fn interleaved(queues: &[Vec<NumberedReport>], turns: &[prop::sample::Index]) -> Vec<NumberedReport> {
    let mut left: Vec<_> = queues.iter().map(|queue| queue.iter()).collect();
    let picked = turns.iter().filter_map(|turn| left[turn.index(queues.len())].next().cloned());
    let picked: Vec<_> = picked.collect();
    picked.into_iter().chain(left.into_iter().flatten().cloned()).collect()
}

fn fold(nodes: &[NodeRef], reports: &[NumberedReport]) -> Aggregate {
    let mut figures = Aggregate::new(nodes);
    reports.iter().for_each(|report| {
        figures.numbered(report, 60);
    });
    figures
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_closed_run_does_not_depend_on_how_drivers_interleave(
        fate in fate(),
        turns in prop::collection::vec(any::<prop::sample::Index>(), 2 * 60),
        gone in prop::collection::vec(any::<bool>(), 3),
    ) {
        let names = &["a", "b", "c"][..fate.drivers.len()];
        let nodes: Vec<NodeRef> = names.iter().map(|name| node(name)).collect();
        let queues: Vec<_> = names.iter().enumerate().map(|(i, name)| queue(&fate, i, name)).collect();
        let in_turn = queues.concat();
        let orders = [in_turn, interleaved(&queues, &turns[..60]), interleaved(&queues, &turns[60..])];
        let results = orders.map(|order| {
            let mut figures = fold(&nodes, &order);
            figures.finish(|node| !gone[names.iter().position(|name| *name == node.node_id).unwrap_or(0)]);
            let sum = figures.series(|_| false).iter().map(|point| point.requests).sum::<u64>();
            assert_eq!(sum, figures.counts().sent, "all of it is in the seconds");
            let mut latency = Histogram::new();
            figures.intervals().for_each(|(_, interval)| latency.add(&interval));
            assert_eq!(&latency, figures.histograms().0);
            String::from_utf8(bytes(&figures)).expect("JSON")
        });
        prop_assert_eq!(&results[0], &results[1]);
        prop_assert_eq!(&results[0], &results[2]);
    }

    #[test]
    fn the_same_sequence_gives_the_same_bytes_and_a_repeated_record_changes_none(
        fate in fate(),
        again in prop::collection::vec(any::<prop::sample::Index>(), 60),
    ) {
        let names = &["a", "b", "c"][..fate.drivers.len()];
        let nodes: Vec<NodeRef> = names.iter().map(|name| node(name)).collect();
        let queues: Vec<_> = names.iter().enumerate().map(|(i, name)| queue(&fate, i, name)).collect();
        let reports = interleaved(&queues, &fate.order);
        let (mut one, mut other) = (Aggregate::new(&nodes), Aggregate::new(&nodes));
        for (i, report) in reports.iter().enumerate() {
            one.numbered(report, 60);
            other.numbered(report, 60);
            let shown = bytes(&one);
            prop_assert!(!other.numbered(again[i % again.len()].get(&reports[..=i]), 60));
            prop_assert_eq!(&bytes(&other), &shown);
        }
        one.finish(|_| true);
        other.finish(|_| true);
        let result = bytes(&one);
        prop_assert_eq!(&bytes(&other), &result);
        reports.iter().for_each(|report| assert!(!other.numbered(report, 60)));
        prop_assert_eq!(&bytes(&other), &result, "nothing counts after the end");
    }
}
