//! When a run is closed at the latest, even if drivers are silent.

use super::CLOSE_AFTER_NS;
use crate::clock::{NS_PER_MS, to_ns};
use crate::message::TestConfig;
use crate::plan::{DEFAULT_TIMEOUT, Fixed};
use crate::schedule::Schedule;

/// The latest end of a run, on the process's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// The latest planned time of the last request; `None` after a STOP.
    pub planned_end_ns: Option<u64>,
    /// When the run is closed.
    pub at_ns: u64,
    /// Whether it applies whatever a driver reports. It does not if a driver's own flags may have made the
    /// test longer.
    pub hard: bool,
}

impl Closing {
    /// The close of a run whose gate opens at `opens_ns`; `None` if only responses end it.
    pub fn after_start(
        config: &TestConfig,
        schedule: &Schedule,
        parts: u64,
        opens_ns: u64,
    ) -> Option<Closing> {
        let parts = parts.max(1);
        let last = schedule.view(parts - 1, parts);
        let end_ns = opens_ns.saturating_add(last.warmup_ns()).saturating_add(last.planned_end_ns()?);
        let Fixed { paced, counted, timed } = Fixed::by(config);
        Some(Closing {
            planned_end_ns: Some(end_ns),
            at_ns: end_ns.saturating_add(patience_ns(config)),
            hard: (timed || (counted && paced)) && config.timeout_ms.is_some(),
        })
    }

    /// The close of a run that was stopped at `now_ns`; never later than before.
    pub fn after_stop(config: &TestConfig, now_ns: u64, before: Option<Closing>) -> Closing {
        let at_ns = now_ns.saturating_add(patience_ns(config));
        let at_ns = before.filter(|closing| closing.hard).map_or(at_ns, |closing| closing.at_ns.min(at_ns));
        Closing { planned_end_ns: None, at_ns, hard: true }
    }
}

/// How long a run waits for the last reports: one timeout plus [`CLOSE_AFTER_NS`].
pub fn patience_ns(config: &TestConfig) -> u64 {
    let timeout_ns = config.timeout_ms.map_or(to_ns(DEFAULT_TIMEOUT), |ms| ms.saturating_mul(NS_PER_MS));
    timeout_ns.saturating_add(CLOSE_AFTER_NS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::NS_PER_S;
    use crate::message::{NodeRef, TestType, Totals};
    use crate::plan::Plan;

    const S: u64 = NS_PER_S;

    fn after_start(config: &TestConfig, opens_ns: u64) -> Option<Closing> {
        let plan = Plan::as_written(config).expect("a valid plan");
        Closing::after_start(config, &Schedule::new(&plan), config.drivers.len() as u64, opens_ns)
    }

    #[test]
    fn a_run_is_closed_timeout_and_five_seconds_after_its_planned_end() {
        let mut config = TestConfig::new("t", TestType::Tsunami);
        (config.test_message_delay, config.message_count_per_driver) = (Some(100.0), Some(50));
        (config.timeout_ms, config.warmup_ms) = (Some(2_000), Some(1_000));
        let closing = after_start(&config, 10 * S).unwrap();
        assert_eq!((closing.planned_end_ns, closing.at_ns, closing.hard), (Some(16 * S), 23 * S, true));
        let stopped = Closing::after_stop(&config, 12 * S, Some(closing));
        assert_eq!((stopped.planned_end_ns, stopped.at_ns, stopped.hard), (None, 19 * S, true));
        assert_eq!(Closing::after_stop(&config, 22 * S, Some(closing)).at_ns, 23 * S);
    }

    #[test]
    fn totals_have_the_same_planned_end_over_any_fleet() {
        let mut config = TestConfig::new("t", TestType::Avalanche);
        config.timeout_ms = Some(1_000);
        config.fleet = Some(Totals { rate: Some(10.0), requests: Some(50), ..Totals::default() });
        for drivers in [1u64, 3, 7] {
            config.drivers = (0..drivers).map(|i| NodeRef { node_id: i.to_string(), epoch: 1 }).collect();
            let closing = after_start(&config, 0).unwrap();
            assert_eq!((closing.at_ns, closing.hard), (11 * S, true), "{drivers} drivers");
        }
    }

    #[test]
    fn a_closed_loop_with_a_count_only_has_no_planned_end() {
        let mut config = TestConfig::new("t", TestType::Avalanche);
        config.message_count_per_driver = Some(50);
        assert_eq!(after_start(&config, 0), None);
    }

    #[test]
    fn the_deadline_is_soft_where_a_drivers_own_flags_may_apply() {
        let mut config = TestConfig::new("t", TestType::Avalanche);
        config.timeout_ms = Some(1_000);
        let closing = after_start(&config, 0).unwrap();
        assert_eq!((closing.at_ns, closing.hard), (16 * S, false));
        config.duration_ms = Some(10_000);
        assert!(after_start(&config, 0).unwrap().hard);
        config.timeout_ms = None;
        assert!(!after_start(&config, 0).unwrap().hard);
    }
}
