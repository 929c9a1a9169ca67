//! A full run, with driver and orchestrator, during an outage of the bus between them.

use super::support::*;
use crate::support::http_server::Server;
use floodgate::bus::Connector;
use floodgate::clock;
use floodgate::driver;
use floodgate::orchestrator::{Config, start};
use floodgate::plan::Defaults;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn the_seconds_of_an_outage_are_reported_missing_and_complete_afterwards() {
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npong");
    let bus = Fragile::new();
    let orchestrator = start(Arc::new(bus.clone()), Config::default()).expect("starts");
    let control = orchestrator.control();
    let defaults = Defaults { target_url: Some(server.url("/")), ..Defaults::default() };
    let config = driver::Config {
        node_id: "d1".to_owned(),
        defaults,
        connect_timeout: SOON,
        ..driver::Config::default()
    };
    let driver = driver::start(Arc::new(bus.clone()) as Arc<dyn Connector>, config).expect("starts");
    wait_alive(&control, 1);
    let plan = br#"{"test_id":"t","test_type":"TSUNAMI","test_message_delay":20,"duration_ms":8000}"#;
    control.configure_json(plan).expect("configures");
    wait("the first second", || control.summary("t").filter(|s| !s.series.is_empty()));
    bus.set_away(true);
    let notices = wait("a notice", || control.summary("t").map(|s| s.notices).filter(|n| !n.is_empty()));
    assert!(notices[0].starts_with("Kafka has been unavailable for "), "{notices:?}");
    assert!(notices[0].ends_with(" s (nobody answers)"), "{notices:?}");
    clock::sleep(Duration::from_millis(3_500));
    bus.set_away(false);
    wait("the notice is gone", || control.summary("t").filter(|s| s.notices.is_empty()));
    let result = wait_state(&control, "t", "completed");
    assert_eq!((result.total.requests, result.conservation.reports_missing), (400, 0));
    let seconds: Vec<_> = result.series.iter().map(|point| (point.requests, point.complete)).collect();
    assert_eq!(seconds.len(), 8, "{seconds:?}");
    // Fifty are planned per second; the whole outage at once would be two hundred.
    assert!(
        seconds.iter().all(|(requests, complete)| *complete && (1..100).contains(requests)),
        "{seconds:?}"
    );
    driver.shutdown();
}
