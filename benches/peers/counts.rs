//! How many requests of each client were answered, according to its output.

use serde_json::Value;

/// Answered requests, and their duration in seconds if the tool reports it.
pub type Counted = (f64, Option<f64>);

fn number_after(output: &str, mark: &str) -> Option<f64> {
    let rest = &output[output.find(mark)? + mark.len()..];
    rest.split_whitespace().next()?.trim_end_matches(['s', ',']).parse().ok()
}

fn json(output: &str) -> Option<Value> {
    serde_json::from_str(&output[output.find('{')?..]).ok()
}

/// The floor's output.
pub fn floor(output: &str) -> Option<Counted> {
    Some((number_after(output, "requests ")?, number_after(output, "seconds ")))
}

/// The output of `floodgate run --json`.
pub fn floodgate(output: &str) -> Option<Counted> {
    let total = &json(output)?["total"];
    Some((total["responses"].as_f64()?, total["elapsed_s"].as_f64()))
}

/// The output of wrk.
pub fn wrk(output: &str) -> Option<Counted> {
    let line = output.lines().find(|line| line.contains(" requests in "))?;
    let requests = line.split_whitespace().next()?.parse().ok()?;
    Some((requests, number_after(line, " requests in ")))
}

/// The output of ab.
pub fn ab(output: &str) -> Option<Counted> {
    let failed = number_after(output, "Failed requests:")?;
    Some((
        number_after(output, "Complete requests:")? - failed,
        number_after(output, "Time taken for tests:"),
    ))
}

/// The JSON output of oha.
pub fn oha(output: &str) -> Option<Counted> {
    let result = json(output)?;
    let codes = result["statusCodeDistribution"].as_object()?;
    Some((codes.values().filter_map(Value::as_f64).sum(), result["summary"]["total"].as_f64()))
}

/// The output of hey.
pub fn hey(output: &str) -> Option<Counted> {
    let line = output.lines().find(|line| line.trim_end().ends_with("responses"))?;
    let requests = line.split_whitespace().nth(1)?.parse().ok()?;
    Some((requests, number_after(output, "Total:")))
}

/// The JSON output of `vegeta report`.
pub fn vegeta(output: &str) -> Option<Counted> {
    let result = json(output)?;
    Some((
        result["requests"].as_f64()? * result["success"].as_f64()?,
        result["duration"].as_f64().map(|ns| ns / 1e9),
    ))
}

/// The summary from the k6 script.
pub fn k6(output: &str) -> Option<Counted> {
    let result = json(output)?;
    let value = |metric: &str, name: &str| result["metrics"][metric]["values"][name].as_f64();
    let answered = value("http_reqs", "count")? * (1.0 - value("http_req_failed", "rate")?);
    Some((answered, result["state"]["testRunDurationMs"].as_f64().map(|ms| ms / 1e3)))
}
