//! Tables.

use super::escape;

/// A table with escaped cells.
pub struct Table {
    heads: Vec<String>,
    /// How many columns from the left are text; the others are figures, which stand on the right.
    texts: usize,
    rows: String,
}

impl Table {
    /// Only heads; all columns are text.
    pub fn new(heads: &[&str]) -> Table {
        let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
        Table { texts: heads.len(), heads, rows: String::new() }
    }

    /// All columns are figures.
    pub fn figures(self) -> Table {
        Table { texts: 0, ..self }
    }

    /// All columns but the first are figures.
    pub fn named(self) -> Table {
        Table { texts: 1, ..self }
    }

    /// Adds a row with as many cells as heads.
    pub fn add(&mut self, cells: &[String]) {
        self.rows.push('|');
        for cell in cells {
            self.rows.push_str(&format!(" {} |", escape(cell)));
        }
        self.rows.push('\n');
    }

    /// The table's lines.
    pub fn end(self) -> String {
        let rule = |at: usize| if at < self.texts { " :-- |" } else { " --: |" };
        let rules: String = (0..self.heads.len()).map(rule).collect();
        format!("| {} |\n|{rules}\n{}", self.heads.join(" | "), self.rows)
    }
}
