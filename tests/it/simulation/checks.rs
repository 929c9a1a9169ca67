//! What must hold after every simulation, by the log and by what each process did.

use super::bus::SimulatedBus;
use super::driver::Witnessed;
use super::world::World;
use floodgate::bus::Topic;
use floodgate::message::{End, Metrics, TestConfig, Trigger, Word, decode, decode_config};
use floodgate::orchestrator::replay::Replay;
use floodgate::stats::summary::Summary;
use std::collections::{BTreeMap, BTreeSet};

/// The plans that count: the first with its predecessor, and with its id.
pub fn effective(bus: &SimulatedBus) -> Vec<TestConfig> {
    let (mut ids, mut predecessors) = (BTreeSet::new(), BTreeSet::new());
    let plans = bus.records_of(Topic::TestConfig).iter();
    let plans = plans.map(|record| decode_config(&record.value).expect("a plan"));
    plans
        .filter(|config| {
            let is_new = ids.insert(config.test_id.clone());
            is_new && predecessors.insert(config.previous.clone().expect("its predecessor"))
        })
        .collect()
}

/// Everything that was broken, in words.
pub fn violations(world: &mut World) -> Vec<String> {
    let mut found = Vec::new();
    let tests = effective(&world.bus);
    let replayed: Vec<_> = tests.iter().map(|test| (test, replay(&world.bus, &test.test_id))).collect();
    for (test, result) in &replayed {
        match result {
            Ok(summary) => result_holds(world, test, summary, &mut found),
            Err(why) => found.push(format!("{}: replay: {why}", test.test_id)),
        }
    }
    let witnesses = world.witnesses();
    for (name, epoch, witnessed) in &witnesses {
        found.extend(witnessed.broken.iter().map(|what| format!("{name}: {what}")));
        starts_hold(world, &tests, name, *epoch, witnessed, &mut found);
    }
    for (test, result) in &replayed {
        if let Ok(summary) = result {
            counts_hold(&world.bus, test, summary, &witnesses, &mut found);
        }
    }
    found
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

/// It has ended, it adds up, and every orchestrator shows the same bytes.
fn result_holds(world: &World, test: &TestConfig, summary: &Summary, found: &mut Vec<String>) {
    let id = &test.test_id;
    if !summary.state.is_over() {
        found.push(format!("{id}: no END in the log"));
    }
    found.extend(summary.conservation.differences().iter().map(|what| format!("{id}: {what}")));
    let bytes = |summary: &Summary| serde_json::to_string(summary).expect("JSON");
    for (index, orchestrator) in world.living().iter().enumerate() {
        match orchestrator.summary(id) {
            Some(shown) if bytes(&shown) == bytes(summary) => {}
            Some(shown) => found.push(format!(
                "{id}: orchestrator {index} shows another result:\n{}\n{}",
                bytes(&shown),
                bytes(summary)
            )),
            None => found.push(format!("{id}: orchestrator {index} does not know it")),
        }
    }
}

/// A process starts a test at most once, only if the test counts, and when the first `YES` says.
fn starts_hold(
    world: &World,
    tests: &[TestConfig],
    name: &str,
    epoch: u64,
    witnessed: &Witnessed,
    found: &mut Vec<String>,
) {
    let mut seen = BTreeSet::new();
    for (id, start_at_ms) in &witnessed.starts {
        if !seen.insert(id.clone()) {
            found.push(format!("{name} started {id} twice"));
        }
        let Some(test) = tests.iter().find(|test| test.test_id == *id) else {
            found.push(format!("{name} started {id}, which is void"));
            continue;
        };
        if !test.drivers.iter().any(|node| node.node_id == name && node.epoch == epoch) {
            found.push(format!("{name} started {id}, which does not name this process"));
        }
        let triggers = world.bus.records_of(Topic::Trigger).iter();
        let triggers = triggers.filter_map(|record| decode::<Trigger>(&record.value).ok());
        let first = triggers.into_iter().find(|t| t.test_id == *id && t.trigger == Word::Yes);
        if first.as_ref().and_then(|trigger| trigger.start_at_ms) != Some(*start_at_ms) {
            found.push(format!("{name} started {id} at {start_at_ms}, not by the first YES {first:?}"));
        }
    }
}

/// The counts are those that the drivers themselves had at the last report before the END.
fn counts_hold(
    bus: &SimulatedBus,
    test: &TestConfig,
    summary: &Summary,
    witnesses: &[(String, u64, Witnessed)],
    found: &mut Vec<String>,
) {
    let id = &test.test_id;
    let mut last: BTreeMap<(String, u64), u64> = BTreeMap::new();
    for record in bus.records_of(Topic::Metrics) {
        if decode::<End>(&record.value).is_ok_and(|end| end.test_id == *id) {
            break;
        }
        let Ok(report) = decode::<Metrics>(&record.value) else { continue };
        if report.test_id == *id {
            let key = (report.node_id, report.epoch.expect("an epoch"));
            let sequence = report.sequence.expect("a number");
            let highest = last.entry(key).or_default();
            *highest = sequence.max(*highest);
        }
    }
    let mut total = 0;
    for (row, node) in summary.drivers.iter().zip(&test.drivers) {
        let sequence = last.get(&(node.node_id.clone(), node.epoch)).copied().unwrap_or(0);
        let process = witnesses.iter().find(|(name, epoch, _)| *name == node.node_id && *epoch == node.epoch);
        let own = process.and_then(|(.., w)| w.reported.get(&(id.clone(), sequence)).copied()).unwrap_or(0);
        total += own;
        if row.stats.requests != own {
            found.push(format!(
                "{id}: {} has {} requests, by its own count {own} at report {sequence}",
                node.node_id, row.stats.requests
            ));
        }
    }
    if summary.total.requests != total {
        found.push(format!(
            "{id}: {} requests in total, by the drivers' own count {total}",
            summary.total.requests
        ));
    }
    let second_by_second: u64 = summary.series.iter().map(|point| point.requests).sum();
    if second_by_second != total {
        found.push(format!("{id}: the seconds add up to {second_by_second}, not {total}"));
    }
}
