//! The fields of the form.

/// One field.
pub struct Field {
    /// Its name in the form.
    pub name: &'static str,
    /// What it is called.
    pub label: &'static str,
    /// What it means, and what happens if it is left empty.
    pub hint: &'static str,
    /// How it is typed.
    pub kind: Kind,
    /// Its value before anybody types.
    pub suggested: &'static str,
    /// The fields of a plan that it sets: their errors belong to it.
    pub sets: &'static [&'static str],
    /// Whether most tests leave it alone.
    pub is_special: bool,
}

/// How a field is typed.
#[derive(Clone, Copy)]
pub enum Kind {
    /// One line.
    Line,
    /// Several lines.
    Lines,
    /// One of these values, each with its text.
    Choice(&'static [(&'static str, &'static str)]),
}

const fn line(name: &'static str, label: &'static str, hint: &'static str, sets: &'static [&str]) -> Field {
    Field { name, label, hint, kind: Kind::Line, suggested: "", sets, is_special: false }
}

const fn special(
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    sets: &'static [&str],
) -> Field {
    Field { is_special: true, ..line(name, label, hint, sets) }
}

/// Every field, in the order of the form.
pub const FIELDS: [Field; 16] = [
    line("url", "Target URL", "Empty: each driver's own target.", &["target_url"]),
    line(
        "ab",
        "Second URL (B)",
        "Gets half of the requests, and is compared with the target URL (A). Empty: no comparison.",
        &["ab"],
    ),
    line(
        "rate",
        "Rate in requests/s",
        "Of the whole fleet. Empty: as fast as the target answers.",
        &["fleet.rate"],
    ),
    Field { suggested: "30s", ..line("duration", "Duration", "Like 30s, 2m or 1h.", &["duration_ms"]) },
    line(
        "requests",
        "Requests",
        "Of the whole fleet. Empty: as many as fit the duration.",
        &["fleet.requests"],
    ),
    line(
        "connections",
        "Connections",
        "Of the whole fleet. Empty: each driver's own number.",
        &["fleet.connections"],
    ),
    Field {
        kind: Kind::Lines,
        ..line(
            "thresholds",
            "Fail if",
            "One condition a line, like p99 > 250ms or errors > 1%.",
            &["thresholds"],
        )
    },
    Field {
        kind: Kind::Choice(&[
            ("AVALANCHE", "AVALANCHE (closed loop or fixed rate)"),
            ("TSUNAMI", "TSUNAMI (fixed interval)"),
        ]),
        suggested: "AVALANCHE",
        ..special("type", "Type", "TSUNAMI is paced by the interval below.", &["test_type"])
    },
    special(
        "delay",
        "Interval",
        "TSUNAMI: between two starts on one driver, like 10ms.",
        &["test_message_delay"],
    ),
    special("warmup", "Warm-up", "Load before the measurement begins, like 5s.", &["warmup_ms"]),
    special("timeout", "Timeout", "Response timeout. Empty: each driver's own.", &["timeout_ms"]),
    special("method", "Method", "Empty: GET.", &["request.method"]),
    Field {
        kind: Kind::Lines,
        ..special("headers", "Header lines", "One a line, like X-Key: value.", &["request.headers"])
    },
    Field { kind: Kind::Lines, ..special("body", "Body", "Sent with every request.", &["request.body"]) },
    Field {
        kind: Kind::Choice(&[("continue", "The others go on"), ("fail", "The test fails")]),
        suggested: "continue",
        ..special(
            "loss",
            "If a driver is lost",
            "The lost share is stated in either case.",
            &["on_driver_loss"],
        )
    },
    special("id", "Test id", "Letters, digits and . _ : - only. Empty: a new one.", &["test_id"]),
];
