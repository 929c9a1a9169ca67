//! Command lines: what is accepted, what is refused with exit code 2, and what the programs print.

use crate::support::process::{run, stdout};
use floodgate::cli::{DriverArgs, Floodgate, OrchestratorArgs, Task, try_parse};
use floodgate::message::{TestType, Totals};
use floodgate::run::{Place, Settings};

fn settings(words: &[&str]) -> Result<Settings, String> {
    let all = ["floodgate"].iter().chain(words);
    match try_parse::<Floodgate>(all.copied())?.into_task() {
        Task::Run(args) => args.settings(),
        other => panic!("{other:?}"),
    }
}

fn drivers(settings: &Settings) -> usize {
    let Place::Embedded(config) = &settings.place else { panic!("embedded") };
    config.drivers
}

fn totals(settings: &Settings) -> Totals {
    settings.plan.fleet.clone().unwrap_or_default()
}

#[test]
fn without_arguments_it_runs_two_drivers_with_16_connections_in_total() {
    let plain = settings(&[]).expect("settings");
    assert_eq!(
        (plain.plan.test_type, plain.plan.connections, plain.output.json),
        (TestType::Avalanche, None, false)
    );
    assert_eq!(drivers(&plain), 2);
    let connections = |words: &[&str]| totals(&settings(words).expect("settings")).connections;
    assert_eq!((connections(&[]), connections(&["run"])), (Some(16), Some(16)));
    assert_eq!(connections(&["--drivers", "20"]), Some(20), "each driver has one");
    let one = settings(&["--url", "http://127.0.0.1:8000/"]).expect("settings");
    assert_eq!(drivers(&one), 1, "the user's server is loaded by one driver");
}

#[test]
fn flags_without_a_command_mean_run() {
    let words = ["--url", "http://127.0.0.1:8000/ping", "--requests", "50", "--delay", "0.5ms", "--json"];
    let with: Vec<_> = ["run"].into_iter().chain(words).collect();
    for words in [&words[..], &with[..]] {
        let settings = settings(words).expect("settings");
        let fleet = totals(&settings);
        let plan = settings.plan;
        assert_eq!(plan.test_type, TestType::Tsunami, "--delay implies it");
        assert_eq!((plan.test_message_delay, fleet.requests), (Some(0.5), Some(50)));
        assert_eq!((plan.duration_ms, settings.output.json), (None, true));
    }
}

#[test]
fn the_whole_plan_can_be_specified() {
    let words = "--test-type AVALANCHE --rate 100 --stages 1s:200,2s:0 --warmup 500ms --connections 3 \
                 --timeout 2s --client ureq --body hello";
    let mut words: Vec<_> = words.split_whitespace().collect();
    words.extend(["--header", "X-A: 1", "--header", "X-B: 2"]);
    let settings = settings(&words).expect("settings");
    let fleet = totals(&settings);
    let plan = settings.plan;
    assert_eq!((fleet.rate, fleet.connections, fleet.stages.len()), (Some(100.0), Some(3), 2));
    assert_eq!((plan.warmup_ms, plan.timeout_ms), (Some(500), Some(2_000)));
    assert_eq!(plan.client.as_deref(), Some("ureq"));
    let request = plan.request.expect("request");
    assert_eq!((request.method.as_deref(), request.body.as_deref()), (Some("POST"), Some("hello")));
    assert_eq!(request.headers.len(), 2);
}

#[test]
fn numbers_per_driver_have_separate_flags() {
    let words = ["--rate-per-driver", "100", "--requests-per-driver", "50", "--connections-per-driver", "3"];
    let plan = settings(&words).expect("settings").plan;
    assert_eq!(
        (plan.target_throughput, plan.message_count_per_driver, plan.connections, plan.fleet),
        (Some(100.0), Some(50), Some(3), None)
    );
}

#[test]
fn a_remote_run_leaves_open_what_the_drivers_decide() {
    let settings = settings(&["--orchestrator", "http://127.0.0.1:8080", "--token", "t"]).expect("settings");
    assert_eq!((settings.plan.connections, &settings.plan.target_url), (None, &None));
    assert_eq!(settings.plan.fleet, None);
    assert!(matches!(settings.place, Place::Remote(config) if config.token.as_deref() == Some("t")));
}

#[test]
fn connections_threads_and_addresses_can_be_specified() {
    let words =
        ["--max-requests-per-connection", "7", "--threads", "3", "--resolve", "a.example:80:10.0.0.7"];
    let given = settings(&words).expect("settings");
    assert_eq!(given.plan.max_requests_per_connection, Some(7));
    let Place::Embedded(config) = given.place else { panic!("embedded") };
    assert_eq!(config.clients.threads, Some(3));
    assert_eq!(config.clients.pinned, ["a.example:80:10.0.0.7".parse().expect("pinned")]);
    let one = settings(&["--new-connection-per-request"]).expect("settings").plan;
    assert_eq!(one.max_requests_per_connection, Some(1));
    assert_eq!(settings(&[]).expect("settings").plan.max_requests_per_connection, None);
}

#[test]
fn bad_values_are_refused_with_the_allowed_ones() {
    let cases: [(&[&str], &str); 26] = [
        (&["--rate", "0"], "0.001"),
        (&["--requests", "-5"], "from 1 to"),
        (&["--duration", "0s"], "1ms"),
        (&["--duration", "10"], "unit"),
        (&["--connections", "100000000"], "from 1 to 10000000"),
        (
            &["--connections", "1000000"],
            "--connections: 1000000 over 2 drivers exceeds the limit of 100000 per driver",
        ),
        (
            &["--connections", "3", "--drivers", "7"],
            "--connections: 3 cannot be split over 7 drivers: use 7 or more",
        ),
        (&["--rate", "5", "--rate-per-driver", "5"], "cannot be used with"),
        (&["--rate-per-driver", "5", "--stages", "1s:5"], "cannot be used with"),
        (&["--drivers", "0"], "from 1 to 256"),
        (&["--test-type", "flood"], "avalanche (closed loop or fixed rate) or tsunami"),
        (&["--url", "127.0.0.1:8000"], "http://"),
        (&["--url", "ftp://x/"], "only http and https"),
        (&["--header", "novalue"], "Name: value"),
        (&["--method", "G E T"], "GET, POST"),
        (&["--stages", "1s:5", "--duration", "5s"], "cannot be used with"),
        (&["--test-type", "avalanche", "--delay", "5ms"], "tsunami"),
        (&["--test-type", "tsunami", "--rate", "5"], "avalanche"),
        (&["--drivers", "2", "--orchestrator", "http://127.0.0.1:1"], "cannot be used with"),
        (&["--body", "@/no/such/file"], "cannot be opened"),
        (&["--threads", "0"], "from 1 to 4096"),
        (&["--threads", "2", "--orchestrator", "http://127.0.0.1:1"], "cannot be used with"),
        (&["--max-requests-per-connection", "0"], "from 1 to"),
        (&["--new-connection-per-request", "--max-requests-per-connection", "2"], "cannot be used with"),
        (&["--resolve", "shop.example:10.0.0.7"], "HOST:PORT:ADDR"),
        (&["--resolve", "a:80:10.0.0.7", "--orchestrator", "http://127.0.0.1:1"], "cannot be used with"),
    ];
    for (words, expected) in cases {
        let error = settings(words).map(|s| s.plan).expect_err(&words.join(" "));
        assert!(error.contains(expected), "{words:?}: {error}");
    }
}

#[test]
fn roles_require_a_bus_and_a_name() {
    let driver = ["floodgate-driver", "--kafka", "a:9092,b:9092", "--node-id", "d1", "--node-ip", "10.0.0.1"];
    assert!(try_parse::<DriverArgs>(driver).is_err_and(|e| e.contains("--target")));
    let whole = driver.iter().copied().chain([
        "--target",
        "http://127.0.0.1:8000/ping",
        "--rate",
        "50",
        "--threads",
        "2",
    ]);
    let whole = whole.chain(["--resolve", "a:80:10.0.0.7", "--resolve", "b:80:::1"]);
    let config = try_parse::<DriverArgs>(whole).and_then(|args| args.config()).expect("config");
    assert_eq!((config.node_id.as_str(), config.defaults.rate), ("d1", Some(50.0)));
    assert_eq!((config.clients.threads, config.clients.pinned.len()), (Some(2), 2));
    assert!(try_parse::<OrchestratorArgs>(["floodgate-orchestrator"]).is_err_and(|e| e.contains("--kafka")));
    let empty = ["floodgate-orchestrator", "--kafka", "a:1", "--token", " "];
    assert!(try_parse::<OrchestratorArgs>(empty).and_then(|args| args.config()).is_err());
    let named =
        ["floodgate-orchestrator", "--kafka", "a:1", "--allow-host", "x.example,y", "--allow-host", "z"];
    let config = try_parse::<OrchestratorArgs>(named).and_then(|args| args.config()).expect("config");
    assert_eq!(config.hosts, ["x.example", "y", "z"]);
    let scheme = ["floodgate-orchestrator", "--kafka", "a:1", "--allow-host", "http://x"];
    assert!(try_parse::<OrchestratorArgs>(scheme).is_err_and(|e| e.contains("--allow-host")));
}

#[test]
fn a_usage_error_is_exit_code_2_with_nothing_on_standard_output() {
    for words in [&["--rate", "0"][..], &["--nonsense"], &["--test-type", "tsunami", "--rate", "5"]] {
        let output = run("floodgate", words, &[]);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert_eq!(stdout(&output), "", "{words:?}");
        assert!(!output.stderr.is_empty());
    }
    let output = run("floodgate-driver", &[], &[("FLOODGATE_RATE", "0")]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn help_and_version_are_exit_code_0() {
    for program in ["floodgate", "floodgate-orchestrator", "floodgate-driver", "floodgate-target"] {
        let help = run(program, &["--help"], &[]);
        assert!(help.status.success() && stdout(&help).contains("--"), "{program}");
        assert!(stdout(&run(program, &["--version"], &[])).contains(env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn a_replay_takes_its_brokers_from_a_properties_file_too() {
    let path = std::env::temp_dir().join(format!("floodgate-replay-{}.properties", std::process::id()));
    std::fs::write(&path, "bootstrap.servers=127.0.0.1:9092\n").expect("written");
    let file = path.to_str().expect("UTF-8");
    let all = ["floodgate", "replay", "--kafka-config", file, "--test-id", "t", "--topic-prefix", "p"];
    match try_parse::<Floodgate>(all).expect("valid").into_task() {
        Task::Replay(args) => assert!(args.settings().is_ok()),
        other => panic!("{other:?}"),
    }
    std::fs::remove_file(path).expect("removed");
}

#[test]
fn what_is_said_meanwhile_follows_the_flags() {
    use log::LevelFilter::{Debug, Error, Info, Trace, Warn};
    let level = |words: &[&str]| {
        let all = ["floodgate"].iter().chain(words);
        match try_parse::<Floodgate>(all.copied()).expect("valid").into_task() {
            Task::Run(args) => (args.speech.is_quiet(), args.speech.level()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(level(&[]), (false, Warn));
    assert_eq!(level(&["--quiet"]), (true, Error));
    assert_eq!(level(&["-q"]), (true, Error));
    assert_eq!(level(&["--log-level", "trace"]), (false, Trace));
    assert_eq!([level(&["-v"]), level(&["-vv"]), level(&["-vvv"])], [Info, Debug, Trace].map(|l| (false, l)));
}

#[test]
fn a_result_can_go_to_files_and_to_standard_output() {
    use floodgate::run::output::{Destination, Output};
    let output = |words: &[&str]| settings(words).expect("settings").output;
    assert_eq!(output(&[]), Output::default());
    assert_eq!(output(&["--markdown", "-"]).markdown, Some(Destination::Standard));
    let both = output(&["--markdown", "r.md", "--junit", "r.xml", "--json"]);
    let expected =
        Output { json: true, markdown: Some(Destination::File("r.md".into())), junit: Some("r.xml".into()) };
    assert_eq!(both, expected);
}
