//! What a user may set of a plan, wherever it is written: on a command line or in a plan file.

use super::feed_options::{self, FeedOptions, MAX_SEED};
use super::{DEFAULT_CONNECTIONS, PlanError, recorded};
use crate::check::Expect;
use crate::message::{
    NamedRequest, OnDriverLoss, RecordedStarts, RequestSpec, Stage, TestConfig, TestType, Totals,
};
use crate::template::has_expression;
use crate::units::fnv1a;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::time::Duration;

/// The settings of a plan; `None` is what neither flag nor key sets. Rates, counts and connections are totals
/// over all drivers unless their name says otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// How requests are paced; by default AVALANCHE, or TSUNAMI if there is a delay.
    pub test_type: Option<TestType>,
    /// The URL to load, or A in an A/B test.
    pub url: Option<String>,
    /// B in an A/B test.
    pub other: Option<String>,
    /// Requests/s.
    pub rate: Option<f64>,
    /// Requests/s of each driver.
    pub rate_per_driver: Option<f64>,
    /// Maximum number of requests.
    pub requests: Option<u64>,
    /// Maximum number of requests of each driver.
    pub requests_per_driver: Option<u64>,
    /// Connections.
    pub connections: Option<u32>,
    /// Connections of each driver.
    pub connections_per_driver: Option<u32>,
    /// Duration of the test.
    pub duration: Option<Duration>,
    /// Load before the measurement.
    pub warmup: Option<Duration>,
    /// Gap between the starts of two requests of a driver.
    pub delay: Option<Duration>,
    /// Response timeout.
    pub timeout: Option<Duration>,
    /// Linear ramps of the rate.
    pub stages: Option<Vec<Stage>>,
    /// When recorded requests started.
    pub starts: Option<RecordedStarts>,
    /// Conditions under which the test fails.
    pub fail_if: Option<Vec<String>>,
    /// What the loss of a driver means.
    pub on_driver_loss: Option<OnDriverLoss>,
    /// Requests after which a connection is closed.
    pub max_requests_per_connection: Option<u64>,
    /// The HTTP client, by name.
    pub client: Option<String>,
    /// The server's name in the `Host` header and in the TLS handshake.
    pub host: Option<String>,
    /// Whether the server's certificate goes unverified.
    pub insecure: Option<bool>,
    /// What differs from a plain `GET`.
    pub request: RequestOptions,
    /// Several requests instead of one; `request` has the headers that they have in common.
    pub named: Option<Vec<NamedOptions>>,
    /// From which generated values follow.
    pub seed: Option<u64>,
    /// Data for templates.
    pub feeds: Vec<FeedOptions>,
}

/// The settings of one of several requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamedOptions {
    /// Its name.
    pub name: String,
    /// Its weight; 1 if absent.
    pub weight: Option<u32>,
    /// Path and query; those of the target's URL if absent.
    pub url: Option<String>,
    /// What differs from a plain `GET`.
    pub request: RequestOptions,
}

/// The settings of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestOptions {
    /// The method; by default `GET`, or `POST` if there is a body.
    pub method: Option<String>,
    /// Headers in addition to those that the client sets.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// What responses must look like.
    pub expect: Expect,
}

impl Options {
    /// These settings, completed by those of `below`. What excludes each other on a command line replaces
    /// each other here: a delay replaces a rate, and a total the number per driver. But a duration does not
    /// replace stages, because without them nothing would limit the rate.
    pub fn over(self, mut below: Options) -> Options {
        if self.rate.is_some() || self.rate_per_driver.is_some() || self.stages.is_some() {
            below.delay = None;
        }
        if self.starts.is_some() {
            below = Options { rate: None, rate_per_driver: None, delay: None, stages: None, ..below };
        }
        if self.rate.is_some() || self.stages.is_some() {
            below.rate_per_driver = None;
        }
        if self.rate_per_driver.is_some() {
            below.rate = None;
        }
        if self.delay.is_some() {
            (below.rate, below.rate_per_driver, below.stages) = (None, None, None);
        }
        if self.stages.is_some() {
            below.duration = None;
        }
        if self.requests.or(self.requests_per_driver).is_some() {
            (below.requests, below.requests_per_driver) = (None, None);
        }
        if self.connections.or(self.connections_per_driver).is_some() {
            (below.connections, below.connections_per_driver) = (None, None);
        }
        let starts = self.starts.as_ref().or(below.starts.as_ref());
        let room = feed_options::room(starts.map_or(0, |starts| starts.gaps.len()));
        Options {
            test_type: self.test_type.or(below.test_type),
            url: self.url.or(below.url),
            other: self.other.or(below.other),
            rate: self.rate.or(below.rate),
            rate_per_driver: self.rate_per_driver.or(below.rate_per_driver),
            requests: self.requests.or(below.requests),
            requests_per_driver: self.requests_per_driver.or(below.requests_per_driver),
            connections: self.connections.or(below.connections),
            connections_per_driver: self.connections_per_driver.or(below.connections_per_driver),
            duration: self.duration.or(below.duration),
            warmup: self.warmup.or(below.warmup),
            delay: self.delay.or(below.delay),
            timeout: self.timeout.or(below.timeout),
            stages: self.stages.or(below.stages),
            starts: self.starts.or(below.starts),
            fail_if: self.fail_if.or(below.fail_if),
            on_driver_loss: self.on_driver_loss.or(below.on_driver_loss),
            max_requests_per_connection: self
                .max_requests_per_connection
                .or(below.max_requests_per_connection),
            client: self.client.or(below.client),
            host: self.host.or(below.host),
            insecure: self.insecure.or(below.insecure),
            request: self.request.over(below.request),
            named: self.named.or(below.named),
            seed: self.seed.or(below.seed),
            feeds: feed_options::over(self.feeds, below.feeds, room),
        }
    }

    /// Whether this key of a plan file is among these settings.
    pub fn sets(&self, key: &str) -> bool {
        match key {
            "test_type" => self.test_type.is_some(),
            "target_url" => self.url.is_some(),
            "ab" => self.other.is_some(),
            "rate" => self.rate.is_some(),
            "rate_per_driver" => self.rate_per_driver.is_some(),
            "count" => self.requests.is_some(),
            "count_per_driver" => self.requests_per_driver.is_some(),
            "connections" => self.connections.is_some(),
            "connections_per_driver" => self.connections_per_driver.is_some(),
            "duration" => self.duration.is_some(),
            "warmup" => self.warmup.is_some(),
            "delay" => self.delay.is_some(),
            "timeout" => self.timeout.is_some(),
            "stages" => self.stages.is_some(),
            "starts" => self.starts.is_some(),
            "fail_if" => self.fail_if.is_some(),
            "on_driver_loss" => self.on_driver_loss.is_some(),
            "max_requests_per_connection" => self.max_requests_per_connection.is_some(),
            "client" => self.client.is_some(),
            "seed" => self.seed.is_some(),
            "host" => self.host.is_some(),
            "insecure" => self.insecure.is_some(),
            "request" => self.request != RequestOptions::default(),
            _ if key.starts_with("request.expect") => self.request.expect != Expect::default(),
            _ => false,
        }
    }

    /// The plan that these settings describe. `local_drivers` is the number of drivers if they run in this
    /// process; on a fleet, the drivers' own settings fill in what is left open.
    ///
    /// # Errors
    /// A delay for AVALANCHE. All other rules are those of [`super::Plan`].
    pub fn config(&self, test_id: &str, local_drivers: Option<usize>) -> Result<TestConfig, PlanError> {
        let implied = if self.delay.is_some() { TestType::Tsunami } else { TestType::Avalanche };
        let test_type = self.test_type.unwrap_or(implied);
        if test_type == TestType::Avalanche && self.delay.is_some() {
            let reason = "applies to TSUNAMI only; use a rate to pace AVALANCHE".to_owned();
            return Err(PlanError { field: "test_message_delay".into(), reason, part: None });
        }
        let ms = |duration: Duration| duration.as_millis() as u64;
        let mut plan = TestConfig::new(test_id, test_type);
        plan.test_message_delay = self.delay.map(|delay| delay.as_secs_f64() * 1e3);
        plan.message_count_per_driver = self.requests_per_driver;
        plan.target_throughput = self.rate_per_driver;
        plan.duration_ms = self.duration.map(ms);
        plan.starts = self.starts.clone();
        if let Some(starts) = &self.starts {
            // Explicit, so that everyone sees when the test ends.
            let own_ms = ms(recorded::length(starts.last_us));
            plan.duration_ms = Some(plan.duration_ms.map_or(own_ms, |given_ms| given_ms.min(own_ms)));
        }
        plan.warmup_ms = self.warmup.map(ms);
        plan.on_driver_loss = self.on_driver_loss;
        plan.thresholds = self.fail_if.clone().unwrap_or_default();
        plan.connections = self.connections_per_driver;
        plan.fleet = Some(self.totals(local_drivers)).filter(|fleet| *fleet != Totals::default());
        plan.timeout_ms = self.timeout.map(ms);
        plan.max_requests_per_connection = self.max_requests_per_connection;
        plan.client = self.client.clone();
        match (&self.url, &self.other) {
            (Some(a), Some(b)) => plan.ab = vec![a.clone(), b.clone()],
            _ => plan.target_url = self.url.clone(),
        }
        plan.host = self.host.clone();
        // `insecure = false` is the default.
        plan.insecure = self.insecure.filter(|insecure| *insecure);
        plan.request = self.request.spec();
        plan.seed = self.seed_for(test_id);
        plan.feeds = self.feeds.iter().filter_map(FeedOptions::spec).collect();
        plan.requests = self.named.iter().flatten().map(NamedOptions::entry).collect();
        Ok(plan)
    }

    /// At most as many as were recorded.
    fn requests_in_total(&self) -> Option<u64> {
        let Some(starts) = &self.starts else { return self.requests };
        let all = self.requests.map_or(starts.count, |given| given.min(starts.count));
        self.requests_per_driver.is_none().then_some(all)
    }

    fn totals(&self, local_drivers: Option<usize>) -> Totals {
        let each_has = if self.other.is_some() { 2 } else { 1 };
        let open = local_drivers.filter(|_| self.connections_per_driver.is_none());
        let usual = open.map(|drivers| DEFAULT_CONNECTIONS.max(each_has * drivers as u32));
        Totals {
            rate: self.rate,
            requests: self.requests_in_total(),
            connections: self.connections.or(usual),
            stages: self.stages.clone().unwrap_or_default(),
        }
    }
}

impl Options {
    /// The seed: the given one, or if there are templates, one that follows from the test's id. So values
    /// differ from test to test, and a recorded plan repeats them.
    fn seed_for(&self, test_id: &str) -> Option<u64> {
        let varies = !self.feeds.is_empty() || self.has_templates();
        self.seed.or_else(|| varies.then(|| fnv1a(test_id.as_bytes()) & MAX_SEED))
    }

    fn has_templates(&self) -> bool {
        let urls = [&self.url, &self.other].into_iter().flatten();
        let named = || self.named.iter().flatten();
        let paths = named().filter_map(|one: &NamedOptions| one.url.as_ref());
        let mut requests = std::iter::once(&self.request).chain(named().map(|one| &one.request));
        urls.chain(paths).any(|url| has_expression(url.as_bytes()))
            || requests.any(RequestOptions::has_templates)
    }
}

impl RequestOptions {
    fn has_templates(&self) -> bool {
        let in_header = self.headers.iter().any(|(_, value)| has_expression(value.as_bytes()));
        in_header || self.body.as_deref().is_some_and(has_expression)
    }
}

impl NamedOptions {
    fn entry(&self) -> NamedRequest {
        NamedRequest {
            name: self.name.clone(),
            weight: self.weight,
            url: self.url.clone(),
            spec: self.request.spec().unwrap_or_default(),
        }
    }
}

impl RequestOptions {
    /// A header replaces those of the same name.
    fn over(self, mut below: RequestOptions) -> RequestOptions {
        below.headers.retain(|(name, _)| !self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)));
        below.headers.extend(self.headers);
        RequestOptions {
            method: self.method.or(below.method),
            headers: below.headers,
            body: self.body.or(below.body),
            expect: self.expect.over(below.expect),
        }
    }

    /// `None` for a plain `GET`.
    fn spec(&self) -> Option<RequestSpec> {
        let implied = self.body.as_ref().map(|_| "POST".to_owned());
        let method = self.method.clone().or(implied);
        let mut spec = RequestSpec { method, headers: self.headers.clone(), ..RequestSpec::default() };
        spec.expect = Some(self.expect.clone()).filter(|expect| *expect != Expect::default());
        match self.body.as_deref().map(|body| (body, std::str::from_utf8(body))) {
            Some((_, Ok(text))) if is_plain(text) => spec.body = Some(text.to_owned()),
            Some((bytes, _)) => spec.body_base64 = Some(BASE64.encode(bytes)),
            None => {}
        }
        Some(spec).filter(|spec| *spec != RequestSpec::default())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn stages() -> Option<Vec<Stage>> {
        Some(vec![Stage { duration_ms: 1, rate: 1.0 }])
    }

    #[test]
    fn there_is_a_seed_if_something_varies() {
        let plain = Options { url: Some("http://h/".to_owned()), ..Options::default() };
        assert_eq!(plain.seed_for("t"), None);
        assert_eq!(Options { seed: Some(7), ..plain.clone() }.seed_for("t"), Some(7));
        let varying = Options { url: Some("http://h/{{uuid}}".to_owned()), ..Options::default() };
        let (one, other) = (varying.seed_for("t"), varying.seed_for("u"));
        assert!(one.is_some_and(|seed| seed <= MAX_SEED) && one != other && one == varying.seed_for("t"));
        let request = RequestOptions { body: Some(b"{{uuid}}".to_vec()), ..RequestOptions::default() };
        let named = NamedOptions { request: request.clone(), ..NamedOptions::default() };
        let cases = [
            Options { request, ..Options::default() },
            Options { named: Some(vec![named]), ..Options::default() },
            Options { feeds: vec![FeedOptions::default()], ..Options::default() },
        ];
        assert!(cases.iter().all(|options| options.seed_for("t").is_some()));
    }

    #[test]
    fn what_excludes_each_other_replaces_each_other() {
        let second = Some(Duration::from_secs(1));
        let below = Options {
            rate: Some(5.0),
            requests: Some(5),
            connections_per_driver: Some(5),
            duration: second,
            ..Options::default()
        };
        let over = |above: Options| above.over(below.clone());
        assert_eq!(over(Options::default()), below);
        let paced = over(Options { delay: second, ..Options::default() });
        assert_eq!((paced.rate, paced.delay, paced.requests), (None, second, Some(5)));
        let each = over(Options { rate_per_driver: Some(2.0), connections: Some(7), ..Options::default() });
        assert_eq!((each.rate, each.rate_per_driver), (None, Some(2.0)));
        assert_eq!((each.connections, each.connections_per_driver), (Some(7), None));
        let staged = over(Options { stages: stages(), ..Options::default() });
        assert_eq!((staged.duration, staged.rate), (None, Some(5.0)), "the stages begin at the rate");
        let timed = Options { duration: second, ..Options::default() };
        let kept = timed.over(Options { stages: stages(), ..Options::default() });
        assert_eq!((kept.stages, kept.duration), (stages(), second), "which is an error, not a flood");
    }

    #[test]
    fn a_header_replaces_those_of_the_same_name_and_a_body_implies_post() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = |headers: &[(String, String)]| RequestOptions {
            headers: headers.to_vec(),
            ..RequestOptions::default()
        };
        let below = headers(&[pair("A", "1"), pair("B", "2"), pair("a", "3")]);
        let merged = headers(&[pair("a", "4")]).over(below);
        assert_eq!(merged.headers, [pair("B", "2"), pair("a", "4")]);
        let posted = RequestOptions { body: Some(b"x".to_vec()), ..merged };
        assert_eq!(posted.spec().expect("a request").method.as_deref(), Some("POST"));
        assert_eq!(RequestOptions::default().spec(), None);
    }
}
