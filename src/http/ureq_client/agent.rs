//! A `ureq` agent with Floodgate's limits: one connection, known addresses, strict deadlines.

use super::secure::SecureConnector;
use super::transport::{BoundedConnector, MeterConnector, TransportState, kind_of};
use super::tunnel::TunnelConnector;
use crate::clock;
use crate::http::render::{USER_AGENT_VALUE, sends_length};
use crate::http::tls::TlsClient;
use crate::http::{Addresses, ClientError, MAX_HEAD_BYTES, Settings};
use crate::plan::request::Request;
use crate::stats::outcome::ErrorKind;
use crate::threads::StopFlag;
use http::header::CONNECTION;
use http::{HeaderValue, Response};
use std::cell::Cell;
use std::sync::Arc;
use ureq::config::Config;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Connector, NextTimeout};
use ureq::{Agent, AsSendBody, Body};

/// An agent and what it shares with its transport.
#[derive(Debug)]
pub struct BoundedAgent {
    agent: Agent,
    state: Arc<TransportState>,
    timeout_ns: u64,
    connect_timeout_ns: u64,
    max_requests: u64,
    /// Attempts on the kept connection.
    carried: Cell<u64>,
}

impl BoundedAgent {
    /// An agent for requests like this one. They go to `addresses`, whatever host they name: those of the
    /// proxy, if there is one.
    ///
    /// # Errors
    /// If the certificates in the settings cannot be read.
    pub fn new(
        request: &Request,
        settings: &Settings,
        addresses: Addresses,
        stop: StopFlag,
    ) -> Result<BoundedAgent, ClientError> {
        let connect_timeout_ns = clock::to_ns(settings.connect_timeout.min(settings.timeout));
        let attempt_ns = addresses.attempt_ns(connect_timeout_ns);
        let state = Arc::new(TransportState::new(stop, settings.timeout, attempt_ns));
        let tls = request.is_https().then(|| TlsClient::new(settings, request.host())).transpose()?;
        let connector = BoundedConnector(Arc::clone(&state))
            .chain(TunnelConnector { proxy: settings.proxy.clone(), state: Arc::clone(&state) })
            .chain(SecureConnector(tls))
            .chain(MeterConnector(Arc::clone(&state)));
        let agent = Agent::with_parts(config(), connector, Resolved(addresses));
        let timeout_ns = clock::to_ns(settings.timeout);
        let max_requests = settings.max_requests_per_connection.unwrap_or(u64::MAX).max(1);
        Ok(BoundedAgent { agent, state, timeout_ns, connect_timeout_ns, max_requests, carried: Cell::new(0) })
    }

    /// Counts and stage of the current attempt.
    pub fn state(&self) -> &TransportState {
        &self.state
    }

    /// Sends a request first begun at `sent_ns`, and returns when the response head has arrived. The body is
    /// read under the same deadline.
    ///
    /// # Errors
    /// The kind of the error.
    pub fn send(&self, request: &Request, sent_ns: u64) -> Result<Response<Body>, ErrorKind> {
        let mut parts = http::Request::new(());
        *parts.method_mut() = request.method().clone();
        *parts.uri_mut() = request.uri().clone();
        for (name, value) in request.headers() {
            parts.headers_mut().append(name.clone(), value.clone());
        }
        // `ureq` does not keep a connection after a request with `Connection: close`.
        let is_last = self.carried.get() + 1 >= self.max_requests;
        if is_last {
            parts.headers_mut().append(CONNECTION, HeaderValue::from_static("close"));
        }
        let answer = if sends_length(request) {
            self.run(parts.map(|()| request.body()), sent_ns)
        } else {
            self.run(parts, sent_ns)
        };
        let before = if self.state.is_reused() { self.carried.get() } else { 0 };
        self.carried.set(if is_last { 0 } else { before + 1 });
        answer
    }

    fn run<B: AsSendBody>(
        &self,
        request: http::Request<B>,
        sent_ns: u64,
    ) -> Result<Response<Body>, ErrorKind> {
        let connect_by_ns = clock::now_ns().saturating_add(self.connect_timeout_ns);
        self.state.begin(connect_by_ns, sent_ns.saturating_add(self.timeout_ns));
        if self.state.is_stopped() {
            return Err(ErrorKind::Aborted);
        }
        self.agent.run(request).map_err(|error| kind_of(&error, &self.state))
    }
}

fn config() -> Config {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .allow_non_standard_methods(true)
        .proxy(None)
        .user_agent(USER_AGENT_VALUE)
        .accept("*/*")
        .accept_encoding("")
        .max_response_header_size(MAX_HEAD_BYTES)
        .input_buffer_size(2 * MAX_HEAD_BYTES)
        .output_buffer_size(MAX_HEAD_BYTES)
        .max_idle_connections(1)
        .max_idle_connections_per_host(1)
        .max_idle_age(std::time::Duration::MAX)
        .build()
}

/// Returns the known addresses. `ureq` asks before each request, even if it has a connection.
#[derive(Debug)]
struct Resolved(Addresses);

impl Resolver for Resolved {
    fn resolve(&self, _: &http::Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let addresses = self.0.get().map_err(|_| ureq::Error::HostNotFound)?;
        let mut answer = self.empty();
        addresses.iter().take(crate::http::MAX_ADDRESSES).for_each(|address| answer.push(*address));
        Ok(answer)
    }
}
