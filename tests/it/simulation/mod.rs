//! Simulation of the whole system under a manual clock, each one in one thread. Everything that happens
//! follows from one seed, so that a failure is replayed exactly: `just replay-seed 17`.

pub mod bus;
mod bus_tests;
mod checks;
mod driver;
pub mod faults;
pub mod handle;
mod history;
mod load;
mod orchestrator;
pub mod random;
mod script;
mod world;

use faults::Counts;
use floodgate::bus::Topic;
use history::History;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use world::World;

/// How many seeds run in `cargo test`; `just simulate 10000` runs more.
const SEEDS: u64 = 300;
/// How many failed seeds are described.
const MOST_SHOWN: usize = 20;

/// What happened in all simulations.
#[derive(Default)]
struct Table {
    counts: Counts,
    kills: u64,
    freezes: u64,
    tests: u64,
    /// How many of them were A/B tests.
    ab: u64,
    /// How many had several requests.
    mixed: u64,
    ends: BTreeMap<String, u64>,
    failed: Vec<u64>,
}

impl Table {
    fn add(&mut self, other: &Table) {
        self.counts.add(&other.counts);
        self.kills += other.kills;
        self.freezes += other.freezes;
        self.tests += other.tests;
        self.ab += other.ab;
        self.mixed += other.mixed;
        self.failed.extend(&other.failed);
        other.ends.iter().for_each(|(state, n)| *self.ends.entry(state.clone()).or_default() += n);
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}: not a number")))
}

fn simulate(seed: u64, table: &mut Table) -> Vec<String> {
    let mut world = World::new(seed);
    let ended = world.run();
    table.counts.add(&world.counts());
    table.kills += world.kills;
    table.freezes += world.freezes;
    let history = History::of(&world.bus);
    table.ab += history.tests.iter().filter(|test| !test.config.ab.is_empty()).count() as u64;
    table.mixed += history.tests.iter().filter(|test| !test.config.requests.is_empty()).count() as u64;
    for end in history.ends() {
        table.tests += 1;
        *table.ends.entry(format!("{:?}", end.state).to_lowercase()).or_default() += 1;
    }
    let mut found: Vec<String> = ended.err().into_iter().collect();
    found.extend(checks::violations(&mut world));
    found
}

/// Simulates one seed after the other until none is left.
fn work(next: &AtomicU64, end: u64) -> Table {
    let mut table = Table::default();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return table;
        }
        let found = catch_unwind(AssertUnwindSafe(|| simulate(seed, &mut table)));
        let found = found.unwrap_or_else(|_| vec!["a panic".to_owned()]);
        if !found.is_empty() {
            table.failed.push(seed);
            if table.failed.len() <= MOST_SHOWN {
                println!("seed {seed}:\n  {}", found.join("\n  "));
            }
        }
    }
}

/// What happened in one simulation, in order of time.
fn show(seed: u64) {
    let mut world = World::new(seed);
    let mut lines: Vec<(u64, String)> =
        world.script().map(|(at_ns, what)| (at_ns, what.to_string())).collect();
    drop(world.run());
    lines.extend(history::lines(&world.bus));
    lines.sort_by_key(|(at_ns, _)| *at_ns);
    println!("faults: {:?}", faults::Faults::of(seed));
    lines.iter().for_each(|(at_ns, what)| println!("{:7.3} s: {what}", *at_ns as f64 / 1e9));
}

#[test]
fn seeds() {
    let seeds = match number("FLOODGATE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("FLOODGATE_SEEDS").unwrap_or(SEEDS),
    };
    if let Some(seed) = number("FLOODGATE_SEED") {
        show(seed);
    }
    let cores = number("RUST_TEST_THREADS").or(thread::available_parallelism().ok().map(|n| n.get() as u64));
    let (next, mut table) = (AtomicU64::new(seeds.start), Table::default());
    thread::scope(|scope| {
        let workers = (0..cores.unwrap_or(1)).map(|_| scope.spawn(|| work(&next, seeds.end)));
        let workers: Vec<_> = workers.collect();
        workers.into_iter().for_each(|worker| table.add(&worker.join().expect("its panics are caught")));
    });
    let (count, failed) = (seeds.end - seeds.start, table.failed.len());
    println!("{count} seeds, {} tests {:?}, {failed} seeds with violations", table.tests, table.ends);
    println!("A/B tests: {}, with several requests: {}", table.ab, table.mixed);
    println!("processes killed: {}, frozen: {}", table.kills, table.freezes);
    table.counts.rows().iter().for_each(|(name, n)| println!("{name}: {n}"));
    table.failed.sort_unstable();
    assert!(count < SEEDS || table.ab > 0, "no A/B test was simulated");
    assert!(count < SEEDS || table.mixed > 0, "no test with several requests was simulated");
    assert!(table.failed.is_empty(), "replay one of these with FLOODGATE_SEED=n: {:?}", table.failed);
}

#[test]
fn a_seed_is_replayed_exactly() {
    let log = |seed| {
        let mut world = World::new(seed);
        world.run().expect("it ends");
        Topic::ALL.map(|topic| world.bus.records_of(topic).to_vec())
    };
    for seed in [7, 23] {
        assert!(log(seed) == log(seed), "seed {seed}");
    }
}
