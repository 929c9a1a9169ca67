//! Servers that are not Kafka, and faulty brokers: a clear message each, no hang. Needs no real broker.

use crate::support::fake_broker::{self as fake, FakeBroker, Reply, Request};
use crate::support::old_kafka::listener;
use floodgate::bus::kafka::KafkaClientKind::{Legacy, Modern};
use floodgate::bus::kafka::{KafkaClientKind, KafkaConnector, KafkaSettings};
use floodgate::bus::{BusError, Connector, Start, Topic};
use floodgate::clock;
use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

fn connector(address: &str, client: KafkaClientKind) -> KafkaConnector {
    let brokers = address.split(',').map(str::to_string).collect();
    KafkaConnector::new(KafkaSettings { client, ..KafkaSettings::new(brokers) }).expect("settings")
}

/// The error of `prepare`, which must fail in time.
fn refusal(address: &str, client: KafkaClientKind, timeout_ms: u64) -> BusError {
    let began_ns = clock::now_ns();
    let refused = connector(address, client).prepare(Duration::from_millis(timeout_ms));
    let took_ms = (clock::now_ns() - began_ns) / clock::NS_PER_MS;
    assert!(took_ms < timeout_ms + 1_500, "{took_ms} ms instead of {timeout_ms}");
    refused.expect_err("there is no broker")
}

fn assert_says(error: &BusError, words: &[&str]) {
    for word in words {
        assert!(error.to_string().contains(word), "{word:?} is missing in: {error}");
    }
}

/// All topics with one leader.
fn led_by(leader: i32) -> Vec<(&'static str, i32)> {
    Topic::ALL.iter().map(|topic| (topic.name(), leader)).collect()
}

/// Starts a broker that leads all topics; the script answers all but Metadata. Returns its address.
fn alone(mut script: impl FnMut(&Request) -> Reply + Send + 'static) -> String {
    let broker = FakeBroker::new();
    let port = broker.port();
    broker.serve(move |request| match request.api {
        3 => Reply::Body(fake::metadata(&[(1, "127.0.0.1", port)], &led_by(1))),
        _ => script(request),
    })
}

#[test]
fn no_listener_at_the_address() {
    let free =
        TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").to_string();
    for client in [Modern, Legacy] {
        let began_ns = clock::now_ns();
        let error = refusal(&free, client, 1_200);
        assert!(error.is_transient());
        assert!(clock::now_ns() - began_ns > clock::NS_PER_S, "it retries until the timeout");
        assert_says(&error, &[&free, "cannot be reached", "the broker is running"]);
    }
}

#[test]
fn every_bootstrap_address_is_tried_and_named() {
    let error = refusal("127.0.0.1:1,127.0.0.1:2", Modern, 300);
    assert_says(&error, &["127.0.0.1:1", "127.0.0.1:2"]);
}

#[test]
fn an_http_server_is_named() {
    let address = listener(|client, _| {
        let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    });
    for client in [Modern, Legacy] {
        let error = refusal(&address, client, 3_000);
        assert!(matches!(error, BusError::Unsupported(_)), "{error}");
        assert_says(&error, &[&address, "HTTP", "not a Kafka broker"]);
    }
}

#[test]
fn a_tls_listener_is_named() {
    let address = listener(|client, _| {
        let _ = client.write_all(&[21, 3, 3, 0, 2, 2, 10]);
    });
    assert_says(&refusal(&address, Modern, 3_000), &["TLS"]);
}

#[test]
fn a_listener_that_closes_the_connection_gets_all_explanations() {
    let address = listener(|_, _| {});
    let error = refusal(&address, Modern, 500);
    assert_says(&error, &[&address, "not a Kafka broker", "TLS", "--kafka-client legacy"]);
}

#[test]
fn a_silent_listener_times_out() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address").to_string();
    for client in [Modern, Legacy] {
        assert_says(&refusal(&address, client, 500), &[&address, "does not answer"]);
    }
}

#[test]
fn malformed_responses_are_errors() {
    for malformed in [vec![0xff; 64], vec![0, 0, 0, 40], vec![0; 600], b"hello, this is no broker\n".to_vec()]
    {
        let sent = malformed.clone();
        let address = listener(move |client, _| {
            let _ = client.write_all(&sent);
        });
        let error = refusal(&address, Modern, 400);
        assert_says(&error, &[&address]);
    }
}

#[test]
fn a_broker_before_0_11_needs_the_legacy_client() {
    let address = listener(|client, request| {
        // Like 0.10: versions of Produce, Fetch, ListOffsets, Metadata and CreateTopics, in version 0.
        let body = fake::api_versions(0, &[(0, 0, 2), (1, 0, 3), (2, 0, 1), (3, 0, 2), (19, 0, 1)]);
        let _ = fake::write_frame(client, &[&request[8..12], &body].concat());
    });
    let error = refusal(&address, Modern, 3_000);
    assert!(matches!(error, BusError::Unsupported(_)), "{error}");
    assert_says(&error, &[&address, "too old", "--kafka-client legacy"]);
}

#[test]
fn a_listener_that_requires_a_login_is_named() {
    let broker = FakeBroker::new();
    let address = broker.serve(|_| Reply::Close);
    assert_says(
        &refusal(&address, Modern, 500),
        &[&address, "requires a login", "--kafka-protocol sasl_plaintext"],
    );
}

#[test]
fn an_unreachable_advertised_address_is_named_with_the_fix() {
    let broker = FakeBroker::new();
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let address = broker.serve(move |request| match request.api {
        3 => Reply::Body(fake::metadata(&[(1, "127.0.0.1", closed)], &led_by(1))),
        _ => Reply::Silence,
    });
    let advertised = format!("127.0.0.1:{closed}");
    let error = connector(&address, Modern)
        .open()
        .publish(Topic::Metrics, "k", b"v", Duration::from_secs(1))
        .expect_err("the leader is unreachable");
    assert!(error.is_transient());
    assert_says(&error, &[&address, &advertised, "broker 1", "advertised.listeners"]);
}

#[test]
fn a_moved_leader_is_found() {
    let (first, second) = (FakeBroker::new(), FakeBroker::new());
    let brokers = [(1, "127.0.0.1", first.port()), (2, "127.0.0.1", second.port())];
    let leader = Arc::new(AtomicU32::new(1));
    let serve = |id: u32, broker: FakeBroker| {
        let leader = Arc::clone(&leader);
        broker.serve(move |request: &Request| match request.api {
            3 => Reply::Body(fake::metadata(&brokers, &led_by(leader.load(Ordering::SeqCst) as i32))),
            // The leader moves at the first produce request.
            0 if id == 1 => {
                leader.store(2, Ordering::SeqCst);
                Reply::Body(fake::produced("metrics", 6))
            }
            0 => Reply::Body(fake::produced("metrics", 0)),
            _ => Reply::Close,
        })
    };
    let address = serve(1, first);
    serve(2, second);
    let mut bus = connector(&address, Modern).open();
    let appended = bus.publish(Topic::Metrics, "k", b"v", SOON).expect("publish");
    assert_eq!(appended.append_ms, Some(1_234));
    assert_eq!(leader.load(Ordering::SeqCst), 2);
}

#[test]
fn a_request_without_a_response_is_retried() {
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    let address = alone(move |request| match request.api {
        0 if counted.fetch_add(1, Ordering::SeqCst) < 2 => Reply::Close,
        0 => Reply::Body(fake::produced("metrics", 0)),
        _ => Reply::Close,
    });
    connector(&address, Modern).open().publish(Topic::Metrics, "k", b"v", SOON).expect("publish");
    assert_eq!(attempts.load(Ordering::SeqCst), 3);
}

#[test]
fn a_permanent_rejection_is_not_retried() {
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    let address = alone(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Reply::Body(fake::produced("metrics", 29))
    });
    let refused = connector(&address, Modern).open().publish(Topic::Metrics, "k", b"v", SOON);
    assert!(matches!(refused, Err(BusError::Rejected(_))), "{refused:?}");
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
}

#[test]
fn missing_rights_to_create_topics_are_reported_with_the_fix() {
    let broker = FakeBroker::new();
    let port = broker.port();
    let address = broker.serve(move |request| match request.api {
        3 => Reply::Body(fake::unknown_topics(&[(1, "127.0.0.1", port)], &led_by(1))),
        19 => Reply::Body(fake::created("metrics", 31, "no right to Create")),
        _ => Reply::Close,
    });
    let error = refusal(&address, Modern, 3_000);
    assert!(matches!(error, BusError::Rejected(_)), "{error}");
    assert_says(&error, &["metrics", "no right to Create", "administrator", "LogAppendTime", "register, "]);
}

#[test]
fn prepare_waits_for_a_new_topic() {
    let broker = FakeBroker::new();
    let port = broker.port();
    let mut asked = 0;
    let address = broker.serve(move |request| match request.api {
        3 => {
            asked += 1;
            let brokers = [(1, "127.0.0.1", port)];
            Reply::Body(match asked {
                1 => fake::unknown_topics(&brokers, &led_by(1)),
                2..4 => fake::metadata(&brokers, &led_by(-1)),
                _ => fake::metadata(&brokers, &led_by(1)),
            })
        }
        // Another client has created it.
        19 => Reply::Body(fake::created("metrics", 36, "Topic 'metrics' already exists.")),
        _ => Reply::Close,
    });
    connector(&address, Modern).prepare(SOON).expect("prepare");
}

/// A time is looked up by the broker; a topic without a record of that time is read from its end.
#[test]
fn a_start_by_time_is_asked_for_as_such() {
    for (found, expected) in [(4, 4), (-1, 9)] {
        let address = alone(move |request| match request.api {
            2 if request.ends_with(&(-1i64).to_be_bytes()) => Reply::Body(fake::listed_offset("metrics", 9)),
            2 if request.ends_with(&1_234i64.to_be_bytes()) => {
                Reply::Body(fake::listed_offset("metrics", found))
            }
            1 => Reply::Body(fake::fetched(
                "metrics",
                0,
                &[fake::batch(4, b"m"), fake::batch(9, b"n")].concat(),
            )),
            _ => Reply::Close,
        });
        let mut bus = connector(&address, Modern).open();
        bus.subscribe(Topic::Metrics, Start::Since(1_234), SOON).expect("subscribe");
        let records = bus.poll(SOON).expect("poll");
        assert_eq!(records.first().map(|record| record.offset), Some(expected));
    }
}

/// Two brokers lead one topic each, and one of them fails. The other topic is still read, and the fault is
/// reported from time to time.
#[test]
fn a_readable_topic_does_not_hide_an_unreadable_one() {
    let (first, second) = (FakeBroker::new(), FakeBroker::new());
    let brokers = [(1, "127.0.0.1", first.port()), (2, "127.0.0.1", second.port())];
    let mut offset = 0;
    let script = move |request: &Request| match request.api {
        3 => Reply::Body(fake::metadata(&brokers, &[("metrics", 1), ("trigger", 2)])),
        2 => Reply::Body(fake::listed_offset("metrics", 0)),
        _ if request.names("metrics") => {
            clock::sleep(Duration::from_millis(20));
            offset += 1;
            Reply::Body(fake::fetched("metrics", 0, &fake::batch(offset - 1, b"m")))
        }
        _ => Reply::Close,
    };
    let address = first.serve(script);
    second.serve(|request| match request.api {
        2 => Reply::Body(fake::listed_offset("trigger", 0)),
        _ => Reply::Close,
    });
    let mut bus = connector(&address, Modern).open();
    bus.subscribe(Topic::Metrics, Start::Beginning, SOON).expect("subscribe");
    bus.subscribe(Topic::Trigger, Start::Beginning, SOON).expect("subscribe");
    let limit_ns = clock::now_ns() + 4 * clock::NS_PER_S;
    let (mut offsets, mut told) = (Vec::new(), 0);
    while clock::now_ns() < limit_ns {
        match bus.poll(Duration::from_millis(500)) {
            Ok(records) => offsets.extend(records.iter().map(|record| record.offset)),
            Err(error) => {
                assert!(error.is_transient());
                told += 1;
            }
        }
    }
    assert!(offsets.len() >= 20, "only {} records while another broker is unavailable", offsets.len());
    assert_eq!(offsets, Vec::from_iter(0..offsets.len() as i64), "none lost, none duplicated");
    assert!((2..=8).contains(&told), "reported {told} times in 4 s");
}

/// Directly after its broker restarted, a partition may have no leader. The reader must not keep that answer.
#[test]
fn a_partition_without_a_leader_is_read_as_soon_as_it_has_one() {
    let broker = FakeBroker::new();
    let port = broker.port();
    let mut asked = 0;
    let address = broker.serve(move |request| match request.api {
        3 => {
            asked += 1;
            // The first question is that of `subscribe`, the next ones are the reader's.
            let leader = if (2..4).contains(&asked) { -1 } else { 1 };
            Reply::Body(fake::metadata(&[(1, "127.0.0.1", port)], &led_by(leader)))
        }
        2 => Reply::Body(fake::listed_offset("metrics", 0)),
        _ => Reply::Body(fake::fetched("metrics", 0, &fake::batch(0, b"m"))),
    });
    let mut bus = connector(&address, Modern).open();
    bus.subscribe(Topic::Metrics, Start::Beginning, SOON).expect("subscribe");
    let records = bus.poll(SOON).expect("poll");
    assert_eq!(records.iter().map(|record| record.offset).collect::<Vec<_>>(), [0]);
}

#[test]
fn an_empty_response_does_not_cause_a_busy_loop() {
    let fetches = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&fetches);
    let address = alone(move |request| match request.api {
        2 => Reply::Body(fake::listed_offset("metrics", 0)),
        _ => {
            let error = if counted.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) { 0 } else { 6 };
            Reply::Body(fake::fetched("metrics", error, &[1, 2, 3]))
        }
    });
    let mut bus = connector(&address, Modern).open();
    bus.subscribe(Topic::Metrics, Start::Beginning, SOON).expect("subscribe");
    let _ = bus.poll(Duration::from_secs(1));
    let count = fetches.load(Ordering::SeqCst);
    assert!((1..=100).contains(&count), "{count} fetches in a second");
}
