//! The cases of the contract. Each one uses separate topics.

use super::Subject;
use floodgate::bus::{Bus, BusError, MAX_RECORD_BYTES, Position, Record, Start, Topic};
use floodgate::clock;
use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

/// For calls that must succeed; far longer than any of them takes.
const SOON: Duration = Duration::from_secs(20);
/// For polls that are expected to stay empty.
const QUIET: Duration = Duration::from_millis(300);

fn put(bus: &mut dyn Bus, topic: Topic, value: impl AsRef<[u8]>) {
    bus.publish(topic, "node", value.as_ref(), SOON).expect("publish");
}

fn put_numbers(bus: &mut dyn Bus, topic: Topic, numbers: std::ops::Range<u32>) {
    numbers.for_each(|n| put(bus, topic, n.to_string()));
}

/// Polls until `count` records have arrived; fails if they do not arrive in time.
fn take(bus: &mut dyn Bus, count: usize) -> Vec<Record> {
    let deadline_ns = clock::now_ns() + clock::to_ns(SOON);
    let mut records = Vec::new();
    while records.len() < count && clock::now_ns() < deadline_ns {
        records.extend(bus.poll(Duration::from_secs(1)).expect("poll"));
    }
    assert_eq!(records.len(), count, "records within {SOON:?}");
    records
}

fn take_numbers(bus: &mut dyn Bus, count: usize) -> Vec<u32> {
    take(bus, count).iter().map(number).collect()
}

fn number(record: &Record) -> u32 {
    String::from_utf8_lossy(&record.value).parse().expect("a number")
}

fn assert_quiet(bus: &mut dyn Bus) {
    assert_eq!(bus.poll(QUIET).expect("poll"), [], "no more records were expected");
}

pub fn records_arrive_in_order(subject: &Subject) {
    let mut bus = subject.connector.open();
    bus.subscribe(Topic::Metrics, Start::Beginning, SOON).unwrap();
    put_numbers(&mut *bus, Topic::Metrics, 0..20);
    let records = take(&mut *bus, 20);
    assert_eq!(records.iter().map(number).collect::<Vec<_>>(), Vec::from_iter(0..20));
    assert!(records.iter().all(|record| record.topic == Topic::Metrics));
    assert!(records.windows(2).all(|pair| pair[0].offset < pair[1].offset));
    assert_quiet(&mut *bus);
}

pub fn from_the_end_only_newer_records_are_seen(subject: &Subject) {
    let mut bus = subject.connector.open();
    put_numbers(&mut *bus, Topic::Trigger, 0..3);
    bus.subscribe(Topic::Trigger, Start::End, SOON).unwrap();
    assert_quiet(&mut *bus);
    put_numbers(&mut *bus, Topic::Trigger, 3..5);
    assert_eq!(take_numbers(&mut *bus, 2), [3, 4]);
}

pub fn from_the_beginning_all_records_are_seen(subject: &Subject) {
    let mut writer = subject.connector.open();
    put_numbers(&mut *writer, Topic::Register, 0..7);
    let mut reader = subject.connector.open();
    reader.subscribe(Topic::Register, Start::Beginning, SOON).unwrap();
    assert_eq!(take_numbers(&mut *reader, 7), Vec::from_iter(0..7));
}

pub fn reading_resumes_at_a_saved_position(subject: &Subject) {
    let mut bus = subject.connector.open();
    put_numbers(&mut *bus, Topic::TestConfig, 0..5);
    let noted = bus.end(Topic::TestConfig, SOON).unwrap();
    put_numbers(&mut *bus, Topic::TestConfig, 5..8);
    bus.subscribe(Topic::TestConfig, Start::At(noted), SOON).unwrap();
    let records = take(&mut *bus, 3);
    assert_eq!(records.iter().map(number).collect::<Vec<_>>(), [5, 6, 7]);

    let middle = Position(BTreeMap::from([(records[0].partition, records[0].offset - 2)]));
    let mut reader = subject.connector.open();
    reader.subscribe(Topic::TestConfig, Start::At(middle), SOON).unwrap();
    assert_eq!(take_numbers(&mut *reader, 5), [3, 4, 5, 6, 7]);
}

pub fn a_position_without_partitions_reads_from_the_beginning(subject: &Subject) {
    let mut bus = subject.connector.open();
    put_numbers(&mut *bus, Topic::TestConfig, 0..3);
    bus.subscribe(Topic::TestConfig, Start::At(Position::default()), SOON).unwrap();
    assert_eq!(take_numbers(&mut *bus, 3), [0, 1, 2]);
}

pub fn reading_starts_at_a_time(subject: &Subject) {
    let mut bus = subject.connector.open();
    let mut times = Vec::new();
    for n in 0..4 {
        let appended = bus.publish(Topic::Metrics, "node", n.to_string().as_bytes(), SOON).unwrap();
        times.push(appended.append_ms.unwrap_or_else(|| clock::wall_ms(appended.sent_ns) as i64));
        clock::sleep(Duration::from_millis(3));
    }
    for (first, at_ms) in [(0, i64::MIN), (0, -1), (0, 0), (0, times[0]), (2, times[2]), (3, times[2] + 1)] {
        let mut reader = subject.connector.open();
        reader.subscribe(Topic::Metrics, Start::Since(at_ms), SOON).unwrap();
        // Without times of records, reading may start earlier, but never later.
        let count = if subject.append_time { 4 - first } else { 4 };
        assert_eq!(take_numbers(&mut *reader, count), Vec::from_iter(4 - count as u32..4), "{at_ms} ms");
        assert_quiet(&mut *reader);
    }
}

pub fn a_time_after_the_last_record_starts_at_the_end(subject: &Subject) {
    let mut bus = subject.connector.open();
    for (round, at_ms) in [i64::MAX, clock::wall_ms(clock::now_ns()) as i64 + 3_600_000].iter().enumerate() {
        // The first round begins with an empty topic.
        bus.subscribe(Topic::Trigger, Start::Since(*at_ms), SOON).unwrap();
        assert_quiet(&mut *bus);
        put(&mut *bus, Topic::Trigger, round.to_string());
        assert_eq!(take_numbers(&mut *bus, 1), [round as u32], "the time only says where to start");
    }
}

pub fn the_end_moves_with_each_record(subject: &Subject) {
    let mut bus = subject.connector.open();
    let sum = |position: &Position| position.0.values().sum::<i64>();
    let empty = bus.end(Topic::Heartbeat, SOON).unwrap();
    assert!(!empty.0.is_empty(), "an empty topic has partitions too");
    for n in 1..=4 {
        put(&mut *bus, Topic::Heartbeat, "x");
        assert_eq!(sum(&bus.end(Topic::Heartbeat, SOON).unwrap()), sum(&empty) + n);
    }
}

pub fn one_handle_reads_several_topics(subject: &Subject) {
    let mut bus = subject.connector.open();
    for topic in Topic::ALL {
        bus.subscribe(topic, Start::Beginning, SOON).unwrap();
    }
    for topic in Topic::ALL {
        put(&mut *bus, topic, topic.name());
        put(&mut *bus, topic, topic.name());
    }
    let records = take(&mut *bus, 2 * Topic::ALL.len());
    for topic in Topic::ALL {
        let of_topic: Vec<_> = records.iter().filter(|record| record.topic == topic).collect();
        assert_eq!(of_topic.len(), 2, "{topic:?}");
        assert!(of_topic.iter().all(|record| record.value == topic.name().as_bytes()));
    }
    assert_quiet(&mut *bus);
}

pub fn a_silent_topic_does_not_hold_up_another(subject: &Subject) {
    let mut bus = subject.connector.open();
    bus.subscribe(Topic::Register, Start::Beginning, SOON).unwrap();
    bus.subscribe(Topic::Metrics, Start::Beginning, SOON).unwrap();
    put(&mut *bus, Topic::Metrics, "1");
    let asked_ns = clock::now_ns();
    assert_eq!(bus.poll(SOON).unwrap().len(), 1);
    assert!(clock::now_ns() - asked_ns < 5 * clock::NS_PER_S);
}

pub fn two_handles_see_the_same_records(subject: &Subject) {
    let mut one = subject.connector.open();
    let mut two = subject.connector.open();
    one.subscribe(Topic::Metrics, Start::End, SOON).unwrap();
    two.subscribe(Topic::Metrics, Start::End, SOON).unwrap();
    put_numbers(&mut *one, Topic::Metrics, 0..10);
    let seen = take(&mut *one, 10);
    assert_eq!(seen, take(&mut *two, 10));
    assert_eq!(seen.iter().map(number).collect::<Vec<_>>(), Vec::from_iter(0..10));
}

pub fn append_times_are_present_and_never_decrease(subject: &Subject) {
    let mut bus = subject.connector.open();
    bus.subscribe(Topic::Heartbeat, Start::Beginning, SOON).unwrap();
    let mut times = Vec::new();
    for n in 0..5 {
        let called_ns = clock::now_ns();
        let appended = bus.publish(Topic::Heartbeat, "node", n.to_string().as_bytes(), SOON).unwrap();
        assert!(called_ns <= appended.sent_ns && appended.sent_ns <= appended.acked_ns);
        assert!(appended.acked_ns <= clock::now_ns());
        times.push(appended.append_ms);
        clock::sleep(Duration::from_millis(3));
    }
    let read: Vec<_> = take(&mut *bus, 5).iter().map(|record| record.append_ms).collect();
    assert_eq!(read, times, "the acknowledgement and the record contain the same time");
    assert!(times.iter().all(|time| time.is_some() == subject.append_time), "{times:?}");
    assert!(times.windows(2).all(|pair| pair[0] <= pair[1]), "{times:?}");
    if let (Some(Some(first)), Some(Some(last))) = (times.first(), times.last()) {
        assert!(last - first >= 5, "four gaps of 3 ms: {times:?}");
        // The broker runs on this machine, so its clock is ours, except for jumps during the test.
        assert!((*last as f64 - clock::wall_ms(clock::now_ns())).abs() < 60_000.0);
    }
}

pub fn keys_are_kept(subject: &Subject) {
    let mut bus = subject.connector.open();
    bus.subscribe(Topic::Register, Start::Beginning, SOON).unwrap();
    for key in ["driver-1", "zwölf", "a b\tc"] {
        bus.publish(Topic::Register, key, b"v", SOON).unwrap();
    }
    let keys: Vec<_> = take(&mut *bus, 3).into_iter().map(|record| record.key).collect();
    assert_eq!(keys, ["driver-1", "zwölf", "a b\tc"]);
}

pub fn empty_keys_and_values_are_kept(subject: &Subject) {
    let mut bus = subject.connector.open();
    bus.subscribe(Topic::Register, Start::Beginning, SOON).unwrap();
    bus.publish(Topic::Register, "key", b"", SOON).unwrap();
    bus.publish(Topic::Register, "", b"value", SOON).unwrap();
    let records = take(&mut *bus, 2);
    assert_eq!((records[0].key.as_str(), records[0].value.as_slice()), ("key", &b""[..]));
    assert_eq!((records[1].key.as_str(), records[1].value.as_slice()), ("", &b"value"[..]));
}

pub fn any_bytes_are_kept(subject: &Subject) {
    let mut bus = subject.connector.open();
    let bytes: Vec<u8> = (0..=255).collect();
    bus.subscribe(Topic::Metrics, Start::Beginning, SOON).unwrap();
    put(&mut *bus, Topic::Metrics, &bytes);
    assert_eq!(take(&mut *bus, 1)[0].value, bytes);
}

pub fn a_large_record_is_delivered(subject: &Subject) {
    let mut bus = subject.connector.open();
    let sizes = [900_000, 10, 900_000, MAX_RECORD_BYTES - "node".len()];
    bus.subscribe(Topic::Metrics, Start::Beginning, SOON).unwrap();
    for (n, size) in sizes.into_iter().enumerate() {
        put(&mut *bus, Topic::Metrics, vec![n as u8; size]);
    }
    for (n, record) in take(&mut *bus, sizes.len()).iter().enumerate() {
        assert!(record.value == vec![n as u8; sizes[n]], "record {n} of {} bytes", record.value.len());
    }
}

pub fn a_record_over_the_limit_is_rejected_with_a_reason(subject: &Subject) {
    let mut bus = subject.connector.open();
    bus.subscribe(Topic::Metrics, Start::Beginning, SOON).unwrap();
    let refused = bus.publish(Topic::Metrics, "", &vec![0; MAX_RECORD_BYTES + 1], SOON);
    let Err(BusError::TooLarge { bytes: 1_000_001, text }) = refused else { panic!("taken: {refused:?}") };
    assert!(text.contains("1000001") && text.contains("1000000") && text.contains("metrics"), "{text}");
    put(&mut *bus, Topic::Metrics, "1");
    assert_eq!(take_numbers(&mut *bus, 1), [1]);
}

pub fn many_records_arrive_over_several_polls(subject: &Subject) {
    let mut bus = subject.connector.open();
    put_numbers(&mut *bus, Topic::Metrics, 0..1_500);
    bus.subscribe(Topic::Metrics, Start::Beginning, SOON).unwrap();
    assert_eq!(take_numbers(&mut *bus, 1_500), Vec::from_iter(0..1_500));
}

pub fn poll_respects_its_timeout(subject: &Subject) {
    let mut bus = subject.connector.open();
    bus.subscribe(Topic::Metrics, Start::End, SOON).unwrap();
    // The first poll may have to connect, so only the following ones are measured.
    assert_quiet(&mut *bus);
    for timeout_ms in [0, 50, 400] {
        let asked_ns = clock::now_ns();
        assert_eq!(bus.poll(Duration::from_millis(timeout_ms)).unwrap(), []);
        let took_ms = (clock::now_ns() - asked_ns) / clock::NS_PER_MS;
        assert!(took_ms + 5 >= timeout_ms, "{timeout_ms} ms asked, {took_ms} ms waited");
        assert!(took_ms < timeout_ms + 1_000, "{timeout_ms} ms asked, {took_ms} ms waited");
    }
}

pub fn poll_without_subscription_waits_and_is_empty(subject: &Subject) {
    let mut bus = subject.connector.open();
    put(&mut *bus, Topic::Metrics, "1");
    let asked_ns = clock::now_ns();
    assert_quiet(&mut *bus);
    assert!(clock::now_ns() - asked_ns >= clock::to_ns(QUIET) - 5 * clock::NS_PER_MS, "no busy loop");
}

pub fn concurrent_publishers_lose_nothing(subject: &Subject) {
    let mut reader = subject.connector.open();
    reader.subscribe(Topic::Metrics, Start::End, SOON).unwrap();
    let connector = &subject.connector;
    thread::scope(|scope| {
        for writer in 0..4 {
            scope.spawn(move || {
                let mut bus = connector.open();
                put_numbers(&mut *bus, Topic::Metrics, writer * 1_000..writer * 1_000 + 50);
            });
        }
    });
    let seen = take_numbers(&mut *reader, 200);
    for writer in 0..4 {
        let own: Vec<_> = seen.iter().copied().filter(|n| n / 1_000 == writer).collect();
        assert_eq!(own, Vec::from_iter(writer * 1_000..writer * 1_000 + 50));
    }
    assert_quiet(&mut *reader);
}

pub fn a_waiting_poller_is_woken_promptly(subject: &Subject) {
    let mut writer = subject.connector.open();
    let mut reader = subject.connector.open();
    reader.subscribe(Topic::Trigger, Start::End, SOON).unwrap();
    put(&mut *writer, Topic::Metrics, "connected");
    thread::scope(|scope| {
        let woken = scope.spawn(move || {
            let records = reader.poll(SOON).expect("poll");
            (records.len(), clock::now_ns())
        });
        clock::sleep(Duration::from_millis(700));
        assert!(!woken.is_finished(), "nothing has been published yet");
        let published_ns = clock::now_ns();
        put(&mut *writer, Topic::Trigger, "now");
        let (count, woken_ns) = woken.join().expect("the poller");
        assert_eq!(count, 1);
        assert!(woken_ns.saturating_sub(published_ns) < clock::NS_PER_S, "woken late");
    });
}

pub fn a_poll_without_a_timeout_is_woken(subject: &Subject) {
    let mut writer = subject.connector.open();
    let mut reader = subject.connector.open();
    reader.subscribe(Topic::Trigger, Start::End, Duration::MAX).unwrap();
    thread::scope(|scope| {
        let woken = scope.spawn(move || reader.poll(Duration::MAX).expect("poll").len());
        clock::sleep(Duration::from_millis(200));
        writer.publish(Topic::Trigger, "", b"now", Duration::MAX).unwrap();
        assert_eq!(woken.join().expect("the poller"), 1);
    });
}

pub fn a_publish_after_an_idle_poll_is_prompt(subject: &Subject) {
    let mut bus = subject.connector.open();
    bus.subscribe(Topic::Trigger, Start::End, SOON).unwrap();
    put(&mut *bus, Topic::Heartbeat, "connected");
    for _ in 0..3 {
        assert_eq!(bus.poll(Duration::from_millis(20)).unwrap(), []);
        let asked_ns = clock::now_ns();
        put(&mut *bus, Topic::Heartbeat, "x");
        assert!(clock::now_ns() - asked_ns < clock::NS_PER_S, "a publish does not wait for a poll");
    }
}

pub fn a_new_subscription_moves_the_old_one(subject: &Subject) {
    let mut bus = subject.connector.open();
    put_numbers(&mut *bus, Topic::Metrics, 0..3);
    bus.subscribe(Topic::Metrics, Start::End, SOON).unwrap();
    assert_quiet(&mut *bus);
    bus.subscribe(Topic::Metrics, Start::Beginning, SOON).unwrap();
    assert_eq!(take_numbers(&mut *bus, 3), [0, 1, 2]);
    bus.subscribe(Topic::Metrics, Start::Beginning, SOON).unwrap();
    assert_eq!(take_numbers(&mut *bus, 3), [0, 1, 2]);
    put_numbers(&mut *bus, Topic::Metrics, 3..6);
    bus.subscribe(Topic::Metrics, Start::End, SOON).unwrap();
    assert_quiet(&mut *bus);
}

pub fn preparing_again_changes_nothing(subject: &Subject) {
    let mut bus = subject.connector.open();
    put_numbers(&mut *bus, Topic::Metrics, 0..2);
    subject.connector.prepare(SOON).expect("prepare again");
    bus.subscribe(Topic::Metrics, Start::Beginning, SOON).unwrap();
    assert_eq!(take_numbers(&mut *bus, 2), [0, 1]);
    assert!(!subject.connector.describe().is_empty());
}
