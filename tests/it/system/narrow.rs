//! A topic that accepts smaller records than the drivers' reports.

use super::{Login, System};
use crate::support::kafka;
use floodgate::bus::Connector;
use floodgate::bus::kafka::KafkaClientKind::Modern;
use floodgate::bus::kafka::KafkaConnector;
use serde_json::json;
use std::time::Duration;

#[test]
#[ignore = "needs a Kafka broker: just test-kafka"]
fn reports_larger_than_the_topic_accepts_lose_their_histograms_and_the_result_says_so() {
    let _peace = kafka::in_peace();
    let broker = kafka::broker("4.3.0");
    let settings = kafka::settings(&broker, Modern, "narrow");
    let prefix = settings.topic_prefix.clone();
    KafkaConnector::new(settings).expect("settings").prepare(Duration::from_secs(30)).expect("topics");
    let tool = ["tool", "4.3.0", "kafka.admin.ConfigCommand", "--bootstrap-server", &broker, "--alter"];
    let topic = format!("{prefix}metrics");
    let change = ["--entity-type", "topics", "--entity-name", &topic, "--add-config"];
    kafka::script(&[&tool[..], &change, &["max.message.bytes=1000"]].concat());

    let system = System::begin(&broker, "modern", Login::None, prefix);
    let drivers = [system.driver("d1"), system.driver("d2")];
    system.wait_alive(&["d1", "d2"]);
    let plan = json!({"test_id": "t", "test_type": "TSUNAMI", "test_message_delay": 10,
        "duration_ms": 3_000});
    system.configure(&plan);
    let summary = system.wait_over("t", "completed");
    let counts = &summary.conservation;
    let all = [counts.planned, counts.sent, counts.responses, counts.target_seen.unwrap_or(0)];
    assert_eq!((all, counts.reports_missing), ([600; 4], 0), "{:#?}", summary.findings);
    for driver in ["d1", "d2"] {
        let start = format!("The final report of driver {driver} arrived without histograms");
        let found = summary.verdict.iter().find(|line| line.starts_with(&start));
        let line = found.unwrap_or_else(|| panic!("{:#?}", summary.verdict));
        assert!(line.contains("raise max.message.bytes of the metrics topic to 1048588"), "{line}");
    }
    for driver in drivers {
        let ended = driver.terminate();
        assert_eq!(ended.code, Some(0), "{}", ended.said);
        let lines: Vec<&str> = ended.said.lines().filter(|line| line.contains(&topic)).collect();
        let told =
            |line: &&str| line.contains("does not accept a record of") && line.contains("reports go on with");
        assert!(lines.iter().all(told) && !lines.is_empty(), "{}", ended.said);
    }
}
