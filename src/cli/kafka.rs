//! The flags that say how to reach a Kafka cluster that asks for TLS or a login. Secrets come from the
//! environment or from files, never from the command line, which every user of a host can read.

use crate::bus::Topic;
use crate::bus::kafka::security::{Given, Mechanism, Protocol, Secret, read_secret};
use crate::bus::kafka::{KafkaClientKind, KafkaSettings, Right};
use clap::Args;
use std::path::PathBuf;

/// The password's variable; there is no flag for it.
const PASSWORD: &str = "FLOODGATE_KAFKA_PASSWORD";

/// TLS and login.
#[derive(Args, Clone, Debug, Default)]
pub struct SecurityArgs {
    /// A Kafka client's properties file, such as a provider's client.properties; flags override it in
    /// groups (trust, client certificate, login)
    #[arg(long, env = "FLOODGATE_KAFKA_CONFIG", value_name = "FILE")]
    kafka_config: Option<PathBuf>,
    /// How to connect: plaintext, ssl, sasl_plaintext or sasl_ssl [default: the safest that the other flags
    /// need; plaintext without any]
    #[arg(long, env = "FLOODGATE_KAFKA_PROTOCOL", value_name = "PROTOCOL")]
    kafka_protocol: Option<Protocol>,
    /// PEM file of the only CA certificates to trust for Kafka [default: the public roots]
    #[arg(long, env = "FLOODGATE_KAFKA_CA", value_name = "FILE")]
    kafka_ca: Option<PathBuf>,
    /// PEM file of the client certificate with its chain, for brokers that demand one
    #[arg(long, env = "FLOODGATE_KAFKA_CERT", value_name = "FILE")]
    kafka_cert: Option<PathBuf>,
    /// PEM file of the certificate's key, without a passphrase [default: the file of --kafka-cert]
    #[arg(long, env = "FLOODGATE_KAFKA_KEY", value_name = "FILE")]
    kafka_key: Option<PathBuf>,
    /// How to log in: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER
    #[arg(long, env = "FLOODGATE_KAFKA_MECHANISM", value_name = "MECHANISM")]
    kafka_mechanism: Option<Mechanism>,
    /// Who logs in; with --kafka-token-url, the client id
    #[arg(long, env = "FLOODGATE_KAFKA_USER", value_name = "NAME")]
    kafka_user: Option<String>,
    /// File that contains the password or client secret; or set FLOODGATE_KAFKA_PASSWORD
    #[arg(long, env = "FLOODGATE_KAFKA_PASSWORD_FILE", value_name = "FILE")]
    kafka_password_file: Option<PathBuf>,
    /// File that contains the token for OAUTHBEARER; it is read again at each login
    #[arg(long, env = "FLOODGATE_KAFKA_TOKEN_FILE", value_name = "FILE")]
    kafka_token_file: Option<PathBuf>,
    /// Endpoint that issues tokens for OAUTHBEARER (client credentials)
    #[arg(long, env = "FLOODGATE_KAFKA_TOKEN_URL", value_name = "URL")]
    kafka_token_url: Option<String>,
    /// The scope to ask for there
    #[arg(long, env = "FLOODGATE_KAFKA_TOKEN_SCOPE", value_name = "SCOPE")]
    kafka_token_scope: Option<String>,
    /// PEM file of the only CA certificates to trust for --kafka-token-url [default: the public roots and
    /// those of --kafka-ca]
    #[arg(long, env = "FLOODGATE_KAFKA_TOKEN_CA", value_name = "FILE")]
    kafka_token_ca: Option<PathBuf>,
}

impl SecurityArgs {
    /// The settings of the flags, the environment and the properties file together. Keys of the file without
    /// a meaning here are logged.
    fn given(&self) -> Result<Given, String> {
        let own = |flag, path: &Option<PathBuf>, is_own| {
            path.as_deref().map(|path| Given::read_pem(flag, path, is_own)).transpose()
        };
        let flags = Given {
            protocol: self.kafka_protocol,
            mechanism: self.kafka_mechanism,
            user: self.kafka_user.clone(),
            password: self.password()?,
            ca: own("--kafka-ca", &self.kafka_ca, false)?,
            cert: own("--kafka-cert", &self.kafka_cert, true)?,
            key: own("--kafka-key", &self.kafka_key, true)?,
            token_file: self.kafka_token_file.clone(),
            token_url: self.kafka_token_url.clone(),
            token_scope: self.kafka_token_scope.clone(),
            token_ca: own("--kafka-token-ca", &self.kafka_token_ca, false)?,
            ..Given::default()
        };
        let Some(path) = &self.kafka_config else { return Ok(flags) };
        let (file, ignored) = Given::from_properties(path).map_err(|why| format!("--kafka-config {why}"))?;
        if !ignored.is_empty() {
            log::warn!(
                "--kafka-config {}: ignored, without a meaning here: {}",
                path.display(),
                ignored.join(", ")
            );
        }
        Ok(flags.or(file))
    }

    fn password(&self) -> Result<Option<Secret>, String> {
        let variable = std::env::var_os(PASSWORD).filter(|text| !text.is_empty());
        match (&self.kafka_password_file, variable) {
            (Some(_), Some(_)) => {
                Err(format!("specify the password once: with --kafka-password-file or with {PASSWORD}"))
            }
            (Some(path), None) => {
                let secret = read_secret(path);
                secret.map(Some).map_err(|why| format!("--kafka-password-file {} {why}", path.display()))
            }
            (None, Some(text)) => match text.into_string() {
                Ok(text) => Ok(Some(Secret::new(text))),
                Err(_) => Err(format!("{PASSWORD} is not UTF-8")),
            },
            (None, None) => Ok(None),
        }
    }

    /// The settings of a role that connects to `brokers`, or to those of the properties file.
    ///
    /// # Errors
    /// Which flag is missing or invalid, never a secret.
    pub fn settings(
        &self,
        brokers: &[String],
        topic_prefix: &str,
        client: KafkaClientKind,
        role: &str,
    ) -> Result<KafkaSettings, String> {
        let given = self.given()?;
        let brokers = if brokers.is_empty() { given.brokers.clone() } else { brokers.to_vec() };
        if brokers.is_empty() {
            return Err("--kafka-config names no bootstrap.servers: use --kafka HOST:PORT[,…]".to_owned());
        }
        Ok(KafkaSettings {
            topic_prefix: topic_prefix.to_owned(),
            client,
            client_id: format!("floodgate-{role}"),
            security: given.check()?,
            rights: rights(role),
            ..KafkaSettings::new(brokers)
        })
    }
}

/// What a role needs to do with each topic, and so the least that Kafka's ACLs must allow it.
fn rights(role: &str) -> Vec<(Topic, Right)> {
    let (reads, writes): (&[Topic], &[Topic]) = match role {
        "driver" => (
            &[Topic::Register, Topic::TestConfig, Topic::Trigger],
            &[Topic::Register, Topic::Metrics, Topic::Heartbeat],
        ),
        "orchestrator" => {
            (&Topic::ALL, &[Topic::Register, Topic::TestConfig, Topic::Trigger, Topic::Metrics])
        }
        _ => (&[Topic::TestConfig, Topic::Trigger, Topic::Metrics], &[]),
    };
    let with = |topics: &[Topic], right| topics.iter().map(move |topic| (*topic, right)).collect::<Vec<_>>();
    [with(reads, Right::Read), with(writes, Right::Write)].concat()
}
