//! What was run: the test type, the request and the plan.

use super::text::{LABEL, labelled, shorten, wrap};
use crate::message::{Stage, TestConfig, TestType, config_in, secrets};
use crate::plan::{DEFAULT_CONNECTIONS, DEFAULT_DELAY, DEFAULT_DURATION, Plan};
use crate::plan::{recorded, words};
use crate::schedule::supply;
use crate::stats::summary::Summary;
use crate::units::{format_count, format_duration, format_duration_ms, format_number, trim_number};

/// Most columns of a URL.
const MAX_URL: usize = 3 * 64;
/// Most columns of a method that a second URL is indented by.
const MAX_METHOD: usize = 16;
/// Most stages that are named.
const MAX_STAGES: usize = 8;

/// `AVALANCHE (closed loop), completed, 10 s measured`
pub fn title(summary: &Summary) -> String {
    let gloss = plan(summary).map_or(String::new(), |plan| format!(" ({})", gloss(&plan, summary)));
    let elapsed_s = (summary.total.elapsed_s * 10.0).round() / 10.0;
    let measured =
        if elapsed_s > 0.0 { format!(", {} s measured", trim_number(elapsed_s)) } else { String::new() };
    wrap(&format!("{}{gloss}, {}{measured}", summary.test_type, summary.state), 2)
}

/// The request and the plan; nothing if the plan is of a form that this version cannot read.
pub fn details(summary: &Summary) -> Vec<String> {
    let Some(plan) = plan(summary) else { return Vec::new() };
    let mut parts = vec![pace(&plan), end(&plan)];
    let warmup = plan.warmup_ms.filter(|ms| *ms > 0).map(|ms| format!("warm-up {}", format_duration_ms(ms)));
    parts.push(warmup);
    parts.push(Some(connections(&plan)));
    parts.push(Some(counted(summary.drivers.len() as u64, "driver")));
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    vec![request(&plan), labelled("plan", &parts.join(", "))]
}

/// The plan without secrets.
fn plan(summary: &Summary) -> Option<TestConfig> {
    let mut plan = summary.plan.clone();
    secrets::hide(&mut plan);
    config_in(&plan).ok()
}

/// How the requests are paced, in the words of a newcomer.
fn gloss(plan: &TestConfig, summary: &Summary) -> &'static str {
    let has_rate = plan.target_throughput.or(plan.fleet.as_ref().and_then(|fleet| fleet.rate)).is_some();
    match plan.test_type {
        TestType::Tsunami => "fixed interval",
        TestType::Avalanche if plan.starts.is_some() => "recorded times",
        TestType::Avalanche if !stages(plan).0.is_empty() => "rate in stages",
        // A driver's own flags may set a rate; only at a rate can requests be queued.
        TestType::Avalanche if has_rate || summary.total.queued > 0 => "fixed rate",
        TestType::Avalanche => "closed loop",
    }
}

/// The method and the target; of an A/B test both, below each other; of several requests their number.
fn request(plan: &TestConfig) -> String {
    let method = plan.method();
    let [a, b] = &plan.ab[..] else {
        let url = plan.target_url.as_deref().map(|url| shorten(url, MAX_URL));
        let url = url.as_deref().unwrap_or("(each driver's own target)");
        if !plan.requests.is_empty() {
            // The table has a row for each.
            return labelled("requests", &format!("{} to {url}", plan.requests.len()));
        }
        return labelled("request", &format!("{method} {url}"));
    };
    let indent = LABEL + method.len().min(MAX_METHOD) + 1;
    let second = wrap(&format!("{}B {}", " ".repeat(indent), shorten(b, MAX_URL)), indent);
    format!("{}\n{second}", labelled("request", &format!("{method} A {}", shorten(a, MAX_URL))))
}

/// The rate, the stages or the delay; none of a closed loop.
fn pace(plan: &TestConfig) -> Option<String> {
    if let Some(starts) = &plan.starts {
        return Some(words::as_recorded(starts));
    }
    if plan.test_type == TestType::Tsunami {
        let by_default = if plan.test_message_delay.is_none() { " (default)" } else { "" };
        let delay = plan.test_message_delay.unwrap_or(DEFAULT_DELAY.as_secs_f64() * 1e3);
        return Some(format!("a request every {} ms{by_default} on each driver", trim_number(delay)));
    }
    let fleet = plan.fleet.clone().unwrap_or_default();
    let rate = fleet.rate.map(|rate| (rate, "")).or(plan.target_throughput.map(|rate| (rate, EACH)));
    let (stages, scope) = stages(plan);
    if stages.is_empty() {
        return rate.map(|(rate, scope)| format!("{} requests/s{scope}", format_number(rate)));
    }
    let from = rate.map_or(String::new(), |(rate, _)| format!(" from {}/s", format_number(rate)));
    let one = |stage: &Stage| {
        format!("{}/s within {}", format_number(stage.rate), format_duration_ms(stage.duration_ms))
    };
    let mut named: Vec<String> = stages.iter().take(MAX_STAGES).map(one).collect();
    if stages.len() > MAX_STAGES {
        named.push(format!("{} more", stages.len() - MAX_STAGES));
    }
    Some(format!("stages{from} to {}{scope}", named.join(", ")))
}

/// Of numbers that hold for each driver.
const EACH: &str = " on each driver";

/// The stages and whose they are.
fn stages(plan: &TestConfig) -> (&[Stage], &'static str) {
    match &plan.fleet {
        Some(fleet) if !fleet.stages.is_empty() => (&fleet.stages, ""),
        _ => (&plan.stages, EACH),
    }
}

/// Time, requests or both, whichever is first; none where the stages say it.
fn end(plan: &TestConfig) -> Option<String> {
    if plan.starts.as_ref().is_some_and(|starts| recorded::is_whole(plan, starts)) {
        return None;
    }
    let all = plan.fleet.as_ref().and_then(|fleet| fleet.requests).map(|n| (n, ""));
    let requests = all.or(plan.message_count_per_driver.map(|n| (n, EACH)));
    let requests = requests.map(|(n, scope)| format!("{}{scope}", counted(n, "request")));
    let rows = Plan::as_written(plan).ok().and_then(|plan| supply::exhausted(&plan, plan.drivers()));
    let rows = rows.map(|end| format!("{} (the rows of {})", counted(end.requests, "request"), end.feed));
    let requests = rows.or(requests);
    match (plan.duration_ms.map(format_duration_ms), requests) {
        (Some(time), Some(requests)) => Some(format!("{time} or {requests}")),
        (time, requests) if time.is_some() || requests.is_some() => time.or(requests),
        _ if !stages(plan).0.is_empty() => None,
        _ => Some(format!("{} (default)", format_duration(DEFAULT_DURATION))),
    }
}

fn connections(plan: &TestConfig) -> String {
    let each = |n: u32| counted(u64::from(n), "connection");
    match (plan.fleet.as_ref().and_then(|fleet| fleet.connections), plan.connections) {
        (Some(all), _) => each(all),
        (None, Some(n)) => each(n) + EACH,
        (None, None) => format!("{} (default){EACH}", each(DEFAULT_CONNECTIONS)),
    }
}

/// `1 driver`, `2 drivers`
fn counted(n: u64, what: &str) -> String {
    format!("{} {what}{}", format_count(n), if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// Title and details of a plan that adds these fields to the smallest one.
    fn heading(test_type: &str, fields: Value) -> Vec<String> {
        let mut plan = json!({"test_id": "t", "test_type": test_type});
        let added = fields.as_object().expect("an object").clone();
        plan.as_object_mut().expect("an object").extend(added);
        let summary = Summary { test_type: test_type.to_owned(), plan, ..Summary::default() };
        let mut lines = vec![title(&summary)];
        lines.extend(details(&summary));
        lines
    }

    #[test]
    fn a_closed_loop_is_named_with_its_connections_and_its_end() {
        let fields =
            json!({"target_url": "http://h:8/ping", "fleet": {"connections": 1}, "duration_ms": 30_000});
        assert_eq!(
            heading("AVALANCHE", fields),
            [
                "AVALANCHE (closed loop), ready",
                "request         GET http://h:8/ping",
                "plan            30s, 1 connection, 0 drivers",
            ]
        );
    }

    #[test]
    fn several_requests_are_counted() {
        let fields = json!({"target_url": "http://h:8/", "requests": [{"name": "a"}, {"name": "b"}]});
        assert_eq!(heading("AVALANCHE", fields)[1], "requests        2 to http://h:8/");
    }

    #[test]
    fn rates_and_intervals_have_a_gloss_and_say_whose_they_are() {
        let rate = heading("AVALANCHE", json!({"fleet": {"rate": 2000, "requests": 500}, "warmup_ms": 2000}));
        assert_eq!(rate[0], "AVALANCHE (fixed rate), ready");
        assert_eq!(
            rate[2],
            "plan            2,000 requests/s, 500 requests, warm-up 2s, 16 connections\n                \
             (default) on each driver, 0 drivers"
        );
        let each =
            heading("AVALANCHE", json!({"target_throughput": 0.5, "duration_ms": 1, "connections": 3}));
        assert!(each[2].contains("0.5 requests/s on each driver, 1ms, 3 connections"), "{each:?}");
        assert!(each[2].contains("connections on each\n                driver, 0 drivers"), "{each:?}");
        let gap = heading("TSUNAMI", json!({"test_message_delay": 2.5, "request": {"method": "POST"}}));
        assert_eq!(gap[0], "TSUNAMI (fixed interval), ready");
        assert_eq!(gap[1], "request         POST (each driver's own target)");
        assert!(gap[2].contains("a request every 2.5 ms on each driver, 10s (default)"), "{gap:?}");
        assert!(heading("TSUNAMI", json!({}))[2].contains("every 10 ms (default) on each driver"));
    }

    #[test]
    fn a_recording_ends_the_test_unless_something_else_does() {
        let starts = json!({"count": 1_000, "last_us": 59_999_000, "unit_us": 1});
        let plan = |ms: u64, requests: u64| {
            let fleet = json!({"requests": requests, "connections": 4});
            let lines = heading("AVALANCHE", json!({"starts": starts, "duration_ms": ms, "fleet": fleet}));
            assert_eq!(lines[0], "AVALANCHE (recorded times), ready");
            lines[2].split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let recorded = "plan as recorded: 1,000 requests within 60s, ";
        assert!(plan(60_000, 1_000).starts_with(&format!("{recorded}4 connections")));
        assert!(plan(5_000, 1_000).starts_with(&format!("{recorded}5s or 1,000 requests, 4 connections")));
        assert!(plan(60_000, 10).starts_with(&format!("{recorded}60s or 10 requests, 4 connections")));
    }

    #[test]
    fn stages_are_named_and_end_the_test() {
        let stages = json!([{"duration_ms": 30_000, "rate": 100}, {"duration_ms": 60_000, "rate": 500}]);
        let lines = heading("AVALANCHE", json!({"fleet": {"rate": 50, "stages": stages, "connections": 4}}));
        assert_eq!(lines[0], "AVALANCHE (rate in stages), ready");
        assert_eq!(
            lines[2],
            "plan            stages from 50/s to 100/s within 30s, 500/s within 60s, 4\n                \
             connections, 0 drivers"
        );
        let many = vec![json!({"duration_ms": 1, "rate": 1}); 20];
        assert!(heading("AVALANCHE", json!({"stages": many}))[2].contains("12 more on each driver"));
    }

    #[test]
    fn fields_for_original_drivers_are_no_part_of_the_plan() {
        let fields = json!({"fleet": {"rate": 10}, "duration_ms": 5000, "message_count_per_driver": 25,
            "test_message_delay": 100, "derived": ["message_count_per_driver", "test_message_delay"]});
        assert!(heading("AVALANCHE", fields)[2].contains(" 10 requests/s, 5s, "));
    }

    #[test]
    fn passwords_are_hidden_and_long_urls_shortened() {
        let lines = heading("AVALANCHE", json!({"target_url": "http://me:pw@[2001:db8::1]:8443/"}));
        assert_eq!(lines[1], "request         GET http://(hidden)@[2001:db8::1]:8443/");
        let lines = heading("AVALANCHE", json!({"ab": ["http://old/", "http://me:pw@new/"]}));
        assert_eq!(lines[1], "request         GET A http://old/\n                    B http://(hidden)@new/");
        let url = format!("http://h/{}/end", "x".repeat(5_000));
        let lines = heading("AVALANCHE", json!({"target_url": url}));
        assert!(lines[1].lines().count() <= 4 && lines[1].ends_with("/end"), "{}", lines[1]);
    }

    #[test]
    fn a_plan_that_cannot_be_read_leaves_the_title() {
        let summary = Summary { test_type: "NOVEL".to_owned(), plan: json!([1]), ..Summary::default() };
        assert_eq!((title(&summary).as_str(), details(&summary).len()), ("NOVEL, ready", 0));
    }
}
