//! The figures of the fleet and of each driver, as tables.

use super::grid::Grid;
use crate::stats::summary::{Distribution, DriverSummary, Stats, Summary};
use crate::units::{format_count, format_figure};

/// Most drivers with a row of their own.
pub const MAX_ROWS: usize = 50;

/// Heads of the counts.
pub const COUNTS: [&str; 5] = ["requests", "per s", "errors", "4xx/5xx", "queued"];
/// Heads of the shares of time, if they are known.
const SHARES: [&str; 2] = ["busy", "CPU wait"];
/// Heads of the times.
pub const TIMES: [&str; 8] = ["min", "mean", "p50", "p90", "p95", "p99", "p99.9", "max"];

/// How much was sent, what failed and what the generator did with its time: in total and on each driver.
pub fn counts(summary: &Summary) -> Grid {
    let has_shares = all_stats(summary).any(|stats| stats.busy.is_some() || stats.cpu_wait.is_some());
    let heads: Vec<&str> = COUNTS.into_iter().chain(SHARES.into_iter().filter(|_| has_shares)).collect();
    let mut grid = Grid::new("", &heads);
    // The last cells are left out where no shares are known.
    let cells = |stats: &Stats, has_counts: bool| -> Vec<String> {
        count_cells(stats, has_counts).into_iter().take(heads.len()).collect()
    };
    grid.add("total", cells(&summary.total, !summary.is_original_only()));
    for driver in shown(summary) {
        grid.add(&name(driver), cells(&driver.stats, !driver.is_original()));
    }
    grid
}

/// Latency in total and on each driver, then its parts, then how long opening a connection took.
pub fn times(summary: &Summary) -> Grid {
    let mut grid = Grid::new("times in ms", &TIMES);
    grid.add("latency", time_cells(summary.total.latency_ms.as_ref()));
    // The only driver's row would repeat the total, which figures of an original driver are no part of.
    if summary.drivers.len() > 1 || summary.is_original_only() {
        for driver in shown(summary) {
            grid.add(&format!("  {}", name(driver)), time_cells(driver.stats.latency_ms.as_ref()));
        }
    }
    grid.add("service time", time_cells(summary.total.service_ms.as_ref()));
    grid.add("lag", time_cells(summary.total.lag_ms.as_ref()));
    let openings = [("TCP connect", &summary.total.connect_ms), ("TLS handshake", &summary.total.tls_ms)];
    for (name, times) in openings.into_iter().filter(|(_, times)| times.is_some()) {
        grid.add(name, time_cells(times.as_ref()));
    }
    grid
}

/// A share of time, with a digit more where it is small.
pub fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

fn shown(summary: &Summary) -> impl Iterator<Item = &DriverSummary> {
    summary.drivers.iter().take(MAX_ROWS)
}

fn all_stats(summary: &Summary) -> impl Iterator<Item = &Stats> {
    std::iter::once(&summary.total).chain(shown(summary).map(|driver| &driver.stats))
}

/// The name, and the state of a driver that did not do what it should.
fn name(driver: &DriverSummary) -> String {
    if driver.state.is_ordinary() {
        driver.node_id.clone()
    } else {
        format!("{} {}", driver.state, driver.node_id)
    }
}

/// A driver of the original protocol reports no counts.
pub fn count_cells(stats: &Stats, has_counts: bool) -> [String; COUNTS.len() + SHARES.len()] {
    let unknown = || "-".to_owned();
    let count = |n: u64| if has_counts { format_count(n) } else { unknown() };
    let rate = match stats.throughput_rps {
        _ if !has_counts => unknown(),
        0.0 => "0".to_owned(),
        rate => format_figure(rate),
    };
    let share = |share: Option<f64>| share.map_or_else(unknown, percent);
    [
        count(stats.requests),
        rate,
        count(stats.errors_total()),
        count(stats.error_statuses()),
        count(stats.queued),
        share(stats.busy),
        share(stats.cpu_wait),
    ]
}

/// A distribution in ms.
pub fn time_cells(of: Option<&Distribution>) -> Vec<String> {
    match of {
        Some(d) => [d.min, d.mean, d.median, d.p90, d.p95, d.p99, d.p999, d.max].map(figure).to_vec(),
        None => TIMES.map(|_| "-".to_owned()).to_vec(),
    }
}

/// NaN is a figure that was not reported.
fn figure(ms: f64) -> String {
    if ms.is_nan() { "-".to_owned() } else { format_figure(ms) }
}
