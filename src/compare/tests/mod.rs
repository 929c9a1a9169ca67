//! Whole comparisons of synthetic runs.

mod document;
mod simulated;

use super::judge::ALPHA;
use super::*;
use crate::stats::histogram::{Histogram, Packed};
use crate::stats::states::RunState;
use crate::stats::summary::{Distribution, RequestSummary, SeriesPoint, Stats, Summary};
use crate::stats::verdict::{Finding, Severity};
use serde_json::json;

/// A distribution around this many ms.
pub fn times(ms: f64) -> Distribution {
    Distribution {
        min: ms / 2.0,
        mean: ms,
        median: ms,
        mode: ms,
        p90: ms * 1.5,
        p95: ms * 1.7,
        p99: ms * 2.0,
        p999: ms * 3.0,
        max: ms * 4.0,
        stddev: ms / 3.0,
    }
}

/// A completed run with these latencies in each second.
pub fn run_of(seconds: Vec<Packed>, errors: u64) -> Run {
    let part = |latency: &Packed| Part { latency: latency.clone(), ..Part::default() };
    let all = figures::merged(&seconds.iter().map(part).collect::<Vec<Part>>()).latency;
    let (count, elapsed_s) = (seconds.len() as u64, seconds.len() as f64);
    let point = |(at, latency): (usize, &Packed)| SeriesPoint {
        second: at as u64 + 1,
        requests: latency.count() + errors,
        responses: latency.count(),
        errors,
        ..SeriesPoint::default()
    };
    let total = Stats {
        requests: all.count() + errors * count,
        responses: all.count(),
        errors: [("timeout".to_owned(), errors * count)].into(),
        elapsed_s,
        throughput_rps: all.count() as f64 / elapsed_s,
        latency_ms: all.distribution(),
        ..Stats::default()
    };
    let series = seconds.iter().enumerate().map(point).collect();
    let summary = Summary { state: RunState::Completed, total, series, ..Summary::default() };
    Run::new("run", summary, (1..).zip(seconds).collect())
}

/// 1,000 latencies a second, spread by a third around each value, in ms.
pub fn run(seconds_ms: &[f64]) -> Run {
    let second = |ms: &f64| {
        let mut histogram = Histogram::new();
        (0..1_000).for_each(|n| histogram.record_us((ms * (833.0 + f64::from(n) / 3.0)) as u64));
        Packed::from(&histogram)
    };
    run_of(seconds_ms.iter().map(second).collect(), 0)
}

/// A judged change.
pub fn change(figure: Figure, a: f64, b: f64, word: Word) -> Change {
    let change = if figure.is_ratio() { 100.0 * (b / a - 1.0) } else { b - a };
    Change {
        figure,
        family: figure.family(),
        unit: figure.unit().into(),
        a: Some(a),
        b: Some(b),
        change_unit: figure.change_unit().into(),
        change: Some((change * 1e6).round() / 1e6),
        low: Some(change - 1.0),
        high: Some(change + 1.0),
        floor: Some(5.0),
        floor_source: Some(FloorSource::Noise),
        confidence: Some(95.0),
        sections: Some(10),
        word,
        reason: None,
        tested: true,
    }
}

/// An A/B test of 20 s that has ended: A takes 50 ms, B this long.
pub fn ab_test(b_ms: f64) -> Summary {
    let (a, b) = (steady(50.0), steady(b_ms));
    let request = |name: &str, url: &str, run: &Run| RequestSummary {
        name: name.to_owned(),
        method: "GET".to_owned(),
        url: url.to_owned(),
        stats: run.summary.total.clone(),
    };
    let requests =
        vec![request("a", "http://old:8000/?token=x", &a), request("b", "http://new:8000/?token=x", &b)];
    let settings = Settings { pairing: Pairing::Paired, ..Settings::default() };
    let comparison = compare(&[a], &[b], &settings).expect("one pair");
    Summary {
        test_id: "t-1".to_owned(),
        test_type: "AVALANCHE".to_owned(),
        state: RunState::Completed,
        plan: json!({"test_id": "t-1", "test_type": "AVALANCHE", "duration_ms": 20_000,
            "ab": ["http://old:8000/?token=x", "http://new:8000/?token=x"]}),
        requests,
        comparison: Some(serde_json::to_value(comparison).expect("JSON")),
        ..Summary::default()
    }
}

/// An A/B test whose A/B answer cannot be given: B never answered.
pub fn ab_without_answer() -> Summary {
    let mut mute = steady(50.0);
    mute.summary.total.latency_ms = None;
    mute.summary.state = RunState::Aborted;
    let comparison = compare(&[steady(50.0)], &[mute], &Settings::default()).expect("one pair");
    Summary { comparison: Some(serde_json::to_value(comparison).expect("JSON")), ..ab_test(50.0) }
}

fn compared(a: &[Run], b: &[Run]) -> Comparison {
    compare(a, b, &Settings::default()).expect("enough runs")
}

fn word(comparison: &Comparison, figure: Figure) -> Word {
    comparison.change(figure).expect("every figure").word
}

/// 20 s around `ms`, alternating by 1 %.
fn steady(ms: f64) -> Run {
    let seconds: Vec<f64> = (0..20).map(|at| ms * if at % 4 < 2 { 1.01 } else { 0.99 }).collect();
    run(&seconds)
}

#[test]
fn a_pair_is_compared_in_sections() {
    let slower = compared(&[steady(50.0)], &[steady(60.0)]);
    assert_eq!((slower.outcome, slower.method.name.as_ref()), (Word::Slower, "sections"));
    assert!(slower.sentence.starts_with("B is slower than A: p50 +20 %, p90 +20 %"), "{}", slower.sentence);
    let p50 = slower.change(Figure::P50).expect("known");
    assert!(p50.low.expect("tested") > 15.0 && p50.high.expect("tested") < 25.0, "{p50:?}");
    assert_eq!((p50.floor, p50.floor_source), (Some(5.0), Some(FloorSource::Noise)));
    let p999 = slower.change(Figure::P999).expect("known");
    assert!(p999.reason.as_deref().is_some_and(|why| why.contains("3 times as many")), "{p999:?}");
    assert_eq!(word(&slower, Figure::Throughput), Word::Same);
    let faster = compared(&[steady(60.0)], &[steady(50.0)]);
    assert_eq!(faster.outcome, Word::Faster);
    let same = compared(&[steady(50.0)], &[steady(50.2)]);
    assert_eq!(same.outcome, Word::Same);
    assert_eq!(
        same.sentence,
        "No difference in p50, p90, p99, mean, throughput and errors (not tested: p99.9)."
    );
}

/// A run with two requests: the whole is that of the first.
fn mixed(search_ms: f64, order_ms: f64) -> Run {
    let named = |name: &str, ms: f64| {
        let mut run = steady(ms);
        run.name = name.to_owned();
        run
    };
    steady(search_ms).with_requests(vec![named("search", search_ms), named("order", order_ms)])
}

#[test]
fn requests_are_compared_by_name_and_more_names_need_more_confidence() {
    let slower = compared(&[mixed(50.0, 50.0)], &[mixed(50.0, 60.0)]);
    assert_eq!(slower.outcome, Word::Same, "the whole");
    let words: Vec<_> = slower.requests.iter().map(|one| (one.name.as_str(), one.outcome)).collect();
    assert_eq!(words, [("search", Word::Same), ("order", Word::Slower)]);
    assert!(slower.requests[1].sentence.starts_with("B is slower than A: p50 +20 %"), "{slower:?}");
    assert_eq!((slower.method.confidence, slower.requests[1].confidence), (95.0, 97.5));
    let whole = slower.change(Figure::P50).expect("known");
    let of_order = &slower.requests[0].figures[0];
    assert!(of_order.high > whole.high && of_order.low < whole.low, "wider: {of_order:?} than {whole:?}");
    let read: Comparison = serde_json::from_str(&slower.document()).expect("JSON");
    assert_eq!(read, slower);
    let (mut barred, fine) = (mixed(50.0, 60.0), mixed(50.0, 50.0));
    barred.summary.state = RunState::Aborted;
    let barred = compared(&[fine], &[barred]);
    assert!(barred.requests.iter().all(|one| one.outcome == Word::NotComparable), "{barred:?}");
    assert!(compared(&[mixed(50.0, 50.0)], &[steady(50.0)]).requests.is_empty(), "no name is in both");
}

#[test]
fn a_small_time_or_a_run_that_drifts_raises_the_floor() {
    let fast = compared(&[steady(0.5)], &[steady(0.6)]);
    assert_eq!(fast.change(Figure::P50).expect("known").floor_source, Some(FloorSource::Resolution));
    assert_ne!(fast.outcome, Word::Slower, "0.1 ms is not called");
    let drifting = run(&(0..20).map(|at| 50.0 + f64::from(at)).collect::<Vec<f64>>());
    let drifted = compared(&[steady(50.0)], &[drifting]);
    let p50 = drifted.change(Figure::P50).expect("known");
    assert_eq!(
        (p50.floor_source, p50.word, p50.sections),
        (Some(FloorSource::Drift), Word::Unclear, Some(5))
    );
    let mut late = steady(60.0);
    late.summary.total.lag_ms = Some(times(20.0));
    let lagged = compared(&[steady(50.0)], &[late]);
    let p50 = lagged.change(Figure::P50).expect("known");
    assert_eq!((p50.floor_source, p50.word), (Some(FloorSource::Lag), Word::Unclear));
}

#[test]
fn a_generator_that_was_late_bars_only_the_figures_that_its_lag_reaches() {
    let late = |ms: f64, lag: Distribution| {
        let mut run = steady(ms);
        run.summary.total.lag_ms = Some(lag);
        run.summary.findings =
            vec![Finding::new("generator_lag", Severity::Warning, "It was late.".to_owned())];
        run
    };
    let tail = || Distribution { median: 0.02, mean: 0.2, p90: 0.05, ..times(20.0) };
    let result = compared(&[steady(50.0)], &[late(60.0, tail())]);
    assert_eq!((word(&result, Figure::P50), word(&result, Figure::P99)), (Word::Slower, Word::NotComparable));
    let expected = "B is slower than A: p50 +20 %, p90 +20 %, mean +20 %. Not comparable: p99 and p99.9.";
    assert_eq!((result.sentence.as_str(), result.notes.len()), (expected, 1));
    assert_eq!(compared(&[steady(50.0)], &[late(50.0, tail())]).outcome, Word::Unclear, "p99 is not known");
    let all = compared(&[steady(50.0)], &[late(60.0, times(20.0))]);
    assert_eq!(all.outcome, Word::NotComparable);
    assert_eq!(all.sentence, "Not comparable: the generator itself was 20.0 ms late at this percentile.");
}

#[test]
fn what_is_too_short_or_has_only_a_result_is_unclear() {
    let short = compared(&[run(&[50.0; 9])], &[run(&[90.0; 20])]);
    assert_eq!((short.outcome, short.method.name.as_ref()), (Word::Unclear, "none"));
    assert_eq!(short.sentence, "Unclear: a run of 9 s is too short: 10 s are needed.");
    assert_eq!(short.change(Figure::P50).expect("known").change.map(f64::round), Some(80.0));
    let mut alone = steady(50.0);
    alone.seconds.clear();
    assert!(compared(&[alone], &[steady(50.0)]).sentence.contains("no latencies second by second"));
}

#[test]
fn failed_requests_are_compared_in_points() {
    let failing =
        |errors| run_of(steady(50.0).seconds.iter().map(|one| one.latency.clone()).collect(), errors);
    let more = compared(&[failing(0)], &[failing(50)]);
    assert_eq!(word(&more, Figure::Errors), Word::Slower);
    assert!(more.sentence.contains("fails more often than A: errors +4.8 points"), "{}", more.sentence);
    assert_eq!(
        (more.errors[0].kind.as_str(), more.errors[0].b, more.errors[0].b_percent),
        ("timeout", 1_000, 4.762)
    );
    assert_eq!(word(&compared(&[failing(0)], &[failing(0)]), Figure::Errors), Word::Same);
}

#[test]
fn error_statuses_count_as_errors_where_each_second_has_them() {
    let mut failing = steady(50.0);
    let (summary, seconds) = (&mut failing.summary, &failing.seconds);
    summary.total.status = [("200".to_owned(), 19_000), ("503".to_owned(), 1_000)].into();
    let older = Run::new("old", summary.clone(), latencies(seconds));
    let older = compared(&[steady(50.0)], &[older]);
    assert_eq!(word(&older, Figure::Errors), Word::Unclear);
    assert_eq!((older.errors[0].kind.as_str(), older.errors[0].b_percent), ("status 503", 5.0));
    summary.series.iter_mut().for_each(|point| point.error_statuses = 50);
    let newer = Run::new("new", summary.clone(), latencies(seconds));
    let newer = compared(&[steady(50.0)], &[newer]);
    assert!(newer.sentence.contains("fails more often than A: errors +5 points"), "{}", newer.sentence);
}

fn latencies(seconds: &[Part]) -> Vec<(u64, Packed)> {
    (1..).zip(seconds.iter().map(|second| second.latency.clone())).collect()
}

fn runs(all_ms: &[f64]) -> Vec<Run> {
    all_ms.iter().map(|ms| run(&[*ms; 2])).collect()
}

#[test]
fn several_runs_are_compared_by_their_ranks_however_short_they_are() {
    let a = runs(&[50.0, 51.0, 49.0, 50.5, 49.5]);
    let slower = compared(&a, &runs(&[60.0, 59.0, 61.0, 60.5, 62.0]));
    assert_eq!((slower.outcome, slower.method.name.as_ref()), (Word::Slower, "ranks"));
    let p50 = slower.change(Figure::P50).expect("known");
    assert_eq!(p50.confidence, Some(99.0), "one of five figures, and 99.2 % is the most");
    assert!((p50.change.expect("known") - 20.8).abs() < 1.0, "{p50:?}");
    // One outlier moves neither the estimate nor, with five a side, a whole family.
    assert_ne!(compared(&a, &runs(&[50.0, 51.0, 49.0, 50.5, 200.0])).outcome, Word::Slower);
    let few = compared(&a[..3], &runs(&[60.0, 59.0, 61.0]));
    assert_eq!((few.method.name.as_ref(), few.method.weak, few.outcome), ("welch", true, Word::Slower));
    let four = compared(&a[..4], &runs(&[60.0, 59.0, 61.0, 60.5]));
    assert_eq!(four.change(Figure::P50).expect("known").confidence, Some(97.143));
}

#[test]
fn the_numbers_of_runs_are_limited() {
    let error = |a: usize, b: usize| {
        let some = |count| (0..count).map(|_| run(&[5.0; 1])).collect::<Vec<Run>>();
        compare(&some(a), &some(b), &Settings::default()).expect_err("refused")
    };
    assert!(error(1, 3).contains("1 against 3 runs: compare one with one, or at least 2 a side"));
    assert!(error(0, 1).contains("0 against 1") && error(51, 2).contains("at most 50"));
}

#[test]
fn in_pairs_what_both_runs_share_cancels() {
    // Both slow down and recover together; B always takes 8 % longer.
    let wave = |scale: f64| -> Run {
        let ms = |at: i32| 50.0 * scale * (1.0 + 0.3 * (f64::from(at) / 3.0).sin());
        run(&(0..20).map(ms).collect::<Vec<f64>>())
    };
    let settings = |pairing| Settings { pairing, ..Settings::default() };
    let of = |pairing| compare(&[wave(1.0)], &[wave(1.08)], &settings(pairing)).expect("compared");
    let paired = of(Pairing::Paired);
    assert_eq!((paired.outcome, paired.method.name.as_ref()), (Word::Slower, "pairs"), "{}", paired.sentence);
    let separate = of(Pairing::Separate);
    assert_eq!(word(&separate, Figure::P50), Word::Unclear);
    let advice = |of: &Comparison| of.advice.clone().unwrap_or_default();
    assert!(advice(&separate).contains("floodgate compare A1"), "{}", advice(&separate));
    assert!(advice(&paired).starts_with("Run it longer"), "{}", advice(&paired));
}

#[test]
fn what_is_not_comparable_has_figures_but_no_words() {
    let mut stopped = steady(60.0);
    stopped.summary.state = RunState::Aborted;
    let settings = Settings { conditions: vec!["p99 > +1%".parse().expect("valid")], ..Settings::default() };
    let result = compare(&[steady(50.0)], &[stopped], &settings).expect("compared");
    assert_eq!(result.outcome, Word::NotComparable);
    assert!(result.figures.iter().all(|change| change.word == Word::NotComparable));
    assert!(!result.conditions[0].failed && result.advice.is_none());
    let document: serde_json::Value = serde_json::from_str(&result.document()).expect("JSON");
    assert_eq!(document["schema"], SCHEMA);
    assert_eq!(document["figures"][0]["name"], "p50");
    assert_eq!(document["outcome"], "not comparable");
}
