//! Tables with a limit to their rows.

use crate::html::{self, Cell, Column};
use crate::units::format_count;
use maud::{Markup, html};

/// Maximum number of rows of one table; the JSON form has all.
const MAX_ROWS: usize = 1_000;

/// A table of the first rows, which says how many more there are.
pub fn table(label: &str, columns: &[Column], rows: &[Vec<Cell>]) -> Markup {
    let more = rows.len().saturating_sub(MAX_ROWS);
    html! {
        (html::table(label, columns, &rows[..rows.len() - more]))
        @if more > 0 { p.dim { "and " (format_count(more as u64)) " more, in the JSON form" } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_table_is_cut_and_says_so() {
        let rows = vec![vec![Cell::count(7)]; MAX_ROWS + 1_200];
        let markup = table("numbers", &[Column::Number("n")], &rows).into_string();
        assert_eq!(markup.matches("<td>7</td>").count(), MAX_ROWS);
        assert!(markup.contains("and 1,200 more, in the JSON form"));
    }
}
