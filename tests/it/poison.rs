//! Thousands of malicious records during a test: it completes with correct counts, and the process uses
//! little memory.

use crate::orchestrator::support::{SOON, wait};
use crate::support::http_server::Server;
use base64::Engine as _;
use floodgate::bus::local::{LocalConnector, LocalLimits};
use floodgate::bus::{Bus, Connector, Topic};
use floodgate::driver;
use floodgate::orchestrator::Control;
use floodgate::plan::Defaults;
use floodgate::stats::histogram::Histogram;
use std::io::Write;
use std::process::Command;
use std::sync::Arc;

/// Maximum peak memory of the process, in kB.
const MOST_KB: u64 = 80_000;
/// How many times each record is sent.
const ROUNDS: usize = 6;

/// Runs in a separate process, because the peak memory of this one includes all other tests.
#[test]
fn poisoned_records_change_no_count_and_take_little_memory() {
    let scene = ["poison::scene", "--exact", "--ignored", "--nocapture"];
    let own = std::env::current_exe().expect("this program");
    let output = Command::new(own).args(scene).output().expect("starts");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "needs a separate process: poisoned_records_change_no_count_and_take_little_memory starts it"]
fn scene() {
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npong");
    // A Fetch from Kafka also returns at most 4 MiB.
    let limits = LocalLimits { bytes: 4 << 20, ..LocalLimits::default() };
    let connector: Arc<dyn Connector> = Arc::new(LocalConnector::with_limits(limits));
    let config = floodgate::orchestrator::Config { connect_timeout: SOON, ..Default::default() };
    let orchestrator = floodgate::orchestrator::start(Arc::clone(&connector), config).expect("starts");
    let control = orchestrator.control();
    let defaults = Defaults { target_url: Some(server.url("/ping")), ..Defaults::default() };
    let (node_id, node_ip) = ("d1".to_owned(), "127.0.0.1".to_owned());
    let config =
        driver::Config { node_id, node_ip, defaults, connect_timeout: SOON, ..driver::Config::default() };
    let driver = driver::start(Arc::clone(&connector), config).expect("starts");
    wait("the driver", || (control.fleet_alive() == 1).then_some(()));
    let plan = br#"{"test_id":"t","test_type":"TSUNAMI","test_message_delay":10,"duration_ms":8000,"timeout_ms":2000}"#;
    control.configure_json(plan).expect("configures");
    wait("the load", || (server.received().len() > 10).then_some(()));

    let mut bus = connector.open();
    let records = poison();
    let mut marks = 0;
    for _ in 0..ROUNDS {
        for records in records.chunks(32) {
            send(bus.as_mut(), records);
            marks += 1;
            await_mark(bus.as_mut(), &control, marks);
        }
    }
    let ended = wait("the end", || control.summary("t").filter(|s| s.state == "completed"));
    let counts = &ended.conservation;
    assert_eq!(
        (counts.planned, counts.sent, counts.responses, counts.errors),
        (800, 800, 800, 0),
        "{ended:#?}"
    );
    // Only the plan's driver has a row: reports from unknown drivers are ignored.
    assert_eq!(ended.drivers.len(), 1, "{:#?}", ended.drivers);
    assert_eq!(control.health(), Ok(()));
    let peak_kb = peak_kb();
    assert!(peak_kb < MOST_KB, "peak {peak_kb} kB");
    println!("peak {peak_kb} kB");
    driver.shutdown();
}

fn send(bus: &mut dyn Bus, records: &[(Topic, Vec<u8>)]) {
    for (number, (topic, bytes)) in records.iter().enumerate() {
        bus.publish(*topic, &format!("k{number}"), bytes, SOON).expect("published");
    }
}

/// Waits until the orchestrator has read up to here: the in-process bus keeps only the newest records and
/// must not drop the real ones, and a backlog on a busy machine would count as the orchestrator's memory.
fn await_mark(bus: &mut dyn Bus, control: &Control, mark: u64) {
    let register = format!(
        r#"{{"node_id":"mark","node_IP":"10.0.0.1","message_type":"DRIVER_NODE_REGISTER","epoch":{mark}}}"#
    );
    bus.publish(Topic::Register, "mark", register.as_bytes(), SOON).expect("published");
    let is_read = || control.dashboard().fleet.iter().any(|r| r.node_id == "mark" && r.epoch == Some(mark));
    wait("the mark", || is_read().then_some(()));
}

fn poison() -> Vec<(Topic, Vec<u8>)> {
    let topics = [Topic::Register, Topic::Heartbeat, Topic::Metrics, Topic::TestConfig, Topic::Trigger];
    let deep = |n: usize| format!(r#"{{"node_id":{}1{},"test_id":"t"}}"#, "[".repeat(n), "]".repeat(n));
    let junk = [
        deep(120),
        deep(150_000),
        format!(r#"{{"node_id":[{}0],"test_id":[{}0]}}"#, "[],".repeat(60_000), "0,".repeat(60_000)),
        format!(r#"{{"test_id":"t","node_id":"{}"}}"#, "\\u001b".repeat(50_000)),
        format!(r#"{{"node_id":"d1","epoch":"{}"}}"#, "[".repeat(300_000)),
        r#"{"node_id":"d1","epoch":1e999,"test_id":"t"}"#.to_owned(),
        "\u{feff}null".to_owned(),
    ];
    let mut records: Vec<(Topic, Vec<u8>)> =
        topics.iter().flat_map(|topic| junk.iter().map(|text| (*topic, text.clone().into_bytes()))).collect();
    records.extend(reports());
    records.extend((0..200).map(|n| {
        let far = 18_446_744_073_709_551_615u64 - n;
        (
            Topic::Heartbeat,
            format!(
                r#"{{"node_id":"{}{n}","epoch":{far},"state":"refused","test_id":"t","reason":"{}"}}"#,
                "n".repeat(150),
                "r".repeat(20_000)
            )
            .into_bytes(),
        )
    }));
    records.extend(unknown());
    let huge = format!(r#"{{"test_id":"u","test_type":"AVALANCHE","target_url":"{}"}}"#, "x".repeat(900_000));
    records.push((Topic::TestConfig, huge.into_bytes()));
    records.push((Topic::Trigger, br#"{"test_id":"u","trigger":"YES","start_at_ms":1e300}"#.to_vec()));
    records
}

/// Reports on the running test from drivers that it does not name, and from another process of its driver.
fn reports() -> Vec<(Topic, Vec<u8>)> {
    let mut histogram = Histogram::new();
    histogram.record_us(1);
    let small = histogram.encode().expect("encodes");
    let bomb = {
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        zlib.write_all(&vec![0; 64 << 20]).expect("into memory");
        deflated(&zlib.finish().expect("into memory"))
    };
    // It announces the maximum length of counts and contains none.
    let mut plain = vec![0x1c, 0x84, 0x93, 0x13, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 3];
    plain.extend([1u64.to_be_bytes(), u64::MAX.to_be_bytes(), 1f64.to_be_bytes()].concat());
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    zlib.write_all(&plain).expect("into memory");
    let absurd = deflated(&zlib.finish().expect("into memory"));
    let report = |node: &str, names: [&str; 2], histogram: &str, counts: &str| {
        let histograms = names.map(|name| format!(r#""{name}":"{histogram}""#)).join(",");
        let text = format!(
            r#"{{"node_id":"{node}","test_id":"t","report_id":"r","epoch":5,"sequence":1,"final":true,"elapsed_ms":1,"origin_ms":-1e308,"counts":{counts},"histograms":{{{histograms}}}}}"#
        );
        (Topic::Metrics, text.into_bytes())
    };
    let kinds = [["latency", "lag"], ["lag", "service"], ["connect", "tls"]];
    let mut reports: Vec<_> = kinds
        .iter()
        .flat_map(|names| [&bomb, &absurd].map(|text| report("d1", *names, text, "{}")))
        .collect();
    reports.push(report("d1", kinds[0], &"A".repeat(300_000), "{}"));
    let counts = r#"{"sent":18446744073709551615,"errors":{"timeout":18446744073709551615}}"#;
    reports.push(report("d1", kinds[0], &small, counts));
    // Each of them is small, but takes a thousand times its size in memory until it is merged.
    reports.extend((0..400).map(|n| report(&format!("stranger-{n}"), kinds[n % kinds.len()], &small, "{}")));
    reports
}

/// Reports on tests that nobody configured, which hold megabytes of histograms each.
fn unknown() -> impl Iterator<Item = (Topic, Vec<u8>)> {
    let mut full = Histogram::new();
    (0..20_000).for_each(|n| full.record_us(n * (1 + n / 64)));
    let full = full.encode().expect("encodes");
    let named = move |n| {
        let kinds = ["latency", "service"].map(|kind| format!(r#""{kind}":"{full}""#)).join(",");
        format!(r#""n{n}":{{"counts":{{}},"histograms":{{{kinds}}}}}"#)
    };
    let names = (0..25).map(named).collect::<Vec<_>>().join(",");
    (0..4).map(move |n| {
        let text = format!(
            r#"{{"node_id":"d1","test_id":"unknown-{n}","report_id":"r","epoch":5,"sequence":1,"final":true,"counts":{{}},"by_name":{{{names}}}}}"#
        );
        (Topic::Metrics, text.into_bytes())
    })
}

fn deflated(zlib: &[u8]) -> String {
    let length = u32::try_from(zlib.len()).expect("short").to_be_bytes();
    let bytes = [&[0x1c, 0x84, 0x93, 0x14], &length[..], zlib].concat();
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("readable");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number")
}
