//! The user's Kafka settings, checked before anything connects.

use super::security::Security;
use crate::bus::Topic;
use std::fmt;
use std::str::FromStr;

/// Kafka's limit on topic names, in bytes.
const MAX_TOPIC_NAME: usize = 249;

/// The client library used to connect to the brokers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KafkaClientKind {
    /// This project's own client over the codec `kafka-protocol`: brokers from 0.11 to 4.x.
    #[default]
    Modern,
    /// The crate `kafka`: brokers from 0.8.2 to 3.x. No append times, so no broker clock.
    Legacy,
}

impl fmt::Display for KafkaClientKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KafkaClientKind::Modern => "modern",
            KafkaClientKind::Legacy => "legacy",
        })
    }
}

impl FromStr for KafkaClientKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "modern" => Ok(KafkaClientKind::Modern),
            "legacy" => Ok(KafkaClientKind::Legacy),
            _ => Err(format!("Kafka client {text:?} is unknown: use modern or legacy")),
        }
    }
}

/// What a client does with a topic, in the words of Kafka's ACLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Reads its records.
    Read,
    /// Appends records.
    Write,
}

/// Where the cluster is and how to connect to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaSettings {
    /// Bootstrap brokers, each as HOST:PORT (IPv6 addresses in brackets).
    pub brokers: Vec<String>,
    /// Prefix of each topic's name, for shared clusters; may be empty.
    pub topic_prefix: String,
    /// Which client library to use.
    pub client: KafkaClientKind,
    /// Identifies this process in the brokers' logs and quotas.
    pub client_id: String,
    /// TLS and the login.
    pub security: Security,
    /// What this process does with the topics; checked at the start, so that a missing right shows there and
    /// not in the middle of a test.
    pub rights: Vec<(Topic, Right)>,
}

impl KafkaSettings {
    /// The default settings for these brokers: no prefix, the modern client.
    pub fn new(brokers: Vec<String>) -> Self {
        KafkaSettings {
            brokers,
            topic_prefix: String::new(),
            client: KafkaClientKind::default(),
            client_id: "floodgate".to_string(),
            security: Security::default(),
            rights: Vec::new(),
        }
    }

    /// The full name of `topic` in the cluster.
    pub fn topic_name(&self, topic: Topic) -> String {
        format!("{}{}", self.topic_prefix, topic.name())
    }

    /// The brokers' addresses; the error says which setting is invalid.
    pub fn checked(&self) -> Result<Vec<Address>, String> {
        if self.brokers.is_empty() {
            return Err("no Kafka broker specified: use HOST:PORT[,HOST:PORT]".to_string());
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if let Some(wrong) = self.topic_prefix.chars().find(|c| !allowed(*c)) {
            return Err(format!(
                "topic prefix {:?} contains {wrong:?}: Kafka allows letters, digits, '.', '_' and '-'",
                self.topic_prefix
            ));
        }
        let longest = Topic::ALL.iter().map(|topic| self.topic_name(*topic).len()).max().unwrap_or(0);
        if longest > MAX_TOPIC_NAME {
            return Err(format!(
                "topic prefix of {} bytes is too long: topic names have at most {MAX_TOPIC_NAME} bytes",
                self.topic_prefix.len()
            ));
        }
        if self.client == KafkaClientKind::Legacy && self.security != Security::default() {
            return Err(format!(
                "the legacy Kafka client has neither TLS nor a login: use --kafka-client modern for {}",
                self.security.protocol()
            ));
        }
        self.brokers.iter().map(|broker| broker.parse()).collect()
    }
}

/// A broker's address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// Name or IP address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            Err(format!("Kafka broker {text:?} {why}: use HOST:PORT, as in 127.0.0.1:9092 or [::1]:9092"))
        };
        if text.contains("://") {
            return wrong("is a URL");
        }
        let Some((host, port)) = text.trim().rsplit_once(':') else { return wrong("has no port") };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if bare.is_none() && host.contains(':') {
            return wrong("is an IPv6 address without brackets, or has two ports");
        }
        let host = bare.unwrap_or(host);
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '@' | ',')) {
            return wrong("has no valid host");
        }
        match port.parse() {
            Ok(port) if port > 0 => Ok(Address { host: host.to_string(), port }),
            _ => wrong("has a port that is not between 1 and 65535"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_parsed_and_displayed() {
        for text in ["localhost:9092", "127.0.0.1:1", "[::1]:65535", "kafka-1.example.com:9092"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "localhost",
            "localhost:",
            ":9092",
            "a:0",
            "a:65536",
            "a:b",
            "::1:9092",
            "http://a:80",
            "a b:1",
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.contains("HOST:PORT") && error.contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn settings_are_checked() {
        let good = KafkaSettings::new(vec!["a:1".into(), "b:2".into()]);
        assert_eq!(good.checked().unwrap().len(), 2);
        assert!(KafkaSettings::new(vec![]).checked().is_err());
        assert!(KafkaSettings { topic_prefix: "team/a".into(), ..good.clone() }.checked().is_err());
        assert!(KafkaSettings { topic_prefix: "x".repeat(240), ..good.clone() }.checked().is_err());
        assert_eq!(
            KafkaSettings { topic_prefix: "a.".into(), ..good }.topic_name(Topic::Metrics),
            "a.metrics"
        );
    }

    #[test]
    fn client_kinds_are_parsed_and_displayed() {
        for kind in [KafkaClientKind::Modern, KafkaClientKind::Legacy] {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert!("librdkafka".parse::<KafkaClientKind>().unwrap_err().contains("modern or legacy"));
    }
}
