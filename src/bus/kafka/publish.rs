//! Appends one record and waits until it is durable.

use super::cluster::Cluster;
use super::requests::Outgoing;
use super::versions::Api;
use super::{faults, partition, requests, responses};
use crate::bus::{Appended, BusError, Topic};
use crate::clock;

/// One attempt to append a record. After a transient error it may nevertheless have been appended.
pub fn once(
    cluster: &mut Cluster,
    topic: Topic,
    key: &str,
    value: &[u8],
    deadline_ns: u64,
) -> Result<Appended, BusError> {
    let name = cluster.settings().topic_name(topic);
    let leaders: Vec<(i32, i32)> = cluster.leaders(topic, deadline_ns)?.into_iter().collect();
    let Some(&(partition, leader)) = leaders.get(partition::choose(key, leaders.len())) else {
        return Err(BusError::Unavailable(format!("the cluster reports no partitions for topic {name}")));
    };
    if leader < 0 {
        return Err(BusError::Unavailable(format!(
            "partition {partition} of topic {name} currently has no leader"
        )));
    }
    let connection = cluster.connection(leader, deadline_ns)?;
    let address = connection.address().clone();
    let now_ms = clock::wall_ms(clock::now_ns()) as i64;
    let timeout_ms = i32::try_from(clock::until(deadline_ns).as_millis()).unwrap_or(i32::MAX);
    let record = Outgoing { topic: &name, partition, key, value, now_ms };
    let asked =
        connection.call(Api::Produce, |head| requests::produce(head, record, timeout_ms), deadline_ns);
    let answer = asked.inspect_err(|_| cluster.hang_up(leader))?;
    let produced = answer
        .body()
        .and_then(|mut body| responses::produce(&mut body, answer.version))
        .map_err(|malformed| faults::malformed(&address, malformed))?;
    if produced.error != 0 {
        let (code, message) = (produced.error, produced.message.as_deref());
        let bytes = requests::batch_bytes(record);
        if let Some(error) = faults::too_large(code, &name, bytes, message) {
            return Err(error);
        }
        return Err(faults::topic(code, &name, "append to a partition", message));
    }
    let append_ms = Some(produced.append_ms).filter(|ms| *ms >= 0);
    if append_ms.is_none() {
        cluster.shared().warn_no_append_time(topic);
    }
    Ok(Appended { append_ms, sent_ns: answer.sent_ns, acked_ns: answer.received_ns })
}
