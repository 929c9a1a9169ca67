//! The fields of a plan: their names, what each must be, and suggestions for misspelled names.

use super::limits;
use crate::check;
use crate::spelling::MOST_COMPARED;
pub use crate::spelling::nearest;
use crate::units::{clip, quoted};
use serde_json::Value;
use std::fmt::Display;
use std::ops::RangeInclusive;

/// Fields of a `test_config` that a user may set.
const PLAN: [&str; 24] = [
    "test_id",
    "test_type",
    "test_message_delay",
    "message_count_per_driver",
    "target_throughput",
    "duration_ms",
    "warmup_ms",
    "stages",
    "starts",
    "connections",
    "timeout_ms",
    "max_requests_per_connection",
    "client",
    "target_url",
    "ab",
    "host",
    "insecure",
    "request",
    "requests",
    "seed",
    "feeds",
    "fleet",
    "thresholds",
    "on_driver_loss",
];
const FLEET: [&str; 4] = ["rate", "requests", "connections", "stages"];
const REQUEST: [&str; 5] = ["method", "headers", "body", "body_base64", "expect"];
const NAMED: [&str; 8] = ["name", "weight", "url", "method", "headers", "body", "body_base64", "expect"];
const FEED: [&str; 9] = ["name", "pick", "at_end", "format", "columns", "count", "sha256", "file", "data"];
const STARTS: [&str; 4] = ["count", "last_us", "unit_us", "gaps"];
const STAGE: [&str; 2] = ["duration_ms", "rate"];
/// Accepted here but not advertised: for `drivers` and `previous` the orchestrator has its own errors, and
/// some clients write `duration` in a stage; `fail_if` is another name of `thresholds`.
const ALSO_TAKEN: [&str; 4] = ["drivers", "previous", "fail_if", "stages[].duration"];

/// Names from other tools, or without their unit, and the fields they mean.
const MEANT: [(&str, &str); 25] = [
    ("id", "test_id"),
    ("type", "test_type"),
    ("rate", "fleet.rate"),
    ("rps", "fleet.rate"),
    ("qps", "fleet.rate"),
    ("throughput", "target_throughput"),
    ("count", "fleet.requests"),
    ("message_count", "message_count_per_driver"),
    ("concurrency", "fleet.connections"),
    ("users", "fleet.connections"),
    ("vus", "fleet.connections"),
    ("duration", "duration_ms"),
    ("duration_s", "duration_ms"),
    ("delay", "test_message_delay"),
    ("delay_ms", "test_message_delay"),
    ("message_delay", "test_message_delay"),
    ("warmup", "warmup_ms"),
    ("warm_up", "warmup_ms"),
    ("timeout", "timeout_ms"),
    ("url", "target_url"),
    ("target", "target_url"),
    ("method", "request.method"),
    ("header", "request.headers"),
    ("headers", "request.headers"),
    ("body", "request.body"),
];

/// Maximum number of unknown fields that one error names.
const MOST_NAMED: usize = 5;

/// Fails if the JSON of a plan has an unknown field. The error names the field, suggests the one probably
/// meant, and lists all known fields. Values are not checked, except those of `expect` in `requests`.
pub fn check(plan: &Value) -> Result<(), String> {
    let mut unknown = Vec::new();
    let mut look = |value: &Value, place: &str, names: &'static [&'static str]| {
        let Some(object) = value.as_object() else { return };
        let taken = |name: &str| names.contains(&name) || ALSO_TAKEN.contains(&join(place, name).as_str());
        let odd = object.keys().filter(|name| !taken(name));
        unknown.extend(odd.map(|name| (place.to_owned(), name.clone(), names)));
    };
    look(plan, "", &PLAN);
    look(&plan["request"], "request", &REQUEST);
    look(&plan["request"]["expect"], "request.expect", &check::KEYS);
    look(&plan["fleet"], "fleet", &FLEET);
    look(&plan["starts"], "starts", &STARTS);
    plan["feeds"].as_array().into_iter().flatten().for_each(|feed| look(feed, "feeds[]", &FEED));
    for stages in [&plan["stages"], &plan["fleet"]["stages"]] {
        stages.as_array().into_iter().flatten().for_each(|stage| look(stage, "stages[]", &STAGE));
    }
    for one in plan["requests"].as_array().into_iter().flatten() {
        look(one, "requests[]", &NAMED);
        look(&one["expect"], "requests[].expect", &check::KEYS);
    }
    let Some((place, _, names)) = unknown.first().cloned() else { return check_expect(plan) };
    let texts = unknown.iter().take(MOST_NAMED).map(|(place, name, names)| unknown_field(place, name, names));
    let holder = if place.is_empty() { "a plan" } else { &place };
    let texts = texts.collect::<Vec<_>>().join(" ");
    Err(format!("{texts} The fields of {holder} are {}.", names.join(", ")))
}

/// Fails if what a named request expects has the wrong form. The reader of messages only knows which request
/// the error is in.
fn check_expect(plan: &Value) -> Result<(), String> {
    for (index, one) in plan["requests"].as_array().into_iter().flatten().enumerate() {
        let Some((key, value)) = check::misshapen(&one["expect"]) else { continue };
        let field = format!("requests[{index}].expect{}{key}", if key.is_empty() { "" } else { "." });
        let kind = check::kind(key).unwrap_or_default();
        return Err(format!("{field} must be {kind}, not {}", clip(&value.to_string(), MOST_COMPARED)));
    }
    Ok(())
}

/// Fails if an object has a field that is not in `names`.
pub fn check_object(object: &Value, what: &str, names: &[&str]) -> Result<(), String> {
    let odd =
        object.as_object().into_iter().flat_map(|map| map.keys()).find(|k| !names.contains(&k.as_str()));
    match odd {
        None => Ok(()),
        Some(name) => {
            let meant = nearest(name, names).map_or(String::new(), |near| format!(" Did you mean {near}?"));
            Err(format!(
                "{} is not a field of {what}.{meant} The fields are {}.",
                shown(name),
                names.join(", ")
            ))
        }
    }
}

fn unknown_field(place: &str, name: &str, names: &[&'static str]) -> String {
    let here = |meant: &'static str| match place {
        "" => Some(meant),
        _ => meant.strip_prefix(place)?.strip_prefix('.'),
    };
    let mut same = MEANT.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
    let meant = same.find_map(|(_, meant)| here(meant)).or_else(|| nearest(name, names));
    let (what, name) = (if place.is_empty() { "a plan" } else { place }, shown(name));
    match meant {
        Some(meant) => format!("{name} is not a field of {what}: did you mean {meant}{}?", whose(meant)),
        None => format!("{name} is not a field of {what}."),
    }
}

/// Clarifies the scope of a field if it is easily mistaken.
fn whose(field: &str) -> &'static str {
    match field {
        "fleet.rate" => " (all drivers together) or target_throughput (each driver)",
        "fleet.requests" => " (all drivers together) or message_count_per_driver",
        "fleet.connections" => " (all drivers together) or connections (each driver)",
        _ => "",
    }
}

/// An unknown name, clipped and quoted for an error message.
pub fn shown(name: &str) -> String {
    quoted(name, MOST_COMPARED)
}

fn join(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}

/// Completes "must be …" for a field; `None` if the field is unknown. List indices in `field` are omitted:
/// `stages[].rate`.
pub fn kind(field: &str) -> Option<String> {
    let whole = |range: &RangeInclusive<u64>| span("a whole number", range);
    let ms = |range: &RangeInclusive<u64>| span("a whole number of milliseconds", range);
    let connections = |range: &RangeInclusive<u32>| span("a whole number", range);
    let rate = |range: &RangeInclusive<f64>| span("a number of requests/s", range);
    let stage_rate = |most: f64| span("a number of requests/s", &(0.0..=most));
    Some(match field {
        "test_id" => {
            format!("a string of 1 to {} letters, digits and the characters . _ : -", limits::TEST_ID_CHARS)
        }
        "test_type" => "AVALANCHE (closed loop or fixed rate) or TSUNAMI (fixed interval)".to_owned(),
        "test_message_delay" => span("a number of milliseconds", &limits::DELAY_MS),
        "message_count_per_driver" | "fleet.requests" => whole(&limits::REQUESTS),
        "max_requests_per_connection" => whole(&limits::REQUESTS_PER_CONNECTION),
        "target_throughput" => rate(&limits::RATE_RPS),
        "fleet.rate" => rate(&limits::FLEET_RATE_RPS),
        "duration_ms" | "stages[].duration_ms" | "fleet.stages[].duration_ms" => ms(&limits::DURATION_MS),
        "warmup_ms" => ms(&limits::WARMUP_MS),
        "timeout_ms" => ms(&limits::TIMEOUT_MS),
        "connections" => connections(&limits::CONNECTIONS),
        "fleet.connections" => connections(&limits::FLEET_CONNECTIONS),
        "stages[].rate" => stage_rate(*limits::RATE_RPS.end()),
        "fleet.stages[].rate" => stage_rate(*limits::FLEET_RATE_RPS.end()),
        "starts" => "an object with count, last_us, unit_us and gaps".to_owned(),
        "client" => "native or ureq".to_owned(),
        "target_url" => "a string like \"http://127.0.0.1:8000/ping\"".to_owned(),
        "ab" => "a list of two URLs, A and B".to_owned(),
        "host" => "a string like \"shop.example\" or \"shop.example:8443\"".to_owned(),
        "insecure" => "true or false".to_owned(),
        "request" => "an object with method, headers, body or body_base64, and expect".to_owned(),
        "request.method" => "a string like \"POST\"".to_owned(),
        "request.body" | "request.body_base64" => "a string".to_owned(),
        "requests" => "a list of requests, like [{\"name\": \"search\", \"url\": \"/search\"}]".to_owned(),
        "seed" => "a whole number".to_owned(),
        "feeds" => "a list of objects with name, columns, count, sha256, and data or file".to_owned(),
        "feeds[].pick" => "\"cycle\", \"random\" or \"unique\"".to_owned(),
        "feeds[].at_end" => "\"stop\" or \"repeat\"".to_owned(),
        "feeds[].format" => "\"csv\", \"jsonl\" or \"urls\"".to_owned(),
        "fleet" => "an object with rate, requests, connections or stages".to_owned(),
        "thresholds" | "fail_if" => "a list of strings, like [\"p99 > 250ms\"]".to_owned(),
        "on_driver_loss" => "\"continue\" or \"fail\"".to_owned(),
        _ if field.contains(".expect") => {
            let (_, key) = field.split_once(".expect")?;
            check::kind(key.trim_start_matches('.'))?.to_owned()
        }
        _ if field.starts_with("request.headers") => {
            "a list of pairs, like [[\"X-Key\", \"value\"]]".to_owned()
        }
        _ if field.starts_with("stages") || field.starts_with("fleet.stages") => {
            "a list of stages, like [{\"duration_ms\": 30000, \"rate\": 100}]".to_owned()
        }
        _ => return None,
    })
}

fn span<T: Display>(what: &str, range: &RangeInclusive<T>) -> String {
    format!("{what}, {} to {}", range.start(), range.end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{FeedSpec, NamedRequest, NodeRef, RequestSpec, Stage, TestConfig, TestType, Totals};
    use serde_json::json;

    /// A plan that has every field.
    fn whole() -> Value {
        let mut config = TestConfig::new("t", TestType::Avalanche);
        let stages = vec![Stage { duration_ms: 1, rate: 1.0 }];
        let (number, count, text) = (Some(1.0), Some(1), Some("x".to_owned()));
        (config.test_message_delay, config.target_throughput) = (number, number);
        (config.message_count_per_driver, config.duration_ms, config.warmup_ms) = (count, count, count);
        (config.timeout_ms, config.max_requests_per_connection, config.connections) = (count, count, Some(1));
        (config.client, config.target_url, config.stages) = (text.clone(), text.clone(), stages.clone());
        config.ab = vec!["x".to_owned(); 2];
        (config.host, config.insecure) = (text.clone(), Some(true));
        config.fleet = Some(Totals { rate: number, requests: count, connections: Some(1), stages });
        let headers = vec![("a".to_owned(), "b".to_owned())];
        let expect = json!({
            "status": 200, "contains": "x", "not_contains": "x", "json": {"/x": 1}, "header": {"x": "x"},
            "max_bytes": 1, "capture_bytes": 1,
        });
        let spec = RequestSpec {
            method: text.clone(),
            headers,
            body: text.clone(),
            body_base64: text.clone(),
            expect: serde_json::from_value(expect).expect("an expectation"),
        };
        config.requests =
            vec![NamedRequest { name: "x".to_owned(), weight: Some(1), url: text, spec: spec.clone() }];
        config.request = Some(spec);
        config.seed = count;
        config.starts = Some(crate::message::RecordedStarts::default());
        config.feeds = vec![FeedSpec {
            pick: Some(crate::feed::Pick::Unique),
            at_end: Some(crate::feed::AtEnd::Stop),
            file: Some("x".to_owned()),
            data: Some("x".to_owned()),
            ..FeedSpec::default()
        }];
        config.drivers = vec![NodeRef { node_id: "a".to_owned(), epoch: 1 }];
        config.thresholds = vec!["x".to_owned()];
        config.on_driver_loss = Some(crate::message::OnDriverLoss::Fail);
        config.previous = Some(String::new());
        serde_json::to_value(config).expect("JSON")
    }

    #[test]
    fn the_names_match_the_message() {
        let whole = whole();
        assert_eq!(check(&whole), Ok(()));
        let keys = |value: &Value| value.as_object().expect("object").keys().cloned().collect::<Vec<_>>();
        for (object, names) in [
            (&whole, &PLAN[..]),
            (&whole["request"], &REQUEST),
            (&whole["request"]["expect"], &check::KEYS),
            (&whole["requests"][0], &NAMED),
            (&whole["requests"][0]["expect"], &check::KEYS),
            (&whole["fleet"], &FLEET),
            (&whole["feeds"][0], &FEED),
            (&whole["stages"][0], &STAGE),
        ] {
            let mut names = names.to_vec();
            names.retain(|name| !keys(object).iter().any(|key| key == name));
            assert_eq!(names, Vec::<&str>::new(), "a name that the message does not have");
        }
        for name in PLAN {
            assert!(kind(name).is_some(), "{name} has no description");
        }
        for (place, names) in [("fleet", &FLEET[..]), ("request", &REQUEST), ("request.expect", &check::KEYS)]
        {
            names.iter().for_each(|name| assert!(kind(&join(place, name)).is_some(), "{place}.{name}"));
        }
    }

    #[test]
    fn an_unknown_field_is_named_with_a_suggestion() {
        let flood = json!({"test_id": "y2", "test_type": "AVALANCHE", "rate": 10, "duration": 3});
        let error = check(&flood).expect_err("unknown");
        assert!(error.contains("rate is not a field of a plan: did you mean fleet.rate"), "{error}");
        assert!(error.contains("duration is not a field of a plan: did you mean duration_ms?"), "{error}");
        assert!(error.contains("The fields of a plan are test_id, test_type, "), "{error}");
        for (plan, meant) in [
            (json!({"test_typ": "x"}), "did you mean test_type?"),
            (json!({"Target-URL": "x"}), "did you mean target_url?"),
            (json!({"request": {"metod": "x"}}), "metod is not a field of request: did you mean method?"),
            (json!({"fleet": {"rps": 1}}), "rps is not a field of fleet: did you mean rate?"),
            (json!({"fleet": {"rte": 1}}), "rte is not a field of fleet: did you mean rate?"),
            (json!({"stages": [{"rates": 1}]}), "rates is not a field of stages[]: did you mean rate?"),
            (json!({"fleet": {"stages": [{"x": 1}]}}), "x is not a field of stages[]. The fields"),
            (
                json!({"requests": [{"weigth": 1}]}),
                "weigth is not a field of requests[]: did you mean weight?",
            ),
            (
                json!({"requests": [{"expect": {"contain": "x"}}]}),
                "contain is not a field of requests[].expect: did you mean contains?",
            ),
            (
                json!({"request": {"expect": {"header": {"any": "x"}, "max_byte": 1}}}),
                "did you mean max_bytes?",
            ),
            (json!({"surprise\n": 1}), "\"surprise\\n\" is not a field of a plan. The fields"),
        ] {
            let error = check(&plan).expect_err("unknown");
            assert!(error.contains(meant), "{error}");
        }
        let many = Value::Object((0..1_000).map(|i| ("x".repeat(1 + i), json!(1))).collect());
        assert!(check(&many).expect_err("unknown").len() < 1_000);
    }
}
