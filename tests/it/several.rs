//! Plans with several requests, as a process against a real server.

use crate::support::http_server::Server;
use crate::support::plans::run_plan;
use crate::support::process::{run, stderr, stdout};
use crate::support::scratch::Scratch;
use floodgate::stats::summary::Summary;
use std::collections::BTreeMap;

/// Answers each path with its own status, and an order only if its body is whole.
fn server() -> Server {
    Server::start(|conn| {
        while let Some(request) = conn.request() {
            let status = match request.line() {
                "GET /search?q=shoes HTTP/1.1" => "200 OK",
                "PUT /cart HTTP/1.1" => "204 No Content",
                "POST /orders HTTP/1.1" if request.body == b"{\"id\": 7}" => "201 Created",
                _ => "404 Not Found",
            };
            let common =
                request.header("x-common") == Some("yes") || request.header("x-common") == Some("own");
            let status = if common { status } else { "400 Bad Request" };
            if !conn.send(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")) {
                return;
            }
        }
    })
}

fn plan(server: &Server, top: &str) -> String {
    format!(
        "target_url = \"{}\"\n{top}\n\
         [request]\nheaders = {{ X-Common = \"yes\" }}\n\
         [[requests]]\nname = \"search\"\nweight = 12\nurl = \"/search?q=shoes\"\n\
         [[requests]]\nname = \"cart\"\nweight = 4\nurl = \"/cart\"\nmethod = \"PUT\"\n\
         headers = {{ x-common = \"own\" }}\n\
         [[requests]]\nname = \"order\"\nweight = 2\nurl = \"/orders\"\nbody = '{{\"id\": 7}}'\n",
        server.url("/")
    )
}

/// The statuses of each request.
fn statuses(summary: &Summary) -> Vec<(&str, &BTreeMap<String, u64>)> {
    summary.requests.iter().map(|one| (one.name.as_str(), &one.stats.status)).collect()
}

fn only(status: &str, n: u64) -> BTreeMap<String, u64> {
    BTreeMap::from([(status.to_owned(), n)])
}

#[test]
fn each_request_has_its_share_on_any_number_of_drivers_and_with_both_clients() {
    let server = server();
    for (drivers, client, top) in [
        ("1", "native", "rate = 400\ncount = 90"),
        ("3", "native", "rate = 400\ncount = 270"),
        ("3", "ureq", "rate = 400\ncount = 270"),
        ("2", "native", "count = 180\nconnections = 7"),
        ("2", "native", "delay = \"5ms\"\ncount_per_driver = 90"),
    ] {
        // Each run also asks whether it is a floodgate-target.
        let counted = || server.received().iter().filter(|one| !one.line().contains("/metrics")).count();
        let before = counted();
        let (code, summary) = run_plan(&plan(&server, top), &[], &["--drivers", drivers, "--client", client]);
        assert_eq!(code, Some(0), "{top}");
        let part = summary.total.requests / 9;
        let expected = [only("200", 6 * part), only("204", 2 * part), only("201", part)];
        let expected: Vec<_> = ["search", "cart", "order"].into_iter().zip(&expected).collect();
        assert_eq!(statuses(&summary), expected, "{top}");
        assert_eq!(summary.total.requests, part * 9);
        assert_eq!(counted() - before, part as usize * 9, "as the server counted them");
        let sent: Vec<_> = summary.requests.iter().map(|one| format!("{} {}", one.method, one.url)).collect();
        assert_eq!(sent, ["GET /search?q=shoes", "PUT /cart", "POST /orders"]);
        assert_eq!(summary.conservation.differences(), Vec::<String>::new());
        assert!(summary.requests.iter().all(|one| one.stats.service_ms.is_some()));
    }
}

#[test]
fn a_condition_may_be_about_one_request() {
    let server = server();
    let run = |condition: &str| {
        let top = format!("rate = 300\ncount = 90\nfail_if = [\"{condition}\"]");
        let (code, summary) = run_plan(&plan(&server, &top), &[], &[]);
        (code, summary.thresholds[0].value)
    };
    assert_eq!(run("order.status.201 < 10"), (Some(0), Some(10.0)));
    assert_eq!(run("order.status.201 <= 100%"), (Some(3), Some(100.0)));
    assert_eq!(run("search.status.201 > 0"), (Some(0), Some(0.0)));
    let (code, value) = run("cart.max > 0");
    assert!(code == Some(3) && value.is_some_and(|ms| ms > 0.0), "{code:?} {value:?}");
}

#[test]
fn every_form_of_the_result_has_the_names() {
    let (server, dir) = (server(), Scratch::new("several-out"));
    let path = dir.path().join("plan.toml");
    std::fs::write(&path, plan(&server, "rate = 300\ncount = 90")).expect("writes");
    let saved = dir.path().join("runs");
    let words = ["run", path.to_str().expect("UTF-8"), "--out", saved.to_str().expect("UTF-8")];
    let output = run("floodgate", &words, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let table = stdout(&output);
    let row = table.lines().find(|line| line.trim_start().starts_with("search ")).expect("a row");
    assert!(row.split_whitespace().nth(1) == Some("60"), "{table}");
    let folder = std::fs::read_dir(&saved).expect("saved").next().expect("one").expect("read").path();
    let html = std::fs::read_to_string(folder.join("report.html")).expect("a report");
    assert!(html.contains("<h2>Requests</h2>") && html.contains("POST /orders"), "{html}");
    assert!(!html.contains("A and B"), "it is no A/B test");
    let words = ["replay", "--json", folder.to_str().expect("UTF-8")];
    let replayed = run("floodgate", &words, &[]);
    assert_eq!(stdout(&replayed), std::fs::read_to_string(folder.join("summary.json")).expect("read"));
}
