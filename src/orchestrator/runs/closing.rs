//! When a run is closed at the latest, even if drivers are silent.

use super::CLOSE_AFTER_MS;
use crate::message::TestConfig;
use crate::plan::{DEFAULT_TIMEOUT, Fixed};
use crate::schedule::Schedule;

/// The latest end of a run, in broker time, so that every orchestrator on the log comes to the same one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Closing {
    /// The latest planned time of the last request; `None` after a STOP.
    pub planned_end_ms: Option<f64>,
    /// When the run is closed.
    pub at_ms: f64,
    /// Whether it applies whatever a driver reports. It does not if a driver's own flags may have made the
    /// test longer.
    pub hard: bool,
}

impl Closing {
    /// The close of a run whose gate opens at `opens_ms`; `None` if only responses end it.
    pub fn after_start(
        config: &TestConfig,
        schedule: &Schedule,
        parts: u64,
        opens_ms: f64,
    ) -> Option<Closing> {
        let parts = parts.max(1);
        let last = schedule.view(parts - 1, parts);
        let lasts_ns = last.warmup_ns().saturating_add(last.planned_end_ns()?);
        let end_ms = opens_ms + lasts_ns as f64 / 1e6;
        let Fixed { paced, counted, timed } = Fixed::by(config);
        Some(Closing {
            planned_end_ms: Some(end_ms),
            at_ms: end_ms + patience_ms(config),
            hard: (timed || (counted && paced)) && config.timeout_ms.is_some(),
        })
    }

    /// The close of a run that was stopped at `stop_ms`; never later than before.
    pub fn after_stop(config: &TestConfig, stop_ms: f64, before: Option<Closing>) -> Closing {
        let at_ms = stop_ms + patience_ms(config);
        let at_ms = before.filter(|closing| closing.hard).map_or(at_ms, |closing| closing.at_ms.min(at_ms));
        Closing { planned_end_ms: None, at_ms, hard: true }
    }
}

/// How long a run waits for the last reports: one timeout plus [`CLOSE_AFTER_MS`].
pub fn patience_ms(config: &TestConfig) -> f64 {
    config.timeout_ms.map_or(DEFAULT_TIMEOUT.as_secs_f64() * 1e3, |ms| ms as f64) + CLOSE_AFTER_MS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{NodeRef, TestType, Totals};
    use crate::plan::Plan;

    const S: f64 = 1_000.0;

    fn after_start(config: &TestConfig, opens_ms: f64) -> Option<Closing> {
        let plan = Plan::as_written(config).expect("a valid plan");
        Closing::after_start(config, &Schedule::new(&plan), config.drivers.len() as u64, opens_ms)
    }

    #[test]
    fn a_run_is_closed_timeout_and_five_seconds_after_its_planned_end() {
        let mut config = TestConfig::new("t", TestType::Tsunami);
        (config.test_message_delay, config.message_count_per_driver) = (Some(100.0), Some(50));
        (config.timeout_ms, config.warmup_ms) = (Some(2_000), Some(1_000));
        let closing = after_start(&config, 10.0 * S).unwrap();
        assert_eq!((closing.planned_end_ms, closing.at_ms, closing.hard), (Some(16.0 * S), 23.0 * S, true));
        let stopped = Closing::after_stop(&config, 12.0 * S, Some(closing));
        assert_eq!((stopped.planned_end_ms, stopped.at_ms, stopped.hard), (None, 19.0 * S, true));
        assert_eq!(Closing::after_stop(&config, 22.0 * S, Some(closing)).at_ms, 23.0 * S);
    }

    #[test]
    fn totals_have_the_same_planned_end_over_any_fleet() {
        let mut config = TestConfig::new("t", TestType::Avalanche);
        config.timeout_ms = Some(1_000);
        config.fleet = Some(Totals { rate: Some(10.0), requests: Some(50), ..Totals::default() });
        for drivers in [1u64, 3, 7] {
            config.drivers = (0..drivers).map(|i| NodeRef { node_id: i.to_string(), epoch: 1 }).collect();
            let closing = after_start(&config, 0.0).unwrap();
            assert_eq!((closing.at_ms, closing.hard), (11.0 * S, true), "{drivers} drivers");
        }
    }

    #[test]
    fn a_closed_loop_with_a_count_only_has_no_planned_end() {
        let mut config = TestConfig::new("t", TestType::Avalanche);
        config.message_count_per_driver = Some(50);
        assert_eq!(after_start(&config, 0.0), None);
    }

    #[test]
    fn the_deadline_is_soft_where_a_drivers_own_flags_may_apply() {
        let mut config = TestConfig::new("t", TestType::Avalanche);
        config.timeout_ms = Some(1_000);
        let closing = after_start(&config, 0.0).unwrap();
        assert_eq!((closing.at_ms, closing.hard), (16.0 * S, false));
        config.duration_ms = Some(10_000);
        assert!(after_start(&config, 0.0).unwrap().hard);
        config.timeout_ms = None;
        assert!(!after_start(&config, 0.0).unwrap().hard);
    }
}
