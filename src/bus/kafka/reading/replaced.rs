//! Positions that no longer fit: records removed by retention, and topics deleted and created again.

use super::progress::Key;
use super::steps::{Leaders, Step};
use super::{Phase, Reading};
use crate::bus::BusError;
use crate::bus::kafka::offsets;
use crate::bus::kafka::responses::TopicId;

impl Reading {
    /// Moves a partition whose offset the broker does not have to the nearest existing one, or to the
    /// beginning if its topic was replaced.
    pub(super) fn on_range(
        &mut self,
        now_ns: u64,
        key: Key,
        id: Option<TopicId>,
        range: Result<Option<(i64, i64)>, BusError>,
    ) {
        if let Phase::Ranges(queue) = &mut self.poll.phase {
            queue.pop_front();
        }
        let range = match range {
            Ok(range) => range,
            Err(error) => {
                // The next Fetch shows whether the offset is still missing; meanwhile others may be read.
                if let Some(progress) = self.subscriptions.get_mut(key) {
                    progress.lost = false;
                }
                return self.fault_all(now_ns, &error);
            }
        };
        let (Some((first, end)), Some(progress)) = (range, self.subscriptions.get_mut(key)) else { return };
        progress.lost = false;
        let known = self.ids.get(&key.0);
        if id.is_some() && known.is_some_and(|known| Some(*known) != id) {
            // The leaders are looked up next, and with them the topic begins again.
            return;
        }
        let next = progress.next;
        let was_read = id.is_none() && progress.read_ns > 0;
        let (moved_to, line) =
            offsets::moved(&self.shared.settings.topic_name(key.0), key.1, next, (first, end), was_read);
        progress.next = moved_to;
        self.warn(line);
    }

    /// Begins again with topics that were replaced by others of the same name, and adds new partitions.
    pub(super) fn begin_replaced(&mut self, leaders: &Leaders) {
        for (topic, id) in &leaders.ids {
            let known = self.ids.insert(*topic, *id);
            if known.is_none_or(|known| known == *id) {
                continue;
            }
            let of_topic = leaders.of.keys().filter(|(known, _)| known == topic);
            self.subscriptions.start(*topic, of_topic.map(|(_, partition)| (*partition, 0)).collect());
            let name = self.shared.settings.topic_name(*topic);
            self.warn(format!(
                "topic {name} was deleted and created again: continuing at its beginning; records of the old \
                 topic that were not read yet are lost"
            ));
        }
        for (topic, partition) in self.subscriptions.add_missing(leaders.of.keys()) {
            let name = self.shared.settings.topic_name(topic);
            self.warn(format!("topic {name} has a new partition {partition}: reading it from its beginning"));
        }
    }

    fn warn(&mut self, line: String) {
        self.poll.chores.push_back(Step::Warn(line));
    }
}
