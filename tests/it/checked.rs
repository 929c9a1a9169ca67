//! Plans with checks, as a process against a real server.

use crate::support::http_server::Server;
use crate::support::plans::run_plan;
use crate::support::process::{run, stderr, stdout};
use crate::support::scratch::Scratch;
use floodgate::stats::summary::Summary;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Every fourth search finds nothing, every third order fails, and a page is longer than what is kept of it.
fn server() -> Server {
    let (searches, orders) = (AtomicU64::new(0), AtomicU64::new(0));
    Server::start(move |conn| {
        while let Some(request) = conn.request() {
            let every =
                |counter: &AtomicU64, n: u64| counter.fetch_add(1, Ordering::Relaxed).is_multiple_of(n);
            let (status, kind, body) = match request.line() {
                "GET /search HTTP/1.1" if every(&searches, 4) => {
                    ("200 OK", "application/json", r#"{"hits": []}"#.to_owned())
                }
                "GET /search HTTP/1.1" => {
                    ("200 OK", "application/json", r#"{"hits": [{"id": 7}]}"#.to_owned())
                }
                "POST /orders HTTP/1.1" if every(&orders, 3) => {
                    ("503 Busy", "text/plain", "no room\nfor <b>orders</b>".to_owned())
                }
                "POST /orders HTTP/1.1" => ("201 Created", "text/plain", "thanks".to_owned()),
                "GET /page HTTP/1.1" => ("200 OK", "text/html", format!("{}</html>", "x".repeat(70_000))),
                _ => ("404 Not Found", "text/plain", String::new()),
            };
            let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n");
            if !conn.send(head + &chunked) {
                return;
            }
        }
    })
}

fn plan(server: &Server, top: &str) -> String {
    format!(
        "target_url = \"{}\"\n{top}\n\
         [request]\nexpect = {{ status = [\"2xx\"] }}\n\
         [[requests]]\nname = \"search\"\nweight = 4\nurl = \"/search\"\n\
         expect = {{ json = {{ \"/hits\" = \"length > 0\", \"/hits/0/id\" = \"> 0\" }}, \
                     header = {{ content-type = \"json\" }} }}\n\
         [[requests]]\nname = \"order\"\nweight = 3\nurl = \"/orders\"\nbody = 'x'\n\
         expect = {{ contains = \"thanks\" }}\n\
         [[requests]]\nname = \"page\"\nweight = 1\nurl = \"/page\"\nexpect = {{ contains = \"</html>\" }}\n\
         [[requests]]\nname = \"none\"\nweight = 1\nurl = \"/none\"\nexpect = {{ status = 404 }}\n",
        server.url("/")
    )
}

fn counts<const N: usize>(counts: [(&str, u64); N]) -> BTreeMap<String, u64> {
    counts.map(|(name, n)| (name.to_owned(), n)).into()
}

#[test]
fn failed_checks_are_counted_exactly_by_request_and_check() {
    for (drivers, client) in [("1", "native"), ("3", "native"), ("2", "ureq")] {
        let server = server();
        let top = "rate = 400\ncount = 108\nconnections = 6";
        let (code, summary) = run_plan(&plan(&server, top), &[], &["--drivers", drivers, "--client", client]);
        assert_eq!(code, Some(0), "a failed check is no error");
        assert_eq!((summary.total.responses, summary.total.errors_total()), (108, 0));
        // 48 searches, 36 orders, 12 pages.
        let by_name: Vec<_> = summary.requests.iter().map(|one| (one.name.as_str(), &one.stats)).collect();
        let failed: Vec<_> = by_name.iter().map(|(name, stats)| (*name, stats.failed_checks)).collect();
        assert_eq!(failed, [("search", 12), ("order", 12), ("page", 12), ("none", 0)]);
        assert_eq!(by_name[0].1.checks, counts([("json /hits", 12), ("json /hits/0/id", 12)]));
        assert_eq!(by_name[1].1.checks, counts([("status", 12), ("contains thanks", 12)]));
        assert_eq!(by_name[2].1.checks, counts([("contains </html>", 12)]));
        assert_eq!((summary.total.failed_checks, summary.total.truncated_checks), (36, 12));
        let by_second: u64 = summary.series.iter().map(|point| point.failed_checks).sum();
        assert_eq!(by_second, 36);
        let finding = summary.findings.iter().find(|one| one.code == "failed_checks").expect("a finding");
        let expected = "36 of 108 responses (33.3 %) failed a check: order contains thanks (12), \
                        order status (12), page contains </html> (12), search json /hits (12), \
                        search json /hits/0/id (12).";
        assert!(finding.text.starts_with(expected), "{}", finding.text);
        assert!(finding.text.ends_with("raise capture_bytes."), "{}", finding.text);
    }
}

#[test]
fn the_first_failed_responses_show_what_came_back() {
    let (_, summary) = run_plan(&plan(&server(), "rate = 400\ncount = 108"), &[], &["--drivers", "2"]);
    let of = |name: &'static str| {
        summary.check_samples.iter().filter(move |one| one.request.as_deref() == Some(name))
    };
    assert_eq!(["search", "order", "page", "none"].map(|name| of(name).count()), [5, 5, 5, 0], "all alike");
    let order = of("order").next().expect("one");
    assert_eq!(
        (order.status, order.body.as_str(), order.body_bytes),
        (503, "no room\nfor <b>orders</b>", 25)
    );
    assert_eq!(order.checks, ["status", "contains thanks"]);
    let drivers: Vec<_> = summary.drivers.iter().map(|driver| driver.node_id.as_str()).collect();
    assert!(order.driver.as_deref().is_some_and(|name| drivers.contains(&name)), "{order:?}");
    let page = of("page").next().expect("one");
    assert_eq!((page.body.len(), page.body_bytes), (500, 70_007));
}

#[test]
fn conditions_judge_failed_checks_as_counts_and_shares() {
    let server = server();
    let judged = |condition: &str| {
        let top = format!("rate = 400\ncount = 108\nfail_if = [\"{condition}\"]");
        let (code, summary) = run_plan(&plan(&server, &top), &[], &[]);
        (code, summary.thresholds[0].value)
    };
    assert_eq!(judged("failed_checks > 36"), (Some(0), Some(36.0)));
    assert_eq!(judged("failed_checks > 0"), (Some(3), Some(36.0)));
    assert_eq!(judged("search.failed_checks >= 25%"), (Some(3), Some(25.0)));
    assert_eq!(judged("none.failed_checks > 0%"), (Some(0), Some(0.0)));
}

#[test]
fn every_form_of_the_result_shows_failed_checks_and_a_replay_is_the_same() {
    let (server, dir) = (server(), Scratch::new("checked-out"));
    let path = dir.path().join("plan.toml");
    std::fs::write(&path, plan(&server, "rate = 400\ncount = 108")).expect("writes");
    let (saved, markdown) = (dir.path().join("runs"), dir.path().join("result.md"));
    let words = [
        "run",
        path.to_str().expect("UTF-8"),
        "--out",
        saved.to_str().expect("UTF-8"),
        "--markdown",
        markdown.to_str().expect("UTF-8"),
    ];
    let output = run("floodgate", &words, &[]);
    let table = stdout(&output);
    let row = table.lines().find(|line| line.starts_with("  order contains thanks")).expect("a row");
    assert_eq!(row.split_whitespace().rev().take(4).collect::<Vec<_>>(), ["%", "33.33", "36", "12"]);
    assert!(table.contains("no room for <b>orders</b>"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    let text = std::fs::read_to_string(markdown).expect("read");
    assert!(text.contains("| order contains thanks | 12 | 36 |"), "{text}");
    let folder = std::fs::read_dir(&saved).expect("saved").next().expect("one").expect("read").path();
    let html = std::fs::read_to_string(folder.join("report.html")).expect("a report");
    assert!(
        html.contains("<h2>Failed checks</h2>") && html.contains("for &lt;b&gt;orders&lt;/b&gt;"),
        "{html}"
    );
    let replayed = run("floodgate", &["replay", "--json", folder.to_str().expect("UTF-8")], &[]);
    assert_eq!(stdout(&replayed), std::fs::read_to_string(folder.join("summary.json")).expect("read"));
}

#[test]
fn flags_check_the_only_request_and_all_is_well_if_none_fails() {
    let server = server();
    let run = |more: &[&str]| {
        let url = server.url("/orders");
        let words = ["run", &url, "-n", "30", "--rate", "300", "--body", "x", "--json"];
        let output = run("floodgate", &[&words[..], more].concat(), &[]);
        (output.status.code(), stdout(&output), stderr(&output))
    };
    let (code, text, _) =
        run(&["--expect-status", "2xx,503", "--expect-not-contains", "oops", "--expect-max-bytes", "25"]);
    let summary: Summary = serde_json::from_str(&text).expect("JSON");
    assert_eq!((code, summary.total.failed_checks), (Some(0), 0));
    let (_, text, _) =
        run(&["--expect-status", "201", "--expect-header", "content-type: plain", "--expect-json", "/id"]);
    let summary: Summary = serde_json::from_str(&text).expect("JSON");
    assert_eq!(summary.total.checks, counts([("status", 10), ("json /id", 30)]));
    let (code, _, text) = run(&["--expect-json", "id > 0"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("--expect-json id: a JSON pointer begins with a slash: use \"/id\""), "{text}");
    let (code, _, text) = run(&["--expect-status", "ok"]);
    assert!(code == Some(2) && text.contains("use a status like 200 or a class like 2xx"), "{text}");
}
