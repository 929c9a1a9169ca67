//! The main figures.

use crate::html::UNKNOWN;
use crate::plot::measured_ms;
use crate::stats::summary::{Distribution, Summary};
use crate::units::{format_count, format_figure};
use maud::{Markup, html};

struct Tile {
    name: &'static str,
    value: String,
    remark: String,
    class: &'static str,
}

fn tile(name: &'static str, value: String, remark: String) -> Tile {
    Tile { name, value, remark, class: "plain" }
}

/// One large figure each, with a remark below it.
pub fn tiles(summary: &Summary) -> Markup {
    let total = &summary.total;
    let counted = |text: String| if summary.is_original_only() { UNKNOWN.to_owned() } else { text };
    let time = |times: &Option<Distribution>, read: fn(&Distribution) -> f64| {
        let known = times.as_ref().map(read).filter(|ms| ms.is_finite());
        known.map_or_else(|| UNKNOWN.to_owned(), measured_ms)
    };
    let latency = |read| time(&total.latency_ms, read);
    let planned = Some(summary.conservation.planned).filter(|n| *n > 0);
    let planned = planned.map_or(String::new(), |n| format!("of {} planned", format_count(n)));
    let max = format!("max {}", latency(|d| d.max));
    let busy = total.busy.map_or(UNKNOWN.to_owned(), |share| format!("{:.1} %", 100.0 * share));
    let tiles = [
        errors(summary),
        tile("requests", counted(format_count(total.requests)), planned),
        tile(
            "responses/s",
            counted(format_figure(total.throughput_rps)),
            format!("in {:.1} s", total.elapsed_s),
        ),
        tile("p50", latency(|d| d.median), "latency".to_owned()),
        tile("p99", latency(|d| d.p99), max),
        tile("lag p99", time(&total.lag_ms, |d| d.p99), "the generator's own delay".to_owned()),
        tile("busy", busy, "generator".to_owned()),
        tile("drivers", format_count(summary.drivers.len() as u64), drivers(summary)),
    ];
    html! {
        div.tiles {
            @for tile in &tiles {
                div.tile {
                    span.name { (tile.name) }
                    strong.(tile.class) { (tile.value) }
                    span.remark { (tile.remark) }
                }
            }
        }
    }
}

fn errors(summary: &Summary) -> Tile {
    let total = &summary.total;
    if summary.is_original_only() {
        return tile("errors", UNKNOWN.to_owned(), "unknown".to_owned());
    }
    let errors = total.errors_total().saturating_add(total.error_statuses());
    let percent = 100.0 * errors as f64 / total.requests.max(1) as f64;
    let remark = match percent {
        _ if total.requests == 0 => "nothing was sent".to_owned(),
        _ if errors == 0 => "no errors".to_owned(),
        percent if percent < 0.001 => "< 0.001 % of all requests".to_owned(),
        percent => format!("{} % of all requests", format_figure(percent)),
    };
    let class = if errors > 0 { "bad" } else { "good" };
    Tile { class, ..tile("errors", format_count(errors), remark) }
}

fn drivers(summary: &Summary) -> String {
    match summary.drivers.iter().filter(|driver| driver.state.is_missing()).count() {
        0 => "all reported".to_owned(),
        gone => format!("{gone} without a final report"),
    }
}
