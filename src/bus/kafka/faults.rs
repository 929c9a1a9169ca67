//! Turns broker error codes into messages: what failed, for which value, how to fix it and whether to retry.

use super::security::{Login, Protocol, Security};
use super::settings::Address;
use super::wire::Malformed;
use crate::bus::BusError;
use crate::units::clip;
use kafka_protocol::ResponseError;

/// Converts an error code about `topic` for the operation `what`; `message` is the broker's own text.
pub fn topic(code: i16, topic: &str, what: &str, message: Option<&str>) -> BusError {
    let Some(error) = ResponseError::try_from_code(code) else {
        return BusError::Unavailable(format!(
            "topic {topic}: the broker returned neither a result nor an error"
        ));
    };
    let added = message.map(|text| format!(", {text}")).unwrap_or_default();
    let text = |fix: &str| format!("could not {what} of topic {topic} ({error:?}{added}): {fix}");
    use ResponseError as E;
    match error {
        E::TopicAuthorizationFailed | E::ClusterAuthorizationFailed => BusError::Rejected(text(
            "this client is not authorized; an administrator can allow it with kafka-acls.sh --operation Read or \
             Write",
        )),
        E::InvalidTopicException => BusError::Rejected(text("check --topic-prefix")),
        E::InvalidRecord | E::PolicyViolation | E::InvalidTimestamp => {
            BusError::Rejected(text("the topic's rules reject the record; check its configuration"))
        }
        E::UnsupportedVersion | E::UnsupportedForMessageFormat => {
            BusError::Unsupported(text("the broker is too old for this"))
        }
        E::UnknownTopicOrPartition => BusError::Unavailable(text("the topic does not exist or was deleted")),
        _ => BusError::Unavailable(text("this may be temporary")),
    }
}

/// The error for a batch of `bytes` that is too large for the topic; `None` for other codes.
pub fn too_large(code: i16, topic: &str, bytes: usize, message: Option<&str>) -> Option<BusError> {
    use ResponseError::{MessageTooLarge, RecordListTooLarge};
    let error = ResponseError::try_from_code(code)?;
    matches!(error, MessageTooLarge | RecordListTooLarge).then(|| {
        let added = message.map(|text| format!(", {text}")).unwrap_or_default();
        refused_size(topic, bytes, &format!("{error:?}{added}"))
    })
}

/// The error for a record of `bytes` that a topic does not accept.
pub fn refused_size(topic: &str, bytes: usize, why: &str) -> BusError {
    let text = format!(
        "topic {topic} does not accept a record of {bytes} bytes ({why}): raise max.message.bytes of the \
         topic to 1048588"
    );
    BusError::TooLarge { bytes, text }
}

/// Whether the code says that the offset is outside the stored range.
pub fn is_out_of_range(code: i16) -> bool {
    ResponseError::try_from_code(code) == Some(ResponseError::OffsetOutOfRange)
}

/// Whether the code says that the ACLs do not allow it.
pub fn is_unauthorized(code: i16) -> bool {
    ResponseError::try_from_code(code) == Some(ResponseError::TopicAuthorizationFailed)
}

/// Whether the code says that the topic does not exist.
pub fn is_unknown_topic(code: i16) -> bool {
    ResponseError::try_from_code(code) == Some(ResponseError::UnknownTopicOrPartition)
}

/// Why a topic was not created; `None` if it exists, even if another client created it.
pub fn creation(code: i16, topics: &[String], topic: &str, message: Option<&str>) -> Option<BusError> {
    let error = ResponseError::try_from_code(code)?;
    let added = message.map(|text| format!(", {text}")).unwrap_or_default();
    use ResponseError as E;
    match error {
        E::TopicAlreadyExists => None,
        E::ClusterAuthorizationFailed | E::TopicAuthorizationFailed | E::PolicyViolation => {
            Some(BusError::Rejected(format!(
                "the cluster has no topic {topic} and does not allow this client to create it \
                 ({error:?}{added}): ask an administrator to create {} with one partition each and \
                 message.timestamp.type=LogAppendTime, or to allow Create on them",
                topics.join(", ")
            )))
        }
        E::InvalidTopicException => Some(BusError::Rejected(format!(
            "topic name {topic} is rejected ({error:?}{added}): check --topic-prefix"
        ))),
        _ => Some(BusError::Unavailable(format!("topic {topic} could not be created ({error:?}{added})"))),
    }
}

/// Maximum length of a broker's text in an error, in characters.
pub const MOST_SAID: usize = 200;

/// The error for a response that violates the protocol.
pub fn malformed(address: &Address, Malformed(why): Malformed) -> BusError {
    BusError::Unavailable(format!("the response of Kafka broker {address} is malformed: {why}"))
}

/// The error for a login that the broker refuses; `message` is the broker's own text.
pub fn login(code: i16, message: Option<&str>, login: &Login, address: &Address) -> BusError {
    let error = ResponseError::try_from_code(code);
    let mechanism = login.mechanism().name();
    let why = message
        .filter(|text| !text.is_empty())
        .map_or_else(|| format!("{error:?}"), |text| clip(text, MOST_SAID));
    let (who, fix) = match login {
        Login::Plain { user, .. } | Login::Scram { user, .. } => {
            (format!("of {user:?} "), "check --kafka-user, the password and --kafka-mechanism")
        }
        Login::Bearer(_) => (String::new(), "check the token: its issuer, its audience and when it expires"),
    };
    let text = format!("Kafka broker {address} refuses the login {who}by {mechanism} ({why}): {fix}");
    // Only a refusal is lasting; an error of the broker itself may pass.
    match error {
        Some(ResponseError::SaslAuthenticationFailed | ResponseError::IllegalSaslState) => {
            BusError::Denied(text)
        }
        _ => BusError::Unavailable(text),
    }
}

/// A listener that requires a login answers ApiVersions and closes the connection at the next request.
pub fn hint_sasl(error: BusError, address: &Address, security: &Security) -> BusError {
    if security.login.is_some() {
        return error;
    }
    let protocol = Protocol::of(security.tls.is_some(), true);
    BusError::Unavailable(format!(
        "{error}; if this keeps happening, the listener at {address} requires a login: use --kafka-protocol \
         {protocol}, --kafka-mechanism, --kafka-user and --kafka-password-file"
    ))
}

/// Explains a fault at an unreachable address that came from the cluster and not from the user.
pub fn hint_advertised(error: BusError, bootstrap: &[Address], id: i32, address: &Address) -> BusError {
    if bootstrap.contains(address) || !error.is_transient() {
        return error;
    }
    let bootstrap: Vec<String> = bootstrap.iter().map(Address::to_string).collect();
    BusError::Unavailable(format!(
        "{error}. The cluster at {} answers, but says that broker {id} is at {address}, which this host cannot \
         reach: set advertised.listeners of that broker to an address that this host can reach",
        bootstrap.join(",")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_messages_contain_the_value_and_a_fix() {
        let lacking = topic(29, "metrics", "append to a partition", None);
        assert!(
            matches!(&lacking, BusError::Rejected(text) if text.contains("metrics") && text.contains("Write"))
        );
        assert!(topic(6, "metrics", "x", None).is_transient());
        assert!(topic(3, "metrics", "x", None).is_transient());
        assert!(topic(-1, "metrics", "x", None).is_transient());
        assert!(topic(12_345, "metrics", "x", None).is_transient());
        assert_eq!(too_large(29, "metrics", 7, None), None);
        let large = too_large(10, "metrics", 16_635, Some("limit 9000")).expect("too large");
        assert!(matches!(&large, BusError::TooLarge { bytes: 16_635, .. }) && !large.is_transient());
        assert!(large.to_string().contains("limit 9000") && large.to_string().contains("max.message.bytes"));
    }

    #[test]
    fn a_topic_that_already_exists_counts_as_created() {
        let names = ["a".to_string(), "b".to_string()];
        assert_eq!(creation(36, &names, "a", None), None);
        assert_eq!(creation(0, &names, "a", None), None);
        let Some(BusError::Rejected(text)) = creation(31, &names, "a", Some("nope")) else {
            panic!("rejected")
        };
        assert!(text.contains("a, b") && text.contains("LogAppendTime") && text.contains("nope"), "{text}");
        assert!(creation(41, &names, "a", None).is_some_and(|error| error.is_transient()));
    }

    #[test]
    fn the_advertised_listener_is_blamed_only_for_a_transient_fault_at_an_address_of_the_cluster() {
        let [known, named] = ["a:1", "b:2"].map(|text| text.parse::<Address>().expect("an address"));
        let bootstrap = [known.clone(), "c:3".parse().expect("an address")];
        let away = BusError::Unavailable("b:2 cannot be reached".to_owned());
        let hinted = hint_advertised(away.clone(), &bootstrap, 7, &named);
        assert!(hinted.is_transient());
        for word in ["b:2 cannot be reached. ", "a:1,c:3", "broker 7 is at b:2", "advertised.listeners"] {
            assert!(hinted.to_string().contains(word), "{word:?} is missing in: {hinted}");
        }
        assert_eq!(hint_advertised(away.clone(), &bootstrap, 7, &known), away);
        let foreign = BusError::Unsupported("b:2 is not a Kafka broker".to_owned());
        assert_eq!(hint_advertised(foreign.clone(), &bootstrap, 7, &named), foreign);
    }
}
