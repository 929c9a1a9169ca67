//! What is not a Kafka cluster, or a broken one: a clear message each, no hang. No real broker is needed.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use floodgate::bus::kafka::KafkaClientKind::{Legacy, Modern};
use floodgate::bus::kafka::{KafkaClientKind, KafkaConnector, KafkaSettings};
use floodgate::bus::{BusError, Connector, Start, Topic};
use floodgate::clock;

use crate::support::fake_broker::{self as fake, FakeBroker, Reply, Request};
use crate::support::old_kafka::listener;

const SOON: Duration = Duration::from_secs(10);

fn connector(address: &str, client: KafkaClientKind) -> KafkaConnector {
    let brokers = address.split(',').map(str::to_string).collect();
    KafkaConnector::new(KafkaSettings { client, ..KafkaSettings::new(brokers) }).expect("settings")
}

/// What `prepare` says within its time; it must not succeed.
fn refusal(address: &str, client: KafkaClientKind, timeout_ms: u64) -> BusError {
    let began_ns = clock::now_ns();
    let refused = connector(address, client).prepare(Duration::from_millis(timeout_ms));
    let took_ms = (clock::now_ns() - began_ns) / clock::NS_PER_MS;
    assert!(took_ms < timeout_ms + 1_500, "{took_ms} ms instead of {timeout_ms}");
    refused.expect_err("no broker there")
}

fn assert_says(error: &BusError, words: &[&str]) {
    for word in words {
        assert!(error.to_string().contains(word), "{word:?} is lacking in: {error}");
    }
}

/// All topics, led by one broker.
fn led_by(leader: i32) -> Vec<(&'static str, i32)> {
    Topic::ALL.iter().map(|topic| (topic.name(), leader)).collect()
}

/// A broker that leads all topics; the script is asked everything but that. Gives its address.
fn alone(mut script: impl FnMut(&Request) -> Reply + Send + 'static) -> String {
    let broker = FakeBroker::new();
    let port = broker.port();
    broker.serve(move |request| match request.api {
        3 => Reply::Body(fake::metadata(&[(1, "127.0.0.1", port)], &led_by(1))),
        _ => script(request),
    })
}

#[test]
fn nobody_at_the_address() {
    let free =
        TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").to_string();
    for client in [Modern, Legacy] {
        let began_ns = clock::now_ns();
        let error = refusal(&free, client, 1_200);
        assert!(error.is_transient());
        assert!(clock::now_ns() - began_ns > clock::NS_PER_S, "it is tried for all of the time");
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
fn a_listener_that_closes_gets_all_the_explanations() {
    let address = listener(|_, _| {});
    let error = refusal(&address, Modern, 500);
    assert_says(&error, &[&address, "no Kafka broker", "TLS", "--kafka-client legacy"]);
}

#[test]
fn a_listener_that_says_nothing_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address").to_string();
    for client in [Modern, Legacy] {
        assert_says(&refusal(&address, client, 500), &[&address, "does not answer"]);
    }
}

#[test]
fn rubbish_is_no_answer() {
    for rubbish in [vec![0xff; 64], vec![0, 0, 0, 40], vec![0; 600], b"hello, this is no broker\n".to_vec()] {
        let sent = rubbish.clone();
        let address = listener(move |client, _| {
            let _ = client.write_all(&sent);
        });
        let error = refusal(&address, Modern, 400);
        assert_says(&error, &[&address]);
    }
}

#[test]
fn a_broker_before_0_11_is_sent_to_the_legacy_client() {
    let address = listener(|client, request| {
        // As 0.10 answers: versions of Produce, Fetch, ListOffsets and Metadata, in the oldest form.
        let body = fake::api_versions(0, &[(0, 0, 2), (1, 0, 3), (2, 0, 1), (3, 0, 2), (19, 0, 1)]);
        let _ = fake::write_frame(client, &[&request[8..12], &body].concat());
    });
    let error = refusal(&address, Modern, 3_000);
    assert!(matches!(error, BusError::Unsupported(_)), "{error}");
    assert_says(&error, &[&address, "too old", "--kafka-client legacy"]);
}

#[test]
fn a_listener_that_wants_a_login_is_named() {
    let broker = FakeBroker::new();
    let address = broker.serve(|_| Reply::Close);
    assert_says(&refusal(&address, Modern, 500), &[&address, "SASL"]);
}

#[test]
fn an_advertised_address_that_cannot_be_reached_is_named_with_the_mend() {
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
        .expect_err("no way to the leader");
    assert!(error.is_transient());
    assert_says(&error, &[&address, &advertised, "broker 1", "advertised.listeners"]);
}

#[test]
fn a_leader_that_moved_is_found_again() {
    let (first, second) = (FakeBroker::new(), FakeBroker::new());
    let brokers = [(1, "127.0.0.1", first.port()), (2, "127.0.0.1", second.port())];
    let leader = Arc::new(AtomicU32::new(1));
    let serve = |id: u32, broker: FakeBroker| {
        let leader = Arc::clone(&leader);
        broker.serve(move |request: &Request| match request.api {
            3 => Reply::Body(fake::metadata(&brokers, &led_by(leader.load(Ordering::SeqCst) as i32))),
            // The leader moves with the first record that it is asked to take.
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
fn a_lost_answer_is_asked_for_again() {
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
fn a_refusal_for_good_is_not_repeated() {
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
fn lacking_rights_to_create_topics_are_told_with_the_mend() {
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
fn a_topic_that_was_just_made_is_waited_for() {
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
        // Somebody else made it in the meantime.
        19 => Reply::Body(fake::created("metrics", 36, "Topic 'metrics' already exists.")),
        _ => Reply::Close,
    });
    connector(&address, Modern).prepare(SOON).expect("prepare");
}

/// Two brokers lead one topic each, and one of them dies. What the other one brings is still read, and that the topic
/// cannot be read is told of now and then.
#[test]
fn a_topic_that_cannot_be_read_does_not_hide_behind_one_that_can() {
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
    assert!(offsets.len() >= 20, "only {} records beside a broker that is away", offsets.len());
    assert_eq!(offsets, Vec::from_iter(0..offsets.len() as i64), "none lost, none doubled");
    assert!((2..=8).contains(&told), "told {told} times in 4 s");
}

#[test]
fn an_answer_without_records_does_not_make_a_busy_loop() {
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
