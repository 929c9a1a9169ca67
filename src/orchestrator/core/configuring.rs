//! Configuring a test: from a request to a plan in the log, and the answer once it is read back.

use super::{Core, Test};
use crate::bus::{BusError, MAX_RECORD_BYTES};
use crate::message::{TestConfig, decode_config, encode};
use crate::orchestrator::aggregate::Aggregate;
use crate::orchestrator::published::{count, published};
use crate::orchestrator::runs::{Command, Now, Run};
use crate::orchestrator::{ApiError, Configured};
use crate::plan::{Plan, PlanError, check_split, limits};
use crate::schedule::supply;
use crate::thresholds;

/// How long a written plan may take to be read back, in ns.
const READ_BACK_NS: u64 = 20 * crate::clock::NS_PER_S;
/// Maximum number of plans remembered that may still turn up in the log.
const MAX_ABANDONED: usize = 32;

/// A plan that was handed to the writer and has not been read back yet.
#[derive(Debug)]
pub(super) struct Proposal {
    pub test_id: String,
    /// Hash of the plan as it is read back: another orchestrator may use the same id at the same moment.
    pub hash: String,
    pub since_ns: u64,
}

/// The answer to a proposal, for the test with this id.
pub type Decided = (String, Result<Configured, ApiError>);

impl Core {
    /// Accepts a plan, names the fleet's drivers in it, and returns the command that writes it. The test
    /// begins once the plan is read back; [`Core::take_decided`] then has the answer.
    ///
    /// # Errors
    /// 400 for an invalid plan, 409 if another test runs or no driver is alive, 413 if the plan is too large,
    /// 503 if Kafka is unavailable.
    pub fn propose(&mut self, mut config: TestConfig, now: Now) -> Result<(String, Command), ApiError> {
        let plan = check(&config)?;
        self.check_bus()?;
        self.check_free(&config.test_id)?;
        config.previous = Some(self.chain.last().to_owned());
        config.drivers = self.fleet.named();
        let originals = self.fleet.originals();
        self.check_drivers(&config, &plan, &originals)?;
        check_split(&config, config.drivers.len().max(1)).map_err(|e| ApiError::new(409, e.to_string()))?;
        let plan = with_drivers(&config)?;
        let published = published(&config, &plan, &originals);
        let bytes = encode(&published);
        let (size, hash) =
            (bytes.len(), decode_config(&bytes).map_or(String::new(), |read| read.plan_hash()));
        if size > MAX_RECORD_BYTES {
            let most = MAX_RECORD_BYTES;
            return Err(ApiError::new(
                413,
                format!("the plan has {size} bytes with its drivers: at most {most}"),
            ));
        }
        let test_id = config.test_id;
        self.proposal = Some(Proposal { test_id: test_id.clone(), hash, since_ns: now.ns });
        Ok((test_id, Command::Config(Box::new(published))))
    }

    fn check_free(&self, id: &str) -> Result<(), ApiError> {
        if self.chain.contains(id) {
            return Err(ApiError::new(409, format!("test_id {id:?} was already used: choose a new one")));
        }
        if let Some(test) = self.tests.last() {
            let other = &test.run.config.test_id;
            let how = "wait until it ends, or stop it with POST /stop";
            return Err(ApiError::new(
                409,
                format!("the test {other:?} is {}: {how}", test.run.phase.state()),
            ));
        }
        match &self.proposal {
            Some(Proposal { test_id, .. }) => {
                Err(ApiError::new(409, format!("the test {test_id:?} is being configured: try again later")))
            }
            None if self.is_catching_up => {
                let why = "the orchestrator is still reading the log: try again in a few seconds";
                Err(ApiError::new(503, why))
            }
            None => Ok(()),
        }
    }

    fn check_drivers(&self, config: &TestConfig, plan: &Plan, originals: &[String]) -> Result<(), ApiError> {
        let drivers = config.drivers.len();
        if drivers == 0 && originals.is_empty() {
            let why = match self.fleet.newcomer() {
                Some(name) => format!("{name:?} has registered, but sent no heartbeat yet: try again in 1 s"),
                None => "start floodgate-driver on the same bus and wait until GET /dashboard shows its \
                    activity"
                    .to_owned(),
            };
            return Err(ApiError::new(409, format!("no driver is alive: {why}")));
        }
        if drivers == 0 && !self.fleet.is_without_ours() {
            let why = "only drivers of the original protocol are known, and others may not have been heard \
                from yet";
            return Err(ApiError::new(409, format!("no driver is alive: {why}: try again in 5 s")));
        }
        if drivers == 0 && count(plan, originals.len()).is_none() {
            let why = "there are only drivers of the original protocol, which only stop after a fixed count";
            return Err(ApiError::new(400, format!("message_count_per_driver: {why}: set it")));
        }
        if drivers > limits::DRIVERS {
            let most = limits::DRIVERS;
            return Err(ApiError::new(
                409,
                format!("{drivers} drivers are alive: at most {most} can run a test"),
            ));
        }
        Ok(())
    }

    /// Begins the test of a plan that counts. Returns whether it is this process's proposal.
    pub(super) fn begin(&mut self, config: &TestConfig, configured_ms: f64, now: Now) -> bool {
        let is_ours = |proposal: &mut Proposal| {
            proposal.test_id == config.test_id && proposal.hash == config.plan_hash()
        };
        let own = self.proposal.take_if(is_ours).is_some();
        let Some(test) = self.new_test(config, configured_ms, own, now) else {
            if own {
                let refused = ApiError::new(500, "the plan could not be read back: see the log");
                self.decided.push((config.test_id.clone(), Err(refused)));
            }
            return own;
        };
        if own {
            self.decided.push((config.test_id.clone(), Ok(configured(&test.run))));
        }
        self.tests.push(test);
        self.take_early(&config.test_id, now);
        own
    }

    /// A test from its plan as it stands in the log; `None` if this version does not understand the plan.
    pub(super) fn new_test(
        &mut self,
        config: &TestConfig,
        configured_ms: f64,
        own: bool,
        now: Now,
    ) -> Option<Test> {
        let mut config = config.clone();
        // A plan that names none of our drivers names those of the original protocol, which have no epoch.
        let (ours, theirs) =
            std::mem::take(&mut config.drivers).into_iter().partition(|node| node.epoch != 0);
        config.drivers = ours;
        let mut originals = self.fleet.originals();
        originals.extend(theirs.into_iter().map(|node| node.node_id));
        originals.sort();
        originals.dedup();
        match Plan::as_written(&config) {
            Ok(plan) => {
                let figures = Aggregate::with_names(&config.drivers, plan.sent().names());
                let run = Run::new(config, plan, configured_ms, own, now).with_originals(originals);
                Some(Test::new(run, figures))
            }
            Err(errors) => {
                let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
                let text = format!("test {:?} is not followed: {}", config.test_id, texts.join("; "));
                self.journal.warn(text);
                None
            }
        }
    }

    /// A plan of this process turned out to be void.
    pub(super) fn refuse_void(&mut self, test_id: &str) {
        if self.proposal.take_if(|proposal| proposal.test_id == test_id).is_none() {
            return;
        }
        let other = self.chain.last();
        let why = format!("the test {other:?} was configured at the same moment: wait until it ends");
        self.decided.push((test_id.to_owned(), Err(ApiError::new(409, why))));
        // A driver that joined between the two plans may be getting ready.
        self.release(test_id, "another test was configured at the same moment");
    }

    /// A plan of this process is not the first with its id.
    pub(super) fn refuse_used(&mut self, test_id: &str) {
        if self.proposal.take_if(|proposal| proposal.test_id == test_id).is_some() {
            let why = format!("test_id {test_id:?} was used at the same moment: choose a new one");
            self.decided.push((test_id.to_owned(), Err(ApiError::new(409, why))));
        }
    }

    /// The plan could not be written, as far as known.
    pub(super) fn not_proposed(&mut self, test_id: &str, error: &BusError) {
        if self.abandon(test_id) {
            let text = format!("the plan could not be written: topic test_config: {error}");
            let status = if matches!(error, BusError::TooLarge { .. }) { 413 } else { 503 };
            self.decided.push((test_id.to_owned(), Err(ApiError::new(status, text))));
        }
    }

    /// Gives up a plan that is not read back.
    pub(super) fn expire_proposal(&mut self, now: Now) {
        let late = |proposal: &&Proposal| now.ns >= proposal.since_ns.saturating_add(READ_BACK_NS);
        let Some(test_id) = self.proposal.as_ref().filter(late).map(|late| late.test_id.clone()) else {
            return;
        };
        self.abandon(&test_id);
        let text = "Kafka accepted the plan, but it cannot be read back: see GET /dashboard";
        self.decided.push((test_id, Err(ApiError::new(503, text))));
    }

    /// Whether this plan is still wanted: nobody was told that it failed.
    pub fn is_proposed(&self, test_id: &str) -> bool {
        self.proposal.as_ref().is_some_and(|proposal| proposal.test_id == test_id)
    }

    /// Gives up a plan that has not been read back: if it turns up in the log after all, its test is stopped
    /// before it starts. Returns `false` if it was decided already.
    pub fn abandon(&mut self, test_id: &str) -> bool {
        if self.proposal.take_if(|proposal| proposal.test_id == test_id).is_none() {
            return false;
        }
        if self.abandoned.len() == MAX_ABANDONED {
            self.abandoned.pop_front();
        }
        self.abandoned.push_back(test_id.to_owned());
        true
    }

    /// Returns whether a caller was told that this plan failed.
    pub(super) fn forget_abandoned(&mut self, test_id: &str) -> bool {
        let before = self.abandoned.len();
        self.abandoned.retain(|id| id != test_id);
        self.abandoned.len() < before
    }

    /// The answers since the last call.
    pub fn take_decided(&mut self) -> Vec<Decided> {
        std::mem::take(&mut self.decided)
    }
}

/// The plan with its drivers, over which rows that are used once are split, and which limit the number of
/// named requests.
fn with_drivers(config: &TestConfig) -> Result<Plan, ApiError> {
    let texts =
        |errors: Vec<PlanError>| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let plan = Plan::as_written(config).map_err(|errors| ApiError::new(400, texts(errors)))?;
    supply::check(&plan, plan.drivers()).map_err(|why| ApiError::new(409, why))?;
    Ok(plan)
}

/// What a caller is told about a test.
pub(super) fn configured(run: &Run) -> Configured {
    Configured {
        test_id: run.config.test_id.clone(),
        state: run.phase.state(),
        drivers: run.members.iter().map(|member| member.node.node_id.clone()).collect(),
        original: run.originals.names(),
    }
}

/// The plan in a message that names no drivers yet; drivers only affect whether it can be split.
fn check(config: &TestConfig) -> Result<Plan, ApiError> {
    if !config.drivers.is_empty() {
        return Err(ApiError::new(400, "drivers: the orchestrator fills in the live drivers: leave it out"));
    }
    if config.previous.is_some() {
        return Err(ApiError::new(400, "previous: the orchestrator fills in the test before: leave it out"));
    }
    thresholds::checked_plan(config).map_err(|errors| {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        ApiError::new(400, texts.join("; "))
    })
}
