//! The world of one simulation: its bus, its processes, and the time.

use super::bus::SimulatedBus;
use super::driver::{SimDriver, Witnessed};
use super::faults::{Counts, Faults};
use super::history::Progress;
use super::orchestrator::SimOrchestrator;
use super::random::Random;
use super::script::{CALM_NS, Happening, Mishap, Script, Who, last_plan};
use floodgate::clock::{NS_PER_MS, NS_PER_S};
use floodgate::orchestrator::{ApiError, Configured};

/// How long each process runs before the next one has its turn.
const STEP_NS: u64 = 50 * NS_PER_MS;
/// The same while nothing is expected to happen; a multiple of the other.
const QUIET_STEP_NS: u64 = 200 * NS_PER_MS;
/// By when everything has come to its end, once nothing goes wrong any more.
const LATEST_NS: u64 = CALM_NS + 60 * NS_PER_S;
/// How long the last test may take.
const LAST_WITHIN_NS: u64 = 20 * NS_PER_S;

struct Slot<T> {
    process: Option<T>,
    is_frozen: bool,
    is_cut: bool,
    /// How many processes this place has had.
    lives: u64,
}

impl<T> Slot<T> {
    fn new() -> Slot<T> {
        Slot { process: None, is_frozen: false, is_cut: false, lives: 0 }
    }

    fn awake(&mut self) -> Option<&mut T> {
        self.process.as_mut().filter(|_| !self.is_frozen)
    }
}

pub struct World {
    pub seed: u64,
    pub bus: SimulatedBus,
    drivers: Vec<Slot<SimDriver>>,
    orchestrators: Vec<Slot<SimOrchestrator>>,
    /// What processes did that have ended.
    pub ended: Vec<(String, u64, Witnessed)>,
    pub kills: u64,
    pub freezes: u64,
    /// The answers of orchestrators that have ended.
    answers: Vec<(String, Result<Configured, ApiError>)>,
    pub mishaps: Vec<Mishap>,
    now_ns: u64,
    script: Vec<(u64, Happening)>,
    progress: Progress,
}

impl World {
    pub fn new(seed: u64) -> World {
        let script = Script::of(seed);
        let mut happenings = script.happenings;
        happenings.reverse();
        let mut world = World {
            seed,
            bus: SimulatedBus::new(seed, Faults::of(seed)),
            drivers: (0..script.drivers).map(|_| Slot::new()).collect(),
            orchestrators: (0..script.orchestrators).map(|_| Slot::new()).collect(),
            ended: Vec::new(),
            kills: 0,
            freezes: 0,
            answers: Vec::new(),
            mishaps: script.mishaps,
            now_ns: 0,
            script: happenings,
            progress: Progress::default(),
        };
        (0..script.orchestrators).for_each(|index| world.start(Who::Orchestrator(index)));
        (0..script.drivers).for_each(|index| world.start(Who::Driver(index)));
        world
    }

    /// What is going to happen.
    pub fn script(&self) -> impl Iterator<Item = (u64, &Happening)> {
        self.script.iter().map(|(at_ns, happening)| (*at_ns, happening))
    }

    /// Runs until everything has come to its end, and then one more test; fails if something does not end.
    pub fn run(&mut self) -> Result<(), String> {
        while self.now_ns < CALM_NS {
            self.advance();
        }
        self.calm();
        self.until_over(LATEST_NS)?;
        // Whatever happened, the system works.
        let now_ns = self.now_ns;
        let first = self.orchestrators[0].awake().expect("all are awake");
        first.configure(last_plan(), now_ns);
        self.until_over(now_ns + LAST_WITHIN_NS)
    }

    fn until_over(&mut self, latest_ns: u64) -> Result<(), String> {
        loop {
            self.advance();
            if self.now_ns.is_multiple_of(NS_PER_S) && self.is_over() {
                // Every orchestrator reads the last END.
                self.advance();
                return Ok(());
            }
            if self.now_ns > latest_ns {
                return Err(format!("it did not end: {}", self.what_is_open()));
            }
        }
    }

    fn advance(&mut self) {
        self.now_ns += self.step_ns();
        while self.script.last().is_some_and(|(at_ns, _)| *at_ns <= self.now_ns) {
            let (_, happening) = self.script.pop().expect("the last one");
            self.happen(happening);
        }
        self.step();
        self.progress.read(&self.bus);
    }

    /// Coarser while nothing is expected to happen.
    fn step_ns(&self) -> u64 {
        let next_ns = self.script.last().map_or(CALM_NS, |(at_ns, _)| *at_ns);
        let is_far = next_ns > self.now_ns + QUIET_STEP_NS || next_ns <= self.now_ns;
        let are_quiet = is_far
            && self.now_ns.is_multiple_of(QUIET_STEP_NS)
            && self.progress.open().is_empty()
            && self.drivers.iter().filter_map(|slot| slot.process.as_ref()).all(SimDriver::is_quiet)
            && self.living().iter().all(|orchestrator| orchestrator.is_quiet());
        if are_quiet { QUIET_STEP_NS } else { STEP_NS }
    }

    fn step(&mut self) {
        for index in 0..self.orchestrators.len() {
            if let Some(orchestrator) = self.orchestrators[index].awake() {
                orchestrator.step(&mut self.bus, self.now_ns);
            }
        }
        for index in 0..self.drivers.len() {
            if let Some(driver) = self.drivers[index].awake() {
                driver.step(&mut self.bus, self.now_ns);
            }
        }
    }

    /// Nothing goes wrong from now on.
    fn calm(&mut self) {
        self.bus.set_faults(Faults::none());
        self.bus.recover();
        for index in 0..self.drivers.len() {
            self.repair(Who::Driver(index));
        }
        for index in 0..self.orchestrators.len() {
            self.repair(Who::Orchestrator(index));
        }
    }

    fn repair(&mut self, who: Who) {
        self.happen(Happening::Heal(who));
        self.happen(Happening::Thaw(who));
        self.happen(Happening::Start(who));
    }

    fn happen(&mut self, happening: Happening) {
        self.freezes += u64::from(matches!(happening, Happening::Freeze(_)));
        match happening {
            Happening::Configure(index, config) => {
                let now_ns = self.now_ns;
                let awake = self.orchestrators[index].awake().filter(|process| process.is_joined());
                awake.into_iter().for_each(|process| process.configure(*config.clone(), now_ns));
            }
            Happening::Stop(index) => {
                let now_ns = self.now_ns;
                let awake = self.orchestrators[index].awake().filter(|process| process.is_joined());
                awake.into_iter().for_each(|process| process.stop(now_ns));
            }
            Happening::Kill(who) => self.kill(who),
            Happening::Start(who) => self.start(who),
            Happening::Freeze(Who::Driver(index)) => self.drivers[index].is_frozen = true,
            Happening::Freeze(Who::Orchestrator(index)) => self.orchestrators[index].is_frozen = true,
            Happening::Thaw(Who::Driver(index)) => self.drivers[index].is_frozen = false,
            Happening::Thaw(Who::Orchestrator(index)) => self.orchestrators[index].is_frozen = false,
            Happening::Cut(who) => self.cut(who, true),
            Happening::Heal(who) => self.cut(who, false),
            Happening::Outage => self.bus.fail(),
            Happening::Recovery => self.bus.recover(),
        }
    }

    fn start(&mut self, who: Who) {
        let now_ns = self.now_ns;
        match who {
            Who::Driver(index) if self.drivers[index].process.is_none() => {
                let slot = &mut self.drivers[index];
                slot.lives += 1;
                let random = Random::of(self.seed, &[1, index as u64, slot.lives]);
                // Epochs of one name grow, like the start times of its processes.
                let epoch = 1_000 + now_ns / NS_PER_MS + slot.lives;
                let name = format!("d{index}");
                slot.process = Some(SimDriver::start(&mut self.bus, &name, epoch, now_ns, random));
            }
            Who::Orchestrator(index) if self.orchestrators[index].process.is_none() => {
                let slot = &mut self.orchestrators[index];
                slot.lives += 1;
                let random = Random::of(self.seed, &[2, index as u64, slot.lives]);
                slot.process = Some(SimOrchestrator::start(&mut self.bus, random));
            }
            _ => return,
        }
        let is_cut = match who {
            Who::Driver(index) => self.drivers[index].is_cut,
            Who::Orchestrator(index) => self.orchestrators[index].is_cut,
        };
        self.cut(who, is_cut);
    }

    fn kill(&mut self, who: Who) {
        self.kills += 1;
        match who {
            Who::Driver(index) => {
                let ended = self.drivers[index].process.take();
                self.drivers[index].is_frozen = false;
                self.ended.extend(ended.map(witnessed));
            }
            Who::Orchestrator(index) => {
                let ended = self.orchestrators[index].process.take();
                self.answers.extend(ended.into_iter().flat_map(|process| process.answers));
                self.orchestrators[index].is_frozen = false;
            }
        }
    }

    /// Cuts a host off, whatever processes it runs, or ends that.
    fn cut(&mut self, who: Who, cut: bool) {
        let roles = match who {
            Who::Driver(index) => {
                self.drivers[index].is_cut = cut;
                self.drivers[index].process.as_ref().map(|process| process.roles.to_vec())
            }
            Who::Orchestrator(index) => {
                self.orchestrators[index].is_cut = cut;
                self.orchestrators[index].process.as_ref().map(|process| process.roles.to_vec())
            }
        };
        for role in roles.into_iter().flatten() {
            if cut { self.bus.cut(role) } else { self.bus.heal(role) }
        }
    }

    /// Every effective test has an END, every driver is idle, every orchestrator has read everything.
    fn is_over(&self) -> bool {
        let drivers = self.drivers.iter().filter_map(|slot| slot.process.as_ref());
        let is_idle = drivers.into_iter().all(SimDriver::is_idle);
        is_idle
            && self.script.is_empty()
            && self.progress.open().is_empty()
            && self.now_ns > CALM_NS + 5 * NS_PER_S
            && self.living().iter().all(|orchestrator| orchestrator.is_joined())
    }

    fn what_is_open(&self) -> String {
        let busy = self.drivers.iter().filter_map(|slot| slot.process.as_ref()).filter(|d| !d.is_idle());
        let busy: Vec<_> = busy.map(|driver| driver.identity.node_id.clone()).collect();
        format!("tests {:?}, busy drivers {busy:?}", self.progress.open())
    }

    /// The orchestrators that are alive at the end.
    pub fn living(&self) -> Vec<&SimOrchestrator> {
        self.orchestrators.iter().filter_map(|slot| slot.process.as_ref()).collect()
    }

    /// How many drivers there are.
    pub fn fleet(&self) -> usize {
        self.drivers.len()
    }

    /// What was answered to those who configured tests.
    pub fn answers(&self) -> impl Iterator<Item = &(String, Result<Configured, ApiError>)> {
        self.answers.iter().chain(self.living().into_iter().flat_map(|process| &process.answers))
    }

    /// What every driver process did.
    pub fn witnesses(&mut self) -> Vec<(String, u64, Witnessed)> {
        let living = self.drivers.iter_mut().filter_map(|slot| slot.process.take()).map(witnessed);
        self.ended.drain(..).chain(living).collect()
    }

    pub fn counts(&self) -> Counts {
        self.bus.counts()
    }
}

fn witnessed(driver: SimDriver) -> (String, u64, Witnessed) {
    (driver.identity.node_id.clone(), driver.identity.epoch, driver.witnessed)
}
