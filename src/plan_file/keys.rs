//! The keys of a plan file: their names, suggestions for misspelled ones, and the fields of a `test_config`
//! that they set.

use crate::check;
use crate::plan::fields::{nearest, shown};

/// Keys at the top of a plan file.
pub const PLAN: [&str; 24] = [
    "test_type",
    "target_url",
    "ab",
    "rate",
    "rate_per_driver",
    "count",
    "count_per_driver",
    "connections",
    "connections_per_driver",
    "duration",
    "warmup",
    "delay",
    "timeout",
    "stages",
    "fail_if",
    "on_driver_loss",
    "max_requests_per_connection",
    "client",
    "host",
    "insecure",
    "request",
    "requests",
    "seed",
    "feeds",
];
/// Keys of a table in `feeds`.
pub const FEED: [&str; 4] = ["file", "pick", "at_end", "rows"];
/// Keys of the table `request`.
pub const REQUEST: [&str; 5] = ["method", "headers", "body", "body_file", "expect"];
/// Keys of a table in `requests`.
pub const NAMED: [&str; 8] = ["name", "weight", "url", "method", "headers", "body", "body_file", "expect"];
/// Keys of a stage.
pub const STAGE: [&str; 2] = ["duration", "rate"];

/// Names from other tools, from a `test_config`, or without the right unit, and the keys they mean.
const MEANT: [(&str, &str); 43] = [
    ("type", "test_type"),
    ("url", "target_url"),
    ("target", "target_url"),
    ("rps", "rate"),
    ("qps", "rate"),
    ("throughput", "rate"),
    ("target_throughput", "rate_per_driver"),
    ("n", "count"),
    ("message_count", "count"),
    ("message_count_per_driver", "count_per_driver"),
    ("requests_per_driver", "count_per_driver"),
    ("path", "url"),
    ("share", "weight"),
    ("id", "name"),
    ("concurrency", "connections"),
    ("users", "connections"),
    ("vus", "connections"),
    ("duration_ms", "duration"),
    ("duration_s", "duration"),
    ("time", "duration"),
    ("warmup_ms", "warmup"),
    ("warm_up", "warmup"),
    ("test_message_delay", "delay"),
    ("delay_ms", "delay"),
    ("interval", "delay"),
    ("timeout_ms", "timeout"),
    ("thresholds", "fail_if"),
    ("threshold", "fail_if"),
    ("header", "headers"),
    ("method", "method"),
    ("headers", "headers"),
    ("body", "body"),
    ("body_file", "body_file"),
    ("payload", "body"),
    ("data", "body"),
    ("file", "body_file"),
    ("check", "expect"),
    ("checks", "expect"),
    ("assert", "expect"),
    ("code", "status"),
    ("text", "contains"),
    ("headers", "header"),
    ("size", "max_bytes"),
];

/// A table of a plan file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// The top of the file.
    Plan,
    /// `[request]`
    Request,
    /// One of `[[requests]]`.
    Named,
    /// `expect` of a request.
    Expect,
    /// One of `[feeds.NAME]`.
    Feed,
    /// A stage.
    Stage,
}

impl Table {
    fn keys(self) -> &'static [&'static str] {
        match self {
            Table::Plan => &PLAN,
            Table::Request => &REQUEST,
            Table::Named => &NAMED,
            Table::Expect => &check::KEYS,
            Table::Feed => &FEED,
            Table::Stage => &STAGE,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Table::Plan => "a plan file",
            Table::Request => "[request]",
            Table::Named => "a request in [[requests]]",
            Table::Expect => "expect",
            Table::Feed => "a feed",
            Table::Stage => "a stage",
        }
    }
}

/// What is wrong with a key that the table does not have, and which one was probably meant.
pub fn unknown(name: &str, table: Table) -> String {
    let what = format!("{} is not a key of {}", shown(name), table.name());
    let lower = name.to_ascii_lowercase().replace('-', "_");
    let here = |(other, meant): &&(&str, &str)| *other == lower && table.keys().contains(meant);
    let meant = MEANT.iter().find(here).or_else(|| MEANT.iter().find(|(other, _)| *other == lower));
    let meant = meant.map(|(_, meant)| *meant);
    let key = meant.filter(|key| table.keys().contains(key)).or_else(|| nearest(name, table.keys()));
    if let Some(key) = key {
        return format!("{what}: did you mean {key}?");
    }
    // In TOML, a key after a table's heading belongs to that table.
    let heading = match table {
        Table::Request => Some("[request]"),
        Table::Named => Some("the first [[requests]]"),
        Table::Feed => Some("[feeds]"),
        Table::Plan | Table::Expect | Table::Stage => None,
    };
    if let Some(heading) = heading.filter(|_| PLAN.contains(&lower.as_str())) {
        return format!("{what}: move {lower} to the top of the file, above {heading}");
    }
    if table == Table::Plan
        && let Some(key) = meant.filter(|key| REQUEST.contains(key))
    {
        return format!("{what}: did you mean {key} in the table [request]?");
    }
    match lower.as_str() {
        "fleet" if table == Table::Plan => {
            format!("{what}: rate, count and connections at the top of the file are totals over all drivers")
        }
        _ => format!("{what}: use {}", table.keys().join(", ")),
    }
}

/// The key that sets a field of a `test_config`.
pub fn of_field(field: &str) -> &str {
    match field {
        "test_message_delay" => "delay",
        "message_count_per_driver" => "count_per_driver",
        "fleet.requests" => "count",
        "target_throughput" => "rate_per_driver",
        "fleet.rate" => "rate",
        "duration_ms" => "duration",
        "warmup_ms" => "warmup",
        "timeout_ms" => "timeout",
        "connections" => "connections_per_driver",
        "fleet.connections" => "connections",
        "fleet.stages" => "stages",
        "thresholds" => "fail_if",
        other => other,
    }
}

/// The reason of a plan's error, in the terms of a plan file.
pub fn reason(text: &str) -> String {
    let wire = [
        ("test_message_delay", "delay"),
        ("message_count_per_driver", "count_per_driver"),
        ("target_throughput", "rate_per_driver"),
        ("duration_ms", "duration"),
        ("conflicts with connections,", "conflicts with connections_per_driver,"),
        ("AVALANCHE", "avalanche"),
        ("TSUNAMI", "tsunami"),
    ];
    wire.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_answered_with_the_nearest_one() {
        for (name, table, expected) in [
            ("rat", Table::Plan, "rat is not a key of a plan file: did you mean rate?"),
            ("Fail-If", Table::Plan, "did you mean fail_if?"),
            ("vus", Table::Plan, "did you mean connections?"),
            ("target_throughput", Table::Plan, "did you mean rate_per_driver?"),
            ("method", Table::Plan, "did you mean method in the table [request]?"),
            ("fleet", Table::Plan, "are totals over all drivers"),
            ("rate", Table::Request, "rate is not a key of [request]: move rate to the top of the file"),
            ("bdy", Table::Request, "did you mean body?"),
            ("duration_ms", Table::Stage, "did you mean duration?"),
            ("headers", Table::Expect, "headers is not a key of expect: did you mean header?"),
            ("assert", Table::Named, "did you mean expect?"),
            ("x", Table::Stage, "x is not a key of a stage: use duration, rate"),
            ("a\nlong name", Table::Plan, "\"a\\nlong name\" is not a key of a plan file: use test_type, "),
        ] {
            let text = unknown(name, table);
            assert!(text.contains(expected), "{text}");
        }
        for (_, meant) in MEANT {
            let known = [&PLAN[..], &REQUEST, &NAMED, &check::KEYS];
            assert!(known.iter().any(|keys| keys.contains(&meant)), "{meant}");
        }
    }
}
