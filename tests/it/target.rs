//! The target role: what it answers and what it counts.

use crate::raw_http::{Connection, get, post};
use floodgate::clock;
use floodgate::target::{Config, Target, start};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

fn config() -> Config {
    Config::plain(SocketAddr::from(([127, 0, 0, 1], 0)))
}

/// The counts, once every response read by a client is counted as written.
fn seen(target: &Target) -> (u64, u64) {
    let deadline_ns = clock::now_ns() + 5 * clock::NS_PER_S;
    while target.seen().0 != target.seen().1 && clock::now_ns() < deadline_ns {
        clock::sleep(Duration::from_millis(1));
    }
    target.seen()
}

/// The answer of `/metrics`.
fn metrics(target: &Target) -> Value {
    serde_json::from_str(&get(target.addr(), "/metrics").body).expect("JSON")
}

#[test]
fn it_answers_pong_and_identifies_itself() {
    let target = start(config()).expect("target");
    let answer = get(target.addr(), "/ping");
    assert_eq!((answer.status, answer.body.as_str()), (200, "pong"));
    assert!(answer.header("Content-Type").is_some_and(|t| t.starts_with("text/plain")));
    let expected = format!("floodgate-target/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(answer.header("Server"), Some(expected.as_str()));
    target.shutdown();
}

#[test]
fn a_client_that_asks_for_json_gets_it() {
    let target = start(config()).expect("target");
    let mut connection = Connection::open(target.addr());
    for (accept, body) in [
        ("application/json", "{\"message\": \"pong\"}"),
        ("text/html, Application/JSON;q=0.9", "{\"message\": \"pong\"}"),
        ("*/*", "pong"),
        ("text/plain", "pong"),
    ] {
        connection.send(format!("GET /ping HTTP/1.1\r\nHost: t\r\nAccept: {accept}\r\n\r\n").as_bytes());
        let answer = connection.receive();
        assert_eq!((answer.status, answer.body.as_str()), (200, body), "{accept}");
        let is_json = answer.header("Content-Type") == Some("application/json");
        assert_eq!(is_json, body.starts_with('{'), "{accept}");
    }
    target.shutdown();
}

#[test]
fn everything_but_metrics_is_counted() {
    let target = start(config()).expect("target");
    let counts = |n: u64| json!({"requests": n, "responses": n, "instance": metrics(&target)["instance"]});
    assert_eq!(metrics(&target), counts(0));
    assert_eq!(get(target.addr(), "/other?x=1").status, 404);
    assert_eq!(post(target.addr(), "/ping", &"x".repeat(5_000)).body, "pong");
    assert_eq!(post(target.addr(), "/metrics", "x").status, 405);
    assert_eq!(seen(&target), (2, 2));
    assert_eq!(metrics(&target), counts(2));
    target.shutdown();
}

#[test]
fn each_start_has_a_unique_instance_id() {
    let targets = [start(config()).expect("target"), start(config()).expect("target")];
    let [one, two] = targets.each_ref().map(|target| metrics(target)["instance"].clone());
    assert_eq!(one.as_str().map(str::len), Some(36), "a UUID: {one}");
    assert_ne!(one, two);
    assert_eq!(metrics(&targets[0])["instance"], one, "the id is stable");
    targets.into_iter().for_each(Target::shutdown);
}

#[test]
fn counts_are_exact_under_concurrency() {
    let target = start(config()).expect("target");
    let addr = target.addr();
    let threads: Vec<_> = (0..24)
        .map(|_| {
            std::thread::spawn(move || {
                let mut connection = Connection::open(addr);
                (0..200).filter(|_| connection.get("/ping").body == "pong").count()
            })
        })
        .collect();
    let answered: usize = threads.into_iter().map(|t| t.join().expect("client")).sum();
    assert_eq!(answered, 4_800);
    assert_eq!(seen(&target), (4_800, 4_800));
    target.shutdown();
}

#[test]
fn errors_occur_at_the_given_rate_and_are_counted() {
    let target = start(Config { error_rate: 0.25, ..config() }).expect("target");
    let mut connection = Connection::open(target.addr());
    let failed = (0..100).filter(|_| connection.get("/ping").status == 500).count();
    assert_eq!(failed, 25);
    assert_eq!(seen(&target), (100, 100));
    target.shutdown();
}

#[test]
fn a_delay_holds_many_answers_at_once() {
    let target = start(Config { delay: Duration::from_millis(100), ..config() }).expect("target");
    let begin_ns = clock::now_ns();
    let mut connections: Vec<_> = (0..100).map(|_| Connection::open(target.addr())).collect();
    connections.iter_mut().for_each(|c| c.send(b"GET /ping HTTP/1.1\r\nHost: t\r\n\r\n"));
    connections.iter_mut().for_each(|c| assert_eq!(c.receive().body, "pong"));
    let took_ms = (clock::now_ns() - begin_ns) / clock::NS_PER_MS;
    // One after another they would take 10 s.
    assert!((100..6_000).contains(&took_ms), "100 answers of 100 ms together took {took_ms} ms");
    assert_eq!(get(target.addr(), "/metrics").status, 200);
    target.shutdown();
}

#[test]
fn a_stall_holds_all_answers_until_its_end() {
    let stall = "400ms:300ms".parse().expect("stall");
    let target = start(Config { stall: Some(stall), ..config() }).expect("target");
    let mut connection = Connection::open(target.addr());
    let begin_ns = clock::now_ns();
    let mut longest_ms = 0;
    while clock::now_ns() - begin_ns < clock::NS_PER_S {
        let sent_ns = clock::now_ns();
        assert_eq!(connection.get("/ping").status, 200);
        longest_ms = longest_ms.max((clock::now_ns() - sent_ns) / clock::NS_PER_MS);
        clock::sleep(Duration::from_millis(5));
    }
    assert!((200..2_000).contains(&longest_ms), "the longest answer took {longest_ms} ms");
    target.shutdown();
}
