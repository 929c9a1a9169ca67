//! The fleet: the registered drivers and which of them are alive. Sans-IO: messages and times in, changes
//! out.

use crate::clock::NS_PER_S;
use crate::message::{DriverState, Heartbeat, NodeRef, Register};
use crate::plan::limits;
use std::collections::BTreeMap;

/// A driver that is silent for longer than this is dead.
pub const DEAD_AFTER_NS: u64 = 3 * NS_PER_S;
/// Maximum number of nodes listed; dead nodes and nodes that left are replaced by new ones.
pub const MAX_NODES: usize = limits::DRIVERS;
/// A pause of our own (a frozen process, a slow tick) counts as at most this much silence of others.
const MAX_STEP_NS: u64 = NS_PER_S;
/// Maximum length of a name, address or version, in bytes.
const MAX_TEXT_BYTES: usize = 200;
/// Maximum length of a reason, in bytes.
const MAX_REASON_BYTES: usize = 1_000;

/// Whether a driver is available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Heard from within the last 3 s of listening.
    Alive,
    /// Silent.
    Dead,
    /// Silent, but of the original protocol, whose drivers may be silent while they wait for a test.
    Silent,
    /// Shut down normally.
    Left,
}

/// One registered node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub node_id: String,
    /// Address shown for this node; empty if only heartbeats were read.
    pub node_ip: String,
    /// Start of its process; `None` for a driver of the original protocol.
    pub epoch: Option<u64>,
    /// Whether it is available.
    pub presence: Presence,
    /// When it was last heard from, on the process's monotonic clock; `None` if only an old registration was
    /// read.
    pub seen_ns: Option<u64>,
    /// Its newest heartbeat; `None` if it only registered.
    pub heartbeat: Option<Heartbeat>,
    /// Version of its program.
    pub version: Option<String>,
    /// CPU cores that it may use.
    pub cores: Option<u32>,
    /// Maximum number of connections that it can hold.
    pub max_connections: Option<u64>,
    /// Total listening time when it was last heard from.
    heard_ns: u64,
    /// Epoch and timestamp of a heartbeat from an older process, read after this process had ended.
    older: Option<(u64, f64)>,
}

/// A change to a driver that a test may have named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is no longer waited for; it may come back unless `permanently` is set.
    Lost {
        /// Which process.
        node: NodeRef,
        /// What happened.
        what: String,
        /// Whether this process has ended.
        permanently: bool,
    },
    /// It was considered dead, but was heard from again in the same epoch.
    Back(NodeRef),
}

/// All nodes by name; the newest epoch of a name is the current one. An older epoch replaces it only once it
/// has ended: a process may have started while its host's clock was years ahead.
#[derive(Debug, Default)]
pub struct Fleet {
    nodes: BTreeMap<String, Node>,
    listened_ns: u64,
    ticked_ns: Option<u64>,
}

impl Fleet {
    /// Registers a node. An old registration (`fresh` is false) lists it as dead until it is heard from.
    pub fn register(&mut self, message: &Register, fresh: bool, now_ns: u64) -> Vec<Change> {
        let Some(mut changes) = self.admit(&message.node_id, message.epoch, true) else { return Vec::new() };
        if fresh {
            changes.extend(self.spoke(&message.node_id, now_ns));
        }
        if let Some(node) = self.nodes.get_mut(&message.node_id) {
            node.node_ip = clip(&message.node_ip);
            node.version = message.version.as_deref().map(clip);
            node.cores = message.cores;
            node.max_connections = message.max_connections;
        }
        changes
    }

    /// Handles a heartbeat.
    pub fn heartbeat(&mut self, message: &Heartbeat, now_ns: u64) -> Vec<Change> {
        let left = message.state == Some(DriverState::Left);
        let known = self.nodes.get_mut(&message.node_id).filter(|known| known.epoch != message.epoch);
        // That another process left says nothing about this one.
        let ends_other = left && known.is_some();
        let again = !ends_other && known.is_some_and(|known| known.is_second_of_older(message));
        if ends_other {
            return Vec::new();
        }
        let Some(mut changes) = self.admit(&message.node_id, message.epoch, again) else { return Vec::new() };
        if !left {
            changes.extend(self.spoke(&message.node_id, now_ns));
        }
        let Some(node) = self.nodes.get_mut(&message.node_id) else { return changes };
        let mut kept = message.clone();
        kept.reason = kept.reason.as_deref().map(|reason| cut(reason, MAX_REASON_BYTES));
        kept.test_id = kept.test_id.as_deref().map(clip);
        kept.plan_hash = kept.plan_hash.as_deref().map(clip);
        if node.presence != Presence::Left {
            node.heartbeat = Some(kept);
        }
        if left && node.presence != Presence::Left {
            node.presence = Presence::Left;
            node.seen_ns = Some(now_ns);
            changes.extend(lost(node, "it left".to_owned(), true));
        }
        changes
    }

    /// Advances time. Silence counts only while our own reads of the bus succeed.
    pub fn tick(&mut self, now_ns: u64, reads_succeed: bool) -> Vec<Change> {
        let step_ns = now_ns.saturating_sub(self.ticked_ns.unwrap_or(now_ns)).min(MAX_STEP_NS);
        self.ticked_ns = Some(now_ns);
        if !reads_succeed {
            return Vec::new();
        }
        self.listened_ns += step_ns;
        let listened_ns = self.listened_ns;
        let silent = self
            .nodes
            .values_mut()
            .filter(|node| node.presence == Presence::Alive && listened_ns - node.heard_ns > DEAD_AFTER_NS);
        silent
            .filter_map(|node| {
                node.presence = absence(node.epoch);
                lost(node, format!("it was silent for {} s", DEAD_AFTER_NS / NS_PER_S), false)
            })
            .collect()
    }

    /// The drivers that a new test can name: alive, with an epoch and heartbeats, by name.
    pub fn named(&self) -> Vec<NodeRef> {
        let able = |node: &&Node| node.presence == Presence::Alive && node.heartbeat.is_some();
        self.nodes.values().filter(able).filter_map(reference).collect()
    }

    /// A driver that has registered, but has not sent a heartbeat yet.
    pub fn newcomer(&self) -> Option<&str> {
        let is_new = |node: &&Node| node.presence == Presence::Alive && node.heartbeat.is_none();
        self.nodes.values().find(is_new).map(|node| node.node_id.as_str())
    }

    /// The drivers of the original protocol that may take part in a test, by name.
    pub fn originals(&self) -> Vec<String> {
        let able = |node: &&Node| node.epoch.is_none() && node.presence != Presence::Left;
        self.nodes.values().filter(able).map(|node| node.node_id.clone()).collect()
    }

    /// Whether the bus was read long enough to have heard from every driver that is alive.
    pub fn has_listened(&self) -> bool {
        self.listened_ns > DEAD_AFTER_NS
    }

    /// Whether none of our drivers can be present: the bus was read long enough to have heard from each.
    pub fn is_without_ours(&self) -> bool {
        let ours = |node: &Node| node.epoch.is_some() && node.presence == Presence::Alive;
        self.has_listened() && !self.nodes.values().any(ours)
    }

    /// Handles a report from a driver of the original protocol, which also counts as a heartbeat. Returns
    /// false if the name belongs to another driver.
    pub fn original_reported(&mut self, node_id: &str, now_ns: u64) -> bool {
        let is_original = is_name(node_id) && self.nodes.get(node_id).is_none_or(|node| node.epoch.is_none());
        if is_original {
            self.spoke(node_id, now_ns);
        }
        is_original
    }

    /// The node with this name.
    pub fn get(&self, node_id: &str) -> Option<&Node> {
        self.nodes.get(node_id)
    }

    /// All nodes by name.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// Adds a process, or replaces another one of the same name. Returns `None` if the other one stays or the
    /// fleet is full. With `older_too`, an older process may replace one that has ended.
    fn admit(&mut self, node_id: &str, epoch: Option<u64>, older_too: bool) -> Option<Vec<Change>> {
        if !is_name(node_id) {
            return None;
        }
        let mut node_ip = String::new();
        let mut changes = Vec::new();
        if let Some(known) = self.nodes.get(node_id) {
            if known.epoch == epoch {
                return Some(changes);
            }
            let (newer, ended) = (epoch > known.epoch, known.presence != Presence::Alive);
            // A driver of the original protocol has no epoch: it never replaces a newer one that is alive.
            if !newer && !(ended && (older_too || epoch.is_none())) {
                return None;
            }
            changes.extend(lost(known, "a new process took its name".to_owned(), newer));
            node_ip.clone_from(&known.node_ip);
        } else if self.nodes.len() >= MAX_NODES {
            let idle = |node: &&Node| node.presence != Presence::Alive;
            let oldest = self.nodes.values().filter(idle).min_by_key(|node| node.heard_ns)?;
            let oldest = oldest.node_id.clone();
            self.nodes.remove(&oldest);
        }
        let node = Node { node_ip, ..Node::new(node_id, epoch, self.listened_ns) };
        self.nodes.insert(node_id.to_owned(), node);
        Some(changes)
    }

    fn spoke(&mut self, node_id: &str, now_ns: u64) -> Option<Change> {
        let listened_ns = self.listened_ns;
        let node = self.nodes.get_mut(node_id).filter(|node| node.presence != Presence::Left)?;
        let was_lost = node.presence == Presence::Dead && node.seen_ns.is_some();
        (node.presence, node.heard_ns, node.seen_ns) = (Presence::Alive, listened_ns, Some(now_ns));
        if was_lost { reference(node).map(Change::Back) } else { None }
    }
}

impl Node {
    /// A node of which nothing was heard yet.
    fn new(node_id: &str, epoch: Option<u64>, heard_ns: u64) -> Node {
        Node {
            node_id: node_id.to_owned(),
            node_ip: String::new(),
            epoch,
            presence: absence(epoch),
            seen_ns: None,
            heartbeat: None,
            version: None,
            cores: None,
            max_connections: None,
            heard_ns,
            older: None,
        }
    }

    /// Whether a heartbeat from an older process is the second one since this process ended. A record that is
    /// read twice does not count: only a live process sends a new timestamp.
    fn is_second_of_older(&mut self, message: &Heartbeat) -> bool {
        let Some(epoch) = message.epoch.filter(|_| self.presence != Presence::Alive) else { return false };
        let before = self.older.replace((epoch, message.timestamp));
        before.is_some_and(|(known, timestamp)| known == epoch && timestamp < message.timestamp)
    }
}

/// The presence of a silent node.
fn absence(epoch: Option<u64>) -> Presence {
    if epoch.is_none() { Presence::Silent } else { Presence::Dead }
}

fn reference(node: &Node) -> Option<NodeRef> {
    node.epoch.map(|epoch| NodeRef { node_id: node.node_id.clone(), epoch })
}

fn lost(node: &Node, what: String, permanently: bool) -> Option<Change> {
    reference(node).map(|node| Change::Lost { node, what, permanently })
}

/// Whether a text is a valid node name.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_TEXT_BYTES && !text.contains(char::is_control)
}

fn clip(text: &str) -> String {
    cut(text, MAX_TEXT_BYTES)
}

/// As much of a text as fits into `most_bytes`.
fn cut(text: &str, most_bytes: usize) -> String {
    let fitting = text.char_indices().take_while(|(at, c)| at + c.len_utf8() <= most_bytes);
    fitting.map(|(_, c)| c).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::decode;

    const S: u64 = NS_PER_S;

    fn beat(node_id: &str, epoch: Option<u64>) -> Heartbeat {
        let epoch = epoch.map_or(String::new(), |epoch| format!(r#","epoch":{epoch}"#));
        decode(format!(r#"{{"node_id":"{node_id}","heartbeat":"YES"{epoch}}}"#).as_bytes()).unwrap()
    }

    fn presence(fleet: &Fleet, node_id: &str) -> Presence {
        fleet.get(node_id).unwrap().presence
    }

    fn quiet(fleet: &mut Fleet, from_s: u64, to_s: u64, reads: bool) -> Vec<Change> {
        (from_s..=to_s).flat_map(|s| fleet.tick(s * S, reads)).collect()
    }

    #[test]
    fn silence_counts_only_while_the_bus_is_read() {
        let mut fleet = Fleet::default();
        fleet.tick(0, true);
        fleet.heartbeat(&beat("a", Some(1)), 0);
        assert!(quiet(&mut fleet, 1, 60, false).is_empty());
        assert!(quiet(&mut fleet, 61, 63, true).is_empty(), "three seconds are not yet too long");
        let changes = quiet(&mut fleet, 64, 64, true);
        assert!(matches!(&changes[..], [Change::Lost { permanently: false, .. }]), "{changes:?}");
        assert!(fleet.named().is_empty());
        let back = fleet.heartbeat(&beat("a", Some(1)), 67 * S);
        assert_eq!(back, [Change::Back(NodeRef { node_id: "a".to_owned(), epoch: 1 })]);
        assert_eq!(fleet.named().len(), 1);
    }

    #[test]
    fn our_own_pause_does_not_count_as_their_silence() {
        let mut fleet = Fleet::default();
        fleet.tick(0, true);
        fleet.heartbeat(&beat("a", Some(1)), 0);
        assert!(fleet.tick(100 * S, true).is_empty());
        assert_eq!(presence(&fleet, "a"), Presence::Alive);
    }

    #[test]
    fn the_newest_epoch_counts() {
        let mut fleet = Fleet::default();
        fleet.heartbeat(&beat("a", Some(5)), 0);
        assert!(fleet.heartbeat(&beat("a", Some(4)), 1).is_empty());
        assert!(fleet.heartbeat(&beat("a", None), 1).is_empty());
        assert_eq!(fleet.named()[0].epoch, 5);
        let changes = fleet.heartbeat(&beat("a", Some(6)), 2);
        assert!(matches!(&changes[..], [Change::Lost { node, permanently: true, .. }] if node.epoch == 5));
        assert_eq!(fleet.named()[0].epoch, 6);
    }

    #[test]
    fn an_older_epoch_replaces_one_that_has_ended() {
        let beat_at = |epoch: u64, timestamp: f64| Heartbeat { timestamp, ..beat("a", Some(epoch)) };
        let in_2035 = 2_050_000_000_000;
        let ends: [fn(&mut Fleet); 2] = [
            |fleet| assert_eq!(quiet(fleet, 1, 7, true).len(), 1),
            |fleet| {
                let left = Some(DriverState::Left);
                fleet.heartbeat(&Heartbeat { state: left, ..beat("a", Some(2_050_000_000_000)) }, 1);
            },
        ];
        for end in ends {
            let mut fleet = Fleet::default();
            fleet.tick(0, true);
            fleet.heartbeat(&beat_at(in_2035, 1.0), 0);
            (0..3).for_each(|n| assert!(fleet.heartbeat(&beat_at(7, f64::from(n)), 0).is_empty()));
            assert_eq!(fleet.named()[0].epoch, in_2035, "the newer one is alive");
            end(&mut fleet);
            (0..3).for_each(|_| assert!(fleet.heartbeat(&beat_at(7, 5.0), 9 * S).is_empty()));
            assert!(fleet.named().is_empty(), "one record read repeatedly is no proof of life");
            let changes = fleet.heartbeat(&beat_at(7, 6.0), 9 * S);
            assert!(
                matches!(
                    &changes[..],
                    [Change::Lost { node, permanently: false, .. }] if node.epoch == in_2035
                ),
                "{changes:?}"
            );
            assert_eq!(fleet.named()[0].epoch, 7);
            // Late messages of the other one change nothing.
            let left = Some(DriverState::Left);
            assert!(fleet.heartbeat(&Heartbeat { state: left, ..beat_at(in_2035, 9.0) }, 10 * S).is_empty());
            assert_eq!(fleet.named()[0].epoch, 7);
        }
    }

    #[test]
    fn an_older_epoch_registers_once_the_newer_one_has_ended() {
        let register = |epoch: u64| -> Register {
            decode(format!(r#"{{"node_id":"a","node_ip":"h{epoch}","epoch":{epoch}}}"#).as_bytes()).unwrap()
        };
        let mut fleet = Fleet::default();
        // The topic is read from the beginning, so the later record belongs to the later process.
        fleet.register(&register(9), false, 0);
        fleet.register(&register(7), false, 0);
        assert_eq!(fleet.get("a").unwrap().epoch, Some(7));
        fleet.heartbeat(&beat("a", Some(7)), 0);
        assert_eq!((fleet.named()[0].epoch, fleet.get("a").unwrap().node_ip.as_str()), (7, "h7"));
        fleet.register(&register(6), true, 0);
        assert_eq!(fleet.named()[0].epoch, 7, "it is alive");
    }

    #[test]
    fn names_that_are_too_long_or_not_printable_are_ignored_and_other_texts_truncated() {
        let mut fleet = Fleet::default();
        for name in ["", "a\\u001b[31m", &"n".repeat(201)] {
            fleet.heartbeat(&beat(name, Some(1)), 0);
        }
        assert_eq!(fleet.nodes().count(), 0);
        let taken = ["", "a\u{1b}", &"n".repeat(201), "m1"].map(|name| fleet.original_reported(name, 0));
        assert_eq!(taken, [false, false, false, true]);
        let reason = Some("é".repeat(1 << 16));
        fleet.heartbeat(&Heartbeat { reason, ..beat("a", Some(1)) }, 0);
        let node = fleet.get("a").unwrap();
        assert_eq!(node.heartbeat.as_ref().unwrap().reason.as_ref().map(String::len), Some(1_000));
    }

    #[test]
    fn a_driver_that_left_stays_away_until_a_new_process_starts() {
        let mut fleet = Fleet::default();
        fleet.heartbeat(&beat("a", Some(1)), 0);
        let goodbye = Heartbeat { state: Some(DriverState::Left), ..beat("a", Some(1)) };
        assert!(matches!(&fleet.heartbeat(&goodbye, 1)[..], [Change::Lost { permanently: true, .. }]));
        assert!(fleet.heartbeat(&goodbye, 2).is_empty());
        assert!(fleet.heartbeat(&beat("a", Some(1)), 3).is_empty());
        assert_eq!(presence(&fleet, "a"), Presence::Left);
        fleet.heartbeat(&beat("a", Some(2)), 4);
        assert_eq!(presence(&fleet, "a"), Presence::Alive);
    }

    #[test]
    fn original_and_merely_registered_nodes_are_listed_but_never_named() {
        let mut fleet = Fleet::default();
        fleet.heartbeat(&beat("old", None), 0);
        let register = |node_id: &str| -> Register {
            decode(format!(r#"{{"node_id":"{node_id}","node_ip":"h","epoch":3}}"#).as_bytes()).unwrap()
        };
        fleet.register(&register("posted"), true, 0);
        fleet.register(&register("stale"), false, 0);
        assert_eq!(fleet.nodes().count(), 3);
        assert!(fleet.named().is_empty());
        assert_eq!(presence(&fleet, "posted"), Presence::Alive);
        assert_eq!(presence(&fleet, "stale"), Presence::Dead);
        assert_eq!(fleet.newcomer(), Some("posted"));
        assert!(
            fleet.heartbeat(&beat("stale", Some(3)), 1).is_empty(),
            "it was never alive, so it does not come back"
        );
        assert_eq!(fleet.named().len(), 1);
        assert_eq!(fleet.get("stale").unwrap().node_ip, "h");
    }

    #[test]
    fn the_list_is_bounded_and_dead_nodes_are_replaced() {
        let mut fleet = Fleet::default();
        for n in 0..MAX_NODES {
            fleet.heartbeat(&beat(&format!("n{n}"), Some(1)), 0);
        }
        fleet.heartbeat(&beat("more", Some(1)), 0);
        assert!(fleet.get("more").is_none(), "live nodes are not replaced");
        quiet(&mut fleet, 0, 6, true);
        fleet.heartbeat(&beat("more", Some(1)), 0);
        assert!(fleet.get("more").is_some());
        assert_eq!(fleet.nodes().count(), MAX_NODES);
    }
}
