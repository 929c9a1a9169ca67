//! What a plan asks for, in a few words for the heading.

use crate::message::{TestConfig, Totals, config_in};
use crate::plan::words::{connections, load, request};
use crate::units::{format_count, format_duration_ms};
use serde_json::Value;

/// Terms with their values; empty if the plan cannot be read.
pub fn terms(plan: &Value) -> Vec<(&'static str, String)> {
    let Ok(config) = config_in(plan) else { return Vec::new() };
    let fleet = config.fleet.clone().unwrap_or_default();
    let mut terms = vec![("request", request(&config)), ("load", load(&config, &fleet))];
    terms.extend(amount(&config, &fleet).map(|text| ("ends after", text)));
    terms.extend(connections(&config, &fleet).map(|text| ("connections", text)));
    terms.extend(config.warmup_ms.filter(|ms| *ms > 0).map(|ms| ("warm-up", format_duration_ms(ms))));
    terms.extend(config.timeout_ms.map(|ms| ("timeout", format_duration_ms(ms))));
    terms
}

/// Planned length in s; `None` if a count or the drivers' own flags end the test.
pub fn planned_s(plan: &Value) -> Option<f64> {
    let config = config_in(plan).ok()?;
    length_ms(&config, &config.fleet.clone().unwrap_or_default()).map(|ms| ms as f64 / 1_000.0)
}

/// Whether requests start by a schedule, whatever the target does; false if the drivers' own flags decide.
pub fn is_open(plan: &Value) -> bool {
    let Ok(config) = config_in(plan) else { return false };
    let fleet = config.fleet.clone().unwrap_or_default();
    let is_paced = config.target_throughput.or(fleet.rate).is_some() || config.test_message_delay.is_some();
    is_paced || config.starts.is_some() || !config.stages.is_empty() || !fleet.stages.is_empty()
}

/// The duration, or else the stages together.
fn length_ms(config: &TestConfig, fleet: &Totals) -> Option<u64> {
    let stages = config.stages.iter().chain(&fleet.stages);
    let staged = stages.fold(0u64, |sum, stage| sum.saturating_add(stage.duration_ms));
    config.duration_ms.or(Some(staged).filter(|ms| *ms > 0))
}

fn amount(config: &TestConfig, fleet: &Totals) -> Option<String> {
    let total = fleet.requests.map(|n| format!("{} requests in total", format_count(n)));
    let each = config.message_count_per_driver.map(|n| format!("{} requests per driver", format_count(n)));
    let ends: Vec<_> =
        length_ms(config, fleet).map(format_duration_ms).into_iter().chain(total.or(each)).collect();
    (!ends.is_empty()).then(|| ends.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn term(plan: Value, wanted: &str) -> String {
        let mut plan = plan;
        plan["test_id"] = "t".into();
        let found = terms(&plan).into_iter().find(|(name, _)| *name == wanted);
        found.map_or(String::new(), |(_, text)| text)
    }

    #[test]
    fn the_load_is_a_rate_stages_an_interval_or_a_closed_loop() {
        let load = |mut plan: Value, test_type: &str| {
            plan["test_type"] = test_type.into();
            term(plan, "load")
        };
        let stages = json!([{"duration_ms": 10_000, "rate": 1_000}, {"duration_ms": 500, "rate": 2.5}]);
        let cases = [
            (json!({"fleet": {"rate": 2_000}}), "2,000/s in total"),
            (json!({"target_throughput": 12.5}), "12.5/s per driver"),
            (
                json!({"fleet": {"stages": stages, "rate": 5}}),
                "from 5/s to 1,000/s in 10s, to 2.5/s in 500ms, in total",
            ),
            (json!({ "stages": stages }), "from 0/s to 1,000/s in 10s, to 2.5/s in 500ms, per driver"),
            (json!({}), "closed loop, unless a driver has its own rate"),
        ];
        for (plan, words) in cases {
            assert_eq!(load(plan, "AVALANCHE"), words);
        }
        let every = json!({"test_message_delay": 2.5});
        assert_eq!(load(every, "TSUNAMI"), "one request every 2.5 ms per driver");
        assert_eq!(load(json!({}), "TSUNAMI"), "each driver's own interval");
    }

    #[test]
    fn the_target_shows_no_secrets() {
        let shown = |url: &str| term(json!({"test_type": "TSUNAMI", "target_url": url}), "request");
        assert_eq!(shown("http://h:1/a"), "GET http://h:1/a");
        assert_eq!(shown("http://me:pw@h/a?token=x#y"), "GET http://(hidden)@h/a?…");
        let ab = json!({"test_type": "TSUNAMI", "ab": ["http://old/?k=1", "http://me:pw@new/"]});
        assert_eq!(term(ab, "request"), "GET A http://old/?…, B http://(hidden)@new/");
        let post = json!({"test_type": "TSUNAMI", "request": {"method": "POST"}});
        assert_eq!(term(post, "request"), "POST each driver's own target");
        assert!(shown(&format!("http://h/{}", "a".repeat(5_000))).chars().count() < 250);
    }

    #[test]
    fn the_end_is_a_time_a_count_or_both() {
        let plan = json!({"test_type": "AVALANCHE", "duration_ms": 60_000, "fleet": {"requests": 10_000}});
        assert_eq!(term(plan.clone(), "ends after"), "60s or 10,000 requests in total");
        assert_eq!(term(json!({"test_type": "AVALANCHE"}), "ends after"), "");
        assert_eq!(terms(&json!(null)), []);
        let planned = |mut plan: Value| {
            plan["test_id"] = "t".into();
            planned_s(&plan)
        };
        assert_eq!(planned(plan), Some(60.0));
        let staged = json!({"test_type": "AVALANCHE", "stages": [{"duration_ms": 1_500, "rate": 1}]});
        assert_eq!(planned(staged), Some(1.5));
    }
}
