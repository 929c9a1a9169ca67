//! What a driver does between reading a plan and being ready: everything that can fail or takes time, so that
//! nothing is left to do when the gate opens.

use super::session::Assignment;
use super::target_count::{Reading, SERVER};
use crate::clock;
use crate::http::native::NativeClient;
use crate::http::os::own::is_own_address;
use crate::http::ureq_client::UreqClient;
use crate::http::{Addresses, ClientKind, Pinned, Settings, StopFlag, fetch, limits, pinned, resolve};
use crate::plan::Load;
use crate::plan::request::Request;
use crate::stats::generator::TargetOn;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for a name look-up.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for a floodgate-target's counts.
const METRICS_TIMEOUT: Duration = Duration::from_secs(2);
/// Largest answer of one, in bytes.
const METRICS_BYTES: u64 = 64 * 1024;
/// Longest wait for a connection; a shorter `--timeout` counts.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time for all of it, of which opening connections may have what the other waits leave; less than an
/// orchestrator gives its drivers to get ready, since the way to it takes its time, too.
const PREPARE_WITHIN: Duration = Duration::from_secs(8);
/// How long a driver that is ready keeps connections to a target for a gate that does not open.
const HELD_NS: u64 = 30 * clock::NS_PER_S;
/// Most threads that a driver starts for requests.
pub const MAX_THREADS: usize = 4_096;

/// What of a driver's settings its clients need.
#[derive(Clone, Debug, Default)]
pub struct ClientSettings {
    /// The client to use where the plan names none.
    pub client: Option<ClientKind>,
    /// Certificates (PEM) that are trusted besides the public roots.
    pub ca_pem: Option<Vec<u8>>,
    /// Threads of the native client; one per core less one where there is none.
    pub threads: Option<usize>,
    /// Addresses that stand for a host and port, instead of what a look-up would find.
    pub pinned: Vec<Pinned>,
    /// Whether this process runs the target, too.
    pub runs_target: bool,
}

/// The clients of a test.
pub enum Clients {
    /// One for each worker, with their connections open where the load is a closed loop.
    Native(Vec<NativeClient>),
    /// So many, each of which its worker makes by [`Recipe::ureq`].
    Ureq(usize),
}

/// How the clients of a test are made.
#[derive(Clone)]
pub struct Recipe {
    /// Ends everything in flight.
    pub stop: StopFlag,
    request: Arc<Request>,
    settings: Settings,
    addresses: Addresses,
}

impl Recipe {
    /// A client of many connections.
    fn native(&self, slots: usize) -> Result<NativeClient, String> {
        let (request, addresses) = (Arc::clone(&self.request), self.addresses.clone());
        NativeClient::new(request, &self.settings, slots, addresses, self.stop.clone())
            .map_err(|e| e.to_string())
    }

    /// A client of one connection.
    pub fn ureq(&self) -> Result<UreqClient, String> {
        let (request, addresses) = (Arc::clone(&self.request), self.addresses.clone());
        UreqClient::new(request, &self.settings, addresses, self.stop.clone()).map_err(|e| e.to_string())
    }

    /// What a floodgate-target has counted; none where the target is something else.
    pub fn read_target(&self) -> Option<Reading> {
        if self.request.is_https() {
            return None;
        }
        let url = format!("http://{}/metrics", self.request.uri().authority()?);
        let answer = fetch::get_from(&url, self.addresses.clone(), METRICS_BYTES, METRICS_TIMEOUT).ok()?;
        if !answer.server_header.as_deref()?.starts_with(SERVER) {
            return None;
        }
        Reading::parse(&answer.body)
    }

    /// The clients, so far as they can be made by another thread than their worker's. A ureq client is made once and
    /// thrown away, so that what cannot work is refused before the start.
    fn clients(&self, kind: ClientKind, slots: &[usize]) -> Result<Clients, String> {
        match kind {
            ClientKind::Native => {
                let clients = slots.iter().map(|slots| self.native(*slots));
                clients.collect::<Result<_, _>>().map(Clients::Native)
            }
            ClientKind::Ureq => self.ureq().map(|_| Clients::Ureq(slots.len())),
        }
    }
}

/// All that a test needs when the gate opens.
pub struct Prepared {
    /// What to do.
    pub assignment: Assignment,
    /// With what.
    pub clients: Clients,
    /// How these were made.
    pub recipe: Recipe,
    /// What a floodgate-target had counted; none where the target is something else.
    pub before: Option<Reading>,
    /// Where the target runs, if that is near.
    pub target_on: Option<TargetOn>,
    /// Since when connections have been held open; none where they are not any more.
    pub open_since_ns: Option<u64>,
}

impl Prepared {
    /// Closes the connections that were opened ahead once nobody has opened the gate for long: their requests open them
    /// then.
    pub fn release(&mut self, now_ns: u64) {
        let Clients::Native(clients) = &mut self.clients else { return };
        if self.open_since_ns.is_some_and(|since_ns| now_ns >= since_ns + HELD_NS) {
            clients.iter_mut().for_each(NativeClient::close_idle);
            self.open_since_ns = None;
        }
    }
}

/// Resolves the target, raises the limits, makes the clients and opens their connections. A raised `stop`, which is that
/// of the whole test, ends it early, but for a look-up or a wait for `/metrics` that is under way. The error says why the
/// plan is refused.
pub fn prepare(
    assignment: Assignment,
    settings: &ClientSettings,
    stop: StopFlag,
) -> Result<Prepared, String> {
    let until_ns = clock::deadline(PREPARE_WITHIN);
    let request = assignment.plan.request();
    let kind = choose(&assignment, settings)?;
    let (part, parts) = (assignment.part, assignment.parts);
    let connections = assignment.plan.connections().of(part, parts) as usize;
    let slots = slots(kind, connections, settings)?;
    limits::ensure_descriptors((connections + slots.len()) as u64 + limits::RESERVED_DESCRIPTORS)?;
    let timeout = assignment.plan.timeout();
    let recipe = Recipe {
        stop,
        request: Arc::new(request.clone()),
        settings: Settings {
            timeout,
            connect_timeout: timeout.min(CONNECT_TIMEOUT),
            max_requests_per_connection: assignment.plan.max_requests_per_connection(),
            ca_pem: settings.ca_pem.clone(),
        },
        addresses: addresses(request, settings),
    };
    let mut clients = recipe.clients(kind, &slots)?;
    let may_ask = recipe.addresses.get().is_ok() && !recipe.stop.is_stopped();
    let before = if may_ask { recipe.read_target() } else { None };
    open_ahead(&mut clients, most_ahead(&assignment), until_ns);
    let target_on = target_on(&recipe.addresses, settings);
    Ok(Prepared { clients, recipe, before, target_on, assignment, open_since_ns: Some(clock::now_ns()) })
}

/// Whether the target has this host's CPUs, or those of this process.
fn target_on(addresses: &Addresses, settings: &ClientSettings) -> Option<TargetOn> {
    if settings.runs_target {
        return Some(TargetOn::SameProcess);
    }
    let is_near = addresses.get().ok()?.iter().any(is_own_address);
    is_near.then_some(TargetOn::SameHost)
}

/// Most connections that a worker opens before the load begins. An open loop opens one when a request needs it, since it
/// may never need them all; and where connections carry a limited number of requests, opening them is a part of the load.
fn most_ahead(assignment: &Assignment) -> usize {
    let plan = &assignment.plan;
    let is_closed = matches!(plan.load(), Load::Closed);
    if !is_closed || plan.max_requests_per_connection().is_some() {
        return 0;
    }
    // A warm-up uses all connections, however few requests follow; and any worker may get every one of these.
    let requests = plan.requests().filter(|_| plan.warmup().is_zero());
    let requests = requests.map(|all| all.of(assignment.part, assignment.parts));
    requests.map_or(usize::MAX, |requests| requests.try_into().unwrap_or(usize::MAX))
}

fn open_ahead(clients: &mut Clients, most: usize, until_ns: u64) {
    let Clients::Native(clients) = clients else { return };
    let open = clients.iter_mut().map(|client| client.open_ahead(most, clock::until(until_ns)));
    let open: usize = open.sum();
    if open > 0 {
        log::info!("{open} connections are open");
    }
}

/// Where the requests go, found once for the whole test. A name without an address is no refusal: every request then
/// ends as a counted `dns` error.
fn addresses(request: &Request, settings: &ClientSettings) -> Addresses {
    match pinned(&settings.pinned, request.host(), request.port()) {
        none if none.is_empty() => {
            let resolved = resolve(request.host(), request.port(), RESOLVE_TIMEOUT);
            if let Err(error) = &resolved {
                log::warn!("{error}");
            }
            resolved.into()
        }
        some => some.into(),
    }
}

/// How many slots each worker has.
fn slots(kind: ClientKind, connections: usize, settings: &ClientSettings) -> Result<Vec<usize>, String> {
    match kind {
        ClientKind::Native => Ok(split(connections, threads(settings, connections))),
        ClientKind::Ureq if connections <= MAX_THREADS => Ok(vec![1; connections]),
        ClientKind::Ureq => Err(format!(
            "connections {connections}: the ureq client starts a thread for each, at most {MAX_THREADS}"
        )),
    }
}

fn choose(assignment: &Assignment, settings: &ClientSettings) -> Result<ClientKind, String> {
    let request = assignment.plan.request();
    let named = assignment.plan.client().map(str::parse::<ClientKind>).transpose()?;
    let kind = named.or(settings.client).unwrap_or_else(|| ClientKind::default_for(request));
    if !kind.serves(request) {
        return Err(format!("the {kind} client cannot send {}: use --client ureq", request.uri()));
    }
    Ok(kind)
}

/// One thread for each core but one: that one is for the reports, and for a target on the same host.
fn threads(settings: &ClientSettings, connections: usize) -> usize {
    let spare = std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1));
    settings.threads.unwrap_or(spare).clamp(1, MAX_THREADS).min(connections)
}

/// `total` in `parts` that differ by one at the most.
fn split(total: usize, parts: usize) -> Vec<usize> {
    (0..parts).map(|part| total / parts + usize::from(part < total % parts)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_split_evenly() {
        assert_eq!(split(10, 3), [4, 3, 3]);
        assert_eq!(split(2, 2), [1, 1]);
        assert_eq!(split(7, 1), [7]);
    }
}
