//! Compares what a client does with the topics with what the cluster's ACLs allow it (KIP-430), so that a
//! missing right is named at the start.

use super::context::Context;
use super::faults;
use super::responses::Metadata;
use super::settings::Right;
use crate::bus::BusError;

/// What the broker returns if it does not report rights.
const UNKNOWN: i32 = i32::MIN;

impl Right {
    /// All of them.
    const ALL: [Right; 2] = [Right::Read, Right::Write];

    /// Its bit in a broker's answer: `AclOperation.code` of Kafka.
    fn bit(self) -> i32 {
        match self {
            Right::Read => 1 << 3,
            Right::Write => 1 << 4,
        }
    }
}

/// Checks the rights on the topics that exist, or that this client may not even see.
///
/// # Errors
/// Which rights are missing on which topics for whom, and how to grant them.
pub fn check(found: &Metadata, shared: &Context) -> Result<(), BusError> {
    let mut lacking: Vec<(Right, Vec<String>)> = Vec::new();
    for right in Right::ALL {
        let needs = |name: &str| {
            shared.topic_of(name).is_some_and(|topic| shared.settings.rights.contains(&(topic, right)))
        };
        let lacks = |error: i16, rights: i32| {
            faults::is_unauthorized(error) || (error == 0 && rights != UNKNOWN && rights & right.bit() == 0)
        };
        let topics =
            found.topics.iter().filter(|topic| needs(&topic.name) && lacks(topic.error, topic.rights));
        let topics: Vec<String> = topics.map(|topic| topic.name.clone()).collect();
        if !topics.is_empty() {
            lacking.push((right, topics));
        }
    }
    if lacking.is_empty() { Ok(()) } else { Err(BusError::Rejected(text(&lacking, shared))) }
}

fn text(lacking: &[(Right, Vec<String>)], shared: &Context) -> String {
    let principal = shared.settings.security.principal();
    let list = |(right, topics): &(Right, Vec<String>)| format!("{right:?} on topic {}", topics.join(", "));
    let lacks: Vec<String> = lacking.iter().map(list).collect();
    let grant = |(right, topics): &(Right, Vec<String>)| {
        let topics: String = topics.iter().map(|topic| format!(" --topic {topic}")).collect();
        format!(
            "kafka-acls.sh --bootstrap-server {} --add --allow-principal '{principal}' --operation {right:?}{topics}",
            shared.bootstrap.first().map(ToString::to_string).unwrap_or_default()
        )
    };
    let grants: Vec<String> = lacking.iter().map(grant).collect();
    format!(
        "{principal} lacks {}; an administrator can grant it: {}",
        lacks.join(", and "),
        grants.join(" && ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::Topic;
    use crate::bus::kafka::responses::TopicMetadata;
    use crate::bus::kafka::settings::KafkaSettings;

    fn found(error: i16, rights: i32) -> Metadata {
        let topic = |name: &str, error, rights| TopicMetadata {
            name: name.to_owned(),
            error,
            rights,
            ..TopicMetadata::default()
        };
        let topics = vec![topic("t-metrics", error, rights), topic("t-trigger", 0, UNKNOWN)];
        Metadata { topics, ..Metadata::default() }
    }

    fn checked(error: i16, rights: i32) -> Result<(), String> {
        let settings = KafkaSettings {
            topic_prefix: "t-".to_owned(),
            rights: vec![
                (Topic::Metrics, Right::Read),
                (Topic::Metrics, Right::Write),
                (Topic::Trigger, Right::Write),
            ],
            ..KafkaSettings::new(vec!["a:1".to_owned()])
        };
        check(&found(error, rights), &Context::new(settings).expect("settings")).map_err(|e| e.to_string())
    }

    #[test]
    fn missing_rights_are_named_with_topic_and_principal() {
        let (read, write) = (Right::Read.bit(), Right::Write.bit());
        for rights in [read | write, read | write | 1 << 8, UNKNOWN] {
            assert_eq!(checked(0, rights), Ok(()));
        }
        let error = checked(0, read | 1 << 8).expect_err("Write is missing");
        let expected = "User:ANONYMOUS lacks Write on topic t-metrics; an administrator can grant it: \
                        kafka-acls.sh --bootstrap-server a:1 --add --allow-principal 'User:ANONYMOUS' \
                        --operation Write --topic t-metrics";
        assert_eq!(error, expected);
        let error = checked(29, 0).expect_err("not even Describe");
        assert!(error.contains("lacks Read on topic t-metrics, and Write on topic t-metrics;"), "{error}");
        // A topic that does not exist yet is created, or its creation is refused.
        assert_eq!(checked(3, 0), Ok(()));
    }
}
