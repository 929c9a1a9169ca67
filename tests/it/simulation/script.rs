//! What happens in one simulation, as it follows from its seed: the fleet, the plans, and what goes wrong
//! when.

use super::driver::TARGET;
use super::random::Random;
use floodgate::clock::{NS_PER_MS, NS_PER_S};
use floodgate::message::{NamedRequest, OnDriverLoss, RecordedStarts, TestConfig, TestType, Totals};

/// When faults end: from then on everything works, and every test must come to its end.
pub const CALM_NS: u64 = 45 * NS_PER_S;

/// A role by its place in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Driver(usize),
    Orchestrator(usize),
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Happening {
    /// A user configures a test.
    Configure(usize, Box<TestConfig>),
    /// A user stops whatever runs.
    Stop(usize),
    /// A process is killed; a new one starts later.
    Kill(Who),
    Start(Who),
    /// A process gets no CPU.
    Freeze(Who),
    Thaw(Who),
    /// A host is cut off from the bus.
    Cut(Who),
    Heal(Who),
    /// The whole bus is down.
    Outage,
    Recovery,
}

/// A time in which something is wrong.
#[derive(Clone, Copy, Debug)]
pub struct Mishap {
    /// With whom; `None`: with the bus.
    pub who: Option<Who>,
    /// Whether a process was killed.
    pub is_kill: bool,
    pub from_ns: u64,
    pub until_ns: u64,
}

impl std::fmt::Display for Happening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Happening::Configure(by, config) => {
                write!(f, "configure {} at orchestrator {by}", config.test_id)
            }
            other => write!(f, "{other:?}"),
        }
    }
}

pub struct Script {
    pub drivers: usize,
    pub orchestrators: usize,
    /// In order of time.
    pub happenings: Vec<(u64, Happening)>,
    pub mishaps: Vec<Mishap>,
}

impl Script {
    pub fn of(seed: u64) -> Script {
        let mut random = Random::of(seed, &[0x5c]);
        let drivers = 1 + random.up_to(3) as usize;
        let orchestrators = 1 + random.up_to(1) as usize;
        let mut script = Script { drivers, orchestrators, happenings: Vec::new(), mishaps: Vec::new() };
        if random.chance(80) {
            script.long_plan(&mut random);
        } else {
            script.plans(&mut random);
        }
        for _ in 0..random.up_to(5) {
            script.mishap(&mut random);
        }
        script.happenings.sort_by_key(|(at_ns, _)| *at_ns);
        script
    }

    /// One test that is long enough for a fence, and for drivers that must not be lost.
    fn long_plan(&mut self, random: &mut Random) {
        let mut config = plan(0, random);
        config.message_count_per_driver = None;
        config.duration_ms = Some(38_000);
        if random.chance(500) {
            config.on_driver_loss = Some(OnDriverLoss::Fail);
        }
        self.happenings.push((5 * NS_PER_S, Happening::Configure(0, Box::new(config))));
        if random.chance(500) {
            let who = Who::Driver(random.up_to(self.drivers as u64 - 1) as usize);
            let from_ns = (6_000 + random.up_to(4_000)) * NS_PER_MS;
            self.befall(Some(who), from_ns, CALM_NS, Happening::Cut(who), Happening::Heal(who));
        }
    }

    fn plans(&mut self, random: &mut Random) {
        let mut at_ns = (5_000 + random.up_to(2_000)) * NS_PER_MS;
        for number in 0..1 + random.up_to(2) {
            let config = plan(number, random);
            let first = random.up_to(self.orchestrators as u64 - 1) as usize;
            if random.chance(300) {
                self.strike(first, at_ns, &config, random);
            }
            self.happenings.push((at_ns, Happening::Configure(first, Box::new(config))));
            // Sometimes another user is just as quick, even with the same id.
            if random.chance(300) {
                let rival = if random.chance(300) { number } else { 100 + number };
                let config = Box::new(plan(rival, random));
                let other = random.up_to(self.orchestrators as u64 - 1) as usize;
                let later_ns = random.up_to(300) * NS_PER_MS;
                self.happenings.push((at_ns + later_ns, Happening::Configure(other, config)));
            }
            if random.chance(250) {
                let by = random.up_to(self.orchestrators as u64 - 1) as usize;
                self.happenings.push((at_ns + random.up_to(9_000) * NS_PER_MS, Happening::Stop(by)));
            }
            // Sometimes it is stopped almost at once, and the next one follows.
            if random.chance(300) {
                let by = random.up_to(self.orchestrators as u64 - 1) as usize;
                let within_ms = if random.chance(500) { 1_000 } else { 2_500 };
                at_ns += (100 + random.up_to(within_ms)) * NS_PER_MS;
                self.happenings.push((at_ns, Happening::Stop(by)));
                at_ns += (100 + random.up_to(3_000)) * NS_PER_MS;
            } else {
                at_ns += (12_000 + random.up_to(8_000)) * NS_PER_MS;
            }
        }
    }

    /// Something goes wrong at the worst moment of a test that is configured at `at_ns`.
    fn strike(&mut self, author: usize, at_ns: u64, config: &TestConfig, random: &mut Random) {
        let author = Who::Orchestrator(author);
        let other = Who::Orchestrator(random.up_to(self.orchestrators as u64 - 1) as usize);
        let ends_ns = at_ns + (1_500 + config.duration_ms.unwrap_or(0)) * NS_PER_MS;
        let begin_ns = at_ns + (200 + random.up_to(2_300)) * NS_PER_MS;
        let last_ns = (ends_ns + random.up_to(1_500) * NS_PER_MS).saturating_sub(500 * NS_PER_MS);
        let for_ns = (1_000 + random.up_to(9_000)) * NS_PER_MS;
        match random.up_to(4) {
            // Its author before or after the start.
            0 => self.pause(author, begin_ns, for_ns, random),
            // A driver has just started again.
            1 => {
                let who = Who::Driver(random.up_to(self.drivers as u64 - 1) as usize);
                let killed_ns = at_ns.saturating_sub(random.up_to(1_500) * NS_PER_MS);
                let until_ns = killed_ns + (200 + random.up_to(1_000)) * NS_PER_MS;
                self.befall(Some(who), killed_ns, until_ns, Happening::Kill(who), Happening::Start(who));
            }
            // Its author while it ends; somebody else stops it.
            2 => {
                self.pause(author, last_ns, for_ns, random);
                if let Who::Orchestrator(by) = other {
                    let stop_ns = last_ns + random.up_to(3_000) * NS_PER_MS;
                    self.happenings.push((stop_ns, Happening::Stop(by)));
                }
            }
            _ => self.pause(other, last_ns, for_ns, random),
        }
    }

    /// A process is killed, frozen or cut off for some time.
    fn pause(&mut self, who: Who, from_ns: u64, for_ns: u64, random: &mut Random) {
        let (begin, end) = match random.up_to(2) {
            0 => (Happening::Kill(who), Happening::Start(who)),
            1 => (Happening::Freeze(who), Happening::Thaw(who)),
            _ => (Happening::Cut(who), Happening::Heal(who)),
        };
        self.befall(Some(who), from_ns, from_ns + for_ns, begin, end);
    }

    fn mishap(&mut self, random: &mut Random) {
        let at_ns = (1_000 + random.up_to(32_000)) * NS_PER_MS;
        let who = match random.up_to((self.drivers + self.orchestrators - 1) as u64) as usize {
            index if index < self.drivers => Who::Driver(index),
            index => Who::Orchestrator(index - self.drivers),
        };
        let (begin, end, most_s) = match random.up_to(9) {
            0..=2 => (Happening::Kill(who), Happening::Start(who), 15),
            3..=5 => (Happening::Freeze(who), Happening::Thaw(who), 15),
            6..=8 => (Happening::Cut(who), Happening::Heal(who), 44),
            _ => (Happening::Outage, Happening::Recovery, 20),
        };
        let for_ns = (200 + random.up_to(most_s * 1_000)) * NS_PER_MS;
        let of = (!matches!(begin, Happening::Outage)).then_some(who);
        self.befall(of, at_ns, at_ns + for_ns, begin, end);
    }

    fn befall(&mut self, who: Option<Who>, from_ns: u64, until_ns: u64, begin: Happening, end: Happening) {
        if from_ns >= CALM_NS {
            return;
        }
        let until_ns = until_ns.min(CALM_NS);
        let is_kill = matches!(begin, Happening::Kill(_));
        self.mishaps.push(Mishap { who, is_kill, from_ns, until_ns });
        self.happenings.push((from_ns, begin));
        self.happenings.push((until_ns, end));
    }
}

/// The id of the test at the end, when nothing goes wrong any more.
pub const LAST: &str = "last";

/// A plan that every driver must execute in full.
pub fn last_plan() -> TestConfig {
    let mut config = TestConfig::new(LAST, TestType::Tsunami);
    config.test_message_delay = Some(100.0);
    (config.duration_ms, config.timeout_ms) = (Some(1_000), Some(1_500));
    config
}

fn named(name: &str, weight: u32) -> NamedRequest {
    NamedRequest { name: name.to_owned(), weight: Some(weight), ..NamedRequest::default() }
}

/// A recording of 40 s at about this many requests/s, with bursts and lulls.
fn recorded(rate: u64) -> RecordedStarts {
    let starts_us: Vec<u64> = (0..40 * rate).map(|k| (k - k % 7) * 1_000_000 / rate + k % 7).collect();
    RecordedStarts::encode(&starts_us).expect("fits")
}

fn plan(number: u64, random: &mut Random) -> TestConfig {
    let mut config = TestConfig::new(&format!("t{number}"), TestType::Tsunami);
    match random.up_to(2) {
        0 => config.test_message_delay = Some(20.0 + random.up_to(80) as f64),
        1 => {
            config.test_type = TestType::Avalanche;
            let rate = 20 + random.up_to(80);
            match rate % 3 {
                0 => config.starts = Some(recorded(rate)),
                _ => config.fleet = Some(Totals { rate: Some(rate as f64), ..Totals::default() }),
            }
        }
        _ => {
            config.test_message_delay = Some(50.0);
            config.message_count_per_driver = Some(20 + random.up_to(100));
        }
    }
    match number % 3 {
        1 => config.ab = ["a", "b"].map(|path| format!("{TARGET}{path}")).to_vec(),
        2 => config.requests = vec![named("search", 3), named("order", 1), named("cart", 2)],
        _ => {}
    }
    config.duration_ms = Some(1_000 + random.up_to(8_000));
    config.timeout_ms = Some(500 + random.up_to(2_000));
    if random.chance(250) {
        config.on_driver_loss = Some(OnDriverLoss::Fail);
    }
    // Judged by late, repeated and missing reports: every orchestrator must come to the same result.
    let conditions = ["p50 > 0 for 2s", "max > 100ms", "errors > 0", "achieved < 100% for 1s"];
    config.thresholds = conditions.map(str::to_owned).to_vec();
    if random.chance(50) {
        config.thresholds.push("achieved < 90% for 2s, abort".to_owned());
    }
    config
}
