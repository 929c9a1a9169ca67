//! The fleet as it stands, and the finished tests.

use super::table::{Cell, Column, UNKNOWN, table};
use super::tone::{self, Tone};
use crate::clock::NS_PER_MS;
use crate::orchestrator::dashboard::{FleetRow, HistoryRow, Part};
use crate::orchestrator::fleet::DEAD_AFTER_NS;
use crate::units::format_count;
use maud::{Markup, html};

/// A living driver that is silent for longer than this misses heartbeats: it sends one a second.
const QUIET_MS: u64 = 2_000;
/// A driver that is silent for this long is dead while the bus is read. If it counts as alive, the bus is not
/// read.
const STALE_MS: u64 = DEAD_AFTER_NS / NS_PER_MS + 1_000;

/// Whether nobody could be heard for a while, although all seems well.
pub fn notice(fleet: &[FleetRow]) -> Option<String> {
    let living = fleet.iter().filter(|node| node.state == "alive");
    let newest_ms = living.filter_map(|node| node.last_seen_ms).min()?;
    (newest_ms > STALE_MS).then(|| {
        let seconds = newest_ms / 1_000;
        format!(
            "No driver could be heard for {seconds} s: Kafka may be unavailable. The fleet below is shown as \
             it was then."
        )
    })
}

/// Every registered node.
pub fn fleet(fleet: &[FleetRow], part: Option<Part>) -> Markup {
    let columns = [
        Column::Text("driver"),
        Column::Text("address"),
        Column::Text("state"),
        Column::Text("activity"),
        Column::Text("test"),
        Column::Number("seen"),
        Column::Number("clock ms"),
        Column::Number("cores"),
        Column::Text("version"),
    ];
    html! {
        h2 { "Fleet" }
        @if let Some(part) = part { (parts(part)) }
        @if fleet.is_empty() {
            p.dim { "No driver has registered yet." }
        } @else {
            (table("Fleet", &columns, &fleet.iter().map(node).collect::<Vec<_>>()))
        }
    }
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
            (format_count(total as u64)) ", here and in the test above. "
            @if let Some(range) = before { (link(range, "previous")) " " }
            @if let Some(range) = after { (link(range, "next")) }
        }
    }
}

fn link((first, last): (usize, usize), text: &str) -> Markup {
    html! { a href={ "/dashboard?drivers=" (first) "-" (last) } { (text) } }
}

fn node(node: &FleetRow) -> Vec<Cell> {
    let clock = node.clock_offset_ms.map(|offset| match node.clock_error_ms {
        Some(error) => format!("{offset:+.2} ± {error:.2}"),
        None => format!("{offset:+.2}"),
    });
    let activity = node.activity.as_deref().unwrap_or_default();
    let version = match node.epoch {
        None => "original protocol",
        Some(_) => node.version.as_deref().unwrap_or_default(),
    };
    vec![
        Cell::plain(node.node_id.as_str()),
        Cell::plain(node.node_ip.as_str()),
        Cell::toned(node.state.as_str(), tone::of_presence(&node.state)),
        Cell::toned(activity, if node.state == "alive" { tone::of_activity(activity) } else { Tone::Dim }),
        Cell::plain(node.test_id.as_deref().unwrap_or_default()),
        seen(node),
        Cell::plain(clock.as_deref().unwrap_or(UNKNOWN)),
        Cell::plain(node.cores.map_or(UNKNOWN.to_owned(), |cores| cores.to_string())),
        Cell::plain(version),
    ]
}

fn seen(node: &FleetRow) -> Cell {
    let Some(ms) = node.last_seen_ms else { return Cell::unknown() };
    let is_quiet = node.state == "alive" && ms > QUIET_MS;
    Cell::toned(format!("{:.1} s ago", ms as f64 / 1_000.0), if is_quiet { Tone::Warn } else { Tone::Plain })
}

/// Finished tests, the newest first.
pub fn history(history: &[HistoryRow]) -> Markup {
    let columns = [
        Column::Text("test"),
        Column::Text("type"),
        Column::Text("state"),
        Column::Number("requests"),
        Column::Number("errors"),
        Column::Number("p99 ms"),
    ];
    let row = |test: &HistoryRow| {
        vec![
            Cell::plain(test.test_id.as_str()),
            Cell::plain(test.test_type.as_str()),
            Cell::toned(test.state.as_str(), tone::of_run(test.state)),
            Cell::count(test.requests),
            Cell::errors(test.errors.saturating_add(test.error_statuses)),
            Cell::figure(test.p99_ms),
        ]
    };
    html! {
        @if !history.is_empty() {
            h2 { "Finished tests" }
            (table("Finished tests", &columns, &history.iter().map(row).collect::<Vec<_>>()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(state: &str, last_seen_ms: Option<u64>) -> FleetRow {
        FleetRow { state: state.to_owned(), last_seen_ms, ..FleetRow::default() }
    }

    #[test]
    fn a_fleet_that_nobody_hears_says_how_old_it_is() {
        assert_eq!(notice(&[]), None);
        assert_eq!(notice(&[row("dead", Some(60_000)), row("alive", None)]), None);
        assert_eq!(notice(&[row("alive", Some(60_000)), row("alive", Some(900))]), None, "one is heard");
        let text = notice(&[row("alive", Some(60_000)), row("alive", Some(12_345))]).expect("a notice");
        assert!(text.starts_with("No driver could be heard for 12 s: Kafka may be unavailable."), "{text}");
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
        assert_eq!(seen(&row("alive", Some(900))), Cell::plain("0.9 s ago"));
        assert_eq!(seen(&row("alive", Some(4_000))), Cell::toned("4.0 s ago", Tone::Warn));
        assert_eq!(seen(&row("dead", Some(40_000))), Cell::plain("40.0 s ago"));
    }

    #[test]
    fn finished_tests_count_error_statuses_as_errors() {
        let test = HistoryRow { errors: 2, error_statuses: 40, ..HistoryRow::default() };
        assert!(history(&[test]).into_string().contains("<td class=\"bad\">42</td>"));
    }
}
