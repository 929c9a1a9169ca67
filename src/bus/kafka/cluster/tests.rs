use super::*;
use crate::bus::kafka::scripted::{self, listener, peer, serve_after};
use crate::bus::kafka::security::{Login, Secret, Security};
use crate::clock::NS_PER_S;
use std::net::TcpListener;
use std::sync::Mutex;
use std::time::Duration;

/// How often each broker was asked for metadata.
type Asked = Arc<Mutex<Vec<i32>>>;

fn soon() -> u64 {
    clock::now_ns() + 20 * NS_PER_S
}

fn cluster(bootstrap: &[&Address]) -> Cluster {
    let settings = KafkaSettings::new(bootstrap.iter().map(|address| address.to_string()).collect());
    Cluster::new(Arc::new(Context::new(settings).expect("settings")))
}

/// Serves metadata in which broker 2 leads all topics, and notes that it was asked.
fn broker(id: i32, listener: TcpListener, named: &[(i32, Address)], asked: &Asked) {
    broker_after(Duration::ZERO, id, listener, named, asked);
}

/// Like [`broker`], but each answer takes `delay`.
fn broker_after(delay: Duration, id: i32, listener: TcpListener, named: &[(i32, Address)], asked: &Asked) {
    let topics: Vec<_> = Topic::ALL.iter().map(|topic| (topic.name(), 2)).collect();
    let body = scripted::metadata(named, &topics);
    let asked = Arc::clone(asked);
    serve_after(delay, listener, move |mut client| {
        while let Some(request) = client.agree() {
            asked.lock().expect("a list").push(id);
            client.answer(&request, &body);
        }
    });
}

/// An address that refuses connections.
fn closed() -> Address {
    listener().1
}

#[test]
fn metadata_is_asked_for_once_and_again_after_a_fault() {
    let ((one, at), asked) = (listener(), Asked::default());
    broker(1, one, &[(1, at.clone()), (2, closed())], &asked);
    let mut cluster = cluster(&[&at]);
    assert_eq!(cluster.known_leader(Topic::Metrics, 0), None);
    for topic in [Topic::Metrics, Topic::Metrics, Topic::Trigger] {
        assert_eq!(cluster.leaders(topic, soon()), Ok(BTreeMap::from([(0, 2)])));
    }
    assert_eq!(*asked.lock().expect("a list"), [1], "all topics at once");
    assert_eq!(cluster.broker_count(), 2);
    cluster.distrust();
    assert_eq!(cluster.known_leader(Topic::Metrics, 0), Some(2));
    cluster.leaders(Topic::Metrics, soon()).expect("leaders");
    assert_eq!(*asked.lock().expect("a list"), [1, 1]);
    assert!(cluster.open_connection(1).is_some(), "the cluster knows it by the address we used");
}

#[test]
fn bootstrap_brokers_are_tried_in_order_and_all_are_named_if_none_answers() {
    let ((one, at), asked) = (listener(), Asked::default());
    broker(1, one, &[(1, at.clone())], &asked);
    let (first, last) = (closed(), closed());
    cluster(&[&first, &at, &last]).leaders(Topic::Metrics, soon()).expect("the second one answers");
    let error = cluster(&[&first, &last]).leaders(Topic::Metrics, soon()).expect_err("none");
    let text = error.to_string();
    let place = |address: &Address| text.find(&address.to_string()).expect("both are named");
    assert!(place(&first) < place(&last) && error.is_transient(), "{text}");
}

#[test]
fn a_broker_that_the_cluster_named_is_asked_if_the_bootstrap_brokers_are_gone() {
    let ((second, at), asked) = (listener(), Asked::default());
    broker(2, second, &[(2, at.clone())], &asked);
    let mut cluster = cluster(&[&closed()]);
    let brokers = vec![(2, at.host.clone(), i32::from(at.port))];
    cluster.note_brokers(&Metadata { brokers, ..Metadata::default() });
    cluster.leaders(Topic::Metrics, soon()).expect("leaders");
    assert_eq!(*asked.lock().expect("a list"), [2]);
}

#[test]
fn an_unreachable_leader_is_explained_by_its_advertised_address() {
    let ((one, at), asked) = (listener(), Asked::default());
    let unreachable = closed();
    broker(1, one, &[(1, at.clone()), (2, unreachable.clone())], &asked);
    let mut cluster = cluster(&[&at]);
    cluster.leaders(Topic::Metrics, soon()).expect("leaders");
    assert!(cluster.connection(1, soon()).is_ok());
    let Err(error) = cluster.connection(2, soon()) else { panic!("nobody listens") };
    for word in [unreachable.to_string(), format!("cluster at {at}"), "advertised.listeners".to_owned()] {
        assert!(error.to_string().contains(&word), "{word:?} is missing in: {error}");
    }
    let Err(error) = cluster.connection(7, soon()) else { panic!("there is no broker 7") };
    assert!(error.to_string().contains("broker 7 as leader without an address"), "{error}");
}

#[test]
fn a_connection_is_dropped_with_its_address_and_on_a_fault() {
    let ((one, at), asked) = (listener(), Asked::default());
    broker(1, one, &[(1, at.clone())], &asked);
    let mut cluster = cluster(&[&at]);
    cluster.leaders(Topic::Metrics, soon()).expect("leaders");
    assert!(cluster.open_connection(1).is_some());
    cluster.hang_up(1);
    assert!(cluster.open_connection(1).is_none());
    cluster.connection(1, soon()).expect("connects again");
    cluster.note_brokers(&Metadata { brokers: vec![(1, "elsewhere".to_owned(), 9)], ..Metadata::default() });
    assert!(cluster.open_connection(1).is_none(), "broker 1 has moved");
}

/// The leaders of a topic, from calls that are too short for the setup of a connection.
fn in_short_calls(cluster: &mut Cluster) -> BTreeMap<i32, i32> {
    let found = (0..40).find_map(|_| cluster.leaders(Topic::Metrics, clock::now_ns() + SHORT_NS).ok());
    found.expect("a connection")
}

const SHORT_NS: u64 = 500 * NS_PER_MS;
/// Two answers, as a connection's setup needs them, take longer than a short call.
const SLOW: Duration = Duration::from_millis(300);

#[test]
fn a_setup_that_outlasts_its_call_is_completed_by_a_later_one() {
    let ((one, at), asked) = (listener(), Asked::default());
    broker_after(SLOW, 1, one, &[(1, at.clone()), (2, at.clone())], &asked);
    let mut cluster = cluster(&[&at]);
    assert_eq!(in_short_calls(&mut cluster), BTreeMap::from([(0, 2)]));
    let leader = (0..40).any(|_| cluster.connection(1, clock::now_ns() + SHORT_NS).is_ok());
    assert!(leader && cluster.open_connection(1).is_some());
}

#[test]
fn setups_that_outlast_their_calls_do_not_cost_each_other_the_connection() {
    let (asked, quick) = (Asked::default(), listener());
    let slow = [listener(), listener()];
    let named = [(1, slow[0].1.clone()), (2, slow[1].1.clone()), (3, quick.1.clone())];
    let mut cluster = cluster(&[&quick.1]);
    broker(3, quick.0, &named, &asked);
    for (id, (listener, _)) in (1..).zip(slow) {
        broker_after(2 * SLOW, id, listener, &named, &asked);
    }
    in_short_calls(&mut cluster);
    let both = (0..20).any(|_| {
        let reached = [1, 2].map(|id| cluster.connection(id, clock::now_ns() + SHORT_NS).is_ok());
        reached == [true; 2]
    });
    assert!(both);
}

#[test]
fn addresses_that_hang_leave_time_for_a_slow_one() {
    let ((one, at), asked) = (listener(), Asked::default());
    let hung = [listener(), listener()];
    broker_after(SLOW, 1, one, &[(1, at.clone())], &asked);
    in_short_calls(&mut cluster(&[&hung[0].1, &hung[1].1, &at]));
    let error = cluster(&[&hung[0].1]).leaders(Topic::Metrics, clock::now_ns() + 1).expect_err("it hangs");
    assert!(error.is_transient() && error.to_string().contains(&hung[0].1.to_string()), "{error}");
}

/// A broker with a login that accepts everybody, or nobody; its metadata name only itself.
fn gated(is_open: bool) -> Address {
    let (listener, at) = listener();
    let topics: Vec<_> = Topic::ALL.iter().map(|topic| (topic.name(), 1)).collect();
    let metadata = scripted::metadata(&[(1, at.clone())], &topics);
    let code = if is_open { 0 } else { 58 };
    serve_after(Duration::ZERO, listener, move |mut client| {
        while let Some(request) = client.agree() {
            match request.api {
                17 => client.answer(&request, &[0, 0, 0, 0, 0, 0]),
                36 => client.answer(&request, &[0, code, 0xff, 0xff, 0, 0, 0, 0]),
                _ => client.answer(&request, &metadata),
            }
        }
    });
    at
}

#[test]
fn a_broker_that_refuses_us_hides_no_other() {
    let login = |bootstrap: &[&Address]| {
        let login = Login::Plain { user: "u".to_owned(), password: Secret::new("p") };
        let settings = KafkaSettings {
            security: Security { tls: None, login: Some(login) },
            ..KafkaSettings::new(bootstrap.iter().map(|address| address.to_string()).collect())
        };
        let mut cluster = Cluster::new(Arc::new(Context::new(settings).expect("settings")));
        cluster.leaders(Topic::Metrics, soon())
    };
    let foreign = peer(|mut client| client.write(b"HTTP/1.1 400 Bad Request\r\n\r\n", usize::MAX));
    let (denying, open) = (gated(false), gated(true));
    assert!(login(&[&foreign, &denying, &open]).is_ok());
    for all in [[&closed(), &denying], [&denying, &foreign]] {
        let error = login(&all).expect_err("nobody lets us in");
        assert!(matches!(error, BusError::Denied(_)), "{error}");
    }
}
