//! How far each subscribed partition has been read, and what is wrong with it.

use crate::bus::{BusError, Topic};
use std::collections::BTreeMap;

/// A partition.
pub type Key = (Topic, i32);

/// The state of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The offset to read next.
    pub next: i64,
    /// When it was last read, with or without records.
    pub read_ns: u64,
    /// Why it cannot be read.
    pub fault: Option<BusError>,
    /// The broker does not have `next`.
    pub lost: bool,
}

impl Progress {
    /// Neither read since then nor failed.
    fn is_unread(&self, since_ns: u64) -> bool {
        self.read_ns < since_ns && self.fault.is_none()
    }
}

/// All subscribed partitions.
#[derive(Clone, Debug, Default)]
pub struct Subscriptions(BTreeMap<Key, Progress>);

impl Subscriptions {
    /// Reads `topic` from these offsets, replacing its earlier position.
    pub fn start(&mut self, topic: Topic, offsets: BTreeMap<i32, i64>) {
        self.0.retain(|(known, _), _| *known != topic);
        let fresh = |(partition, next)| ((topic, partition), Progress { next, ..Progress::default() });
        self.0.extend(offsets.into_iter().map(fresh));
    }

    /// Adds those of these partitions whose topics are subscribed, to be read from their beginning. Returns
    /// the added ones.
    pub fn add_missing<'a>(&mut self, keys: impl Iterator<Item = &'a Key>) -> Vec<Key> {
        let topics = self.topics();
        let is_new = |key: &&Key| topics.contains(&key.0) && !self.0.contains_key(*key);
        let new: Vec<Key> = keys.filter(is_new).copied().collect();
        self.0.extend(new.iter().map(|key| (*key, Progress::default())));
        new
    }

    /// Whether nothing is subscribed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One partition's progress.
    pub fn get(&self, key: Key) -> Option<&Progress> {
        self.0.get(&key)
    }

    /// One partition's progress.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut Progress> {
        self.0.get_mut(&key)
    }

    /// All partitions, beginning with another one at each `turn`: the broker serves them in request order, so
    /// a fixed order would let the first ones starve the others.
    pub fn in_turn(&self, turn: usize) -> Vec<Key> {
        let mut keys: Vec<Key> = self.0.keys().copied().collect();
        let first = turn % keys.len().max(1);
        keys.rotate_left(first);
        keys
    }

    /// The topics.
    pub fn topics(&self) -> Vec<Topic> {
        let mut topics: Vec<Topic> = self.0.keys().map(|(topic, _)| *topic).collect();
        topics.dedup();
        topics
    }

    /// The partitions whose offset the broker does not have.
    pub fn lost(&self) -> Vec<Key> {
        self.0.iter().filter(|(_, progress)| progress.lost).map(|(key, _)| *key).collect()
    }

    /// The partitions without a fault.
    pub fn healthy(&self) -> Vec<Key> {
        let healthy = self.0.iter().filter(|(_, progress)| progress.fault.is_none() && !progress.lost);
        healthy.map(|(key, _)| *key).collect()
    }

    /// Whether no partition has a fault.
    pub fn are_well(&self) -> bool {
        self.0.values().all(|progress| progress.fault.is_none())
    }

    /// Whether one of these partitions was neither read since then nor failed.
    pub fn is_any_unread<'a>(&self, mut keys: impl Iterator<Item = &'a Key>, since_ns: u64) -> bool {
        keys.any(|key| self.0.get(key).is_some_and(|progress| progress.is_unread(since_ns)))
    }

    /// Whether any partition was neither read since then nor failed.
    pub fn has_unread(&self, since_ns: u64) -> bool {
        self.0.values().any(|progress| progress.is_unread(since_ns))
    }

    /// The first partition that was not read since then, for whatever reason.
    pub fn first_not_read(&self, since_ns: u64) -> Option<(Topic, Option<BusError>)> {
        let found = self.0.iter().find(|(_, progress)| progress.read_ns < since_ns);
        found.map(|((topic, _), progress)| (*topic, progress.fault.clone()))
    }

    /// The first fault of a partition that was not read for at least `long_ns`.
    pub fn long_fault(&self, now_ns: u64, long_ns: u64) -> Option<&BusError> {
        let long = |progress: &&Progress| now_ns.saturating_sub(progress.read_ns) >= long_ns;
        self.0.values().filter(long).find_map(|progress| progress.fault.as_ref())
    }

    /// Records a fault of these partitions.
    pub fn fault<'a>(&mut self, keys: impl IntoIterator<Item = &'a Key>, error: &BusError) {
        for key in keys {
            if let Some(progress) = self.0.get_mut(key) {
                progress.fault = Some(error.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Topic::{Metrics, Trigger};

    fn away() -> BusError {
        BusError::Unavailable("away".to_owned())
    }

    fn three() -> Subscriptions {
        let mut subscriptions = Subscriptions::default();
        subscriptions.start(Metrics, BTreeMap::from([(0, 5), (1, 6)]));
        subscriptions.start(Trigger, BTreeMap::from([(0, 7)]));
        subscriptions
    }

    #[test]
    fn each_partition_comes_first_in_turn() {
        let subscriptions = three();
        assert_eq!(subscriptions.topics(), [Trigger, Metrics], "in the order of the topics");
        let all = [(Trigger, 0), (Metrics, 0), (Metrics, 1)];
        for turn in [0, 3, 300] {
            assert_eq!(subscriptions.in_turn(turn), all);
        }
        assert_eq!(subscriptions.in_turn(1), [all[1], all[2], all[0]]);
        assert_eq!(subscriptions.in_turn(2), [all[2], all[0], all[1]]);
        assert_eq!(Subscriptions::default().in_turn(7), []);
    }

    #[test]
    fn a_moved_topic_begins_again_and_others_stay() {
        let mut subscriptions = three();
        subscriptions.fault(&[(Metrics, 0), (Trigger, 0), (Topic::Register, 0)], &away());
        subscriptions.start(Metrics, BTreeMap::from([(0, 50)]));
        assert_eq!(subscriptions.get((Metrics, 0)), Some(&Progress { next: 50, ..Progress::default() }));
        assert_eq!(subscriptions.get((Metrics, 1)), None);
        assert_eq!(subscriptions.get((Trigger, 0)).and_then(|progress| progress.fault.clone()), Some(away()));
    }

    #[test]
    fn a_failed_partition_is_not_awaited_but_still_not_read() {
        let mut subscriptions = three();
        for key in subscriptions.in_turn(0) {
            subscriptions.get_mut(key).expect("a partition").read_ns = 100;
        }
        assert!(subscriptions.has_unread(101) && !subscriptions.has_unread(100));
        assert_eq!(subscriptions.first_not_read(101), Some((Trigger, None)));
        subscriptions.fault(&subscriptions.in_turn(0), &away());
        assert!(!subscriptions.has_unread(101) && !subscriptions.are_well());
        assert_eq!(subscriptions.first_not_read(101), Some((Trigger, Some(away()))));
        assert_eq!(subscriptions.first_not_read(100), None);
    }

    #[test]
    fn a_fault_is_long_only_after_a_while_without_a_read() {
        let mut subscriptions = three();
        subscriptions.fault(&[(Metrics, 1)], &away());
        subscriptions.get_mut((Metrics, 1)).expect("a partition").read_ns = 100;
        assert_eq!(subscriptions.long_fault(149, 50), None);
        assert_eq!(subscriptions.long_fault(150, 50), Some(&away()));
    }

    #[test]
    fn lost_and_failed_partitions_are_not_healthy() {
        let mut subscriptions = three();
        subscriptions.get_mut((Metrics, 0)).expect("a partition").lost = true;
        subscriptions.fault(&[(Trigger, 0)], &away());
        assert_eq!(subscriptions.lost(), [(Metrics, 0)]);
        assert_eq!(subscriptions.healthy(), [(Metrics, 1)]);
    }
}
