//! Compares the programs' answers to invalid inputs with one file, word by word. Each answer says what is
//! wrong, where, and how to fix it. `UPDATE_GOLDEN=1 cargo test --test it wrong_inputs` rewrites the file;
//! review its diff.

use crate::orchestrator::support::{SOON, local};
use crate::raw_http::post;
use crate::support::golden::assert_in_file;
use floodgate::cli::{self, DriverArgs, Floodgate, OrchestratorArgs, TargetArgs, Task, try_parse};
use floodgate::orchestrator::{Config, start};
use std::fmt::Write as _;
use std::net::SocketAddr;

/// Command lines; a word with spaces is in single quotes.
const LINES: [&str; 154] = [
    "floodgate --rate 0",
    "floodgate --rate fast",
    "floodgate --rate 2e9",
    "floodgate --rate 5 --rate-per-driver 5",
    "floodgate --requests -5",
    "floodgate --requests 1.5",
    "floodgate --requests 5 --requests-per-driver 5",
    "floodgate --connections 0",
    "floodgate --connections 3 --drivers 7",
    "floodgate --connections 300000 --drivers 2",
    "floodgate --connections 5 --connections-per-driver 5",
    "floodgate --fail-if 'p98 > 250ms'",
    "floodgate --fail-if 'p99 > 250 for 10s'",
    "floodgate --fail-if 'errors > 1% , stop'",
    "floodgate --fail-if 'achieved < 99%'",
    "floodgate --drivers 0",
    "floodgate --drivers 2 --orchestrator http://127.0.0.1:8080",
    "floodgate --duration 10",
    "floodgate --duration 0s",
    "floodgate --duration 8d",
    "floodgate --duration 1.5ms",
    "floodgate --warmup 2h",
    "floodgate --timeout 1h",
    "floodgate --delay 0s",
    "floodgate --delay 20ms --test-type avalanche",
    "floodgate --rate 5 --test-type tsunami",
    "floodgate --test-type flood",
    "floodgate --stages 0s:100,5s:1000",
    "floodgate --stages 30s",
    "floodgate --stages 30s:100,1m:x",
    "floodgate --stages 30s:0",
    "floodgate --stages 30s:100 --duration 5s",
    "floodgate --stages 30s:100 --delay 5ms",
    "floodgate --stages 30s:100 --rate-per-driver 5",
    "floodgate 127.0.0.1:8000/ping",
    "floodgate example.com",
    "floodgate ftp://example.com/",
    "floodgate http://",
    "floodgate http://example.com:99999/",
    "floodgate http://joe:secret@example.com/",
    "floodgate 'http://example.com/a b'",
    "floodgate http://127.0.0.1/ --url http://127.0.0.1/",
    "floodgate --ab http://127.0.0.1/",
    "floodgate --ab http://127.0.0.1/?token=s3cret",
    "floodgate http://127.0.0.1/ --ab http://me:s3cret@127.0.0.1:8001/",
    "floodgate http://127.0.0.1/ --ab 127.0.0.1:8001",
    "floodgate http://127.0.0.1/ --ab http://127.0.0.1:8001/ --connections-per-driver 1",
    "floodgate http://127.0.0.1/ --ab http://127.0.0.1:8001/ --connections 3 --drivers 2",
    "floodgate --urls /no/such/file",
    "floodgate --urls ''",
    "floodgate --urls tests/it/fixtures/urls/paths.txt",
    "floodgate --urls tests/it/fixtures/urls/empty.txt",
    "floodgate --urls tests/it/fixtures/urls/word.txt",
    "floodgate --urls tests/it/fixtures/urls/space.txt",
    "floodgate --urls tests/it/fixtures/urls/template.txt",
    "floodgate --urls tests/it/fixtures/urls/two-hosts.txt",
    "floodgate --urls tests/it/fixtures/urls/mixed.txt",
    "floodgate --urls tests/it/fixtures/urls/ftp.txt",
    "floodgate --urls tests/it/fixtures/urls/user.txt",
    "floodgate --urls tests/it/fixtures/urls/header.txt",
    "floodgate --urls tests/it/fixtures/urls/body.txt",
    "floodgate --urls tests/it/fixtures/urls/target-path.txt",
    "floodgate --urls tests/it/fixtures/urls/target.jsonl",
    "floodgate --urls tests/it/fixtures/urls/many.txt",
    "floodgate --urls tests/it/fixtures/urls/targets.txt:random",
    "floodgate --urls tests/it/fixtures/urls/targets.txt --method POST",
    "floodgate --urls tests/it/fixtures/urls/targets.txt --body x",
    "floodgate --urls tests/it/fixtures/urls/targets.txt --url http://127.0.0.1:8000 \
     --ab http://127.0.0.1:8001",
    "floodgate --urls tests/it/fixtures/urls/paths.txt --url http://127.0.0.1:8000/ping",
    "floodgate --urls tests/it/fixtures/urls/paths.txt --url http://127.0.0.1:8000/?token=s3cret",
    "floodgate --urls tests/it/fixtures/urls/paths.txt --url http://127.0.0.1:8000 --feed urls=Cargo.toml",
    "floodgate --urls tests/it/fixtures/urls/paths.txt:unique --url http://127.0.0.1:8000 --warmup 5s",
    "floodgate --replay-times /no/such/file",
    "floodgate --replay-times tests/it/fixtures/times/empty.jsonl",
    "floodgate --replay-times tests/it/fixtures/times/negative.jsonl",
    "floodgate --replay-times tests/it/fixtures/times/text.jsonl",
    "floodgate --replay-times tests/it/fixtures/times/lacking.jsonl",
    "floodgate --replay-times tests/it/fixtures/times/since-1970.jsonl",
    "floodgate --replay-times tests/it/fixtures/times/number.jsonl",
    "floodgate --replay-times tests/it/fixtures/times/some-paths.jsonl",
    "floodgate --replay-times tests/it/fixtures/times/space.jsonl --url http://127.0.0.1:8000",
    "floodgate --replay-times tests/it/fixtures/times/unsorted-paths.jsonl --url http://127.0.0.1:8000",
    "floodgate --replay-times tests/it/fixtures/times/paths.jsonl",
    "floodgate --replay-times tests/it/fixtures/times/paths.jsonl --url http://127.0.0.1:8000 --warmup 5s",
    "floodgate --replay-times tests/it/fixtures/times/paths.jsonl --urls tests/it/fixtures/urls/paths.txt \
     --url http://127.0.0.1:8000",
    "floodgate --replay-times tests/it/fixtures/times/times.jsonl --rate 5",
    "floodgate --replay-times tests/it/fixtures/times/times.jsonl --stages 30s:100",
    "floodgate --replay-times tests/it/fixtures/times/times.jsonl --delay 5ms",
    "floodgate --replay-times tests/it/fixtures/times/times.jsonl --test-type tsunami",
    "floodgate --replay-times tests/it/fixtures/times/times.jsonl --replay-speed 0",
    "floodgate --replay-speed 2",
    "floodgate --header novalue",
    "floodgate --header 'bad name: x'",
    "floodgate --header 'Content-Length: 5'",
    "floodgate --method 'G E T'",
    "floodgate --method CONNECT",
    "floodgate --body @/no/such/file",
    "floodgate --ca-cert /no/such/file",
    "floodgate --basic joe",
    "floodgate --basic @/no/such/file",
    "floodgate --basic joe:pw --bearer-file x",
    "floodgate --basic joe:pw -H 'authorization: x'",
    "floodgate --bearer-file /no/such/file",
    "floodgate --cert /no/such/file",
    "floodgate --cert Cargo.toml",
    "floodgate --key Cargo.toml",
    "floodgate --cert x --orchestrator http://127.0.0.1:8080",
    "floodgate --unix-socket x --orchestrator http://127.0.0.1:8080",
    "floodgate --http-proxy proxy.example:3128",
    "floodgate --http-proxy https://joe:secret@proxy.example",
    "floodgate --http-proxy http://proxy.example --unix-socket x",
    "floodgate --host http://shop.example/",
    "floodgate -d 10s",
    "floodgate --client curl",
    "floodgate --threads 0",
    "floodgate --max-requests-per-connection 0",
    "floodgate --new-connection-per-request --max-requests-per-connection 2",
    "floodgate --resolve shop.example:10.0.0.7",
    "floodgate --token secret",
    "floodgate --log-level loud",
    "floodgate --quiet --verbose",
    "floodgate -v --log-level info",
    "floodgate --json --markdown -",
    "floodgate --junit /no/such/folder/junit.xml",
    "floodgate replay --topic-prefix p --test-id t run.jsonl",
    "floodgate completions tcsh",
    "floodgate man rnu",
    "floodgate --concurrency 5",
    "floodgate --requsts 5",
    "floodgate rnu",
    "floodgate run /no/such/plan.toml",
    "floodgate plan check /no/such/plan.toml",
    "floodgate plan chek plan.toml",
    "floodgate plan curl",
    "floodgate plan curl 'curl http://shop.example/ -F a=b'",
    "floodgate plan curl 'curl http://shop.example/?a=1&b=2'",
    "floodgate plan curl http://shop.example/ -H",
    "floodgate plan curl http://shop.example/ --digets",
    "floodgate plan curl 'curl http://shop.example/ -d @order.json'",
    "floodgate plan curl 'curl http://shop.example/$ID'",
    "floodgate plan curl 'curl \"http://shop.example/'",
    "floodgate plan curl 'wget http://shop.example/'",
    "floodgate plan curl 'curl ftp://shop.example/'",
    "floodgate plan curl 'curl ^\"http://shop.example/^\"'",
    "floodgate-orchestrator",
    "floodgate-orchestrator --kafka localhost",
    "floodgate-orchestrator --kafka http://localhost:9092",
    "floodgate-orchestrator --kafka localhost:0",
    "floodgate-orchestrator --kafka ::1:9092",
    "floodgate-orchestrator --kafka localhost:9092 --topic-prefix team/a",
    "floodgate-orchestrator --kafka localhost:9092 --kafka-client librdkafka",
    "floodgate-orchestrator --kafka localhost:9092 --connect-timeout 2000h",
    "floodgate-orchestrator --kafka localhost:9092 --listen example.com:80",
    "floodgate-orchestrator --kafka localhost:9092 --token ''",
];

/// Command lines of the driver and the target.
const ROLES: [&str; 13] = [
    "floodgate-driver --kafka localhost:9092",
    "floodgate-driver --kafka localhost:9092 --node-id '' --node-ip 10.0.0.7 --target http://127.0.0.1/",
    "floodgate-driver --kafka localhost:9092 --node-id 'a b' --node-ip 10.0.0.7 --target http://127.0.0.1/",
    "floodgate-driver --kafka localhost:9092 --node-id a --node-ip 10.0.0.7:80 --target http://127.0.0.1/",
    "floodgate-driver --kafka localhost:9092 --node-id a --node-ip 10.0.0.7 --target 127.0.0.1:8000",
    "floodgate-driver --kafka localhost:9092 --node-id a --node-ip 10.0.0.7 --target http://127.0.0.1/ \
     --rate 0",
    "floodgate driver --kafka localhost:9092 --node-id a",
    "floodgate orchestrator --kafka localhost:0",
    "floodgate target --rate 5",
    "floodgate-target --listen 8000",
    "floodgate-target --error-rate 101%",
    "floodgate-target --stall 10s",
    "floodgate-target --delay 20",
];

/// Bodies of `POST /configure`.
const BODIES: [&str; 46] = [
    "",
    "{",
    "[]",
    "test_type=TSUNAMI",
    r#"{"test_type":"TSUNAMI",}"#,
    r#"{"test_type":"AVALANCHE","insecure":"yes"}"#,
    r#"{"test_type":"AVALANCHE","host":"shop example"}"#,
    r#"{"test_type":"TSUNAMI"} x"#,
    r#"{"test_id":"t"}"#,
    r#"{"test_id":"y2","test_type":"AVALANCHE","rate":10,"duration":3}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","test_mesage_delay":20}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","users":20}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","ab":["http://127.0.0.1/"]}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","ab":["http://127.0.0.1/","127.0.0.1:8001"]}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","ab":["http://a/","http://b/"],"target_url":"http://c/"}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","fleet":{"rps":20}}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","request":{"headers":[],"boddy":"x"}}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","request":{"expect":{"contain":"x"}}}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","request":{"expect":{"status":"ok"}}}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","request":{"expect":{"json":{"id":"> 0"},"max_bytes":2e12}}}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","requests":[{"name":"a","expect":{"contains":[7]}}]}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","requests":[{"name":"a","expect":200}]}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","stages":[{"duration_ms":5,"rat":1}]}"#,
    r#"{"test_id":"t","test_id":"u","test_type":"AVALANCHE"}"#,
    r#"{"test_id":"a b","test_type":"AVALANCHE"}"#,
    r#"{"test_id":"t","test_type":"FLOOD"}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","duration_ms":"10s"}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","duration_ms":0}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","connections":"many"}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","connections":-1}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","target_throughput":0}"#,
    r#"{"test_id":"t","test_type":"TSUNAMI","target_throughput":5}"#,
    r#"{"test_id":"t","test_type":"TSUNAMI","test_message_delay":-5}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","fleet":{"rate":5},"target_throughput":5}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","fleet":{"connections":0}}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","fleet":7}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","stages":[{"duration_ms":5}]}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","stages":[{"duration_ms":"x","rate":1}]}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","target_url":"127.0.0.1:8000"}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","fail_if":["p99 > 1s for long"]}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","thresholds":"p99 > 1s"}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","fail_if":[],"thresholds":[]}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","client":"curl"}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","request":{"method":7}}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","request":{"headers":{"A":"b"}}}"#,
    r#"{"test_id":"t","test_type":"AVALANCHE","request":{"body":"x","body_base64":"eA=="}}"#,
];

fn words(line: &str) -> Vec<String> {
    let pieces = line.split('\'').enumerate();
    let words = pieces.flat_map(|(at, piece)| match at % 2 {
        0 => piece.split_whitespace().map(str::to_owned).collect(),
        _ => vec![piece.to_owned()],
    });
    words.collect()
}

fn orchestrator(args: &OrchestratorArgs) -> Result<(), String> {
    args.config().map(drop).and_then(|()| cli::bus(&args.bus, "x").map(drop))
}

/// What the program prints before it exits with code 2.
fn refusal(line: &str) -> String {
    let words = words(line);
    let late = |why: String| format!("error: {why}");
    let refused = match words[0].as_str() {
        "floodgate" => match try_parse::<Floodgate>(words) {
            Ok(args) => match args.into_task() {
                Task::Run(args) => args.settings().map(drop).map_err(late),
                Task::Orchestrator(args) => orchestrator(&args).map_err(late),
                Task::Driver(args) => args.config().map(drop).map_err(late),
                Task::Target(_) => Ok(()),
                Task::Plan(args) => args.text().map(drop).map_err(late),
                Task::Replay(args) => args.settings().map(drop).map_err(late),
                Task::Report(args) => args.settings().map(drop).map_err(late),
                Task::Compare(args) => args.settings().map(drop).map_err(late),
                Task::Man(command) => cli::manual(command.as_deref()).map(drop).map_err(late),
                Task::Completions(_) => Ok(()),
            },
            Err(error) => Err(error),
        },
        "floodgate-orchestrator" => match try_parse::<OrchestratorArgs>(words) {
            Ok(args) => orchestrator(&args).map_err(late),
            Err(error) => Err(error),
        },
        "floodgate-driver" => match try_parse::<DriverArgs>(words) {
            Ok(args) => args.config().map(drop).map_err(late),
            Err(error) => Err(error),
        },
        _ => try_parse::<TargetArgs>(words).map(drop),
    };
    refused.expect_err(line)
}

fn answers() -> String {
    let mut out = String::new();
    for line in LINES.iter().chain(&ROLES) {
        let _ = writeln!(out, "$ {line}\n{}\n", refusal(line));
    }
    let listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let orchestrator =
        start(local(), Config { listen, connect_timeout: SOON, ..Config::default() }).expect("starts");
    let addr = orchestrator.addr().expect("listens");
    for body in BODIES {
        let answer = post(addr, "/configure", body);
        let error: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
        let _ = writeln!(
            out,
            "POST /configure {body}\n{} {}\n",
            answer.status,
            error["error"].as_str().expect("text")
        );
    }
    out
}

#[test]
fn every_invalid_input_gets_the_answer_in_the_file() {
    let found = answers();
    assert_in_file("wrong_inputs.txt", &found);
    assert!(!found.contains("Usage:"), "{found}");
    let answers = found.lines().filter(|line| !line.starts_with("$ "));
    assert!(!answers.collect::<String>().contains("joe:secret"), "an answer repeats a password");
}
