//! Topics that an administrator deletes and creates again, or trims, while they are read and written.

use crate::support::kafka;
use floodgate::bus::kafka::KafkaClientKind::Modern;
use floodgate::bus::kafka::KafkaConnector;
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

/// The topic has ten records when it is deleted, and `count` after it was created again.
fn is_read_from_its_beginning(version: &str, count: u32) {
    let _peace = kafka::in_peace();
    let address = kafka::broker(version);
    let settings = kafka::settings(&address, Modern, "again");
    let topic = settings.topic_name(Topic::Metrics);
    let connector = KafkaConnector::new(settings).expect("settings");
    connector.prepare(SOON).expect("prepare");
    let (mut writer, mut reader) = (connector.open(), connector.open());
    for topic in Topic::ALL {
        reader.subscribe(topic, Start::Beginning, SOON).expect("subscribe");
    }
    put(&mut *writer, 0..10);
    assert_eq!(numbers(&read_to(&mut *reader, 9)), Vec::from_iter(0..10));
    let delete = ["org.apache.kafka.tools.TopicCommand", "--delete", "--topic", &topic];
    kafka::script(&[&["tool", version], &delete[..], &["--bootstrap-server", &address]].concat());
    // The other topics are read while this one is missing.
    writer.publish(Topic::Trigger, "", b"77", SOON).expect("publish");
    assert_eq!(numbers(&read_to(&mut *reader, 77)), [77]);
    assert!(reader.poll(CALL).is_err(), "the missing topic is reported");
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
            is_read_from_its_beginning(version, count);
        }
    }
}
