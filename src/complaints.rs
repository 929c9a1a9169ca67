//! Warnings about invalid input from other programs: clipped, at most one line per second of each kind.

use crate::clock::{NS_PER_S, now_ns};
use crate::units::clip;
use std::collections::BTreeMap;

/// Minimum time between two lines of one kind.
const PAUSE_NS: u64 = NS_PER_S;
/// Longest line, in characters.
const MAX_CHARS: usize = 400;

/// The warnings of one thread, by kind.
#[derive(Debug, Default)]
pub struct Complaints(BTreeMap<&'static str, Kind>);

#[derive(Debug, Default)]
struct Kind {
    quiet_until_ns: u64,
    suppressed: u64,
}

impl Complaints {
    /// Logs a warning, unless one of the same kind was logged within the last second.
    pub fn warn(&mut self, kind: &'static str, text: &str) {
        if let Some(line) = self.line(kind, text, now_ns()) {
            log::warn!("{line}");
        }
    }

    fn line(&mut self, kind: &'static str, text: &str, now_ns: u64) -> Option<String> {
        let known = self.0.entry(kind).or_default();
        if now_ns < known.quiet_until_ns {
            known.suppressed += 1;
            return None;
        }
        known.quiet_until_ns = now_ns.saturating_add(PAUSE_NS);
        let line = clip(text, MAX_CHARS);
        match std::mem::take(&mut known.suppressed) {
            0 => Some(line),
            more => Some(format!("{line} (and {more} more like this since the last one)")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_logs_one_short_line_per_second() {
        let mut complaints = Complaints::default();
        let long = "x\n".repeat(1 << 20);
        let first = complaints.line("metrics", &long, 5).expect("the first one");
        assert!(first.len() < 2 * MAX_CHARS && !first.contains('\n'), "{first}");
        (0..1_000).for_each(|n| assert_eq!(complaints.line("metrics", &long, 6 + n), None));
        assert_eq!(complaints.line("trigger", "other", 7).as_deref(), Some("other"));
        let next = complaints.line("metrics", "again", 5 + PAUSE_NS).expect("a second later");
        assert_eq!(next, "again (and 1000 more like this since the last one)");
        assert_eq!(complaints.line("metrics", "then", 5 + 2 * PAUSE_NS).as_deref(), Some("then"));
    }
}
