//! The handler and the threads that call it.

use super::conversation::{Call, Reply};
use super::head::Manner;
use super::state::{Mailbox, Message, ServerState};
use super::types::Response;
use crate::clock;
use crate::threads::why_not;
use crossbeam_channel::{Receiver, Sender, bounded, never, select};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

/// Stack size of a thread that calls the handler. A small plan file in TOML can have 6,500 nested tables,
/// which are dropped recursively. Only what is used takes memory.
const STACK_BYTES: usize = 8 << 20;

/// A call and the destination of its reply.
pub struct Job {
    pub mailbox: Arc<Mailbox>,
    pub key: u64,
    pub call: Call,
}

/// The queues of calls waiting for a thread. A connection has at most one call, but those of closed
/// connections may be waiting, too.
#[derive(Clone)]
pub struct Jobs {
    reads: Sender<Job>,
    others: Sender<Job>,
}

impl Jobs {
    /// Queues a call. If too many are waiting, returns the manner in which to refuse it.
    pub fn submit(&self, job: Job) -> Result<(), Manner> {
        let is_read = matches!(job.call.request.method.as_str(), "GET" | "HEAD");
        let queue = if is_read { &self.reads } else { &self.others };
        queue.try_send(job).map_err(|unsent| unsent.into_inner().call.manner)
    }
}

/// Starts `threads` threads, which end when every copy of the [`Jobs`] is gone.
pub fn start(shared: &Arc<ServerState>, threads: usize) -> Result<(Jobs, Vec<JoinHandle<()>>), String> {
    let (reads, reads_out) = bounded(shared.options.max_connections);
    let (others, others_out) = bounded(shared.options.max_connections);
    let mut started = Vec::new();
    for i in 0..threads.max(1) {
        let (shared, reads) = (Arc::clone(shared), reads_out.clone());
        // The first of several threads handles only reads, so they are answered while the others are busy.
        let others = if i == 0 && threads > 1 { never() } else { others_out.clone() };
        let builder = Builder::new().name(format!("http-{i}")).stack_size(STACK_BYTES);
        started.push(builder.spawn(move || work(&shared, &reads, &others)).map_err(|e| why_not(&e))?);
    }
    Ok((Jobs { reads, others }, started))
}

fn work(shared: &ServerState, reads: &Receiver<Job>, others: &Receiver<Job>) {
    loop {
        let job = select! {
            recv(reads) -> job => job,
            recv(others) -> job => job,
        };
        let Ok(Job { mailbox, key, call }) = job else { return };
        let turn = call.turn;
        let reply = answer(shared, &call);
        mailbox.send(Message::Reply { key, turn, reply });
    }
}

/// Calls the handler; a panic becomes a 500.
pub fn answer(shared: &ServerState, call: &Call) -> Reply {
    let request = &call.request;
    let answered = catch_unwind(AssertUnwindSafe(|| {
        let response = shared.handler.answer(request);
        Reply::new(shared.options.name, response, call.manner, clock::now_ns())
    }));
    answered.unwrap_or_else(|_| {
        log::error!("{} {:.200} made the handler panic; this is a bug", request.method, request.path);
        let response = Response::error(500, "the server failed to handle this request; see its log");
        Reply::new(shared.options.name, response, call.manner, clock::now_ns())
    })
}
