//! Counts and shares as text.

use crate::units::format_count;

pub fn of(part: u64, whole: u64, what: &str) -> String {
    format!("{} of {} {what} ({})", format_count(part), format_count(whole), share(part, whole))
}

pub fn counted(name: &str, part: u64, whole: u64) -> String {
    format!("{name} {} ({})", format_count(part), share(part, whole))
}

/// A share in percent with one digit; a nonzero share is never shown as 0.
pub fn share(part: u64, whole: u64) -> String {
    let percent = 100.0 * part as f64 / whole.max(1) as f64;
    if part > 0 && percent < 0.05 { "under 0.1 %".to_owned() } else { format!("{percent:.1} %") }
}

/// A share of time in whole percent.
pub fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}
