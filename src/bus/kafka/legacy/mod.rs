//! The bus over the crate `kafka` 0.10, for brokers that are too old for the modern client. It has no append
//! times, creates topics only if the brokers do so automatically, and rejects brokers of 4.0 and newer. It
//! finds offsets by time only roughly: its protocol knows when each segment of a log was last written, so
//! [`Start::Since`] begins at a segment, often hours too early, and never too late.

mod client;
mod worker;

use self::client::{Brought, Client, Key};
use self::worker::Worker;
use super::context::Context;
use super::retry::{ATTEMPT_NS, Retry, Waiting};
use super::{offsets, requests};
use crate::bus::{Appended, Bus, BusError, Position, Record, Start, Topic, check_size};
use crate::clock::{self, NS_PER_MS, SystemClock};
use ::kafka::client::FetchOffset;
use ::kafka::client::KafkaClient;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How much longer than requested a fetch may take.
const GRACE_NS: u64 = 500 * NS_PER_MS;
/// How long after its deadline the result of a call is still awaited.
const REPLY_NS: u64 = 50 * NS_PER_MS;
/// Pause after an early empty response.
const EMPTY_PAUSE_NS: u64 = 10 * NS_PER_MS;

/// One worker with its client, and the retries of its calls.
struct RetryingWorker {
    shared: Arc<Context>,
    worker: Worker<Client>,
    retry: Retry,
}

impl RetryingWorker {
    fn new(shared: Arc<Context>, name: &'static str) -> Self {
        let worker = Worker::new(name, shared.describe());
        let retry = Retry::new(shared.describe());
        RetryingWorker { shared, worker, retry }
    }

    /// One attempt without a retry; any error is a fault, so that the next attempt waits.
    fn once<T: Send + 'static>(
        &mut self,
        deadline_ns: u64,
        call: impl FnOnce(&mut KafkaClient, &Context) -> Result<T, BusError> + Send + 'static,
    ) -> Result<T, BusError> {
        let result = run(&mut self.worker, &self.shared, deadline_ns, call);
        match &result {
            Ok(_) => self.retry.succeeded(),
            Err(error) => self.retry.failed(clock::now_ns(), error.clone()),
        }
        result
    }

    /// Retries until it succeeds, fails permanently or the deadline passes.
    fn attempt<T: Send + 'static>(
        &mut self,
        deadline_ns: u64,
        call: impl Fn(&mut KafkaClient, &Context) -> Result<T, BusError> + Clone + Send + 'static,
    ) -> Result<T, BusError> {
        let RetryingWorker { shared, worker, retry } = self;
        retry.attempt(&SystemClock, deadline_ns, |attempt_ns| run(worker, shared, attempt_ns, call.clone()))
    }
}

/// Makes one call on the worker and waits for its result.
fn run<T: Send + 'static>(
    worker: &mut Worker<Client>,
    shared: &Arc<Context>,
    deadline_ns: u64,
    call: impl FnOnce(&mut KafkaClient, &Context) -> Result<T, BusError> + Send + 'static,
) -> Result<T, BusError> {
    let shared = Arc::clone(shared);
    // A little longer, so that an error that the call reports at its deadline still arrives.
    worker.run(deadline_ns.saturating_add(REPLY_NS), move |client| {
        client.with(&shared, deadline_ns, |client| call(client, &shared))
    })
}

/// Waits until the brokers can be reached and all topics exist; logs what it waits for.
pub fn prepare(shared: Arc<Context>, deadline_ns: u64) -> Result<(), BusError> {
    let mut waiting = Waiting::new(shared.describe());
    let RetryingWorker { shared, mut worker, mut retry } = RetryingWorker::new(shared, "kafka-prepare");
    retry.attempt(&SystemClock, deadline_ns, |attempt_ns| {
        run(&mut worker, &shared, attempt_ns, client::check_topics).inspect_err(|error| {
            if let Some(line) = waiting.line(error) {
                log::warn!("{line}");
            }
        })
    })
}

/// A handle of the legacy client.
pub struct LegacyBus {
    writer: RetryingWorker,
    reader: RetryingWorker,
    positions: BTreeMap<Key, i64>,
    /// The partitions whose position is known to have existed.
    read: BTreeSet<Key>,
}

impl LegacyBus {
    /// Connects on demand.
    pub fn new(shared: Arc<Context>) -> Self {
        LegacyBus {
            writer: RetryingWorker::new(Arc::clone(&shared), "kafka-writer"),
            reader: RetryingWorker::new(shared, "kafka-reader"),
            positions: BTreeMap::new(),
            read: BTreeSet::new(),
        }
    }

    fn offsets(
        &mut self,
        topic: Topic,
        which: i64,
        deadline_ns: u64,
    ) -> Result<BTreeMap<i32, i64>, BusError> {
        self.writer.attempt(deadline_ns, move |client, shared| {
            // The crate sends this number as it is; the protocol's special values are negative.
            let which = FetchOffset::ByTime(which);
            client::offsets(client, &shared.settings.topic_name(topic), which)
        })
    }

    fn fetch(&mut self, deadline_ns: u64) -> Result<Brought, BusError> {
        let wait = clock::until(deadline_ns);
        let positions = self.positions.clone();
        let limit_ns = deadline_ns.max(clock::now_ns()).saturating_add(GRACE_NS);
        self.reader.once(limit_ns, move |client, shared| client::fetch(client, shared, &positions, wait))
    }

    /// Stores the next offsets. After a fault of a partition, the next call uses a new client.
    fn take(&mut self, brought: &mut Brought) {
        for (key, next) in &brought.next {
            self.positions.insert(*key, *next);
            self.read.insert(*key);
        }
        for (key, range) in &brought.lost {
            let Some(next) = self.positions.get_mut(key) else { continue };
            let name = self.reader.shared.settings.topic_name(key.0);
            let (to, line) = offsets::moved(&name, key.1, *next, *range, self.read.contains(key));
            log::warn!("{line}");
            *next = to;
        }
        if let Some(fault) = &brought.fault {
            self.reader.retry.failed(clock::now_ns(), fault.clone());
            let forget = |client: &mut Client| -> Result<(), BusError> {
                client.forget();
                Ok(())
            };
            // The worker is idle, so this returns at once.
            let _ = self.reader.worker.run(clock::now_ns().saturating_add(GRACE_NS), forget);
        }
    }
}

impl Bus for LegacyBus {
    fn publish(
        &mut self,
        topic: Topic,
        key: &str,
        value: &[u8],
        timeout: Duration,
    ) -> Result<Appended, BusError> {
        check_size(topic, key, value)?;
        // The worker may outlive this call, so it gets a copy of the record.
        let (key, value): (Arc<str>, Arc<[u8]>) = (key.into(), value.into());
        self.writer.attempt(clock::deadline(timeout), move |client, shared| {
            let name = shared.settings.topic_name(topic);
            client::publish(client, &name, &key, &value, Duration::from_nanos(ATTEMPT_NS))
        })
    }

    fn end(&mut self, topic: Topic, timeout: Duration) -> Result<Position, BusError> {
        Ok(Position(self.offsets(topic, requests::LATEST, clock::deadline(timeout))?))
    }

    fn subscribe(&mut self, topic: Topic, start: Start, timeout: Duration) -> Result<(), BusError> {
        let deadline_ns = clock::deadline(timeout);
        let offsets = offsets::of_start(&start, |which| match which {
            // The start of the last segment that was complete at that time; without one, the beginning.
            ms @ 0.. => {
                let mut offsets = self.offsets(topic, requests::EARLIEST, deadline_ns)?;
                let found = self.offsets(topic, ms, deadline_ns)?;
                offsets.extend(found.into_iter().filter(|(_, offset)| *offset >= 0));
                Ok(offsets)
            }
            special => self.offsets(topic, special, deadline_ns),
        })?;
        self.reader.shared.warn_of_partitions(topic, offsets.len());
        self.read.retain(|(known, _)| *known != topic);
        self.positions.retain(|(known, _), _| *known != topic);
        self.positions.extend(offsets.into_iter().map(|(partition, offset)| ((topic, partition), offset)));
        Ok(())
    }

    fn poll(&mut self, timeout: Duration) -> Result<Vec<Record>, BusError> {
        let deadline_ns = clock::deadline(timeout);
        if self.positions.is_empty() {
            clock::sleep_until(deadline_ns);
            return Ok(Vec::new());
        }
        let mut read = false;
        loop {
            clock::sleep_until(self.reader.retry.not_before_ns().min(deadline_ns));
            let began_ns = clock::now_ns();
            let paused = began_ns < self.reader.retry.not_before_ns();
            if !paused {
                let fetched = self.fetch(deadline_ns);
                if let Ok(mut brought) = fetched {
                    self.take(&mut brought);
                    read |= brought.fault.is_none();
                    if !brought.records.is_empty() {
                        return Ok(brought.records);
                    }
                    clock::sleep_until((began_ns + EMPTY_PAUSE_NS).min(deadline_ns));
                }
            }
            if clock::now_ns() >= deadline_ns {
                return match self.reader.retry.last_fault().cloned().filter(|_| !read) {
                    Some(fault) => Err(fault),
                    None => Ok(Vec::new()),
                };
            }
        }
    }
}
