//! A/B in one run, as a process against two real targets.

use crate::support::process::{run, stderr, stdout};
use crate::support::scratch::Scratch;
use floodgate::stats::summary::{Stats, Summary};
use floodgate::target::{self, Target};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;

fn target(delay_ms: u64) -> (Target, String) {
    let plain = target::Config::plain(SocketAddr::from(([127, 0, 0, 1], 0)));
    let delay = Duration::from_millis(delay_ms);
    let target = target::start(target::Config { delay, ..plain }).expect("starts");
    let url = format!("http://{}/ping", target.addr());
    (target, url)
}

/// Runs both at once and returns the result.
fn both(a: &str, b: &str, more: &[&str]) -> Summary {
    let words = ["run", "--json", "--url", a, "--ab", b];
    let output = run("floodgate", &[&words, more].concat(), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_str(&stdout(&output)).expect("a summary")
}

fn counts(summary: &Summary) -> Vec<u64> {
    summary.requests.iter().map(|request| request.stats.responses).collect()
}

#[test]
fn both_urls_get_half_of_the_requests_on_any_number_of_drivers() {
    let ((quick, a), (slow, b)) = (target(0), target(20));
    for (drivers, requests, expected) in
        [("1", "401", [201, 200]), ("2", "400", [200, 200]), ("3", "99", [50, 49])]
    {
        let (before_a, before_b) = (quick.seen().0, slow.seen().0);
        let more = ["--drivers", drivers, "--requests", requests, "--rate", "400", "--connections", "6"];
        let summary = both(&a, &b, &more);
        assert_eq!(counts(&summary), expected, "{drivers} drivers");
        let seen = (quick.seen().0 - before_a, slow.seen().0 - before_b);
        assert_eq!(seen, (expected[0], expected[1]), "as the targets counted them");
        let [of_a, of_b] = &summary.requests[..] else { panic!("two requests") };
        assert_eq!((of_a.name.as_str(), of_a.url.as_str()), ("a", a.as_str()));
        assert_eq!((of_b.name.as_str(), of_b.url.as_str()), ("b", b.as_str()));
        let p50 = |stats: &Stats| stats.latency_ms.as_ref().map_or(0.0, |l| l.median);
        assert!(p50(&of_b.stats) >= 20.0, "{:?}", of_b.stats.latency_ms);
        assert!(p50(&of_a.stats) < p50(&of_b.stats), "{:?}", of_a.stats.latency_ms);
        assert_eq!(summary.total.responses, expected.iter().sum::<u64>());
        assert_eq!(summary.conservation.differences(), Vec::<String>::new());
    }
}

#[test]
fn a_closed_loop_loads_both_with_half_of_the_connections() {
    let ((_quick, a), (_slow, b)) = (target(2), target(20));
    let summary = both(&a, &b, &["--duration", "1s", "--connections", "4"]);
    let [of_a, of_b] = counts(&summary)[..] else { panic!("two requests") };
    assert!(of_b <= 2 * 51, "two connections, 20 ms each: {of_b}");
    assert!(of_a > of_b, "the slow one does not hold up the other: {of_a} against {of_b}");
}

#[test]
fn the_comparison_is_in_the_result_and_can_be_repeated_from_its_records() {
    let ((_quick, a), (_slow, b)) = (target(5), target(15));
    let dir = Scratch::new("ab");
    let summary = both(&a, &b, &["--duration", "11s", "--rate", "200", "--out", dir.word()]);
    let comparison = summary.comparison.as_ref().expect("one");
    assert_eq!(comparison["method"]["name"], "pairs");
    assert!(comparison["figures"][0]["change"].as_f64().expect("known") > 50.0, "{comparison}");
    // On a starved machine nothing is comparable, but never the other way round.
    let outcome = comparison["outcome"].as_str().expect("a word");
    assert!(["slower", "not comparable"].contains(&outcome), "{comparison}");
    let folder = dir.entries().pop().expect("saved");
    let again = run("floodgate", &["compare", "--json", folder.to_str().expect("UTF-8")], &[]);
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    let again: Value = serde_json::from_str(&stdout(&again)).expect("JSON");
    assert_eq!(&again, comparison);
    let words = ["compare", "--strict", "--fail-if", "p50 > +50%", folder.to_str().expect("UTF-8")];
    assert_eq!(run("floodgate", &words, &[]).status.code(), Some(3), "called, or not known");
    let replayed = run("floodgate", &["replay", "--json", folder.to_str().expect("UTF-8")], &[]);
    assert_eq!(stdout(&replayed), std::fs::read_to_string(folder.join("summary.json")).expect("read"));
}

#[test]
fn what_is_missing_is_said() {
    let error = |words: &[&str]| {
        let output = run("floodgate", words, &[]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        stderr(&output)
    };
    let alone = error(&["run", "--ab", "http://127.0.0.1:1/"]);
    assert!(alone.contains("--ab http://127.0.0.1:1 needs another URL"), "{alone}");
    let few = ["run", "http://127.0.0.1:1/", "--ab", "http://127.0.0.1:2/", "--connections", "1"];
    let few = error(&few);
    assert!(
        few.contains("--connections: 1 cannot be split over one driver, 2 for each: use 2 or more"),
        "{few}"
    );
}

#[test]
fn a_run_with_one_url_cannot_be_compared_with_itself() {
    let dir = Scratch::new("ab-one");
    let saved = run("floodgate", &["run", "--requests", "10", "--out", dir.word()], &[]);
    assert_eq!(saved.status.code(), Some(0), "{}", stderr(&saved));
    let folder = dir.entries().pop().expect("saved");
    let output = run("floodgate", &["compare", folder.to_str().expect("UTF-8")], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("it is no A/B run, so a second run is needed"), "{}", stderr(&output));
}
