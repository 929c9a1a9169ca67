//! A/B in one run: the requests to A and those to B as two runs at the same time.

use super::aggregate::Aggregate;
use super::named;
use crate::compare::{Run, Settings, compare};
use crate::stats::summary::Summary;
use serde_json::Value;

/// The requests to A and to B of a test that has ended, each as a run of its own; `None` for any other
/// test.
pub fn runs(summary: &Summary, figures: &Aggregate) -> Option<[Run; 2]> {
    let (true, [a, b], [(_, figures_a), (_, figures_b)]) =
        (summary.is_ab(), &summary.requests[..], figures.by_name())
    else {
        return None;
    };
    Some([named::run(summary, a, &a.url, figures_a), named::run(summary, b, &b.url, figures_b)])
}

/// B against A, as a `floodgate.compare/1` document; `None` if it is no A/B test that has ended.
pub fn comparison(summary: &Summary, figures: &Aggregate) -> Option<Value> {
    let [a, b] = runs(summary, figures)?;
    let compared = compare(&[a], &[b], &Settings::paired()).ok()?;
    serde_json::to_value(compared).ok()
}
