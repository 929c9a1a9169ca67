//! A plan file and the same flags make the same plan.

use super::{scratch, settings};
use floodgate::message::TestConfig;
use floodgate::run::{Place, Settings};
use proptest::prelude::*;

/// A setting as flags and as lines of a plan file.
type Written = (Vec<String>, String);

/// Settings that can be combined with each other, by number and text.
fn written(part: usize, n: u32, text: &str) -> Written {
    let flag = |flag: String, line: String| (vec![flag], line);
    match part {
        0 => flag(
            format!("--url=http://127.0.0.1:{n}/{text}"),
            format!("target_url = \"http://127.0.0.1:{n}/{text}\""),
        ),
        1 => flag(format!("--rate={n}.5"), format!("rate = {n}.5")),
        2 => flag(format!("--rate={n}"), format!("rate = {n}")),
        3 => flag(format!("--rate-per-driver={n}"), format!("rate_per_driver = {n}.0")),
        4 => flag(format!("--requests={n}"), format!("count = {n:#x}")),
        5 => flag(format!("--requests-per-driver={n}"), format!("count_per_driver = {n}")),
        6 => flag(format!("--connections={n}"), format!("connections = {n}")),
        7 => flag(format!("--connections-per-driver={n}"), format!("connections_per_driver = {n}")),
        8 => flag(format!("--duration={n}ms"), format!("duration = '{n}ms'")),
        9 => flag(format!("--warmup={n}ms"), format!("warmup = \"{n}ms\"")),
        10 => flag(format!("--delay={n}us"), format!("delay = \"{n}us\"")),
        11 => flag(format!("--timeout={n}ms"), format!("timeout = \"{n}ms\"")),
        12 => flag(format!("--stages=1s:{n},2m:0"), format!("stages = \"1s:{n},2m:0\"")),
        13 => flag(
            format!("--stages=1s:{n},2m:0"),
            format!("stages = [{{ duration = \"1s\", rate = {n} }}, {{ duration = \"2m\", rate = 0 }}]"),
        ),
        14 => (
            vec![format!("--fail-if=p99 > {n}ms"), "--fail-if=errors > 1% for 5s, abort".to_owned()],
            format!("fail_if = [\"p99 > {n}ms\", 'errors > 1% for 5s, abort']"),
        ),
        15 => flag("--on-driver-loss=fail".to_owned(), "on_driver_loss = \"fail\"".to_owned()),
        16 => {
            flag(format!("--max-requests-per-connection={n}"), format!("max_requests_per_connection = {n}"))
        }
        17 => flag("--client=ureq".to_owned(), "client = \"ureq\"".to_owned()),
        18 => flag("--test-type=tsunami".to_owned(), "test_type = \"tsunami\"".to_owned()),
        19 => flag(format!("--method=X{text}"), format!("request.method = \"X{text}\"")),
        20 => (
            vec![format!("--header=X-B: {text}"), format!("--header=X-A: {n}")],
            format!("request.headers = {{ X-B = \"{text}\", X-A = \"{n}\" }}"),
        ),
        23 => flag(format!("--host={text}:{n}"), format!("host = \"{text}:{n}\"")),
        24 => flag("--insecure".to_owned(), "insecure = true".to_owned()),
        21 => flag(format!("--body={text}é\"{n}"), format!("request.body = '{text}é\"{n}'")),
        _ => (
            vec![format!("--url=http://a:{n}/"), format!("--ab=http://b/{text}")],
            format!("ab = [\"http://a:{n}/\", \"http://b/{text}\"]"),
        ),
    }
}

/// Number of settings of [`written`].
const PARTS: usize = 25;

/// The plan without the id that is made up for each run, and the number of drivers.
fn plan(settings: Settings) -> (TestConfig, Option<usize>) {
    let drivers = match &settings.place {
        Place::Embedded(config) => Some(config.drivers),
        Place::Remote(_) => None,
    };
    assert!(settings.plan.test_id.starts_with("run-"), "{}", settings.plan.test_id);
    (TestConfig { test_id: "t".to_owned(), ..settings.plan }, drivers)
}

fn both(
    parts: &[usize],
    n: u32,
    text: &str,
    more: &[&str],
) -> [Result<(TestConfig, Option<usize>), String>; 2] {
    let scratch = scratch();
    let path = scratch.path().join("plan.toml");
    let written: Vec<Written> = parts.iter().map(|part| written(*part, n, text)).collect();
    let lines: Vec<_> = written.iter().map(|(_, line)| line.as_str()).collect();
    std::fs::write(&path, lines.join("\n")).expect("writes");
    let words: Vec<&str> = written.iter().flat_map(|(words, _)| words).map(String::as_str).collect();
    let file = [&[path.to_str().expect("UTF-8")], more].concat();
    [settings(&[&words[..], more].concat()).map(plan), settings(&file).map(plan)]
}

#[test]
fn each_setting_alone_is_the_same_in_both_forms() {
    for part in 0..PARTS {
        for more in [&[][..], &["--drivers", "3"], &["--orchestrator", "http://127.0.0.1:8080"]] {
            let [flags, file] = both(&[part], 20, "a", more);
            assert!(flags.is_ok(), "{part}: {flags:?}");
            assert_eq!(flags, file, "{part}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Combinations that one form refuses, the other refuses too.
    #[test]
    fn a_plan_file_and_the_same_flags_give_the_same_plan(
        parts in prop::sample::subsequence((0..PARTS).collect::<Vec<_>>(), 0..6),
        n in 1u32..60_000,
        text in "[a-z]{1,9}",
    ) {
        let has = |all: &[usize]| all.iter().filter(|part| parts.contains(part)).count();
        // The same key twice is no TOML, and the same flag twice is no command line.
        prop_assume!(has(&[1, 2]) < 2 && has(&[12, 13]) < 2 && has(&[0, 22]) < 2);
        let [flags, file] = both(&parts, n, &text, &[]);
        match (flags, file) {
            (Ok(flags), file) => prop_assert_eq!(Ok(flags), file),
            (Err(_), file) => prop_assert!(file.is_err(), "only the flags are refused: {:?}", file),
        }
    }
}

#[test]
fn flags_override_the_file() {
    let scratch = scratch();
    let path = scratch.path().join("plan.toml");
    let text = "target_url = \"http://a/\"\nrate = 5\nconnections = 7\nfail_if = [\"p99 > 1s\"]\n\
                [request]\nheaders = { X-A = \"1\", X-B = \"2\" }\nbody_file = \"body.txt\"";
    std::fs::write(&path, text).expect("writes");
    std::fs::write(scratch.path().join("body.txt"), "from a file").expect("writes");
    let name = path.to_str().expect("UTF-8");
    let (plain, drivers) = plan(settings(&[name]).expect("valid"));
    let request = plain.request.clone().expect("a request");
    assert_eq!((request.method.as_deref(), request.body.as_deref()), (Some("POST"), Some("from a file")));
    assert_eq!(drivers, Some(1), "the file names a target");
    let words = "--url http://b/ --delay 20ms --header X-b:3 --body own --method PUT --connections 9";
    let words: Vec<_> = [name].into_iter().chain(words.split(' ')).collect();
    let (over, _) = plan(settings(&words).expect("valid"));
    let (fleet, request) = (over.fleet.expect("totals"), over.request.expect("a request"));
    assert_eq!((over.target_url.as_deref(), over.test_message_delay), (Some("http://b/"), Some(20.0)));
    assert_eq!((fleet.rate, fleet.connections), (None, Some(9)), "the delay replaces the rate");
    assert_eq!((request.method.as_deref(), request.body.as_deref()), (Some("PUT"), Some("own")));
    let headers: Vec<_> = request.headers.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(headers, ["X-A=1", "X-b=3"]);
    assert_eq!(over.thresholds, plain.thresholds, "what no flag sets stays");
}

#[test]
fn a_url_replaces_a_and_ab_replaces_b() {
    let scratch = scratch();
    let path = scratch.path().join("plan.toml");
    let name = path.to_str().expect("UTF-8");
    let urls = |text: &str, words: &[&str]| {
        std::fs::write(&path, text).expect("writes");
        let plan = settings(&[&[name], words].concat()).expect("valid").plan;
        [plan.ab, plan.target_url.into_iter().collect()].concat().join(" ")
    };
    let both = "ab = [\"http://a/\", \"http://b/\"]";
    assert_eq!(urls(both, &[]), "http://a/ http://b/");
    assert_eq!(urls(both, &["--url", "http://c/"]), "http://c/ http://b/");
    assert_eq!(urls(both, &["--ab", "http://c/"]), "http://a/ http://c/");
    assert_eq!(urls("target_url = \"http://a/\"", &["--ab", "http://c/"]), "http://a/ http://c/");
    assert_eq!(urls("target_url = \"http://a/\"", &["--url", "http://c/"]), "http://c/");
}

#[test]
fn an_empty_file_is_a_run_without_arguments() {
    let [flags, file] = both(&[], 1, "", &[]);
    assert_eq!(flags.expect("valid"), file.expect("valid"));
}
