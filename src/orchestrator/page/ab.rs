//! A and B of an A/B test while it runs, and their comparison once it has ended.

use crate::compare::{Comparison, page};
use crate::stats::summary::Summary;
use maud::{Markup, html};

/// The figures by request name, and what the comparison says; nothing for a plan without request names.
pub fn section(summary: &Summary) -> Markup {
    let comparison = summary.comparison.as_ref().and_then(Comparison::of);
    html! {
        @if !summary.requests.is_empty() {
            section aria-labelledby="ab-title" {
                h3 id="ab-title" { "A and B" }
                @match &comparison {
                    Some(comparison) => {
                        (page::sentence(comparison))
                        (page::requests(summary))
                        (page::figures(comparison))
                        p.dim {
                            (comparison.method.text) "; intervals hold with " (comparison.method.confidence)
                            " % for all latencies together. The report has more."
                        }
                    }
                    None => {
                        (page::requests(summary))
                        @if !summary.state.is_over() {
                            p.dim { "They are compared when the test has ended." }
                        }
                    }
                }
            }
        }
    }
}
