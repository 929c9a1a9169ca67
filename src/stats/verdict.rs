//! The verdict: what a reader must know before any figure, in words, most important first.
//!
//! A pure function over plain facts. It says which of the two could not keep the plan, the generator or the
//! target, by two signs: *lag* is time lost inside the generator, *queued* means that a request was due while every
//! connection still waited for the target. One can cause the other: after a pause of the generator many are due at
//! once.

mod originals;

pub use originals::Originals;

use super::outcome::ErrorKind;
use crate::units::{format_count, format_figure, format_ms};
use std::collections::BTreeMap;

/// p99 lag up to this is never held against the generator, in ms.
pub const LAG_FLOOR_MS: f64 = 1.0;
/// p99 lag up to this share of the p99 latency is never held against the generator.
pub const LAG_SHARE: f64 = 0.05;
/// An open loop below this share of its planned rate did not keep the plan.
pub const RATE_SHARE: f64 = 0.99;
/// A driver that starts later than this after the gate opened is named, in ms.
pub const LATE_MS: f64 = 50.0;
/// Most names in one line where a line need not name them all.
const MOST_NAMES: usize = 20;

/// What is known of a test.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Why the test failed before it started, one reason each.
    pub failed: Vec<String>,
    /// Why it was stopped early.
    pub stopped: Option<String>,
    /// Whether all figures are in; a running test is judged by less.
    pub finished: bool,
    /// Requests that the schedule wanted sent.
    pub planned: u64,
    /// Requests whose sending began.
    pub sent: u64,
    /// Planned requests that were given up unsent.
    pub never_sent: u64,
    /// Sent requests that were due while every connection was busy.
    pub queued: u64,
    /// Complete responses.
    pub responses: u64,
    /// Failed requests by kind.
    pub errors: BTreeMap<String, u64>,
    /// Responses by status.
    pub status: BTreeMap<String, u64>,
    /// 99th percentile of lag, in ms.
    pub lag_p99_ms: Option<f64>,
    /// Greatest lag, in ms.
    pub lag_max_ms: Option<f64>,
    /// Requests that were planned for as long a time as the greatest lag of each driver: so many can gather while a
    /// generator itself is paused, and then want more connections at once than there are.
    pub due_in_pauses: f64,
    /// 99th percentile of latency, in ms.
    pub latency_p99_ms: Option<f64>,
    /// Of an open loop: requests/s of the whole fleet that were planned, and that were sent.
    pub rates_rps: Option<(f64, f64)>,
    /// Drivers that were lost.
    pub lost: Vec<LostDriver>,
    /// Drivers that fell behind: name and how.
    pub behind: Vec<(String, String)>,
    /// Drivers of the original protocol.
    pub original: Vec<String>,
    /// What else is known of those.
    pub originals: Originals,
    /// Numbered reports that never arrived.
    pub reports_missing: u64,
    /// Counts that do not agree.
    pub differences: Vec<String>,
    /// Whose clock offset is unknown.
    pub clock_unknown: Vec<String>,
    /// Drivers that started late: name and ms after the gate opened.
    pub late: Vec<(String, f64)>,
    /// What else went wrong, in words.
    pub notes: Vec<String>,
}

/// A driver that was lost in mid-run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LostDriver {
    /// Its name.
    pub name: String,
    /// What happened to it.
    pub what: String,
    /// Running time that its reports cover, in s; none if it never reported.
    pub after_s: Option<f64>,
    /// Planned requests that no report accounts for; none if the plan does not say how many it should have sent.
    pub not_sent: Option<u64>,
}

impl Facts {
    /// Whether the generator's own delay is too great to be overlooked.
    pub fn generator_lags(&self) -> bool {
        let allowed_ms = LAG_FLOOR_MS.max(LAG_SHARE * self.latency_p99_ms.unwrap_or(0.0));
        self.lag_p99_ms.is_some_and(|lag_ms| lag_ms > allowed_ms)
    }

    /// The greatest lag, where it is worth a word and can be what made requests queue.
    fn pause_that_queued_ms(&self) -> Option<f64> {
        self.lag_max_ms.filter(|lag_ms| *lag_ms > LAG_FLOOR_MS && self.queued as f64 <= self.due_in_pauses)
    }
}

/// All that must be said, most important first; one line says that all is well where there is nothing else.
pub fn verdict(facts: &Facts) -> Vec<String> {
    let mut lines: Vec<String> = facts.failed.iter().map(|why| format!("The test failed: {why}")).collect();
    if let Some(reason) = &facts.stopped {
        lines.push(format!("The test was stopped early: {reason}"));
    }
    let started = lines.is_empty() || facts.sent > 0;
    lines.extend(originals::first(facts));
    lines.extend(facts.lost.iter().map(|driver| lost(driver, facts.planned)));
    if started && !facts.originals.alone {
        if !nothing_reached(facts) {
            plan_kept(facts, &mut lines);
        }
        errors(facts, &mut lines);
    }
    drivers(facts, &mut lines);
    bookkeeping(facts, &mut lines);
    if lines.is_empty() {
        let well = if facts.finished {
            "All well: the plan was kept, no errors."
        } else {
            "All well so far: the plan is kept, no errors."
        };
        lines.push(well.to_owned());
    }
    lines
}

fn plan_kept(facts: &Facts, lines: &mut Vec<String>) {
    if facts.finished && facts.sent == 0 && facts.never_sent == 0 && facts.planned == 0 {
        lines.push("Nothing was sent.".to_owned());
    }
    if facts.never_sent > 0 {
        let unsent = of(facts.never_sent, facts.planned, "planned requests");
        lines.push(match facts.stopped {
            Some(_) => format!("{unsent} were not sent before the stop."),
            None => format!(
                "The target was slower than the plan: {unsent} were never sent, because every connection was \
                 busy until one timeout after the planned end; use more connections or a lower rate."
            ),
        });
    }
    if facts.queued > 0 {
        let queued = of(facts.queued, facts.sent, "requests");
        let queued = format!("{queued} were due while every connection was busy");
        lines.push(match facts.pause_that_queued_ms() {
            None => format!("The target was slower than the plan: {queued}."),
            Some(pause_ms) => format!(
                "{queued}: the generator itself may have paused ({} at the most), or the target was slower than the \
                 plan.",
                format_ms(pause_ms)
            ),
        });
    }
    let lags = facts.generator_lags();
    if let Some((planned, sent)) = facts.rates_rps.filter(|_| facts.finished && facts.stopped.is_none()) {
        // Where neither a queue nor lag shows, a missing rate is the target's: its drivers waited for it.
        if sent < RATE_SHARE * planned && !(lags && facts.queued == 0) && facts.never_sent == 0 {
            lines.push(format!(
                "The target was slower than the plan: {}/s were sent where {}/s were planned ({:.1} %).",
                format_figure(sent),
                format_figure(planned),
                100.0 * sent / planned
            ));
        }
    }
    if lags {
        let lag = format_ms(facts.lag_p99_ms.unwrap_or(0.0));
        let mend = "use fewer connections, more drivers or a quieter host";
        lines.push(match facts.rates_rps {
            Some(_) => format!(
                "The generator could not keep the plan: 1 % of its requests were sent more than {lag} after they \
                 could have been; {mend}."
            ),
            // A closed loop has no rate to keep; there the generator's delay makes the load lighter.
            None => format!(
                "The generator was the bottleneck: 1 % of its requests were sent more than {lag} after a \
                 connection was free; {mend}."
            ),
        });
    }
}

/// Whether every request failed before a connection was there. Then no plan was kept or missed.
fn nothing_reached(facts: &Facts) -> bool {
    let before_send = |name: &String| ErrorKind::ALL.iter().any(|k| k.name() == name && k.is_before_send());
    let failed = facts.errors.iter().filter(|(_, n)| **n > 0);
    facts.responses == 0
        && facts.errors.values().any(|n| *n > 0)
        && failed.map(|(name, _)| name).all(before_send)
}

fn errors(facts: &Facts, lines: &mut Vec<String>) {
    let total: u64 = facts.errors.values().copied().fold(0, u64::saturating_add);
    if nothing_reached(facts) {
        let all = |kind: ErrorKind| facts.errors.get(kind.name()) == Some(&total);
        let mend = if all(ErrorKind::Tls) {
            "the TLS handshake failed each time; check that the port speaks TLS and that its certificate names this \
             host and is trusted (--ca-cert trusts your own)"
        } else if all(ErrorKind::Dns) {
            "the host name could not be resolved; check its spelling and the DNS settings"
        } else {
            "check the address and that the server is running"
        };
        lines.push(format!(
            "Nothing reached the server: all {} requests failed before a connection was there; {mend}.",
            format_count(total)
        ));
    }
    if total > 0 {
        let mut kinds: Vec<_> = facts.errors.iter().filter(|(_, n)| **n > 0).collect();
        kinds.sort_by_key(|(name, n)| (std::cmp::Reverse(**n), name.as_str()));
        let kinds: Vec<_> = kinds.iter().map(|(name, n)| counted(name, **n, facts.sent)).collect();
        lines.push(format!("Errors: {} failed: {}.", of(total, facts.sent, "requests"), kinds.join(", ")));
    }
    if !nothing_reached(facts) && facts.errors.get(ErrorKind::Connect.name()).is_some_and(|n| *n > 0) {
        lines.push(
            "Some connections could not be opened: the server refused them or could not be reached, or the driver's \
             host had no port or descriptor left, which its log then says."
                .to_owned(),
        );
    }
    let refused: Vec<_> = facts.status.iter().filter(|(code, _)| code.as_str() >= "400").collect();
    let refusals: u64 = refused.iter().map(|(_, n)| **n).sum();
    if refusals > 0 {
        let codes: Vec<_> = refused.iter().map(|(code, n)| counted(code, **n, facts.responses)).collect();
        let share = of(refusals, facts.responses, "responses");
        lines.push(format!("{share} had an error status: {}.", codes.join(", ")));
    }
}

fn lost(driver: &LostDriver, planned: u64) -> String {
    let LostDriver { name, what, .. } = driver;
    let after = driver.after_s.map_or(String::new(), |s| format!(" after {s:.1} s"));
    match driver.not_sent {
        Some(0) => format!("Driver {name} was lost{after}: {what}. All that it had to send is reported."),
        Some(n) => format!(
            "Driver {name} was lost{after}: {} of the plan was not sent ({} of {} requests), because {what}.",
            share(n, planned),
            format_count(n),
            format_count(planned)
        ),
        None => format!(
            "Driver {name} was lost{after}: {what}. How much of the plan was not sent is unknown, because the plan \
             does not say how many requests a driver sends; its figures end with its last report."
        ),
    }
}

fn drivers(facts: &Facts, lines: &mut Vec<String>) {
    for (name, how) in &facts.behind {
        lines.push(format!("Driver {name} fell behind: {how}."));
    }
    for (name, late_ms) in facts.late.iter().take(MOST_NAMES) {
        lines.push(format!("Driver {name} started {} after the gate opened.", format_ms(*late_ms)));
    }
    lines.extend(originals::beside(facts));
}

fn bookkeeping(facts: &Facts, lines: &mut Vec<String>) {
    if facts.reports_missing > 0 {
        lines.push(format!(
            "{} numbered reports never arrived; the totals are whole, because reports are cumulative, but single \
             seconds of the series may not be.",
            format_count(facts.reports_missing)
        ));
    }
    lines.extend(facts.differences.iter().map(|text| format!("The counts do not agree: {text}.")));
    if !facts.clock_unknown.is_empty() {
        lines.push(format!(
            "The clock offset to the broker is unknown and was taken as 0 (the broker gave no append time): {}. \
             Start times and skew are as good as the clocks of the hosts.",
            names(&facts.clock_unknown)
        ));
    }
    lines.extend(facts.notes.iter().cloned());
}

fn names(all: &[String]) -> String {
    let shown = all.iter().take(MOST_NAMES).cloned().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(MOST_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn of(part: u64, whole: u64, what: &str) -> String {
    format!("{} of {} {what} ({})", format_count(part), format_count(whole), share(part, whole))
}

fn counted(name: &str, part: u64, whole: u64) -> String {
    format!("{name} {} ({})", format_count(part), share(part, whole))
}

/// A share in percent with one digit; what is not nothing is never shown as 0.
fn share(part: u64, whole: u64) -> String {
    let percent = 100.0 * part as f64 / whole.max(1) as f64;
    if part > 0 && percent < 0.05 { "under 0.1 %".to_owned() } else { format!("{percent:.1} %") }
}

#[cfg(test)]
mod tests;
