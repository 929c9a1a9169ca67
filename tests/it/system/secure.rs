//! A fleet over TLS, with logins and only the rights that `docs/kafka.md` names.

use super::process::Process;
use super::{Login, System, assert_exact, on_both};
use crate::support::kafka::{self, Listener, Victim};
use floodgate::bus::Connector;
use floodgate::bus::kafka::KafkaClientKind::Modern;
use floodgate::bus::kafka::KafkaConnector;
use floodgate::bus::kafka::security::{Hash, Mechanism};
use floodgate::clock;
use serde_json::json;
use std::process::Command;
use std::time::Duration;

on_both!(a_fleet_with_the_documented_rights_only, each_mistake_has_its_own_line,);

const SCRAM: Listener = Listener::SaslSsl(Mechanism::Scram(Hash::Sha512));

/// Runs shell commands as an administrator, with Kafka's own tool in place of `kafka-acls.sh`.
fn administer(version: &str, prefix: &str, commands: &str) {
    let class =
        if version.starts_with('3') { "kafka.admin.AclCommand" } else { "org.apache.kafka.tools.AclCommand" };
    let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/kafka");
    let script = format!("set -e\nkafka-acls.sh() {{ {tool} tool {version} {class} \"$@\"; }}\n{commands}");
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]).env("BROKER", kafka::broker(version)).env("PREFIX", prefix);
    let output = bash.output().expect("bash");
    assert!(output.status.success(), "{commands}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The commands in `docs/kafka.md` that grant each role its rights.
fn documented() -> String {
    let page = include_str!("../../../docs/kafka.md");
    let rights = page.split("\n## Rights\n").nth(1).expect("a section");
    let block = rights.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("commands");
    assert!(block.contains("allow driver Write"), "{block}");
    block.to_owned()
}

/// Topics that exist, created by an administrator.
fn with_topics(version: &str, case: &str) -> String {
    let settings = kafka::settings(&kafka::broker(version), Modern, case);
    let prefix = settings.topic_prefix.clone();
    let connector = KafkaConnector::new(settings).expect("settings");
    connector.prepare(Duration::from_secs(30)).expect("topics");
    prefix
}

/// The error output of a driver that must not start, within its connect timeout.
fn refused(kafka: &str, prefix: &str, flags: &[&str], variables: &[(&str, &str)]) -> String {
    let own = ["--node-id", "d1", "--node-ip", "127.0.0.1", "--target", "http://127.0.0.1:1/"];
    let bus = ["--kafka", kafka, "--topic-prefix", prefix, "--connect-timeout", "3s"];
    let begun_ns = clock::now_ns();
    let ended = Process::start("d1", "floodgate-driver", &[&own[..], &bus, flags].concat(), variables).end();
    let seconds = (clock::now_ns() - begun_ns) / clock::NS_PER_S;
    assert!(ended.code != Some(0) && seconds < 10, "{seconds} s: {}", ended.said);
    assert!(!ended.said.contains("-secret"), "{}", ended.said);
    ended.said
}

fn a_fleet_with_the_documented_rights_only(version: &str) {
    let _peace = kafka::in_peace();
    let (address, folder) = (kafka::secure_address(version, SCRAM), kafka::secure_folder(version));
    let prefix = with_topics(version, "rights");
    let roles = Login::EachRole(folder);
    let driver = roles.flags("driver");
    let driver: Vec<&str> = driver.iter().map(String::as_str).collect();
    let said = refused(&address, &prefix, &driver, &[]);
    for words in ["User:driver lacks Read on topic", "Write on topic", &format!("{prefix}metrics")] {
        assert!(said.contains(words), "{words:?} is missing in: {said}");
    }

    administer(version, &prefix, &documented());
    let system = System::begin(&address, "modern", roles, prefix.clone());
    let mut drivers =
        ["d1", "d2", "d3"].map(|name| system.driver_with(name, &system.url(), &["--log-level", "debug"]));
    system.wait_alive(&["d1", "d2", "d3"]);
    let plan =
        json!({"test_id": "t", "test_type": "TSUNAMI", "test_message_delay": 20, "duration_ms": 12_000});
    assert_eq!(system.configure(&plan), ["d1", "d2", "d3"]);
    let summary = system.wait_over("t", "completed");
    assert_exact(&summary, 1_800);
    // The brokers end a session after 5 s.
    drivers[0].line("logged in again at Kafka broker");
    for process in drivers.iter().chain([&system.orchestrator]) {
        assert!(process.command_line().contains("--kafka-password-file"), "{}", process.command_line());
        assert!(!process.command_line().contains("-secret"), "{}", process.command_line());
    }
    for driver in drivers {
        let ended = driver.terminate();
        assert_eq!(ended.code, Some(0), "{}", ended.said);
        assert!(!ended.said.contains("-secret") && !ended.said.contains(" ERROR "), "{}", ended.said);
    }
    let orchestrator = system.orchestrator.terminate();
    assert_eq!(orchestrator.code, Some(0), "{}", orchestrator.said);
    assert!(!orchestrator.said.contains("-secret"), "{}", orchestrator.said);

    let one = "kafka-acls.sh --bootstrap-server \"$BROKER\" --remove --force \
               --allow-principal User:driver --operation Write --topic \"${PREFIX}metrics\"";
    administer(version, &prefix, one);
    let said = refused(&address, &prefix, &driver, &[]);
    let expected = format!("User:driver lacks Write on topic {prefix}metrics; an administrator can grant it");
    assert!(said.contains(&expected), "{said}");
}

#[test]
#[ignore = "needs a Kafka broker: just test-kafka"]
fn a_broker_with_logins_restarts_during_a_test() {
    let victim = Victim::of("4.3.0");
    let alice = Login::Alice(kafka::secure_folder("4.3.0"));
    let address = kafka::secure_address("4.3.0", SCRAM);
    let mut system = System::begin(&address, "modern", alice, kafka::fresh_prefix("restart"));
    let _drivers = [system.driver("d1"), system.driver("d2")];
    system.wait_alive(&["d1", "d2"]);
    let plan =
        json!({"test_id": "t", "test_type": "TSUNAMI", "test_message_delay": 20, "duration_ms": 15_000});
    system.configure(&plan);
    system.wait_second("t", 2);
    victim.stop();
    system.orchestrator.line("Kafka is unavailable");
    victim.start();
    assert_exact(&system.wait_over("t", "completed"), 1_500);
}

/// An address, flags, variables, and what the last line must say.
type Mistake<'a> = (&'a str, &'a [&'a str], &'a [(&'a str, &'a str)], &'a str);

fn each_mistake_has_its_own_line(version: &str) {
    let _peace = kafka::in_peace();
    let folder = kafka::secure_folder(version);
    let file = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    let (ca, other_ca) = (file("ca.pem"), file("alice.pem"));
    let [ssl, mtls, login] =
        [Listener::Ssl, Listener::Mtls, SCRAM].map(|l| kafka::secure_address(version, l));
    let (plain, by_name) = (kafka::broker(version), ssl.replace("127.0.0.1", "localhost"));
    let trust = ["--kafka-ca", ca.as_str()];
    let scram = [&trust[..], &["--kafka-user", "alice", "--kafka-mechanism", "SCRAM-SHA-256"]].concat();
    let expired = kafka::expired_token(version);
    let token = [&trust[..], &["--kafka-token-file", expired.to_str().expect("UTF-8")]].concat();
    let wrong = [("FLOODGATE_KAFKA_PASSWORD", "not-alice-secret")];
    let right = [("FLOODGATE_KAFKA_PASSWORD", "alice-secret")];
    let cases: [Mistake<'_>; 11] = [
        (&login, &scram, &wrong, "refuses the login of \"alice\" by SCRAM-SHA-256"),
        (&login, &token, &[], "refuses the login by OAUTHBEARER"),
        (&login, &trust, &[], "requires a login: use --kafka-protocol sasl_ssl"),
        (&login, &scram, &[], "SCRAM-SHA-256 needs --kafka-password-file FILE or FLOODGATE_KAFKA_PASSWORD"),
        (
            &ssl,
            &["--kafka-protocol", "ssl"],
            &[],
            "an authority that is not trusted: name it with --kafka-ca",
        ),
        (&ssl, &["--kafka-ca", &other_ca], &[], "an authority that is not trusted"),
        (&by_name, &trust, &[], "is for 127.0.0.1, not for \"localhost\""),
        (&ssl, &[], &[], "requires TLS: use --kafka-protocol ssl"),
        (&plain, &trust, &[], "its listener has no TLS (then use --kafka-protocol plaintext)"),
        (&ssl, &scram, &right, "has no login: use --kafka-protocol ssl"),
        (&mtls, &trust, &[], "demands a client certificate: use --kafka-cert and --kafka-key"),
    ];
    for (address, flags, variables, expected) in cases {
        let said = refused(address, "none-", flags, variables);
        let last = said.lines().last().unwrap_or_default();
        assert!(last.contains(expected), "{expected:?} is missing in: {said}");
    }
}
