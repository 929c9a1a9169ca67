use super::*;
use crate::message::{RecordedStarts, Stage, TestConfig, TestType, Totals};
use crate::plan::Defaults;
use proptest::prelude::*;

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

fn schedule(change: impl FnOnce(&mut TestConfig)) -> Schedule {
    let mut config = TestConfig::new("t", TestType::Avalanche);
    config.target_url = Some("http://127.0.0.1/".to_owned());
    change(&mut config);
    Schedule::new(&Plan::new(&config, &Defaults::default()).expect("a valid plan"))
}

fn rate(rps: f64, duration_ms: u64) -> Schedule {
    schedule(|c| (c.target_throughput, c.duration_ms) = (Some(rps), Some(duration_ms)))
}

fn tsunami(delay_ms: f64, requests: u64) -> Schedule {
    schedule(|c| {
        c.test_type = TestType::Tsunami;
        (c.test_message_delay, c.message_count_per_driver) = (Some(delay_ms), Some(requests));
    })
}

fn stages(from: f64, legs: &[(u64, f64)]) -> Schedule {
    schedule(|c| {
        c.target_throughput = Some(from).filter(|rate| *rate > 0.0);
        c.stages = legs.iter().map(|&(duration_ms, rate)| Stage { duration_ms, rate }).collect();
    })
}

/// When the k-th request of a fleet of `parts` drivers starts; `None` in a closed loop and after the end.
fn fleet_start_ns(schedule: &Schedule, k: u64, parts: u64) -> Option<u64> {
    if schedule.requests.is_some_and(|most| u128::from(k) >= most.of_all(parts)) {
        return None;
    }
    let start_ns = schedule.main.start_ns(u128::from(k), schedule.speed(parts))?;
    schedule.duration_ns.is_none_or(|end_ns| start_ns < end_ns).then_some(start_ns)
}

/// A schedule with these starts, in µs.
fn recorded(starts_us: &[u64], change: impl FnOnce(&mut TestConfig)) -> Schedule {
    schedule(|c| {
        c.starts = Some(RecordedStarts::encode(starts_us).expect("fits"));
        change(c);
    })
}

#[test]
fn recorded_requests_start_at_their_times_and_end_the_test() {
    let starts_us = [0, 0, 12_500, 1_000_000];
    let schedule = recorded(&starts_us, |_| {});
    let starts = |part| (0..).map_while(|j| schedule.share(part, 3).start_ns(j)).collect::<Vec<_>>();
    assert_eq!((starts(0), starts(1), starts(2)), (vec![0, S], vec![0], vec![12_500_000]));
    assert_eq!(schedule.share(1, 3).planned_end_ns(), Some(S + MS), "a whole number of ms");
    assert!(schedule.share(0, 1).is_open());
    let cut = |change: fn(&mut TestConfig)| planned(&recorded(&starts_us, change), 3).0;
    assert_eq!(cut(|c| c.duration_ms = Some(12)), 2);
    assert_eq!(cut(|c| c.duration_ms = Some(60_000)), 4, "nothing was recorded after the last one");
    assert_eq!(cut(|c| c.fleet = Some(Totals { requests: Some(3), ..Totals::default() })), 3);
    assert_eq!(cut(|c| c.fleet = Some(Totals { requests: Some(300), ..Totals::default() })), 4);
    assert_eq!(cut(|c| c.message_count_per_driver = Some(1)), 3);
    // The mean rate of the recording is 4/s.
    for parts in [1, 3, 7] {
        assert_eq!(planned(&recorded(&starts_us, |c| c.warmup_ms = Some(2_000)), parts), (4, 8));
    }
    assert_eq!(planned(&recorded(&[0; 5], |c| c.warmup_ms = Some(2_000)), 2), (5, 10), "5/s, not a flood");
}

#[test]
fn the_billionth_start_is_exact() {
    let third = rate(3.0, 604_800_000).share(0, 1);
    assert_eq!(third.start_ns(1), Some(333_333_333));
    let fast = schedule(|c| {
        (c.target_throughput, c.message_count_per_driver) = (Some(7_000.0), Some(2_000_000_000));
    });
    let share = fast.share(0, 1);
    // 1e9 requests at 7,000/s: 142,857.142857142857… s.
    assert_eq!(share.start_ns(1_000_000_000), Some(142_857_142_857_142));
    assert_eq!(tsunami(20.0, 2_000_000_000).share(0, 1).start_ns(1_000_000_000), Some(20_000_000 * S));
}

proptest! {
    #[test]
    fn two_halves_are_a_share(
        rps in 1.0f64..1_000.0, requests in 1u64..50, parts in 1u64..5, part in 0u64..5,
        is_total in any::<bool>(), is_open in any::<bool>(), until_ms in 0u64..5_000,
    ) {
        let part = part % parts;
        let schedule = schedule(|c| {
            let (rate, requests) = (Some(rps).filter(|_| is_open), Some(requests));
            match is_total {
                true => c.fleet = Some(crate::message::Totals { rate, requests, ..Default::default() }),
                false => (c.target_throughput, c.message_count_per_driver) = (rate, requests),
            }
            (c.duration_ms, c.warmup_ms) = (Some(3_000), Some(200));
        });
        let share = schedule.share(part, parts);
        let halves = [share.half(0), share.half(1)];
        for j in 0..60 {
            let half = &halves[(j % 2) as usize];
            prop_assert_eq!(share.start_ns(j), half.start_ns(j / 2), "{}", j);
            prop_assert_eq!(share.warmup_start_ns(j), half.warmup_start_ns(j / 2), "{}", j);
        }
        let sum = |of: &dyn Fn(&Share) -> u64| halves.iter().map(of).sum::<u64>();
        let planned = |share: &Share| share.planned_before(until_ms * MS).unwrap_or(0);
        prop_assert_eq!(sum(&planned), planned(&share));
        prop_assert_eq!(sum(&|half| half.requests().unwrap_or(0)), share.requests().unwrap_or(0));
        prop_assert_eq!(sum(&Share::warmup_count), share.warmup_count());
        for half in &halves {
            let last = half.planned_before(u64::MAX).and_then(|count| half.start_ns(count.checked_sub(1)?));
            prop_assert!(last <= half.planned_end_ns().or(last), "{:?}", last);
            prop_assert!(half.planned_end_ns() <= share.planned_end_ns().map(|end_ns| end_ns + S));
        }
    }
}

#[test]
fn rate_times_duration_is_the_planned_count() {
    for (rps, duration_ms, parts) in
        [(1_000.0, 10_000, 1), (1_000.0, 10_000, 7), (0.3, 10_000, 3), (3.0, 1_000, 2)]
    {
        let schedule = rate(rps, duration_ms);
        for part in 0..parts {
            let share = schedule.share(part, parts);
            let planned = (rps * duration_ms as f64 / 1e3).round() as u64;
            assert_eq!(share.planned_before(u64::MAX), Some(planned), "{rps}/s, driver {part} of {parts}");
            assert!(share.start_ns(planned - 1).is_some());
            assert_eq!(share.start_ns(planned), None);
        }
    }
}

#[test]
fn tsunami_phases_interleave() {
    let schedule = tsunami(20.0, 3);
    let starts = |part| (0..4).map(|j| schedule.share(part, 4).start_ns(j)).collect::<Vec<_>>();
    assert_eq!(starts(0), [Some(0), Some(20 * MS), Some(40 * MS), None]);
    assert_eq!(starts(3), [Some(15 * MS), Some(35 * MS), Some(55 * MS), None]);
    assert_eq!(schedule.share(3, 4).phase_ns(), 15 * MS);
}

#[test]
fn stages_ramp_linearly() {
    // 0 to 100/s in 10 s is 500 requests; then 1 s at 100/s is 100 more.
    let share = stages(0.0, &[(10_000, 100.0), (1_000, 100.0)]).share(0, 1);
    assert_eq!(share.planned_before(u64::MAX), Some(600));
    assert_eq!(share.start_ns(0), Some(0));
    // The area under the ramp at t is 5·t², so the 125th request starts at 5 s.
    assert_eq!(share.start_ns(125), Some(5 * S));
    assert_eq!(share.start_ns(500), Some(10 * S));
    assert_eq!(share.start_ns(550), Some(10 * S + 500 * MS));
    assert_eq!(share.start_ns(600), None);
}

#[test]
fn a_pause_between_stages_sends_nothing() {
    let share = stages(10.0, &[(1_000, 10.0), (1, 0.0), (5_000, 0.0), (1, 10.0), (1_000, 10.0)]).share(0, 1);
    let starts: Vec<u64> = (0..).map_while(|j| share.start_ns(j)).collect();
    assert!(starts.iter().all(|start| *start <= 1_001 * MS || *start >= 6_001 * MS), "{starts:?}");
    assert_eq!(starts.len() as u64, share.planned_before(u64::MAX).expect("open loop"));
}

#[test]
fn warm_up_comes_before_and_has_its_own_tickets() {
    let schedule = schedule(|c| {
        (c.target_throughput, c.duration_ms, c.warmup_ms) = (Some(10.0), Some(1_000), Some(500));
    });
    let share = schedule.share(0, 1);
    assert_eq!((0..).map_while(|j| share.warmup_start_ns(j)).count(), 5);
    assert_eq!(share.warmup_count(), 5);
    assert_eq!((0..2).map(|part| schedule.share(part, 2).warmup_count()).sum::<u64>(), 10);
    assert_eq!((0..).map_while(|j| share.start_ns(j)).count(), 10);
}

#[test]
fn a_closed_loop_plans_nothing_ahead() {
    let share = schedule(|c| c.message_count_per_driver = Some(5)).share(0, 2);
    assert!(!share.is_open());
    assert_eq!((share.start_ns(0), share.planned_before(S), share.requests()), (None, None, Some(5)));
}

fn totals(change: impl FnOnce(&mut TestConfig, &mut Totals)) -> Schedule {
    schedule(|config| {
        let mut fleet = Totals::default();
        change(config, &mut fleet);
        config.fleet = Some(fleet);
    })
}

/// What all drivers plan together: before the end, and in the warm-up.
fn planned(schedule: &Schedule, parts: u64) -> (u64, u64) {
    let shares: Vec<Share> = (0..parts).map(|part| schedule.share(part, parts)).collect();
    let main = shares.iter().map(|share| share.planned_before(u64::MAX).expect("open")).sum();
    (main, shares.iter().map(Share::warmup_count).sum())
}

#[test]
fn totals_are_exact_for_any_number_of_drivers() {
    for parts in [1, 2, 3, 7, 300] {
        let timed = totals(|c, fleet| {
            (fleet.rate, c.duration_ms, c.warmup_ms) = (Some(1_000.0), Some(10_000), Some(333));
        });
        assert_eq!(planned(&timed, parts), (10_000, 333), "{parts} drivers");
        let counted = totals(|_, fleet| (fleet.rate, fleet.requests) = (Some(1_000.0), Some(100)));
        assert_eq!(planned(&counted, parts), (100, 0), "{parts} drivers");
        let staged = totals(|_, fleet| {
            fleet.stages = [(10_000, 100.0), (1_000, 100.0)]
                .map(|(duration_ms, rate)| Stage { duration_ms, rate })
                .to_vec();
        });
        assert_eq!(planned(&staged, parts), (600, 0), "{parts} drivers");
        let gap = totals(|c, fleet| (c.test_type, fleet.requests) = (TestType::Tsunami, Some(100)));
        assert_eq!(planned(&gap, parts), (100, 0), "{parts} drivers");
        let closed = totals(|_, fleet| fleet.requests = Some(100));
        let each = (0..parts).map(|part| closed.share(part, parts).requests().expect("a count"));
        assert_eq!(each.sum::<u64>(), 100, "{parts} drivers");
    }
}

#[test]
fn a_fleet_rate_is_interleaved_and_ends_at_the_same_time_for_all_drivers() {
    let schedule = totals(|_, fleet| (fleet.rate, fleet.requests) = (Some(1_000.0), Some(10)));
    let starts = |part| (0..).map_while(|j| schedule.share(part, 3).start_ns(j)).collect::<Vec<_>>();
    assert_eq!(starts(0), [0, 3 * MS, 6 * MS, 9 * MS]);
    assert_eq!(starts(1), [MS, 4 * MS, 7 * MS]);
    assert_eq!(starts(2), [2 * MS, 5 * MS, 8 * MS]);
    for part in 0..3 {
        assert_eq!(schedule.share(part, 3).planned_end_ns(), Some(10 * MS));
    }
}

fn any_schedule() -> impl Strategy<Value = Schedule> {
    let leg = (1u64..3_000, prop_oneof![Just(0.0), 0.5f64..400.0]).boxed();
    prop_oneof![
        (0.1f64..2_000.0, 1u64..3_000).prop_map(|(rps, ms)| rate(rps, ms)),
        (0.5f64..200.0, 1u64..300).prop_map(|(delay, n)| tsunami(delay, n)),
        (0.5f64..300.0, prop::collection::vec(leg.clone(), 1..5))
            .prop_map(|(from, legs)| stages(from, &legs)),
        (0.1f64..2_000.0, 1u64..3_000, 1u64..3_000).prop_map(|(rps, ms, n)| totals(|c, fleet| {
            (fleet.rate, c.duration_ms, fleet.requests) = (Some(rps), Some(ms), Some(n));
        })),
        (0.5f64..200.0, 1u64..300).prop_map(|(delay, n)| totals(|c, fleet| {
            (c.test_type, c.test_message_delay, fleet.requests) = (TestType::Tsunami, Some(delay), Some(n));
        })),
        (prop::collection::vec(0u64..3_000_000, 1..300), 1u64..300).prop_map(|(mut starts_us, n)| {
            starts_us.sort_unstable();
            recorded(&starts_us, |c| c.fleet = Some(Totals { requests: Some(n), ..Totals::default() }))
        }),
        (0.5f64..300.0, prop::collection::vec(leg, 1..5)).prop_map(|(from, legs)| totals(|_, fleet| {
            fleet.rate = Some(from);
            fleet.stages = legs.iter().map(|&(duration_ms, rate)| Stage { duration_ms, rate }).collect();
        })),
    ]
}

proptest! {
    #[test]
    fn drivers_plan_the_exact_total_for_any_rate_and_number(
        micro_rps in 1_000u64..5_000_000_000,
        ms in 1u64..100_000,
        requests in 1u64..1_000_000,
        parts in 1u64..50,
    ) {
        let timed = totals(|c, fleet| (fleet.rate, c.duration_ms) = (Some(micro_rps as f64 / 1e6), Some(ms)));
        // The k-th request starts at k/rate, so rate times duration, rounded up, start before the end.
        let product = (u128::from(micro_rps) * u128::from(ms)).div_ceil(1_000_000_000) as u64;
        prop_assert_eq!(planned(&timed, parts).0, product);
        let counted = totals(|_, fleet| (fleet.rate, fleet.requests) = (Some(1.0), Some(requests)));
        prop_assert_eq!(planned(&counted, parts).0, requests);
    }

    #[test]
    fn the_starts_are_those_of_the_recording_whatever_the_number_of_drivers(
        mut starts_us in prop::collection::vec(0u64..604_799_000_000, 1..200), parts in 1u64..20,
    ) {
        starts_us.sort_unstable();
        let schedule = recorded(&starts_us, |_| {});
        prop_assert_eq!(planned(&schedule, parts).0, starts_us.len() as u64);
        let shares: Vec<Share> = (0..parts).map(|part| schedule.share(part, parts)).collect();
        for (k, start_us) in starts_us.iter().enumerate() {
            let (part, j) = (k % parts as usize, k as u64 / parts);
            prop_assert_eq!(shares[part].start_ns(j), Some(start_us * 1_000));
        }
    }

    #[test]
    fn the_union_of_the_shares_is_the_schedule(schedule in any_schedule(), parts in 1u64..9) {
        let mut union: Vec<u64> = (0..parts)
            .flat_map(|part| {
                let share = schedule.share(part, parts);
                (0..).map_while(move |j| share.start_ns(j)).collect::<Vec<_>>()
            })
            .collect();
        union.sort_unstable();
        let whole: Vec<u64> = (0..).map_while(|k| fleet_start_ns(&schedule, k, parts)).collect();
        prop_assert!(whole.is_sorted(), "starts never decrease");
        prop_assert_eq!(union, whole);
    }

    #[test]
    fn the_planned_count_is_the_number_of_starts(
        schedule in any_schedule(),
        parts in 1u64..5,
        end_ms in 0u64..4_000,
    ) {
        let end_ns = end_ms * MS;
        let mut all = 0;
        for part in 0..parts {
            let share = schedule.share(part, parts);
            let before = (0..).map_while(|j| share.start_ns(j)).filter(|start| *start < end_ns);
            let before = before.count() as u64;
            prop_assert_eq!(share.planned_before(end_ns), Some(before));
            all += before;
        }
        prop_assert_eq!(schedule.fleet_planned_before(end_ns, parts), Some(all));
    }
}
