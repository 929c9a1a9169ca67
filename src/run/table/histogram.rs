//! The latencies as a histogram of bars.

use super::text::{LABEL, WIDTH};
use crate::stats::histogram::Histogram;
use crate::units::{format_count, format_figure};

/// Fewer latencies have no shape.
const LEAST_COUNT: u64 = 10;
/// Most rows.
const MAX_ROWS: usize = 16;
/// Steps of a decade, from coarse to fine: the series R1 to R20 of ISO 3.
const SERIES: [&[f64]; 5] = [
    &[1.0],
    &[1.0, 2.0, 5.0],
    &[1.0, 1.6, 2.5, 4.0, 6.3],
    &[1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0],
    &[
        1.0, 1.12, 1.25, 1.4, 1.6, 1.8, 2.0, 2.24, 2.5, 2.8, 3.15, 3.55, 4.0, 4.5, 5.0, 5.6, 6.3, 7.1, 8.0,
        9.0,
    ],
];
/// Decades in µs: the longest latency is an hour.
const DECADES: std::ops::Range<i32> = 0..11;
/// Eighths of a character, from the left.
const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// A head and a row for each step between the lowest and the highest latency; empty if there are few.
pub fn lines(latency: &Histogram) -> Vec<String> {
    if latency.count() < LEAST_COUNT {
        return Vec::new();
    }
    let rows = SERIES.iter().rev().map(|series| rows(latency, series)).find(|rows| rows.len() <= MAX_ROWS);
    let rows = rows.unwrap_or_default();
    let top = rows.iter().map(|row| row.1).max().unwrap_or(0).max(1);
    let counts: Vec<String> = rows.iter().map(|row| format_count(row.1)).collect();
    let width = counts.iter().map(String::len).max().unwrap_or(0).max("responses".len());
    let labels: Vec<String> = rows.iter().map(|row| label(row.0)).collect();
    let label = labels.iter().map(String::len).max().unwrap_or(0).max(LABEL);
    let mut lines = vec![format!("{:<label$}  {:>width$}   share", "latency", "responses")];
    for (((_, n), count), name) in rows.iter().zip(counts).zip(labels) {
        let share = share(*n, latency.count());
        let mut line = format!("{name:<label$}  {count:>width$}  {share:>6}  ");
        line.push_str(&bar(*n, top, WIDTH.saturating_sub(line.chars().count())));
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// The upper bound of a row.
fn label(up_to_us: u64) -> String {
    format!("  up to {} ms", format_figure(up_to_us as f64 / 1_000.0))
}

/// Upper bounds in µs with the number of latencies from the one before, from the lowest to the highest.
fn rows(latency: &Histogram, series: &[f64]) -> Vec<(u64, u64)> {
    let decade = |exponent: i32| series.iter().map(move |step| (step * 10f64.powi(exponent)).round() as u64);
    let mut bounds: Vec<u64> = DECADES.flat_map(decade).collect();
    // A fine step of a few µs is none.
    bounds.dedup();
    let mut before = 0;
    let counted = latency.cumulative(&bounds).up_to.into_iter().map(|(bound_us, up_to)| {
        let n = up_to - before;
        before = up_to;
        (bound_us, n)
    });
    let mut rows: Vec<(u64, u64)> = counted.skip_while(|(_, n)| *n == 0).collect();
    while rows.pop_if(|(_, n)| *n == 0).is_some() {}
    rows
}

fn share(n: u64, all: u64) -> String {
    match 100.0 * n as f64 / all.max(1) as f64 {
        0.0 => "0 %".to_owned(),
        percent if percent < 0.1 => "<0.1 %".to_owned(),
        percent => format!("{percent:.1} %"),
    }
}

/// Whole characters and one of eighths; whatever is not 0 is visible.
fn bar(n: u64, top: u64, columns: usize) -> String {
    let eighths = (n as f64 / top as f64 * 8.0 * columns as f64).round() as usize;
    let eighths = eighths.max(usize::from(n > 0)).min(8 * columns);
    let mut bar = "█".repeat(eighths / 8);
    bar.extend((!eighths.is_multiple_of(8)).then(|| EIGHTHS[eighths % 8 - 1]));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = (u64, u64)>) -> Vec<String> {
        let mut histogram = Histogram::new();
        for (us, n) in values {
            (0..n).for_each(|_| histogram.record_us(us));
        }
        let lines = lines(&histogram);
        for line in &lines {
            assert!(line.chars().count() <= WIDTH && line.trim_end() == line, "{line:?}");
        }
        lines
    }

    #[test]
    fn every_row_counts_the_latencies_up_to_its_bound() {
        assert_eq!(
            of([(900, 5), (1_000, 15), (2_100, 40), (4_000, 1), (6_300, 2_000)]),
            [
                "latency           responses   share",
                "  up to 1.00 ms          20   1.0 %  ▍",
                "  up to 1.25 ms           0     0 %",
                "  up to 1.60 ms           0     0 %",
                "  up to 2.00 ms           0     0 %",
                "  up to 2.50 ms          40   1.9 %  ▉",
                "  up to 3.15 ms           0     0 %",
                "  up to 4.00 ms           1  <0.1 %  ▏",
                "  up to 5.00 ms           0     0 %",
                "  up to 6.30 ms       2,000  97.0 %  ███████████████████████████████████████████",
            ]
        );
    }

    #[test]
    fn all_latencies_are_in_a_row_whatever_their_range() {
        for most in [60, 1_000, 50_000, 1_000_000, 3_600_000_000u64] {
            let values = (0..20).map(|n| (50 + (most - 50) / 19 * n, 3));
            let lines = of(values);
            assert!((2..=MAX_ROWS + 1).contains(&lines.len()), "{lines:#?}");
            let count = |line: &String| -> u64 {
                let after = line.split_once(" ms ").map_or("0", |(_, rest)| rest);
                after.split_whitespace().next().unwrap_or("0").replace(',', "").parse().expect("a count")
            };
            assert_eq!(lines[1..].iter().map(count).sum::<u64>(), 60, "{lines:#?}");
        }
    }

    #[test]
    fn few_latencies_have_no_histogram_and_equal_ones_have_one_row() {
        assert_eq!(of([(5_000, 9)]), [""; 0]);
        assert_eq!(of([(5_000, 10)]).len(), 2);
        assert_eq!(bar(0, 9, 20), "");
        assert_eq!((bar(9, 9, 20).chars().count(), bar(1, 1_000_000, 20).as_str()), (20, "▏"));
    }
}
