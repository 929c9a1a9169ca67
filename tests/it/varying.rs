//! Plans with templates and feeds, as a process against a real server.

use crate::support::http_server::{Received, Server};
use crate::support::plans::run_plan;
use crate::support::process::{run, stderr};
use crate::support::scratch::Scratch;
use floodgate::stats::summary::Summary;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

fn server() -> Server {
    Server::start(|conn| {
        while conn.request().is_some() {
            if !conn.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") {
                return;
            }
        }
    })
}

/// A CSV file with this many users; terms contain what has to be escaped.
fn users(count: usize) -> String {
    let rows = (0..count).map(|id| format!("{id},\"a \"\"{id}\"\" & b\",Smith\n"));
    format!("id,term,name\n{}", rows.collect::<String>())
}

fn plan(server: &Server, top: &str, pick: &str) -> String {
    format!(
        "target_url = \"{}\"\n{top}\n[feeds.users]\nfile = \"users.csv\"\npick = \"{pick}\"\n\
         [[requests]]\nname = \"search\"\nweight = 3\n\
         url = \"/search?q={{{{users.term|url}}}}&id={{{{users.id}}}}\"\n\
         [[requests]]\nname = \"ping\"\nweight = 2\nurl = \"/ping\"\n\
         [[requests]]\nname = \"order\"\nurl = \"/orders\"\nheaders = {{ x-key = \"{{{{uuid}}}}\" }}\n\
         body = '{{\"id\":{{{{users.id}}}},\"term\":\"{{{{users.term|json}}}}\",\"n\":{{{{counter}}}},\
         \"at\":{{{{now_ms}}}},\"by\":\"{{{{driver}}}}\",\"page\":{{{{int(1,20)}}}}}}'\n",
        server.url("")
    )
}

/// Runs a plan with this content of `users.csv`; returns what the server received, without the questions
/// whether it is a floodgate-target, and the result.
fn requests(server: &Server, plan: &str, users: &str, more: &[&str]) -> (Vec<Received>, Summary) {
    let before = server.received().len();
    let (code, summary) = run_plan(plan, &[("users.csv", users)], more);
    assert_eq!(code, Some(0), "{:?}", summary.verdict);
    let mut received = server.received().split_off(before);
    received.retain(|one| one.line() != "GET /metrics HTTP/1.1");
    (received, summary)
}

/// The user that a request is about; `None` of a ping.
fn user(request: &Received) -> Option<usize> {
    match request.line() {
        "GET /ping HTTP/1.1" => None,
        "POST /orders HTTP/1.1" => {
            let body: Value = serde_json::from_slice(&request.body).expect("JSON");
            let id = body["id"].as_u64().expect("an id");
            assert_eq!(body["term"], format!("a \"{id}\" & b"));
            assert!(body["page"].as_u64().is_some_and(|page| (1..=20).contains(&page)), "{body}");
            assert!(body["at"].as_u64().is_some_and(|at| at > 1_700_000_000_000), "{body}");
            Some(id as usize)
        }
        line => {
            let id = line.split("&id=").nth(1).and_then(|rest| rest.strip_suffix(" HTTP/1.1"));
            let id: usize = id.and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(line, format!("GET /search?q=a%20%22{id}%22%20%26%20b&id={id} HTTP/1.1"));
            Some(id)
        }
    }
}

#[test]
fn each_row_is_used_once_over_the_whole_fleet() {
    let server = server();
    for (drivers, rows, more) in [
        ("3", 100, &["--rate", "2000"][..]),
        ("3", 100, &["--rate", "2000", "--client", "ureq"]),
        ("3", 100, &["--connections", "7"]),
        ("2", 101, &["--rate", "2000", "--max-requests-per-connection", "3"]),
        ("1", 5, &["--new-connection-per-request"]),
    ] {
        let all = [&["--drivers", drivers], more].concat();
        let (received, summary) = requests(&server, &plan(&server, "", "unique"), &users(rows), &all);
        let mut found: Vec<usize> = received.iter().filter_map(user).collect();
        let used = found.len();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), used, "a row was used twice: {all:?}");
        // A driver that has used its rows ends the test, so others may have one left for each that it lacks.
        let drivers: usize = drivers.parse().expect("a number");
        assert!((rows - used) < drivers, "{used} of {rows} rows: {all:?}");
        let keys: BTreeSet<_> = received.iter().filter_map(|one| one.header("x-key")).collect();
        let orders = received.iter().filter(|one| one.line().starts_with("POST")).count();
        assert_eq!(keys.len(), orders, "each order has its own key");
        assert_eq!(summary.total.requests as usize, received.len());
        assert_eq!(summary.conservation.differences(), Vec::<String>::new());
        assert_eq!(summary.plan["feeds"][0].get("data"), None, "rows may be logins");
    }
}

/// Everything that was received but its time, in an order that does not depend on it.
fn without_time(received: &[Received]) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for one in received {
        let body = String::from_utf8_lossy(&one.body).into_owned();
        let at = body.find("\"at\":").map_or(0, |at| at + 5);
        let text = format!("{}\n{}", one.head, body.replacen(&body[at..(at + 13).min(body.len())], "", 1));
        *found.entry(text).or_default() += 1;
    }
    found
}

#[test]
fn the_same_plan_sends_the_same_requests_with_both_clients() {
    let server = server();
    let sent = |more: &[&str]| {
        let plan = plan(&server, "rate = 1_000\ncount = 240\nwarmup = \"20ms\"", "cycle");
        let (received, summary) = requests(&server, &plan, &users(7), &[&["--drivers", "3"], more].concat());
        assert_eq!(summary.total.requests, 240);
        assert!(received.iter().filter_map(user).count() >= 160);
        without_time(&received)
    };
    let first = sent(&["--seed", "7"]);
    assert_eq!(sent(&["--seed", "7"]), first);
    assert_ne!(sent(&["--seed", "8"]), first);
    assert_ne!(sent(&[]), sent(&[]), "by default, values differ from test to test");
    // The clients order header lines differently; lines and bodies must not.
    let lines = |sent: BTreeMap<String, usize>| {
        let line = |text: &String| {
            let (head, body) =
                text.split_once("\n\n").unwrap_or_else(|| text.rsplit_once('\n').expect("a body"));
            let mut lines: Vec<_> = head.lines().map(str::to_lowercase).collect();
            lines[1..].sort();
            format!("{}\n{body}", lines.join("\n"))
        };
        sent.iter().map(|(text, count)| (line(text), *count)).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(lines(sent(&["--seed", "7", "--client", "ureq"])), lines(first));
}

#[test]
fn the_warm_up_uses_rows_of_its_own_and_a_cycle_uses_all_evenly() {
    let server = server();
    let top = "rate = 1_000\nwarmup = \"60ms\"";
    let (received, summary) =
        requests(&server, &plan(&server, top, "unique"), &users(90), &["--drivers", "2"]);
    let found: Vec<_> = received.iter().filter_map(user).collect();
    let distinct: BTreeSet<_> = found.iter().copied().collect();
    assert_eq!((distinct.len(), found.len() >= 89), (found.len(), true), "{found:?}");
    assert_eq!(summary.total.requests + 60, received.len() as u64, "60 of them warmed up");
    let counters = received.iter().filter(|one| !one.body.is_empty()).map(|one| {
        let body: Value = serde_json::from_slice(&one.body).expect("JSON");
        body["n"].as_u64().expect("a counter")
    });
    let counters: Vec<u64> = counters.collect();
    assert_eq!(counters.iter().filter(|n| **n >= 1_000_000_000_000_000).count(), 10, "{counters:?}");
    let top = "rate = 1_000\ncount = 120";
    let (received, _) = requests(&server, &plan(&server, top, "cycle"), &users(8), &["--drivers", "2"]);
    let mut uses = BTreeMap::<usize, u32>::new();
    received.iter().filter_map(user).for_each(|id| *uses.entry(id).or_default() += 1);
    assert_eq!(uses.into_values().collect::<Vec<_>>(), [10; 8]);
}

#[test]
fn a_large_body_is_whole_however_it_is_written_and_a_large_feed_stays_a_file() {
    let server = server();
    let padding = "x".repeat(600_000);
    let plan = format!(
        "target_url = \"{}\"\ncount = 12\nconnections = 3\n[feeds.users]\nfile = \"users.csv\"\n[request]\n\
         body = '{{{{uuid}}}} {padding} {{{{users.name}}}} {{{{uuid}}}}'\n",
        server.url("/")
    );
    let (received, summary) = requests(&server, &plan, &users(40_000), &["--drivers", "1"]);
    assert_eq!((received.len(), summary.total.responses), (12, 12));
    for one in &received {
        let body = std::str::from_utf8(&one.body).expect("UTF-8");
        assert_eq!(body.len(), 36 + 1 + padding.len() + 1 + 5 + 1 + 36);
        assert!(body[36..].starts_with(&format!(" {padding} Smith ")), "{}", one.head);
        assert_ne!(body[..36], body[body.len() - 36..]);
    }
    assert_eq!(summary.plan["feeds"][0]["count"], 40_000);
}

#[test]
fn an_ab_test_uses_each_row_once_over_both_urls() {
    let (a, b, dir) = (server(), server(), Scratch::new("varying-ab"));
    let file = dir.path().join("users.csv");
    std::fs::write(&file, users(60)).expect("writes");
    let feed = format!("users={}:unique", file.display());
    let [first, second] = [&a, &b].map(|server| server.url("/{{ users.id | url }}?n={{counter}}"));
    let words =
        ["run", &first, "--ab", &second, "--feed", &feed, "--drivers", "2", "--rate", "1000", "--json"];
    let output = run("floodgate", &words, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let path = |one: &Received| one.line().split(['/', '?']).nth(1).map(str::to_owned).unwrap_or_default();
    let received = [a.received(), b.received()].map(|all| all.iter().map(path).collect::<BTreeSet<_>>());
    assert_eq!(received.each_ref().map(BTreeSet::len), [30, 30]);
    assert_eq!(received[0].union(&received[1]).count(), 60);
}

#[test]
fn too_few_rows_are_refused_before_the_start() {
    let dir = Scratch::new("varying-few");
    let file = dir.path().join("users.csv");
    std::fs::write(&file, "id\n1\n2\n").expect("writes");
    let feed = format!("users={}:unique", file.display());
    let url = "http://127.0.0.1:1/{{users.id}}";
    let words = ["run", url, "--feed", &feed, "--drivers", "3", "--rate", "100", "--warmup", "1s"];
    let output = run("floodgate", &words, &[]);
    assert_eq!(output.status.code(), Some(2));
    let error = stderr(&output);
    let expected = "users: has 2 rows, each of which is used once: not enough for 3 drivers and the warm-up";
    assert!(error.contains(expected), "{error}");
}
