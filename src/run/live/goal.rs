//! What ends a test, and how far it has come.

use crate::message::TestConfig;
use crate::plan::{DEFAULT_DURATION, Plan};
use crate::schedule::supply;

/// The smallest share of requests from which the rest is extrapolated.
const LEAST_SHARE: f64 = 0.02;

/// What ends a test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// Seconds, warm-up included.
    Seconds(f64),
    /// Requests of all drivers together.
    Requests(u64),
    /// Requests of each driver.
    RequestsOfEach(u64),
}

impl Goal {
    /// The goal of a plan; of a time and a number of requests, the time.
    pub fn of(plan: &TestConfig) -> Goal {
        let fleet = plan.fleet.clone().unwrap_or_default();
        let stages_ms: u64 = plan.stages.iter().chain(&fleet.stages).map(|stage| stage.duration_ms).sum();
        let planned_ms = plan.duration_ms.or((stages_ms > 0).then_some(stages_ms));
        let default_ms = DEFAULT_DURATION.as_millis() as u64;
        let warmup_ms = plan.warmup_ms.unwrap_or(0);
        let rows_end = || supply::exhausted(&Plan::as_written(plan).ok()?, 1).map(|end| end.requests);
        let all = fleet.requests.or_else(|| rows_end().filter(|_| plan.message_count_per_driver.is_none()));
        match (planned_ms, all, plan.message_count_per_driver) {
            (None, Some(all), _) => Goal::Requests(all),
            (None, None, Some(each)) => Goal::RequestsOfEach(each),
            (ms, ..) => Goal::Seconds((ms.unwrap_or(default_ms) + warmup_ms) as f64 / 1e3),
        }
    }

    /// From 0 to 1.
    pub fn share(self, elapsed_s: f64, requests: u64, drivers: usize) -> f64 {
        let share = match self {
            Goal::Seconds(seconds) => elapsed_s / seconds.max(0.001),
            Goal::Requests(all) => requests as f64 / all.max(1) as f64,
            Goal::RequestsOfEach(each) => {
                let all = each.saturating_mul(drivers.max(1) as u64);
                requests as f64 / all.max(1) as f64
            }
        };
        share.clamp(0.0, 1.0)
    }

    /// Seconds until the end; `None` while they cannot be told.
    pub fn left_s(self, elapsed_s: f64, share: f64) -> Option<f64> {
        match self {
            Goal::Seconds(seconds) => Some((seconds - elapsed_s).max(0.0)),
            _ if share < LEAST_SHARE => None,
            _ => Some(elapsed_s * (1.0 - share) / share),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{TestType, Totals};

    #[test]
    fn the_goal_is_a_time_or_a_number_of_requests() {
        let mut plan = TestConfig::new("t", TestType::Avalanche);
        assert_eq!(Goal::of(&plan), Goal::Seconds(10.0));
        plan.warmup_ms = Some(2_000);
        plan.duration_ms = Some(3_000);
        assert_eq!(Goal::of(&plan), Goal::Seconds(5.0));
        plan.duration_ms = None;
        plan.message_count_per_driver = Some(100);
        assert_eq!(Goal::of(&plan), Goal::RequestsOfEach(100));
        plan.fleet = Some(Totals { requests: Some(500), ..Totals::default() });
        assert_eq!(Goal::of(&plan), Goal::Requests(500));
    }

    #[test]
    fn shares_stay_between_0_and_1() {
        assert_eq!(Goal::Requests(500).share(1.0, 250, 2), 0.5);
        assert_eq!(Goal::RequestsOfEach(500).share(1.0, 250, 2), 0.25);
        assert_eq!(Goal::Seconds(5.0).share(50.0, 0, 1), 1.0);
        assert_eq!(Goal::Requests(0).share(1.0, 9, 0), 1.0);
    }

    #[test]
    fn the_rest_is_extrapolated_from_the_requests() {
        assert_eq!(Goal::Seconds(10.0).left_s(4.0, 0.4), Some(6.0));
        assert_eq!(Goal::Seconds(10.0).left_s(14.0, 1.0), Some(0.0));
        assert_eq!(Goal::Requests(100).left_s(3.0, 0.25), Some(9.0));
        assert_eq!(Goal::Requests(100).left_s(3.0, 0.001), None);
    }
}
