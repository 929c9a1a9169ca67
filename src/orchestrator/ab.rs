//! A/B in one run: the requests to A and those to B as two runs at the same time.

use super::aggregate::Aggregate;
use crate::compare::{Run, Settings, compare};
use crate::stats::summary::{RequestSummary, Summary};
use serde_json::Value;

/// The requests to A and to B of a test that has ended, each as a run of its own; `None` for any other
/// test.
pub fn runs(summary: &Summary, figures: &Aggregate) -> Option<[Run; 2]> {
    let (true, [a, b], [(_, figures_a), (_, figures_b)]) =
        (summary.is_ab(), &summary.requests[..], figures.by_name())
    else {
        return None;
    };
    Some([run(summary, a, figures_a), run(summary, b, figures_b)])
}

fn run(summary: &Summary, request: &RequestSummary, figures: &Aggregate) -> Run {
    let own = Summary {
        total: request.stats.clone(),
        requests: Vec::new(),
        comparison: None,
        series: figures.series(|_| false),
        ..summary.clone()
    };
    Run::new(&request.url, own, figures.intervals().collect())
}

/// B against A, as a `floodgate.compare/1` document; `None` if it is no A/B test that has ended.
pub fn comparison(summary: &Summary, figures: &Aggregate) -> Option<Value> {
    let [a, b] = runs(summary, figures)?;
    let compared = compare(&[a], &[b], &Settings::paired()).ok()?;
    serde_json::to_value(compared).ok()
}
