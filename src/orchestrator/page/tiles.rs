//! The figures in short, one large number each.

use super::head::of;
use super::{errors, plan};
use crate::html::{Tone, UNKNOWN};
use crate::orchestrator::dashboard::FleetRow;
use crate::stats::summary::{Distribution, SeriesPoint, Summary};
use crate::stats::verdict::{BUSY_SHARE, LAG_FLOOR_MS, LAG_SHARE, RATE_SHARE};
use crate::units::{format_count, format_figure, format_ms, format_number};
use maud::{Markup, html};

/// One large figure with a remark below it.
struct Tile {
    name: &'static str,
    value: String,
    remark: String,
    tone: Tone,
}

/// Rate against plan, p50, p99, errors, lag, busy, drivers alive.
pub fn section(summary: &Summary, fleet: &[FleetRow]) -> Markup {
    let tiles = [
        rate(summary),
        latency(summary, "p50", |d| d.median, |point| point.p50_ms),
        latency(summary, "p99", |d| d.p99, |point| point.p99_ms),
        errors(summary),
        lag(summary),
        busy(summary),
        drivers(summary, fleet),
    ];
    html! {
        dl.tiles aria-label="Figures in short" {
            @for tile in &tiles {
                div.tile {
                    dt { (tile.name) }
                    dd.(tile.tone.class()) { (tile.value) }
                    dd.remark { (tile.remark) }
                }
            }
        }
    }
}

/// The newest second while the test runs, else the mean of the whole run.
fn rate(summary: &Summary) -> Tile {
    let newest = summary.series.last().filter(|_| !summary.state.is_over());
    let (value, planned, when) = match newest {
        Some(point) => (point.requests as f64, point.planned.map(|n| n as f64), "in the newest second"),
        None => (mean_rate(summary), mean_planned(summary), "on average"),
    };
    let remark = match planned {
        Some(planned) => format!("of {}/s planned, {when}", rounded(planned)),
        None => format!("sent {when}"),
    };
    let short = planned.is_some_and(|planned| value < RATE_SHARE * planned);
    let tone = if short { Tone::Warn } else { Tone::Plain };
    counted(summary, Tile { name: "rate", value: format!("{}/s", rounded(value)), remark, tone })
}

fn mean_planned(summary: &Summary) -> Option<f64> {
    let seconds = plan::planned_s(&summary.plan).filter(|seconds| *seconds > 0.0)?;
    let planned = summary.conservation.planned;
    (plan::is_open(&summary.plan) && planned > 0).then(|| planned as f64 / seconds)
}

fn mean_rate(summary: &Summary) -> f64 {
    let total = &summary.total;
    // The last response ends after the last send.
    let seconds = plan::planned_s(&summary.plan).unwrap_or(total.elapsed_s).min(total.elapsed_s);
    if seconds > 0.0 { total.requests as f64 / seconds } else { 0.0 }
}

fn rounded(rate: f64) -> String {
    if rate < 10.0 { format_number((rate * 10.0).round() / 10.0) } else { format_count(rate.round() as u64) }
}

fn latency(
    summary: &Summary,
    name: &'static str,
    whole: fn(&Distribution) -> f64,
    second: fn(&SeriesPoint) -> Option<f64>,
) -> Tile {
    let known = summary.total.latency_ms.as_ref().map(whole).filter(|ms| ms.is_finite());
    let value = known.map_or_else(|| UNKNOWN.to_owned(), format_ms);
    let newest = summary.series.last().filter(|_| !summary.state.is_over()).and_then(second);
    let remark =
        newest.map_or("latency".to_owned(), |ms| format!("latency; newest second {}", format_ms(ms)));
    Tile { name, value, remark, tone: Tone::Plain }
}

/// Failed requests and error statuses together: neither is good news.
fn errors(summary: &Summary) -> Tile {
    let total = &summary.total;
    let errors = errors::count(total);
    let (value, remark, tone) = if errors > 0 {
        (format_count(errors), errors::share(total), Tone::Bad)
    } else if summary.is_original_only() {
        (UNKNOWN.to_owned(), "Errors are unknown".to_owned(), Tone::Dim)
    } else if total.requests == 0 {
        let yet = if summary.state.is_over() { "" } else { " yet" };
        ("0".to_owned(), format!("Nothing was sent{yet}"), Tone::Dim)
    } else {
        ("0".to_owned(), "No errors".to_owned(), Tone::Good)
    };
    Tile { name: "errors", value, remark, tone }
}

/// The generator's own delay.
fn lag(summary: &Summary) -> Tile {
    let total = &summary.total;
    let p99 = total.lag_ms.as_ref().map(|lag| lag.p99).filter(|ms| ms.is_finite());
    let latency_ms = total.latency_ms.as_ref().map_or(0.0, |latency| latency.p99);
    let limit_ms = LAG_FLOOR_MS.max(LAG_SHARE * latency_ms);
    let tone = if p99.is_some_and(|ms| ms > limit_ms) { Tone::Warn } else { Tone::Plain };
    let value = p99.map_or_else(|| UNKNOWN.to_owned(), format_ms);
    Tile { name: "lag p99", value, remark: "the generator's own delay".to_owned(), tone }
}

fn busy(summary: &Summary) -> Tile {
    let busy = summary.total.busy.filter(|share| share.is_finite());
    let tone = if busy.is_some_and(|share| share >= BUSY_SHARE) { Tone::Warn } else { Tone::Plain };
    let value =
        busy.map_or_else(|| UNKNOWN.to_owned(), |share| format!("{} %", format_figure(100.0 * share)));
    Tile { name: "busy", value, remark: "of the generator's time".to_owned(), tone }
}

/// Living drivers of the fleet, and what became of those of the test.
fn drivers(summary: &Summary, fleet: &[FleetRow]) -> Tile {
    let alive = fleet.iter().filter(|node| node.state == "alive").count() as u64;
    let known = fleet.iter().filter(|node| node.state != "left").count() as u64;
    let lost = summary.drivers.iter().filter(|driver| driver.state.is_missing()).count() as u64;
    let remark = match lost {
        0 => format!("{} in this test", format_count(summary.drivers.len() as u64)),
        lost => format!("{} in this test lost", of(lost, summary.drivers.len() as u64)),
    };
    let tone = if lost > 0 { Tone::Bad } else { Tone::Plain };
    Tile { name: "drivers alive", value: of(alive, known), remark, tone }
}

/// Drivers of the original protocol report no counts.
fn counted(summary: &Summary, tile: Tile) -> Tile {
    if !summary.is_original_only() {
        return tile;
    }
    let remark = "Drivers of the original protocol report no counts".to_owned();
    Tile { value: UNKNOWN.to_owned(), remark, tone: Tone::Dim, ..tile }
}
