//! The orchestrator's log lines: which drivers join, leave, are lost or come back, and how tests proceed.
//! Sans-IO: the core collects them here, the shell logs them.

use super::fleet::{Change, Node, Presence};
use super::runs::{Phase, Run};
use crate::message::Heartbeat;
use crate::stats::summary::Summary;
use crate::units::{format_count, format_ms, format_names};
use log::Level;
use std::collections::BTreeMap;

/// Maximum number of lines at once; unknown clients can make drivers of any name join and leave.
const BURST: usize = 1_000;
/// Additional lines allowed per tick (a tenth of a second).
const PER_TICK: usize = 2;
/// Maximum number of names for which a second process is remembered.
const MAX_RIVALS: usize = 1_000;
/// Maximum number of drivers named in one line.
const MOST_NAMES: usize = 10;

/// A node's state before a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Before {
    epoch: Option<u64>,
    presence: Presence,
    spoke: bool,
}

impl Before {
    /// The state that is compared.
    pub fn of(node: &Node) -> Before {
        Before { epoch: node.epoch, presence: node.presence, spoke: node.seen_ns.is_some() }
    }
}

/// The older of two live processes with the same name.
#[derive(Debug)]
struct Rival {
    epoch: u64,
    timestamp: f64,
    told: bool,
}

/// Lines that have not been logged yet.
#[derive(Debug)]
pub struct Journal {
    lines: Vec<(Level, String)>,
    left: usize,
    omitted: u64,
    rivals: BTreeMap<String, Rival>,
}

impl Default for Journal {
    fn default() -> Journal {
        Journal { lines: Vec::new(), left: BURST, omitted: 0, rivals: BTreeMap::new() }
    }
}

impl Journal {
    /// Logs what a message changed for a node.
    pub fn node(&mut self, before: Option<Before>, node: &Node) {
        let name = &node.node_id;
        let same = before.filter(|before| before.epoch == node.epoch);
        match (before.map(|before| before.presence), node.presence) {
            (Some(Presence::Alive), Presence::Alive) if same.is_some() => {}
            (Some(Presence::Alive), Presence::Alive) => self.put(
                Level::Warn,
                format!(
                    "driver {name:?}: another process registered under this name and replaced it in the \
                     fleet; if the first one is still running, stop one of them or change its --node-id"
                ),
            ),
            (_, Presence::Alive) if same.is_some_and(|before| before.spoke) => {
                self.put(Level::Info, format!("driver {name:?} is back"));
            }
            (_, Presence::Alive) => self.put(Level::Info, format!("driver {name:?} joined{}", details(node))),
            (Some(before), Presence::Left) if before != Presence::Left => {
                self.put(Level::Info, format!("driver {name:?} left"));
            }
            _ => {}
        }
    }

    /// Handles a heartbeat from an older process than the live one. The first may have been in transit when
    /// the newer process registered; the second shows that both are alive.
    pub fn older(&mut self, node: &Node, message: &Heartbeat) {
        let (Some(epoch), true) = (message.epoch, node.presence == Presence::Alive) else { return };
        if node.epoch.is_none_or(|newer| newer <= epoch) {
            return;
        }
        let known = self.rivals.get_mut(&node.node_id).filter(|rival| rival.epoch == epoch);
        let Some(rival) = known else {
            if self.rivals.len() >= MAX_RIVALS {
                self.rivals.pop_first();
            }
            let rival = Rival { epoch, timestamp: message.timestamp, told: false };
            self.rivals.insert(node.node_id.clone(), rival);
            return;
        };
        if message.timestamp <= rival.timestamp || std::mem::replace(&mut rival.told, true) {
            return;
        }
        let text = format!(
            "driver {:?}: two processes run under this name; the newer one{} is in the fleet, the older one \
             gets no plans until the newer one exits; change the --node-id of one of them",
            node.node_id,
            if node.node_ip.is_empty() { String::new() } else { format!(" ({})", node.node_ip) }
        );
        self.put(Level::Warn, text);
    }

    /// Logs drivers that have been silent for too long.
    pub fn silent(&mut self, changes: &[Change]) {
        for change in changes {
            if let Change::Lost { node, what, .. } = change {
                self.put(Level::Warn, format!("driver {:?} is lost: {what}", node.node_id));
            }
        }
    }

    /// Logs a problem.
    pub fn warn(&mut self, text: String) {
        self.put(Level::Warn, text);
    }

    /// Logs that a test entered another phase; `result` is set if it is over.
    pub fn test(&mut self, run: &Run, result: Option<&Summary>) {
        let id = &run.config.test_id;
        let (level, what) = match run.phase {
            Phase::Ready => {
                (Level::Info, format!("configured: {} on {}", run.config.test_type.name(), names(run)))
            }
            Phase::Running => (Level::Info, "started".to_owned()),
            Phase::Finishing => match &run.stopped {
                Some(stop) => {
                    (Level::Info, format!("was stopped ({}): waiting for the last reports", stop.reason))
                }
                None => (Level::Info, "reached its end: waiting for the last reports".to_owned()),
            },
            Phase::Failed => (Level::Warn, format!("failed: {}", run.failed.join("; "))),
            Phase::Completed => (Level::Info, format!("completed{}", figures(result))),
            Phase::Aborted => (Level::Info, format!("aborted{}", figures(result))),
        };
        self.put(level, format!("test {id:?} {what}"));
    }

    /// Returns the lines to log; called every tenth of a second.
    pub fn take(&mut self) -> Vec<(Level, String)> {
        self.left = (self.left + PER_TICK).min(BURST);
        if self.omitted > 0 && self.left > 0 {
            let text = format!(
                "{} more lines like these were omitted",
                format_count(std::mem::take(&mut self.omitted))
            );
            self.put(Level::Warn, text);
        }
        std::mem::take(&mut self.lines)
    }

    fn put(&mut self, level: Level, text: String) {
        match self.left {
            0 => self.omitted += 1,
            _ => {
                self.left -= 1;
                // Reasons and names come from other programs.
                let text = text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
                self.lines.push((level, text));
            }
        }
    }
}

/// ` (10.0.0.7, 8 cores, version 0.1.0)`, as far as known.
fn details(node: &Node) -> String {
    let known = [
        Some(node.node_ip.clone()).filter(|ip| !ip.is_empty()),
        node.cores.map(|cores| format!("{cores} cores")),
        node.version.as_ref().map(|version| format!("version {version}")),
        node.epoch.is_none().then(|| "original protocol".to_owned()),
    ];
    let known: Vec<String> = known.into_iter().flatten().collect();
    if known.is_empty() { String::new() } else { format!(" ({})", known.join(", ")) }
}

fn names(run: &Run) -> String {
    let members = run.members.iter().map(|member| member.node.node_id.clone());
    let all: Vec<String> = members.chain(run.originals.names()).collect();
    format_names(&all, MOST_NAMES)
}

fn figures(result: Option<&Summary>) -> String {
    let Some(summary) = result else { return String::new() };
    let total = &summary.total;
    let p99 = total.latency_ms.as_ref().map_or("-".to_owned(), |latency| format_ms(latency.p99));
    format!(
        ": {} requests, {} errors, {} error statuses, p99 {p99}. {}",
        format_count(total.requests),
        format_count(total.errors_total()),
        format_count(total.error_statuses()),
        summary.verdict.first().map_or("", String::as_str)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded() {
        let mut journal = Journal::default();
        (0..BURST + 5).for_each(|n| journal.put(Level::Info, format!("{n}\x1b")));
        let lines = journal.take();
        assert_eq!((lines.len(), lines[0].1.as_str()), (BURST + 1, "0?"));
        assert_eq!(lines[BURST].1, "5 more lines like these were omitted");
    }
}
