//! The whole text.

use super::text::{WIDTH, columns};
use super::*;
use crate::compare::tests::{ab_test, ab_without_answer};
use crate::stats::states::{DriverRowState, RunState};
use crate::stats::summary::{Conservation, Distribution, ThresholdResult};

fn distribution(scale: f64) -> Distribution {
    Distribution {
        min: 0.1 * scale,
        mean: 0.5 * scale,
        median: 0.4 * scale,
        mode: 0.4 * scale,
        p90: 1.2 * scale,
        p95: 2.0 * scale,
        p99: 3.456 * scale,
        p999: 12.34 * scale,
        max: 1_234.5 * scale,
        stddev: 1.0,
    }
}

fn stats(requests: u64, errors: u64) -> Stats {
    let mut stats = Stats { requests, responses: requests - errors, ..Stats::default() };
    if errors > 0 {
        stats.errors.insert("timeout".to_owned(), errors);
    }
    stats.status.insert("200".to_owned(), requests - errors);
    stats.bytes_received = 1_240_000;
    stats.elapsed_s = 10.002;
    stats.throughput_rps = requests as f64 / 10.0;
    stats.latency_ms = Some(distribution(1.0));
    stats.lag_ms = Some(distribution(0.1));
    stats
}

fn summary(errors: u64) -> Summary {
    let driver = |i: u64| DriverSummary {
        node_id: format!("driver-{i}"),
        state: DriverRowState::Done,
        stats: stats(500_000, 0),
    };
    let conservation = Conservation {
        planned: 1_000_010,
        sent: 1_000_000,
        never_sent: 10,
        responses: 1_000_000 - errors,
        errors,
        target_seen: Some(1_000_000),
        ..Conservation::default()
    };
    let plan = serde_json::json!({"test_id": "t", "test_type": "AVALANCHE", "duration_ms": 10_000,
        "target_url": "http://127.0.0.1:8000/ping", "fleet": {"connections": 16}});
    Summary {
        test_type: "AVALANCHE".to_owned(),
        state: RunState::Completed,
        plan,
        total: stats(1_000_000, errors),
        drivers: vec![driver(1), driver(2)],
        conservation,
        verdict: vec!["All is well.".to_owned()],
        ..Summary::default()
    }
}

fn lines(summary: &Summary) -> Vec<String> {
    let text = render(summary);
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        assert!(columns(line) <= WIDTH && line.trim_end() == line, "{} columns: {line}", columns(line));
    }
    text.lines().map(str::to_owned).collect()
}

fn find<'a>(lines: &'a [String], start: &str) -> &'a str {
    lines.iter().find(|l| l.starts_with(start)).unwrap_or_else(|| panic!("{start:?} in {lines:#?}"))
}

#[test]
fn the_whole_result() {
    let mut result = summary(0);
    (result.total.busy, result.total.cpu_wait, result.total.rest) = (Some(0.671), Some(0.004), Some(0.12));
    (result.total.start_skew_ms, result.drivers[0].stats.start_skew_ms) = (Some(0.157), Some(0.0));
    let late = &mut result.drivers[1].stats;
    (late.start_skew_ms, late.busy, late.cpu_wait) = (Some(0.157), Some(0.98), Some(0.0049));
    late.status.insert("503".to_owned(), 99);
    (late.rest, result.drivers[0].stats.rest) = (Some(0.13), Some(0.095));
    let text = "\
All is well.

AVALANCHE (closed loop), completed, 10 s measured
request         GET http://127.0.0.1:8000/ping
plan            10s, 16 connections, 2 drivers

                   requests    per s  errors  4xx/5xx  queued  busy  CPU wait
total             1,000,000  100,000       0        0       0  67 %     0.4 %
driver-1            500,000   50,000       0        0       0     -         -
driver-2            500,000   50,000       0       99       0  98 %     0.5 %

times in ms         min   mean    p50    p90    p95    p99  p99.9    max
latency           0.100  0.500  0.400   1.20   2.00   3.46   12.3  1,235
  driver-1        0.100  0.500  0.400   1.20   2.00   3.46   12.3  1,235
  driver-2        0.100  0.500  0.400   1.20   2.00   3.46   12.3  1,235
service time          -      -      -      -      -      -      -      -
lag               0.010  0.050  0.040  0.120  0.200  0.346   1.23    123

start           drivers started within 0.157 ms of each other
rests           12 % of the time (driver-1 9.5 %, driver-2 13 %)
status          200: 1,000,000
received        1.24 MB
conservation    planned 1,000,010 = sent 1,000,000 + never sent 10
                sent 1,000,000 = responses 1,000,000 + errors 0
                target counted 1,000,000 = sent 1,000,000 + warm-up 0
";
    assert_eq!(render(&result), text);
}

#[test]
fn the_verdict_comes_first_then_the_errors() {
    let good = lines(&summary(0));
    assert_eq!((good[0].as_str(), good[1].as_str()), ("All is well.", ""));
    let bad = lines(&summary(1_500));
    assert_eq!(bad[1], "Errors: 1,500 of 1,000,000 requests (0.15%): timeout 1,500");
}

#[test]
fn a_cause_that_the_verdict_names_is_said_once() {
    let mut refused = summary(1_500);
    let text = "Could not connect to h:1: connection refused (5 of 5).".to_owned();
    refused.verdict = vec![text.clone()];
    refused.findings = vec![Finding::new("errors", Severity::Failure, text)];
    let cause = "connection refused".to_owned();
    refused.error_samples =
        vec![ErrorSample { kind: "connect".to_owned(), cause, count: 5, drivers: vec![] }];
    let told = |summary: &Summary| lines(summary).iter().filter(|line| line.contains("refused")).count();
    assert_eq!(told(&refused), 2, "the line below names the drivers");
    refused.drivers.truncate(1);
    assert_eq!(told(&refused), 1);
    assert!(!lines(&refused).iter().any(|line| line.starts_with("Errors")));
}

#[test]
fn the_only_drivers_row_does_not_repeat_the_latency() {
    let mut one = summary(0);
    one.drivers.truncate(1);
    assert_eq!(lines(&one).iter().filter(|line| line.contains("driver-1")).count(), 1);
    one.drivers[0].state = DriverRowState::Original;
    one.total = Stats::default();
    let original = lines(&one);
    let rows: Vec<&String> = original.iter().filter(|line| line.contains("original driver-1")).collect();
    assert!(rows[1].ends_with("1,235"), "{original:#?}");
    for row in [find(&original, "total"), rows[0]] {
        assert!(!row.contains(" 0") && row.ends_with('-'), "counts are unknown: {row}");
    }
}

#[test]
fn the_times_of_openings_are_shown_if_known() {
    let plain = lines(&summary(0));
    assert!(!plain.iter().any(|line| line.starts_with("TCP connect")), "{plain:?}");
    let mut opened = summary(0);
    opened.total.connect_ms = Some(distribution(1.0));
    opened.total.tls_ms = Some(distribution(10.0));
    let lines = lines(&opened);
    let times =
        |line: &str| find(&lines, line).split_whitespace().skip(2).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!((times("TCP connect").len(), times("TLS handshake").len()), (8, 8), "{lines:?}");
    assert_ne!(times("TCP connect"), times("TLS handshake"));
}

#[test]
fn without_responses_nothing_is_measured() {
    let mut none = summary(0);
    none.total = Stats { requests: 20, errors: [("connect".to_owned(), 20)].into(), ..Stats::default() };
    let none = lines(&none);
    let cells: Vec<&str> = find(&none, "total").split_whitespace().collect();
    assert_eq!(cells, ["total", "20", "0", "20", "0", "0"]);
    assert_eq!(find(&none, "latency").split_whitespace().filter(|cell| *cell == "-").count(), 8);
    assert!(find(&none, "status").ends_with("none"));
}

#[test]
fn a_difference_in_the_counts_is_named() {
    let mut wrong = summary(0);
    wrong.conservation.target_seen = Some(999_999);
    let wrong = lines(&wrong);
    assert!(wrong.iter().any(|l| l.contains("target counted 999,999 ≠ ")), "{wrong:#?}");
    assert!(wrong.iter().any(|l| l.contains("DIFFERENCE")), "{wrong:#?}");
}

#[test]
fn what_was_lost_with_drivers_is_a_part_of_the_plan() {
    let mut short = summary(0);
    let counts = &mut short.conservation;
    (counts.planned, counts.lost) = (1_500_000, 499_990);
    (counts.responses, counts.lost_in_flight) = (999_998, 2);
    let text = lines(&short);
    let at = text.iter().position(|line| line.starts_with("conservation")).expect("conservation");
    let texts: Vec<&str> = text[at..].iter().map(|line| line.trim()).collect();
    let texts = texts.join(" ");
    let wanted = "planned 1,500,000 = sent 1,000,000 + never sent 10 + lost 499,990";
    assert!(texts.contains(wanted), "{text:#?}");
    let wanted = "sent 1,000,000 = responses 999,998 + errors 0 + in flight on lost drivers 2";
    assert!(texts.contains(wanted), "{text:#?}");
    short.conservation.lost_unknown = true;
    assert!(lines(&short).iter().any(|l| l.trim_start().starts_with("lost: unknown")));
}

/// Twenty drivers with long names, counts of ten digits and latencies of hours.
fn wide() -> Summary {
    let mut wide = summary(1_500);
    let counts = |requests: u64| {
        let mut stats = stats(requests, 0);
        stats.errors.insert("an-error-kind-".repeat(12), 4_000_000_004);
        stats.status = (400..430).map(|code: u32| (code.to_string(), 90_000_009)).collect();
        (stats.queued, stats.busy, stats.cpu_wait) = (5_000_000_005, Some(1.0), Some(1.0));
        stats.throughput_rps = 6_000_000_006.0;
        stats.latency_ms = Some(distribution(3.6e7));
        stats
    };
    wide.drivers = (0..20)
        .map(|i| DriverSummary {
            node_id: format!("{}{i}", "node.".repeat(40)),
            state: [DriverRowState::Done, DriverRowState::Lost][i % 2],
            stats: counts(7_000_000_007),
        })
        .collect();
    wide.total = counts(9_000_000_009);
    wide.total.service_ms = Some(distribution(1e300));
    wide.verdict = vec!["a rather long verdict that goes on ".repeat(10), "v".repeat(300)];
    let drivers = wide.drivers.iter().take(3).map(|driver| driver.node_id.clone()).collect();
    let cause = "https://[2001:db8:85a3::8a2e:370:7334]:8443/".repeat(4);
    wide.error_samples = vec![ErrorSample { kind: "k".repeat(100), cause, count: 8_000_000_008, drivers }];
    wide.plan["target_url"] =
        "http://[2001:db8:85a3:1111:2222:8a2e:370:7334]:65535/a/long/path/to/a/page?q=1".into();
    wide.conservation.target_seen = Some(u64::MAX);
    let expression = "p99.9 > 250ms for 10s ".repeat(5);
    wide.thresholds = vec![ThresholdResult { expression, value: Some(3e9), passed: false, since_s: None }];
    wide
}

#[test]
fn no_line_is_wider_than_80_columns_and_no_number_is_cut() {
    let lines = lines(&wide());
    let text = lines.join("\n");
    let figures = ["9,000,000,009", "7,000,000,007", "4,000,000,004", "5,000,000,005", "2,700,000,270"];
    let words: Vec<&str> = text.split_whitespace().map(|word| word.trim_end_matches([',', ':'])).collect();
    for figure in figures.into_iter().chain(["6,000,000,006", "8,000,000,008", "444,240,000"]) {
        assert!(words.contains(&figure), "{figure} in\n{text}");
    }
    assert_eq!(text.matches("7,000,000,007").count(), 20, "every driver:\n{text}");
    assert!(lines.iter().any(|line| columns(line) == WIDTH), "names use the whole width");
    assert!(lines.iter().any(|line| line.starts_with("lost node.") && line.ends_with("19")), "{text}");
    assert!(text.contains("http://[2001:db8:85a3:1111:2222:8a2e:370:7334]:65535/"), "{text}");
}

#[test]
fn bad_requests_only_may_come_from_a_port_that_expects_https() {
    let mut bad = summary(0);
    bad.total.status = [("400".to_owned(), 7)].into();
    assert_eq!(find(&lines(&bad), "status"), "status          400: 7 (this port may expect https)");
    bad.plan["target_url"] = "https://127.0.0.1:8000/ping".into();
    assert!(find(&lines(&bad), "status").ends_with("400: 7"));
    bad.plan["target_url"] = "http://127.0.0.1:8000/ping".into();
    bad.total.status.insert("200".to_owned(), 1);
    assert!(find(&lines(&bad), "status").ends_with("400: 7, 200: 1"));
}

#[test]
fn the_rows_of_many_drivers_are_cut() {
    let mut many = summary(0);
    many.drivers = vec![many.drivers[0].clone(); 60];
    assert!(find(&lines(&many), "… and 10 more drivers").contains("--json"));
}

#[test]
fn names_cannot_write_control_characters_to_the_terminal() {
    let mut odd = summary(0);
    odd.drivers[0].node_id = "a\x1b[2Jb".to_owned();
    odd.verdict = vec!["evil\x1b[2J".to_owned()];
    assert!(!render(&odd).contains('\x1b'));
}

#[test]
fn colours_follow_the_severity_and_change_no_text() {
    let of = |severity: Severity, code: &str| {
        let mut result = summary(0);
        result.findings = vec![Finding::new(code, severity, "All is well.".to_owned())];
        let coloured = render_for(&result, None, true);
        let plain = ["\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[33m"];
        assert_eq!(plain.iter().fold(coloured.clone(), |text, code| text.replace(code, "")), render(&result));
        let title = coloured.lines().find(|line| line.contains("AVALANCHE")).expect("title");
        let first = coloured.lines().next().expect("verdict");
        (first.replace("All is well.", ""), title[..5].to_owned())
    };
    let pair = |code: &str| (format!("\x1b[{code}m\x1b[0m"), format!("\x1b[{code}m"));
    assert_eq!(of(Severity::Info, "all_well"), pair("32"));
    assert_eq!(of(Severity::Warning, "queued"), pair("33"));
    assert_eq!(of(Severity::Failure, "failed"), pair("31"));
    assert_eq!(of(Severity::Info, "shared_host").0, "", "a note has no colour");
    assert!(!render_for(&summary(0), None, true).contains("\x1b[32m"), "severity unknown");
}

/// An A/B test with the drivers and counts of an ordinary one.
fn ab(test: Summary) -> Summary {
    Summary { plan: test.plan, requests: test.requests, comparison: test.comparison, ..summary(0) }
}

#[test]
fn the_answer_of_an_ab_test_is_the_first_line_and_its_figures_have_words() {
    let lines = lines(&ab(ab_test(60.0)));
    assert!(lines[0].starts_with("B is slower than A: p50 +20 %, p90 +20 %"), "{lines:#?}");
    assert!(lines.iter().any(|line| line == "All is well."), "the verdict follows");
    assert_eq!(find(&lines, "request "), "request         GET A http://old:8000/?token=x");
    assert!(lines.iter().any(|line| line == "                    B http://new:8000/?token=x"), "{lines:#?}");
    let at = |start: &str| lines.iter().position(|line| line.starts_with(start)).expect(start);
    let order = ["All is well.", "times in ms", "lag", "A and B", "requests", "p50", "method", "status"];
    assert!(order.map(at).is_sorted(), "{:?}", order.map(at));
    let cells = |start: &str| find(&lines, start).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(cells("requests"), "requests 20,000 20,000");
    assert!(cells("p50").starts_with("p50 50.0 ms 60.0 ms +20 %"), "{}", cells("p50"));
    assert!(cells("p50").ends_with("% slower") && cells("throughput").ends_with("same"), "{lines:#?}");
    assert!(find(&lines, "method").contains("Pairs of sections of the same moment"), "{lines:#?}");
}

#[test]
fn colours_say_what_the_answer_is() {
    let first = |test: Summary| {
        let text = render_for(&ab(test), None, true);
        text.lines().next().unwrap_or_default().split('m').next().unwrap_or_default().to_owned()
    };
    let codes = [60.0, 40.0, 50.0].map(|b_ms| first(ab_test(b_ms)));
    assert_eq!(codes, ["\x1b[31", "\x1b[32", "\x1b[32"]);
    assert_eq!(first(ab_without_answer()), "\x1b[33");
}

#[test]
fn an_ab_test_that_cannot_be_compared_says_every_reason() {
    let mut test = ab(ab_without_answer());
    let method = &mut test.comparison.as_mut().expect("compared")["method"];
    (method["name"], method["text"]) = ("none".into(), "None: too short".into());
    let lines = lines(&test);
    assert_eq!(find(&lines, "method"), "method          None: too short.", "no intervals hold");
    assert!(lines[0].starts_with("Not comparable: B did not complete"), "{lines:#?}");
    assert!(lines.iter().any(|line| line == "- B has no complete response"), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.ends_with("not comparable")), "once is enough: {lines:#?}");
}

#[test]
fn figures_by_request_need_no_comparison() {
    let mut test = ab(ab_test(60.0));
    // Of a newer version, or what a program other than floodgate wrote.
    test.comparison = Some(serde_json::json!({"schema": "floodgate.compare/2"}));
    test.requests[1].stats.errors.insert("timeout".to_owned(), 3);
    test.requests[1].stats.latency_ms = None;
    let lines = lines(&test);
    assert_eq!(lines[0], "All is well.");
    let at = lines.iter().position(|line| line.starts_with("by request")).expect("the figures");
    let rows: Vec<Vec<&str>> =
        lines[at..].iter().take(7).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["by", "request", "requests", "per", "s", "errors", "4xx/5xx", "queued"]);
    assert_eq!((&rows[1][..2], &rows[2][..2]), (&["A", "20,000"][..], &["B", "20,000"][..]));
    assert_eq!((rows[1][3], rows[2][3]), ("0", "3"), "errors");
    assert_eq!((rows[4][..5].join(" "), rows[5].len()), ("latency in ms min mean".to_owned(), 9));
    assert_eq!((rows[5][0], rows[5][3], rows[6][3]), ("A", "50.0", "-"), "medians");
}

#[test]
fn no_name_of_a_comparison_steers_the_terminal_or_widens_a_line() {
    let mut evil = ab(ab_test(60.0));
    let long = format!("\x1b[2J{}", "http://[2001:db8::1]:8443/".repeat(10));
    evil.plan["ab"] = serde_json::json!([long, long]);
    for request in &mut evil.requests {
        (request.name, request.stats.requests) = (long.clone(), u64::MAX);
    }
    let document = evil.comparison.as_mut().expect("compared");
    (document["sentence"], document["advice"]) = (long.clone().into(), long.clone().into());
    document["notes"] = serde_json::json!([long]);
    document["errors"] = serde_json::json!([
        {"kind": long, "a": u64::MAX, "b": 1, "a_percent": 1e15, "b_percent": 0.1}]);
    document["figures"][0]["a"] = 1e300.into();
    for comparison in [evil.comparison.clone(), None] {
        evil.comparison = comparison;
        assert!(!lines(&evil).join("\n").contains('\x1b'));
    }
}
