//! First and next offsets of a topic's partitions.

use super::cluster::Cluster;
use super::versions::Api;
use super::{faults, requests, responses};
use crate::bus::{BusError, Topic};
use std::collections::BTreeMap;

/// Asks the leaders of `topic` for the offsets selected by `which` ([`requests::EARLIEST`],
/// [`requests::LATEST`]), by partition. One attempt.
pub fn ask(
    cluster: &mut Cluster,
    topic: Topic,
    which: i64,
    deadline_ns: u64,
) -> Result<BTreeMap<i32, i64>, BusError> {
    let name = cluster.settings().topic_name(topic);
    let mut by_leader: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for (partition, leader) in cluster.leaders(topic, deadline_ns)? {
        by_leader.entry(leader).or_default().push(partition);
    }
    if by_leader.is_empty() {
        return Err(BusError::Unavailable(format!("the cluster reports no partitions for topic {name}")));
    }
    let mut offsets = BTreeMap::new();
    for (leader, partitions) in by_leader {
        let connection = cluster.connection(leader, deadline_ns)?;
        let address = connection.address().clone();
        let asked = connection.call(
            Api::ListOffsets,
            |head| requests::list_offsets(head, &name, &partitions, which),
            deadline_ns,
        );
        let answer = asked.inspect_err(|_| cluster.hang_up(leader))?;
        let listed = answer
            .body()
            .and_then(|mut body| responses::list_offsets(&mut body, answer.version))
            .map_err(|malformed| faults::malformed(&address, malformed))?;
        for partition in listed {
            if partition.error != 0 {
                return Err(faults::topic(partition.error, &name, "get the offsets", None));
            }
            offsets.insert(partition.partition, partition.offset);
        }
    }
    Ok(offsets)
}
