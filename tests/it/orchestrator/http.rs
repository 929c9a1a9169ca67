//! The HTTP API over real connections.

use super::support::*;
use crate::raw_http::{Answer, Connection, get, post};
use floodgate::orchestrator::{Config, start};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;

fn error(answer: &Answer) -> String {
    assert_eq!(answer.header("Content-Type"), Some("application/json"), "{answer:?}");
    let body: Value = serde_json::from_str(&answer.body).expect("json");
    body["error"].as_str().expect("an error text").to_owned()
}

fn request(addr: SocketAddr, head: &str, body: &str) -> Answer {
    let mut connection = Connection::open(addr);
    let length = body.len();
    let head = head.replace('\n', "\r\n");
    connection.send(format!("{head}\r\nHost: {addr}\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes());
    connection.receive()
}

#[test]
fn a_test_is_configured_watched_and_stopped_over_http() {
    let bus = local();
    let (orchestrator, addr) = serve(Arc::clone(&bus), None);
    assert_eq!(get(addr, "/healthz").body, r#"{"ok":true}"#);
    let smallest = r#"{"test_id":"t","test_type":"TSUNAMI","test_message_delay":20}"#;
    let nobody = post(addr, "/configure", smallest);
    assert_eq!(nobody.status, 409);
    assert!(error(&nobody).contains("no driver is alive"));
    let mut driver = Driver::join(&bus, "a", 1);
    wait_alive(&orchestrator.control(), 1);
    let configured = post(addr, "/configure", smallest);
    assert_eq!((configured.status, configured.header("Cache-Control")), (202, Some("no-store")));
    let body: Value = serde_json::from_str(&configured.body).expect("json");
    assert_eq!(body, json!({"test_id": "t", "state": "ready", "drivers": ["a"]}));
    driver.run();
    let running = wait("running", || {
        let page: Value = serde_json::from_str(&get(addr, "/dashboard").body).expect("json");
        (page["test"]["state"] == "running").then_some(page)
    });
    assert_eq!(running["test"]["schema"], "floodgate.summary/1");
    assert_eq!(running["test"]["plan"]["test_message_delay"], 20.0);
    assert_eq!(running["fleet"][0]["state"], "alive");
    assert_eq!(running["fleet"][0]["node_ip"], "127.0.0.1");
    assert!(running["fleet"][0]["last_seen_ms"].is_u64());
    assert_eq!(running["history"], json!([]));
    assert_eq!(post(addr, "/configure", &smallest.replace("\"t\"", "\"u\"")).status, 409);
    assert_eq!(post(addr, "/stop", r#"{"test_id":"u"}"#).status, 404);
    let stopped = post(addr, "/stop", "");
    assert_eq!(stopped.status, 202);
    assert!(driver.trigger("t").is_stop());
    driver.say(json!({"state": "left"}));
    wait_state(&orchestrator.control(), "t", "aborted");
    assert_eq!(error(&post(addr, "/stop", "{}")), "no test is running: there is nothing to stop");
    orchestrator.shutdown();
}

fn post_toml(addr: SocketAddr, body: &str) -> Answer {
    request(addr, "POST /configure HTTP/1.1\nContent-Type: application/toml; charset=utf-8", body)
}

#[test]
fn plan_files_are_configured_in_toml_and_with_their_keys_in_json() {
    let bus = local();
    let (orchestrator, addr) = serve(Arc::clone(&bus), None);
    let toml = "target_url = \"http://127.0.0.1:9/\"\nrate = 2_000\nduration = \"2m\"\nconnections = 64\n\
                [[requests]]\nname = \"one\"\nweight = 3\n[[requests]]\nname = \"two\"\nurl = \"/2\"\n";
    let json = r#"{"test_id": "j", "plan": {"target_url": "http://127.0.0.1:9/", "rate": 2000,
        "duration": "2m", "connections": 64,
        "requests": [{"name": "one", "weight": 3}, {"name": "two", "url": "/2"}]}}"#;
    let plan_of = |driver: &str, configure: &dyn Fn() -> Answer| {
        let mut driver = Driver::join(&bus, driver, 1);
        wait_alive(&orchestrator.control(), 1);
        let answer = configure();
        assert_eq!(answer.status, 202, "{answer:?}");
        let body: Value = serde_json::from_str(&answer.body).expect("json");
        let id = body["test_id"].as_str().expect("an id");
        driver.run();
        assert_eq!(post(addr, "/stop", "").status, 202);
        assert!(driver.trigger(id).is_stop());
        driver.say(json!({"state": "left"}));
        wait_state(&orchestrator.control(), id, "aborted");
        let page: Value = serde_json::from_str(&get(addr, "/dashboard").body).expect("json");
        page["test"]["plan"].clone()
    };
    let in_toml = plan_of("a", &|| post_toml(addr, toml));
    let in_json = plan_of("b", &|| post(addr, "/configure", json));
    assert_eq!(in_json["fleet"], json!({"rate": 2000, "connections": 64}));
    assert_eq!((&in_json["test_id"], &in_json["duration_ms"]), (&json!("j"), &json!(120_000)));
    for field in ["fleet", "duration_ms", "requests", "target_url", "test_type"] {
        assert_eq!(in_json[field], in_toml[field], "{field}");
    }
    orchestrator.shutdown();
}

#[test]
fn an_invalid_plan_file_gets_an_error_and_starts_nothing() {
    let bus = local();
    let (orchestrator, addr) = serve(bus, None);
    let deep = format!("rate = {}", "[".repeat(500_000));
    let key = vec!["a"; 80].join(".");
    let tables = format!("x = {}1{}", format!("{{{key} = ").repeat(79), "}".repeat(79));
    for (body, expected) in [
        ("rate = 1\nrat = 2", "the plan:2:1: rat is not a key of a plan file: did you mean rate?"),
        ("rate =", "the plan:1:7: malformed TOML"),
        (deep.as_str(), "the plan:1:"),
        (tables.as_str(), "the plan:1:1: x is not a key of a plan file"),
        ("[request]\nbody_file = \"/etc/passwd\"", "the orchestrator reads no files: send the body as body"),
    ] {
        let answer = post_toml(addr, body);
        assert_eq!(answer.status, 400);
        let error = error(&answer);
        assert!(error.contains(expected) && error.len() < 2_000, "{error}");
    }
    for (body, expected) in [
        (r#"{"plan": {"rat": 2}}"#, "rat is not a key of a plan file: did you mean rate?"),
        (r#"{"plan": {"rate": 2, "rate": 3}}"#, "the plan: duplicate key: \"rate\""),
        (r#"{"plan": 5}"#, "the plan: invalid type: integer `5`, expected an object with the keys of a plan"),
        (r#"{"plan": {}, "rate": 2}"#, "rate is not a field of a body with a plan"),
        ("rate = 2", "a plan file in TOML needs the header Content-Type: application/toml"),
    ] {
        let answer = post(addr, "/configure", body);
        assert_eq!(answer.status, 400);
        let error = error(&answer);
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(get(addr, "/healthz").status, 200);
    orchestrator.shutdown();
}

#[test]
fn every_invalid_body_gets_an_error_with_field_and_reason() {
    let bus = local();
    let (_orchestrator, addr) = serve(bus, None);
    let cases = [
        ("", "The body is empty"),
        ("[]", "one JSON object"),
        ("{nonsense", "The body is not valid JSON: key must be a string"),
        ("{", "The body is not valid JSON (it ends after `{`)"),
        (r#"{"test_id":"t"}"#, "test_type is missing: it must be AVALANCHE"),
        (
            r#"{"test_id":"t","test_type":"FLOOD"}"#,
            "test_type must be AVALANCHE (closed loop or fixed rate) or",
        ),
        (r#"{"test_id":"","test_type":"TSUNAMI"}"#, "test_id must be a string of 1 to 128 letters"),
        (r#"{"test_id":"a b","test_type":"TSUNAMI"}"#, "test_id must be "),
        (r#"{"test_id":"t","test_id":"u","test_type":"TSUNAMI"}"#, "test_id appears twice"),
        (
            r#"{"test_id":"y2","test_type":"AVALANCHE","rate":10,"duration":3}"#,
            "rate is not a field of a plan",
        ),
        (
            r#"{"test_id":"t","test_type":"TSUNAMI","test_message_delay":-5}"#,
            "test_message_delay must be a number of milliseconds, 0.001 to 3600000, not -5",
        ),
        (r#"{"test_id":"t","test_type":"TSUNAMI","test_message_delay":"x"}"#, "test_message_delay must be "),
        (
            r#"{"test_id":"t","test_type":"TSUNAMI","message_count_per_driver":0}"#,
            "message_count_per_driver must be a whole number, 1 to 1000000000000, not 0",
        ),
        (
            r#"{"test_id":"t","test_type":"TSUNAMI","message_count_per_driver":1.5}"#,
            "message_count_per_driver must be ",
        ),
        (
            r#"{"test_id":"t","test_type":"TSUNAMI","duration_ms":0}"#,
            "duration_ms must be a whole number of milliseconds, 1 to 604800000, not 0",
        ),
        (
            r#"{"test_id":"t","test_type":"TSUNAMI","duration_ms":"10s"}"#,
            "duration_ms must be a whole number of milliseconds, 1 to 604800000, not \"10s\"",
        ),
        (r#"{"test_id":"t","test_type":"TSUNAMI","target_throughput":5}"#, "target_throughput: "),
        (r#"{"test_id":"t","test_type":"AVALANCHE","target_throughput":0}"#, "target_throughput must be "),
        (
            r#"{"test_id":"t","test_type":"AVALANCHE","connections":0}"#,
            "connections must be a whole number, 1 to 100000, not 0",
        ),
        (r#"{"test_id":"t","test_type":"AVALANCHE","connections":999999}"#, ", not 999999"),
        (r#"{"test_id":"t","test_type":"AVALANCHE","timeout_ms":0}"#, "timeout_ms must be "),
        (r#"{"test_id":"t","test_type":"AVALANCHE","target_url":"ftp://x/"}"#, "target_url: "),
        (r#"{"test_id":"t","test_type":"AVALANCHE","client":"curl"}"#, "client: "),
        (
            r#"{"test_id":"t","test_type":"AVALANCHE","request":{"method":7}}"#,
            "request.method must be a string like \"POST\", not 7",
        ),
        (
            r#"{"test_id":"t","test_type":"AVALANCHE","stages":[{"duration_ms":5}]}"#,
            "stages[0].rate is missing: it must be a number of requests/s",
        ),
        (r#"{"test_id":"t","test_type":"AVALANCHE","drivers":[{"node_id":"a","epoch":1}]}"#, "drivers: "),
        (r#"{"test_id":"t","test_type":"AVALANCHE"} x"#, "The body is not valid JSON: trailing characters"),
    ];
    for (body, expected) in cases {
        let answer = post(addr, "/configure", body);
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        let text = error(&answer);
        assert!(text.contains(expected), "{body}: {text}");
    }
    let register = post(addr, "/register", r#"{"node_id":""}"#);
    assert_eq!(register.status, 400);
    assert!(error(&register).contains("node_id"));
    for body in ["", "[]", r#"{"node_id":"m"}"#, r#"{"node_id":"m","node_IP":""}"#] {
        let text = error(&post(addr, "/register", body));
        assert!(text.contains("node_IP") && !text.contains("test_id"), "{body}: {text}");
    }
    assert_eq!(post(addr, "/stop", r#"{"test_id":[]}"#).status, 400);
    let misspelled = post(addr, "/stop", r#"{"test-id":"t"}"#);
    assert_eq!(misspelled.status, 400);
    assert!(
        error(&misspelled)
            .contains("test-id is not a field of the body of POST /stop. Did you mean test_id?")
    );
}

/// The bus accepts what other programs write, but a body that a person wrote must not contain unknown fields.
#[test]
fn a_body_may_be_wrapped_and_lack_an_id_but_have_no_unknown_field() {
    let bus = local();
    let (orchestrator, addr) = serve(Arc::clone(&bus), None);
    let mut driver = Driver::join(&bus, "a", 1);
    wait_alive(&orchestrator.control(), 1);
    let wrapped = r#"{"node_ip":"10.0.0.1","test_config":{"test_id":"w","test_type":"TSUNAMI","dely":5}}"#;
    let refused = post(addr, "/configure", wrapped);
    assert_eq!(refused.status, 400);
    assert!(error(&refused).contains("dely is not a field of a plan"), "{}", error(&refused));
    let unnamed = post(addr, "/configure", r#"{"test_type":"TSUNAMI","fleet":{"requests":"5"}}"#);
    assert_eq!(unnamed.status, 202, "{}", unnamed.body);
    let body: Value = serde_json::from_str(&unnamed.body).expect("json");
    let id = body["test_id"].as_str().expect("an id").to_owned();
    assert!(id.starts_with("test-") && id.len() == 41, "{id}");
    let plan = driver.plan();
    assert_eq!((plan.test_id, plan.fleet.and_then(|fleet| fleet.requests)), (id, Some(5)));
    assert_eq!(post(addr, "/stop", "").status, 202);
    let wrapped = post(addr, "/configure", &wrapped.replace(",\"dely\":5", ""));
    assert_eq!(wrapped.status, 202, "{}", wrapped.body);
    assert_eq!(driver.plan().test_id, "w");
}

#[test]
fn wrong_paths_methods_and_sizes_are_refused() {
    let bus = local();
    let (_orchestrator, addr) = serve(bus, None);
    let missing = get(addr, "/nowhere");
    assert_eq!(missing.status, 404);
    assert!(error(&missing).contains("\"/nowhere\""));
    let method = get(addr, "/configure");
    assert_eq!((method.status, method.header("Allow")), (405, Some("POST")));
    assert!(error(&method).contains("use POST"));
    assert_eq!(post(addr, "/dashboard", "").header("Allow"), Some("GET, HEAD"));
    let large = format!(r#"{{"test_id":"t","test_type":"TSUNAMI","x":"{}"}}"#, "x".repeat(1 << 20));
    assert_eq!(post(addr, "/configure", &large).status, 413);
    assert_eq!(get(addr, "/").header("Location"), Some("/dashboard"));
}

#[test]
fn a_token_is_required_for_requests_that_change_something() {
    let bus = local();
    let (_orchestrator, addr) = serve(bus, Some("s3cret"));
    let body = r#"{"test_id":"t","test_type":"TSUNAMI"}"#;
    for path in ["/configure", "/stop", "/register"] {
        let refused = post(addr, path, body);
        assert_eq!((refused.status, refused.header("WWW-Authenticate")), (401, Some("Bearer")));
        assert!(error(&refused).contains("Authorization: Bearer"));
    }
    let with =
        |token: &str| request(addr, &format!("POST /configure HTTP/1.1\nAuthorization: {token}"), body);
    assert_eq!(with("Bearer wrong!").status, 401);
    assert_eq!(with("Basic s3cret").status, 401);
    assert_eq!(with("Bearer s3cret").status, 409, "known, but there is no driver");
    assert_eq!(with("bearer s3cret").status, 409);
    assert_eq!(get(addr, "/dashboard").status, 200, "reads are open");
}

#[test]
fn pages_of_other_sites_cannot_start_anything() {
    let bus = local();
    let (_orchestrator, addr) = serve(bus, None);
    let from = |origin: &str| request(addr, &format!("POST /stop HTTP/1.1\nOrigin: {origin}"), "");
    assert_eq!(from("http://evil.example").status, 403);
    assert_eq!(from("null").status, 403);
    assert_eq!(from(&format!("http://{addr}")).status, 404, "its own page may, but nothing is running");
}

#[test]
fn unknown_host_names_are_refused_before_the_body() {
    let bus = local();
    let config = Config {
        listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        hosts: vec!["box.example".to_owned()],
        connect_timeout: SOON,
        ..Config::default()
    };
    let orchestrator = start(bus, config).expect("starts");
    let addr = orchestrator.addr().expect("listens");
    let ask = |host: &str, head: &str| {
        let mut connection = Connection::open(addr);
        connection
            .send(format!("{head} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n\r\n").as_bytes());
        connection.receive()
    };
    for head in ["GET /dashboard", "POST /configure", "GET /healthz"] {
        let refused = ask("evil.example:8080", head);
        assert_eq!(refused.status, 403, "{head}");
        assert!(error(&refused).contains("--allow-host evil.example"), "{}", refused.body);
    }
    // No body was sent: these are responses to the head alone.
    assert_eq!(ask("localhost", "GET /nowhere").status, 404);
    assert_eq!(ask("[::1]:1", "GET /configure").status, 405);
    let mut named = Connection::open(addr);
    named.send(b"GET /healthz HTTP/1.1\r\nHost: BOX.example:8080\r\n\r\n");
    assert_eq!(named.receive().status, 200);
}

#[test]
fn the_token_is_checked_before_the_body_and_required_beyond_loopback() {
    let (_orchestrator, addr) = serve(local(), Some("s3cret"));
    let mut unknown = Connection::open(addr);
    unknown.send(b"POST /configure HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n");
    let answer = unknown.receive();
    assert_eq!((answer.status, answer.header("Connection")), (401, Some("close")));
    let mut open = Config {
        listen: Some(SocketAddr::from(([0, 0, 0, 0], 0))),
        connect_timeout: SOON,
        ..Config::default()
    };
    assert!(start(local(), open.clone()).err().expect("refused").contains("--token-file"));
    let made = open.ensure_token().expect("made").to_owned();
    assert!(made.len() == 32 && open.token.as_ref() == Some(&made) && open.ensure_token().is_none());
    let orchestrator = start(local(), open).expect("starts");
    let addr = SocketAddr::from(([127, 0, 0, 1], orchestrator.addr().expect("listens").port()));
    assert_eq!(post(addr, "/stop", "").status, 401);
    assert_eq!(get(addr, "/dashboard").status, 200, "reads are open");
    let known = request(addr, &format!("POST /stop HTTP/1.1\nAuthorization: Bearer {made}"), "");
    assert_eq!(known.status, 404, "nothing is running");
    let mut near = Config { listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))), ..Config::default() };
    assert_eq!(near.ensure_token(), None);
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let (_orchestrator, addr) = serve(local(), None);
    let answer = post(addr, "/configure", "\u{feff}{\"test_id\":\"t\",\"test_type\":\"TSUNAMI\"}");
    assert_eq!(answer.status, 409, "read, but there is no driver: {}", answer.body);
    assert_eq!(post(addr, "/stop", "\u{feff}").status, 404);
}

#[test]
fn browsers_get_a_page_in_which_foreign_text_is_never_markup() {
    let bus = local();
    let (_orchestrator, addr) = serve(bus, None);
    let evil = json!({"node_id": "<img src=x onerror=alert(1)>", "node_IP": "\"><script>"}).to_string();
    assert_eq!(post(addr, "/register", &evil).status, 202);
    let page = wait("the node is listed", || {
        let page =
            request(addr, "GET /dashboard HTTP/1.1\nAccept: text/html,application/xml;q=0.9,*/*;q=0.8", "");
        page.body.contains("onerror").then_some(page)
    });
    assert_eq!(page.header("Content-Type"), Some("text/html; charset=utf-8"));
    assert!(
        page.header("Content-Security-Policy").is_some_and(|policy| policy.contains("default-src 'none'"))
    );
    let scripts = page.body.matches("<script").count();
    assert!(!page.body.contains("<img") && scripts == 1, "its own, from a file: {}", page.body);
    assert!(page.body.contains("&lt;img src=x onerror=alert(1)&gt;"));
    let json = request(addr, "GET /dashboard HTTP/1.1\nAccept: */*", "");
    assert_eq!(json.header("Content-Type"), Some("application/json"));
    let fleet: Value = serde_json::from_str(&json.body).expect("json");
    assert_eq!(fleet["fleet"][0]["epoch"], Value::Null);
    assert_eq!(fleet["test"], Value::Null);
}

#[test]
fn an_unavailable_bus_is_503() {
    let bus = Fragile::new();
    let (orchestrator, addr) = serve(Arc::new(bus.clone()), None);
    bus.set_away(true);
    wait("the outage is noticed", || orchestrator.control().health().err());
    let health = get(addr, "/healthz");
    assert_eq!(health.status, 503);
    assert!(error(&health).contains("nobody answers"));
    assert_eq!(post(addr, "/configure", r#"{"test_id":"t","test_type":"TSUNAMI"}"#).status, 503);
    assert_eq!(post(addr, "/register", r#"{"node_id":"a","node_IP":"h"}"#).status, 503);
    assert_eq!(get(addr, "/dashboard").status, 200, "what is known can still be read");
}
