//! The orchestrator: manages the fleet, configures and starts tests, and aggregates the drivers' reports.
//!
//! Its decisions are made in cores without I/O (`fleet`, `runs`, `aggregate`, combined in `core`). Around
//! them run a thread that reads the bus and keeps the time, a thread that writes to the bus, and the HTTP
//! server.

mod ab;
mod access;
mod aggregate;
mod answers;
mod api;
mod body;
mod browser;
mod comparing;
mod core;
mod dashboard;
mod facts;
mod fleet;
#[doc(hidden)]
pub mod fuzzing;
mod history;
mod ids;
mod inbox;
mod journal;
mod losses;
mod merged;
mod named;
mod page;
mod parts;
mod prometheus;
mod published;
pub mod replay;
mod result;
mod runs;
mod saving;
mod shell;
mod waiting;
mod window;

/// The parts without threads, for a simulation of the whole system.
#[doc(hidden)]
pub mod sans_io {
    pub use super::core::Core;
    pub use super::inbox::{Message, read};
    pub use super::runs::{Command, Now};
    pub use super::shell::Reached;
}

use crate::bus::Connector;
use crate::http::server::{Options, Server};
pub use answers::{ApiError, Configured};
pub use core::Finished;
pub use dashboard::{Dashboard, FleetRow, HistoryRow};
pub use runs::START_AHEAD_NS;
use saving::Saving;
pub use saving::StoreSettings;
pub use shell::Control;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The orchestrator's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the HTTP API listens; `None` for an embedded orchestrator.
    pub listen: Option<SocketAddr>,
    /// The token that a request that changes something must send; `None` requires no token, which is only
    /// allowed on a loopback address.
    pub token: Option<String>,
    /// Names that the API accepts in `Host` in addition to IP addresses and `localhost`.
    pub hosts: Vec<String>,
    /// How long the start waits for the bus.
    pub connect_timeout: Duration,
    /// How much older than the newest test another one may be to be followed or listed after a start.
    pub history: Duration,
    /// Where finished tests are saved, if they are.
    pub store: Option<StoreSettings>,
}

/// The default of [`Config::history`].
pub const HISTORY: Duration = Duration::from_secs(24 * 3_600);

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: None,
            token: None,
            hosts: Vec::new(),
            connect_timeout: Duration::from_secs(30),
            history: HISTORY,
            store: None,
        }
    }
}

impl Config {
    /// Generates and returns a token if the address requires one and none is set.
    pub fn ensure_token(&mut self) -> Option<&str> {
        if !self.lacks_token() {
            return None;
        }
        // 122 random bits from the operating system.
        self.token = Some(uuid::Uuid::new_v4().simple().to_string());
        self.token.as_deref()
    }

    /// Whether other hosts could reach an API that requires no token.
    fn lacks_token(&self) -> bool {
        self.token.is_none() && self.listen.is_some_and(|addr| !addr.ip().to_canonical().is_loopback())
    }
}

impl std::error::Error for ApiError {}

/// A running orchestrator. Dropping it shuts it down like [`Orchestrator::shutdown`].
pub struct Orchestrator {
    // Fields are dropped in this order, so that no requests arrive once the threads end.
    server: Option<Server>,
    shell: shell::Shell,
}

/// Connects to the bus, reads the used test ids, and starts the threads. The error says what could not be
/// reached.
pub fn start(connector: Arc<dyn Connector>, config: Config) -> Result<Orchestrator, String> {
    if config.lacks_token() {
        return Err(
            "an API that other hosts can reach needs a token: use --token-file, or listen on 127.0.0.1"
                .to_owned(),
        );
    }
    let saving = config.store.as_ref().map(Saving::start).transpose()?.map(Arc::new);
    let shell = shell::Shell::start(connector, config.connect_timeout, config.history, saving)?;
    let Some(listen) = config.listen else { return Ok(Orchestrator { server: None, shell }) };
    let access = access::Access { token: config.token, hosts: config.hosts };
    let options = Options::new(concat!("floodgate-orchestrator/", env!("CARGO_PKG_VERSION")));
    let api = api::Api { control: shell.control(), access, merged: Default::default() };
    let server = Server::start(listen, options, Arc::new(api))?;
    Ok(Orchestrator { server: Some(server), shell })
}

impl Orchestrator {
    /// A handle that configures, stops and reads tests; cheap to clone, usable from any thread.
    pub fn control(&self) -> Control {
        self.shell.control()
    }

    /// Where the HTTP API listens, with the actual port; `None` for an embedded orchestrator.
    pub fn addr(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(Server::addr)
    }

    /// Shuts down: stops a running test, writes queued records, and joins all threads.
    pub fn shutdown(self) {}
}
