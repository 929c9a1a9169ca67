//! Calls to the crate `kafka`, one attempt each. After any fault the client is dropped and recreated, since
//! it never repairs a broken connection.

use super::super::connection::Connection;
use super::super::context::Context;
use super::super::{faults, partition, versions};
use crate::bus::{Appended, BusError, Record, Topic};
use crate::clock;
use ::kafka::client::{FetchOffset, FetchPartition, KafkaClient, ProduceMessage, RequiredAcks};
use ::kafka::error::{Error, KafkaCode};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Maximum bytes of one partition in one response; a record that does not fit is skipped.
const MAX_BYTES: i32 = 4 << 20;
/// Longest wait of one fetch if several brokers are queried in turn.
const WAIT_OF_SEVERAL: Duration = Duration::from_millis(100);
/// Longest wait of one fetch: the crate's connections time out after two minutes.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A partition.
pub type Key = (Topic, i32);

/// The result of one fetch.
#[derive(Debug, Default)]
pub struct Brought {
    /// The records, in order within each partition.
    pub records: Vec<Record>,
    /// The next offset to read, by partition.
    pub next: BTreeMap<Key, i64>,
    /// Partitions that do not have the requested offset: their first and next offsets.
    pub lost: BTreeMap<Key, (i64, i64)>,
    /// Why a partition could not be read.
    pub fault: Option<BusError>,
}

/// The crate's client; dropped after a fault.
#[derive(Default)]
pub struct Client(Option<KafkaClient>);

impl Client {
    /// Runs one call. After any failure, the next call uses a new client.
    pub fn with<T>(
        &mut self,
        shared: &Context,
        deadline_ns: u64,
        call: impl FnOnce(&mut KafkaClient) -> Result<T, BusError>,
    ) -> Result<T, BusError> {
        let client = match &mut self.0 {
            Some(client) => client,
            none => none.insert(connect(shared, deadline_ns)?),
        };
        let result = call(client);
        if result.is_err() {
            self.0 = None;
        }
        result
    }

    /// Drops the client after a fault that the call did not return as an error.
    pub fn forget(&mut self) {
        self.0 = None;
    }
}

/// Probes the brokers with our own client first: the crate would wait for minutes for a server that is not
/// Kafka, and 4.x brokers just close the connection on its requests.
fn connect(shared: &Context, deadline_ns: u64) -> Result<KafkaClient, BusError> {
    let mut faults = Vec::new();
    let mut hosts = Vec::new();
    for (tried, address) in shared.bootstrap.iter().enumerate() {
        let share = clock::until(deadline_ns) / (shared.bootstrap.len() - tried) as u32;
        let share_ns = clock::now_ns().saturating_add(clock::to_ns(share));
        match Connection::probe(address, &shared.access, share_ns) {
            Ok(Some(broker)) if versions::is_4_or_newer(&broker) => {
                return Err(BusError::Unsupported(format!(
                    "Kafka broker {address} is version 4.0 or newer, which the legacy client does not \
                     support: use --kafka-client modern"
                )));
            }
            Ok(_) => hosts.push(address.to_string()),
            Err(error) if error.is_transient() => faults.push(error.to_string()),
            Err(error) => return Err(error),
        }
    }
    if hosts.is_empty() {
        return Err(BusError::Unavailable(faults.join("; ")));
    }
    let mut client = KafkaClient::new(hosts);
    client.set_client_id(shared.settings.client_id.clone());
    client.set_fetch_min_bytes(1);
    load(&mut client, shared)?;
    Ok(client)
}

/// Loads the metadata of all five topics. This creates missing ones if the cluster allows it.
fn load(client: &mut KafkaClient, shared: &Context) -> Result<(), BusError> {
    let names: Vec<&String> = shared.names.keys().collect();
    client.load_metadata(&names).map_err(|e| in_words("read the topics' metadata", &shared.describe(), &e))
}

/// Checks that all topics exist.
pub fn check_topics(client: &mut KafkaClient, shared: &Context) -> Result<(), BusError> {
    load(client, shared)?;
    let ready = |name: &String| {
        client.topics().partitions(name).is_some_and(|partitions| {
            !partitions.is_empty() && partitions.iter().all(|partition| partition.leader().is_some())
        })
    };
    for (name, topic) in &shared.names {
        shared.warn_of_partitions(*topic, client.topics().partitions(name).map_or(0, |found| found.len()));
    }
    let missing: Vec<&str> = shared.names.keys().filter(|name| !ready(name)).map(String::as_str).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(BusError::Unavailable(format!(
        "topics {} do not exist at {} or have no leader yet; the legacy client cannot create them unless the \
         brokers do so automatically (auto.create.topics.enable): create them with kafka-topics.sh, one \
         partition each",
        missing.join(", "),
        shared.describe()
    )))
}

/// Appends one record.
pub fn publish(
    client: &mut KafkaClient,
    topic: &str,
    key: &str,
    value: &[u8],
    ack_timeout: Duration,
) -> Result<Appended, BusError> {
    let mut partitions: Vec<i32> = client
        .topics()
        .partitions(topic)
        .map(|known| known.iter().map(|p| p.id()).collect())
        .unwrap_or_default();
    partitions.sort_unstable();
    let Some(&partition) = partitions.get(partition::choose(key, partitions.len())) else {
        return Err(BusError::Unavailable(format!("topic {topic} does not exist or was deleted")));
    };
    let key = (!key.is_empty()).then_some(key.as_bytes());
    let message = ProduceMessage::new(topic, partition, key, Some(value));
    let sent_ns = clock::now_ns();
    let confirmed = client.produce_messages(RequiredAcks::All, ack_timeout, [message]);
    let acked_ns = clock::now_ns();
    let confirmed = confirmed.map_err(|e| in_words("append a record", topic, &e))?;
    match confirmed.iter().flat_map(|confirm| &confirm.partition_confirms).next() {
        Some(confirm) => match confirm.offset {
            Ok(_) => Ok(Appended { append_ms: None, sent_ns, acked_ns }),
            Err(code @ (KafkaCode::MessageSizeTooLarge | KafkaCode::RecordListTooLarge)) => {
                let bytes = key.map_or(0, <[u8]>::len) + value.len();
                Err(faults::refused_size(topic, bytes, &format!("{code:?}")))
            }
            Err(code) => Err(of_code("append a record", topic, code)),
        },
        None => Err(BusError::Unavailable(format!("topic {topic}: the broker did not confirm the record"))),
    }
}

/// First or next offsets of a topic's partitions.
pub fn offsets(
    client: &mut KafkaClient,
    topic: &str,
    which: FetchOffset,
) -> Result<BTreeMap<i32, i64>, BusError> {
    let listed =
        client.fetch_topic_offsets(topic, which).map_err(|e| in_words("get the offsets", topic, &e))?;
    Ok(listed.into_iter().map(|listed| (listed.partition, listed.offset)).collect())
}

/// Reads from `positions`, waiting up to `wait` for the first record.
pub fn fetch(
    client: &mut KafkaClient,
    shared: &Context,
    positions: &BTreeMap<Key, i64>,
    wait: Duration,
) -> Result<Brought, BusError> {
    let names: BTreeMap<Topic, String> =
        positions.keys().map(|(topic, _)| (*topic, shared.settings.topic_name(*topic))).collect();
    let known = client.topics();
    let leader = |(topic, partition): &Key| {
        Some(known.partitions(&names[topic])?.partition(*partition)?.leader()?.host().to_string())
    };
    let leaders: BTreeSet<String> = positions.keys().filter_map(leader).collect();
    // The crate silently skips a partition without a leader, and would never look for a new leader.
    let headless = positions.keys().find(|key| leader(key).is_none()).map(|(topic, partition)| {
        BusError::Unavailable(format!("topic {}, partition {partition}, has no leader yet", names[topic]))
    });
    if let Some(fault) = headless.clone().filter(|_| leaders.is_empty()) {
        return Err(fault);
    }
    let wait = if leaders.len() > 1 { WAIT_OF_SEVERAL } else { LONGEST_WAIT }.min(wait);
    client
        .set_fetch_max_wait_time(wait)
        .map_err(|e| in_words("set the maximum wait", &shared.describe(), &e))?;
    let wanted = positions.iter().map(|((topic, partition), offset)| {
        FetchPartition::new(&names[topic], *partition, *offset).with_max_bytes(MAX_BYTES)
    });
    match client.fetch_messages(wanted.collect::<Vec<_>>()) {
        Ok(responses) => {
            let mut brought = gather(client, shared, positions, &responses);
            brought.fault = brought.fault.or(headless);
            Ok(brought)
        }
        Err(error) if is_unreadable(&error) && positions.len() > 1 => one_by_one(client, shared, positions),
        Err(error) if is_unreadable(&error) => Ok(pass_over(shared, positions, &error.to_string())),
        Err(error) => Err(in_words("read records", &shared.describe(), &error)),
    }
}

/// Reads each partition separately: the crate drops a whole response if any part of it is unreadable.
fn one_by_one(
    client: &mut KafkaClient,
    shared: &Context,
    positions: &BTreeMap<Key, i64>,
) -> Result<Brought, BusError> {
    let mut all = Brought::default();
    for (key, next) in positions {
        let brought = fetch(client, shared, &BTreeMap::from([(*key, *next)]), Duration::ZERO)?;
        all.records.extend(brought.records);
        all.next.extend(brought.next);
        all.lost.extend(brought.lost);
        all.fault = all.fault.or(brought.fault);
    }
    Ok(all)
}

fn is_unreadable(error: &Error) -> bool {
    matches!(
        error,
        Error::UnsupportedProtocol
            | Error::UnsupportedCompression
            | Error::UnexpectedEOF
            | Error::CodecError
            | Error::Kafka(KafkaCode::CorruptMessage)
    )
}

fn pass_over(shared: &Context, positions: &BTreeMap<Key, i64>, why: &str) -> Brought {
    let mut brought = Brought::default();
    for (key, next) in positions {
        let name = shared.settings.topic_name(key.0);
        log::warn!("topic {name}, partition {}: skipped offset {next}: {why}", key.1);
        brought.next.insert(*key, next + 1);
    }
    brought
}

fn gather(
    client: &mut KafkaClient,
    shared: &Context,
    positions: &BTreeMap<Key, i64>,
    responses: &[::kafka::client::fetch::Response],
) -> Brought {
    let mut brought = Brought::default();
    for topic in responses.iter().flat_map(|response| response.topics()) {
        let Some(known) = shared.topic_of(topic.topic()) else { continue };
        for part in topic.partitions() {
            let key = (known, part.partition());
            let Some(&from) = positions.get(&key) else { continue };
            let data = match part.data() {
                Ok(data) => data,
                Err(error) => {
                    lost_or_faulty(client, topic.topic(), key, &error, &mut brought);
                    continue;
                }
            };
            let before = brought.records.len();
            brought.records.extend(data.messages().iter().map(|message| Record {
                topic: known,
                partition: key.1,
                offset: message.offset,
                key: String::from_utf8_lossy(message.key).into_owned(),
                value: message.value.to_vec(),
                append_ms: None,
            }));
            let last = brought.records[before..].last().map(|record| record.offset + 1);
            if last.is_none() && data.highwatermark_offset() > from {
                let why = format!("it does not fit into {MAX_BYTES} bytes");
                let skipped = pass_over(shared, &BTreeMap::from([(key, from)]), &why);
                brought.next.extend(skipped.next);
            } else {
                brought.next.insert(key, last.unwrap_or(from));
            }
        }
    }
    brought
}

fn lost_or_faulty(client: &mut KafkaClient, name: &str, key: Key, error: &Error, brought: &mut Brought) {
    if !matches!(error, Error::Kafka(KafkaCode::OffsetOutOfRange)) {
        brought.fault = Some(in_words("read records", name, error));
        return;
    }
    let first = offsets(client, name, FetchOffset::Earliest);
    let end = offsets(client, name, FetchOffset::Latest);
    match (first, end) {
        (Ok(first), Ok(end)) => {
            let first = first.get(&key.1).copied().unwrap_or(0);
            let end = end.get(&key.1).copied().unwrap_or(first).max(first);
            brought.lost.insert(key, (first, end));
        }
        (Err(error), _) | (_, Err(error)) => brought.fault = Some(error),
    }
}

fn in_words(what: &str, whose: &str, error: &Error) -> BusError {
    match error {
        Error::Kafka(code) | Error::TopicPartitionError { error_code: code, .. } => {
            of_code(what, whose, *code)
        }
        other => BusError::Unavailable(format!("could not {what} ({whose}): {other}")),
    }
}

fn of_code(what: &str, whose: &str, code: KafkaCode) -> BusError {
    let text = |fix: &str| format!("could not {what} ({whose}, {code:?}): {fix}");
    match code {
        KafkaCode::TopicAuthorizationFailed | KafkaCode::ClusterAuthorizationFailed => BusError::Rejected(
            text("this client is not authorized; an administrator can allow Read, Write and Describe"),
        ),
        KafkaCode::InvalidTopic => BusError::Rejected(text("check --topic-prefix")),
        KafkaCode::UnsupportedVersion => BusError::Unsupported(text(
            "the broker is too new for the legacy client: use --kafka-client modern",
        )),
        _ => BusError::Unavailable(text("this may be temporary")),
    }
}
