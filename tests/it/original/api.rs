//! Features of the HTTP API for users of the original system.

use crate::orchestrator::support::*;
use crate::raw_http::{get, post};
use floodgate::orchestrator::{Config, start};
use serde_json::{Value, json};
use std::net::SocketAddr;

fn serve(
    bus: &std::sync::Arc<dyn floodgate::bus::Connector>,
) -> (floodgate::orchestrator::Orchestrator, SocketAddr) {
    let listen = Some("127.0.0.1:0".parse().expect("address"));
    let config = Config { listen, connect_timeout: SOON, ..Config::default() };
    let orchestrator = start(std::sync::Arc::clone(bus), config).expect("starts");
    let addr = orchestrator.addr().expect("an address");
    (orchestrator, addr)
}

fn body(answer: &crate::raw_http::Answer) -> Value {
    serde_json::from_str(&answer.body).expect("JSON")
}

#[test]
fn a_tsunami_without_a_gap_is_refused_with_a_hint_at_avalanche() {
    let bus = local();
    let (_orchestrator, addr) = serve(&bus);
    let plan = json!({"test_id": "t", "test_type": "TSUNAMI", "test_message_delay": 0});
    let answer = post(addr, "/configure", &plan.to_string());
    let text = body(&answer)["error"].as_str().expect("an error").to_owned();
    assert!(answer.status == 400 && text.contains("AVALANCHE"), "{text}");
    assert_eq!(text.matches("test_message_delay").count(), 1, "{text}");
}

#[test]
fn the_name_of_a_live_driver_cannot_be_registered_again() {
    let bus = local();
    let (orchestrator, addr) = serve(&bus);
    let _driver = Driver::join(&bus, "d1", 5);
    wait_alive(&orchestrator.control(), 1);
    let register = |body: Value| post(addr, "/register", &body.to_string());
    let refused = register(json!({"node_id": "d1", "node_IP": "10.0.0.9"}));
    assert_eq!(refused.status, 409);
    let text = body(&refused)["error"].as_str().expect("an error").to_owned();
    assert!(text.contains("\"d1\"") && text.contains("alive"), "{text}");
    let both = json!({"node_id": "m1", "node_IP": "10.0.0.9", "node_ip": "10.0.0.9"});
    let first = register(both.clone());
    assert_eq!((first.status, body(&first)), (202, json!({"ok": true})));
    wait("m1", || orchestrator.control().dashboard().fleet.iter().find(|n| n.node_id == "m1").cloned());
    let again = register(both);
    assert!(
        again.status == 202 && body(&again)["note"].as_str().is_some_and(|note| note.contains("already"))
    );
    assert_eq!(orchestrator.control().dashboard().fleet[0].node_ip, "127.0.0.1", "d1 kept its address");
}

#[test]
fn the_dashboard_has_the_four_original_figures_merged_over_the_fleet() {
    let bus = local();
    let (orchestrator, addr) = serve(&bus);
    let mut drivers = [Driver::join(&bus, "a", 1), Driver::join(&bus, "b", 1)];
    wait_alive(&orchestrator.control(), 2);
    let none =
        json!({"mean_latency": null, "median_latency": null, "min_latency": null, "max_latency": null});
    assert_eq!(body(&get(addr, "/dashboard"))["dashboard"], none);
    let plan = json!({"node_ip": "10.0.0.1", "test_config": {"test_id": "t", "test_type": "AVALANCHE"}});
    assert_eq!(post(addr, "/configure", &plan.to_string()).status, 202, "the nested form is unwrapped");
    drivers.iter_mut().for_each(|driver| {
        driver.agree();
    });
    for (driver, (responses, latency_ms)) in drivers.iter_mut().zip([(9, 2), (1, 12)]) {
        let origin_ms = driver.trigger("t").start_at_ms.expect("a start");
        driver.state("t", "running");
        let last = Figures {
            sequence: 1,
            origin_ms,
            elapsed_ms: 900.0,
            responses,
            latency_ms,
            is_final: true,
            seen: None,
        };
        driver.report("t", last);
    }
    wait_state(&orchestrator.control(), "t", "completed");
    let all = json!({"mean_latency": 3.0, "median_latency": 2.0, "min_latency": 2.0, "max_latency": 12.0});
    let shown = body(&get(addr, "/dashboard"))["dashboard"].clone();
    for (figure, expected) in all.as_object().expect("object") {
        let ms = shown[figure].as_f64().expect("a figure");
        assert!((ms - expected.as_f64().expect("a number")).abs() < 0.02, "{figure}: {ms}");
    }
}
