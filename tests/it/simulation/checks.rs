//! What must hold after every simulation, by the log and by what each process did.

use super::bus::{BEGAN_MS, SimulatedBus};
use super::driver::Witnessed;
use super::faults::Faults;
use super::history::{History, Test};
use super::script::{LAST, Mishap, Who};
use super::world::World;
use floodgate::bus::Topic;
use floodgate::clock::NS_PER_MS;
use floodgate::message::{End, EndState, Fate, NodeRef, OnDriverLoss, TestConfig, Word};
use floodgate::orchestrator::replay::Replay;
use floodgate::plan::Plan;
use floodgate::schedule::Schedule;
use floodgate::stats::summary::Summary;
use std::collections::{BTreeMap, BTreeSet};

/// What one driver process did: its name, its epoch, and what it noted.
type Witness = (String, u64, Witnessed);

/// How long drivers have to get ready.
const READY_MS: f64 = 10_000.0;
/// How much longer than its timeout a run is waited for.
const CLOSE_AFTER_MS: f64 = 5_000.0;
/// By when an END is written, on a faulty bus: writing is retried, and records become visible late.
const WRITTEN_WITHIN_MS: f64 = 8_000.0;
/// The same if its orchestrators or the bus were away: after that, they listen to the drivers again.
const WRITTEN_AFTER_TROUBLE_MS: f64 = 25_000.0;
/// By when the loss of a driver is noticed, and a STOP written because of it.
const NOTICED_WITHIN_MS: f64 = 6_000.0;
/// How long after its STOP became visible a driver may send.
const STOPPED_WITHIN_MS: f64 = 1_000.0;

/// Everything that was broken, in words.
pub fn violations(world: &mut World) -> Vec<String> {
    let mut found = Vec::new();
    let history = History::of(&world.bus);
    let witnesses = world.witnesses();
    answers_hold(world, &history, &mut found);
    for (name, epoch, witnessed) in &witnesses {
        found.extend(witnessed.broken.iter().map(|what| format!("{name}: {what}")));
        starts_hold(&history, name, *epoch, witnessed, &mut found);
    }
    for test in &history.tests {
        let id = &test.config.test_id;
        let mut own = Vec::new();
        let Some((end, ended_ms)) = history.end(id) else {
            found.push(format!("{id}: no END in the log"));
            continue;
        };
        end_holds(&history, test, end, &mut own);
        end_is_in_time(world, &history, test, ended_ms, &mut own);
        fates_hold(world, end, ended_ms, &mut own);
        stops_hold(world, &history, test, &witnesses, &mut own);
        match replay(&world.bus, id) {
            Ok(summary) => {
                result_holds(world, id, &summary, &mut own);
                plan_holds(test, end, &summary, &mut own);
                counts_hold(&history, test, &summary, &witnesses, &mut own);
            }
            Err(why) => own.push(format!("replay: {why}")),
        }
        if id == LAST && !(is_complete(end) && end.drivers.len() == world.fleet()) {
            own.push(format!("not every driver completed it: {end:?}"));
        }
        found.extend(own.into_iter().map(|what| format!("{id}: {what}")));
    }
    if !history.tests.iter().any(|test| test.config.test_id == LAST) {
        found.push(format!("the last test was refused: {:?}", world.answers().last()));
    }
    found
}

fn is_complete(end: &End) -> bool {
    end.state == EndState::Completed && end.drivers.iter().all(|driver| driver.fate == Fate::Done)
}

/// The result by the records alone.
fn replay(bus: &SimulatedBus, test_id: &str) -> Result<Summary, String> {
    let mut replay = Replay::new(Some(test_id.to_owned()));
    for topic in [Topic::TestConfig, Topic::Metrics] {
        for record in bus.records_of(topic) {
            replay.add(record)?;
        }
    }
    Ok(replay.finish()?.summary().clone())
}

/// Who was told that a test was configured was told the truth, and nobody else was.
fn answers_hold(world: &World, history: &History, found: &mut Vec<String>) {
    let mut accepted = BTreeSet::new();
    for (id, _) in world.answers().filter(|(_, answer)| answer.is_ok()) {
        if !history.tests.iter().any(|test| test.config.test_id == *id) {
            found.push(format!("{id} was accepted, but is void"));
        }
        if !accepted.insert(id) {
            found.push(format!("{id} was accepted twice"));
        }
    }
    // Whoever says that a plan could not be written stops it if it was.
    let is_troubled = world.mishaps.iter().any(|mishap| matches!(mishap.who, Some(Who::Orchestrator(_))));
    let refused = world.answers().filter(|(id, answer)| answer.is_err() && !accepted.contains(id));
    for (id, answer) in refused.filter(|_| !is_troubled) {
        if history.end(id).is_some_and(|(end, _)| end.started_at_ms.is_some() && end.stopped.is_none()) {
            found.push(format!("{id} was executed in spite of {answer:?}"));
        }
    }
}

/// A process starts a test at most once, only if the test counts, and when the first `YES` says.
fn starts_hold(history: &History, name: &str, epoch: u64, witnessed: &Witnessed, found: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for (id, start_at_ms) in &witnessed.starts {
        if !seen.insert(id.clone()) {
            found.push(format!("{name} started {id} twice"));
        }
        let Some(test) = history.tests.iter().find(|test| test.config.test_id == *id) else {
            found.push(format!("{name} started {id}, which is void"));
            continue;
        };
        if !test.config.drivers.iter().any(|node| node.node_id == name && node.epoch == epoch) {
            found.push(format!("{name} started {id}, which does not name this process"));
        }
        let start = history.start(id);
        if start.and_then(|trigger| trigger.start_at_ms) != Some(*start_at_ms) {
            found.push(format!("{name} started {id} at {start_at_ms}, not by the first YES {start:?}"));
        }
    }
}

/// What the END says agrees with the log before it.
fn end_holds(history: &History, test: &Test, end: &End, found: &mut Vec<String>) {
    let id = &test.config.test_id;
    let start_ms = history.start(id).and_then(|trigger| trigger.start_at_ms);
    if end.started_at_ms.is_some() && end.started_at_ms != start_ms {
        found.push(format!("its END says that it started at {:?}, not {start_ms:?}", end.started_at_ms));
    }
    if let Some(stopped) = &end.stopped {
        let first = history.first(id, Word::Stop).map(|(_, stop, at_ms)| (stop.reason.clone(), at_ms as f64));
        if first != Some((Some(stopped.reason.clone()), stopped.at_ms)) {
            found.push(format!("its END names {stopped:?}, the first STOP is {first:?}"));
        }
    }
    let counted = history.counted(id);
    for driver in &end.drivers {
        let own = counted.iter().filter(|(node, ..)| **node == driver.node);
        let numbers: BTreeSet<u64> = own.clone().map(|(_, sequence, _)| *sequence).collect();
        let highest = numbers.last().copied().unwrap_or(0);
        if numbers.len() as u64 != highest {
            found.push(format!("{} has gaps in its reports: {numbers:?}", driver.node.node_id));
        }
        if driver.last_sequence > highest {
            found.push(format!("report {} of {} does not count", driver.last_sequence, driver.node.node_id));
        }
        let is_final = own.into_iter().any(|(.., is_final)| *is_final);
        if driver.fate == Fate::Done && end.started_at_ms.is_some() && !is_final {
            found.push(format!("{} is done without a final report", driver.node.node_id));
        }
    }
    let is_lost = end.drivers.iter().any(|driver| matches!(driver.fate, Fate::Lost | Fate::Left));
    let fails = test.config.on_driver_loss == Some(OnDriverLoss::Fail) && end.started_at_ms.is_some();
    if fails && is_lost && end.state != EndState::Failed {
        found.push(format!("a driver was lost, but it is {:?}", end.state));
    }
    if end.started_at_ms.is_none() && end.state == EndState::Completed {
        found.push("it completed without a start".to_owned());
    }
}

/// It ends soon after its planned end, or after its orchestrators can work again.
fn end_is_in_time(world: &World, history: &History, test: &Test, ended_ms: i64, found: &mut Vec<String>) {
    let (id, config) = (&test.config.test_id, &test.config);
    let timeout_ms = config.timeout_ms.expect("one") as f64;
    let start_ms = history.start(id).and_then(|trigger| trigger.start_at_ms);
    let mut due_ms = match start_ms {
        Some(start_ms) => start_ms + config.duration_ms.expect("one") as f64 + timeout_ms + CLOSE_AFTER_MS,
        None => test.configured_ms as f64 + READY_MS,
    };
    if let Some((.., stopped_ms)) = history.first(id, Word::Stop) {
        due_ms = due_ms.min(stopped_ms as f64 + timeout_ms + CLOSE_AFTER_MS);
    }
    // A driver that is lost ends a test that must not lose one.
    let kills = world.mishaps.iter().filter(|mishap| mishap.is_kill && names(config, mishap.who));
    let during = |ms: &f64| start_ms.is_some_and(|start_ms| *ms > start_ms) && *ms < due_ms;
    let lost_ms = kills.map(|mishap| broker_ms(mishap.from_ns)).find(during);
    if let Some(lost_ms) = lost_ms.filter(|_| config.on_driver_loss == Some(OnDriverLoss::Fail)) {
        due_ms = due_ms.min(lost_ms + NOTICED_WITHIN_MS + timeout_ms + CLOSE_AFTER_MS);
    }
    let troubles = world.mishaps.iter().filter(|mishap| !matches!(mishap.who, Some(Who::Driver(_))));
    let troubles = troubles.filter(|mishap| broker_ms(mishap.from_ns) < ended_ms as f64);
    let latest_ms = match troubles.map(|mishap| broker_ms(mishap.until_ns)).reduce(f64::max) {
        Some(until_ms) => due_ms.max(until_ms) + WRITTEN_AFTER_TROUBLE_MS,
        None => due_ms + WRITTEN_WITHIN_MS,
    };
    if ended_ms as f64 > latest_ms {
        found.push(format!("it ended {} ms too late", ended_ms as f64 - latest_ms));
    }
}

/// A driver with which nothing was wrong has done its part.
fn fates_hold(world: &World, end: &End, ended_ms: i64, found: &mut Vec<String>) {
    let fine = |node: &NodeRef| !was_in_trouble(&world.mishaps, node, ended_ms);
    let is_quiet = world.mishaps.iter().all(|mishap| broker_ms(mishap.from_ns) > ended_ms as f64);
    if end.started_at_ms.is_none() {
        // The faults of the bus may refuse every heartbeat for 3 s.
        let is_silent = |why: &String| why.contains("silent");
        if is_quiet && end.stopped.is_none() && !end.failed.iter().any(is_silent) {
            found.push(format!("nothing went wrong, but it did not start: {:?}", end.failed));
        }
        return;
    }
    for driver in end.drivers.iter().filter(|driver| driver.fate != Fate::Done && fine(&driver.node)) {
        found.push(format!("nothing was wrong with {driver:?}"));
    }
    if end.state == EndState::Failed && end.drivers.iter().all(|driver| fine(&driver.node)) {
        found.push(format!("nothing was wrong with its drivers, but: {:?}", end.failed));
    }
}

/// Whether the plan names this driver.
fn names(config: &TestConfig, who: Option<Who>) -> bool {
    let Some(Who::Driver(index)) = who else { return false };
    config.drivers.iter().any(|node| node.node_id == format!("d{index}"))
}

/// Whether something was wrong with this driver, or with the bus, before this time.
fn was_in_trouble(mishaps: &[Mishap], node: &NodeRef, before_ms: i64) -> bool {
    let is_it = |who: Option<Who>| match who {
        Some(Who::Driver(index)) => node.node_id == format!("d{index}"),
        Some(Who::Orchestrator(_)) => false,
        None => true,
    };
    mishaps.iter().any(|mishap| is_it(mishap.who) && broker_ms(mishap.from_ns) < before_ms as f64)
}

/// A driver that could read the STOP stops.
fn stops_hold(world: &World, history: &History, test: &Test, witnesses: &[Witness], found: &mut Vec<String>) {
    let id = &test.config.test_id;
    let Some((.., stopped_ms)) = history.first(id, Word::Stop) else { return };
    let readable_ms = stopped_ms as f64 + Faults::of(world.seed).longest_delay_ms() as f64;
    for (name, epoch, witnessed) in witnesses {
        let node = NodeRef { node_id: name.clone(), epoch: *epoch };
        let Some(sent_ns) = witnessed.last_sends_ns.get(id) else { continue };
        let sent_ms = broker_ms(*sent_ns);
        if sent_ms > readable_ms + STOPPED_WITHIN_MS && !was_in_trouble(&world.mishaps, &node, sent_ms as i64)
        {
            found.push(format!("{name} sent {} ms after its STOP", sent_ms - stopped_ms as f64));
        }
    }
}

fn broker_ms(at_ns: u64) -> f64 {
    BEGAN_MS as f64 + (at_ns / NS_PER_MS) as f64
}

/// It has ended, it adds up, and every orchestrator shows the same bytes.
fn result_holds(world: &World, id: &str, summary: &Summary, found: &mut Vec<String>) {
    if !summary.state.is_over() {
        found.push("its result has no END".to_owned());
    }
    found.extend(summary.conservation.differences());
    if summary.conservation.reports_missing > 0 {
        found.push(format!("{} reports are missing", summary.conservation.reports_missing));
    }
    let bytes = |summary: &Summary| serde_json::to_string(summary).expect("JSON");
    for (index, orchestrator) in world.living().iter().enumerate() {
        match orchestrator.summary(id) {
            Some(shown) if bytes(&shown) == bytes(summary) => {}
            Some(shown) => found.push(format!(
                "orchestrator {index} shows another result:\n{}\n{}",
                bytes(&shown),
                bytes(summary)
            )),
            None => found.push(format!("orchestrator {index} does not know it")),
        }
    }
}

/// Nothing of the plan is unaccounted for if no STOP cut it short.
fn plan_holds(test: &Test, end: &End, summary: &Summary, found: &mut Vec<String>) {
    let plan = Plan::as_written(&test.config).expect("a valid plan");
    let (schedule, parts) = (Schedule::new(&plan), test.config.drivers.len() as u64);
    let shares = (0..parts).map(|part| schedule.view(part, parts).planned_before(u64::MAX));
    let Some(planned) = shares.sum::<Option<u64>>() else { return };
    if end.state == EndState::Completed && summary.conservation.planned != planned {
        found.push(format!("{} requests were planned, not {planned}", summary.conservation.planned));
    }
}

/// The counts are those that the drivers themselves had at the last report before the END.
fn counts_hold(
    history: &History,
    test: &Test,
    summary: &Summary,
    witnesses: &[Witness],
    found: &mut Vec<String>,
) {
    let id = &test.config.test_id;
    let mut last: BTreeMap<&NodeRef, u64> = BTreeMap::new();
    for (node, sequence, _) in history.counted(id) {
        let highest = last.entry(node).or_default();
        *highest = sequence.max(*highest);
    }
    let mut total = 0;
    for (row, node) in summary.drivers.iter().zip(&test.config.drivers) {
        let sequence = last.get(node).copied().unwrap_or(0);
        let process = witnesses.iter().find(|(name, epoch, _)| *name == node.node_id && *epoch == node.epoch);
        let own = process.and_then(|(.., w)| w.reported.get(&(id.clone(), sequence)).copied()).unwrap_or(0);
        total += own;
        if row.stats.requests != own {
            found.push(format!(
                "{} has {} requests, by its own count {own} at report {sequence}",
                node.node_id, row.stats.requests
            ));
        }
    }
    if summary.total.requests != total {
        found
            .push(format!("{} requests in total, by the drivers' own count {total}", summary.total.requests));
    }
    let by_name: u64 = summary.requests.iter().map(|request| request.stats.requests).sum();
    let has_names = !test.config.ab.is_empty() || !test.config.requests.is_empty();
    if has_names && by_name != total {
        found.push(format!("the requests of all names add up to {by_name}, not {total}"));
    }
    let second_by_second: u64 = summary.series.iter().map(|point| point.requests).sum();
    if second_by_second != total {
        found.push(format!("the seconds add up to {second_by_second}, not {total}"));
    }
}
