//! Checks of responses, with every framing and size.

use super::harness::{Factory, client, exchange, settings};
use super::native_only::collect;
use crate::support::http_server::{Conn, Server};
use floodgate::check::{Checks, Expect};
use floodgate::http::native::NativeClient;
use floodgate::http::{Client, Completion, Ticket};
use floodgate::plan::request::Request;
use floodgate::stats::outcome::{ErrorKind, Outcome};
use floodgate::threads::StopFlag;
use serde_json::{Value, json};
use std::time::Duration;

fn checks(expect: &Value) -> Option<Checks> {
    let expect: Expect = serde_json::from_value(expect.clone()).expect("an expectation");
    Checks::new(&expect, false).expect("valid")
}

fn request(server: &Server, path: &str, expect: &Value) -> Request {
    Request::get(&server.url(path)).unwrap().checked(checks(expect))
}

/// The names of the checks that a response failed, and whether for lack of the rest of its body.
fn failed(completion: &Completion, expect: &Value) -> (Vec<String>, bool) {
    let names = checks(expect).expect("checks").names().to_vec();
    let failed = completion.failed.checks().map(|at| names[at].clone()).collect();
    (failed, completion.failed.is_truncated)
}

/// Sends one request whose responses are checked, three times on one connection if it is kept.
fn answered<F: Factory>(
    script: impl Fn(&mut Conn) + Send + Sync + 'static,
    expect: &Value,
) -> (Outcome, Vec<String>, bool) {
    let server = Server::start(script);
    let mut client = client::<F>(request(&server, "/", expect), settings());
    let ends: Vec<_> = (0..3).map(|_| exchange(&mut client)).collect();
    let first = failed(&ends[0], expect);
    assert!(
        ends.iter().all(|end| failed(end, expect) == first && end.outcome == ends[0].outcome),
        "{ends:?}"
    );
    (ends[0].outcome, first.0, first.1)
}

fn answering(response: String) -> impl Fn(&mut Conn) + Send + Sync + 'static {
    move |conn| while conn.request().is_some() && conn.send(&response) {}
}

fn of_length(status: &str, head: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{head}Content-Length: {}\r\n\r\n{body}", body.len())
}

pub fn a_failed_check_is_a_response<F: Factory>() {
    let expect = json!({
        "status": 200, "contains": "hits", "not_contains": "oops", "json": {"/id": "> 0"},
        "header": {"content-type": "json"}, "max_bytes": 30,
    });
    let good = of_length("200 OK", "Content-Type: application/json\r\n", r#"{"id": 1, "hits": []}"#);
    assert_eq!(answered::<F>(answering(good), &expect), (Outcome::Status(200), vec![], false));
    let bad = of_length("500 Oh", "", &"oops".repeat(10));
    let all =
        ["status", "contains hits", "not_contains oops", "json /id", "header content-type", "max_bytes"];
    assert_eq!(
        answered::<F>(answering(bad), &expect),
        (Outcome::Status(500), all.map(str::to_owned).to_vec(), false)
    );
}

pub fn a_check_sees_the_body_without_its_chunks<F: Factory>() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n\
                   3;x=hits\r\n{\"i\r\nA\r\nd\": 7    }\r\n0\r\nT: hits\r\n\r\n";
    let expect = json!({
        "json": {"/id": 7}, "contains": "\"id\"", "max_bytes": 13, "not_contains": ["hits", "\r\n"],
        "header": {"x-a": "= b"},
    });
    let script = answering(chunked.to_owned());
    assert_eq!(answered::<F>(script, &expect), (Outcome::Status(200), vec![], false));
    let bytewise = move |conn: &mut Conn| {
        while conn.request().is_some() && conn.send_bytewise(chunked, Duration::from_micros(200)) {}
    };
    assert_eq!(answered::<F>(bytewise, &expect), (Outcome::Status(200), vec![], false));
    let short = json!({"max_bytes": 12});
    let script = answering(chunked.to_owned());
    assert_eq!(answered::<F>(script, &short), (Outcome::Status(200), vec!["max_bytes".to_owned()], false));
}

pub fn a_check_sees_a_body_that_the_close_ends<F: Factory>() {
    let script = |conn: &mut Conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\n\r\nhello");
    };
    let expect = json!({"contains": "hello", "max_bytes": 5});
    assert_eq!(answered::<F>(script, &expect), (Outcome::Status(200), vec![], false));
    let script = |conn: &mut Conn| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
    };
    assert_eq!(answered::<F>(script, &json!({"contains": "x"})).0, Outcome::Error(ErrorKind::Closed));
}

pub fn what_is_beyond_the_kept_part_is_counted_but_not_seen<F: Factory>() {
    let large = |at: usize| {
        let mut body = "x".repeat(300_000);
        body.replace_range(at..at + 4, "here");
        answering(of_length("200 OK", "", &body))
    };
    let expect = json!({"contains": "here", "max_bytes": 300_000});
    assert_eq!(answered::<F>(large(65_532), &expect), (Outcome::Status(200), vec![], false));
    let lost = (Outcome::Status(200), vec!["contains here".to_owned()], true);
    assert_eq!(answered::<F>(large(65_533), &expect), lost);
    let more = json!({"contains": "here", "max_bytes": 300_000, "capture_bytes": 299_999});
    assert_eq!(answered::<F>(large(299_995), &more), (Outcome::Status(200), vec![], false));
    let sizes = json!({"max_bytes": 299_999});
    assert_eq!(answered::<F>(large(0), &sizes), (Outcome::Status(200), vec!["max_bytes".to_owned()], false));
}

pub fn the_first_failed_responses_are_kept<F: Factory>() {
    let server = Server::start(|conn| {
        let mut n = 0;
        while conn.request().is_some() && conn.send(of_length("503 Busy", "", &format!("try {n}"))) {
            n += 1;
        }
    });
    let mut client = client::<F>(request(&server, "/", &json!({"status": 200})), settings());
    let mut bodies = Vec::new();
    for _ in 0..9 {
        exchange(&mut client);
        let taken = client.take_failures(0);
        bodies.extend(taken.iter().map(|one| String::from_utf8_lossy(&one.body).into_owned()));
    }
    assert_eq!(bodies, ["try 0", "try 1", "try 2", "try 3", "try 4"], "of those that are alike");
}

pub fn the_warm_up_is_not_checked<F: Factory>() {
    let server = Server::answering(of_length("503 Busy", "", "no"));
    let mut client = client::<F>(request(&server, "/", &json!({"status": 200, "contains": "x"})), settings());
    client.send(Ticket { warmup: true, ..Ticket::default() });
    let end = super::harness::collect(&mut client);
    assert!(end.failed.is_none() && client.take_failures(0).is_empty(), "{end:?}");
    assert!(!exchange(&mut client).failed.is_none());
}

/// Responses to different requests arrive in pieces at the same time: each is checked by its own checks.
#[test]
fn interleaved_responses_are_checked_apart() {
    let server = Server::start(|conn| {
        while let Some(request) = conn.request() {
            let name = request.line().split(' ').nth(1).unwrap_or_default().trim_matches('/').to_owned();
            let response = of_length("200 OK", "", &name.repeat(20));
            if !conn.send_bytewise(response, Duration::from_micros(50)) {
                return;
            }
        }
    });
    let wanted = ["alpha", "beta", "gamma", "wrong"];
    let requests: Vec<Request> = wanted
        .iter()
        .map(|name| {
            request(&server, &format!("/{}", name.replace("wrong", "delta")), &json!({"contains": name}))
        })
        .chain([Request::get(&server.url("/none")).unwrap()])
        .collect();
    let addresses = vec![server.address].into();
    let mut client = NativeClient::new(&requests, &settings(), 20, addresses, StopFlag::default()).unwrap();
    for _ in 0..3 {
        for n in 0..20 {
            client.send(Ticket { request: n % 5, ..Ticket::default() });
        }
        for end in collect(&mut client, 20) {
            assert_eq!(end.failed.is_none(), end.ticket.request != 3, "{end:?}");
        }
    }
    assert_eq!(client.take_failures(3).iter().count(), 5);
    assert!([0, 1, 2, 4].iter().all(|request| client.take_failures(*request).is_empty()));
}
