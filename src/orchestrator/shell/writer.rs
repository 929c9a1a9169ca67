//! The thread that writes to the bus, one record after another, retrying each until its deadline.

use super::{Handle, Job, Shared, TICK};
use crate::bus::{Appended, BusError, Topic};
use crate::clock;
use crate::message::encode;
use crate::orchestrator::runs::Command;
use crossbeam_channel::Receiver;
use std::time::Duration;

/// How long writing a plan, a registration or a STOP is retried.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// How long writing the trigger is retried: it names a start one second ahead, and drivers that read it later
/// start late.
const START_WITHIN: Duration = Duration::from_secs(5);
/// How long writing a record is retried once the orchestrator is shutting down.
const LAST_WITHIN: Duration = Duration::from_secs(2);

/// Writes until the orchestrator shuts down and nothing is queued.
pub fn run(shared: &Shared, mut bus: Handle, queue: &Receiver<Job>) {
    loop {
        match queue.recv_timeout(TICK) {
            Ok(job) => write(shared, &mut bus, job),
            Err(_) if shared.is_stopping() => return,
            Err(_) => {}
        }
    }
}

fn write(shared: &Shared, bus: &mut Handle, job: Job) {
    match job {
        // Its caller was told that it failed, while something else was written.
        Job::Command(test_id, Command::Config(_)) if !shared.core().is_proposed(&test_id) => {}
        Job::Command(test_id, command) => {
            let (topic, value, within) = match &command {
                Command::Config(config) => (Topic::TestConfig, encode(config), WRITE_WITHIN),
                Command::Start(trigger) => (Topic::Trigger, encode(trigger), START_WITHIN),
                Command::Stop(trigger) => (Topic::Trigger, encode(trigger), WRITE_WITHIN),
                Command::End(end) => (Topic::Metrics, encode(end), WRITE_WITHIN),
                Command::Index(end) => (Topic::Trigger, encode(end), WRITE_WITHIN),
            };
            let result = publish(shared, bus, topic, &test_id, &value, within);
            if let Err(why) = &result {
                log::error!("test {test_id}: topic {}: {why}", topic.name());
            }
            let mut core = shared.core();
            let now = core.moment(clock::now_ns());
            core.written(&test_id, &command, result, now);
        }
        Job::Record(topic, key, value, answer) => {
            let result = publish(shared, bus, topic, &key, &value, WRITE_WITHIN);
            if let Ok(appended) = &result {
                shared.core().learn_time(appended);
            }
            // The caller may have stopped waiting.
            let _ = answer.try_send(result);
        }
    }
}

fn publish(
    shared: &Shared,
    bus: &mut Handle,
    topic: Topic,
    key: &str,
    value: &[u8],
    within: Duration,
) -> Result<Appended, BusError> {
    let within = if shared.is_stopping() { LAST_WITHIN } else { within };
    bus.publish(topic, key, value, within)
}
