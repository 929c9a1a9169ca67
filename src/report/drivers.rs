//! The fleet: every driver with its figures and its clock.

use super::Records;
use crate::html::{Cell, Column, of_driver, table};
use crate::stats::states::DriverRowState;
use crate::stats::summary::{Distribution, DriverSummary, Stats, Summary};
use crate::stats::verdict::{BUSY_SHARE, CPU_WAIT_SHARE};
use crate::units::format_count;
use maud::{Markup, html};

/// Maximum number of drivers that are listed; those that did not finish come first.
const MAX_DRIVERS: usize = 200;

const HEADS: [Column; 15] = [
    Column::Text("driver"),
    Column::Text("state"),
    Column::Number("requests"),
    Column::Number("errors"),
    Column::Number("4xx, 5xx"),
    Column::Number("queued"),
    Column::Number("per s"),
    Column::Number("p50 ms"),
    Column::Number("p90 ms"),
    Column::Number("p99 ms"),
    Column::Number("max ms"),
    Column::Number("start +ms"),
    Column::Number("clock ms"),
    Column::Number("busy"),
    Column::Number("CPU wait"),
];

/// The fleet, then each of its drivers.
pub fn section(summary: &Summary, records: Option<&Records>) -> Markup {
    let mut drivers: Vec<&DriverSummary> = summary.drivers.iter().collect();
    drivers.sort_by_key(|driver| driver.state == DriverRowState::Done);
    let more = drivers.len().saturating_sub(MAX_DRIVERS);
    let clock = |name: &str| records.and_then(|records| records.clock(name));
    let total = row("all", Cell::plain(""), &summary.total, summary.is_original_only(), None);
    let each = drivers.iter().take(MAX_DRIVERS).map(|driver| {
        let name = driver.node_id.as_str();
        row(
            name,
            Cell::toned(driver.state.as_str(), of_driver(driver.state)),
            &driver.stats,
            driver.is_original(),
            clock(name),
        )
    });
    let rows: Vec<_> = std::iter::once(total).chain(each).collect();
    html! {
        h2 { "Drivers" }
        div.totals { (table("Drivers", &HEADS, &rows)) }
        @if more > 0 { p.dim { "and " (format_count(more as u64)) " more, in summary.json" } }
        p.dim {
            "Queued requests had to wait for a free connection. Clock is the offset of a driver's clock from \
             the brokers' time at its last heartbeat in the test, with its maximum error. A generator near \
             100\u{a0}% busy, or with 10\u{a0}% CPU wait, is at its limit."
        }
    }
}

/// A driver of the original protocol reports latencies and no counts.
fn row(name: &str, state: Cell, stats: &Stats, is_original: bool, clock: Option<String>) -> Vec<Cell> {
    let counted = |cell: Cell| if is_original { Cell::unknown() } else { cell };
    let latency = |read: fn(&Distribution) -> f64| Cell::figure(stats.latency_ms.as_ref().map(read));
    vec![
        Cell::plain(name),
        state,
        counted(Cell::count(stats.requests)),
        counted(Cell::errors(stats.errors_total())),
        counted(Cell::errors(stats.error_statuses())),
        counted(Cell::count(stats.queued)),
        counted(Cell::figure(Some(stats.throughput_rps))),
        latency(|d| d.median),
        latency(|d| d.p90),
        latency(|d| d.p99),
        latency(|d| d.max),
        Cell::figure(stats.start_skew_ms),
        clock.map_or_else(Cell::unknown, Cell::plain),
        Cell::share(stats.busy, BUSY_SHARE),
        Cell::share(stats.cpu_wait, CPU_WAIT_SHARE),
    ]
}
