//! The whole system on real brokers, with each role in a separate process, as if on separate hosts.

mod bad_starts;
mod broker_faults;
mod cluster;
mod fencing;
mod kills;
mod narrow;
mod ordinary;
mod original;
mod process;
mod process_faults;
mod remote_run;
mod secure;
mod skew;
mod strangers;
mod tolerance;

use crate::raw_http;
use crate::support::kafka;
use floodgate::orchestrator::{Dashboard, FleetRow};
use floodgate::stats::summary::Summary;
use process::{Process, addr_in, wait};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Makes a test of each function for each tested broker version.
macro_rules! on_both {
    ($($case:ident),* $(,)?) => {
        mod on_3_9 {
            $(#[test]
            #[ignore = "needs a Kafka broker: just test-kafka"]
            fn $case() {
                super::$case("3.9.1");
            })*
        }
        mod on_4_3 {
            $(#[test]
            #[ignore = "needs a Kafka broker: just test-kafka"]
            fn $case() {
                super::$case("4.3.0");
            })*
        }
    };
}
use on_both;

/// How the roles connect to the brokers. The folder holds certificates and passwords.
enum Login {
    /// Plain TCP without a login.
    None,
    /// Over TLS, each role as the user of its name, with SCRAM.
    EachRole(PathBuf),
    /// The same, all as alice, who may do everything.
    Alice(PathBuf),
}

impl Login {
    /// The flags of a role.
    fn flags(&self, role: &str) -> Vec<String> {
        let (folder, user) = match self {
            Login::None => return Vec::new(),
            Login::EachRole(folder) => (folder, role),
            Login::Alice(folder) => (folder, "alice"),
        };
        let file = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
        let (ca, password) = (file("ca.pem"), file(&format!("{user}.password")));
        let flags = ["--kafka-mechanism", "SCRAM-SHA-512", "--kafka-user", user];
        let files = ["--kafka-ca", &ca, "--kafka-password-file", &password];
        [flags, files].concat().into_iter().map(str::to_owned).collect()
    }
}

/// A target and an orchestrator on topics with a unique prefix. Each test adds its drivers.
struct System {
    broker: String,
    client: &'static str,
    prefix: String,
    login: Login,
    target_addr: SocketAddr,
    addr: SocketAddr,
    target: Process,
    orchestrator: Process,
}

impl System {
    /// Starts the roles in the documented order: the target, then the orchestrator.
    fn start(broker: &str, case: &str) -> System {
        System::start_over(broker, "modern", case)
    }

    /// Like [`System::start`], with this Kafka client.
    fn start_over(broker: &str, client: &'static str, case: &str) -> System {
        System::begin(broker, client, Login::None, kafka::fresh_prefix(case))
    }

    fn begin(broker: &str, client: &'static str, login: Login, prefix: String) -> System {
        let mut target = Process::start("target", "floodgate-target", &["--listen", "127.0.0.1:0"], &[]);
        let target_addr = addr_in(&target.line("ready"));
        let (orchestrator, addr) = orchestrator(broker, client, &login, &prefix);
        System { broker: broker.to_owned(), client, prefix, login, target_addr, addr, target, orchestrator }
    }

    /// Starts an orchestrator that replaces the first one or runs alongside it.
    fn orchestrator(&self) -> (Process, SocketAddr) {
        orchestrator(&self.broker, self.client, &self.login, &self.prefix)
    }

    /// The URL to load.
    fn url(&self) -> String {
        format!("http://{}/ping", self.target_addr)
    }

    fn driver(&self, node_id: &str) -> Process {
        self.driver_with(node_id, &self.url(), &[])
    }

    /// Starts a driver with additional flags. The orchestrator does not know it yet when this returns.
    fn driver_with(&self, node_id: &str, target: &str, flags: &[&str]) -> Process {
        let orchestrator = format!("http://{}", self.addr);
        let own = ["--kafka", &self.broker, "--topic-prefix", &self.prefix, "--orchestrator", &orchestrator];
        let named = ["--node-id", node_id, "--node-ip", "127.0.0.1", "--target", target];
        let client = ["--kafka-client", self.client];
        let login = self.login.flags("driver");
        let login: Vec<&str> = login.iter().map(String::as_str).collect();
        let words = [&own[..], &client, &named, &login, flags].concat();
        Process::start(node_id, "floodgate-driver", &words, &[])
    }

    fn dashboard(&self) -> Dashboard {
        let answer = raw_http::get(self.addr, "/dashboard");
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str(&answer.body).expect("dashboard")
    }

    fn fleet_text(&self) -> String {
        format!("{:#?}\norchestrator: {}", self.dashboard().fleet, self.orchestrator.said())
    }

    fn row(&self, node_id: &str) -> Option<FleetRow> {
        self.dashboard().fleet.into_iter().find(|row| row.node_id == node_id)
    }

    /// Waits until these nodes, and no others, are alive and can be named in a plan.
    fn wait_alive(&self, names: &[&str]) {
        wait(
            &format!("{names:?} alive"),
            || self.fleet_text(),
            || {
                let fleet = self.dashboard().fleet;
                let alive = fleet.iter().filter(|row| row.state == "alive" && row.activity.is_some());
                alive.map(|row| row.node_id.as_str()).eq(names.iter().copied()).then_some(())
            },
        );
    }

    /// Waits until this node is shown in this state.
    fn wait_state(&self, node_id: &str, state: &str) -> FleetRow {
        wait(
            &format!("{node_id} {state}"),
            || self.fleet_text(),
            || self.row(node_id).filter(|row| row.state == state),
        )
    }

    /// Waits until this node reports this activity.
    fn wait_activity(&self, node_id: &str, activity: &str) {
        wait(
            &format!("{node_id} {activity}"),
            || self.fleet_text(),
            || self.row(node_id).filter(|row| row.activity.as_deref() == Some(activity)).map(drop),
        );
    }

    /// Sends `POST /configure`, which must succeed. Returns the drivers that the plan names.
    fn configure(&self, body: &Value) -> Vec<String> {
        let answer = raw_http::post(self.addr, "/configure", &body.to_string());
        assert_eq!(answer.status, 202, "{}", answer.body);
        let answer: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!((&answer["test_id"], &answer["state"]), (&body["test_id"], &json!("ready")));
        serde_json::from_value(answer["drivers"].clone()).expect("names")
    }

    /// The test as shown on the dashboard.
    fn test(&self, test_id: &str) -> Option<Summary> {
        self.dashboard().test.filter(|summary| summary.test_id == test_id)
    }

    /// Waits until the test's series contains this second.
    fn wait_second(&self, test_id: &str, second: u64) {
        let state = || format!("{:?}", self.test(test_id));
        wait(&format!("second {second} of {test_id}"), state, || {
            self.test(test_id).filter(|s| s.series.last().is_some_and(|point| point.second >= second))
        });
    }

    /// Waits until the test has ended in this state.
    fn wait_over(&self, test_id: &str, state: &str) -> Summary {
        let over = ["completed", "aborted", "failed"];
        let found = wait(
            &format!("end of {test_id}"),
            || format!("{:?}", self.test(test_id)),
            || self.test(test_id).filter(|summary| over.contains(&summary.state.as_str())),
        );
        assert_eq!(found.state, state, "{:#?}", found.verdict);
        found
    }

    /// Number of requests that the target has counted since its start.
    fn target_count(&self) -> u64 {
        let answer: Value =
            serde_json::from_str(&raw_http::get(self.target_addr, "/metrics").body).expect("JSON");
        assert_eq!(answer["requests"], answer["responses"]);
        answer["requests"].as_u64().expect("a count")
    }
}

fn orchestrator(broker: &str, client: &str, login: &Login, prefix: &str) -> (Process, SocketAddr) {
    let bus = ["--kafka", broker, "--kafka-client", client, "--topic-prefix", prefix];
    let login = login.flags("orchestrator");
    let login: Vec<&str> = login.iter().map(String::as_str).collect();
    let words = [&bus[..], &login, &["--listen", "127.0.0.1:0"]].concat();
    let mut process = Process::start("orchestrator", "floodgate-orchestrator", &words, &[]);
    let addr = addr_in(&process.line("ready"));
    (process, addr)
}

/// Asserts that each planned request was sent once and answered once, and that all counts agree.
fn assert_exact(summary: &Summary, requests: u64) {
    let counts = &summary.conservation;
    let text = format!("{:#?} {:#?}", summary.conservation, summary.verdict);
    let all = [counts.planned, counts.sent, counts.responses, counts.target_seen.unwrap_or(0)];
    assert_eq!(all, [requests; 4], "{text}");
    assert_eq!([counts.never_sent, counts.errors, counts.reports_missing], [0; 3], "{text}");
    assert_eq!(summary.total.requests, requests);
    assert_eq!(summary.total.latency_ms.as_ref().map(|l| l.min > 0.0), Some(true));
    assert_eq!(summary.drivers.iter().map(|row| row.stats.requests).sum::<u64>(), requests);
}
