//! One-shot control requests, to a target's counters or a fleet's orchestrator.

use crate::clock;
use crate::http::ureq_client::agent::BoundedAgent;
use crate::http::{Addresses, Settings, resolve};
use crate::plan::request::Request;
use crate::stats::outcome::ErrorKind;
use crate::threads::StopFlag;
use crate::tls::Roots;
use std::fmt;
use std::io::Read;
use std::time::Duration;

/// Largest body accepted, in bytes: twice the size of the largest fleet's dashboard.
pub const MAX_FETCHED_BYTES: u64 = 64 << 20;

/// Largest answer to a form, in bytes.
const MAX_FORM_ANSWER_BYTES: u64 = 1 << 20;

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchError {
    /// The URL and what failed.
    pub text: String,
    /// Whether a retry is certain to fail in the same way.
    pub is_lasting: bool,
    /// Whether the server may have received the request.
    pub may_have_arrived: bool,
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FetchError {
    fn passing(text: String) -> FetchError {
        FetchError { text, is_lasting: false, may_have_arrived: false }
    }

    fn lasting(text: String) -> FetchError {
        FetchError { text, is_lasting: true, may_have_arrived: false }
    }

    fn arrived(self) -> FetchError {
        FetchError { may_have_arrived: true, ..self }
    }
}

/// A response with its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Its status; any status is a result, not an error.
    pub status: u16,
    /// Its `Server` header.
    pub server_header: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
}

/// Gets `url` within `timeout`, including the name lookup.
///
/// # Errors
/// If the URL is invalid, there is no response in time, or the body exceeds [`MAX_FETCHED_BYTES`].
pub fn get(url: &str, timeout: Duration) -> Result<Fetched, FetchError> {
    fetch(&Request::get(url).map_err(FetchError::lasting)?, timeout)
}

/// Like [`get`], with known addresses and a body of at most `most_bytes`.
///
/// # Errors
/// As [`get`].
pub fn get_from(
    url: &str,
    addresses: Addresses,
    most_bytes: u64,
    timeout: Duration,
) -> Result<Fetched, FetchError> {
    fetch_from(&Request::get(url).map_err(FetchError::lasting)?, addresses, most_bytes, timeout)
}

/// Posts JSON to `url` within `timeout`, with a bearer token if given.
///
/// # Errors
/// As [`get`].
pub fn post_json(
    url: &str,
    body: &[u8],
    bearer_token: Option<&str>,
    timeout: Duration,
) -> Result<Fetched, FetchError> {
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    headers.extend(bearer_token.map(|token| ("authorization".to_owned(), format!("Bearer {token}"))));
    let request = Request::new("POST", url, &headers, body.to_vec()).map_err(FetchError::lasting)?;
    fetch(&request, timeout)
}

/// Posts a form to `url` within `timeout`, with Basic authentication: `user:password` in base64.
///
/// # Errors
/// As [`get`].
pub fn post_form(
    url: &str,
    form: &str,
    credentials: &str,
    trust: Roots,
    timeout: Duration,
) -> Result<Fetched, FetchError> {
    let headers = [
        ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
        ("authorization".to_owned(), format!("Basic {credentials}")),
        ("accept".to_owned(), "application/json".to_owned()),
    ];
    let body = form.as_bytes().to_vec();
    let request = Request::new("POST", url, &headers, body).map_err(FetchError::lasting)?;
    let (addresses, left) = find(&request, timeout)?;
    fetch_with(&request, addresses, trust, MAX_FORM_ANSWER_BYTES, left)
}

/// The addresses of the request's host, and the time that is left for the request.
fn find(request: &Request, timeout: Duration) -> Result<(Addresses, Duration), FetchError> {
    let deadline_ns = clock::deadline(timeout);
    let found = resolve(request.host(), request.port(), timeout);
    let found =
        found.map_err(|e| FetchError::passing(format!("{} {}: {e}", request.method(), request.uri())))?;
    Ok((found.into(), clock::until(deadline_ns)))
}

fn fetch(request: &Request, timeout: Duration) -> Result<Fetched, FetchError> {
    let (addresses, left) = find(request, timeout)?;
    fetch_from(request, addresses, MAX_FETCHED_BYTES, left)
}

fn fetch_from(
    request: &Request,
    addresses: Addresses,
    most_bytes: u64,
    timeout: Duration,
) -> Result<Fetched, FetchError> {
    fetch_with(request, addresses, Roots::Public, most_bytes, timeout)
}

fn fetch_with(
    request: &Request,
    addresses: Addresses,
    trust: Roots,
    most_bytes: u64,
    timeout: Duration,
) -> Result<Fetched, FetchError> {
    let name = |what: String| format!("{} {}: {what}", request.method(), request.uri());
    let fail = |what: String| FetchError::passing(name(what));
    let too_long =
        || FetchError::lasting(name(format!("the body is longer than {most_bytes} bytes"))).arrived();
    let begun_ns = clock::now_ns();
    let settings = Settings { timeout, connect_timeout: timeout, trust, ..Settings::default() };
    let agent = BoundedAgent::new(request, &settings, addresses, StopFlag::default())
        .map_err(|e| FetchError::lasting(name(e.to_string())))?;
    let why = |kind: ErrorKind| match agent.state().take_causes().samples().first() {
        Some(sample) => sample.cause.clone(),
        None if kind == ErrorKind::Timeout => "no response in time".to_owned(),
        None => format!("error {:?}", kind.name()),
    };
    let mut response = agent.send(request, begun_ns).map_err(|kind| {
        let failed = fail(why(kind));
        if kind.is_before_send() { failed } else { failed.arrived() }
    })?;
    let server_header = response.headers().get("server").and_then(|v| v.to_str().ok()).map(str::to_owned);
    let status = response.status().as_u16();
    if response.body().content_length().is_some_and(|length| length > most_bytes) {
        return Err(too_long());
    }
    let mut body = Vec::new();
    let reader = response.body_mut().as_reader();
    let read = reader.take(most_bytes.saturating_add(1)).read_to_end(&mut body);
    read.map_err(|e| fail(format!("the body was cut off: {e}")).arrived())?;
    if body.len() as u64 > most_bytes {
        return Err(too_long());
    }
    Ok(Fetched { status, server_header, body })
}
