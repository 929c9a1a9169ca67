//! The small HTTP server that the orchestrator's and the target's endpoints stand on.
//!
//! It is `tiny_http` (named only here) with what an unattended process needs besides: a limit on bodies, a
//! handler that may panic, answers that are held back without a thread each, an accept loop that comes back
//! after a failure (too many open files), and an end in order.
//!
//! What `tiny_http` does not let us limit: it starts one thread for each open connection and keeps it until the
//! client closes, and it reads a request's head without a bound on its length.

mod delay;
mod exchange;
mod spare;
mod types;

pub use types::{Options, Request, Response};

use super::os;
use crate::clock;
use delay::Delayer;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// What answers a request. It may be called on several threads at once and should not block: an answer that is
/// due later is returned at once, as [`Response::held_for`].
pub type Handler = dyn Fn(&Request) -> Response + Send + Sync;

/// Connections that wait for the accept loop; bursts of new connections are larger than the usual 128.
const BACKLOG: i32 = 4_096;
/// Longest wait for a client that does not read its response.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the accept loop is opened again in the life of a server.
const MAX_ACCEPT_LOOPS: u32 = 64;
/// Longest wait for the port and for uploads at the end.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// A listening server; its threads end with [`Server::shutdown`], or when it is dropped.
pub struct Server {
    addr: SocketAddr,
    shared: Arc<Shared>,
    spare: Option<JoinHandle<()>>,
}

/// What all threads of one server know.
struct Shared {
    options: Options,
    handler: Arc<Handler>,
    listener: TcpListener,
    delayer: Delayer,
    stopping: AtomicBool,
    /// Requests whose body is being received, each on a thread of its own.
    uploads: AtomicUsize,
    loops: Mutex<Vec<AcceptLoop>>,
}

/// One accept loop of `tiny_http` with the threads that answer its requests.
struct AcceptLoop {
    source: Arc<tiny_http::Server>,
    workers: Vec<JoinHandle<()>>,
}

impl Server {
    /// Listens on `listen` (port 0: any free one) and answers with `handler`.
    pub fn start(listen: SocketAddr, options: Options, handler: Arc<Handler>) -> Result<Server, String> {
        let (listener, addr) = bind(listen)?;
        let shared = Arc::new(Shared {
            options,
            handler,
            listener,
            delayer: Delayer::default(),
            stopping: AtomicBool::new(false),
            uploads: AtomicUsize::new(0),
            loops: Mutex::new(Vec::new()),
        });
        shared.open().map_err(|e| format!("cannot serve on {addr}: {e}"))?;
        let mut server = Server { addr, shared, spare: None };
        server.spare = Some(server.keep_spare().map_err(|e| format!("cannot serve on {addr}: {e}"))?);
        Ok(server)
    }

    fn keep_spare(&self) -> std::io::Result<JoinHandle<()>> {
        let (shared, addr, count) =
            (Arc::clone(&self.shared), self.addr, self.shared.options.spare_connections);
        spare::grow(addr, count);
        let builder = std::thread::Builder::new().name("http-spare".to_owned()).stack_size(256 * 1024);
        builder.spawn(move || spare::keep(addr, count, &shared.stopping))
    }

    /// The address that it listens on, with the real port.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops listening, answers what was taken, and joins its threads; the port is free afterwards.
    pub fn shutdown(self) {}
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        if let Some(spare) = self.spare.take() {
            let _ = spare.join();
        }
        // A worker that opens a new loop at this moment sees `stopping` under the same lock and gives it up.
        let loops = std::mem::take(&mut *lock(&self.shared.loops));
        for accept_loop in loops {
            accept_loop.workers.iter().for_each(|_| accept_loop.source.unblock());
            for worker in accept_loop.workers {
                let _ = worker.join();
            }
            while let Ok(Some(request)) = accept_loop.source.try_recv() {
                exchange::serve(&self.shared, request);
            }
        }
        self.shared.delayer.shutdown();
        let deadline_ns = clock::now_ns() + clock::to_ns(END_TIMEOUT);
        while self.shared.uploads.load(Ordering::SeqCst) > 0 && clock::now_ns() < deadline_ns {
            clock::sleep(Duration::from_millis(2));
        }
        wait_until_closed(&self.shared.listener, deadline_ns);
    }
}

/// Ends the listening state for every copy of the socket: `tiny_http` drops its own a little later, on a thread
/// that cannot be joined.
fn wait_until_closed(listener: &TcpListener, deadline_ns: u64) {
    let Ok(addr) = listener.local_addr() else { return };
    os::listener::end(listener);
    while clock::now_ns() < deadline_ns && TcpListener::bind(addr).is_err() {
        clock::sleep(Duration::from_millis(1));
    }
}

fn bind(listen: SocketAddr) -> Result<(TcpListener, SocketAddr), String> {
    let fail = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "cannot listen on {listen}: the address is in use; stop the program that holds it, or give another \
             one with --listen (port 0 takes any free port)"
        ),
        std::io::ErrorKind::PermissionDenied => format!(
            "cannot listen on {listen}: not permitted; give a port above 1023 with --listen, or the right to use low ports"
        ),
        std::io::ErrorKind::AddrNotAvailable => format!(
            "cannot listen on {listen}: this machine does not have that address; give one of its own with --listen"
        ),
        _ => format!("cannot listen on {listen}: {e}"),
    };
    let listener = TcpListener::bind(listen).map_err(fail)?;
    os::listener::prepare(&listener, BACKLOG, SEND_TIMEOUT);
    let addr = listener.local_addr().map_err(fail)?;
    Ok((listener, addr))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Opens one more accept loop and starts its workers.
    fn open(self: &Arc<Self>) -> Result<(), String> {
        let mut loops = lock(&self.loops);
        if self.stopping.load(Ordering::SeqCst) {
            return Ok(());
        }
        let listener = self.listener.try_clone().map_err(|e| e.to_string())?;
        let source = tiny_http::Server::from_listener(listener, None).map_err(|e| e.to_string())?;
        let source = Arc::new(source);
        let mut workers = Vec::new();
        for i in 0..self.options.threads.max(1) {
            let (shared, source) = (Arc::clone(self), Arc::clone(&source));
            let builder = std::thread::Builder::new().name(format!("http-{i}")).stack_size(256 * 1024);
            let attempt = loops.len() as u32;
            workers.push(builder.spawn(move || shared.work(&source, attempt)).map_err(|e| e.to_string())?);
        }
        loops.push(AcceptLoop { source, workers });
        Ok(())
    }

    /// Answers requests until the end.
    fn work(self: Arc<Self>, source: &tiny_http::Server, attempt: u32) {
        loop {
            match source.recv() {
                Ok(request) => exchange::serve(&self, request),
                Err(_) if self.stopping.load(Ordering::SeqCst) => break,
                // The accept loop says so once, to one worker. What it accepted before is served on.
                Err(error) => self.reopen(&error, attempt),
            }
        }
    }

    /// Waits, longer each time, and opens a new accept loop in place of one that failed.
    fn reopen(self: &Arc<Self>, error: &std::io::Error, attempt: u32) {
        let wait = Duration::from_millis(100 << attempt.min(7));
        log::warn!(
            "cannot take a new connection: {error}; trying again in {} ms (for too many open files: raise \
             `ulimit -n` or use fewer connections)",
            wait.as_millis()
        );
        if attempt >= MAX_ACCEPT_LOOPS {
            log::error!(
                "no more connections are taken after {MAX_ACCEPT_LOOPS} failures: restart this process"
            );
            return;
        }
        let until_ns = clock::now_ns() + clock::to_ns(wait);
        while clock::now_ns() < until_ns && !self.stopping.load(Ordering::SeqCst) {
            clock::sleep(Duration::from_millis(20));
        }
        if let Err(error) = self.open() {
            self.reopen(&std::io::Error::other(error), attempt + 1);
        }
    }
}
