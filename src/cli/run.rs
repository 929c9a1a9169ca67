//! The flags of `floodgate run`.

use super::access::{AccessArgs, MAX_PEM_BYTES};
use super::expect::ExpectArgs;
use super::feeds;
use super::output::{OutputArgs, SpeechArgs};
use super::plan::{Merged, load};
use super::recording::RecordingArgs;
use super::token::TokenArgs;
use super::urls::{self, UrlFile};
use super::values::{self, Word};
use crate::driver::feeds::FeedFiles;
use crate::driver::prepare::ClientSettings;
use crate::files::read_limited;
use crate::http::{ClientKind, Pinned};
use crate::message::{OnDriverLoss, TestType};
use crate::plan::feed_options::FeedOptions;
use crate::plan::options::{Options, RequestOptions};
use crate::plan::request::{ENCODINGS, MAX_BODY_BYTES};
use crate::plan::written::origin;
use crate::plan::{Plan, check_split};
use crate::run::{Place, Settings, embedded, remote};
use crate::schedule::supply;
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Flags of `floodgate run`; rates, counts and connections are totals over all drivers.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// URL to load [default: a target in this process], or a plan file, which flags override
    #[arg(value_name = "URL|PLAN.toml", value_parser = values::word)]
    place: Option<Word>,
    /// URL to load, as a flag
    #[arg(long, value_parser = values::url)]
    url: Option<String>,
    /// Request the paths or URLs in this file in turn, one a line; how they are chosen may follow, like
    /// urls.txt:random. Or vegeta's targets: up to 50 different ones, each with its share
    #[arg(long, value_name = "FILE[:PICK]", value_parser = urls::flag)]
    urls: Option<UrlFile>,
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
    /// Recorded times.
    #[command(flatten)]
    recording: RecordingArgs,
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
    /// What a response must look like.
    #[command(flatten)]
    expect: ExpectArgs,
    /// Rows of data for {{NAME.COLUMN}} in URL, headers and body: a CSV file with a header line, or JSONL;
    /// how rows are chosen may follow, like users=users.csv:unique; repeatable
    #[arg(long = "feed", value_name = "NAME=FILE[:PICK]", value_parser = feeds::flag)]
    feeds: Vec<FeedOptions>,
    /// Number from which {{uuid}}, {{int(1,20)}} and other random values follow [default: follows from the
    /// test id]
    #[arg(long, value_parser = values::seed, allow_negative_numbers = true)]
    seed: Option<u64>,
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
    /// Credentials and certificates.
    #[command(flatten)]
    access: AccessArgs,
    /// Send this name in the Host header and in the TLS handshake (SNI), instead of the URL's host
    #[arg(long, value_name = "NAME[:PORT]", value_parser = values::host)]
    host: Option<String>,
    /// Send Accept-Encoding, so that the target may compress its responses; they are not decompressed
    #[arg(long)]
    compressed: bool,
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
        let file = match self.place.take() {
            None => None,
            Some(Word::File(path)) => Some(load(&path)?),
            Some(Word::Url(_)) if self.url.is_some() => {
                return Err("the URL is given twice, as a word and with --url: omit one of them".to_owned());
            }
            Some(Word::Url(url)) => {
                self.url = Some(url);
                None
            }
        };
        self.check_token()?;
        if self.orchestrator.is_some() {
            self.access.check_remote()?;
            let variables = self.access.variables_of_plan();
            if !variables.is_empty() {
                log::warn!(
                    "the plan, which is published to the whole fleet, contains settings from the environment \
                     ({}): unset those that are meant for other runs",
                    variables.join(", ")
                );
            }
        }
        let mut flags = self.options()?;
        if let Some(urls) = &self.urls {
            urls.apply(&mut flags, file.as_ref().map(|file| &file.options))?;
        }
        self.recording.apply(&mut flags, file.as_ref().map(|file| &file.options))?;
        let plan = Merged::new(flags, file);
        let Options { url, other, .. } = &plan.options;
        if let (Some(b), None) = (other, url) {
            // Its query may contain a secret.
            let b = origin(b);
            return Err(format!(
                "--ab {b} needs another URL to compare it with: floodgate run URL_OF_A --ab URL_OF_B"
            ));
        }
        // A target of the user's is loaded by one driver unless more are asked for.
        let drivers = self.drivers.unwrap_or(if url.is_some() { 1 } else { 2 });
        let local = Some(drivers).filter(|_| self.orchestrator.is_none());
        let config = plan.config(local)?;
        if let Some(drivers) = local {
            check_split(&config, drivers).map_err(|error| plan.say(&[error]))?;
            let valid = Plan::as_written(&config).map_err(|errors| plan.say(&errors))?;
            supply::check(&valid, drivers as u64)?;
        }
        let place = match self.orchestrator {
            Some(url) => Place::Remote(remote::Config { url, token: self.token.read()? }),
            None => Place::Embedded(Box::new(embedded::Config {
                drivers,
                out: self.out,
                clients: ClientSettings {
                    ca_pem: self.ca_cert.as_deref().map(read_certificates).transpose()?,
                    identity: self.access.identity()?,
                    unix_socket: self.access.unix_socket.clone(),
                    proxy: self.access.proxy()?,
                    threads: self.threads,
                    pinned: self.resolve,
                    feeds: FeedFiles::Files(feeds::files(&plan.options.feeds).into_iter().collect()),
                    client: None,
                    ..ClientSettings::default()
                },
            })),
        };
        let quiet = self.speech.is_quiet();
        Ok(Settings { plan: config, place, output: self.output.output()?, quiet })
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

    /// The feeds that the flags name. Their paths are relative to the current folder.
    fn read_feeds(&self) -> Result<Vec<FeedOptions>, String> {
        let mut found = self.feeds.clone();
        for feed in &mut found {
            feeds::read(feed, Path::new("")).map_err(|(_, why)| format!("--feed {}: {why}", feed.name))?;
        }
        Ok(found)
    }

    /// What the flags set of a plan.
    fn options(&self) -> Result<Options, String> {
        Ok(Options {
            test_type: self.test_type,
            url: self.url.clone(),
            other: self.ab.clone(),
            rate: self.rate,
            rate_per_driver: self.rate_per_driver,
            requests: self.requests,
            requests_per_driver: self.requests_per_driver,
            connections: self.connections,
            connections_per_driver: self.connections_per_driver,
            duration: self.duration,
            warmup: self.warmup,
            delay: self.delay,
            timeout: self.timeout,
            stages: self.stages.clone().map(|stages| stages.0),
            starts: None,
            fail_if: Some(self.fail_if.clone()).filter(|conditions| !conditions.is_empty()),
            on_driver_loss: self.on_driver_loss,
            max_requests_per_connection: self
                .max_requests_per_connection
                .or(self.new_connection_per_request.then_some(1)),
            client: self.client.map(|client| client.to_string()),
            host: self.host.clone(),
            insecure: self.access.insecure.then_some(true),
            request: RequestOptions {
                method: self.method.clone(),
                headers: self.headers()?,
                body: self.body.as_deref().map(read_body).transpose()?,
                expect: self.expect.expect(),
            },
            named: None,
            seed: self.seed,
            feeds: self.read_feeds()?,
        })
    }

    /// The headers that flags set.
    fn headers(&self) -> Result<Vec<(String, String)>, String> {
        let mut headers = self.headers.clone();
        let has = |name: &str| self.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        if let Some(value) = self.access.authorization()? {
            if has("authorization") {
                return Err(
                    "--basic and --bearer-file conflict with --header Authorization: omit one of them"
                        .to_owned(),
                );
            }
            headers.push(("Authorization".to_owned(), value));
        }
        if self.compressed && !has("accept-encoding") {
            headers.push(("Accept-Encoding".to_owned(), ENCODINGS.to_owned()));
        }
        Ok(headers)
    }
}

fn read_body(given: &str) -> Result<Vec<u8>, String> {
    let Some(path) = given.strip_prefix('@') else { return Ok(given.as_bytes().to_vec()) };
    read_limited(Path::new(path), MAX_BODY_BYTES as u64).map_err(|e| format!("--body {given}: {e}"))
}

/// Reads a certificate file.
pub fn read_certificates(path: &Path) -> Result<Vec<u8>, String> {
    let name = path.display();
    let bytes = read_limited(path, MAX_PEM_BYTES).map_err(|e| format!("--ca-cert {name}: {e}"))?;
    if !String::from_utf8_lossy(&bytes).contains("-----BEGIN CERTIFICATE-----") {
        return Err(format!("--ca-cert {name}: contains no PEM certificate"));
    }
    Ok(bytes)
}
