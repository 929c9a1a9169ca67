//! Who could not keep up with the schedule: the generator, the target, or both.
//!
//! Evidence against the generator: *lag*, the delay before a send; *busy*, whether its threads were ever
//! idle; *CPU wait*, whether they were runnable but got no CPU. The last two show what lag cannot: a response
//! that was left unread. Evidence against the target: requests had to wait for a connection, or were sent too
//! slowly, although the generator had time to spare, or would have had it. A pause of the generator can also
//! cause a queue: many requests are due at once after it.

use super::words::{of, percent};
use super::{Facts, Finding, MOST_NAMES, errors};
use crate::stats::distribution::Distribution;
use crate::stats::generator::{Generator, TargetOn};
use crate::units::{format_figure, format_ms};

/// p99 lag up to this never counts against the generator, in ms.
pub const LAG_FLOOR_MS: f64 = 1.0;
/// p99 lag up to this share of the p99 latency never counts against the generator.
pub const LAG_SHARE: f64 = 0.05;
/// A generator whose threads had work to do for this share of their time is saturated; if they never sleep,
/// it is 1. Measured with nginx on another core and 16 connections, both sides are at 0.95, and neither is
/// the bottleneck alone.
pub const BUSY_SHARE: f64 = 0.98;
/// A generator whose threads waited for a CPU for this share of their time is starved.
pub const CPU_WAIT_SHARE: f64 = 0.10;
/// An open loop below this share of its planned rate missed the schedule.
pub const RATE_SHARE: f64 = 0.99;
/// With fewer requests beyond a limit, there is no finding.
pub const LEAST_REQUESTS: u64 = 10;
/// A smaller share of requests that had to wait for a connection is nobody's fault.
pub const QUEUED_SHARE_FEW: f64 = 0.01;
/// A smaller share of them is nobody's fault if their delay is short ([`PAUSE_MS`]).
pub const QUEUED_SHARE: f64 = 0.05;
/// A delay up to this is short, in ms: a thread of the target or the generator may wait this long for its
/// turn on a CPU under Linux's scheduler. Measured on two quiet cores at 20,000/s over 16 connections, 0.3 to
/// 3.2 % of the requests had to wait, 1 % of them for 0.2 to 0.7 ms.
pub const PAUSE_MS: f64 = 5.0;
/// Shares of less time than this are no finding, in s: the kernel accounts CPU time in ticks of up to 10 ms.
const LEAST_WORKER_S: f64 = 0.2;
/// A host with this many sockets in TIME_WAIT for each local port opens connections slowly. With half of the
/// ports in TIME_WAIT, a `connect` took 2 ms.
pub const PORTS_SHARE: f64 = 0.4;
/// More than this share counts as most.
const MOSTLY: f64 = 0.5;
/// Generator threads that are idle for the rest of their time can hardly hold a closed loop back.
const SPARE_SHARE: f64 = 0.80;

/// Whether these workers had too little CPU.
pub fn is_starved(generator: &Generator) -> bool {
    let beyond = |share: Option<f64>, limit: f64| share.is_some_and(|share| share >= limit);
    generator.worker_s >= LEAST_WORKER_S
        && (beyond(generator.busy, BUSY_SHARE) || beyond(generator.cpu_wait, CPU_WAIT_SHARE))
}

/// How many of the requests were sent late by how much, in words: `1 % of its requests were sent more than
/// 3.2 ms`. `None` if the delay is small or concerns fewer than [`LEAST_REQUESTS`] of the `sent` requests.
pub fn lags(lag: &Distribution, latency_p99_ms: Option<f64>, sent: u64) -> Option<String> {
    let allowed_ms = LAG_FLOOR_MS.max(LAG_SHARE * latency_p99_ms.unwrap_or(0.0));
    let shares = [
        (lag.p99, 0.01, "1 %"),
        (lag.p95, 0.05, "5 %"),
        (lag.p90, 0.1, "10 %"),
        (lag.median, 0.5, "half"),
        (lag.min, 1.0, "all"),
    ];
    let is_enough = |share: f64| share * sent as f64 >= LEAST_REQUESTS as f64;
    let (ms, _, share) = shares.iter().find(|(ms, share, _)| *ms > allowed_ms && is_enough(*share))?;
    Some(format!("{share} of its requests were sent more than {}", format_ms(*ms)))
}

/// Whether the generator certainly did not hold a closed loop back.
pub fn has_time_to_spare(facts: &Facts) -> bool {
    facts.generator.busy.is_some_and(|busy| busy <= SPARE_SHARE)
}

pub fn find(facts: &Facts, found: &mut Vec<Finding>) {
    let missed = missed(facts);
    if !missed.is_empty() {
        found.extend(
            facts.short_of_ports.iter().take(MOST_NAMES).map(|(name, share)| few_ports(name, *share)),
        );
    }
    let generator = generator(facts, !missed.is_empty());
    let is_lag = generator.as_ref().is_some_and(|finding| finding.code == "generator_lag");
    // A lagging generator explains a missed rate, but not a queue.
    let is_idle_enough = is_idle_enough(facts);
    found.extend(generator);
    for miss in missed {
        match miss {
            Missed::NeverSent => found.push(never_sent(facts, is_idle_enough)),
            Missed::Queued if is_idle_enough => found.push(queued(facts)),
            Missed::Rate(planned, sent) if is_idle_enough && !(is_lag && facts.queued == 0) => {
                found.push(slow(planned, sent));
            }
            Missed::Queued | Missed::Rate(..) => {}
        }
    }
}

/// Whether the generator was idle enough to conclude that the target was slow. A generator whose host had no
/// ports left could not even send.
fn is_idle_enough(facts: &Facts) -> bool {
    let had_cpu = !is_starved(&facts.generator) || is_slow_for_any(facts);
    had_cpu && errors::shortage(facts).is_none() && facts.short_of_ports.is_empty()
}

/// Whether the target was too slow even for a generator that never waited for a CPU: without those waits,
/// during which the target may have been idle, the generator would have slept most of the time, and the rate
/// would still have been too low.
fn is_slow_for_any(facts: &Facts) -> bool {
    let Generator { busy: Some(busy), cpu_wait: Some(cpu_wait), .. } = facts.generator else { return false };
    let Some((planned, sent)) = facts.rates_rps.filter(|_| facts.finished) else { return false };
    let had = 1.0 - cpu_wait;
    let asleep = 1.0 - busy;
    asleep > MOSTLY * had && sent < RATE_SHARE * planned * had
}

fn few_ports(driver: &str, share: f64) -> Finding {
    let text = format!(
        "The host of driver {driver} is short of local ports (the target is not to blame): {} of them are in \
         TIME_WAIT after a connection closed, so new connections open slowly; keep connections open, use \
         more hosts, or widen net.ipv4.ip_local_port_range.",
        percent(share)
    );
    Finding::warning("ports_exhausted", text).of(driver)
}

/// How the schedule was missed.
#[derive(Clone, Copy)]
enum Missed {
    NeverSent,
    Queued,
    /// Planned and sent, in requests/s.
    Rate(f64, f64),
}

fn missed(facts: &Facts) -> Vec<Missed> {
    let mut missed = Vec::new();
    if facts.never_sent > 0 {
        missed.push(Missed::NeverSent);
    }
    if has_queued(facts) && !has_queued_few(facts) {
        missed.push(Missed::Queued);
    }
    // Without all final reports, it is unknown how much was sent.
    let is_known = facts.finished && facts.stopped.is_none() && facts.lost.is_empty();
    if let Some((planned, sent)) = facts.rates_rps.filter(|_| is_known && facts.never_sent == 0) {
        let behind = facts.planned as f64 * (1.0 - sent / planned);
        if sent < RATE_SHARE * planned && behind >= LEAST_REQUESTS as f64 {
            missed.push(Missed::Rate(planned, sent));
        }
    }
    missed
}

fn has_queued(facts: &Facts) -> bool {
    facts.queued >= LEAST_REQUESTS
}

fn has_queued_few(facts: &Facts) -> bool {
    let share = facts.queued as f64 / facts.sent.max(1) as f64;
    // Latency minus service time is the wait for a connection.
    let delay_ms = facts.latency_p99_ms.unwrap_or(0.0) - facts.service_p99_ms.unwrap_or(0.0);
    share < QUEUED_SHARE_FEW || (share < QUEUED_SHARE && delay_ms <= PAUSE_MS)
}

/// A note that a few requests had to wait for a connection, or some for a moment, which is nobody's fault.
pub fn queued_few(facts: &Facts) -> Option<Finding> {
    let queued = of(facts.queued, facts.sent, "requests");
    let text = format!("Note: {queued} had to wait for a free connection.");
    (has_queued(facts) && has_queued_few(facts)).then(|| Finding::info("queued", text))
}

fn generator(facts: &Facts, plan_was_missed: bool) -> Option<Finding> {
    let counts = facts.sent >= LEAST_REQUESTS && (facts.is_closed || plan_was_missed);
    if counts && is_starved(&facts.generator) {
        return Some(Finding::warning("generator_saturated", saturated(&facts.generator)));
    }
    if counts && !facts.starved.is_empty() {
        let who: Vec<String> = facts.starved.iter().map(|(name, _)| name.clone()).collect();
        let worst = facts.starved.iter().max_by(|a, b| need(&a.1).total_cmp(&need(&b.1)));
        let text = worst.map_or(String::new(), |(_, generator)| had(generator));
        let text = format!("The generator was the bottleneck on {}: {text}; {ADVICE}.", super::names(&who));
        let finding = Finding::warning("generator_saturated", text);
        return Some(if let [one] = who.as_slice() { finding.of(one) } else { finding });
    }
    let how = lags(facts.lag.as_ref()?, facts.latency_p99_ms, facts.sent)?;
    Some(Finding::warning("generator_lag", lagging(facts, &how)))
}

const ADVICE: &str = "use fewer connections, more drivers or a less loaded host";

fn need(generator: &Generator) -> f64 {
    generator.cpu_wait.unwrap_or(0.0)
}

/// How much CPU time the threads got.
fn had(generator: &Generator) -> String {
    match (generator.cpu_wait, generator.busy) {
        (Some(wait), _) if wait >= CPU_WAIT_SHARE => {
            format!("its threads were ready to run but got no CPU {} of the time", percent(wait))
        }
        (_, busy) => format!("its threads had work to do {} of the time", percent(busy.unwrap_or(1.0))),
    }
}

fn saturated(generator: &Generator) -> String {
    if generator.target_on == Some(TargetOn::SameProcess) {
        return match generator.cpu_wait.filter(|wait| *wait >= CPU_WAIT_SHARE) {
            Some(wait) => format!(
                "This machine was the bottleneck: the drivers and their own target share its CPUs, and the \
                 drivers waited for one {} of the time; use --url to load a server on another machine.",
                percent(wait)
            ),
            None => format!(
                "The generator was the bottleneck: its threads had work to do {} of the time, and the \
                 target shares this machine's CPUs; use --url to load a server on another machine.",
                percent(generator.busy.unwrap_or(1.0))
            ),
        };
    }
    format!("The generator was the bottleneck: {}; {ADVICE}.", had(generator))
}

fn lagging(facts: &Facts, how: &str) -> String {
    match facts.is_closed {
        false => {
            format!("The generator could not keep up with the schedule: {how} late; {ADVICE}.")
        }
        // A closed loop has no schedule; there the generator's delay reduces the load.
        true => {
            format!("The generator was the bottleneck: {how} after a connection became free; {ADVICE}.")
        }
    }
}

fn never_sent(facts: &Facts, is_idle_enough: bool) -> Finding {
    let unsent = of(facts.never_sent, facts.planned, "planned requests");
    let text = match (&facts.stopped, is_idle_enough) {
        (Some(_), _) => format!("{unsent} were not sent before the stop."),
        (None, true) => format!(
            "The target was slower than the plan: {unsent} were never sent, because every connection was \
             busy until one timeout after the planned end; use more connections or a lower rate."
        ),
        (None, false) => format!("{unsent} were still unsent one timeout after the planned end."),
    };
    Finding::warning("never_sent", text)
}

fn queued(facts: &Facts) -> Finding {
    let queued = of(facts.queued, facts.sent, "requests");
    let queued = format!("{queued} had to wait for a free connection");
    let pause_ms = facts.lag.as_ref().map(|lag| lag.max);
    let pause_ms = pause_ms.filter(|ms| *ms > LAG_FLOOR_MS && facts.queued as f64 <= facts.due_in_pauses);
    match pause_ms {
        None => Finding::warning("target_slow", format!("The target was slower than the plan: {queued}.")),
        Some(pause_ms) => Finding::warning(
            "generator_lag",
            format!(
                "{queued}: the generator itself may have paused (at most {}), or the target was slower than \
                 the plan.",
                format_ms(pause_ms)
            ),
        ),
    }
}

fn slow(planned: f64, sent: f64) -> Finding {
    let text = format!(
        "The target was slower than the plan: {}/s were sent, {}/s were planned ({:.1} %).",
        format_figure(sent),
        format_figure(planned),
        100.0 * sent / planned
    );
    Finding::warning("target_slow", text)
}

/// A note that the target shares a host with drivers, unless another finding says so.
pub fn shared_host(facts: &Facts) -> Option<Finding> {
    let text = match facts.generator.target_on? {
        _ if facts.sent == 0 => return None,
        TargetOn::SameProcess if is_starved(&facts.generator) && facts.is_closed => return None,
        TargetOn::SameProcess => {
            "Note: drivers and target share this machine's CPUs; a target on another machine may be faster."
        }
        TargetOn::SameHost => "Note: the target shares a host with drivers, so they compete for its CPUs.",
    };
    Some(Finding::info("shared_host", text.to_owned()))
}
