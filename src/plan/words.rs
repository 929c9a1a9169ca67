//! What a plan asks for, in words for people.

use super::recorded;
use crate::message::{NamedRequest, RecordedStarts, Stage, TestConfig, TestType, Totals, secrets};
use crate::units::{clip, format_count, format_duration_ms, format_number, trim_number};
use serde_json::Value;

/// Maximum number of characters of a target that are shown.
const MAX_TARGET_CHARS: usize = 200;
/// Maximum number of characters of a request's name that are shown.
const MAX_NAME_CHARS: usize = 40;
/// Maximum number of stages that are listed.
const MAX_STAGES: usize = 6;

/// What each type of test does.
pub const GLOSSES: [(&str, &str); 2] =
    [("AVALANCHE", "closed loop or fixed rate"), ("TSUNAMI", "fixed interval")];

/// What a test of this type does; `None` if the type is unknown.
pub fn gloss(test_type: &str) -> Option<&'static str> {
    GLOSSES.iter().find(|(name, _)| *name == test_type).map(|(_, gloss)| *gloss)
}

/// The method and the target, or both targets of an A/B test.
pub fn request(config: &TestConfig) -> String {
    if !config.requests.is_empty() {
        let to = config.target_url.as_deref().map_or("each driver's own target".to_owned(), target);
        return format!("{} requests to {to}", config.requests.len());
    }
    let targets = match (&config.ab[..], &config.target_url) {
        ([a, b], _) => format!("A {}, B {}", target(a), target(b)),
        (_, Some(url)) => target(url),
        (_, None) => "each driver's own target".to_owned(),
    };
    format!("{} {targets}", clip(config.method(), 20))
}

/// The method and the path of one of several requests: `POST /orders`.
pub fn named(one: &NamedRequest) -> String {
    let method = clip(one.spec.method.as_deref().unwrap_or("GET"), 20);
    format!("{method} {}", one.url.as_deref().map_or("the path of the target".to_owned(), target))
}

/// The name of a request: those of an A/B test are `A` and `B` everywhere. Other names are shown as the user
/// wrote them, as conditions spell them.
pub fn request_name(name: &str, is_ab: bool) -> String {
    match name {
        "a" | "b" if is_ab => name.to_uppercase(),
        _ => clip(name, MAX_NAME_CHARS),
    }
}

/// A URL without its secrets: neither user and password nor what its query says, where tokens travel too.
pub fn target(url: &str) -> String {
    let shown = secrets::without_user(url).unwrap_or_else(|| url.to_owned());
    let shown = shown.split_once('?').map_or(shown.clone(), |(path, _)| format!("{path}?…"));
    clip(&shown, MAX_TARGET_CHARS)
}

/// A plan as people may see it: without its secrets, and with each URL as [`target`] shows it.
pub fn shown_plan(plan: &Value) -> Value {
    let mut plan = plan.clone();
    secrets::hide(&mut plan);
    let show = |url: &mut Value| {
        if let Some(text) = url.as_str() {
            *url = target(text).into();
        }
    };
    plan.get_mut("target_url").into_iter().for_each(show);
    plan.get_mut("ab").and_then(Value::as_array_mut).into_iter().flatten().for_each(show);
    let requests = plan.get_mut("requests").and_then(Value::as_array_mut).into_iter().flatten();
    requests.filter_map(|request| request.get_mut("url")).for_each(show);
    plan
}

/// When requests start, and whose rate it is.
pub fn load(config: &TestConfig, fleet: &Totals) -> String {
    let is_total = fleet.rate.is_some() || !fleet.stages.is_empty();
    let (rate, listed, whose) = match is_total {
        true => (fleet.rate, &fleet.stages, "in total"),
        false => (config.target_throughput, &config.stages, "per driver"),
    };
    if let Some(starts) = &config.starts {
        return as_recorded(starts);
    }
    match (config.test_type, config.test_message_delay, rate) {
        (TestType::Tsunami, Some(ms), _) => format!("one request every {} ms per driver", trim_number(ms)),
        (TestType::Tsunami, None, _) => "each driver's own interval".to_owned(),
        (TestType::Avalanche, _, _) if !listed.is_empty() => {
            format!("{}, {whose}", stages(rate.unwrap_or(0.0), listed))
        }
        (TestType::Avalanche, _, Some(rate)) => format!("{} {whose}", per_second(rate)),
        (TestType::Avalanche, _, None) => "closed loop, unless a driver has its own rate".to_owned(),
    }
}

/// `as recorded: 1,000 requests within 60s`
pub fn as_recorded(starts: &RecordedStarts) -> String {
    let plural = if starts.count == 1 { "" } else { "s" };
    let length = format_duration_ms(recorded::length(starts.last_us).as_millis() as u64);
    format!("as recorded: {} request{plural} within {length}", format_count(starts.count))
}

/// `from 0/s to 1,000/s in 10s, to 500/s in 5s`
fn stages(from_rps: f64, stages: &[Stage]) -> String {
    let leg =
        |stage: &Stage| format!("to {} in {}", per_second(stage.rate), format_duration_ms(stage.duration_ms));
    let legs: Vec<_> = stages.iter().take(MAX_STAGES).map(leg).collect();
    let more = match stages.len().saturating_sub(MAX_STAGES) {
        0 => String::new(),
        more => format!(" and {more} more stages"),
    };
    format!("from {} {}{more}", per_second(from_rps), legs.join(", "))
}

/// How many connections, and whose number that is; `None` if the drivers' own flags decide.
pub fn connections(config: &TestConfig, fleet: &Totals) -> Option<String> {
    amount(fleet.connections.map(u64::from), config.connections.map(u64::from))
}

/// A number of the whole fleet, or of each driver.
pub fn amount(total: Option<u64>, each: Option<u64>) -> Option<String> {
    let text = |n: u64, whose: &str| format!("{} {whose}", format_count(n));
    total.map(|n| text(n, "in total")).or(each.map(|n| text(n, "per driver")))
}

fn per_second(rate: f64) -> String {
    format!("{}/s", format_number(rate))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_shown_plan_has_no_query_anywhere() {
        let plan = json!({
            "target_url": "http://h/?api_key=k", "ab": ["http://a/?k=1", "http://b/"],
            "requests": [{"name": "a", "url": "/x?token=t"}, {"name": "b"}],
            "request": {"headers": [["Authorization", "Bearer x"]]},
        });
        let shown = json!({
            "target_url": "http://h/?…", "ab": ["http://a/?…", "http://b/"],
            "requests": [{"name": "a", "url": "/x?…"}, {"name": "b"}],
            "request": {"headers": [["Authorization", "(hidden)"]]},
        });
        assert_eq!(shown_plan(&plan), shown);
        assert_eq!(shown_plan(&Value::Null), Value::Null);
    }

    #[test]
    fn only_the_requests_of_an_ab_test_are_capitals() {
        assert_eq!((request_name("a", true), request_name("a", false)), ("A".to_owned(), "a".to_owned()));
    }
}
