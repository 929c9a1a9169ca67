//! The fleet: the registered drivers and who of them is alive. Sans-IO: messages and moments in, changes out.

use crate::clock::NS_PER_S;
use crate::message::{DriverState, Heartbeat, NodeRef, Register};
use crate::plan::limits;
use std::collections::BTreeMap;

/// A driver that is silent for longer is dead.
pub const DEAD_AFTER_NS: u64 = 5 * NS_PER_S;
/// Most nodes that are listed; the dead and the departed give way to new ones.
pub const MAX_NODES: usize = limits::DRIVERS;
/// A pause of our own (a frozen process, a slow tick) counts at most this much as silence of others.
const MAX_STEP_NS: u64 = NS_PER_S;
/// Longest name, address or version that is kept, in bytes.
const MAX_TEXT_BYTES: usize = 200;
/// Longest reason that is kept, in bytes.
const MAX_REASON_BYTES: usize = 1_000;

/// Whether a driver can be reckoned with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Heard of within the last 5 s of listening.
    Alive,
    /// Silent.
    Dead,
    /// Silent, but of the original protocol, whose drivers need not say anything while they wait for a test.
    Silent,
    /// Ended in order.
    Left,
}

/// One registered node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub node_id: String,
    /// The address by which its operator knows it; empty where only heartbeats were read.
    pub node_ip: String,
    /// Start of its process; none for a driver of the original protocol.
    pub epoch: Option<u64>,
    /// Whether it can be reckoned with.
    pub presence: Presence,
    /// When it last spoke, on the process's monotonic clock; none where only an old registration was read.
    pub seen_ns: Option<u64>,
    /// Its newest heartbeat; none where it only registered.
    pub heartbeat: Option<Heartbeat>,
    /// Version of its program.
    pub version: Option<String>,
    /// Processor cores that it may use.
    pub cores: Option<u32>,
    /// Most connections that it can hold.
    pub max_connections: Option<u64>,
    /// How much had been listened when it last spoke.
    heard_ns: u64,
    /// The epoch and the timestamp of a heartbeat of an older process, read after this one had ended.
    older: Option<(u64, f64)>,
}

/// What changed for a driver that a test may have named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is not to be waited for; may come back unless `for_ever`.
    Lost {
        /// Which process.
        node: NodeRef,
        /// What happened, in words.
        what: String,
        /// Whether this process has ended.
        for_ever: bool,
    },
    /// Thought dead, it spoke again in the same epoch.
    Back(NodeRef),
}

/// All nodes by name; the newest epoch of a name is the current one. An older one takes its place once that has ended:
/// a process may have started while its host's clock was years ahead.
#[derive(Debug, Default)]
pub struct Fleet {
    nodes: BTreeMap<String, Node>,
    listened_ns: u64,
    ticked_ns: Option<u64>,
}

impl Fleet {
    /// A node announces itself. An old announcement (`fresh` is false) lists it as dead until it speaks.
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

    /// A sign of life.
    pub fn heartbeat(&mut self, message: &Heartbeat, now_ns: u64) -> Vec<Change> {
        let left = message.state == Some(DriverState::Left);
        let known = self.nodes.get_mut(&message.node_id).filter(|known| known.epoch != message.epoch);
        // The goodbye of another process says nothing of this one.
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

    /// Time passes. Silence counts only while our own reads of the bus succeed.
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
                node.presence = node.absent();
                lost(node, format!("it was silent for {} s", DEAD_AFTER_NS / NS_PER_S), false)
            })
            .collect()
    }

    /// The drivers that a new test can name: alive, with an epoch and heartbeats, by name.
    pub fn named(&self) -> Vec<NodeRef> {
        let able = |node: &&Node| node.presence == Presence::Alive && node.heartbeat.is_some();
        self.nodes.values().filter(able).filter_map(reference).collect()
    }

    /// The drivers of the original protocol that may take part in a test, by name.
    pub fn originals(&self) -> Vec<String> {
        let able = |node: &&Node| node.epoch.is_none() && node.presence != Presence::Left;
        self.nodes.values().filter(able).map(|node| node.node_id.clone()).collect()
    }

    /// Whether none of our drivers can be there: the bus was read for so long that each would have been heard of.
    pub fn is_without_ours(&self) -> bool {
        let ours = |node: &Node| node.epoch.is_some() && node.presence == Presence::Alive;
        self.listened_ns > DEAD_AFTER_NS && !self.nodes.values().any(ours)
    }

    /// A driver of the original protocol reported, which is a sign of life too. False where the name is another's.
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

    /// Makes room for a process, or puts it in the place of another one of the same name. None where that one counts,
    /// or no room is left. `older_too` lets an older process take the place of one that has ended.
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
            // A driver of the original protocol has no epoch: it never displaces a newer one that is there.
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
        let node = Node { node_ip, ..new_node(node_id, epoch, self.listened_ns) };
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
    /// What it is while it says nothing.
    fn absent(&self) -> Presence {
        if self.epoch.is_none() { Presence::Silent } else { Presence::Dead }
    }
}

fn new_node(node_id: &str, epoch: Option<u64>, heard_ns: u64) -> Node {
    Node {
        node_id: node_id.to_owned(),
        node_ip: String::new(),
        epoch,
        presence: if epoch.is_none() { Presence::Silent } else { Presence::Dead },
        seen_ns: None,
        heartbeat: None,
        version: None,
        cores: None,
        max_connections: None,
        heard_ns,
        older: None,
    }
}

impl Node {
    /// Whether a heartbeat of an older process is the second one since this process ended. A record that is read twice
    /// is not: only a process that lives gives another timestamp.
    fn is_second_of_older(&mut self, message: &Heartbeat) -> bool {
        let Some(epoch) = message.epoch.filter(|_| self.presence != Presence::Alive) else { return false };
        let before = self.older.replace((epoch, message.timestamp));
        before.is_some_and(|(known, timestamp)| known == epoch && timestamp < message.timestamp)
    }
}

fn reference(node: &Node) -> Option<NodeRef> {
    node.epoch.map(|epoch| NodeRef { node_id: node.node_id.clone(), epoch })
}

fn lost(node: &Node, what: String, for_ever: bool) -> Option<Change> {
    reference(node).map(|node| Change::Lost { node, what, for_ever })
}

/// Whether a text can be the name of a node.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_TEXT_BYTES && !text.contains(char::is_control)
}

fn clip(text: &str) -> String {
    cut(text, MAX_TEXT_BYTES)
}

/// As much of a text as `most_bytes` hold.
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
        assert!(quiet(&mut fleet, 61, 65, true).is_empty(), "five seconds are not yet too long");
        let changes = quiet(&mut fleet, 66, 66, true);
        assert!(matches!(&changes[..], [Change::Lost { for_ever: false, .. }]), "{changes:?}");
        assert!(fleet.named().is_empty());
        let back = fleet.heartbeat(&beat("a", Some(1)), 67 * S);
        assert_eq!(back, [Change::Back(NodeRef { node_id: "a".to_owned(), epoch: 1 })]);
        assert_eq!(fleet.named().len(), 1);
    }

    #[test]
    fn a_pause_of_our_own_is_not_their_silence() {
        let mut fleet = Fleet::default();
        fleet.tick(0, true);
        fleet.heartbeat(&beat("a", Some(1)), 0);
        assert!(fleet.tick(100 * S, true).is_empty());
        assert_eq!(presence(&fleet, "a"), Presence::Alive);
    }

    #[test]
    fn the_newest_epoch_is_the_driver() {
        let mut fleet = Fleet::default();
        fleet.heartbeat(&beat("a", Some(5)), 0);
        assert!(fleet.heartbeat(&beat("a", Some(4)), 1).is_empty());
        assert!(fleet.heartbeat(&beat("a", None), 1).is_empty());
        assert_eq!(fleet.named()[0].epoch, 5);
        let changes = fleet.heartbeat(&beat("a", Some(6)), 2);
        assert!(matches!(&changes[..], [Change::Lost { node, for_ever: true, .. }] if node.epoch == 5));
        assert_eq!(fleet.named()[0].epoch, 6);
    }

    #[test]
    fn an_older_epoch_takes_the_place_of_one_that_has_ended() {
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
            assert_eq!(fleet.named()[0].epoch, in_2035, "the newer one lives");
            end(&mut fleet);
            (0..3).for_each(|_| assert!(fleet.heartbeat(&beat_at(7, 5.0), 9 * S).is_empty()));
            assert!(fleet.named().is_empty(), "one record, read again and again, is no life");
            let changes = fleet.heartbeat(&beat_at(7, 6.0), 9 * S);
            assert!(
                matches!(&changes[..], [Change::Lost { node, for_ever: false, .. }] if node.epoch == in_2035),
                "{changes:?}"
            );
            assert_eq!(fleet.named()[0].epoch, 7);
            // What is left of the other one changes nothing.
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
        // As the topic is read from its beginning: the later record is of the later process.
        fleet.register(&register(9), false, 0);
        fleet.register(&register(7), false, 0);
        assert_eq!(fleet.get("a").unwrap().epoch, Some(7));
        fleet.heartbeat(&beat("a", Some(7)), 0);
        assert_eq!((fleet.named()[0].epoch, fleet.get("a").unwrap().node_ip.as_str()), (7, "h7"));
        fleet.register(&register(6), true, 0);
        assert_eq!(fleet.named()[0].epoch, 7, "it lives");
    }

    #[test]
    fn names_that_are_too_long_or_no_text_are_ignored_and_other_texts_cut() {
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
    fn who_left_stays_away_until_a_new_process_comes() {
        let mut fleet = Fleet::default();
        fleet.heartbeat(&beat("a", Some(1)), 0);
        let goodbye = Heartbeat { state: Some(DriverState::Left), ..beat("a", Some(1)) };
        assert!(matches!(&fleet.heartbeat(&goodbye, 1)[..], [Change::Lost { for_ever: true, .. }]));
        assert!(fleet.heartbeat(&goodbye, 2).is_empty());
        assert!(fleet.heartbeat(&beat("a", Some(1)), 3).is_empty());
        assert_eq!(presence(&fleet, "a"), Presence::Left);
        fleet.heartbeat(&beat("a", Some(2)), 4);
        assert_eq!(presence(&fleet, "a"), Presence::Alive);
    }

    #[test]
    fn original_and_merely_registered_nodes_are_listed_and_never_named() {
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
        assert!(fleet.heartbeat(&beat("stale", Some(3)), 1).is_empty(), "nobody can miss who was not there");
        assert_eq!(fleet.named().len(), 1);
        assert_eq!(fleet.get("stale").unwrap().node_ip, "h");
    }

    #[test]
    fn the_list_is_bounded_and_the_dead_give_way() {
        let mut fleet = Fleet::default();
        for n in 0..MAX_NODES {
            fleet.heartbeat(&beat(&format!("n{n}"), Some(1)), 0);
        }
        fleet.heartbeat(&beat("more", Some(1)), 0);
        assert!(fleet.get("more").is_none(), "the living are not displaced");
        quiet(&mut fleet, 0, 6, true);
        fleet.heartbeat(&beat("more", Some(1)), 0);
        assert!(fleet.get("more").is_some());
        assert_eq!(fleet.nodes().count(), MAX_NODES);
    }
}
