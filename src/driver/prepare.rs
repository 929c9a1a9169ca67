//! What a driver does between reading a plan and being ready: everything that can fail or takes time, so
//! that nothing is left to do when the gate opens.

use super::credentials::Credentials;
use super::feeds::{FeedFiles, Feeds};
use super::session::Assignment;
use super::target_count::{Reading, SERVER};
use crate::clock;
use crate::fetch;
use crate::host::addresses::is_own_address;
use crate::host::limits;
use crate::http::native::NativeClient;
use crate::http::ureq_client::UreqClient;
use crate::http::values::Values;
use crate::http::{Addresses, ClientKind, Identity, Pinned, Proxy, Roots, Settings, pinned, resolve};
use crate::plan::request::Request;
use crate::plan::{Load, Plan};
use crate::schedule::{Schedule, supply};
use crate::stats::generator::TargetOn;
use crate::threads::StopFlag;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Timeout of all name lookups.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// What the second lookup has at least.
const LEAST_RESOLVE_TIMEOUT: Duration = Duration::from_secs(1);
/// Timeout for reading a floodgate-target's counts.
const METRICS_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum size of its response, in bytes.
const METRICS_BYTES: u64 = 64 * 1024;
/// Connect timeout, unless `--timeout` is shorter.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Timeout of lookups, reading the target's counts and opening connections, which may use what the others
/// leave. Shorter than the orchestrator's timeout for its drivers to get ready: messages take time, too.
const PREPARE_WITHIN: Duration = Duration::from_secs(8);
/// How long a ready driver keeps connections open while the gate stays closed.
const HELD_NS: u64 = 30 * clock::NS_PER_S;
/// Maximum number of threads that a driver starts for requests.
pub const MAX_THREADS: usize = 4_096;

/// The driver settings its HTTP clients use.
#[derive(Clone, Debug, Default)]
pub struct ClientSettings {
    /// The client to use if the plan names none.
    pub client: Option<ClientKind>,
    /// Certificates (PEM) to trust in addition to the public roots.
    pub ca_pem: Option<Vec<u8>>,
    /// What the clients show to servers that ask for a certificate.
    pub identity: Option<Identity>,
    /// Whether servers' certificates go unverified, also if the plan does not say so.
    pub insecure: bool,
    /// A Unix socket to connect to instead of the target's host.
    pub unix_socket: Option<PathBuf>,
    /// A proxy to tunnel through.
    pub proxy: Option<Proxy>,
    /// The driver's own credentials.
    pub credentials: Option<Credentials>,
    /// Threads of the native client; if absent, the number of cores minus one.
    pub threads: Option<usize>,
    /// Addresses to use for a host and port instead of a lookup.
    pub pinned: Vec<Pinned>,
    /// Whether this process also runs the target.
    pub runs_target: bool,
    /// Where the files of feeds are.
    pub feeds: FeedFiles,
}

impl ClientSettings {
    /// The requests with the driver's credentials, if it has any. They are for a server whose certificate is
    /// verified, unless the driver itself says otherwise.
    fn authorized(&self, requests: &[Request], plan: &Plan) -> Arc<[Request]> {
        match &self.credentials {
            Some(_) if plan.is_insecure() && !self.insecure => {
                log::warn!(
                    "the plan does not verify certificates: this driver's own credentials are not sent"
                );
                requests.into()
            }
            Some(credentials) => requests.iter().map(|request| credentials.add_to(request)).collect(),
            None => requests.into(),
        }
    }
}

/// The clients for one URL.
pub enum Clients {
    /// One for each worker, with open connections if the load is a closed loop.
    Native(Vec<NativeClient>),
    /// Only their number: each worker makes its client with [`Recipe::ureq`].
    Ureq(usize),
}

impl Clients {
    fn native(&mut self) -> &mut [NativeClient] {
        match self {
            Clients::Native(clients) => clients,
            Clients::Ureq(_) => &mut [],
        }
    }
}

/// What one URL needs when the gate opens. A test has one, an A/B test two.
pub struct Side {
    /// The clients to use.
    pub clients: Clients,
    /// How they were made.
    pub recipe: Recipe,
    /// What a floodgate-target had counted; `None` if the target is something else.
    pub before: Option<Reading>,
}

/// How the clients for one URL are made.
#[derive(Clone)]
pub struct Recipe {
    /// Aborts everything in flight.
    pub stop: StopFlag,
    requests: Arc<[Request]>,
    /// What varies in the requests, if anything.
    values: Option<Arc<Values>>,
    settings: Settings,
    addresses: Addresses,
}

impl Recipe {
    fn new(
        assignment: &Assignment,
        requests: &[Request],
        settings: &ClientSettings,
        stop: StopFlag,
        resolve_until_ns: u64,
    ) -> Recipe {
        let timeout = assignment.plan.timeout();
        Recipe {
            stop,
            addresses: addresses(&requests[0], settings, resolve_until_ns),
            requests: settings.authorized(requests, &assignment.plan),
            values: None,
            settings: Settings {
                timeout,
                connect_timeout: timeout.min(CONNECT_TIMEOUT),
                max_requests_per_connection: assignment.plan.max_requests_per_connection(),
                trust: trust(assignment, settings),
                identity: settings.identity.clone(),
                proxy: settings.proxy.clone(),
                unix_socket: settings.unix_socket.clone(),
                server_name: assignment.plan.server_name().map(str::to_owned),
            },
        }
    }

    /// A client with many connections.
    fn native(&self, slots: usize) -> Result<NativeClient, String> {
        let (requests, addresses) = (Arc::clone(&self.requests), self.addresses.clone());
        let client = NativeClient::new(&requests, &self.settings, slots, addresses, self.stop.clone())
            .map_err(|e| e.to_string())?;
        Ok(match &self.values {
            Some(values) => client.with_values(&requests, values),
            None => client,
        })
    }

    /// A client with one connection.
    pub fn ureq(&self) -> Result<UreqClient, String> {
        let (requests, addresses) = (Arc::clone(&self.requests), self.addresses.clone());
        let client = UreqClient::new(requests, &self.settings, addresses, self.stop.clone())
            .map_err(|e| e.to_string())?;
        Ok(match &self.values {
            Some(values) => client.with_values(Arc::clone(values)),
            None => client,
        })
    }

    /// What a floodgate-target has counted; `None` if the target is something else.
    pub fn read_target(&self) -> Option<Reading> {
        let is_direct = self.settings.unix_socket.is_none() && self.settings.proxy.is_none();
        let request = self.requests.first().filter(|request| is_direct && !request.is_https())?;
        let url = format!("http://{}/metrics", request.uri().authority()?);
        let answer = fetch::get_from(&url, self.addresses.clone(), METRICS_BYTES, METRICS_TIMEOUT).ok()?;
        if !answer.server_header.as_deref()?.starts_with(SERVER) {
            return None;
        }
        Reading::parse(&answer.body)
    }

    /// The clients, if they can be made outside their worker's thread. For ureq, one client is made and
    /// discarded, so that a plan that cannot work is refused before the start.
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

/// Everything a test needs when the gate opens.
pub struct Prepared {
    /// What to do.
    pub assignment: Assignment,
    /// Aborts everything in flight.
    pub stop: StopFlag,
    /// The URL; in an A/B test both, A first. All have the same kind of client.
    pub sides: Vec<Side>,
    /// Where the target runs, if on this host; in an A/B test, either of them.
    pub target_on: Option<TargetOn>,
    /// Whether the target's certificate is not verified.
    pub unverified: bool,
    /// Since when connections have been held open; `None` after their release.
    pub open_since_ns: Option<u64>,
}

impl Prepared {
    /// Closes the connections that were opened ahead if the gate has stayed closed for long; requests then
    /// open their own.
    pub fn release(&mut self, now_ns: u64) {
        if self.open_since_ns.is_some_and(|since_ns| now_ns >= since_ns + HELD_NS) {
            self.sides.iter_mut().flat_map(|side| side.clients.native()).for_each(NativeClient::close_idle);
            self.open_since_ns = None;
        }
    }
}

/// Resolves the target, raises the limits, makes the clients and opens their connections. `stop`, the flag
/// of the whole test, ends this early, but does not interrupt a lookup or a read of `/metrics`. The error
/// says why the plan is refused.
pub fn prepare(
    assignment: Assignment,
    settings: &ClientSettings,
    stop: StopFlag,
) -> Result<Prepared, String> {
    let (until_ns, resolve_until_ns) = (clock::deadline(PREPARE_WITHIN), clock::deadline(RESOLVE_TIMEOUT));
    let kind = choose(&assignment, settings)?;
    let (part, parts) = (assignment.part, assignment.parts);
    let requests: Vec<&[Request]> = assignment.plan.sides().collect();
    let connections = assignment.plan.connections().of(part, parts) as usize;
    let of_side = split_over_sides(connections, requests.len())?;
    let threads = threads(settings, connections);
    let slots = of_side.iter().zip(split(threads, requests.len()));
    let slots = slots.map(|(connections, threads)| slots_of(kind, *connections, threads.max(1)));
    let slots = slots.collect::<Result<Vec<_>, _>>()?;
    let workers: usize = slots.iter().map(Vec::len).sum();
    limits::ensure_descriptors((connections + workers) as u64 + limits::RESERVED_DESCRIPTORS)?;
    supply::check(&assignment.plan, parts)?;
    let feeds = Feeds::load(&assignment.plan, &settings.feeds, &stop)?;
    let count = requests.len() as u64;
    let sides = requests.into_iter().zip(slots).enumerate().map(|(side, (requests, slots))| {
        let mut recipe = Recipe::new(&assignment, requests, settings, stop.clone(), resolve_until_ns);
        recipe.values = feeds.values(&assignment, &recipe.requests, (side as u64, count))?;
        Ok(Side { clients: recipe.clients(kind, &slots)?, before: None, recipe })
    });
    let mut sides = sides.collect::<Result<Vec<Side>, String>>()?;
    // Two targets have two counts, which one report has no place for.
    if let [side] = &mut sides[..] {
        let may_ask = side.recipe.addresses.get().is_ok() && !stop.is_stopped();
        side.before = if may_ask { side.recipe.read_target() } else { None };
    }
    open_ahead(&mut sides, most_open_ahead(&assignment), until_ns);
    let target_on = sides.iter().find_map(|side| target_on(&side.recipe.addresses, settings));
    let is_https = assignment.plan.sent().list().iter().any(Request::is_https);
    let unverified = is_https && is_insecure(&assignment, settings);
    Ok(Prepared { stop, sides, target_on, unverified, assignment, open_since_ns: Some(clock::now_ns()) })
}

fn is_insecure(assignment: &Assignment, settings: &ClientSettings) -> bool {
    settings.insecure || assignment.plan.is_insecure()
}

/// Which targets the clients trust.
fn trust(assignment: &Assignment, settings: &ClientSettings) -> Roots {
    match &settings.ca_pem {
        _ if is_insecure(assignment, settings) => Roots::Unverified,
        Some(pem) => Roots::PublicAnd(pem.clone()),
        None => Roots::Public,
    }
}

/// Whether the target runs in this process or on this host.
fn target_on(addresses: &Addresses, settings: &ClientSettings) -> Option<TargetOn> {
    if settings.runs_target {
        return Some(TargetOn::SameProcess);
    }
    if settings.unix_socket.is_some() {
        return Some(TargetOn::SameHost);
    }
    if settings.proxy.is_some() {
        return None;
    }
    let is_near = addresses.get().ok()?.iter().any(is_own_address);
    is_near.then_some(TargetOn::SameHost)
}

/// Maximum number of connections that a worker opens before the load begins. An open loop opens them on
/// demand, since it may never need them all. If connections carry a limited number of requests, opening
/// them is part of the load.
fn most_open_ahead(assignment: &Assignment) -> usize {
    let plan = &assignment.plan;
    let is_closed = matches!(plan.load(), Load::Closed);
    if !is_closed || plan.max_requests_per_connection().is_some() {
        return 0;
    }
    // A warm-up uses all connections, however few requests follow; and one worker may get all of those
    // requests.
    let share = Schedule::new(plan).share(assignment.part, assignment.parts);
    let requests = share.requests().filter(|_| plan.warmup().is_zero());
    requests.map_or(usize::MAX, |requests| requests.try_into().unwrap_or(usize::MAX))
}

fn open_ahead(sides: &mut [Side], most: usize, until_ns: u64) {
    let clients = sides.iter_mut().flat_map(|side| side.clients.native());
    let open: usize = clients.map(|client| client.open_ahead(most, clock::until(until_ns))).sum();
    if open > 0 {
        log::info!("{open} connections open");
    }
}

/// The addresses of the target, or of the proxy, resolved once for the whole test. A failed lookup does not
/// refuse the plan: every request then counts as a `dns` error.
fn addresses(request: &Request, settings: &ClientSettings, until_ns: u64) -> Addresses {
    if settings.unix_socket.is_some() {
        // There is nothing to look up; the address is not used.
        return vec![SocketAddr::from(([127, 0, 0, 1], request.port()))].into();
    }
    let proxy = settings.proxy.as_ref().map(|proxy| (proxy.host.as_str(), proxy.port));
    let (host, port) = proxy.unwrap_or((request.host(), request.port()));
    match pinned(&settings.pinned, host, port) {
        none if none.is_empty() => {
            let resolved = resolve(host, port, clock::until(until_ns).max(LEAST_RESOLVE_TIMEOUT));
            if let Err(error) = &resolved {
                log::warn!("{error}");
            }
            resolved.into()
        }
        some => some.into(),
    }
}

/// How many slots each worker of one URL has.
fn slots_of(kind: ClientKind, connections: usize, threads: usize) -> Result<Vec<usize>, String> {
    match kind {
        ClientKind::Native => Ok(split(connections, threads.min(connections))),
        ClientKind::Ureq if connections <= MAX_THREADS => Ok(vec![1; connections]),
        ClientKind::Ureq => Err(format!(
            "connections {connections}: the ureq client starts one thread per connection, at most \
             {MAX_THREADS}"
        )),
    }
}

fn choose(assignment: &Assignment, settings: &ClientSettings) -> Result<ClientKind, String> {
    let plan = &assignment.plan;
    let named = plan.client().map(str::parse::<ClientKind>).transpose()?;
    let usual = || match settings.proxy {
        Some(_) => ClientKind::Ureq,
        None => ClientKind::Native,
    };
    let kind = named.or(settings.client).unwrap_or_else(usual);
    if settings.proxy.is_some() && kind == ClientKind::Native {
        return Err("the native client cannot use --http-proxy: use --client ureq".to_owned());
    }
    if settings.unix_socket.is_some() && kind == ClientKind::Ureq {
        return Err("the ureq client cannot use --unix-socket: use --client native".to_owned());
    }
    Ok(kind)
}

/// By default one thread per core, except one core for the reports and for a target on the same host.
fn threads(settings: &ClientSettings, connections: usize) -> usize {
    let spare = std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1));
    settings.threads.unwrap_or(spare).clamp(1, MAX_THREADS).min(connections)
}

/// How many connections each URL has.
fn split_over_sides(connections: usize, sides: usize) -> Result<Vec<usize>, String> {
    if connections < sides {
        return Err(format!(
            "connections {connections}: an A/B test needs at least {sides} on each driver, one for each URL"
        ));
    }
    Ok(split(connections, sides))
}

/// Splits `total` into `parts` that differ by at most one.
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

    #[test]
    fn each_url_has_a_connection() {
        assert_eq!(split_over_sides(1, 1), Ok(vec![1]));
        assert_eq!(split_over_sides(3, 2), Ok(vec![2, 1]));
        assert!(split_over_sides(1, 2).is_err_and(|why| why.contains("at least 2 on each driver")));
    }
}
