//! `floodgate run`: one test from the plan to the printed result, with roles in this process or on a remote
//! fleet.

pub mod compare;
mod comparison;
pub mod embedded;
pub mod live;
pub mod output;
pub mod remote;
pub mod replay;
pub mod report;
pub mod table;

use crate::clock;
use crate::message::TestConfig;
use crate::plan::Plan;
use crate::schedule::supply;
use crate::signals::{Interrupts, Signal};
use crate::stats::histogram::Histogram;
use crate::stats::states::RunState;
use crate::stats::summary::Summary;
use crate::stats::verdict::{Finding, Severity};
use crate::store::Outcome;
use crate::thresholds::Threshold;
use live::Progress;
use output::Output;
use std::io::Write;
use std::time::Duration;

/// Where the roles run.
#[derive(Clone, Debug)]
pub enum Place {
    /// All in this process.
    Embedded(Box<embedded::Config>),
    /// A remote orchestrator with its fleet.
    Remote(remote::Config),
}

/// One test to run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The plan; the drivers fill in what it leaves open.
    pub plan: TestConfig,
    /// Where the roles run.
    pub place: Place,
    /// Where the result goes.
    pub output: Output,
    /// Show no progress.
    pub quiet: bool,
}

impl Settings {
    /// When rows that are used once end the test; `None` if they do not.
    fn end_of_rows(&self) -> Option<String> {
        let plan = Plan::as_written(&self.plan).ok()?;
        let drivers = match &self.place {
            Place::Embedded(config) => config.drivers as u64,
            // The fleet is not known here. Its size hardly matters.
            Place::Remote(_) => 1,
        };
        supply::exhausted(&plan, drivers).map(|end| end.sentence())
    }
}

/// Why the result is not available.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What failed, and what to do.
    pub text: String,
    /// Whether a retry is pointless.
    pub is_lasting: bool,
}

impl Trouble {
    /// A retry may succeed.
    pub fn passing(text: String) -> Trouble {
        Trouble { text, is_lasting: false }
    }

    /// A retry is pointless.
    pub fn lasting(text: String) -> Trouble {
        Trouble { text, is_lasting: true }
    }
}

/// What a run needs from a local or remote orchestrator.
pub trait Backend {
    /// Configures and starts a test; returns its id.
    fn configure(&mut self, plan: TestConfig) -> Result<String, String>;
    /// Closes the gate.
    fn stop(&mut self, test_id: &str, reason: &str) -> Result<(), Trouble>;
    /// The result so far; `None` if the orchestrator does not know the test (any more).
    fn summary(&mut self, test_id: &str) -> Result<Option<Summary>, Trouble>;
    /// What became of the finished test in the store; `None` if it need not be saved here.
    fn saved(&mut self, _test_id: &str) -> Option<Outcome> {
        None
    }
    /// The latencies of all responses of a test, for a histogram; `None` if they are not known here.
    fn latency(&mut self, _test_id: &str) -> Option<Histogram> {
        None
    }
    /// Polling interval.
    fn pause(&self) -> Duration;
    /// What keeps running if the orchestrator is unreachable, and how to stop it; `None` if nothing does.
    fn out_of_reach(&self) -> Option<String>;
}

/// How long to wait for any response from the orchestrator.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a reachable orchestrator may fail to know the test.
const UNKNOWN: Duration = Duration::from_secs(3);
/// How long to wait for the partial result after a stop, plus the plan's timeout; the orchestrator itself
/// waits 5 s.
const AFTER_STOP: Duration = Duration::from_secs(8);

/// Exit code of a run that failed, could not start, or got no complete response.
const FAILED: u8 = 1;
/// Exit code of a run of which a `--fail-if` condition was true.
const CONDITION: u8 = 3;
/// Exit code of a run that finished without all its drivers.
const DRIVER_LOST: u8 = 4;

/// The finding that the store did not save everything.
const NOT_SAVED: &str = "not_saved";

/// How a run ended.
struct Ended {
    summary: Option<Summary>,
    interrupted: Option<Signal>,
    error: Option<String>,
}

/// Runs the test, prints its result to `out`, writes the files, and returns the exit code: 0, 1, 3, 4, or 128
/// plus a signal number.
pub fn run(settings: Settings, out: &mut dyn Write) -> u8 {
    let (ended, latency) = match Interrupts::listen() {
        Ok(interrupts) => execute(&settings, &interrupts),
        Err(error) => (Ended { summary: None, interrupted: None, error: Some(error) }, None),
    };
    let mut is_written = true;
    if let Some(summary) = &ended.summary
        && let Err(error) = settings.output.print(summary, latency.as_ref(), out)
    {
        live::say(&format!("floodgate: cannot write the result: {error}"));
        is_written = false;
    }
    if let Some(error) = &ended.error {
        live::say(&format!("floodgate: {error}"));
    }
    let error = ended.error.as_deref().unwrap_or("the test has no result");
    is_written &= settings.output.write(ended.summary.as_ref().ok_or(error), out);
    match exit_code(&ended) {
        0 if !is_written => FAILED,
        code => code,
    }
}

/// How the test ended, and the latencies of its responses.
fn execute(settings: &Settings, interrupts: &Interrupts) -> (Ended, Option<Histogram>) {
    let started = match &settings.place {
        Place::Embedded(config) => {
            embedded::Embedded::start(config, &settings.plan).map(|place| Box::new(place) as Box<dyn Backend>)
        }
        Place::Remote(config) => Ok(Box::new(remote::Remote::new(config.clone())) as Box<dyn Backend>),
    };
    match started {
        Ok(mut control) => {
            if let Some(end) = settings.end_of_rows().filter(|_| !settings.quiet) {
                live::say(&end);
            }
            let progress = Progress::start(&settings.plan, settings.quiet);
            let mut ended = follow(control.as_mut(), settings.plan.clone(), interrupts, SILENCE, progress);
            say_what_is_unknown(&mut ended, control.as_ref());
            say_what_is_saved(&mut ended, control.as_mut(), settings.quiet);
            let latency = ended.summary.as_ref().and_then(|summary| control.latency(&summary.test_id));
            (ended, latency)
        }
        Err(error) => (Ended { summary: None, interrupted: None, error: Some(error) }, None),
    }
}

/// Configures the test and polls it until it is over.
fn follow(
    control: &mut dyn Backend,
    plan: TestConfig,
    interrupts: &Interrupts,
    silence: Duration,
    mut progress: Progress,
) -> Ended {
    let timeout_ms = plan.timeout_ms.unwrap_or(crate::plan::DEFAULT_TIMEOUT.as_millis() as u64);
    let test_id = match control.configure(plan) {
        Ok(id) => id,
        Err(error) => return Ended { summary: None, interrupted: None, error: Some(error) },
    };
    let mut ended = Ended { summary: None, interrupted: None, error: None };
    let mut answered_ns = clock::now_ns();
    let mut give_up_ns = answered_ns + clock::to_ns(silence);
    // A signal that the orchestrator was not told of.
    let mut unsent = None;
    loop {
        let signal = wait(interrupts, control.pause(), &mut progress);
        if let Some(signal) = signal {
            ended.interrupted = Some(signal);
            progress.note("stopping: waiting for requests in flight (press Ctrl-C again to exit at once)");
        }
        unsent = unsent.or(signal);
        if let Some(asked) = unsent {
            let stopped = control.stop(&test_id, &asked.to_string());
            unsent = unsent.filter(|_| stopped.as_ref().is_err_and(|trouble| !trouble.is_lasting));
            ended.error = stopped.err().map(|trouble| trouble.text);
            if signal.is_some() || unsent.is_none() {
                give_up_ns = clock::now_ns() + clock::to_ns(AFTER_STOP + Duration::from_millis(timeout_ms));
            }
        }
        let trouble = match control.summary(&test_id) {
            Ok(Some(summary)) => {
                progress.show(&summary);
                answered_ns = clock::now_ns();
                let over = summary.state.is_over();
                ended.summary = Some(summary);
                if over {
                    ended.error = None;
                    return ended;
                }
                if ended.interrupted.is_none() {
                    give_up_ns = answered_ns + clock::to_ns(silence);
                }
                None
            }
            Ok(None) => {
                give_up_ns = give_up_ns.min(answered_ns + clock::to_ns(UNKNOWN.min(silence)));
                Some(format!(
                    "the orchestrator does not know test {test_id:?} any more: it was restarted, or another \
                     test was started"
                ))
            }
            Err(trouble) => {
                if trouble.is_lasting {
                    ended.error = ended.error.or(Some(trouble.text));
                    return ended;
                }
                Some(trouble.text)
            }
        };
        progress.unanswered(Duration::from_nanos(clock::now_ns().saturating_sub(answered_ns)));
        if clock::now_ns() >= give_up_ns {
            let late = || "the drivers did not finish in time".to_owned();
            ended.error = ended.error.or(trouble).or_else(|| Some(late()));
            return ended;
        }
    }
}

/// Waits for a signal, and meanwhile shows that time passes.
fn wait(interrupts: &Interrupts, pause: Duration, progress: &mut Progress) -> Option<Signal> {
    let mut left = pause;
    while left > live::FRAME {
        if let Some(signal) = interrupts.wait_timeout(live::FRAME) {
            return Some(signal);
        }
        left -= live::FRAME;
        progress.draw();
    }
    interrupts.wait_timeout(left)
}

/// Marks a result that was not followed to its end as unknown, and adds what may still be running.
fn say_what_is_unknown(ended: &mut Ended, control: &dyn Backend) {
    let (Some(error), Some(advice)) = (&mut ended.error, control.out_of_reach()) else { return };
    if ended.summary.as_ref().is_some_and(|summary| summary.state.is_over()) {
        return;
    }
    let failed = std::mem::replace(error, format!("{error}\n{advice}"));
    let Some(summary) = &mut ended.summary else { return };
    let known_to = match summary.series.last() {
        Some(point) => format!("These figures end with second {}", point.second),
        None => "No figures were received".to_owned(),
    };
    summary.state = RunState::Unknown;
    summary.notices.clear();
    // A good start says nothing about the whole run.
    summary.findings.retain(|finding| finding.code != "all_well");
    let unknown = format!("The result is unknown: {failed}. {known_to}; what happened since is not known.");
    let found = [unknown, advice].map(|text| Finding::new("result_unknown", Severity::Failure, text));
    summary.findings.splice(0..0, found);
    summary.verdict = summary.findings.iter().map(|finding| finding.text.clone()).collect();
}

/// Says where the result was saved, and adds what could not be saved to it.
fn say_what_is_saved(ended: &mut Ended, control: &mut dyn Backend, quiet: bool) {
    let Some(summary) = ended.summary.as_mut().filter(|summary| summary.state.is_over()) else { return };
    let Some(outcome) = control.saved(&summary.test_id) else { return };
    if let Some(folder) = outcome.folder.as_ref().filter(|_| !quiet) {
        live::say(&format!("saved in {}", folder.display()));
    }
    for problem in outcome.problems.into_iter().rev() {
        let text = format!("Not everything was saved: {problem}.");
        summary.verdict.insert(0, text.clone());
        summary.findings.insert(0, Finding::new(NOT_SAVED, Severity::Warning, text));
    }
}

/// Whether the run was stopped as a condition with `abort` asked for.
fn is_aborted_by_condition(summary: &Summary) -> bool {
    let mut failed = summary.thresholds.iter().filter(|threshold| !threshold.passed);
    failed.any(|failed| Threshold::parse(&failed.expression).is_ok_and(|threshold| threshold.abort))
}

fn exit_code(ended: &Ended) -> u8 {
    if let Some(signal) = ended.interrupted {
        return signal.exit_code();
    }
    match &ended.summary {
        Some(_) if ended.error.is_some() => FAILED,
        Some(summary) if summary.state == RunState::Aborted && is_aborted_by_condition(summary) => CONDITION,
        Some(summary) if summary.state != RunState::Completed => FAILED,
        // Drivers of the original protocol report no counts; if they report latencies, there were responses.
        Some(summary) if summary.total.responses == 0 && !summary.is_original_only() => FAILED,
        Some(summary) if summary.thresholds.iter().any(|threshold| !threshold.passed) => CONDITION,
        Some(summary) if summary.drivers.iter().any(|driver| driver.state.is_missing()) => DRIVER_LOST,
        Some(summary) if summary.findings.iter().any(|finding| finding.code == NOT_SAVED) => FAILED,
        Some(_) => 0,
        None => FAILED,
    }
}

#[cfg(test)]
mod tests;
