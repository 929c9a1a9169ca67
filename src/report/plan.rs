//! What was asked for.

use crate::message::config_in;
use crate::plan::words::{amount, connections, gloss, load, request, shown_plan};
use crate::units::{clip, format_duration_ms, utc};
use maud::{Markup, html};
use serde_json::Value;

/// Maximum number of characters of a line.
const MAX_CHARS: usize = 200;

/// The plan as terms with their values, and as it was sent.
pub fn section(summary: &crate::stats::summary::Summary) -> Markup {
    let started = summary.started_at.map(|ms| ("started", utc(ms)));
    let written = serde_json::to_string_pretty(&shown_plan(&summary.plan)).unwrap_or_default();
    html! {
        h2 { "Plan" }
        dl.plan {
            @for (term, value) in started.into_iter().chain(terms(&summary.plan)) {
                div { dt { (term) } dd { (value) } }
            }
        }
        details { summary { "As it was sent" } pre { (clip_lines(&written)) } }
    }
}

/// A plan may carry a body of hundreds of kilobytes.
fn clip_lines(text: &str) -> String {
    const MAX_LINES: usize = 200;
    let lines: Vec<_> = text.lines().take(MAX_LINES).map(|line| clip(line, MAX_CHARS)).collect();
    let more = text.lines().count().saturating_sub(MAX_LINES);
    lines.join("\n") + &if more > 0 { format!("\nand {more} more lines") } else { String::new() }
}

/// Terms with their values; empty if the plan cannot be read.
fn terms(plan: &Value) -> Vec<(&'static str, String)> {
    let Ok(config) = config_in(plan) else { return Vec::new() };
    let fleet = config.fleet.clone().unwrap_or_default();
    let test_type = config.test_type.name();
    let gloss = gloss(test_type).map(|gloss| format!("{test_type} ({gloss})"));
    let ms = |ms: Option<u64>| ms.filter(|ms| *ms > 0).map(format_duration_ms);
    let known = [
        ("type", gloss),
        ("request", Some(request(&config))),
        ("load", Some(load(&config, &fleet))),
        ("duration", ms(config.duration_ms)),
        ("requests", amount(fleet.requests, config.message_count_per_driver)),
        ("connections", connections(&config, &fleet)),
        ("warm-up", ms(config.warmup_ms)),
        ("timeout", ms(config.timeout_ms)),
        ("client", config.client.as_deref().map(|client| clip(client, 20))),
    ];
    known.into_iter().filter_map(|(term, value)| Some((term, value?))).collect()
}
