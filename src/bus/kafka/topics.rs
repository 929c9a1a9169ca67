//! Creates missing topics, with one partition and the broker's append time.

use super::cluster::Cluster;
use super::context::Context;
use super::responses::{self, Metadata};
use super::retry::Waiting;
use super::rights;
use super::versions::Api;
use super::writer::Writer;
use super::{faults, requests};
use crate::bus::{BusError, Topic};
use crate::clock;
use std::sync::Arc;

/// From this version of CreateTopics on, a replication factor of -1 means the cluster's default (KIP-464).
const REPLICATION_BY_CLUSTER_FROM: i16 = 4;
/// Maximum number of replicas to request if the cluster has no default.
const MOST_REPLICAS: usize = 3;
/// How long to wait before checking again whether a new topic has a leader.
const LOOK_AGAIN_NS: u64 = 50 * clock::NS_PER_MS;

/// Retries until all topics exist and have leaders; logs what it waits for.
pub fn prepare(shared: Arc<Context>, deadline_ns: u64) -> Result<(), BusError> {
    let mut waiting = Waiting::new(shared.describe());
    Writer::new(shared).attempt(deadline_ns, |cluster, attempt_ns| {
        ensure(cluster, attempt_ns).inspect_err(|error| {
            if let Some(line) = waiting.line(error) {
                log::warn!("{line}");
            }
        })
    })
}

fn ensure(cluster: &mut Cluster, deadline_ns: u64) -> Result<(), BusError> {
    loop {
        let found = cluster.ask_metadata(&Topic::ALL, deadline_ns)?;
        rights::check(&found, cluster.shared())?;
        let missing = missing(&found)?;
        if !missing.is_empty() {
            create(cluster, &missing, deadline_ns)?;
        } else if found.topics.len() == Topic::ALL.len() && found.topics.iter().all(has_leaders) {
            for topic in &found.topics {
                if let Some(known) = cluster.shared().topic_of(&topic.name) {
                    cluster.shared().warn_of_partitions(known, topic.leaders.len());
                }
            }
            return Ok(());
        }
        let look_again_ns = clock::now_ns() + LOOK_AGAIN_NS;
        if look_again_ns >= deadline_ns {
            let names: Vec<_> = found.topics.iter().map(|topic| topic.name.as_str()).collect();
            return Err(BusError::Unavailable(format!(
                "some of these topics have no leader yet: {}",
                names.join(", ")
            )));
        }
        clock::sleep_until(look_again_ns);
    }
}

fn has_leaders(topic: &responses::TopicMetadata) -> bool {
    topic.error == 0 && !topic.leaders.is_empty() && topic.leaders.iter().all(|(_, leader)| *leader >= 0)
}

fn missing(found: &Metadata) -> Result<Vec<String>, BusError> {
    let mut missing = Vec::new();
    for topic in &found.topics {
        if faults::is_unknown_topic(topic.error) {
            missing.push(topic.name.clone());
        } else if topic.error != 0 {
            let error = faults::topic(topic.error, &topic.name, "read the metadata", None);
            if !error.is_transient() {
                return Err(error);
            }
        }
    }
    Ok(missing)
}

fn create(cluster: &mut Cluster, missing: &[String], deadline_ns: u64) -> Result<(), BusError> {
    let brokers = cluster.broker_count().clamp(1, MOST_REPLICAS) as i16;
    let timeout_ms = i32::try_from(clock::until(deadline_ns).as_millis()).unwrap_or(i32::MAX);
    let (id, connection) = cluster.controller(deadline_ns)?;
    let by_cluster = connection.version(Api::CreateTopics) >= REPLICATION_BY_CLUSTER_FROM;
    let replication = if by_cluster { -1 } else { brokers };
    let asked = connection.call(
        Api::CreateTopics,
        |head| requests::create_topics(head, missing, replication, timeout_ms),
        deadline_ns,
    );
    let address = connection.address().clone();
    let answer = asked.inspect_err(|_| cluster.hang_up(id))?;
    let created = answer
        .body()
        .and_then(|mut body| responses::create_topics(&mut body, answer.version))
        .map_err(|malformed| faults::malformed(&address, malformed))?;
    for topic in &created {
        if let Some(error) = faults::creation(topic.error, missing, &topic.name, topic.message.as_deref()) {
            return Err(error);
        }
        if topic.error == 0 {
            log::info!("created topic {} at {address}", topic.name);
        }
    }
    Ok(())
}
