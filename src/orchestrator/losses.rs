//! The lost share of a plan: what the schedule assigned to a lost driver and no report accounts for.
//!
//! The plan does not shrink with its fleet. If the plan has a fixed size, the schedule alone determines what
//! a lost driver should have sent. A closed loop that only ends by time has no size, and then no number is
//! invented.

use super::aggregate::{Aggregate, DriverFigures};
use super::parts::Part;
use super::runs::Run;
use crate::clock::NS_PER_S;
use crate::message::TestConfig;
use crate::plan::Fixed;
use crate::schedule::{Schedule, Share};

/// What was lost with one driver.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    /// Its name.
    pub node_id: String,
    /// What happened to it.
    pub what: String,
    /// Whether it is alive and has finished its load, but its final report could not be delivered.
    pub lacks_report: bool,
    /// Running time that its reports cover, in s; `None` if it never reported.
    pub covered_s: Option<f64>,
    /// Requests of its share that no report accounts for; `None` if the size of its share is unknown.
    pub unreported: Option<u64>,
    /// Requests that it reported as never sent.
    pub never_sent: u64,
    /// Requests of its share beyond those that its last report counts as planned.
    pub beyond_report: u64,
    /// Requests that it reported as sent without reporting how they ended.
    pub in_flight: u64,
}

/// The losses of a run that has started, in the order of its drivers.
pub fn losses(run: &Run, figures: &Aggregate, members: &[Part]) -> Vec<Loss> {
    if run.started_at_ms.is_none() {
        return Vec::new();
    }
    let parts = members.len() as u64;
    let all = members.iter().zip(figures.drivers()).enumerate();
    let gone: Vec<_> = all.filter_map(|(part, (m, d))| Some((part, m, m.gone.clone()?, d))).collect();
    if gone.is_empty() {
        return Vec::new();
    }
    let schedule = Some(&run.schedule).filter(|schedule| is_sized(run, figures, members, schedule));
    let until_ns = until_ns(run, figures);
    let of = |(part, member, what, driver): (usize, &Part, String, &DriverFigures)| {
        let share = schedule.map(|schedule| schedule.view(part as u64, parts));
        let loss = loss(driver, what, share.and_then(|share| given(&share, until_ns)));
        Loss { lacks_report: member.lacks_report, ..loss }
    };
    gone.into_iter().map(of).collect()
}

fn loss(driver: &DriverFigures, what: String, given: Option<u64>) -> Loss {
    let counts = driver.shown.as_ref().map(|shown| shown.counts.clone()).unwrap_or_default();
    let given = given.map(|given| given.max(counts.planned));
    Loss {
        node_id: driver.node.node_id.clone(),
        what,
        lacks_report: false,
        covered_s: driver.shown.as_ref().map(|shown| shown.elapsed_ms / 1_000.0),
        unreported: given.map(|given| given.saturating_sub(counts.sent + counts.never_sent)),
        never_sent: counts.never_sent,
        beyond_report: given.map_or(0, |given| given - counts.planned),
        in_flight: counts.unaccounted(),
    }
}

/// The time since the start of the measurement up to which requests count as planned: the newest whole second
/// while a test runs, the STOP after a STOP.
fn until_ns(run: &Run, figures: &Aggregate) -> Option<u64> {
    let warmup_ns = run.config.warmup_ms.unwrap_or(0).saturating_mul(crate::clock::NS_PER_MS);
    let stopped_ns = run.stopped_after_ns().map(|ns| ns.saturating_sub(warmup_ns));
    let shown_ns = (!figures.is_finished()).then(|| figures.closed_second().saturating_mul(NS_PER_S));
    match (stopped_ns, shown_ns) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Requests of a share that are planned before `until_ns`, or in total; `None` if that depends on responses.
fn given(share: &Share<&Schedule>, until_ns: Option<u64>) -> Option<u64> {
    match share.is_open() {
        true => share.planned_before(until_ns.unwrap_or(u64::MAX)),
        false if until_ns.is_some() || share.duration_ns().is_some() => None,
        false => share.requests(),
    }
}

/// Whether the plan as written determines how much each driver sends. If it leaves the pace or the end to the
/// drivers' own flags, the drivers that finished show whether these changed anything.
fn is_sized(run: &Run, figures: &Aggregate, members: &[Part], schedule: &Schedule) -> bool {
    if fixes_its_size(&run.config) {
        return true;
    }
    let parts = members.len() as u64;
    let finished = members.iter().zip(figures.drivers()).enumerate();
    let finished = finished.filter(|(_, (member, _))| member.is_whole);
    let as_written = finished.map(|(part, (_, driver))| {
        let planned = driver.shown.as_ref().map(|shown| shown.counts.planned);
        planned.is_some() && planned == given(&schedule.view(part as u64, parts), until_ns(run, figures))
    });
    as_written.reduce(|a, b| a && b).unwrap_or(false)
}

/// How many requests of the whole fleet the plan has in a second; `None` if it sets no pace, or the drivers
/// did something else. After a STOP, none are planned.
pub fn planned_in(run: &Run, figures: &Aggregate, members: &[Part]) -> impl Fn(u64) -> Option<u64> {
    let parts = members.len() as u64;
    let is_as_written = || !figures.is_finished() || is_sized(run, figures, members, &run.schedule);
    let is_known = Fixed::by(&run.config).paced && is_as_written();
    let until_ns = until_ns(run, figures).unwrap_or(u64::MAX);
    move |second| {
        let before = |second: u64| {
            let end_ns = second.saturating_mul(NS_PER_S).min(until_ns);
            run.schedule.fleet_planned_before(end_ns, parts)
        };
        is_known.then(|| Some(before(second)? - before(second.checked_sub(1)?)?)).flatten()
    }
}

fn fixes_its_size(config: &TestConfig) -> bool {
    let Fixed { paced, counted, timed } = Fixed::by(config);
    if timed { paced } else { counted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{TestType, Totals};
    use crate::plan::Plan;

    fn config(test_type: TestType, change: impl FnOnce(&mut TestConfig)) -> TestConfig {
        let mut config = TestConfig::new("t", test_type);
        change(&mut config);
        config
    }

    fn second_of_two(config: &TestConfig, until_ns: Option<u64>) -> Option<u64> {
        let schedule = Schedule::new(&Plan::as_written(config).expect("a valid plan"));
        given(&schedule.view(1, 2), until_ns)
    }

    #[test]
    fn a_share_has_a_size_if_time_or_count_and_pace_fix_it() {
        let tsunami = config(TestType::Tsunami, |c| {
            (c.test_message_delay, c.duration_ms) = (Some(10.0), Some(2_000));
        });
        assert!(fixes_its_size(&tsunami));
        assert_eq!(second_of_two(&tsunami, None), Some(200));
        assert_eq!(second_of_two(&tsunami, Some(NS_PER_S)), Some(100), "a STOP ends what is planned");
        let counted = config(TestType::Avalanche, |c| c.message_count_per_driver = Some(500));
        assert!(fixes_its_size(&counted));
        assert_eq!(second_of_two(&counted, None), Some(500));
        assert_eq!(second_of_two(&counted, Some(NS_PER_S)), None, "unknown for a closed loop");
        let timed = config(TestType::Avalanche, |c| c.duration_ms = Some(2_000));
        assert_eq!(second_of_two(&timed, None), None);
        assert!(!fixes_its_size(&timed), "a driver's own flags may pace it");
        let total = config(TestType::Avalanche, |c| {
            c.fleet = Some(Totals { rate: Some(10.0), requests: Some(501), ..Totals::default() });
        });
        assert!(fixes_its_size(&total));
        assert_eq!(second_of_two(&total, None), Some(250));
        assert!(!fixes_its_size(&config(TestType::Tsunami, |c| c.test_message_delay = Some(20.0))));
    }
}
