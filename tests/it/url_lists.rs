//! `floodgate run --urls`, as a process against a real server.

use crate::support::http_server::{Received, Server};
use crate::support::process::{run, stderr, stdout};
use crate::support::scratch::Scratch;
use floodgate::stats::summary::Summary;
use std::collections::BTreeMap;

fn server() -> Server {
    Server::start(|conn| {
        while conn.request().is_some() {
            if !conn.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") {
                return;
            }
        }
    })
}

/// Runs with this file and these flags; returns the result and what the server received.
fn load(server: &Server, file: &str, flags: &[&str]) -> (Summary, Vec<Received>) {
    let before = server.received().len();
    let dir = Scratch::new("urls");
    let path = dir.path().join("urls.txt");
    std::fs::write(&path, file).expect("writes");
    // A body is beside it.
    std::fs::write(dir.path().join("order.json"), "{\"a\": \"{{b}}\"}").expect("writes");
    let flags = flags.iter().map(|flag| flag.replace("FILE", path.to_str().expect("UTF-8")));
    let words: Vec<String> = ["run", "--json"].map(str::to_owned).into_iter().chain(flags).collect();
    let output = run("floodgate", &words.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let mut received = server.received().split_off(before);
    // The question whether it is a floodgate-target.
    received.retain(|one| one.line() != "GET /metrics HTTP/1.1");
    (serde_json::from_str(&stdout(&output)).expect("a result"), received)
}

/// How often each request line was received.
fn lines(received: &[Received]) -> BTreeMap<&str, u32> {
    let mut found = BTreeMap::new();
    received.iter().for_each(|one| *found.entry(one.line()).or_default() += 1);
    found
}

fn times<const N: usize>(expected: [(&'static str, u32); N]) -> BTreeMap<&'static str, u32> {
    BTreeMap::from(expected)
}

const PATHS: &str = "# the shop\n/ping\n\n  /items/7?x=1&y=a,b%20c#top\r\n/\n";

#[test]
fn each_path_is_requested_in_turn_on_any_number_of_drivers() {
    let server = server();
    let url = server.url("");
    for (drivers, more) in [
        ("1", &["--connections", "1", "--rate", "1000"][..]),
        ("2", &["--rate", "1000", "--warmup", "10ms"]),
        ("3", &["--rate", "1000", "--client", "ureq"]),
        ("3", &["--connections", "7"]),
    ] {
        let flags = ["--urls", "FILE", &url, "-n", "60", "--drivers", drivers];
        let (summary, received) = load(&server, PATHS, &[&flags, more].concat());
        assert_eq!(summary.total.requests, 60, "{more:?}");
        assert!(summary.requests.is_empty(), "a list may have 100,000 lines");
        let warm = received.len() - 60;
        assert_eq!(warm > 0, more.contains(&"--warmup"), "{more:?}");
        let expected = times([
            ("GET / HTTP/1.1", 20),
            ("GET /items/7?x=1&y=a,b%20c HTTP/1.1", 20),
            ("GET /ping HTTP/1.1", 20),
        ]);
        let found = lines(&received);
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        assert!(warm > 0 || found == expected, "{found:?}");
        if drivers == "1" {
            let order: Vec<_> = received.iter().map(|one| one.line().split(' ').nth(1)).collect();
            let lap = [Some("/ping"), Some("/items/7?x=1&y=a,b%20c"), Some("/")];
            assert!(order.chunks(3).all(|chunk| chunk == lap), "{order:?}");
        }
    }
}

#[test]
fn method_headers_body_and_checks_apply_to_each_path() {
    let server = server();
    let url = server.url("/");
    let flags = ["--urls", "FILE:unique", &url, "-X", "PUT", "-H", "X-A: 1", "--body", "{{counter}}"];
    let (summary, received) = load(&server, PATHS, &[&flags[..], &["--expect-contains", "no"]].concat());
    assert_eq!((summary.total.requests, summary.total.failed_checks), (3, 3), "each once");
    assert_eq!(lines(&received).into_values().collect::<Vec<_>>(), [1, 1, 1]);
    assert!(received.iter().all(|one| one.line().starts_with("PUT ") && one.header("x-a") == Some("1")));
    let mut bodies: Vec<_> = received.iter().map(|one| one.body.clone()).collect();
    bodies.sort();
    assert_eq!(bodies, [b"0", b"1", b"2"]);
}

#[test]
fn whole_urls_name_the_target_unless_a_flag_or_b_does() {
    let (server, other) = (server(), server());
    let list = |server: &Server| format!("{}\n{}\n", server.url("/a"), server.url("/b?c"));
    let (_, received) = load(&server, &list(&server), &["--urls", "FILE", "-n", "4", "-c", "1"]);
    let each = |n| times([("GET /a HTTP/1.1", n), ("GET /b?c HTTP/1.1", n)]);
    assert_eq!(lines(&received), each(2));
    let (_, received) =
        load(&server, &list(&other), &["--urls", "FILE", "-n", "4", "-c", "1", "--url", &server.url("")]);
    assert_eq!(lines(&received), each(2), "the paths of one, on the other");
    assert!(other.received().is_empty());
    let flags = ["--urls", "FILE", "-n", "8", "-c", "2", "--rate", "500", "--ab", &other.url("")];
    let (summary, received) = load(&server, &list(&server), &flags);
    assert_eq!(received.len(), 4);
    let b = other.received();
    let b: Vec<_> = b.into_iter().filter(|one| one.line() != "GET /metrics HTTP/1.1").collect();
    assert_eq!((lines(&received).values().sum::<u32>(), b.len()), (4, 4));
    assert!(summary.comparison.is_some());
}

#[test]
fn a_large_list_stays_a_file() {
    let server = server();
    let list: String = (0..50_000).map(|n| format!("/items/{n:07}\n")).collect();
    let flags = ["--urls", "FILE", &server.url(""), "-n", "300", "--drivers", "3", "--rate", "3000"];
    let (summary, received) = load(&server, &list, &flags);
    assert_eq!(summary.plan["feeds"][0]["count"], 50_000);
    let mut paths: Vec<_> = received.iter().map(|one| one.line().to_owned()).collect();
    paths.sort();
    let expected: Vec<_> = (0..300).map(|n| format!("GET /items/{n:07} HTTP/1.1")).collect();
    assert_eq!(paths, expected, "the fleet takes the lines in order");
}

#[test]
fn targets_of_vegeta_have_shares_names_headers_and_bodies() {
    let server = server();
    let (a, b) = (server.url("/a?x=1"), server.url("/b"));
    let file = format!("GET {a}\nX-Key: {{{{7}}}}\nGET {a}\nX-Key: {{{{7}}}}\n\nPOST {b}\n@BODY\n");
    let dir = Scratch::new("vegeta");
    let body = dir.path().join("order.json");
    std::fs::write(&body, "{\"a\": \"{{b}}\"}").expect("writes");
    let file = file.replace("BODY", body.to_str().expect("UTF-8"));
    let json = |method: &str, rest: &str| format!("{{\"method\": \"{method}\", {rest}}}\n");
    let get = json("GET", &format!("\"url\": \"{a}\", \"header\": {{\"X-Key\": [\"{{{{7}}}}\"]}}"));
    let post = json("POST", &format!("\"url\": \"{b}\", \"body\": \"eyJhIjogInt7Yn19In0=\""));
    for file in [file, [get.clone(), post, get].concat()] {
        let flags = ["--urls", "FILE", "-n", "30", "--drivers", "2", "-H", "x-all: yes"];
        let (summary, received) = load(&server, &file, &[&flags[..], &["--expect-status", "200"]].concat());
        assert_eq!(lines(&received), times([("GET /a?x=1 HTTP/1.1", 20), ("POST /b HTTP/1.1", 10)]));
        for one in &received {
            assert_eq!(one.header("x-all"), Some("yes"));
            let (key, body) = match one.line().starts_with("GET") {
                true => (Some("{{7}}"), &b""[..]),
                false => (None, &b"{\"a\": \"{{b}}\"}"[..]),
            };
            assert_eq!((one.header("x-key"), &one.body[..]), (key, body));
        }
        let names: Vec<_> = summary.requests.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(summary.total.failed_checks, 0);
    }
}

#[test]
fn a_list_replaces_the_requests_of_a_plan_file_and_takes_its_target() {
    let server = server();
    let dir = Scratch::new("urls-plan");
    let plan = dir.path().join("plan.toml");
    let text = format!(
        "target_url = \"{}\"\ncount = 6\nconnections = 1\n[request]\nheaders = {{ x-a = \"1\" }}\n\
         [[requests]]\nname = \"old\"\nurl = \"/old\"\n",
        server.url("/old")
    );
    std::fs::write(&plan, text).expect("writes");
    let (summary, received) = load(&server, "/a\n/b\n", &[plan.to_str().expect("UTF-8"), "--urls", "FILE"]);
    assert_eq!(lines(&received), times([("GET /a HTTP/1.1", 3), ("GET /b HTTP/1.1", 3)]));
    assert!(summary.requests.is_empty() && received.iter().all(|one| one.header("x-a") == Some("1")));
}
