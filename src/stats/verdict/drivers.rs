//! Drivers that were lost, fell behind or started late.

use super::words::share;
use super::{Facts, Finding, LostDriver, MOST_NAMES};
use crate::units::{format_count, format_ms};

/// A driver that starts more than this after the gate opened is named, in ms.
pub const LATE_MS: f64 = 50.0;

pub fn lost(facts: &Facts, found: &mut Vec<Finding>) {
    found.extend(facts.lost.iter().take(MOST_NAMES).map(|driver| match driver.is_unreported {
        true => unreported(driver),
        false => Finding::warning("driver_lost", gone(driver, facts.planned)).of(&driver.name),
    }));
    found.extend(more(facts.lost.len()).map(|more| {
        let text = format!("… and {more} more drivers were lost or sent no final report.");
        Finding::warning("driver_lost", text)
    }));
}

/// How many there are beyond those that are listed.
fn more(all: usize) -> Option<String> {
    all.checked_sub(MOST_NAMES).filter(|more| *more > 0).map(|more| format_count(more as u64))
}

fn unreported(driver: &LostDriver) -> Finding {
    let LostDriver { name, what, .. } = driver;
    let until = match driver.after_s {
        Some(s) => format!("its figures end {s:.1} s after its start"),
        None => "its load is unknown".to_owned(),
    };
    let text = format!("Unknown: no final report from {name} ({what}); {until}.");
    Finding::failure("no_final_report", text).of(name)
}

fn gone(driver: &LostDriver, planned: u64) -> String {
    let LostDriver { name, what, .. } = driver;
    let after = driver.after_s.map_or(String::new(), |s| format!(" after {s:.1} s"));
    match driver.not_sent {
        Some(0) => format!("Driver {name} was lost{after}: {what}. Everything it had to send was reported."),
        Some(n) => format!(
            "Driver {name} was lost{after}: {} of the plan was not sent ({} of {} requests), because {what}.",
            share(n, planned),
            format_count(n),
            format_count(planned)
        ),
        None => format!(
            "Driver {name} was lost{after}: {what}. How much of the plan was not sent is unknown, because \
             the plan does not say how many requests a driver sends; its figures end with its last report."
        ),
    }
}

pub fn find(facts: &Facts, found: &mut Vec<Finding>) {
    for (name, how) in facts.behind.iter().take(MOST_NAMES) {
        found.push(Finding::warning("driver_behind", format!("Driver {name} fell behind: {how}.")).of(name));
    }
    for (name, late_ms) in facts.late.iter().take(MOST_NAMES) {
        let text = format!("Driver {name} started {} after the gate opened.", format_ms(*late_ms));
        found.push(Finding::warning("driver_behind", text).of(name));
    }
    let rest = [(facts.behind.len(), "fell behind"), (facts.late.len(), "started late")];
    found.extend(rest.into_iter().filter_map(|(all, what)| {
        let text = format!("… and {} more drivers {what}.", more(all)?);
        Some(Finding::warning("driver_behind", text))
    }));
}
