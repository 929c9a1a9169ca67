//! One-shot requests for control traffic: a target's counters, a fleet's orchestrator.

use super::session::Session;
use crate::clock;
use crate::http::{Addresses, Settings, StopFlag, resolve};
use crate::plan::request::Request;
use std::io::Read;
use std::time::Duration;

/// Largest body that is read.
pub const MAX_FETCHED_BYTES: u64 = 8 * 1024 * 1024;

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

/// Gets `url` within `timeout`, name look-up included.
///
/// # Errors
/// A text that names the URL and what failed.
pub fn get(url: &str, timeout: Duration) -> Result<Fetched, String> {
    fetch(&Request::get(url)?, timeout)
}

/// The same from addresses found beforehand.
///
/// # Errors
/// As [`get`].
pub fn get_from(url: &str, addresses: Addresses, timeout: Duration) -> Result<Fetched, String> {
    fetch_from(&Request::get(url)?, addresses, timeout)
}

/// Posts JSON to `url` within `timeout`, with a token where there is one.
///
/// # Errors
/// A text that names the URL and what failed.
pub fn post_json(
    url: &str,
    body: &[u8],
    bearer_token: Option<&str>,
    timeout: Duration,
) -> Result<Fetched, String> {
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    headers.extend(bearer_token.map(|token| ("authorization".to_owned(), format!("Bearer {token}"))));
    fetch(&Request::new("POST", url, &headers, body.to_vec())?, timeout)
}

fn fetch(request: &Request, timeout: Duration) -> Result<Fetched, String> {
    let addresses = resolve(request.host(), request.port(), timeout)
        .map_err(|e| format!("{} {}: {e}", request.method(), request.uri()))?;
    fetch_from(request, addresses.into(), timeout)
}

fn fetch_from(request: &Request, addresses: Addresses, timeout: Duration) -> Result<Fetched, String> {
    let method = request.method();
    let fail = |what: String| format!("{method} {}: {what}", request.uri());
    let begun_ns = clock::now_ns();
    let settings =
        Settings { timeout, connect_timeout: timeout, max_requests_per_connection: None, ca_pem: None };
    let session =
        Session::new(request, &settings, addresses, StopFlag::default()).map_err(|e| fail(e.to_string()))?;
    let mut response =
        session.send(request, begun_ns).map_err(|kind| fail(format!("error {:?}", kind.name())))?;
    let server_header = response.headers().get("server").and_then(|v| v.to_str().ok()).map(str::to_owned);
    let status = response.status().as_u16();
    let mut body = Vec::new();
    let reader = response.body_mut().as_reader();
    let read = reader.take(MAX_FETCHED_BYTES + 1).read_to_end(&mut body);
    read.map_err(|e| fail(format!("the body was cut off: {e}")))?;
    if body.len() as u64 > MAX_FETCHED_BYTES {
        return Err(fail(format!("the body is longer than {MAX_FETCHED_BYTES} bytes")));
    }
    Ok(Fetched { status, server_header, body })
}
