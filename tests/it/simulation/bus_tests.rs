//! Tests of the simulated bus itself.

use super::bus::{BEGAN_MS, Outcome, Role, SimulatedBus};
use super::faults::{Counts, Faults};
use super::handle::SharedBus;
use super::random::Random;
use floodgate::bus::{Bus, BusError, Connector, Record, Start, Topic};
use floodgate::clock::{ManualClock, NS_PER_MS, NS_PER_S};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Faults of every kind.
const ROUGH: Faults = Faults {
    refused: 100,
    lost_ack: 100,
    late: 50,
    late_ms: 2_000,
    failed_read: 100,
    ack_ms: 50,
    delay_ms: 300,
    slow: 20,
};

/// What three roles that publish and read at random do and see in twenty seconds.
#[derive(Debug, PartialEq)]
struct Course {
    outcomes: Vec<Outcome>,
    /// The records seen by each role.
    seen: Vec<Vec<Record>>,
    /// The values whose publishes were acknowledged, by topic.
    acknowledged: BTreeMap<Topic, BTreeSet<Vec<u8>>>,
    logs: Vec<Vec<Record>>,
    counts: Counts,
}

fn course(seed: u64, faults: Faults) -> Course {
    let mut bus = SimulatedBus::new(seed, faults);
    let roles: Vec<Role> = (0..3).map(|_| bus.open()).collect();
    for (role, topic) in roles.iter().flat_map(|role| Topic::ALL.map(|topic| (*role, topic))) {
        while bus.subscribe(role, topic, Start::Beginning, 0).is_err() {}
    }
    let mut random = Random::of(seed, &[1]);
    let mut course = Course {
        outcomes: Vec::new(),
        seen: vec![Vec::new(); roles.len()],
        acknowledged: BTreeMap::new(),
        logs: Vec::new(),
        counts: Counts::default(),
    };
    for step in 0..2_000u64 {
        let now_ns = step * 10 * NS_PER_MS;
        match step {
            500 => bus.cut(roles[1]),
            700 => bus.heal(roles[1]),
            1_000 => bus.fail(),
            1_100 => bus.recover(),
            _ => {}
        }
        let (index, topic) = (random.up_to(2) as usize, Topic::ALL[random.up_to(4) as usize]);
        // A retry may repeat a value.
        let value = format!("{}", step / 3).into_bytes();
        let outcome = bus.publish(roles[index], topic, "k", &value, now_ns);
        if outcome.result.is_ok() {
            course.acknowledged.entry(topic).or_default().insert(value);
        }
        course.outcomes.push(outcome);
        course.seen[index].extend(bus.poll(roles[index], now_ns).unwrap_or_default());
    }
    for (role, seen) in roles.iter().zip(&mut course.seen) {
        for _ in 0..100 {
            seen.extend(bus.poll(*role, 100 * NS_PER_S).unwrap_or_default());
        }
    }
    course.logs = Topic::ALL.iter().map(|topic| bus.records_of(*topic).to_vec()).collect();
    course.counts = bus.counts();
    course
}

#[test]
fn the_same_seed_leads_to_the_same_course() {
    for seed in 0..5 {
        let (once, again) = (course(seed, ROUGH), course(seed, ROUGH));
        assert_eq!(once, again, "seed {seed}");
        assert_ne!(once.outcomes, course(seed + 100, ROUGH).outcomes);
    }
}

#[test]
fn every_role_sees_every_record_of_a_topic_once_and_in_order() {
    for seed in 0..20 {
        let course = course(seed, ROUGH);
        for (topic, log) in Topic::ALL.iter().zip(&course.logs) {
            assert!(log.iter().enumerate().all(|(index, record)| record.offset == index as i64));
            assert!(log.windows(2).all(|pair| pair[0].append_ms <= pair[1].append_ms));
            for seen in &course.seen {
                let of_topic: Vec<&Record> = seen.iter().filter(|record| record.topic == *topic).collect();
                assert_eq!(of_topic, Vec::from_iter(log), "seed {seed}");
            }
        }
    }
}

#[test]
fn nothing_that_was_acknowledged_is_lost() {
    for seed in 0..20 {
        let course = course(seed, ROUGH);
        for (topic, log) in Topic::ALL.iter().zip(&course.logs) {
            let stored: BTreeSet<Vec<u8>> = log.iter().map(|record| record.value.clone()).collect();
            let lost: Vec<_> = course.acknowledged[topic].difference(&stored).collect();
            assert!(lost.is_empty(), "seed {seed}: {lost:?}");
        }
    }
}

#[test]
fn all_faults_occur_and_are_counted() {
    let mut all = Counts::default();
    for seed in 0..10 {
        let course = course(seed, ROUGH);
        let logs: usize = course.logs.iter().map(Vec::len).sum();
        let Counts { appended, acknowledged, lost_acks, late, refused, cut_publishes, .. } = course.counts;
        assert_eq!(appended, logs as u64);
        assert_eq!(appended, acknowledged + lost_acks + late, "each record has one cause");
        assert_eq!(
            acknowledged + lost_acks + late + refused + cut_publishes,
            2_000,
            "and each publish one end"
        );
        all.add(&course.counts);
    }
    assert_eq!((all.cuts, all.outages), (10, 10));
    let missing: Vec<_> = all.rows().into_iter().filter(|(_, count)| *count == 0).collect();
    assert_eq!(missing, [("records removed by retention", 0)], "this course has no retention");
}

#[test]
fn without_faults_everything_is_seen_at_once() {
    let course = course(3, Faults { late_ms: 0, ..Faults::none() });
    let counts = course.counts;
    assert_eq!(counts.refused + counts.lost_acks + counts.late + counts.failed_reads, 0);
    let mut bus = SimulatedBus::new(1, Faults::none());
    let (one, two) = (bus.open(), bus.open());
    bus.subscribe(two, Topic::Trigger, Start::End, 5).expect("subscribes");
    let Outcome { at_ns, result } = bus.publish(one, Topic::Trigger, "k", b"v", 7 * NS_PER_MS);
    let appended = result.expect("appended");
    assert_eq!((at_ns, appended.append_ms), (7 * NS_PER_MS, Some(BEGAN_MS + 7)));
    let seen = bus.poll(two, 7 * NS_PER_MS).expect("a poll");
    assert_eq!(
        (&seen[0].value[..], &seen[0].key[..], seen[0].append_ms),
        (&b"v"[..], "k", appended.append_ms)
    );
    assert_eq!(bus.poll(two, 7 * NS_PER_MS), Ok(Vec::new()));
}

#[test]
fn a_lost_acknowledgement_leads_to_a_duplicate() {
    let mut bus = SimulatedBus::new(1, Faults { lost_ack: 1_000, ..Faults::none() });
    let role = bus.open();
    assert!(bus.publish(role, Topic::Metrics, "k", b"report 1", 0).result.is_err());
    bus.set_faults(Faults::none());
    assert!(bus.publish(role, Topic::Metrics, "k", b"report 1", 1).result.is_ok());
    let values: Vec<_> = bus.records_of(Topic::Metrics).iter().map(|record| &record.value[..]).collect();
    assert_eq!(values, [b"report 1", b"report 1"]);
}

#[test]
fn a_late_record_follows_its_own_retry() {
    let late = Faults { late: 1_000, late_ms: 100, ..Faults::none() };
    let mut bus = SimulatedBus::new(1, late);
    let role = bus.open();
    bus.subscribe(role, Topic::Metrics, Start::Beginning, 0).expect("subscribes");
    assert!(bus.publish(role, Topic::Metrics, "k", b"first", 0).result.is_err());
    bus.set_faults(Faults::none());
    assert!(bus.publish(role, Topic::Metrics, "k", b"retry", 0).result.is_ok());
    assert_eq!(bus.poll(role, 0).expect("a poll").len(), 1);
    let at_ns = bus.next_visible_ns(role).expect("it will be appended");
    assert!(at_ns <= 100 * NS_PER_MS + 1, "{at_ns}");
    assert_eq!(bus.poll(role, at_ns).expect("a poll")[0].value, b"first");
    assert_eq!(bus.next_visible_ns(role), None);
}

#[test]
fn what_is_due_in_an_outage_is_appended_after_it() {
    let mut bus = SimulatedBus::new(1, Faults { late: 1_000, late_ms: 100, ..Faults::none() });
    let role = bus.open();
    bus.subscribe(role, Topic::Metrics, Start::Beginning, 0).expect("subscribes");
    assert!(bus.publish(role, Topic::Metrics, "k", b"v", 0).result.is_err());
    bus.fail();
    assert!(bus.poll(role, NS_PER_S).is_err() && bus.end(role, Topic::Metrics, NS_PER_S).is_err());
    bus.recover();
    let seen = bus.poll(role, 2 * NS_PER_S).expect("a poll");
    assert_eq!(seen[0].append_ms, Some(BEGAN_MS + 1_000), "not before the outage was seen last");
}

#[test]
fn a_role_that_is_cut_off_can_do_nothing_and_others_everything() {
    let mut bus = SimulatedBus::new(1, Faults::none());
    let (one, two) = (bus.open(), bus.open());
    bus.cut(one);
    bus.cut(one);
    assert!(bus.subscribe(one, Topic::Metrics, Start::End, 0).is_err());
    assert!(bus.publish(one, Topic::Metrics, "k", b"v", 0).result.is_err());
    assert!(bus.poll(one, 0).is_err());
    assert!(bus.publish(two, Topic::Metrics, "k", b"v", 0).result.is_ok());
    bus.heal(one);
    assert_eq!(bus.poll(one, 1), Ok(Vec::new()), "nothing is subscribed");
    assert_eq!((bus.counts().cuts, bus.counts().cut_publishes, bus.counts().cut_reads), (1, 1, 2));
}

#[test]
fn subscriptions_start_where_they_should_and_retention_moves_them() {
    let mut bus = SimulatedBus::new(1, Faults::none());
    let role = bus.open();
    for n in 0..10u8 {
        bus.publish(role, Topic::Metrics, "", &[n], u64::from(n) * NS_PER_MS);
    }
    let mut now_ns = NS_PER_S;
    let mut first = |bus: &mut SimulatedBus, start: Start| {
        now_ns += 1;
        bus.subscribe(role, Topic::Metrics, start, now_ns).expect("subscribes");
        bus.poll(role, now_ns).expect("a poll").first().map(|record| record.value[0])
    };
    let noted = |offset| Start::At(floodgate::bus::Position(BTreeMap::from([(0, offset)])));
    assert_eq!(first(&mut bus, Start::Beginning), Some(0));
    assert_eq!(first(&mut bus, Start::End), None);
    assert_eq!(first(&mut bus, noted(3)), Some(3));
    assert_eq!(first(&mut bus, noted(99)), None);
    assert_eq!(first(&mut bus, Start::Since(BEGAN_MS + 4)), Some(4));
    assert_eq!(first(&mut bus, Start::Since(BEGAN_MS + 10)), None);
    bus.trim(Topic::Metrics, 4);
    bus.trim(Topic::Metrics, 9);
    assert_eq!(first(&mut bus, Start::Beginning), Some(6));
    assert_eq!(first(&mut bus, noted(3)), Some(6));
    assert_eq!(first(&mut bus, Start::Since(0)), Some(6));
    assert_eq!((bus.counts().trimmed, bus.records_of(Topic::Metrics).len()), (6, 10));
}

#[test]
fn each_seed_has_its_own_mixture_of_faults() {
    let mixtures: Vec<Faults> = (0..50).map(Faults::of).collect();
    assert_eq!(mixtures[7], Faults::of(7));
    assert!(mixtures.iter().any(|faults| faults.lost_ack > 50));
    assert!(mixtures.iter().any(|faults| faults.lost_ack < 5));
    assert!(mixtures.iter().all(|faults| faults.refused + faults.lost_ack + faults.late <= 350));
}

#[test]
fn the_traits_of_the_real_bus_are_served_in_simulated_time() {
    let clock = ManualClock::default();
    let shared = SharedBus::new(SimulatedBus::new(1, Faults::none()), clock.clone());
    shared.prepare(Duration::ZERO).expect("nothing to prepare");
    assert_eq!(shared.describe(), "simulated bus");
    let mut reader = shared.handle();
    let mut writer: Box<dyn Bus> = Connector::open(&shared);
    reader.subscribe(Topic::Trigger, Start::End, Duration::ZERO).expect("subscribes");
    clock.advance_ns(9 * NS_PER_MS);
    let appended = writer.publish(Topic::Trigger, "k", b"v", Duration::ZERO).expect("appended");
    assert_eq!(appended.append_ms, Some(SimulatedBus::broker_ms(9 * NS_PER_MS)));
    let seen = reader.poll(Duration::from_secs(3)).expect("a poll that does not wait");
    assert_eq!(seen.len(), 1);
    assert_eq!(reader.end(Topic::Trigger, Duration::ZERO).expect("the end").0, BTreeMap::from([(0, 1)]));
    shared.lock().cut(reader.role);
    assert!(reader.poll(Duration::ZERO).is_err());
    let large = writer.publish(Topic::Trigger, "", &vec![0; 1_000_001], Duration::ZERO);
    assert!(matches!(large, Err(BusError::TooLarge { bytes: 1_000_001, .. })));
    shared.lock().set_faults(Faults { ack_ms: 100, ..Faults::none() });
    let late = (0..20).map(|_| writer.publish(Topic::Trigger, "", b"", Duration::from_millis(50)));
    assert!(late.filter(Result::is_err).count() > 0, "an acknowledgement after the timeout is none");
}
