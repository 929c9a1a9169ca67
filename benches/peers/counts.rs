//! How many requests of each client were answered, as its own output says it.

use serde_json::Value;

/// Answered requests, and the seconds that they took where the tool says so.
pub type Counted = (f64, Option<f64>);

fn number_after(output: &str, mark: &str) -> Option<f64> {
    let rest = &output[output.find(mark)? + mark.len()..];
    rest.split_whitespace().next()?.trim_end_matches(['s', ',']).parse().ok()
}

fn json(output: &str) -> Option<Value> {
    serde_json::from_str(&output[output.find('{')?..]).ok()
}

/// Of the floor.
pub fn floor(output: &str) -> Option<Counted> {
    Some((number_after(output, "requests ")?, number_after(output, "seconds ")))
}

/// Of `floodgate run --json`.
pub fn floodgate(output: &str) -> Option<Counted> {
    let total = &json(output)?["total"];
    Some((total["responses"].as_f64()?, total["elapsed_s"].as_f64()))
}

/// Of wrk.
pub fn wrk(output: &str) -> Option<Counted> {
    let line = output.lines().find(|line| line.contains(" requests in "))?;
    let requests = line.split_whitespace().next()?.parse().ok()?;
    Some((requests, number_after(line, " requests in ")))
}

/// Of ab.
pub fn ab(output: &str) -> Option<Counted> {
    let failed = number_after(output, "Failed requests:")?;
    Some((
        number_after(output, "Complete requests:")? - failed,
        number_after(output, "Time taken for tests:"),
    ))
}

/// Of oha in JSON.
pub fn oha(output: &str) -> Option<Counted> {
    let result = json(output)?;
    let codes = result["statusCodeDistribution"].as_object()?;
    Some((codes.values().filter_map(Value::as_f64).sum(), result["summary"]["total"].as_f64()))
}

/// Of hey.
pub fn hey(output: &str) -> Option<Counted> {
    let line = output.lines().find(|line| line.trim_end().ends_with("responses"))?;
    let requests = line.split_whitespace().nth(1)?.parse().ok()?;
    Some((requests, number_after(output, "Total:")))
}

/// Of `vegeta report` in JSON.
pub fn vegeta(output: &str) -> Option<Counted> {
    let result = json(output)?;
    Some((
        result["requests"].as_f64()? * result["success"].as_f64()?,
        result["duration"].as_f64().map(|ns| ns / 1e9),
    ))
}

/// Of the k6 script's summary.
pub fn k6(output: &str) -> Option<Counted> {
    let result = json(output)?;
    let value = |metric: &str, name: &str| result["metrics"][metric]["values"][name].as_f64();
    let answered = value("http_reqs", "count")? * (1.0 - value("http_req_failed", "rate")?);
    Some((answered, result["state"]["testRunDurationMs"].as_f64().map(|ms| ms / 1e3)))
}
