//! Compares what floodgate-targets counted with what real drivers sent to them.

use crate::orchestrator::support::{SOON, local, orchestrator, wait, wait_alive};
use floodgate::driver::{self, Driver};
use floodgate::message::{TestConfig, TestType};
use floodgate::orchestrator::{Control, Orchestrator};
use floodgate::plan::Defaults;
use floodgate::stats::summary::Summary;
use floodgate::target::{self, Target};
use std::net::SocketAddr;
use std::sync::Arc;

/// An orchestrator and drivers on the in-process bus; each driver chooses its own target.
struct Fleet {
    orchestrator: Orchestrator,
    drivers: Vec<Driver>,
}

impl Fleet {
    fn start(targets: &[SocketAddr]) -> Fleet {
        let connector = local();
        let orchestrator = orchestrator(&connector);
        let driver = |(i, target): (usize, &SocketAddr)| {
            let target_url = Some(format!("http://{target}/ping"));
            let config = driver::Config {
                node_id: format!("d{i}"),
                node_ip: "127.0.0.1".to_owned(),
                defaults: Defaults { target_url, ..Defaults::default() },
                connect_timeout: SOON,
                ..driver::Config::default()
            };
            driver::start(Arc::clone(&connector), config).expect("starts")
        };
        let fleet = Fleet { orchestrator, drivers: targets.iter().enumerate().map(driver).collect() };
        wait_alive(&fleet.control(), targets.len());
        fleet
    }

    fn control(&self) -> Control {
        self.orchestrator.control()
    }

    /// Starts a test; every driver loads its own target.
    fn configure(&self, test_id: &str, rate: f64, requests: u64) {
        let mut plan = TestConfig::new(test_id, TestType::Avalanche);
        plan.target_throughput = Some(rate);
        plan.message_count_per_driver = Some(requests);
        plan.connections = Some(4);
        self.control().configure(plan).expect("configures");
    }

    fn result(&self, test_id: &str) -> Summary {
        let over = |s: &Summary| ["completed", "aborted", "failed"].contains(&s.state.as_str());
        wait("the end", || self.control().summary(test_id).filter(over))
    }

    fn shutdown(self) {
        self.drivers.into_iter().for_each(Driver::shutdown);
        self.orchestrator.shutdown();
    }
}

fn target() -> Target {
    target::start(target::Config::plain(SocketAddr::from(([127, 0, 0, 1], 0)))).expect("a target")
}

/// Makes a target count this many requests that belong to no test.
fn use_before(target: &Target, requests: usize) {
    let url = format!("http://{}/ping", target.addr());
    for _ in 0..requests {
        assert_eq!(floodgate::fetch::get(&url, SOON).expect("answers").status, 200);
    }
}

#[test]
fn drivers_on_different_targets_are_each_compared_with_their_own() {
    let (first, second) = (target(), target());
    // Their counters differ widely before the test, so that mixing them up shows.
    use_before(&second, 70);
    let fleet = Fleet::start(&[first.addr(), second.addr()]);
    fleet.configure("two", 500.0, 50);
    let result = fleet.result("two");
    assert_eq!((result.total.responses, result.conservation.target_seen), (100, Some(100)));
    assert_eq!((first.seen().0, second.seen().0), (50, 120));
    assert!(!result.verdict.join("\n").contains("do not agree"), "{:?}", result.verdict);
    // Both on one target share one counter, read twice.
    fleet.shutdown();
    let fleet = Fleet::start(&[second.addr(), second.addr()]);
    fleet.configure("one", 500.0, 50);
    assert_eq!(fleet.result("one").conservation.target_seen, Some(100));
    fleet.shutdown();
    [first, second].into_iter().for_each(Target::shutdown);
}

#[test]
fn a_restarted_target_is_reported_and_no_counts_are_invented() {
    let old = target();
    let addr = old.addr();
    let fleet = Fleet::start(&[addr]);
    fleet.configure("t", 100.0, 200);
    wait("its first second", || fleet.control().summary("t").filter(|s| !s.series.is_empty()));
    old.shutdown();
    let new = wait("the port", || target::start(target::Config::plain(addr)).ok());
    let result = fleet.result("t");
    assert_eq!(result.state, "completed");
    assert_eq!(result.conservation.target_seen, None);
    let verdict = result.verdict.join("\n");
    assert!(verdict.contains("The target's request count is unknown") && verdict.contains("d0"), "{verdict}");
    assert!(!verdict.contains("do not agree"), "{verdict}");
    fleet.shutdown();
    new.shutdown();
}
