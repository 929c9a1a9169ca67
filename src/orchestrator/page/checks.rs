//! The failed checks of the newest test.

use crate::report::checks;
use crate::stats::summary::Summary;
use maud::{Markup, html};

/// Nothing if no response failed a check.
pub fn section(summary: &Summary) -> Markup {
    html! {
        @if checks::is_any(summary) {
            section {
                h3 { "Failed checks" }
                (checks::tables(summary))
            }
        }
    }
}
