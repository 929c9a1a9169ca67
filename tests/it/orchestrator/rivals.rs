//! Two real drivers with the same name.

use super::support::*;
use floodgate::bus::{Connector, Start, Topic};
use floodgate::driver::{self, Driver};
use floodgate::message::{Register, decode};
use floodgate::plan::Defaults;
use std::sync::Arc;
use std::time::Duration;

fn driver(bus: &Arc<dyn Connector>) -> Driver {
    let defaults = Defaults { target_url: Some("http://127.0.0.1:9/".to_owned()), ..Defaults::default() };
    let config = driver::Config {
        node_id: "d1".to_owned(),
        defaults,
        connect_timeout: SOON,
        ..driver::Config::default()
    };
    driver::start(Arc::clone(bus), config).expect("starts")
}

#[test]
fn the_newer_one_is_in_the_fleet_and_when_it_leaves_the_first_is_back() {
    let bus = local();
    let orchestrator = orchestrator(&bus);
    let control = orchestrator.control();
    let epoch =
        || control.dashboard().fleet.first().filter(|row| row.state == "alive").and_then(|row| row.epoch);
    let first = driver(&bus);
    let first_epoch = wait("the first", epoch);
    let second = driver(&bus);
    let second_epoch = wait("the second", || epoch().filter(|epoch| *epoch != first_epoch));
    assert!(second_epoch > first_epoch);
    let mut reader = bus.open();
    reader.subscribe(Topic::Register, Start::Beginning, SOON).expect("subscribes");
    let mut registered = Vec::new();
    wait("the first registers again, so that the second learns of it", || {
        for record in reader.poll(Duration::from_millis(50)).expect("polls") {
            registered
                .push(decode::<Register>(&record.value).expect("a registration").epoch.expect("an epoch"));
        }
        (registered.len() == 3).then_some(())
    });
    assert_eq!(registered, [first_epoch, second_epoch, first_epoch]);
    assert_eq!(epoch(), Some(second_epoch), "the newest counts");
    second.shutdown();
    wait("the first is back", || epoch().filter(|epoch| *epoch == first_epoch));
    first.shutdown();
}
