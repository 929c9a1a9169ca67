//! What ends a load or a wait: a STOP, a shutdown, the fence, the next plan.

use super::stage::{Stage, WAIT};
use super::{PONG, config};
use crate::orchestrator::support::{Fragile, wait};
use crate::support::http_server::Server;
use crate::support::trap::{Call, Fault, Trap};
use floodgate::bus::Topic;
use floodgate::clock;
use floodgate::driver::Driver;
use floodgate::driver::prepare::ClientSettings;
use floodgate::http::ClientKind;
use floodgate::message::*;
use std::sync::Arc;
use std::time::Duration;

/// How soon a STOP or a shutdown must have its effect.
const SOON_NS: u64 = clock::NS_PER_S;

/// A driver that has read its start, which is 500 s away.
fn waiting(stage: &mut Stage, server: &Server, client: ClientKind) -> Driver {
    let driver = stage.driver("d1", &server.url("/"), client);
    let mut config = config(stage.register());
    config.duration_ms = Some(60_000);
    stage.publish(Topic::TestConfig, &encode(&config));
    stage.beat(DriverState::Ready);
    let at_ms = clock::wall_ms(clock::now_ns()) + 500_000.0;
    stage.publish(Topic::Trigger, &encode(&Trigger::start("t1", at_ms)));
    stage.beat(DriverState::Running);
    driver
}

fn assert_nothing_sent(report: &Metrics, began_ns: u64) {
    let took_ms = (clock::now_ns() - began_ns) / clock::NS_PER_MS;
    assert!(took_ms * clock::NS_PER_MS < SOON_NS, "{took_ms} ms");
    let counts = report.counts.as_ref().expect("counts");
    assert_eq!((counts.sent, counts.planned, counts.never_sent), (0, 0, 0));
}

#[test]
fn a_driver_that_waits_for_a_distant_start_reacts_to_a_stop() {
    for client in ClientKind::ALL {
        let server = Server::answering(PONG);
        let mut stage = Stage::new();
        let driver = waiting(&mut stage, &server, client);
        let began_ns = clock::now_ns();
        stage.publish(Topic::Trigger, &encode(&Trigger::stop("t1", "changed my mind")));
        assert_nothing_sent(&stage.final_report(), began_ns);
        stage.beat(DriverState::Idle);
        driver.shutdown();
    }
}

#[test]
fn a_driver_that_waits_for_a_distant_start_reacts_to_shutdown() {
    for client in ClientKind::ALL {
        let server = Server::answering(PONG);
        let mut stage = Stage::new();
        let driver = waiting(&mut stage, &server, client);
        let began_ns = clock::now_ns();
        driver.shutdown();
        assert_nothing_sent(&stage.final_report(), began_ns);
        stage.goodbye();
    }
}

#[test]
fn a_driver_that_reads_a_silent_targets_counts_reacts_to_a_stop_and_to_shutdown() {
    let server = Server::start(|conn| {
        if conn.request().is_some() {
            conn.stall();
        }
    });
    let mut stage = Stage::new();
    let driver = stage.driver("d1", &server.url("/"), ClientKind::Native);
    let config = config(stage.register());
    // Each would take 2 s.
    for test_id in ["t1", "t2", "t3"] {
        let known = server.received().len();
        stage.publish(
            Topic::TestConfig,
            &encode(&TestConfig { test_id: test_id.to_owned(), ..config.clone() }),
        );
        wait("a request for the counts", || (server.received().len() > known).then_some(()));
        if test_id != "t3" {
            let began_ns = clock::now_ns();
            stage.publish(Topic::Trigger, &encode(&Trigger::stop(test_id, "changed my mind")));
            wait("the driver has read it", || {
                stage.beat(DriverState::Idle);
                Some(())
            });
            assert!(clock::now_ns() - began_ns < SOON_NS);
        }
    }
    let began_ns = clock::now_ns();
    driver.shutdown();
    let took_ms = (clock::now_ns() - began_ns) / clock::NS_PER_MS;
    assert!(took_ms * clock::NS_PER_MS < SOON_NS, "{took_ms} ms");
    stage.goodbye();
    assert!(stage.seen.iter().all(|(_, value)| value["state"] != "ready"), "{:#?}", stage.seen);
}

#[test]
fn a_load_that_cannot_be_stopped_is_fenced_and_its_report_is_sent_when_the_bus_is_back() {
    let (server, bus) = (Server::answering(PONG), Fragile::new());
    let mut stage = Stage::on(bus.sound().as_ref(), Arc::new(bus.clone()));
    let after = Duration::from_secs(1);
    let driver = stage.driver_fenced("d1", &server.url("/ping"), ClientSettings::default(), Some(after));
    let mut config = config(stage.register());
    (config.target_throughput, config.duration_ms) = (Some(100.0), Some(60_000));
    stage.start(&config);
    let sent = || server.received().iter().filter(|received| received.line().contains("/ping")).count();
    wait("requests", || (sent() > 20).then_some(()));
    bus.set_away(true);
    let away_ns = clock::now_ns();
    let mut last = (sent(), clock::now_ns());
    wait("the end of the load", || {
        let now = (sent(), clock::now_ns());
        last = if now.0 > last.0 { now } else { last };
        (now.1 > last.1 + clock::NS_PER_S).then_some(())
    });
    let loaded_ms = (last.1 - away_ns) / clock::NS_PER_MS;
    assert!((900..3_000).contains(&loaded_ms), "the load went on for {loaded_ms} ms");
    bus.set_away(false);
    let told = stage.wait(Topic::Heartbeat, |beat: &Heartbeat| beat.reason.is_some());
    assert_eq!((told.state, told.test_id.as_deref()), (Some(DriverState::Finishing), Some("t1")));
    let why = "it could not reach Kafka for 1 s and stopped its load";
    assert_eq!(told.reason.as_deref(), Some(why));
    let report = stage.reports().into_iter().find(|report| report.is_final);
    let counts = report.unwrap_or_else(|| stage.final_report()).counts.expect("counts");
    assert_eq!((counts.sent, counts.responses), (sent() as u64, sent() as u64), "{counts:?}");
    assert_eq!(counts.planned, counts.sent + counts.never_sent);
    stage.beat(DriverState::Idle);
    // It works on.
    (config.test_id, config.duration_ms) = ("t2".to_owned(), Some(200));
    stage.start(&config);
    stage.wait(Topic::Metrics, |metrics: &Metrics| metrics.is_final && metrics.test_id == "t2");
    driver.shutdown();
}

/// A driver whose load has ended but whose reports are not accepted, while it can read.
fn unheard() -> (Stage, Trap, Server, Driver, TestConfig) {
    let (server, trap) = (Server::answering(PONG), Trap::default());
    let mut stage = Stage::on(&trap.inner, Arc::new(trap.clone()));
    let driver = stage.driver("d1", &server.url("/"), ClientKind::Native);
    let mut config = config(stage.register());
    config.message_count_per_driver = Some(10);
    trap.set(Call::Publish(Topic::Metrics), Fault::Fails);
    stage.start(&config);
    stage.beat(DriverState::Finishing);
    (stage, trap, server, driver, config)
}

#[test]
fn the_next_plan_ends_the_wait_for_a_bus_that_takes_no_reports() {
    let (mut stage, _trap, _server, driver, config) = unheard();
    stage.publish(Topic::TestConfig, &encode(&TestConfig { test_id: "t2".to_owned(), ..config }));
    let began_ns = clock::now_ns();
    let ready = stage.beat(DriverState::Ready);
    assert_eq!(ready.test_id.as_deref(), Some("t2"));
    let took_ms = (clock::now_ns() - began_ns) / clock::NS_PER_MS;
    assert!((4_000..9_000).contains(&took_ms), "{took_ms} ms; an orchestrator waits for 10 s");
    driver.shutdown();
}

#[test]
fn the_end_of_the_test_ends_the_wait_for_a_bus_that_takes_no_reports() {
    let (mut stage, _trap, _server, driver, _) = unheard();
    let end = Trigger { trigger: Word::End, ..Trigger::stop("t1", "") };
    stage.publish(Topic::Trigger, &encode(&end));
    let idle = stage.beat(DriverState::Idle);
    assert_eq!(
        (idle.test_id.as_deref(), idle.reason.as_deref()),
        (Some("t1"), Some("Kafka was unavailable"))
    );
    driver.shutdown();
}

#[test]
fn a_driver_that_waits_to_report_reacts_to_shutdown() {
    let (mut stage, _trap, _server, driver, _) = unheard();
    let began_ns = clock::now_ns();
    driver.shutdown();
    assert!(clock::now_ns() - began_ns < clock::to_ns(WAIT) / 2);
    stage.goodbye();
}

#[test]
fn of_two_plans_at_once_the_first_is_executed() {
    let server = Server::answering(PONG);
    let mut stage = Stage::new();
    let driver = stage.driver("d1", &server.url("/"), ClientKind::Native);
    let node = stage.register();
    let plan = |test_id: &str| TestConfig {
        test_id: test_id.to_owned(),
        message_count_per_driver: Some(10),
        previous: Some(String::new()),
        ..config(node.clone())
    };
    let (first, second) = (plan("first"), plan("second"));
    stage.publish(Topic::TestConfig, &encode(&first));
    stage.publish(Topic::TestConfig, &encode(&second));
    stage.publish(Topic::Trigger, &encode(&Trigger::start("second", 0.0)));
    stage.publish(Topic::Trigger, &encode(&Trigger::stop("second", "its orchestrator lost")));
    assert_eq!(stage.beat(DriverState::Ready).test_id.as_deref(), Some("first"));
    stage.publish(Topic::Trigger, &encode(&Trigger::start("first", 0.0)));
    assert_eq!(stage.final_report().test_id, "first");
    assert!(stage.seen.iter().all(|(_, value)| value["test_id"] != "second"), "{:#?}", stage.seen);
    driver.shutdown();
}
