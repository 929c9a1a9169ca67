//! The conditions of the newest test as they stand now.

use super::table::table;
use crate::html::{Cell, Column, Tone};
use crate::plot::elapsed;
use crate::stats::summary::{Summary, ThresholdResult};
use crate::thresholds::shown;
use maud::{Markup, html};

/// Each condition with its value and since when it is true; nothing if the plan has none. The limit stands in
/// the condition.
pub fn section(summary: &Summary) -> Markup {
    let columns =
        [Column::Text("fails if"), Column::Text("now"), Column::Number("value"), Column::Text("since")];
    html! {
        @if !summary.thresholds.is_empty() {
            section {
                h3 { "Thresholds" }
                (table("Thresholds", &columns, &summary.thresholds.iter().map(row).collect::<Vec<_>>()))
            }
        }
    }
}

fn row(one: &ThresholdResult) -> Vec<Cell> {
    let state = match one.passed {
        true => Cell::toned("passed", Tone::Good),
        false => Cell::toned("failed", Tone::Bad),
    };
    let value = shown(one).map_or_else(Cell::unknown, Cell::plain);
    vec![
        Cell::plain(one.expression.as_str()),
        state,
        value,
        Cell::plain(one.since_s.map_or(String::new(), elapsed)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_has_its_value_in_its_unit_and_its_begin() {
        let one = |expression: &str, value, passed, since_s| ThresholdResult {
            expression: expression.to_owned(),
            value,
            passed,
            since_s,
        };
        let thresholds =
            vec![one("p99 > 250ms", Some(412.0), false, Some(65)), one("errors > 1%", None, true, None)];
        let page = section(&Summary { thresholds, ..Summary::default() }).into_string();
        assert!(page.contains("p99 &gt; 250ms") && page.contains("<td>412 ms</td>"), "{page}");
        assert!(page.contains("<td class=\"text bad\">failed</td>") && page.contains(">1:05<"), "{page}");
        assert!(page.contains("<td class=\"text good\">passed</td><td class=\"dim\">-</td>"), "{page}");
        assert_eq!(section(&Summary::default()).into_string(), "");
    }
}
