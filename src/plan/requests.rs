//! What a plan sends: one request, several with weights, or one to each of two URLs.

use super::mix::Mix;
use super::request::{Request, parse_url};
use super::rules::{PlanError, error, limits};
use super::templates::Part;
use super::written::{Written, Wrong, origin};
use super::{AB_NAMES, Defaults, names, values};
use crate::check::{Checks, Expect};
use crate::message::{RequestSpec, TestConfig, secrets};
use crate::units::clip;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::borrow::Cow;

/// Maximum number of characters of a URL in an error.
const MAX_SHOWN: usize = 200;
/// What conditions begin with besides a name: `lag.p99 > 1ms`.
const RESERVED: [&str; 5] = ["latency", "service", "lag", "status", "p99"];

/// The requests of a plan, at least one. They all go to one host, except in an A/B test.
#[derive(Clone, Debug, PartialEq)]
pub struct Requests {
    list: Vec<Request>,
    /// Their names; empty if there is only one, without a name.
    names: Vec<String>,
    mix: Mix,
    is_ab: bool,
}

impl Requests {
    /// The requests of a `test_config`, to the target of `defaults` if it names none.
    ///
    /// # Errors
    /// Every broken rule, with the field that breaks it: `requests[2].url`.
    pub fn new(config: &TestConfig, defaults: &Defaults) -> Result<Requests, Vec<PlanError>> {
        let config = &*with_host(config).map_err(|error| vec![error])?;
        if !config.ab.is_empty() {
            return of_ab(config, defaults);
        }
        let Some(url) = config.target_url.as_deref().or(defaults.target_url.as_deref()) else {
            return Err(vec![error("target_url", "neither the plan nor the driver names a target")]);
        };
        if config.requests.is_empty() {
            let list = vec![single(config, "target_url", url)?];
            return Ok(Requests { list, names: Vec::new(), mix: Mix::single(), is_ab: false });
        }
        several(config, url)
    }

    /// All of them, in the order of the plan.
    pub fn list(&self) -> &[Request] {
        &self.list
    }

    /// Their names, in the same order: `a` and `b` in an A/B test. Empty if there is only one, without a
    /// name.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The names of each one's checks.
    pub fn check_names(&self) -> Vec<Vec<String>> {
        let names =
            |request: &Request| request.checks().map_or_else(Vec::new, |checks| checks.names().to_vec());
        self.list.iter().map(names).collect()
    }

    /// Which of them each ticket sends. In an A/B test, it is the same for both URLs: each has one.
    pub fn mix(&self) -> &Mix {
        &self.mix
    }

    /// Whether half of the requests go to another URL.
    pub fn is_ab(&self) -> bool {
        self.is_ab
    }

    /// The field of a `test_config` that has this part of the request with this index.
    pub fn field(&self, index: usize, part: &Part) -> String {
        let is_named = !self.is_ab && !self.names.is_empty();
        field(is_named.then_some(index), if self.is_ab { "ab" } else { "target_url" }, part)
    }
}

/// The plan with its `host` as a header, unless it has one.
fn with_host(config: &TestConfig) -> Result<Cow<'_, TestConfig>, PlanError> {
    let Some(host) = &config.host else { return Ok(Cow::Borrowed(config)) };
    values::host(host).map_err(|reason| error("host", reason))?;
    let mut config = config.clone();
    let headers = &mut config.request.get_or_insert_default().headers;
    if !headers.iter().any(|(name, _)| name.trim().eq_ignore_ascii_case("host")) {
        headers.insert(0, ("Host".to_owned(), host.clone()));
    }
    Ok(Cow::Owned(config))
}

fn several(config: &TestConfig, target: &str) -> Result<Requests, Vec<PlanError>> {
    let origin = match config.seed {
        None => target,
        // The path may be a template.
        Some(_) => origin(target),
    };
    let origin = parse_url(origin).map_err(|reason| vec![error("target_url", reason)])?;
    let origin = format!(
        "{}://{}",
        origin.scheme_str().unwrap_or("http"),
        origin.authority().map_or("", |authority| authority.as_str())
    );
    let mut errors = check(config);
    let (mut list, mut weights) = (Vec::new(), Vec::new());
    for (index, one) in config.requests.iter().enumerate().take(limits::NAMED_REQUESTS) {
        match named(config, index, &origin, target) {
            Ok(request) => list.push(request),
            Err(wrong) => errors.extend(wrong),
        }
        weights.push(one.weight.unwrap_or(1));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let names = config.requests.iter().map(|one| one.name.clone()).collect();
    Ok(Requests { list, names, mix: Mix::new(&weights), is_ab: false })
}

/// The rules about all requests together, and about their names and weights.
fn check(config: &TestConfig) -> Vec<PlanError> {
    let mut errors = Vec::new();
    let all = &config.requests;
    if all.len() > limits::NAMED_REQUESTS {
        let reason = format!("{} requests: at most {} are allowed", all.len(), limits::NAMED_REQUESTS);
        errors.push(error("requests", reason));
    }
    let (drivers, most) = (config.drivers.len(), limits::DRIVERS_BY_REQUESTS);
    if all.len() * drivers > most {
        let few = most / drivers;
        let reason =
            format!("{} requests on {drivers} drivers: at most {few}, or use fewer drivers", all.len());
        errors.push(error("requests", reason));
    }
    let alone = config.request.as_ref();
    if alone.is_some_and(|spec| spec.method.is_some() || spec.body.is_some() || spec.body_base64.is_some()) {
        let reason = "conflicts with requests: only headers and expect apply to all of them; set the method \
                      and the body of each one in requests";
        errors.push(error("request", reason));
    }
    for (index, one) in all.iter().enumerate().take(limits::NAMED_REQUESTS) {
        if let Err(reason) = check_name(&one.name) {
            errors.push(error(part(index, "name"), reason));
        } else if let Some(first) = all[..index].iter().position(|other| other.name == one.name) {
            let reason = format!("{:?} is also the name of requests[{first}]: use another one", one.name);
            errors.push(error(part(index, "name"), reason));
        }
        if let Some(weight) = one.weight.filter(|weight| !limits::WEIGHT.contains(weight)) {
            let (least, most) = (limits::WEIGHT.start(), limits::WEIGHT.end());
            let reason = format!("must be a whole number, {least} to {most}, not {weight}");
            errors.push(error(part(index, "weight"), reason));
        }
    }
    errors
}

/// Whether results and conditions can use this name.
///
/// # Errors
/// What is allowed.
pub fn check_name(name: &str) -> Result<(), String> {
    if RESERVED.contains(&name) {
        return Err(format!("{name:?} is the name of a figure in conditions: use another one"));
    }
    names::check(name)
}

/// The path of a part of one request, as plan files and errors write it.
fn part(index: usize, part: &str) -> String {
    format!("requests[{index}].{part}")
}

fn named(config: &TestConfig, index: usize, origin: &str, target: &str) -> Result<Request, Vec<PlanError>> {
    let one = &config.requests[index];
    let request = unchecked(config, index, origin, target).map_err(|error| vec![error])?;
    let expect = one.spec.expect.clone().unwrap_or_default();
    let common = config.request.as_ref().and_then(|spec| spec.expect.clone());
    checked(request, &format!("requests[{index}]"), &expect.over(common.unwrap_or_default()))
}

/// A request with its checks. `path` is where it stands in the plan.
fn checked(request: Request, path: &str, expect: &Expect) -> Result<Request, Vec<PlanError>> {
    let checks = Checks::new(expect, request.method() == http::Method::HEAD);
    let field = |key: &str| format!("{path}.expect{}{key}", if key.is_empty() { "" } else { "." });
    let checks = checks.map_err(|wrong| {
        wrong.into_iter().map(|one| error(field(&one.key), one.reason)).collect::<Vec<_>>()
    })?;
    Ok(request.checked(checks))
}

/// The field of a `test_config` that has a part of a request; of the only request if there is no `index`.
fn field(index: Option<usize>, url: &'static str, which: &Part) -> String {
    let table = index.map_or_else(|| "request".to_owned(), |index| format!("requests[{index}]"));
    match which {
        Part::Url if index.is_none() => url.to_owned(),
        Part::Url => format!("{table}.url"),
        Part::Header(name) => format!("{table}.headers.{name}"),
        Part::Body => format!("{table}.body"),
        Part::Whole => table,
    }
}

/// What is wrong with a request, in the terms of a plan.
fn in_field(index: Option<usize>, url: &'static str, wrong: Wrong) -> PlanError {
    PlanError { part: wrong.at, ..error(field(index, url, &wrong.part), wrong.why) }
}

/// A request from its parts, without its checks. `{{…}}` is a template if the plan has a seed.
fn built(
    config: &TestConfig,
    index: Option<usize>,
    url_field: &'static str,
    written: &Written,
) -> Result<Request, PlanError> {
    let request = if config.seed.is_some() { written.request() } else { written.constant() };
    request.map_err(|wrong| in_field(index, url_field, wrong))
}

/// One of several requests, without its checks.
fn unchecked(config: &TestConfig, index: usize, origin: &str, target: &str) -> Result<Request, PlanError> {
    let one = &config.requests[index];
    if let Some(other) = one.url.as_deref().filter(|url| !url.starts_with('/')) {
        let other = clip(&secrets::without_user(other).unwrap_or_else(|| other.to_owned()), MAX_SHOWN);
        let reason = format!(
            "{other:?} must be a path that begins with /, like \"/search?q=x\": all requests of a plan go to \
             target_url"
        );
        return Err(error(part(index, "url"), reason));
    }
    let own = &one.spec.headers;
    let is_replaced = |name: &str| own.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    let common = config.request.as_ref().map_or(&[][..], |spec| &spec.headers);
    let common = common.iter().filter(|(name, _)| !is_replaced(name));
    let headers: Vec<_> = common.chain(own).cloned().collect();
    let of_part = |reason: String| error(format!("requests[{index}]"), reason);
    let (method, body) = (one.spec.method.as_deref().unwrap_or("GET"), body(&one.spec).map_err(of_part)?);
    let (origin, url) = one.url.as_deref().map_or(("", target), |path| (origin, path));
    let written = Written { method, origin, url, headers: &headers, body: &body };
    built(config, Some(index), "target_url", &written)
}

/// The requests of an A/B test.
fn of_ab(config: &TestConfig, defaults: &Defaults) -> Result<Requests, Vec<PlanError>> {
    let wrong = |field: &'static str, reason: String| Err(vec![error(field, reason)]);
    let [a, b] = &config.ab[..] else {
        return wrong("ab", format!("must be a list of two URLs, A and B, not of {}", config.ab.len()));
    };
    if config.target_url.is_some() {
        return wrong(
            "ab",
            "conflicts with target_url: list both URLs in ab, and omit target_url".to_owned(),
        );
    }
    if !config.requests.is_empty() {
        return wrong("ab", "conflicts with requests: an A/B test sends one request to two URLs".to_owned());
    }
    let is_total = config.fleet.as_ref().is_some_and(|fleet| fleet.connections.is_some());
    if !is_total && config.connections.or(defaults.connections) == Some(1) {
        return wrong("connections", "must be 2 or more in an A/B test, one for each URL".to_owned());
    }
    let list = vec![single(config, "ab", a)?, single(config, "ab", b)?];
    let names = AB_NAMES.iter().map(|name| (*name).to_owned()).collect();
    Ok(Requests { list, names, mix: Mix::single(), is_ab: true })
}

/// The request to one URL, which is in `field`.
fn single(config: &TestConfig, url_field: &'static str, url: &str) -> Result<Request, Vec<PlanError>> {
    let plain = RequestSpec::default();
    let spec = config.request.as_ref().unwrap_or(&plain);
    let body = body(spec).map_err(|reason| vec![error("request", reason)])?;
    let written = Written { method: config.method(), origin: "", url, headers: &spec.headers, body: &body };
    let request = built(config, None, url_field, &written).map_err(|error| vec![error])?;
    checked(request, "request", &spec.expect.clone().unwrap_or_default())
}

fn body(spec: &RequestSpec) -> Result<Vec<u8>, String> {
    match (&spec.body, &spec.body_base64) {
        (Some(_), Some(_)) => Err("specify body or body_base64, not both".to_owned()),
        (Some(text), None) => Ok(text.clone().into_bytes()),
        (None, Some(text)) => BASE64.decode(text).map_err(|e| format!("body_base64 is not base64: {e}")),
        (None, None) => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::NamedRequest;
    use crate::message::{NodeRef, TestType};

    fn named(n: usize) -> NamedRequest {
        NamedRequest { name: format!("n{n}"), ..NamedRequest::default() }
    }

    fn errors(change: impl FnOnce(&mut TestConfig)) -> Vec<String> {
        let mut config = TestConfig::new("t", TestType::Avalanche);
        config.target_url = Some("http://h:81/base?x=1".to_owned());
        config.requests = vec![named(0), named(1)];
        change(&mut config);
        let read = Requests::new(&config, &Defaults::default());
        read.err().into_iter().flatten().map(|error| error.to_string()).collect()
    }

    #[test]
    fn requests_share_a_host_and_headers() {
        let mut config = TestConfig::new("t", TestType::Avalanche);
        config.target_url = Some("http://h:81/base?x=1".to_owned());
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        config.request = Some(RequestSpec {
            headers: vec![pair("Accept", "text/plain"), pair("X-A", "1")],
            ..RequestSpec::default()
        });
        let mut other = named(1);
        (other.url, other.weight) = (Some("/other".to_owned()), Some(3));
        other.spec.headers = vec![pair("x-a", "2")];
        config.requests = vec![named(0), other];
        let requests = Requests::new(&config, &Defaults::default()).expect("valid");
        let [first, second] = requests.list() else { panic!("two") };
        assert_eq!((first.path(), second.path()), ("/base?x=1", "/other"));
        assert_eq!((second.authority().as_str(), requests.mix().requests()), ("h:81", 2));
        let headers = |request: &Request| -> Vec<String> {
            let text = |value: &http::HeaderValue| value.to_str().expect("ASCII").to_owned();
            request.headers().iter().map(|(name, value)| format!("{name}: {}", text(value))).collect()
        };
        assert_eq!(headers(first), ["accept: text/plain", "x-a: 1"]);
        assert_eq!(headers(second), ["accept: text/plain", "x-a: 2"], "its own replaces the common one");
    }

    #[test]
    fn numbers_of_requests_and_drivers_are_limited() {
        assert_eq!(errors(|_| ()), [""; 0]);
        let many = errors(|config| config.requests = (0..51).map(named).collect());
        assert_eq!(many, ["requests: 51 requests: at most 50 are allowed"]);
        let fleet = |drivers: u64| {
            errors(|config| {
                config.requests = (0..50).map(named).collect();
                let node = |epoch| NodeRef { node_id: "d".to_owned(), epoch };
                config.drivers = (0..drivers).map(node).collect();
            })
        };
        assert_eq!(fleet(1_000), [""; 0]);
        let expected = "requests: 50 requests on 2000 drivers: at most 25, or use fewer drivers";
        assert_eq!(fleet(2_000), [expected]);
    }
}
