//! Roles that cannot start, or that start with faulty settings: each one reports a clear reason.

use super::process::Process;
use super::{System, assert_exact, on_both};
use crate::support::kafka;
use floodgate::clock;
use serde_json::json;
use std::net::TcpListener;

on_both!(
    a_role_that_cannot_start_says_why,
    a_driver_without_a_target_joins_and_counts_errors,
    every_driver_setting_can_be_an_environment_variable,
);

const DRIVER: [&str; 6] = ["--node-id", "d1", "--node-ip", "127.0.0.1", "--target", "http://127.0.0.1:1/"];

#[test]
fn a_role_that_waits_for_its_brokers_can_be_stopped() {
    let nowhere = ["--kafka", "127.0.0.1:1", "--connect-timeout", "1h"];
    let mut orchestrator = Process::start("orchestrator", "floodgate-orchestrator", &nowhere, &[]);
    let mut driver = Process::start("d1", "floodgate-driver", &[&nowhere[..], &DRIVER].concat(), &[]);
    orchestrator.line("waiting for kafka 127.0.0.1:1");
    driver.line("waiting for kafka 127.0.0.1:1");
    let begun_ns = clock::now_ns();
    assert_eq!(
        (orchestrator.terminate().code, driver.terminate().code),
        (None, None),
        "killed by the signal"
    );
    assert!(clock::now_ns() - begun_ns < 10 * clock::NS_PER_S);
}

/// The error output of a role that must exit with code 1.
fn refused(program: &str, words: &[&str]) -> String {
    let ended = Process::start(program, program, words, &[]).end();
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    assert_eq!(ended.printed, "");
    ended.said
}

fn a_role_that_cannot_start_says_why(version: &str) {
    let _peace = kafka::in_peace();
    let system = System::start(&kafka::broker(version), "refused");
    let taken = system.addr.to_string();
    let words = ["--kafka", &system.broker, "--topic-prefix", &system.prefix, "--listen", &taken];
    let said = refused("floodgate-orchestrator", &words);
    assert!(said.contains(&taken) && said.contains("--listen"), "{said}");

    let free = "127.0.0.1:1";
    let begun_ns = clock::now_ns();
    let said =
        refused("floodgate-driver", &[&["--kafka", free, "--connect-timeout", "2s"][..], &DRIVER].concat());
    let seconds = (clock::now_ns() - begun_ns) / clock::NS_PER_S;
    assert!((1..10).contains(&seconds), "{seconds} s");
    assert!(said.contains("waiting for kafka") && said.contains("--connect-timeout"), "{said}");

    // The target speaks HTTP and answers the Kafka request as a malformed HTTP request.
    let http = system.target_addr.to_string();
    let said =
        refused("floodgate-driver", &[&["--kafka", &http, "--connect-timeout", "6s"][..], &DRIVER].concat());
    assert!(said.contains("is not a Kafka broker") && said.contains(&http), "{said}");

    if version == "4.3.0" {
        let legacy = ["--kafka", &system.broker, "--kafka-client", "legacy"];
        let said = refused("floodgate-driver", &[&legacy[..], &DRIVER].concat());
        assert!(said.lines().any(|line| line.contains("--kafka-client modern")), "{said}");
    }
}

fn a_driver_without_a_target_joins_and_counts_errors(version: &str) {
    let _peace = kafka::in_peace();
    let system = System::start(&kafka::broker(version), "no-target");
    let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
    let _one = system.driver_with("d1", &format!("http://{free}/"), &["--requests", "40", "--delay", "10ms"]);
    let _two =
        system.driver_with("d2", "http://nosuchhost.invalid/", &["--requests", "40", "--delay", "10ms"]);
    system.wait_alive(&["d1", "d2"]);
    system.configure(&json!({"test_id": "t", "test_type": "TSUNAMI"}));
    let summary = system.wait_over("t", "completed");
    let errors = |i: usize| summary.drivers[i].stats.errors.clone();
    assert_eq!((errors(0).get("connect"), errors(1).get("dns")), (Some(&40), Some(&40)), "{summary:#?}");
    assert!(summary.verdict.join("\n").contains("Could not connect to "), "{:?}", summary.verdict);
}

fn every_driver_setting_can_be_an_environment_variable(version: &str) {
    let _peace = kafka::in_peace();
    let system = System::start(&kafka::broker(version), "variables");
    let (url, allowed) = (system.url(), system.target_addr.to_string());
    let shared = [
        ("FLOODGATE_KAFKA", system.broker.as_str()),
        ("FLOODGATE_KAFKA_CLIENT", "modern"),
        ("FLOODGATE_TOPIC_PREFIX", &system.prefix),
        ("FLOODGATE_CONNECT_TIMEOUT", "20s"),
        ("FLOODGATE_LOG_LEVEL", "debug"),
        ("FLOODGATE_NODE_IP", "127.0.0.7"),
        ("FLOODGATE_ORCHESTRATOR", "http://127.0.0.1:1"),
    ];
    let start = |name: &str, own: &[(&str, &str)]| {
        let variables = [&shared[..], &[("FLOODGATE_NODE_ID", name)], own].concat();
        Process::start(name, "floodgate-driver", &[], &variables)
    };
    let paced = [("FLOODGATE_TARGET", url.as_str()), ("FLOODGATE_RATE", "50"), ("FLOODGATE_DELAY", "20ms")];
    let limits = [("FLOODGATE_REQUESTS", "50"), ("FLOODGATE_CONNECTIONS", "3"), ("FLOODGATE_TIMEOUT", "3s")];
    let _one = start("d1", &[&paced[..], &limits].concat());
    // Its own target is on another host; the plan's target is allowed explicitly.
    let elsewhere = [
        ("FLOODGATE_TARGET", "http://127.0.0.1:1/"),
        ("FLOODGATE_ALLOW_TARGET", allowed.as_str()),
        ("FLOODGATE_CLIENT", "ureq"),
        ("FLOODGATE_RATE", "100"),
        ("FLOODGATE_DELAY", "10ms"),
        ("FLOODGATE_REQUESTS", "100"),
    ];
    let _two = start("d2", &elsewhere);
    system.wait_alive(&["d1", "d2"]);
    assert_eq!(system.row("d1").expect("a row").node_ip, "127.0.0.7");
    for (test_id, test_type) in [("a", "AVALANCHE"), ("t", "TSUNAMI")] {
        system.configure(&json!({"test_id": test_id, "test_type": test_type, "target_url": url}));
        let summary = system.wait_over(test_id, "completed");
        assert_exact(&summary, 150);
        let requests: Vec<u64> = summary.drivers.iter().map(|row| row.stats.requests).collect();
        assert_eq!(requests, [50, 100], "each driver's own settings fill in the rest");
        assert!((0.9..1.3).contains(&summary.total.elapsed_s), "{}", summary.total.elapsed_s);
    }
}
