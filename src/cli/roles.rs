//! The flags of the three roles. Each can also be set by an environment variable.

use super::access::AccessArgs;
use super::kafka::SecurityArgs;
use super::run::read_certificates;
use super::token::TokenArgs;
use super::values;
use crate::bus::Connector;
use crate::bus::kafka::{KafkaClientKind, KafkaConnector};
use crate::driver::credentials::Credentials;
use crate::driver::feeds::FeedFiles;
use crate::driver::{self, prepare::ClientSettings};
use crate::http::{ClientKind, Pinned};
use crate::orchestrator::StoreSettings;
use crate::plan::Defaults;
use crate::store::Keep;
use crate::target::behavior::Stall;
use crate::units::{parse_duration, parse_fraction};
use crate::{orchestrator, target};
use clap::{Args, Parser};
use log::LevelFilter;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The Kafka cluster and the log level.
#[derive(Args, Clone, Debug)]
pub struct KafkaArgs {
    /// Bootstrap brokers
    #[arg(
        long,
        env = "FLOODGATE_KAFKA",
        value_name = "HOST:PORT[,…]",
        value_delimiter = ',',
        required_unless_present = "kafka_config"
    )]
    kafka: Vec<String>,
    /// Topic name prefix, for shared clusters; must be the same for all roles
    #[arg(long, env = "FLOODGATE_TOPIC_PREFIX", default_value = "")]
    topic_prefix: String,
    /// Kafka client: modern for brokers 0.11 to 4.x, legacy for older ones
    #[arg(long, env = "FLOODGATE_KAFKA_CLIENT", value_name = "modern|legacy", default_value = "modern")]
    kafka_client: KafkaClientKind,
    /// TLS and login.
    #[command(flatten)]
    security: SecurityArgs,
    /// How long to wait for the brokers at startup
    #[arg(long, env = "FLOODGATE_CONNECT_TIMEOUT", default_value = "30s", value_parser = connect_timeout)]
    connect_timeout: Duration,
    /// Log lines on standard error: off, error, warn, info, debug or trace
    #[arg(long, env = "FLOODGATE_LOG_LEVEL", default_value = "info", value_parser = values::log_level)]
    pub log_level: LevelFilter,
}

fn connect_timeout(text: &str) -> Result<Duration, String> {
    let most = Duration::from_secs(86_400);
    parse_duration(text)
        .and_then(|d| if d <= most { Ok(d) } else { Err("use a duration up to 24h".to_owned()) })
}

fn fence_after(text: &str) -> Result<Duration, String> {
    let allowed = Duration::from_secs(1)..=Duration::from_secs(3_600);
    parse_duration(text)
        .ok()
        .filter(|after| allowed.contains(after))
        .ok_or_else(|| "use a duration from 1s to 1h".to_owned())
}

/// The bus that the flags describe. The error names the invalid flag.
pub fn bus(args: &KafkaArgs, role: &str) -> Result<Arc<dyn Connector>, String> {
    let settings = args.security.settings(&args.kafka, &args.topic_prefix, args.kafka_client, role)?;
    Ok(Arc::new(KafkaConnector::new(settings)?))
}

/// Manages the fleet, configures and starts tests, and aggregates the drivers' reports.
#[derive(Clone, Debug, Parser)]
#[command(name = "floodgate-orchestrator", version)]
pub struct OrchestratorArgs {
    /// The bus and the log.
    #[command(flatten)]
    pub bus: KafkaArgs,
    /// Listen address of the HTTP API; :8080 means 127.0.0.1:8080; a non-loopback address requires a token
    #[arg(long, env = "FLOODGATE_LISTEN", default_value = "127.0.0.1:8080", value_parser = values::listen)]
    listen: SocketAddr,
    /// The token that every request that changes state must send as Authorization: Bearer TOKEN. Required if
    /// the API listens on a non-loopback address; if absent there, one is generated and printed once.
    #[command(flatten)]
    token: TokenArgs,
    /// Host name under which the API may be reached, besides IP addresses and localhost; repeatable. Requests
    /// for other names are rejected, to protect against DNS rebinding from a browser
    #[arg(
        long = "allow-host",
        env = "FLOODGATE_ALLOW_HOST",
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = values::host_name
    )]
    allow_hosts: Vec<String>,
    /// Folder in which finished tests are saved; created if missing [default: tests are not saved]
    #[arg(long, env = "FLOODGATE_STORE", value_name = "DIR")]
    store: Option<PathBuf>,
    /// Which saved tests to keep, the newest N or those of an age; older ones are removed and logged
    /// [default: all]
    #[arg(long, env = "FLOODGATE_STORE_KEEP", value_name = "100|30d", requires = "store")]
    store_keep: Option<Keep>,
    /// How much older than the newest test a test may be to be continued or listed after a start
    #[arg(long, env = "FLOODGATE_HISTORY", default_value = "24h", value_parser = values::history)]
    history: Duration,
}

impl OrchestratorArgs {
    /// The role's configuration.
    pub fn config(&self) -> Result<orchestrator::Config, String> {
        Ok(orchestrator::Config {
            listen: Some(self.listen),
            token: self.token.read()?,
            hosts: self.allow_hosts.clone(),
            connect_timeout: self.bus.connect_timeout,
            history: self.history,
            store: self.store.clone().map(|dir| StoreSettings { dir, keep: self.store_keep }),
        })
    }
}

/// Waits for plans, loads the target, and reports what actually happened.
///
/// Load settings such as --rate apply only if a plan does not set its own.
#[derive(Clone, Debug, Parser)]
#[command(name = "floodgate-driver", version)]
pub struct DriverArgs {
    /// The bus and the log.
    #[command(flatten)]
    pub bus: KafkaArgs,
    /// Unique name of this driver in the fleet
    #[arg(long, env = "FLOODGATE_NODE_ID", value_parser = values::node_id)]
    node_id: String,
    /// Address shown for this node
    #[arg(long, env = "FLOODGATE_NODE_IP", value_parser = values::node_ip)]
    node_ip: String,
    /// URL to load; plans for any other host are refused
    #[arg(long, env = "FLOODGATE_TARGET", value_name = "URL", value_parser = values::url)]
    target: String,
    /// Another host that plans may load; repeatable
    #[arg(
        long = "allow-target",
        env = "FLOODGATE_ALLOW_TARGET",
        value_name = "HOST[:PORT]",
        value_delimiter = ','
    )]
    allow_targets: Vec<String>,
    /// Orchestrator address, shown in the process list only; drivers communicate through Kafka alone
    #[arg(long, env = "FLOODGATE_ORCHESTRATOR", value_name = "URL", value_parser = values::url)]
    orchestrator: Option<String>,
    /// Stop a running load when Kafka, and so a STOP, could not be read for this long; its report is kept
    /// until Kafka is back
    #[arg(long, env = "FLOODGATE_FENCE_AFTER", default_value = "30s", value_parser = fence_after)]
    fence_after: Duration,
    /// Folder in which this driver saves what it counted in each test; created if missing [default: none]
    #[arg(long, env = "FLOODGATE_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Folder with the files of feeds that plans name but do not contain
    #[arg(long, env = "FLOODGATE_FEEDS", value_name = "DIR")]
    feeds: Option<PathBuf>,
    /// Requests per second of this driver, for avalanche (closed loop or fixed rate)
    #[arg(long, env = "FLOODGATE_RATE", value_parser = values::rate, allow_negative_numbers = true)]
    rate: Option<f64>,
    /// Gap between the starts of two requests, for tsunami (fixed interval)
    #[arg(long, env = "FLOODGATE_DELAY", value_parser = values::delay, allow_negative_numbers = true)]
    delay: Option<Duration>,
    /// Requests of this driver
    #[arg(long, env = "FLOODGATE_REQUESTS", value_parser = values::requests, allow_negative_numbers = true)]
    requests: Option<u64>,
    /// Connections of this driver [default: 16]
    #[arg(
        long,
        env = "FLOODGATE_CONNECTIONS",
        value_parser = values::connections,
        allow_negative_numbers = true
    )]
    connections: Option<u32>,
    /// Response timeout
    #[arg(long, env = "FLOODGATE_TIMEOUT", value_parser = values::timeout, allow_negative_numbers = true)]
    timeout: Option<Duration>,
    /// HTTP client [default: depends on the URL]
    #[arg(long, env = "FLOODGATE_CLIENT", value_name = "native|ureq")]
    client: Option<ClientKind>,
    /// PEM file of CA certificates to trust in addition to the public roots
    #[arg(long, env = "FLOODGATE_CA_CERT", value_name = "FILE")]
    ca_cert: Option<PathBuf>,
    /// Credentials and certificates: the credentials go to the host of --target only, and never replace those
    /// of a plan.
    #[command(flatten)]
    access: AccessArgs,
    /// Threads of the native client [default: number of cores minus one]
    #[arg(long, env = "FLOODGATE_THREADS", value_parser = values::threads, allow_negative_numbers = true)]
    threads: Option<usize>,
    /// Use this address for HOST:PORT instead of looking HOST up; repeatable
    #[arg(long, env = "FLOODGATE_RESOLVE", value_name = "HOST:PORT:ADDR", value_delimiter = ',')]
    resolve: Vec<Pinned>,
}

impl DriverArgs {
    /// The role's configuration.
    pub fn config(&self) -> Result<driver::Config, String> {
        Ok(driver::Config {
            node_id: self.node_id.clone(),
            node_ip: self.node_ip.clone(),
            defaults: Defaults {
                target_url: Some(self.target.clone()),
                rate: self.rate,
                delay: self.delay,
                requests: self.requests,
                connections: self.connections,
                timeout: self.timeout,
            },
            allow_targets: self.allow_targets.clone(),
            clients: ClientSettings {
                client: self.client,
                ca_pem: self.ca_cert.as_deref().map(read_certificates).transpose()?,
                identity: self.access.identity()?,
                insecure: self.access.insecure,
                credentials: self
                    .access
                    .authorization()?
                    .map(|v| Credentials::new(&self.target, &v))
                    .transpose()?,
                unix_socket: self.access.unix_socket.clone(),
                proxy: self.access.proxy()?,
                threads: self.threads,
                pinned: self.resolve.clone(),
                feeds: self.feeds.clone().map_or(FeedFiles::Nowhere, FeedFiles::Folder),
                ..ClientSettings::default()
            },
            connect_timeout: self.bus.connect_timeout,
            fence_after: Some(self.fence_after),
            data: self.data.clone(),
        })
    }
}

/// A server to load: GET /ping answers pong, GET /metrics returns its counters.
#[derive(Clone, Debug, Parser)]
#[command(name = "floodgate-target", version)]
pub struct TargetArgs {
    /// Listen address; :8000 means 127.0.0.1:8000
    #[arg(long, env = "FLOODGATE_LISTEN", default_value = "127.0.0.1:8000", value_parser = values::listen)]
    listen: SocketAddr,
    /// Response delay
    #[arg(long, env = "FLOODGATE_DELAY", default_value = "0", value_parser = values::answer_delay)]
    delay: Duration,
    /// Fraction of requests answered with status 500, evenly spread, like 1%
    #[arg(long, env = "FLOODGATE_ERROR_RATE", default_value = "0", value_parser = parse_fraction)]
    error_rate: f64,
    /// Stall all responses periodically: 10s:1s stalls for 1s every 10s
    #[arg(long, env = "FLOODGATE_STALL", value_name = "EVERY:FOR")]
    stall: Option<Stall>,
    /// Log lines on standard error: off, error, warn, info, debug or trace
    #[arg(long, env = "FLOODGATE_LOG_LEVEL", default_value = "info", value_parser = values::log_level)]
    pub log_level: LevelFilter,
}

impl TargetArgs {
    /// The role's configuration.
    pub fn config(&self) -> target::Config {
        let TargetArgs { listen, delay, error_rate, stall, .. } = *self;
        target::Config { listen, delay, error_rate, stall }
    }
}
