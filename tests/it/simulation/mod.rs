//! Simulation of the whole system in one thread, under a manual clock. Everything that happens follows from
//! one seed, so that a failure is replayed exactly: `just replay-seed 17`.

pub mod bus;
mod bus_tests;
mod checks;
mod driver;
pub mod faults;
pub mod handle;
mod load;
mod orchestrator;
pub mod random;
mod script;
mod world;

use faults::Counts;
use world::World;

/// How many seeds run in `cargo test`; `just simulate 10000` runs more.
const SEEDS: u64 = 300;

/// What happened in all simulations.
#[derive(Default)]
struct Table {
    counts: Counts,
    kills: u64,
    freezes: u64,
    tests: u64,
    ends: std::collections::BTreeMap<String, u64>,
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
    for test in checks::effective(&world.bus) {
        table.tests += 1;
        let state = world.living().first().and_then(|o| o.summary(&test.test_id)).map(|s| s.state.as_str());
        *table.ends.entry(state.unwrap_or("unknown").to_owned()).or_default() += 1;
    }
    let mut found: Vec<String> = ended.err().into_iter().collect();
    found.extend(checks::violations(&mut world));
    found
}

#[test]
fn seeds() {
    let seeds = match number("FLOODGATE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("FLOODGATE_SEEDS").unwrap_or(SEEDS),
    };
    let (mut table, mut failed, count) = (Table::default(), 0, seeds.end - seeds.start);
    for seed in seeds {
        let found = simulate(seed, &mut table);
        if !found.is_empty() {
            failed += 1;
            if failed <= 5 {
                println!("seed {seed}:\n  {}", found.join("\n  "));
            }
        }
    }
    println!("{count} seeds, {} tests {:?}, {failed} seeds with violations", table.tests, table.ends);
    println!("processes killed: {}, frozen: {}", table.kills, table.freezes);
    table.counts.rows().iter().for_each(|(name, n)| println!("{name}: {n}"));
    assert_eq!(failed, 0, "seeds with violations; replay one with FLOODGATE_SEED=n");
}
