//! Topics that an administrator deletes and creates again, or trims, while they are read and written.

use crate::support::fake_broker::{self as fake, FakeBroker, Reply};
use crate::support::kafka;
use floodgate::bus::kafka::KafkaClientKind::{Legacy, Modern};
use floodgate::bus::kafka::{KafkaClientKind, KafkaConnector, KafkaSettings};
use floodgate::bus::{Bus, Connector, Record, Start, Topic};
use floodgate::clock::{self, NS_PER_S};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);
/// The roles' timeout for one call.
const CALL: Duration = Duration::from_secs(1);

/// Publishes these numbers, each until it succeeds, as the roles do.
fn put(bus: &mut dyn Bus, numbers: std::ops::Range<u32>) {
    for n in numbers {
        let limit_ns = clock::now_ns() + 20 * NS_PER_S;
        while let Err(error) = bus.publish(Topic::Metrics, "d1", n.to_string().as_bytes(), CALL) {
            assert!(error.is_transient() && clock::now_ns() < limit_ns, "{error}");
        }
    }
}

/// Polls until a record of this number arrives; faults in between must be transient.
fn read_to(bus: &mut dyn Bus, last: u32) -> Vec<Record> {
    let limit_ns = clock::now_ns() + 20 * NS_PER_S;
    let mut records: Vec<Record> = Vec::new();
    while records.last().is_none_or(|record| record.value != last.to_string().as_bytes()) {
        let so_far: Vec<u32> = numbers(&records);
        assert!(clock::now_ns() < limit_ns, "{last} does not arrive: {so_far:?}");
        match bus.poll(CALL) {
            Ok(more) => records.extend(more),
            Err(error) => assert!(error.is_transient(), "{error}"),
        }
    }
    records
}

fn numbers(records: &[Record]) -> Vec<u32> {
    records.iter().map(|record| String::from_utf8_lossy(&record.value).parse().expect("a number")).collect()
}

/// Runs one of Kafka's tools on this broker.
fn tool(version: &str, arguments: &[&str]) {
    let address = kafka::broker(version);
    kafka::script(&[&["tool", version], arguments, &["--bootstrap-server", &address]].concat());
}

/// The topic has ten records when it is deleted, and `count` after it was created again.
fn is_read_from_its_beginning(version: &str, client: KafkaClientKind, count: u32) {
    let _peace = kafka::in_peace();
    let settings = kafka::settings(&kafka::broker(version), client, "again");
    let topic = settings.topic_name(Topic::Metrics);
    let connector = KafkaConnector::new(settings).expect("settings");
    connector.prepare(SOON).expect("prepare");
    let (mut writer, mut reader) = (connector.open(), connector.open());
    for topic in Topic::ALL {
        reader.subscribe(topic, Start::Beginning, SOON).expect("subscribe");
    }
    put(&mut *writer, 0..10);
    assert_eq!(numbers(&read_to(&mut *reader, 9)), Vec::from_iter(0..10));
    tool(version, &["org.apache.kafka.tools.TopicCommand", "--delete", "--topic", &topic]);
    // The other topics are read while this one is missing.
    writer.publish(Topic::Trigger, "", b"77", SOON).expect("publish");
    assert_eq!(numbers(&read_to(&mut *reader, 77)), [77]);
    if client == Modern {
        assert!(reader.poll(CALL).is_err(), "the missing topic is reported");
    }
    // The legacy client lets the broker create it as soon as it asks.
    connector.prepare(SOON).expect("prepare");
    put(&mut *writer, 100..100 + count);
    let records = read_to(&mut *reader, 100 + count - 1);
    assert_eq!(numbers(&records), Vec::from_iter(100..100 + count), "{version}: nothing lost, nothing twice");
    assert_eq!(records[0].offset, 0);
}

#[test]
#[ignore = "needs a Kafka broker: just test-kafka"]
fn a_topic_created_again_is_read_from_its_beginning() {
    for version in ["3.9.1", "4.3.0"] {
        for count in [3, 30] {
            is_read_from_its_beginning(version, Modern, count);
        }
    }
}

#[test]
#[ignore = "needs a Kafka broker: just test-kafka"]
fn a_shorter_topic_created_again_is_read_from_its_beginning_by_the_legacy_client() {
    is_read_from_its_beginning("3.9.1", Legacy, 3);
}

#[test]
#[ignore = "needs a Kafka broker: just test-kafka"]
fn records_removed_before_they_were_read_are_skipped() {
    let _peace = kafka::in_peace();
    for (version, client) in [("3.9.1", Modern), ("4.3.0", Modern), ("3.9.1", Legacy)] {
        let settings = kafka::settings(&kafka::broker(version), client, "retention");
        let topic = settings.topic_name(Topic::Metrics);
        let connector = KafkaConnector::new(settings).expect("settings");
        connector.prepare(SOON).expect("prepare");
        let (mut writer, mut reader) = (connector.open(), connector.open());
        reader.subscribe(Topic::Metrics, Start::Beginning, SOON).expect("subscribe");
        put(&mut *writer, 0..5);
        assert_eq!(numbers(&read_to(&mut *reader, 4)), Vec::from_iter(0..5));
        put(&mut *writer, 5..20);
        let file = std::env::temp_dir().join(format!("{topic}.json"));
        let upto =
            format!(r#"{{"partitions":[{{"topic":"{topic}","partition":0,"offset":15}}],"version":1}}"#);
        std::fs::write(&file, upto).expect("a file");
        let path = file.to_str().expect("a path");
        tool(version, &["org.apache.kafka.tools.DeleteRecordsCommand", "--offset-json-file", path]);
        std::fs::remove_file(&file).expect("removed");
        assert_eq!(numbers(&read_to(&mut *reader, 19)), Vec::from_iter(15..20), "{version} {client}");
    }
}

/// A broker of 0.11 has no topic ids; only the missing offset shows that the topic is another one.
#[test]
fn without_topic_ids_a_topic_that_ends_earlier_is_taken_for_a_new_one() {
    let broker = FakeBroker::new();
    let port = broker.port();
    let mut fetches = 0;
    let address = broker.serve(move |request| {
        Reply::Body(match request.api {
            3 => fake::metadata(&[(1, "127.0.0.1", port)], &[("metrics", 1)]),
            2 if request.ends_with(&(-2i64).to_be_bytes()) => fake::listed_offset("metrics", 0),
            2 => fake::listed_offset("metrics", 3),
            _ => {
                fetches += 1;
                match fetches {
                    1 => fake::fetched("metrics", 0, &fake::batch(8, b"8")),
                    2 => fake::fetched("metrics", 1, &[]),
                    _ => fake::fetched("metrics", 0, &fake::batch(0, b"100")),
                }
            }
        })
    });
    let mut bus = KafkaConnector::new(KafkaSettings::new(vec![address])).expect("settings").open();
    bus.subscribe(Topic::Metrics, Start::Beginning, SOON).expect("subscribe");
    assert_eq!(numbers(&read_to(&mut *bus, 8)), [8]);
    assert_eq!(numbers(&read_to(&mut *bus, 100)), [100]);
}
