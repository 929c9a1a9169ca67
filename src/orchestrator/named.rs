//! The figures of each named request.

use super::aggregate::Aggregate;
use crate::compare::Run;
use crate::stats::summary::{RequestSummary, Stats, Summary};
use serde_json::Value;

/// The figures by name; the plan of the summary knows what each request is. `elapsed_s` is the running time
/// of the fleet.
pub fn requests(figures: &Aggregate, plan: &Value, elapsed_s: f64) -> Vec<RequestSummary> {
    let summary = |(index, (name, own)): (usize, &(String, Aggregate))| {
        let (latency, service, lag) = own.histograms();
        RequestSummary {
            name: name.clone(),
            method: method(plan, index).to_owned(),
            url: url(plan, index),
            stats: Stats::new(own.counts(), latency, service, lag, elapsed_s),
        }
    };
    figures.by_name().iter().enumerate().map(summary).collect()
}

/// The requests of each name of a test that has ended, each as a run of its own.
pub fn runs(summary: &Summary, figures: &Aggregate) -> Vec<Run> {
    let all = summary.requests.iter().zip(figures.by_name());
    all.map(|(one, (_, own))| run(summary, one, &one.name, own)).collect()
}

/// The requests of one name as a run of its own, called `name`.
pub fn run(summary: &Summary, request: &RequestSummary, name: &str, figures: &Aggregate) -> Run {
    let own = Summary {
        total: request.stats.clone(),
        requests: Vec::new(),
        comparison: None,
        series: figures.series(|_| false),
        ..summary.clone()
    };
    Run::new(name, own, figures.intervals().collect())
}

fn method(plan: &Value, index: usize) -> &str {
    let own = plan["requests"].get(index);
    own.map_or(&plan["request"], |own| own)["method"].as_str().unwrap_or("GET")
}

/// Where the request with this index goes: a URL of an A/B test, otherwise a path on the target.
fn url(plan: &Value, index: usize) -> String {
    let path = plan["requests"][index]["url"].as_str();
    let of_ab = plan["ab"][index].as_str();
    path.or(of_ab).or(plan["target_url"].as_str()).unwrap_or_default().to_owned()
}
