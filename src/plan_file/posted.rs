//! Plan files that are sent to an orchestrator: in TOML, or with the same keys in JSON. They come alone, so
//! they cannot name other files.

use super::{PlanFile, json, keys};
use crate::message::TestConfig;
use crate::plan::PlanError;
use crate::thresholds;

/// What errors call a plan that was sent.
const NAME: &str = "the plan";
/// Why it cannot name a file.
const NO_FILES: &str = "the orchestrator reads no files";

/// The plan of a TOML document.
///
/// # Errors
/// Everything that is wrong with it, with line, column and caret.
pub fn from_toml(text: &[u8], test_id: &str) -> Result<TestConfig, String> {
    config(PlanFile::parse(NAME, text)?, test_id)
}

/// The plan of a JSON object.
///
/// # Errors
/// Everything that is wrong with it, each with its key.
pub fn from_json(text: &str, test_id: &str) -> Result<TestConfig, String> {
    let toml = json::to_toml(text).map_err(|why| format!("{NAME}: {why}"))?;
    config(PlanFile::parse_rewritten(NAME, &toml)?, test_id)
}

fn config(mut file: PlanFile, test_id: &str) -> Result<TestConfig, String> {
    let mut feeds = std::mem::take(&mut file.options.feeds);
    let at = |key: &str, why: &str| file.error(key, why).unwrap_or_else(|| why.to_owned());
    if let Some(body) = file.body_files.first() {
        return Err(at(&body.path, &format!("{NO_FILES}: send the body as body")));
    }
    for feed in &mut feeds {
        if feed.file.is_some() {
            let why = format!("{NO_FILES}: send rows, or use floodgate run PLAN.toml --orchestrator URL");
            return Err(at(&format!("feeds.{}.file", feed.name), &why));
        }
        feed.read_rows().map_err(|why| at(&format!("feeds.{}.rows", feed.name), &why))?;
    }
    file.options.feeds = feeds;
    let config = file.options.config(test_id, None).map_err(|error| said(&file, &error))?;
    thresholds::checked_plan(&config)
        .map_err(|errors| errors.iter().map(|error| said(&file, error)).collect::<Vec<_>>().join("\n"))?;
    Ok(config)
}

/// A rule that the plan breaks, at the value that breaks it or with its key.
fn said(file: &PlanFile, error: &PlanError) -> String {
    let in_terms = || format!("{}: {}", keys::of_field(&error.field), keys::reason(&error.reason));
    file.plan_error(error).unwrap_or_else(in_terms)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = r#"
        target_url = "http://127.0.0.1:8000"
        rate = 2_000
        connections = 64
        count = 9
        fail_if = ["order.p95 > 400ms"]
        [feeds.users]
        rows = [{ id = 1, term = "a b" }, { id = 2, term = "c" }]
        [request]
        headers = { X-Z = "1", X-A = "2" }
        [[requests]]
        name = "search"
        weight = 6
        url = "/search?q={{users.term|url}}"
        [[requests]]
        name = "order"
        body = "{{users.id}}"
        expect = { status = [200, 201], json = { "/ok" = true } }
    "#;
    const JSON: &str = r#"{
        "target_url": "http://127.0.0.1:8000", "rate": 2000, "connections": 64, "count": 9,
        "fail_if": ["order.p95 > 400ms"],
        "feeds": {"users": {"rows": [{"id": 1, "term": "a b"}, {"id": 2, "term": "c"}]}},
        "request": {"headers": {"X-Z": "1", "X-A": "2"}},
        "requests": [
            {"name": "search", "weight": 6, "url": "/search?q={{users.term|url}}"},
            {"name": "order", "body": "{{users.id}}", "expect": {"status": [200, 201], "json": {"/ok": true}}}
        ]
    }"#;

    #[test]
    fn json_and_toml_give_the_same_plan() {
        let toml = from_toml(TOML.as_bytes(), "t").expect("valid");
        assert_eq!(from_json(JSON, "t").expect("valid"), toml);
        let fleet = toml.fleet.expect("totals");
        assert_eq!((fleet.rate, fleet.connections, fleet.requests), (Some(2000.0), Some(64), Some(9)));
        assert_eq!((toml.requests.len(), toml.feeds[0].count, toml.test_id.as_str()), (2, 2, "t"));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_key_and_in_toml_with_its_place() {
        for (json, expected) in [
            (r#"{"rat": 1}"#, "rat is not a key of a plan file: did you mean rate?"),
            (r#"{"rate": "5"}"#, "rate: must be a number, not a string: write 5 without quotes"),
            (r#"{"rate": 1, "rate": 9}"#, "the plan: duplicate key: \"rate\""),
            (r#"{"duration": 5}"#, "duration: must be a string with a unit"),
            (r#"{"requests": [{"name": "a"}, {"name": "a"}]}"#, "requests[1].name: "),
            (r#"{"request": {"body_file": "b"}}"#, "request.body_file: the orchestrator reads no files"),
            (r#"{"feeds": {"u": {"file": "u.csv"}}}"#, "feeds.u.file: the orchestrator reads no files: "),
            (r#"{"feeds": {"u": {"rows": [{"a": 1}, {"b": 1}]}}}"#, "feeds.u.rows: row 2: "),
            (r#"{"rate": null}"#, "the plan: rate: null is not a value of a plan: omit the key"),
            (r#"{"delay": "1s", "test_type": "avalanche"}"#, "delay: applies to tsunami only"),
        ] {
            let error = from_json(json, "t").expect_err("wrong");
            assert!(error.starts_with(expected), "{error}");
            assert!(
                !error.contains('\n') && !error.contains(" | "),
                "a place in the rewritten text: {error}"
            );
        }
        let error = from_toml(b"rate = 1\nrat = 2\n", "t").expect_err("wrong");
        assert!(error.starts_with("the plan:2:1: rat is not a key") && error.ends_with("^^^"), "{error}");
    }
}
