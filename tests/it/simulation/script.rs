//! What happens in one simulation, as it follows from its seed: the fleet, the plans, and what goes wrong
//! when.

use super::random::Random;
use floodgate::clock::{NS_PER_MS, NS_PER_S};
use floodgate::message::{OnDriverLoss, TestConfig, TestType, Totals};

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

pub struct Script {
    pub drivers: usize,
    pub orchestrators: usize,
    /// In order of time.
    pub happenings: Vec<(u64, Happening)>,
}

impl Script {
    pub fn of(seed: u64) -> Script {
        let mut random = Random::of(seed, &[0x5c]);
        let drivers = 1 + random.up_to(3) as usize;
        let orchestrators = 1 + random.up_to(1) as usize;
        let mut script = Script { drivers, orchestrators, happenings: Vec::new() };
        script.plans(&mut random);
        for _ in 0..random.up_to(5) {
            script.mishap(&mut random);
        }
        script.happenings.sort_by_key(|(at_ns, _)| *at_ns);
        script
    }

    fn plans(&mut self, random: &mut Random) {
        let mut at_ns = (5_000 + random.up_to(2_000)) * NS_PER_MS;
        for number in 0..1 + random.up_to(2) {
            let config = plan(number, random);
            let first = random.up_to(self.orchestrators as u64 - 1) as usize;
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
            at_ns += (12_000 + random.up_to(8_000)) * NS_PER_MS;
        }
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
        self.happenings.push((at_ns, begin));
        self.happenings.push(((at_ns + for_ns).min(CALM_NS), end));
    }
}

fn plan(number: u64, random: &mut Random) -> TestConfig {
    let mut config = TestConfig::new(&format!("t{number}"), TestType::Tsunami);
    match random.up_to(2) {
        0 => config.test_message_delay = Some(20.0 + random.up_to(80) as f64),
        1 => {
            config.test_type = TestType::Avalanche;
            config.fleet = Some(Totals { rate: Some(20.0 + random.up_to(80) as f64), ..Totals::default() });
        }
        _ => {
            config.test_message_delay = Some(50.0);
            config.message_count_per_driver = Some(20 + random.up_to(100));
        }
    }
    config.duration_ms = Some(1_000 + random.up_to(8_000));
    config.timeout_ms = Some(500 + random.up_to(2_000));
    if random.chance(250) {
        config.on_driver_loss = Some(OnDriverLoss::Fail);
    }
    config
}
