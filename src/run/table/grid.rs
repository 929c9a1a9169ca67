//! A table of figures: a name and right-aligned cells in each row.
//!
//! Columns are as wide as their figures, and no figure is ever cut. What does not fit beside each other goes
//! below: a long name stands on a line of its own, and the columns that exceed the width form a second block.

use super::text::{LABEL, WIDTH, columns, printable, shorten};
use std::ops::Range;

/// Columns between two figures.
const GAP: usize = 2;
/// Fewest columns of names before columns of figures are moved to a second block.
const MIN_NAME: usize = 12;
/// Most columns of names in a table of several blocks.
const MAX_NAME: usize = 24;

struct Row {
    name: String,
    cells: Vec<String>,
}

/// Rows under one head.
pub struct Grid {
    /// The first one is the head.
    rows: Vec<Row>,
}

impl Grid {
    /// Only a head.
    pub fn new(title: &str, heads: &[&str]) -> Grid {
        let mut grid = Grid { rows: Vec::new() };
        grid.add(title, heads.iter().map(|head| (*head).to_owned()).collect());
        grid
    }

    /// Adds a row with as many cells as the head.
    pub fn add(&mut self, name: &str, cells: Vec<String>) {
        self.rows.push(Row { name: printable(name), cells });
    }

    /// The lines of each block; the first line of a block is its head.
    pub fn blocks(&self) -> Vec<Vec<String>> {
        let widths = self.widths();
        let room = WIDTH.saturating_sub(widths.iter().sum());
        let name = if room >= MIN_NAME { self.name_width(room) } else { self.name_width(MAX_NAME) };
        let groups = groups(&widths, WIDTH - name);
        groups.into_iter().map(|group| self.block(name, &widths, group)).collect()
    }

    /// Columns of each column of cells, with the gap before it.
    fn widths(&self) -> Vec<usize> {
        let count = self.rows.iter().map(|row| row.cells.len()).max().unwrap_or(0);
        let cell = |row: &Row, at: usize| row.cells.get(at).map_or(0, |cell| columns(cell));
        (0..count).map(|at| GAP + self.rows.iter().map(|row| cell(row, at)).max().unwrap_or(0)).collect()
    }

    /// The longest name that fits into `room`, and the width of labels if there is room for it.
    fn name_width(&self, room: usize) -> usize {
        let names = self.rows.iter().map(|row| columns(&row.name));
        names.filter(|name| *name <= room).max().unwrap_or(0).max(LABEL).min(room)
    }

    fn block(&self, name: usize, widths: &[usize], group: Range<usize>) -> Vec<String> {
        let mut lines = Vec::new();
        for row in &self.rows {
            let mut line = row.name.clone();
            if columns(&line) > name {
                lines.push(shorten(&line, WIDTH));
                line = String::new();
            }
            pad(&mut line, name);
            let mut end = name;
            for at in group.clone() {
                let cell = row.cells.get(at).map_or("", String::as_str);
                end += widths[at];
                pad(&mut line, end - columns(cell));
                line.push_str(cell);
            }
            lines.push(line.trim_end().to_owned());
        }
        lines
    }
}

/// Adds spaces up to a column.
fn pad(line: &mut String, to: usize) {
    line.push_str(&" ".repeat(to.saturating_sub(columns(line))));
}

/// Which columns stand beside each other in `room` columns: as many as fit, at least one.
fn groups(widths: &[usize], room: usize) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut used = 0;
    for (at, width) in widths.iter().enumerate() {
        match groups.last_mut() {
            Some(group) if used + width <= room => group.end = at + 1,
            _ => {
                groups.push(at..at + 1);
                used = 0;
            }
        }
        used += width;
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(rows: &[(&str, &[&str])]) -> Vec<Vec<String>> {
        let mut grid = Grid::new(rows[0].0, rows[0].1);
        for (name, cells) in &rows[1..] {
            grid.add(name, cells.iter().map(|cell| (*cell).to_owned()).collect());
        }
        grid.blocks()
    }

    #[test]
    fn cells_stand_under_their_heads() {
        let blocks = grid(&[("", &["a", "long head"]), ("total", &["1,000", "2"]), ("漢", &["-", ""])]);
        assert_eq!(
            blocks,
            [[
                "                      a  long head",
                "total             1,000          2",
                "漢                    -",
            ]]
        );
    }

    #[test]
    fn a_long_name_has_a_line_of_its_own() {
        let long = "n".repeat(200);
        let blocks = grid(&[("", &["a"]), (&long, &["1"]), (&"m".repeat(60), &["2"])]);
        assert_eq!(columns(&blocks[0][1]), WIDTH);
        assert_eq!(blocks[0][2].trim_start(), "1");
        assert!(blocks[0][3].starts_with("mmm") && blocks[0][3].ends_with(" 2"), "{blocks:#?}");
    }

    #[test]
    fn columns_that_do_not_fit_form_a_second_block_with_the_names() {
        let wide = u64::MAX.to_string();
        let cells = [wide.as_str(); 5];
        let blocks = grid(&[("", &["a", "b", "c", "d", "e"]), ("total", &cells)]);
        assert_eq!(blocks.len(), 3);
        assert!(blocks.iter().flatten().all(|line| columns(line) <= WIDTH), "{blocks:#?}");
        let text = blocks.concat().join("\n");
        assert_eq!((text.matches(&wide).count(), text.matches("total").count()), (5, 3), "{text}");
        let exact = "9".repeat((WIDTH - MIN_NAME) / 2 - GAP);
        assert_eq!(grid(&[("", &["a", "b"]), ("total", &[&exact, &exact])]).len(), 1, "80 columns fit");
        assert_eq!(grid(&[("", &["a", "b"]), ("total", &[&exact, &format!("9{exact}")])]).len(), 2);
    }
}
