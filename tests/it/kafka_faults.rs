//! Real brokers that crash, hang or contain unreadable records.

use crate::support::kafka::{self, Victim};
use floodgate::bus::kafka::KafkaClientKind::{Legacy, Modern};
use floodgate::bus::kafka::{KafkaClientKind, KafkaConnector};
use floodgate::bus::{Bus, BusError, Connector, Start, Topic};
use floodgate::clock::{self, NS_PER_MS, NS_PER_S};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);
/// The roles' timeout for one call in these tests.
const CALL: Duration = Duration::from_secs(1);
/// How much longer than its timeout a call may take on a busy machine.
const SLACK_NS: u64 = NS_PER_S;

/// A stream of numbers through a broker while it is disturbed.
struct Stream {
    connector: KafkaConnector,
    stop: AtomicBool,
    /// The next number to publish.
    next: AtomicU32,
    failures: AtomicU32,
    slowest_call_ns: std::sync::atomic::AtomicU64,
}

/// What the reader received.
struct Seen {
    numbers: Vec<u32>,
    poll_failures: u32,
}

impl Stream {
    fn new(connector: KafkaConnector) -> Self {
        Stream {
            connector,
            stop: AtomicBool::new(false),
            next: AtomicU32::new(0),
            failures: AtomicU32::new(0),
            slowest_call_ns: Default::default(),
        }
    }

    fn timed<T>(&self, call: impl FnOnce() -> Result<T, BusError>) -> Result<T, BusError> {
        let began_ns = clock::now_ns();
        let result = call();
        self.slowest_call_ns.fetch_max(clock::now_ns() - began_ns, Ordering::SeqCst);
        if let Err(error) = &result {
            assert!(error.is_transient(), "{error}");
        }
        result
    }

    /// Publishes 0, 1, 2… every 50 ms, retrying each until it succeeds.
    fn publish(&self) {
        let mut bus = self.connector.open();
        while !self.stop.load(Ordering::SeqCst) {
            let number = self.next.load(Ordering::SeqCst);
            let text = number.to_string();
            match self.timed(|| bus.publish(Topic::Metrics, "driver", text.as_bytes(), CALL)) {
                Ok(_) => {
                    self.next.fetch_add(1, Ordering::SeqCst);
                    clock::sleep(Duration::from_millis(50));
                }
                Err(_) => drop(self.failures.fetch_add(1, Ordering::SeqCst)),
            }
        }
    }

    /// Reads until all published numbers have arrived.
    fn read(&self, mut bus: Box<dyn Bus>) -> Seen {
        let mut seen = Seen { numbers: Vec::new(), poll_failures: 0 };
        let mut limit_ns = u64::MAX;
        while clock::now_ns() < limit_ns {
            match self.timed(|| bus.poll(CALL)) {
                Ok(records) => {
                    let text =
                        records.iter().map(|record| String::from_utf8_lossy(&record.value).into_owned());
                    seen.numbers.extend(text.map(|text| text.parse::<u32>().expect("a number")));
                }
                Err(_) => seen.poll_failures += 1,
            }
            if self.stop.load(Ordering::SeqCst) {
                let published = self.next.load(Ordering::SeqCst);
                limit_ns = limit_ns.min(clock::now_ns() + 10 * NS_PER_S);
                if seen.numbers.last().is_some_and(|last| last + 1 >= published) {
                    break;
                }
            }
        }
        seen
    }

    /// Waits until `more` further numbers are published; returns the time to the first of them in ms.
    fn recovered_after_ms(&self, more: u32) -> u64 {
        let (began_ns, from) = (clock::now_ns(), self.next.load(Ordering::SeqCst));
        let wait = |count: u32| {
            while self.next.load(Ordering::SeqCst) < from + count {
                assert!(clock::now_ns() < began_ns + 30 * NS_PER_S, "publishing did not recover");
                clock::sleep(Duration::from_millis(5));
            }
            (clock::now_ns() - began_ns) / NS_PER_MS
        };
        let first_ms = wait(1);
        wait(more);
        first_ms
    }
}

/// Stops the stream when dropped.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Runs the stream, disturbs the broker and checks the result.
fn through(version: &str, client: KafkaClientKind, what: &str, disturb: impl FnOnce(&Victim)) {
    let victim = Victim::of(version);
    let connector = kafka::connector(victim.address(), client, what);
    connector.prepare(SOON).expect("prepare");
    let mut reader = connector.open();
    reader.subscribe(Topic::Metrics, Start::Beginning, SOON).expect("subscribe");
    let stream = Stream::new(connector);
    let (seen, recovered_ms) = thread::scope(|scope| {
        // A failed assertion must also stop the threads, since the scope waits for them.
        let _ending = Ending(&stream.stop);
        let reading = scope.spawn(|| stream.read(reader));
        let publishing = scope.spawn(|| stream.publish());
        stream.recovered_after_ms(20);
        disturb(&victim);
        let recovered_ms = stream.recovered_after_ms(20);
        stream.stop.store(true, Ordering::SeqCst);
        publishing.join().expect("the publisher");
        (reading.join().expect("the reader"), recovered_ms)
    });
    let failures = stream.failures.load(Ordering::SeqCst);
    let slowest_ms = stream.slowest_call_ns.load(Ordering::SeqCst) / NS_PER_MS;
    let mut unique = seen.numbers.clone();
    unique.dedup();
    let doubled = seen.numbers.len() - unique.len();
    println!(
        "{version} {client} {what}: {} numbers, {doubled} duplicated, {failures} failed publishes, {} \
         failed polls, recovered after {recovered_ms} ms, slowest call {slowest_ms} ms",
        unique.len(),
        seen.poll_failures
    );
    let published = stream.next.load(Ordering::SeqCst);
    assert!(unique.len() as u32 >= published, "{} of {published} arrived", unique.len());
    assert_eq!(unique, Vec::from_iter(0..unique.len() as u32), "in order, none lost");
    assert!(doubled as u32 <= failures, "only attempts without a response may be duplicated");
    assert!(failures > 0 && seen.poll_failures > 0, "the fault was reported");
    assert!(recovered_ms <= 10_000, "publishing recovered only after {recovered_ms} ms");
    assert!(slowest_ms * NS_PER_MS <= clock::to_ns(CALL) + SLACK_NS, "a call took {slowest_ms} ms");
}

fn restart(victim: &Victim) {
    victim.stop();
    clock::sleep(Duration::from_secs(4));
    victim.start();
}

fn freeze(victim: &Victim) {
    victim.freeze();
    clock::sleep(Duration::from_secs(6));
    victim.thaw();
}

#[test]
#[ignore = "needs a Kafka broker: just test-kafka"]
fn nothing_is_lost_when_a_3_9_broker_restarts() {
    through("3.9.1", Modern, "restart", restart);
}

#[test]
#[ignore = "needs a Kafka broker: just test-kafka"]
fn nothing_is_lost_when_a_4_3_broker_restarts() {
    through("4.3.0", Modern, "restart", restart);
}

#[test]
#[ignore = "needs a Kafka broker: just test-kafka"]
fn nothing_is_lost_by_the_legacy_client_when_a_broker_restarts() {
    through("3.9.1", Legacy, "restart", restart);
}

#[test]
#[ignore = "needs a Kafka broker: just test-kafka"]
fn nothing_is_lost_when_a_3_9_broker_hangs() {
    through("3.9.1", Modern, "freeze", freeze);
}

#[test]
#[ignore = "needs a Kafka broker: just test-kafka"]
fn nothing_is_lost_when_a_4_3_broker_hangs() {
    through("4.3.0", Modern, "freeze", freeze);
}

#[test]
#[ignore = "needs a Kafka broker: just test-kafka"]
fn nothing_is_lost_by_the_legacy_client_when_a_broker_hangs() {
    through("3.9.1", Legacy, "freeze", freeze);
}

#[test]
#[ignore = "needs a Kafka broker: just test-kafka"]
fn the_legacy_client_recommends_the_modern_one_on_a_4_x_broker() {
    let _peace = kafka::in_peace();
    let connector = kafka::connector(&kafka::broker("4.3.0"), Legacy, "too-new");
    let refused = connector.prepare(SOON);
    let Err(BusError::Unsupported(text)) = refused else { panic!("expected Unsupported: {refused:?}") };
    assert!(text.contains("--kafka-client modern"), "{text}");
}

/// Mixes unreadable records with readable ones, using Kafka's own tools. The legacy client cannot read
/// compressed records.
fn passes_over(version: &str, client: KafkaClientKind) {
    let _peace = kafka::in_peace();
    let address = kafka::broker(version);
    let settings = kafka::settings(&address, client, "unreadable");
    let topic = settings.topic_name(Topic::Metrics);
    let connector = KafkaConnector::new(settings).expect("settings");
    connector.prepare(SOON).expect("prepare");
    let tool = |arguments: &[&str]| kafka::script(&[&["tool", version], arguments].concat());
    let server = ["--bootstrap-server", &address];
    let config = ["kafka.admin.ConfigCommand", "--alter", "--entity-type", "topics", "--entity-name", &topic];
    tool(
        &[&config[..], &server, &["--add-config", "max.message.bytes=20000000,compression.type=producer"]]
            .concat(),
    );
    let produce = |count: &str, size: &str, compression: &str| {
        let bootstrap = format!("bootstrap.servers={address}");
        let compression = format!("compression.type={compression}");
        let perf = ["org.apache.kafka.tools.ProducerPerformance", "--topic", &topic, "--throughput", "-1"];
        let load = ["--num-records", count, "--record-size", size, "--producer-props"];
        let properties = [&bootstrap, "max.request.size=20000000", "buffer.memory=40000000", &compression];
        tool(&[&perf[..], &load, &properties].concat());
    };
    let mut bus = connector.open();
    bus.publish(Topic::Metrics, "", b"before", SOON).expect("publish");
    produce("1", "10000000", "none");
    produce("1", "3000000", "none");
    produce("5", "100", "gzip");
    produce("1", "10000000", "gzip");
    bus.publish(Topic::Metrics, "", b"after", SOON).expect("publish");
    bus.subscribe(Topic::Metrics, Start::Beginning, SOON).expect("subscribe");
    let mut values = Vec::new();
    let limit_ns = clock::now_ns() + clock::to_ns(SOON);
    while values.last().is_none_or(|last| last != b"after") && clock::now_ns() < limit_ns {
        values.extend(bus.poll(CALL).expect("poll").into_iter().map(|record| record.value));
    }
    // The legacy client reads up to 4 MiB, ours 2 MB.
    values.retain(|value| value.len() < 2_000_000);
    assert_eq!((&values[0][..], &values[values.len() - 1][..]), (&b"before"[..], &b"after"[..]));
    let read: Vec<usize> = values[1..values.len() - 1].iter().map(Vec::len).collect();
    assert_eq!(read, if client == Modern { vec![100; 5] } else { Vec::new() });
}

#[test]
#[ignore = "needs a Kafka broker: just test-kafka"]
fn huge_records_are_skipped_and_compressed_ones_read_on_3_9() {
    passes_over("3.9.1", Modern);
}

#[test]
#[ignore = "needs a Kafka broker: just test-kafka"]
fn huge_records_are_skipped_and_compressed_ones_read_on_4_3() {
    passes_over("4.3.0", Modern);
}

#[test]
#[ignore = "needs a Kafka broker: just test-kafka"]
fn huge_and_compressed_records_are_skipped_by_the_legacy_client() {
    passes_over("3.9.1", Legacy);
}

/// A layout different from ours: three partitions, no append time.
#[test]
#[ignore = "needs a Kafka broker: just test-kafka"]
fn topics_with_another_layout_are_used() {
    let _peace = kafka::in_peace();
    for (version, client) in [("3.9.1", Modern), ("4.3.0", Modern), ("3.9.1", Legacy)] {
        let address = kafka::broker(version);
        let settings = kafka::settings(&address, client, "layout");
        let topic = settings.topic_name(Topic::Metrics);
        let create =
            ["org.apache.kafka.tools.TopicCommand", "--create", "--topic", &topic, "--partitions", "3"];
        kafka::script(&[&["tool", version], &create[..], &["--bootstrap-server", &address]].concat());
        let connector = KafkaConnector::new(settings).expect("settings");
        connector.prepare(SOON).expect("prepare");
        let mut bus = connector.open();
        bus.subscribe(Topic::Metrics, Start::Beginning, SOON).expect("subscribe");
        let before = bus.end(Topic::Metrics, SOON).expect("end");
        assert_eq!(before.0.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
        for n in 0..60u32 {
            let (key, value) = (format!("driver-{}", n % 6), n.to_string());
            let appended = bus.publish(Topic::Metrics, &key, value.as_bytes(), SOON).expect("publish");
            assert_eq!(appended.append_ms, None, "{version} {client}: the topic stores the sender's time");
        }
        let mut records = Vec::new();
        while records.len() < 60 {
            let polled = bus.poll(Duration::from_secs(5)).expect("poll");
            assert!(!polled.is_empty(), "only {} records", records.len());
            records.extend(polled);
        }
        for driver in 0..6 {
            let of_driver: Vec<_> = records.iter().filter(|r| r.key == format!("driver-{driver}")).collect();
            let values: Vec<u32> = of_driver
                .iter()
                .map(|r| String::from_utf8_lossy(&r.value).parse().expect("a number"))
                .collect();
            assert_eq!(values, Vec::from_iter((driver..60).step_by(6)), "each node's records stay in order");
            assert!(of_driver.iter().all(|record| record.partition == of_driver[0].partition));
        }
        let used: std::collections::BTreeSet<i32> = records.iter().map(|record| record.partition).collect();
        assert!(used.len() > 1, "{version} {client}: the keys are spread");
        bus.subscribe(Topic::Metrics, Start::At(before), SOON).expect("subscribe");
        assert_eq!(bus.poll(Duration::from_secs(5)).expect("poll").first().map(|r| r.offset), Some(0));
    }
}

#[test]
#[ignore = "needs a Kafka broker: just test-kafka"]
fn a_nonexistent_offset_leads_to_the_nearest_end() {
    let _peace = kafka::in_peace();
    for client in [Modern, Legacy] {
        let connector = kafka::connector(&kafka::broker("3.9.1"), client, "lost");
        connector.prepare(SOON).expect("prepare");
        let mut bus = connector.open();
        bus.publish(Topic::Trigger, "", b"old", SOON).expect("publish");
        let mut far = bus.end(Topic::Trigger, SOON).expect("end");
        far.0.values_mut().for_each(|offset| *offset += 1_000);
        bus.subscribe(Topic::Trigger, Start::At(far), SOON).expect("subscribe");
        assert_eq!(bus.poll(CALL).expect("poll"), [], "{client}: there is nothing after the end");
        bus.publish(Topic::Trigger, "", b"new", SOON).expect("publish");
        let records = bus.poll(Duration::from_secs(5)).expect("poll");
        assert_eq!(records.iter().map(|record| &record.value[..]).collect::<Vec<_>>(), [b"new"], "{client}");
    }
}
