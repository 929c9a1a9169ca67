//! A and B of an A/B test, and the figures of other tests by request name.

use crate::compare::{Comparison, page};
use crate::stats::summary::Summary;
use maud::{Markup, html};

/// The figures by request name, then the comparison of an A/B test that has ended; nothing for a plan without
/// request names.
pub fn section(summary: &Summary) -> Markup {
    let comparison = Comparison::of_test(summary);
    html! {
        @if !summary.requests.is_empty() {
            h2 { (page::title(summary)) }
            @if let Some(comparison) = &comparison { (page::sentence(comparison)) }
            (page::requests(summary))
            @if let Some(comparison) = &comparison {
                (page::figures(comparison))
                (page::errors(comparison))
                (page::method(comparison))
            }
        }
    }
}
