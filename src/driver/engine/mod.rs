//! The engine: the threads of one test. Workers send, one thread collects, and one reports.

use super::collector::{Collector, Draft};
use super::cursor::Cursor;
use super::data::{document, save};
use super::prepare::{Clients, Prepared, Recipe, Side};
use super::report::DraftReport;
use super::reporter::{MAX_DRAFTS, Reporter};
use super::session::{Assignment, Event};
use super::target_count::{Reading, between};
use super::worker::{self, Handover, Task};
use crate::bus::Bus;
use crate::clock::{self, SystemClock};
use crate::http::Client;
use crate::message::TargetCount;
use crate::plan::requests::Requests;
use crate::schedule::Schedule;
use crate::stats::counts::Counts;
use crate::threads::StopFlag;
use crate::threads::{self, Failure, Thread};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::sync::Arc;
use std::time::Duration;

/// Maximum interval between checks of the stop flag. Hand-overs, which trigger most drafts, do not wait for
/// it.
const LOOK_NS: u64 = 100 * clock::NS_PER_MS;
/// Queued hand-overs per worker: that of an interval and the last one. What a worker cannot hand over it
/// keeps and adds to, so a longer queue would only waste memory.
const HANDOVERS_PER_WORKER: usize = 2;
/// After a stop, clients abort requests in flight well within this time.
const STOP_PATIENCE_NS: u64 = 3 * clock::NS_PER_S;
/// Timeout for passing on the last draft. The reporter empties its queue after each attempt, which takes at
/// most 2 s.
const LAST_DRAFT_WITHIN: Duration = Duration::from_secs(10);

/// A running test.
pub struct Engine {
    stop: StopFlag,
    next_plan: StopFlag,
    thread: Option<Thread>,
}

impl Engine {
    /// Starts a test whose first request may be sent at `start_ns`. The end of the load and of the last
    /// report are signalled through `events`.
    pub fn start(
        prepared: Prepared,
        start_ns: u64,
        reporter: Reporter,
        bus: Box<dyn Bus>,
        events: Sender<Event>,
    ) -> Result<Engine, String> {
        let (stop, next_plan) = (prepared.stop.clone(), reporter.next_plan.clone());
        let (on_panic_stop, on_panic_events) = (stop.clone(), events.clone());
        let body = move || conduct(prepared, start_ns, reporter, bus, &events);
        let on_panic = move |what| {
            on_panic_stop.stop();
            end_with(&on_panic_events, what);
        };
        let thread = threads::spawn("engine", body, on_panic)?;
        Ok(Engine { stop, next_plan, thread: Some(thread) })
    }

    /// Ends the load and aborts requests in flight.
    pub fn stop(&self) {
        self.stop.stop();
    }

    /// Gives up soon on reports that the bus does not accept.
    pub fn hurry(&self) {
        self.next_plan.stop();
    }

    /// Waits up to `patience` for the end of the test and its last report; returns whether it ended.
    pub fn join_within(mut self, patience: Duration) -> bool {
        self.thread.take().is_none_or(|thread| thread.join_within(patience))
    }
}

impl Drop for Engine {
    /// Without its engine, a load could not be stopped any more, so it must not continue.
    fn drop(&mut self) {
        self.stop.stop();
    }
}

fn conduct(
    prepared: Prepared,
    start_ns: u64,
    reporter: Reporter,
    mut bus: Box<dyn Bus>,
    events: &Sender<Event>,
) {
    let Prepared { assignment, stop, mut sides, .. } = prepared;
    let tasks = tasks(&assignment, start_ns, &stop);
    let counted = sides.iter_mut().find_map(|side| Some((side.before.take()?, side.recipe.clone())));
    let (author, offset, data) = (reporter.author.clone(), reporter.offset.clone(), reporter.data.clone());
    let (drafts, waiting) = crossbeam_channel::bounded(MAX_DRAFTS);
    let (told, broken) = (events.clone(), events.clone());
    let body = move || {
        if let Some(reason) = reporter.run(bus.as_mut(), &waiting) {
            let _ = told.send(Event::ReportRefused(reason));
        }
    };
    let on_panic = move |what| {
        let _ = broken.send(Event::Broken(what));
    };
    let reporting = match threads::spawn("reporter", body, on_panic) {
        Ok(thread) => thread,
        // What nobody reports must not be sent.
        Err(error) => {
            let why = format!("no report is possible: {error}");
            log::error!("{why}");
            return end_with(events, why);
        }
    };
    let ended = load(&tasks, sides, assignment.plan.sent(), &drafts, events);
    log_end(&author.test_id, &ended.draft.counts);
    let own = document(&author, &ended.draft, offset.get().map_or(0.0, |offset| offset.offset_ms));
    let target = counted.and_then(|(before, recipe)| count_of_target(before, &recipe));
    // Before the last report is sent: an orchestrator that has read it may send the next plan at once.
    let _ = events.send(Event::LoadEnded);
    if drafts.send_timeout(DraftReport { draft: ended.draft, target }, LAST_DRAFT_WITHIN).is_err() {
        log::error!("the final report is lost: the reporter is not running");
    }
    drop(drafts);
    reporting.join();
    // After the report, so that a slow disk does not delay it.
    if let Some(dir) = data {
        save(&dir, &author, &own);
    }
    // After the report, so that a worker stuck in its client does not delay it.
    ended.workers.into_iter().for_each(Thread::join);
    let _ = events.send(Event::Reported);
}

/// Signals the end of a test that has no report.
fn end_with(events: &Sender<Event>, why: String) {
    for event in [Event::Broken(why), Event::LoadEnded, Event::Reported] {
        let _ = events.send(event);
    }
}

fn log_end(test_id: &str, counts: &Counts) {
    log::info!(
        "test {test_id:?} ended: {} requests sent, {} responses, {} errors, {} never sent",
        counts.sent,
        counts.responses,
        counts.errors_total(),
        counts.never_sent
    );
}

/// What the workers of each side share.
pub fn tasks(assignment: &Assignment, start_ns: u64, stop: &StopFlag) -> Vec<Arc<Task>> {
    let sides = assignment.plan.sides().count() as u64;
    let turns = assignment.plan.sent().mix().turns(assignment.part, assignment.parts);
    let share = Schedule::new(&assignment.plan).share(assignment.part, assignment.parts);
    let task = |side: u64| {
        let cursor = Cursor::new(share.side(side, sides), start_ns, clock::to_ns(assignment.plan.timeout()));
        Arc::new(Task { cursor: cursor.taking(turns.clone()), stop: stop.clone() })
    };
    (0..sides).map(task).collect()
}

/// A finished load.
struct Ended {
    draft: Draft,
    workers: Vec<Thread>,
}

/// Runs the workers to their end. Passes every draft to the reporter, except the final one, which it returns.
fn load(
    tasks: &[Arc<Task>],
    sides: Vec<Side>,
    sent: &Requests,
    drafts: &Sender<DraftReport>,
    events: &Sender<Event>,
) -> Ended {
    let (mut native, mut ureq) = (Vec::new(), Vec::new());
    for (index, Side { clients, recipe, .. }) in sides.into_iter().enumerate() {
        match clients {
            Clients::Native(clients) => {
                native.extend(clients.into_iter().map(|client| (index, move || Ok(client))));
            }
            Clients::Ureq(count) => {
                let make = |recipe: Recipe| (index, move || recipe.ureq());
                ureq.extend(std::iter::repeat_with(|| make(recipe.clone())).take(count));
            }
        }
    }
    // All sides have the same kind of client.
    if ureq.is_empty() {
        run_all(tasks, native, sent, drafts, events)
    } else {
        run_all(tasks, ureq, sent, drafts, events)
    }
}

/// Runs a worker for each of `makes`, which are the side that it loads and what creates its client.
fn run_all<C, F>(
    tasks: &[Arc<Task>],
    makes: Vec<(usize, F)>,
    sent: &Requests,
    drafts: &Sender<DraftReport>,
    events: &Sender<Event>,
) -> Ended
where
    C: Client + 'static,
    F: FnOnce() -> Result<C, String> + Send + 'static,
{
    let sides: Vec<usize> = makes.iter().map(|(side, _)| *side).collect();
    let (workers, handovers) = spawn(tasks, makes, events);
    let firsts = |side: &usize| tasks[..*side].iter().map(|task| task.cursor.requests()).sum();
    let firsts = sides[..workers.len()].iter().map(firsts).collect();
    let mut collector = Collector::new(sent.names(), firsts).with_checks(sent.check_names());
    let stopped_ns = match workers.is_empty() {
        // None could start, which has stopped the load.
        true => Some(clock::now_ns()),
        false => collect(&mut collector, &handovers, tasks, drafts),
    };
    let draft = last_draft(&mut collector, &handovers, tasks, stopped_ns);
    Ended { draft, workers }
}

/// The final draft, with everything that was handed over.
fn last_draft(
    collector: &mut Collector,
    handovers: &Receiver<Handover>,
    tasks: &[Arc<Task>],
    stopped_ns: Option<u64>,
) -> Draft {
    handovers.try_iter().for_each(|handover| collector.add(&handover));
    collector.final_draft(tasks, stopped_ns)
}

fn count_of_target(before: Reading, recipe: &Recipe) -> Option<TargetCount> {
    let Some(after) = recipe.read_target() else {
        log::warn!(
            "the target's /metrics, readable at the start, cannot be read at the end: the result lacks the \
             target's count"
        );
        return None;
    };
    Some(between(before, after))
}

/// Starts a worker for each of `makes`, which creates its client. The first that cannot start or panics ends
/// the load: fewer workers have fewer connections than planned, for which the target would be blamed.
fn spawn<C, F>(
    tasks: &[Arc<Task>],
    makes: Vec<(usize, F)>,
    events: &Sender<Event>,
) -> (Vec<Thread>, Receiver<Handover>)
where
    C: Client + 'static,
    F: FnOnce() -> Result<C, String> + Send + 'static,
{
    let count = makes.len();
    let (out, handovers) = crossbeam_channel::bounded(count * HANDOVERS_PER_WORKER);
    let mut workers = Vec::with_capacity(count);
    let first = Failure::default();
    for (index, (side, make)) in makes.into_iter().enumerate() {
        let (task, out) = (Arc::clone(&tasks[side]), out.clone());
        let (first, stop, events) = (first.clone(), task.stop.clone(), events.clone());
        let fail = move |what: String| {
            if first.set(what.clone()) {
                let _ = events.send(Event::Broken(what));
            }
            stop.stop();
        };
        let on_panic = fail.clone();
        let not_started = move |what: String| {
            log::error!("{what}");
            fail(what);
        };
        let no_thread = not_started.clone();
        let body = move || match make() {
            Ok(client) => worker::run(index, client, &SystemClock, &task, &out),
            Err(error) => {
                not_started(format!("worker {index} cannot start: {error}"));
                let _ = out.send(Handover::nothing(index));
            }
        };
        match threads::spawn(&format!("worker-{index}"), body, on_panic) {
            Ok(worker) => workers.push(worker),
            Err(error) => {
                no_thread(format!("only {index} of {count} workers could start: {error}"));
                break;
            }
        }
    }
    (workers, handovers)
}

/// Merges hand-overs and makes drafts until all workers have ended; returns when the test was stopped, if it
/// was.
fn collect(
    collector: &mut Collector,
    handovers: &Receiver<Handover>,
    tasks: &[Arc<Task>],
    drafts: &Sender<DraftReport>,
) -> Option<u64> {
    let mut stopped_ns = None;
    while !collector.is_over() {
        let look_ns = collector.late_draft_ns(tasks).min(clock::now_ns() + LOOK_NS);
        match handovers.recv_timeout(clock::until(look_ns)) {
            // Take all that are queued at once: checking whether a draft is due visits every worker.
            Ok(handover) => std::iter::once(handover)
                .chain(handovers.try_iter().take(handovers.len()))
                .for_each(|handover| collector.add(&handover)),
            Err(RecvTimeoutError::Timeout) => {}
            // The last worker panicked: what was due later was not to be sent.
            Err(RecvTimeoutError::Disconnected) => return Some(stopped_ns.unwrap_or_else(clock::now_ns)),
        }
        let now_ns = clock::now_ns();
        if tasks.iter().any(|task| task.stop.is_stopped()) {
            let since_ns = *stopped_ns.get_or_insert(now_ns);
            if now_ns > since_ns + STOP_PATIENCE_NS {
                log::warn!("a worker did not end in time; its requests count as aborted");
                break;
            }
        }
        if let Some(draft) = collector.draft(now_ns, tasks) {
            // Drafts are cumulative: if the queue is full, the next one includes this one.
            let _ = drafts.try_send(DraftReport { draft, target: None });
        }
    }
    stopped_ns
}

#[cfg(test)]
mod tests;
