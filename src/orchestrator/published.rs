//! A plan as written to the bus, also readable by drivers of the original protocol, which have no durations
//! or rates.
//!
//! They need `message_count_per_driver` and `test_message_delay`: most of the Python programs exit if a field
//! is missing, the Go programs read 0. What the plan leaves open is derived and listed in `derived`, so that
//! our own drivers drop it.

use crate::message::{COUNT, DELAY, NodeRef, TestConfig, TestType};
use crate::plan::{DEFAULT_DELAY, Plan};
use crate::schedule::Schedule;

/// The plan with all fields of the original protocol. A count that cannot be derived is 0. If it names none
/// of our drivers, it names the `originals`, which have no epoch; a plan without names would be for every
/// driver.
pub fn published(config: &TestConfig, plan: &Plan, originals: &[String]) -> TestConfig {
    let mut published = config.clone();
    if config.drivers.is_empty() {
        let named = originals.iter().map(|name| NodeRef { node_id: name.clone(), epoch: 0 });
        published.drivers = named.collect();
    }
    if config.test_message_delay.is_none() {
        let gap_ms = DEFAULT_DELAY.as_secs_f64() * 1_000.0;
        published.test_message_delay = Some(if config.test_type == TestType::Tsunami { gap_ms } else { 0.0 });
        published.derived.push(DELAY.to_owned());
    }
    if config.message_count_per_driver.is_none() {
        published.message_count_per_driver = Some(count(plan, published.drivers.len()).unwrap_or(0));
        published.derived.push(COUNT.to_owned());
    }
    published
}

/// Maximum number of requests per driver; `None` if a closed loop only ends by its duration.
pub fn count(plan: &Plan, drivers: usize) -> Option<u64> {
    let schedule = Schedule::new(plan);
    let first = schedule.view(0, drivers as u64);
    first.planned_before(u64::MAX).or(first.requests())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{NodeRef, Totals, decode_config, encode};

    fn plan(test_type: TestType, set: impl FnOnce(&mut TestConfig)) -> TestConfig {
        let mut config = TestConfig::new("t", test_type);
        set(&mut config);
        config
    }

    fn published(config: &TestConfig) -> TestConfig {
        super::published(config, &Plan::as_written(config).expect("a plan"), &[])
    }

    fn written(config: &TestConfig) -> (Option<f64>, Option<u64>) {
        let published = published(config);
        (published.test_message_delay, published.message_count_per_driver)
    }

    #[test]
    fn counts_and_delays_follow_from_duration_and_rate() {
        let tsunami = plan(TestType::Tsunami, |c| c.duration_ms = Some(2_500));
        assert_eq!(written(&tsunami), (Some(10.0), Some(250)), "every 10 ms by default");
        let default = plan(TestType::Tsunami, |c| c.test_message_delay = Some(20.0));
        assert_eq!(written(&default), (Some(20.0), Some(500)), "for 10 s by default");
        let held = plan(TestType::Avalanche, |c| {
            (c.target_throughput, c.duration_ms) = (Some(100.0), Some(30_000));
        });
        assert_eq!(written(&held), (Some(0.0), Some(3_000)));
        let closed = plan(TestType::Avalanche, |c| c.duration_ms = Some(1_000));
        assert_eq!(written(&closed), (Some(0.0), Some(0)));
        assert_eq!(count(&Plan::as_written(&closed).expect("a plan"), 1), None);
        let given = plan(TestType::Avalanche, |c| c.message_count_per_driver = Some(7));
        assert_eq!(written(&given), (Some(0.0), Some(7)));
    }

    #[test]
    fn our_drivers_read_the_plan_without_what_was_derived() {
        for test_type in [TestType::Avalanche, TestType::Tsunami] {
            let config = plan(test_type, |c| c.duration_ms = Some(1_000));
            let read = decode_config(&encode(&published(&config))).expect("read");
            assert_eq!(read, config);
            assert_eq!(read.plan_hash(), config.plan_hash());
        }
    }

    #[test]
    fn a_derived_count_is_at_least_every_share_of_the_fleet() {
        let config = plan(TestType::Avalanche, |c| {
            (c.target_throughput, c.duration_ms) = (Some(0.35), Some(10_000));
            c.drivers = (0..3).map(|n| NodeRef { node_id: format!("d{n}"), epoch: 1 }).collect();
        });
        let schedule = Schedule::new(&Plan::as_written(&config).expect("a plan"));
        let shares: Vec<_> = (0..3).map(|part| schedule.share(part, 3).planned_before(u64::MAX)).collect();
        assert_eq!(shares, [Some(4), Some(4), Some(3)]);
        assert_eq!(written(&config).1, Some(4));
        let fleet = Totals { requests: Some(10), ..Totals::default() };
        let total = plan(TestType::Avalanche, |c| (c.drivers, c.fleet) = (config.drivers, Some(fleet)));
        assert_eq!(written(&total).1, Some(4), "10 for the fleet are 4, 3 and 3");
    }
}
