//! The flags of `floodgate run`.

use super::output::{OutputArgs, SpeechArgs};
use super::token::TokenArgs;
use super::values;
use crate::driver::prepare::ClientSettings;
use crate::http::{ClientKind, Pinned};
use crate::message::{OnDriverLoss, RequestSpec, TestConfig, TestType, Totals};
use crate::plan::request::{MAX_BODY_BYTES, Request};
use crate::plan::{DEFAULT_CONNECTIONS, Plan, PlanError, check_split};
use crate::run::{Place, Settings, embedded, remote};
use crate::thresholds;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Flags of `floodgate run`; rates, counts and connections are totals over all drivers.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// URL to load [default: a target in this process]
    #[arg(value_name = "URL", value_parser = values::url)]
    place: Option<String>,
    /// URL to load, as a flag
    #[arg(long, value_parser = values::url, conflicts_with = "place")]
    url: Option<String>,
    /// Send half of the requests to this URL at the same time, and compare it (B) with the other one (A)
    #[arg(long, value_name = "URL_OF_B", value_parser = values::url)]
    ab: Option<String>,
    /// avalanche (closed loop or fixed rate): as fast as the target responds, or at --rate; tsunami (fixed
    /// interval): one request every --delay
    #[arg(long, value_name = "avalanche|tsunami", value_parser = values::test_type)]
    test_type: Option<TestType>,
    /// Gap between the starts of two requests of a driver; implies tsunami [default: 10ms]
    #[arg(long, value_parser = values::delay, allow_negative_numbers = true)]
    delay: Option<Duration>,
    /// Requests per second, over all drivers, for avalanche [default: closed loop]
    #[arg(long, value_parser = values::fleet_rate, allow_negative_numbers = true)]
    rate: Option<f64>,
    /// Requests per second of each driver, instead of --rate
    #[arg(long, value_name = "RATE", value_parser = values::rate, allow_negative_numbers = true,
        conflicts_with_all = ["rate", "stages"])]
    rate_per_driver: Option<f64>,
    /// Total number of requests, over all drivers
    #[arg(short = 'n', long, value_parser = values::requests, allow_negative_numbers = true)]
    requests: Option<u64>,
    /// Requests of each driver, instead of --requests
    #[arg(long, value_name = "REQUESTS", value_parser = values::requests, allow_negative_numbers = true,
        conflicts_with = "requests")]
    requests_per_driver: Option<u64>,
    /// Duration of the test; -z as in oha and hey (not -d: it is the duration in wrk, but the body in curl)
    /// [default: 10s, or no limit with --requests]
    #[arg(short = 'z', long, value_parser = values::duration, allow_negative_numbers = true)]
    duration: Option<Duration>,
    /// Warm-up before the measurement; counted separately [default: none]
    #[arg(long, value_parser = values::warmup, allow_negative_numbers = true)]
    warmup: Option<Duration>,
    /// When a driver is lost, go on with the others, or stop them and fail [default: continue]
    #[arg(long, value_name = "continue|fail", value_parser = values::on_driver_loss)]
    on_driver_loss: Option<OnDriverLoss>,
    /// Fail (exit code 3) if this is true, like 'p99 > 250ms', 'errors > 1% for 10s' or 'max > 2s, abort';
    /// repeatable
    #[arg(long, value_name = "CONDITION", value_parser = values::condition)]
    fail_if: Vec<String>,
    /// Linear ramps of the rate over all drivers: 30s:100,1m:500 goes to 100/s within 30 s, then to 500/s
    /// within 1 min
    #[arg(long, value_parser = values::stages, conflicts_with_all = ["duration", "delay"])]
    stages: Option<values::Stages>,
    /// Number of drivers in this process [default: 2, or 1 with a URL]
    #[arg(
        long,
        value_parser = values::drivers,
        allow_negative_numbers = true,
        conflicts_with = "orchestrator"
    )]
    drivers: Option<usize>,
    /// Total number of connections, over all drivers [default: 16, or one per driver if there are more
    /// drivers]
    #[arg(short = 'c', long, value_parser = values::fleet_connections, allow_negative_numbers = true)]
    connections: Option<u32>,
    /// Connections of each driver, instead of --connections
    #[arg(long, value_name = "CONNECTIONS", value_parser = values::connections, allow_negative_numbers = true,
        conflicts_with = "connections")]
    connections_per_driver: Option<u32>,
    /// HTTP method [default: GET, or POST with --body]
    #[arg(short = 'X', long)]
    method: Option<String>,
    /// Request header; repeatable
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = values::header)]
    headers: Vec<(String, String)>,
    /// Request body, or @FILE to read it from a file; at most 700,000 bytes
    #[arg(long, value_name = "TEXT|@FILE")]
    body: Option<String>,
    /// Rejected because tools disagree on its meaning: a wrk user's duration would be sent as a body.
    #[arg(short = 'd', hide = true, value_parser = values::neither)]
    ambiguous: Option<String>,
    /// Response timeout [default: 10s]
    #[arg(long, value_parser = values::timeout, allow_negative_numbers = true)]
    timeout: Option<Duration>,
    /// HTTP client [default: depends on the URL]
    #[arg(long, value_name = "native|ureq")]
    client: Option<ClientKind>,
    /// PEM file of CA certificates to trust in addition to the public roots
    #[arg(long, value_name = "FILE", conflicts_with = "orchestrator")]
    ca_cert: Option<PathBuf>,
    /// Threads of the native client in each driver [default: number of cores minus one]
    #[arg(
        long,
        value_parser = values::threads,
        allow_negative_numbers = true,
        conflicts_with = "orchestrator"
    )]
    threads: Option<usize>,
    /// Open a new connection for each request
    #[arg(long, conflicts_with = "max_requests_per_connection")]
    new_connection_per_request: bool,
    /// Open a new connection after this many requests [default: no limit]
    #[arg(long, value_name = "N", value_parser = values::per_connection, allow_negative_numbers = true)]
    max_requests_per_connection: Option<u64>,
    /// Use this address for HOST:PORT instead of looking HOST up; repeatable
    #[arg(long, value_name = "HOST:PORT:ADDR", conflicts_with = "orchestrator")]
    resolve: Vec<Pinned>,
    /// Where the result goes.
    #[command(flatten)]
    output: OutputArgs,
    /// Save the result, its series, histograms and records in a new folder inside DIR
    #[arg(long, value_name = "DIR", conflicts_with = "orchestrator")]
    out: Option<PathBuf>,
    /// Run the test on the fleet of this orchestrator (http://HOST:PORT)
    #[arg(long, value_name = "URL", value_parser = values::url)]
    orchestrator: Option<String>,
    /// The orchestrator's token.
    #[command(flatten)]
    token: TokenArgs,
    /// What is said on standard error.
    #[command(flatten)]
    pub speech: SpeechArgs,
}

impl RunArgs {
    /// Checks the combination of flags. The error names the flag and says what is allowed.
    pub fn settings(mut self) -> Result<Settings, String> {
        self.url = self.place.take().or(self.url);
        self.check_token()?;
        if let (Some(b), None) = (&self.ab, &self.url) {
            return Err(format!(
                "--ab {b} needs another URL to compare it with: floodgate run URL_OF_A --ab {b}"
            ));
        }
        let plan = self.plan()?;
        thresholds::check(&plan).and_then(|()| Plan::as_written(&plan)).map_err(|errors| say(&errors))?;
        if self.orchestrator.is_none() {
            check_split(&plan, self.local_drivers()).map_err(|error| say(&[error]))?;
        }
        for url in self.url.iter().chain(&self.ab) {
            let request = Request::get(url)?;
            if let Some(client) = self.client.filter(|client| !client.serves(&request)) {
                return Err(format!("--client {client} cannot send {url}: use --client ureq, or omit it"));
            }
        }
        let place = match self.orchestrator {
            Some(url) => Place::Remote(remote::Config { url, token: self.token.read()? }),
            None => Place::Embedded(embedded::Config {
                drivers: self.local_drivers(),
                out: self.out,
                clients: ClientSettings {
                    ca_pem: self.ca_cert.as_deref().map(read_certificates).transpose()?,
                    threads: self.threads,
                    pinned: self.resolve,
                    client: None,
                    ..ClientSettings::default()
                },
            }),
        };
        let quiet = self.speech.is_quiet();
        Ok(Settings { plan, place, output: self.output.output()?, quiet })
    }

    /// A token without an orchestrator is a mistake, unless it comes from the environment: it may be for
    /// other runs.
    fn check_token(&self) -> Result<(), String> {
        if self.token.is_flag() && self.orchestrator.is_none() {
            return Err("--token is used only with an orchestrator: add --orchestrator URL, or omit --token"
                .to_owned());
        }
        Ok(())
    }

    fn plan(&self) -> Result<TestConfig, String> {
        let implied = if self.delay.is_some() { TestType::Tsunami } else { TestType::Avalanche };
        let test_type = self.test_type.unwrap_or(implied);
        if test_type == TestType::Avalanche && self.delay.is_some() {
            return Err("--delay is for --test-type tsunami; use --rate to pace avalanche".to_owned());
        }
        let ms = |duration: Duration| duration.as_millis() as u64;
        let mut plan = TestConfig::new(&format!("run-{}", uuid::Uuid::new_v4()), test_type);
        plan.test_message_delay = self.delay.map(|delay| delay.as_secs_f64() * 1e3);
        plan.message_count_per_driver = self.requests_per_driver;
        plan.target_throughput = self.rate_per_driver;
        plan.duration_ms = self.duration.map(ms);
        plan.warmup_ms = self.warmup.map(ms);
        plan.on_driver_loss = self.on_driver_loss;
        plan.thresholds = self.fail_if.clone();
        plan.connections = self.connections_per_driver;
        plan.fleet = Some(self.totals()).filter(|fleet| *fleet != Totals::default());
        plan.timeout_ms = self.timeout.map(ms);
        let one = self.new_connection_per_request.then_some(1);
        plan.max_requests_per_connection = self.max_requests_per_connection.or(one);
        plan.client = self.client.map(|client| client.to_string());
        match (&self.url, &self.ab) {
            (Some(a), Some(b)) => plan.ab = vec![a.clone(), b.clone()],
            _ => plan.target_url = self.url.clone(),
        }
        plan.request = self.request()?;
        Ok(plan)
    }

    fn totals(&self) -> Totals {
        // On a remote fleet the drivers' own settings fill in what the plan leaves open.
        let open = self.orchestrator.is_none() && self.connections_per_driver.is_none();
        let least = if self.ab.is_some() { 2 } else { 1 } * self.local_drivers() as u32;
        let usual = open.then(|| DEFAULT_CONNECTIONS.max(least));
        Totals {
            rate: self.rate,
            requests: self.requests,
            connections: self.connections.or(usual),
            stages: self.stages.clone().map_or_else(Vec::new, |stages| stages.0),
        }
    }

    /// How many drivers are started in this process.
    fn local_drivers(&self) -> usize {
        self.drivers.unwrap_or(if self.url.is_some() { 1 } else { 2 })
    }

    fn request(&self) -> Result<Option<RequestSpec>, String> {
        let implied = self.body.as_ref().map(|_| "POST".to_owned());
        let method = self.method.clone().or(implied);
        if method.is_none() && self.headers.is_empty() && self.body.is_none() {
            return Ok(None);
        }
        let mut spec = RequestSpec { method, headers: self.headers.clone(), ..RequestSpec::default() };
        if let Some(body) = &self.body {
            match String::from_utf8(read_body(body)?) {
                Ok(text) if is_plain(&text) => spec.body = Some(text),
                Ok(text) => spec.body_base64 = Some(BASE64.encode(text)),
                Err(bytes) => spec.body_base64 = Some(BASE64.encode(bytes.as_bytes())),
            }
        }
        Ok(Some(spec))
    }
}

/// Whether a text takes no more space in JSON than in base64; JSON needs six bytes for each control
/// character.
fn is_plain(text: &str) -> bool {
    let escaped: usize = text
        .bytes()
        .map(|b| match b {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
            0..0x20 => 6,
            _ => 1,
        })
        .sum();
    escaped <= text.len() / 3 * 4 + 4
}

fn read_body(given: &str) -> Result<Vec<u8>, String> {
    let Some(path) = given.strip_prefix('@') else { return Ok(given.as_bytes().to_vec()) };
    read_limited(Path::new(path), MAX_BODY_BYTES as u64).map_err(|e| format!("--body {given}: {e}"))
}

/// Reads a certificate file.
pub fn read_certificates(path: &Path) -> Result<Vec<u8>, String> {
    let name = path.display();
    let bytes = read_limited(path, 16 << 20).map_err(|e| format!("--ca-cert {name}: {e}"))?;
    if !String::from_utf8_lossy(&bytes).contains("-----BEGIN CERTIFICATE-----") {
        return Err(format!("--ca-cert {name}: contains no PEM certificate"));
    }
    Ok(bytes)
}

fn read_limited(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|e| format!("cannot be opened: {e}"))?;
    file.take(most + 1).read_to_end(&mut bytes).map_err(|e| format!("cannot be read: {e}"))?;
    if bytes.len() as u64 > most {
        return Err(format!("is too large: at most {most} bytes"));
    }
    Ok(bytes)
}

/// Translates a plan's errors into the terms of the command line.
fn say(errors: &[PlanError]) -> String {
    let flag = |field: &'static str| match field {
        "test_message_delay" => "--delay",
        "message_count_per_driver" => "--requests-per-driver",
        "fleet.requests" => "--requests",
        "target_throughput" => "--rate-per-driver",
        "fleet.rate" => "--rate",
        "duration_ms" => "--duration",
        "warmup_ms" => "--warmup",
        "timeout_ms" => "--timeout",
        "connections" => "--connections-per-driver",
        "fleet.connections" => "--connections",
        "max_requests_per_connection" => "--max-requests-per-connection",
        "fleet.stages" => "--stages",
        "client" => "--client",
        "thresholds" => "--fail-if",
        "target_url" => "--url",
        "ab" => "--ab",
        other => other,
    };
    let wire = [("test_message_delay", "--delay"), ("AVALANCHE", "avalanche"), ("TSUNAMI", "tsunami")];
    let reason = |text: &str| wire.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    let lines = errors.iter().map(|e| match e.field {
        // The reason names the part of the request.
        "request" => reason(&e.reason),
        field => format!("{}: {}", flag(field), reason(&e.reason)),
    });
    lines.collect::<Vec<_>>().join("\n")
}
