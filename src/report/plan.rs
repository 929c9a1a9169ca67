//! What was asked for.

use crate::message::{Stage, TestConfig, TestType};
use crate::units::{clip, format_count, format_duration_ms, format_number, trim_number, utc};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

/// Maximum number of characters of a target, a header or a condition.
const MAX_CHARS: usize = 200;
/// Maximum number of stages that are listed.
const MAX_STAGES: usize = 6;

/// The plan as terms with their values, and as it was sent.
pub fn section(summary: &crate::stats::summary::Summary) -> Markup {
    let started = summary.started_at.map(|ms| ("started", utc(ms)));
    let mut plan = summary.plan.clone();
    if let Some(url) = plan.get_mut("target_url") {
        *url = url.as_str().map(target).into();
    }
    let written = serde_json::to_string_pretty(&plan).unwrap_or_default();
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
    let Ok(config) = <TestConfig as Deserialize>::deserialize(plan) else { return Vec::new() };
    let fleet = config.fleet.clone().unwrap_or_default();
    let gloss = match config.test_type {
        TestType::Avalanche => "closed loop or fixed rate",
        TestType::Tsunami => "fixed interval",
    };
    let target = config.target_url.as_deref().map_or("each driver's own target".to_owned(), target);
    let ms = |ms: Option<u64>| ms.filter(|ms| *ms > 0).map(format_duration_ms);
    let either = |total: Option<u64>, each: Option<u64>| {
        let text = |n: u64, whose: &str| format!("{} {whose}", format_count(n));
        total.map(|n| text(n, "in total")).or(each.map(|n| text(n, "per driver")))
    };
    let connections = either(fleet.connections.map(u64::from), config.connections.map(u64::from));
    let known = [
        ("type", Some(format!("{} ({gloss})", config.test_type.name()))),
        ("request", Some(format!("{} {target}", clip(config.method(), 20)))),
        ("load", Some(load(&config))),
        ("duration", ms(config.duration_ms)),
        ("requests", either(fleet.requests, config.message_count_per_driver)),
        ("connections", connections),
        ("warm-up", ms(config.warmup_ms)),
        ("timeout", ms(config.timeout_ms)),
        ("client", config.client.as_deref().map(|client| clip(client, 20))),
    ];
    known.into_iter().filter_map(|(term, value)| Some((term, value?))).collect()
}

/// Without its query, where tokens travel; user and password are hidden already.
fn target(url: &str) -> String {
    let shown = url.split_once('?').map_or(url.to_owned(), |(path, _)| format!("{path}?…"));
    clip(&shown, MAX_CHARS)
}

fn load(config: &TestConfig) -> String {
    let fleet = config.fleet.clone().unwrap_or_default();
    let (rate, stages, whose) = match fleet.rate.is_some() || !fleet.stages.is_empty() {
        true => (fleet.rate, &fleet.stages, "in total"),
        false => (config.target_throughput, &config.stages, "per driver"),
    };
    match (config.test_type, config.test_message_delay, rate) {
        (TestType::Tsunami, Some(ms), _) => format!("one request every {} ms per driver", trim_number(ms)),
        (TestType::Tsunami, None, _) => "each driver's own interval".to_owned(),
        _ if !stages.is_empty() => format!("{}, {whose}", legs(rate.unwrap_or(0.0), stages)),
        (_, _, Some(rate)) => format!("{}/s {whose}", format_number(rate)),
        _ => "closed loop, unless a driver has its own rate".to_owned(),
    }
}

fn legs(from_rps: f64, stages: &[Stage]) -> String {
    let leg = |stage: &Stage| {
        format!("to {}/s in {}", format_number(stage.rate), format_duration_ms(stage.duration_ms))
    };
    let legs: Vec<_> = stages.iter().take(MAX_STAGES).map(leg).collect();
    let more = stages.len().saturating_sub(MAX_STAGES);
    let more = if more > 0 { format!(" and {more} more stages") } else { String::new() };
    format!("from {}/s {}{more}", format_number(from_rps), legs.join(", "))
}
