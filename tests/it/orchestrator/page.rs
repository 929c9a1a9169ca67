//! The live page over real connections: its files, its fragment and its forms.

use super::support::*;
use crate::raw_http::{Answer, Connection, get};
use std::net::SocketAddr;
use std::sync::Arc;

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

/// Sends a request with these additional header lines.
fn send(addr: SocketAddr, line: &str, headers: &[&str], body: &str) -> Answer {
    let mut connection = Connection::open(addr);
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    connection.send(
        format!("{line} HTTP/1.1\r\nHost: {addr}\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
            .as_bytes(),
    );
    connection.receive()
}

fn post(addr: SocketAddr, path: &str, body: &str) -> Answer {
    send(addr, &format!("POST {path}"), &[FORM, &format!("Origin: http://{addr}")], body)
}

#[test]
fn every_file_that_the_page_names_is_served() {
    let (_orchestrator, addr) = serve(local(), None);
    let page = send(addr, "GET /dashboard", &["Accept: text/html"], "");
    let policy = page.header("Content-Security-Policy").expect("a policy");
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("Referrer-Policy"), Some("same-origin"), "forms must send their Origin");
    let named = page.body.split(['"']).filter(|text| text.starts_with("/dashboard/") && text.contains('.'));
    let named: Vec<_> = named.collect();
    assert_eq!(named.len(), 3, "{named:?}");
    for (path, kind) in named.iter().zip(["image/svg+xml", "text/css", "text/javascript"]) {
        let file = get(addr, path);
        assert!(
            file.status == 200 && file.header("Content-Type").is_some_and(|found| found.starts_with(kind))
        );
        assert_eq!(file.header("X-Content-Type-Options"), Some("nosniff"));
    }
    let live = get(addr, "/dashboard/live");
    assert!(live.body.starts_with("<main id=\"live\""), "{}", live.body);
    assert_eq!(get(addr, "/dashboard/live?drivers=0-1").status, 400);
    assert_eq!(get(addr, "/dashboard/nothing").status, 404);
}

#[test]
fn a_form_starts_and_stops_a_test() {
    let bus = local();
    let (orchestrator, addr) = serve(Arc::clone(&bus), None);
    let wrong = post(addr, "/dashboard/start", "rate=fast&duration=30s");
    assert_eq!(wrong.status, 400);
    assert!(wrong.body.contains("id=\"plan-rate-problem\"") && wrong.body.contains("value=\"fast\""));
    let plan = "id=from-the-page&rate=100&duration=30s&url=http%3A%2F%2F127.0.0.1%3A1%2F";
    let nobody = post(addr, "/dashboard/start", plan);
    assert_eq!(nobody.status, 409);
    assert!(nobody.body.contains("no driver is alive"), "{}", nobody.body);
    let mut driver = Driver::join(&bus, "a", 1);
    wait_alive(&orchestrator.control(), 1);
    let started = post(addr, "/dashboard/start", plan);
    assert_eq!((started.status, started.header("Location")), (303, Some("/dashboard")), "{}", started.body);
    driver.run();
    wait_state(&orchestrator.control(), "from-the-page", "running");
    let other = post(addr, "/dashboard/stop", "test_id=another");
    assert!(other.status == 404 && other.body.contains("Nothing was stopped"), "{}", other.body);
    assert_eq!(post(addr, "/dashboard/stop", "test_id=from-the-page").status, 303);
}

#[test]
fn forms_of_other_sites_are_refused() {
    let (_orchestrator, addr) = serve(local(), None);
    let own = format!("Origin: http://{addr}");
    let status = |headers: &[&str]| send(addr, "POST /dashboard/stop", headers, "").status;
    assert_eq!(status(&[FORM, &own]), 404, "accepted, but nothing runs");
    assert_eq!(status(&[FORM, &own, "Sec-Fetch-Site: same-origin"]), 404);
    assert_eq!(status(&[FORM, "Origin: http://elsewhere.example"]), 403);
    assert_eq!(status(&[FORM, "Origin: null"]), 403);
    assert_eq!(status(&[FORM, &own, "Sec-Fetch-Site: cross-site"]), 403);
    assert_eq!(status(&[FORM]), 403);
    assert_eq!(status(&[&own, "Content-Type: text/plain"]), 400);
}

#[test]
fn the_token_decides_what_the_page_shows_and_does() {
    let (_orchestrator, addr) = serve(local(), Some("s3cret"));
    let own = format!("Origin: http://{addr}");
    let live = |headers: &[&str]| send(addr, "GET /dashboard/live", headers, "");
    let has_controls = |answer: &Answer| answer.body.contains("action=\"/dashboard/start\"");
    assert!(!has_controls(&live(&[])));
    assert!(has_controls(&live(&["Authorization: Bearer s3cret"])));
    assert_eq!(live(&["Authorization: Bearer guess"]).status, 401);
    let proxied = live(&["Authorization: Basic bWU6cHc="]);
    assert!(proxied.status == 200 && !has_controls(&proxied), "a proxy's own password");
    assert!(live(&[]).header("Vary").is_some_and(|vary| vary.contains("Authorization")));
    for path in ["/dashboard/start", "/dashboard/stop"] {
        let line = format!("POST {path}");
        assert_eq!(send(addr, &line, &[FORM, &own], "duration=30s").status, 401, "{path}");
        let with = send(addr, &line, &[FORM, &own, "Authorization: Bearer s3cret"], "duration=30s");
        assert!([404, 409].contains(&with.status), "{path}: {}", with.status);
    }
}
