//! The clients under test, and the steps that all cases share.

use crate::support::http_server::Server;
use floodgate::clock::{self, NS_PER_S};
use floodgate::http::native::NativeClient;
use floodgate::http::ureq_client::UreqClient;
use floodgate::http::{Addresses, Client, ClientError, ClientKind, Completion, Settings, Ticket, resolve};
use floodgate::plan::request::Request;
use floodgate::stats::outcome::{ErrorKind, Outcome};
use floodgate::threads::StopFlag;
use std::sync::Arc;
use std::time::Duration;

/// The parts that a client is built from.
pub type Parts = (Arc<Request>, Settings, Addresses, StopFlag);

/// Builds one of the clients, with a single slot.
pub trait Factory {
    /// The client.
    type Client: Client;
    /// Its kind.
    const KIND: ClientKind;

    /// A client for the request.
    fn build(parts: Parts) -> Self::Client {
        Self::try_build(parts).unwrap()
    }

    /// Like `build`, but may fail.
    ///
    /// # Errors
    /// As the client reports them.
    fn try_build(parts: Parts) -> Result<Self::Client, ClientError>;
}

/// Factory of the native client.
pub struct Native;

impl Factory for Native {
    type Client = NativeClient;
    const KIND: ClientKind = ClientKind::Native;

    fn try_build((request, settings, addresses, stop): Parts) -> Result<NativeClient, ClientError> {
        NativeClient::new(&[Request::clone(&request)], &settings, 1, addresses, stop)
    }
}

/// Factory of the native client as on old kernels.
pub struct NativeWithTimer;

impl Factory for NativeWithTimer {
    type Client = NativeClient;
    const KIND: ClientKind = ClientKind::Native;

    fn try_build(parts: Parts) -> Result<NativeClient, ClientError> {
        Native::try_build(parts)?.with_timer()
    }
}

/// Factory of the ureq client.
pub struct Ureq;

impl Factory for Ureq {
    type Client = UreqClient;
    const KIND: ClientKind = ClientKind::Ureq;

    fn try_build((request, settings, addresses, stop): Parts) -> Result<UreqClient, ClientError> {
        UreqClient::new(Arc::new([Request::clone(&request)]), &settings, addresses, stop)
    }
}

/// Settings with a timeout that is never reached in a passing test.
pub fn settings() -> Settings {
    timeout_of(Duration::from_secs(15))
}

/// Settings with a timeout.
pub fn timeout_of(timeout: Duration) -> Settings {
    Settings { timeout, connect_timeout: timeout, ..Settings::default() }
}

/// A client for a request, using the addresses of its host.
pub fn client<F: Factory>(request: Request, settings: Settings) -> F::Client {
    let addresses = resolve(request.host(), request.port(), Duration::from_secs(10)).into();
    F::build((Arc::new(request), settings, addresses, StopFlag::default()))
}

/// A client that gets `/` from a server.
pub fn getter<F: Factory>(server: &Server) -> F::Client {
    client::<F>(Request::get(&server.url("/")).unwrap(), settings())
}

/// Sends one request and waits for its completion.
pub fn exchange(client: &mut impl Client) -> Completion {
    client.send(Ticket::default());
    collect(client)
}

/// Waits for the one request in flight.
pub fn collect(client: &mut impl Client) -> Completion {
    let mut found = Vec::new();
    let deadline_ns = clock::now_ns() + 30 * NS_PER_S;
    while found.is_empty() && clock::now_ns() < deadline_ns {
        client.poll(deadline_ns, |completion| found.push(completion));
    }
    assert_eq!(found.len(), 1, "one completion for one request");
    assert_eq!(client.in_flight(), 0);
    found[0]
}

/// Gets `/` once from a server that runs the script.
pub fn outcome_of<F: Factory>(
    script: impl Fn(&mut crate::support::http_server::Conn) + Send + Sync + 'static,
) -> Outcome {
    let server = Server::start(script);
    exchange(&mut getter::<F>(&server)).outcome
}

/// The outcome for an error.
pub fn error(kind: ErrorKind) -> Outcome {
    Outcome::Error(kind)
}

/// Gets `/` twice from a server that always sends this response. Expects this status and every byte counted;
/// returns the number of connections.
pub fn good<F: Factory>(response: &str, status: u16) -> usize {
    let server = Server::answering(response);
    let mut client = getter::<F>(&server);
    for _ in 0..2 {
        let completion = exchange(&mut client);
        assert_eq!(completion.outcome, Outcome::Status(status));
        assert_eq!(completion.bytes, response.len() as u64);
    }
    server.connections()
}
