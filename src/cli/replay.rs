//! The flags of `floodgate replay`.

use super::kafka::SecurityArgs;
use super::output::{OutputArgs, SpeechArgs};
use crate::bus::kafka::{KafkaClientKind, KafkaConnector};
use crate::run::replay::{Settings, Source};
use clap::{ArgGroup, Args};
use std::path::PathBuf;
use std::sync::Arc;

/// Flags of `floodgate replay`.
#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("brokers").args(["kafka", "kafka_config"]).multiple(true))]
pub struct ReplayArgs {
    /// A saved run, or its records.jsonl
    #[arg(
        value_name = "DIR|FILE",
        required_unless_present_any = ["kafka", "kafka_config"],
        conflicts_with = "kafka"
    )]
    path: Option<PathBuf>,
    /// Read the records from the topics of these brokers
    #[arg(long, value_name = "HOST:PORT[,…]", value_delimiter = ',', requires = "test_id")]
    kafka: Vec<String>,
    /// The test to recompute [default: the first one in the file]
    #[arg(long, value_name = "ID")]
    test_id: Option<String>,
    /// Topic name prefix
    #[arg(long, default_value = "", requires = "brokers")]
    topic_prefix: String,
    /// Kafka client: modern for brokers 0.11 to 4.x, legacy for older ones
    #[arg(long, value_name = "modern|legacy", default_value = "modern", requires = "brokers")]
    kafka_client: KafkaClientKind,
    /// TLS and login.
    #[command(flatten)]
    security: SecurityArgs,
    /// Where the result goes.
    #[command(flatten)]
    output: OutputArgs,
    /// What is said on standard error.
    #[command(flatten)]
    pub speech: SpeechArgs,
}

impl ReplayArgs {
    /// Checks the combination of flags.
    ///
    /// # Errors
    /// Names the flag and says what is allowed.
    pub fn settings(self) -> Result<Settings, String> {
        if let Some(id) = &self.test_id {
            crate::store::check_id(id).map_err(|e| format!("--test-id: {e}"))?;
        }
        let source = match (self.path, self.test_id) {
            (Some(path), test_id) => Source::Path { path, test_id },
            (None, Some(test_id)) => {
                let settings =
                    self.security.settings(&self.kafka, &self.topic_prefix, self.kafka_client, "replay")?;
                Source::Bus { connector: Arc::new(KafkaConnector::new(settings)?), test_id }
            }
            (None, None) => {
                return Err("--test-id ID is missing: which test on these brokers to recompute".to_owned());
            }
        };
        Ok(Settings { source, output: self.output.output()? })
    }
}
