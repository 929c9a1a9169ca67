//! The small HTTP server behind the orchestrator's and the target's endpoints, with a bound on everything a
//! client can use: connections, memory, time, threads.
//!
//! One thread (or a few, each with its share) owns the connections and waits for all of them at once.
//! [`intake`] parses requests without I/O, `conversation` keeps their order and deadlines. Handlers run on a
//! separate pool or, if they never block, on the same thread; they see complete requests and never a socket.
//! Responses are written by `tiny_http`, which only this comment names. Its own server is not used: it starts
//! a thread per connection without bounding their number, the length of a head, or the time a client takes.

mod chunks;
mod connections;
mod conversation;
mod door;
mod entrance;
mod head;
pub mod intake;
mod outbox;
mod pool;
mod render;
mod state;
mod types;

use super::os::listener;
use crate::clock;
use crate::host::limits::explain;
use crate::threads::why_not;
use door::{Door, DoorParts};
use entrance::Entrance;
use pool::Jobs;
use state::{Mailbox, ServerState};
use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
pub use types::{Calls, Handler, Options, Request, Response};

/// Listen backlog; bursts of new connections exceed the usual 128.
const BACKLOG: i32 = 4_096;
/// Stack size of a thread that owns connections.
const STACK_BYTES: usize = 1 << 20;
/// Pause before a failed door is reopened.
const REOPEN_PAUSE: Duration = Duration::from_secs(1);

/// A listening server. Its threads end with [`Server::shutdown`] or when it is dropped.
pub struct Server {
    addr: SocketAddr,
    shared: Arc<ServerState>,
    mailboxes: Vec<Arc<Mailbox>>,
    doors: Vec<JoinHandle<()>>,
    jobs: Option<Jobs>,
    workers: Vec<JoinHandle<()>>,
}

impl Server {
    /// Listens on `listen` (port 0: any free port) and answers with `handler`.
    ///
    /// # Errors
    /// A text with the address and the system error.
    pub fn start(listen: SocketAddr, options: Options, handler: Arc<dyn Handler>) -> Result<Server, String> {
        let (listener, addr) = bind(listen)?;
        let fail = |e: &dyn std::fmt::Display| format!("cannot serve on {addr}: {e}");
        let shared = Arc::new(ServerState::new(options, handler));
        let (doors, jobs, workers) = match shared.options.calls {
            Calls::Inline { threads } => (threads.max(1), None, Vec::new()),
            Calls::Pool { threads } => {
                let (jobs, workers) = pool::start(&shared, threads).map_err(|e| fail(&e))?;
                (1, Some(jobs), workers)
            }
        };
        let mut server = Server { addr, shared, mailboxes: Vec::new(), doors: Vec::new(), jobs, workers };
        server.open_doors(doors, Arc::new(listener)).map_err(|e| fail(&explain(&e)))?;
        Ok(server)
    }

    fn open_doors(&mut self, count: usize, listener: Arc<TcpListener>) -> std::io::Result<()> {
        let mut parts = Vec::new();
        for _ in 0..count {
            let (mailbox, inbox) = Mailbox::new()?;
            let mailbox = Arc::new(mailbox);
            self.mailboxes.push(Arc::clone(&mailbox));
            let options = &self.shared.options;
            parts.push(DoorParts {
                shared: Arc::clone(&self.shared),
                inbox,
                mailbox,
                jobs: self.jobs.clone(),
                max_connections: options.max_connections.div_ceil(count).max(1),
                max_buffered_bytes: options.max_buffered_bytes / count,
            });
        }
        let others: Vec<_> = self.mailboxes[1..].to_vec();
        for (i, parts) in parts.into_iter().enumerate() {
            let entrance = (i == 0).then(|| (Arc::clone(&listener), others.clone()));
            let open = move || {
                let entrance = entrance.clone();
                let entrance = entrance
                    .map(|(listener, others)| Entrance::new(listener, others, Arc::clone(&parts.shared)));
                Door::open(parts.clone(), entrance)
            };
            let door = open()?;
            let shared = Arc::clone(&self.shared);
            let builder = Builder::new().name(format!("http-door-{i}")).stack_size(STACK_BYTES);
            let started = builder.spawn(move || keep_open(&shared, door, open));
            self.doors.push(started.map_err(|e| std::io::Error::other(why_not(&e)))?);
        }
        Ok(())
    }

    /// The address that it listens on, with the actual port.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops listening, answers accepted requests, and joins its threads. The port is free afterwards.
    pub fn shutdown(self) {}
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop();
        self.mailboxes.iter().for_each(|mailbox| mailbox.waker.wake());
        let doors = std::mem::take(&mut self.doors);
        // Workers exit when all job senders are gone.
        self.jobs = None;
        let workers = std::mem::take(&mut self.workers);
        for thread in doors.into_iter().chain(workers) {
            if thread.join().is_err() {
                log::error!("a thread of the HTTP server panicked; this is a bug");
            }
        }
    }
}

/// Serves until the server stops. A panic closes the door's connections, and the door is reopened.
fn keep_open(shared: &ServerState, first: Door, open: impl Fn() -> std::io::Result<Door>) {
    let mut door = Ok(first);
    loop {
        match door {
            Ok(mut open_door) => match catch_unwind(AssertUnwindSafe(|| open_door.run())) {
                Ok(()) => return,
                Err(_) => log::error!("the HTTP server failed and closed its connections; this is a bug"),
            },
            Err(error) => log::error!("cannot restart the HTTP server: {error}"),
        }
        if shared.is_stopping() {
            return;
        }
        clock::sleep(REOPEN_PAUSE);
        door = open();
    }
}

fn bind(listen: SocketAddr) -> Result<(TcpListener, SocketAddr), String> {
    let fail = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "cannot listen on {listen}: the address is in use; stop the program that uses it, or choose \
             another with --listen (port 0 picks any free port)"
        ),
        std::io::ErrorKind::PermissionDenied => format!(
            "cannot listen on {listen}: permission denied; use a port above 1023 with --listen, or grant \
             the right to use low ports"
        ),
        std::io::ErrorKind::AddrNotAvailable => format!(
            "cannot listen on {listen}: this machine does not have that address; use one that it has with \
             --listen"
        ),
        _ => format!("cannot listen on {listen}: {e}"),
    };
    let listener = TcpListener::bind(listen).map_err(fail)?;
    listener::prepare(&listener, BACKLOG).map_err(fail)?;
    let addr = listener.local_addr().map_err(fail)?;
    Ok((listener, addr))
}
