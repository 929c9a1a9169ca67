//! Every driver in one row: what it does, when it was last heard, and its figures drawn against the others'.

use super::errors;
use super::outliers::{self, Outlier};
use super::table::table;
use super::tone;
use crate::html::{Cell, Column, Tone, of_driver};
use crate::orchestrator::dashboard::{Dashboard, FleetRow, Part};
use crate::orchestrator::window::Window;
use crate::stats::summary::{DriverSummary, Stats};
use crate::stats::verdict::{BUSY_SHARE, CPU_WAIT_SHARE};
use crate::units::format_count;
use maud::{Markup, html};
use std::collections::{BTreeSet, HashMap};

/// A driver that is alive but silent for longer than this misses heartbeats: it sends one a second.
const QUIET_MS: u64 = 2_000;
/// Maximum number of outliers that are named.
const MAX_OUTLIERS: usize = 8;

const COLUMNS: [Column; 14] = [
    Column::Text("driver"),
    Column::Text("state"),
    Column::Number("seen"),
    Column::Drawn("per s"),
    Column::Drawn("p99 ms"),
    Column::Number("errors"),
    Column::Number("start +ms"),
    Column::Number("busy"),
    Column::Number("CPU wait"),
    Column::Number("requests"),
    Column::Number("queued"),
    Column::Number("clock ms"),
    Column::Text("address"),
    Column::Text("version"),
];

/// One driver: its row in the test, its entry in the fleet, or both.
#[derive(Clone, Copy, Default)]
struct Row<'a> {
    name: &'a str,
    of_test: Option<&'a DriverSummary>,
    of_fleet: Option<&'a FleetRow>,
}

/// The largest values, to which the bars are drawn.
#[derive(Default)]
struct Scale {
    rate_rps: f64,
    p99_ms: f64,
}

/// The drivers of the test in its order, then the other nodes of the fleet; of many, a part.
pub fn section(dashboard: &Dashboard, window: Window) -> Markup {
    let all = rows(dashboard);
    let outliers = dashboard.test.as_ref().map_or_else(Vec::new, outliers::find);
    let odd: BTreeSet<usize> = outliers.iter().map(|outlier| outlier.position).collect();
    let part = window.part(all.len());
    let range = part.map_or(0..all.len(), |part| (part.first - 1).min(part.last)..part.last);
    let scale = Scale::of(&all);
    let first = range.start;
    let cells = all[range].iter().enumerate();
    let cells: Vec<_> = cells.map(|(at, row)| row.cells(odd.contains(&(first + at)), &scale)).collect();
    html! {
        section {
            h3 { "Drivers" }
            (named(&outliers))
            @if let Some(part) = part { (parts(part)) }
            @if all.is_empty() {
                p.dim { "No driver has registered yet." }
            } @else {
                (table("Drivers", &COLUMNS, &cells))
                @if dashboard.test.is_some() {
                    p.dim {
                        "Errors are failed requests and responses with status 4xx or 5xx. Bars are drawn to \
                         the largest value of the fleet."
                    }
                }
            }
        }
    }
}

/// The drivers that stand out.
fn named(outliers: &[Outlier]) -> Markup {
    let more = outliers.len().saturating_sub(MAX_OUTLIERS);
    html! {
        @if !outliers.is_empty() {
            ul.outliers aria-label="Drivers that stand out" {
                @for outlier in outliers.iter().take(MAX_OUTLIERS) {
                    li { strong { (outlier.name) } ": " (outlier.what) }
                }
                @if more > 0 { li { "and " (format_count(more as u64)) " more" } }
            }
        }
    }
}

fn rows(dashboard: &Dashboard) -> Vec<Row<'_>> {
    let nodes: HashMap<&str, &FleetRow> =
        dashboard.fleet.iter().map(|node| (node.node_id.as_str(), node)).collect();
    let of_test = dashboard.test.iter().flat_map(|test| &test.drivers);
    let named: BTreeSet<&str> = of_test.clone().map(|driver| driver.node_id.as_str()).collect();
    let tested = of_test.map(|driver| {
        let name = driver.node_id.as_str();
        Row { name, of_test: Some(driver), of_fleet: nodes.get(name).copied() }
    });
    let others = dashboard.fleet.iter().filter(|node| !named.contains(node.node_id.as_str()));
    let others = others.map(|node| Row { name: &node.node_id, of_test: None, of_fleet: Some(node) });
    tested.chain(others).collect()
}

impl Scale {
    fn of(rows: &[Row]) -> Scale {
        let stats = || rows.iter().filter_map(Row::counted);
        let largest = |values: &mut dyn Iterator<Item = f64>| {
            values.filter(|value| value.is_finite()).fold(0.0, f64::max)
        };
        Scale {
            rate_rps: largest(&mut stats().map(|stats| stats.throughput_rps)),
            p99_ms: largest(&mut stats().filter_map(p99)),
        }
    }
}

impl<'a> Row<'a> {
    /// Its figures, if it is a driver that reports counts.
    fn counted(&self) -> Option<&'a Stats> {
        self.of_test.filter(|driver| !driver.is_original()).map(|driver| &driver.stats)
    }

    fn cells(&self, is_odd: bool, scale: &Scale) -> Vec<Cell> {
        let stats = self.counted();
        let count = |read: fn(&Stats) -> u64, cell: fn(u64) -> Cell| {
            stats.map_or_else(Cell::unknown, |stats| cell(read(stats)))
        };
        let share = |read: fn(&Stats) -> Option<f64>, limit| Cell::share(stats.and_then(read), limit);
        // A driver of the original protocol reports latencies, but no percentiles.
        vec![
            Cell::toned(self.name, if is_odd { Tone::Warn } else { Tone::Plain }),
            self.state(),
            self.seen(),
            Cell::bar(stats.map(|stats| stats.throughput_rps), scale.rate_rps),
            Cell::bar(stats.and_then(p99), scale.p99_ms),
            count(errors::count, Cell::errors),
            Cell::figure(stats.and_then(|stats| stats.start_skew_ms)),
            share(|stats| stats.busy, BUSY_SHARE),
            share(|stats| stats.cpu_wait, CPU_WAIT_SHARE),
            count(|stats| stats.requests, Cell::count),
            count(|stats| stats.queued, Cell::count),
            self.clock(),
            Cell::plain(self.of_fleet.map_or("", |node| node.node_ip.as_str())),
            Cell::plain(self.version()),
        ]
    }

    /// What it is in the test, and whether it lives: `running`, `lost, dead`, `alive`, `refused`.
    fn state(&self) -> Cell {
        let presence = self.of_fleet.map(|node| (node.state.as_str(), tone::of_presence(&node.state)));
        match (self.of_test, presence) {
            (Some(driver), Some((presence, tone))) if !matches!(presence, "alive" | "silent") => {
                let tone = tone.max(of_driver(driver.state));
                Cell::toned(format!("{}, {presence}", driver.state.as_str()), tone)
            }
            (Some(driver), _) => Cell::toned(driver.state.as_str(), of_driver(driver.state)),
            (None, Some(("alive", tone))) => {
                let activity = self.of_fleet.and_then(|node| node.activity.as_deref()).unwrap_or("alive");
                Cell::toned(activity, tone.max(tone::of_activity(activity)))
            }
            (None, Some((presence, tone))) => Cell::toned(presence, tone),
            (None, None) => Cell::unknown(),
        }
    }

    fn seen(&self) -> Cell {
        let Some((node, ms)) = self.of_fleet.and_then(|node| Some((node, node.last_seen_ms?))) else {
            return Cell::unknown();
        };
        let is_quiet = node.state == "alive" && ms > QUIET_MS;
        let tone = if is_quiet { Tone::Warn } else { Tone::Plain };
        Cell::toned(format!("{:.1} s ago", ms as f64 / 1_000.0), tone)
    }

    fn clock(&self) -> Cell {
        let offset = self.of_fleet.and_then(|node| Some((node.clock_offset_ms?, node.clock_error_ms)));
        match offset {
            None => Cell::unknown(),
            Some((offset, Some(error))) => Cell::plain(format!("{offset:+.2} ± {error:.2}")),
            Some((offset, None)) => Cell::plain(format!("{offset:+.2}")),
        }
    }

    fn version(&self) -> &'a str {
        match self.of_fleet {
            None => "",
            Some(node) if node.epoch.is_none() => "original protocol",
            Some(node) => node.version.as_deref().unwrap_or_default(),
        }
    }
}

fn p99(stats: &Stats) -> Option<f64> {
    stats.latency_ms.as_ref().map(|latency| latency.p99)
}

/// Which drivers of a large fleet are shown, with links to the ones before and after.
fn parts(part: Part) -> Markup {
    let Part { first, last, total } = part;
    let count = (last + 1).saturating_sub(first).max(1);
    let before = (first > 1).then(|| (first.saturating_sub(count).max(1), first - 1));
    let after = (last < total).then(|| (last + 1, (last + count).min(total)));
    html! {
        p.dim {
            "Drivers " (format_count(first as u64)) " to " (format_count(last as u64)) " of "
            (format_count(total as u64)) ". "
            @if let Some(range) = before { (link(range, "previous")) " " }
            @if let Some(range) = after { (link(range, "next")) }
        }
    }
}

fn link((first, last): (usize, usize), text: &str) -> Markup {
    html! { a href={ "/dashboard?drivers=" (first) "-" (last) } { (text) } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::states::DriverRowState;
    use crate::stats::summary::Summary;

    fn node(name: &str, state: &str, last_seen_ms: Option<u64>) -> FleetRow {
        FleetRow { node_id: name.to_owned(), state: state.to_owned(), last_seen_ms, ..FleetRow::default() }
    }

    fn row(node: &FleetRow) -> Row<'_> {
        Row { name: &node.node_id, of_test: None, of_fleet: Some(node) }
    }

    #[test]
    fn a_part_of_a_large_fleet_links_to_its_neighbors() {
        let page = parts(Part { first: 101, last: 200, total: 1_050 }).into_string();
        assert!(page.contains("Drivers 101 to 200 of 1,050"), "{page}");
        assert!(page.contains("/dashboard?drivers=1-100\"") && page.contains("/dashboard?drivers=201-300\""));
        assert!(!parts(Part { first: 1_001, last: 1_050, total: 1_050 }).into_string().contains("next"));
    }

    #[test]
    fn a_quiet_driver_stands_out_while_it_should_speak() {
        assert_eq!(row(&node("a", "alive", Some(900))).seen(), Cell::plain("0.9 s ago"));
        assert_eq!(row(&node("a", "alive", Some(4_000))).seen(), Cell::toned("4.0 s ago", Tone::Warn));
        assert_eq!(row(&node("a", "dead", Some(40_000))).seen(), Cell::plain("40.0 s ago"));
    }

    #[test]
    fn a_killed_driver_is_marked_in_its_row_before_the_test_knows() {
        let driver = DriverSummary {
            node_id: "a".to_owned(),
            state: DriverRowState::Running,
            ..DriverSummary::default()
        };
        let dead = node("a", "dead", Some(6_000));
        let row = Row { name: "a", of_test: Some(&driver), of_fleet: Some(&dead) };
        assert_eq!(row.state(), Cell::toned("running, dead", Tone::Bad));
    }

    #[test]
    fn the_tests_drivers_come_first_and_nobody_comes_twice() {
        let driver = |name: &str| DriverSummary { node_id: name.to_owned(), ..DriverSummary::default() };
        let test = Summary { drivers: vec![driver("b"), driver("z")], ..Summary::default() };
        let fleet = vec![node("a", "alive", None), node("b", "alive", None)];
        let dashboard = Dashboard { fleet, test: Some(test), ..Dashboard::default() };
        let names: Vec<_> = rows(&dashboard).iter().map(|row| (row.name, row.of_fleet.is_some())).collect();
        assert_eq!(names, [("b", true), ("z", false), ("a", true)]);
    }
}
