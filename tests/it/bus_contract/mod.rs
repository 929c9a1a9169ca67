//! The contract of every bus, as one test suite over a connector. An implementation joins it with one line.

mod cases;

use crate::support::kafka::Listener::{Mtls, SaslPlaintext, SaslSsl};
use crate::support::{kafka, old_kafka};
use floodgate::bus::Connector;
use floodgate::bus::kafka::KafkaClientKind::{Legacy, Modern};
use floodgate::bus::kafka::security::{Hash, Mechanism};
use floodgate::bus::local::LocalConnector;
use std::any::Any;

/// A connector under test, prepared, on topics that nobody else uses.
pub struct Subject {
    /// Opens the handles.
    pub connector: Box<dyn Connector>,
    /// Whether records carry the broker's append time.
    pub append_time: bool,
    /// Kept until the test ends.
    #[allow(dead_code)]
    pub held: Box<dyn Any>,
}

/// Makes a test of each case in `cases.rs`: `bus_contract!(name, setup)`, where `setup` takes the case's name
/// and returns a [`Subject`]. Attributes before the name are added to every test.
macro_rules! bus_contract {
    ($(#[$attr:meta])* $suite:ident, $setup:expr) => {
        mod $suite {
            #[allow(unused_imports)]
            use super::*;
            bus_contract! { @cases [$(#[$attr])*] $setup;
                records_arrive_in_order
                from_the_end_only_newer_records_are_seen
                from_the_beginning_all_records_are_seen
                reading_resumes_at_a_saved_position
                a_position_without_partitions_reads_from_the_beginning
                reading_starts_at_a_time
                a_time_after_the_last_record_starts_at_the_end
                the_end_moves_with_each_record
                one_handle_reads_several_topics
                a_silent_topic_does_not_hold_up_another
                two_handles_see_the_same_records
                append_times_are_present_and_never_decrease
                keys_are_kept
                empty_keys_and_values_are_kept
                any_bytes_are_kept
                a_large_record_is_delivered
                a_record_over_the_limit_is_rejected_with_a_reason
                many_records_arrive_over_several_polls
                poll_respects_its_timeout
                poll_without_subscription_waits_and_is_empty
                concurrent_publishers_lose_nothing
                a_waiting_poller_is_woken_promptly
                a_poll_without_a_timeout_is_woken
                a_publish_after_an_idle_poll_is_prompt
                a_new_subscription_moves_the_old_one
                preparing_again_changes_nothing
            }
        }
    };
    (@cases $attrs:tt $setup:expr; $($case:ident)*) => {
        $( bus_contract! { @case $attrs $setup; $case } )*
    };
    (@case [$($attr:tt)*] $setup:expr; $case:ident) => {
        #[test]
        $($attr)*
        fn $case() {
            cases::$case(&($setup)(stringify!($case)));
        }
    };
}

bus_contract!(local, |_case| Subject {
    connector: Box::new(LocalConnector::new()),
    append_time: true,
    held: Box::new(()),
});
bus_contract!(
    #[ignore = "needs a Kafka broker: just test-kafka"]
    kafka_3_9_modern,
    |case| kafka::subject("3.9.1", Modern, case)
);
bus_contract!(
    #[ignore = "needs a Kafka broker: just test-kafka"]
    kafka_4_3_modern,
    |case| kafka::subject("4.3.0", Modern, case)
);
bus_contract!(
    #[ignore = "needs a Kafka broker: just test-kafka"]
    kafka_3_9_legacy,
    |case| kafka::subject("3.9.1", Legacy, case)
);
bus_contract!(
    #[ignore = "needs a Kafka broker: just test-kafka"]
    kafka_limited_to_the_versions_of_0_11,
    |case| kafka::subject_at(&old_kafka::in_front_of(&kafka::broker("3.9.1")), Modern, case)
);
bus_contract!(
    #[ignore = "needs a Kafka broker: just test-kafka"]
    kafka_3_9_mutual_tls,
    |case| kafka::secure_subject("3.9.1", Mtls, case)
);
bus_contract!(
    #[ignore = "needs a Kafka broker: just test-kafka"]
    kafka_3_9_scram_sha_256,
    |case| kafka::secure_subject("3.9.1", SaslPlaintext(Mechanism::Scram(Hash::Sha256)), case)
);
bus_contract!(
    #[ignore = "needs a Kafka broker: just test-kafka"]
    kafka_4_3_tls_and_scram_sha_512,
    |case| kafka::secure_subject("4.3.0", SaslSsl(Mechanism::Scram(Hash::Sha512)), case)
);
bus_contract!(
    #[ignore = "needs a Kafka broker: just test-kafka"]
    kafka_4_3_plain,
    |case| kafka::secure_subject("4.3.0", SaslPlaintext(Mechanism::Plain), case)
);
bus_contract!(
    #[ignore = "needs a Kafka broker: just test-kafka"]
    kafka_4_3_tls_and_tokens,
    |case| kafka::secure_subject("4.3.0", SaslSsl(Mechanism::OauthBearer), case)
);
