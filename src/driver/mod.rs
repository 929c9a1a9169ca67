//! The driver: executes its share of a plan and reports what actually happened.
//!
//! Threads: *control* reads plans and triggers; *heartbeat* shows that the driver is alive; *prepare* gets
//! everything ready before a test; during the test *workers* send, *engine* collects their tallies, and
//! *reporter* publishes them.

pub mod allowed;
pub mod beating;
pub mod clock_offset;
pub mod coalescing;
pub mod collector;
pub mod control;
pub mod credentials;
pub mod cursor;
pub mod data;
pub mod engine;
pub mod feeds;
pub mod fence;
pub mod heartbeat;
pub mod latest;
pub mod outbox;
pub mod prepare;
pub mod preparing;
pub mod registering;
pub mod report;
pub mod reporter;
pub mod reporting;
pub mod rivals;
pub mod session;
pub mod target_count;
pub mod void;
pub mod watch;
pub mod worker;

use crate::bus::Connector;
use crate::clock;
use crate::host::limits;
use crate::message::{NodeRef, Register, check_node_id};
use crate::plan::{Defaults, check_defaults};
use crate::threads::StopFlag;
use crate::threads::{self, Failure, Thread};
use allowed::Allowed;
use clock_offset::SharedOffset;
use control::{ControlThread, Given};
use fence::Fence;
use prepare::ClientSettings;
use registering::{Again, Registering};
use session::Session;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Configuration of a driver.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Unique name in the fleet.
    pub node_id: String,
    /// Address shown for this node.
    pub node_ip: String,
    /// Its target, and its settings for what a plan leaves open.
    pub defaults: Defaults,
    /// Hosts that it may load in addition to its target's: `HOST` or `HOST:PORT`.
    pub allow_targets: Vec<String>,
    /// Settings of its HTTP clients.
    pub clients: ClientSettings,
    /// How long it waits for the bus at startup.
    pub connect_timeout: Duration,
    /// It stops a running load after being unable to read the bus for this long; `None`: never.
    pub fence_after: Option<Duration>,
    /// Where it saves what it counted itself, if anywhere.
    pub data: Option<PathBuf>,
}

/// A driver that runs in threads of this process.
pub struct Driver {
    leave: StopFlag,
    failure: Failure,
    control: Thread,
    heartbeat: Thread,
}

/// Joins the bus and waits for plans. The error says what is wrong with the settings or the bus.
pub fn start(connector: Arc<dyn Connector>, config: Config) -> Result<Driver, String> {
    check(&config)?;
    let allowed = Allowed::new(config.defaults.target_url.as_deref(), &config.allow_targets)?;
    connector.prepare(config.connect_timeout).map_err(|error| error.to_string())?;
    let identity = NodeRef { node_id: config.node_id.clone(), epoch: new_epoch() };
    let register = register(&config, identity.epoch);
    let bus =
        ControlThread::join_bus(connector.as_ref(), &register, config.connect_timeout).map_err(|error| {
            format!("driver {:?} cannot join {}: {error}", config.node_id, connector.describe())
        })?;
    let offset = SharedOffset::default();
    let (beats, waiting) = latest::latest();
    let (heartbeat_bus, own_offset, own_identity) = (connector.open(), offset.clone(), identity.clone());
    let (leave, failure) = (StopFlag::default(), Failure::default());
    // The driver cannot work without either thread: a running load is stopped, and the process learns why.
    let on_panic = || {
        let (leave, failure) = (leave.clone(), failure.clone());
        move |what| {
            failure.set(what);
            leave.stop();
        }
    };
    let again = Again::default();
    let asked = again.clone();
    let registering = Registering::new(register, registering::chance(), clock::now_ns());
    let beating = move || {
        heartbeat::run(heartbeat_bus, &own_identity, &own_offset, &waiting, registering, &asked);
    };
    let heartbeat = threads::spawn("heartbeat", beating, on_panic())?;
    let session = Session::new(identity.clone(), config.defaults, allowed);
    let settings = config.clients;
    let control = ControlThread::new(Given {
        identity,
        again,
        settings,
        connector,
        bus,
        session,
        offset,
        beats,
        fence: Fence::new(config.fence_after),
        data: config.data,
        leave: leave.clone(),
    });
    let control = threads::spawn("control", move || control.run(), on_panic())?;
    Ok(Driver { leave, failure, control, heartbeat })
}

impl Driver {
    /// Tells the threads to end without waiting for them, so that many drivers in one process can end in
    /// parallel.
    pub fn begin_shutdown(&self) {
        self.leave.stop();
    }

    /// Stops a running load, sends its final report, says goodbye and joins the control and heartbeat
    /// threads. A cancelled preparation, and a load that does not end within 15 s, end by themselves.
    pub fn shutdown(self) {
        self.leave.stop();
        self.control.join();
        self.heartbeat.join();
    }

    /// Why the driver has failed; `None` while it works.
    pub fn failure(&self) -> Option<&str> {
        self.failure.get()
    }
}

fn check(config: &Config) -> Result<(), String> {
    let id = &config.node_id;
    check_node_id(id).map_err(|why| format!("--node-id {id:?}: {why}"))?;
    match check_defaults(&config.defaults).first() {
        Some(error) => Err(format!("--{error}")),
        None => Ok(()),
    }
}

/// Start time of this driver in ms since 1970, different for each driver in a process.
fn new_epoch() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now_ms = clock::wall_ms(clock::now_ns()) as u64;
    let next = |last: u64| Some(now_ms.max(last + 1));
    LAST.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next).map_or(now_ms, |last| now_ms.max(last + 1))
}

fn register(config: &Config, epoch: u64) -> Register {
    Register {
        node_id: config.node_id.clone(),
        node_ip: config.node_ip.clone(),
        epoch: Some(epoch),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        cores: std::thread::available_parallelism().ok().and_then(|cores| u32::try_from(cores.get()).ok()),
        max_connections: limits::max_descriptors()
            .map(|most| most.saturating_sub(limits::RESERVED_DESCRIPTORS)),
    }
}
