use super::*;
use crate::bus::kafka::scripted::{self, listener, serve};
use crate::clock::NS_PER_S;
use std::net::TcpListener;
use std::sync::Mutex;

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
    let topics: Vec<_> = Topic::ALL.iter().map(|topic| (topic.name(), 2)).collect();
    let body = scripted::metadata(named, &topics);
    let asked = Arc::clone(asked);
    serve(listener, move |mut client| {
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
