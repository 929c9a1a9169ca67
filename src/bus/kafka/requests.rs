//! Writes requests with the codec of `kafka-protocol`.

use super::versions::Api;
use crate::bus::BusError;
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiVersionsRequest, CreateTopicsRequest, FetchRequest, ListOffsetsRequest, MetadataRequest,
    ProduceRequest, RequestHeader, SaslAuthenticateRequest, SaslHandshakeRequest, TopicName,
};
use kafka_protocol::protocol::{Encodable, StrBytes, encode_request_header_into_buffer};
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, Record,
    RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

/// ListOffsets: the offset of the oldest record.
pub const EARLIEST: i64 = -2;
/// ListOffsets: the offset after the newest record.
pub const LATEST: i64 = -1;

/// Metadata: from this version on, a broker says what this client may do (KIP-430).
const RIGHTS_FROM: i16 = 8;
/// Fetch: omit open transactions and list the aborted ones.
const READ_COMMITTED: i8 = 1;
/// Settings of a new topic: append times, and no compression, which would cost the broker and readers time.
const TOPIC_SETTINGS: [(&str, &str); 2] =
    [("message.timestamp.type", "LogAppendTime"), ("compression.type", "uncompressed")];

/// The header of a request.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The request's API.
    pub api: Api,
    /// Its version.
    pub version: i16,
    /// Returned with the response.
    pub correlation: i32,
    /// Identifies this client.
    pub client_id: &'a str,
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_string())
}

fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

/// Length, header and body, ready to be sent.
fn framed(head: Head<'_>, body: &impl Encodable) -> Result<BytesMut, BusError> {
    let failed = |e| BusError::Rejected(format!("the {:?} request cannot be written: {e:#}", head.api));
    let header = RequestHeader::default()
        .with_request_api_key(head.api.key())
        .with_request_api_version(head.version)
        .with_correlation_id(head.correlation)
        .with_client_id(Some(text(head.client_id)));
    let mut frame = BytesMut::from(&[0; 4][..]);
    encode_request_header_into_buffer(&mut frame, &header).map_err(failed)?;
    body.encode(&mut frame, head.version).map_err(failed)?;
    let length = (frame.len() - 4) as u32;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

/// Asks for the broker's supported versions.
pub fn api_versions(head: Head<'_>) -> Result<BytesMut, BusError> {
    let mut request = ApiVersionsRequest::default();
    if head.version >= 3 {
        request = request
            .with_client_software_name(StrBytes::from_static_str("floodgate"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
    }
    framed(head, &request)
}

/// Chooses how to log in.
pub fn sasl_handshake(head: Head<'_>, mechanism: &str) -> Result<BytesMut, BusError> {
    framed(head, &SaslHandshakeRequest::default().with_mechanism(text(mechanism)))
}

/// One message of a login.
pub fn sasl_authenticate(head: Head<'_>, message: &[u8]) -> Result<BytesMut, BusError> {
    framed(head, &SaslAuthenticateRequest::default().with_auth_bytes(Bytes::copy_from_slice(message)))
}

/// Asks for the brokers, and for these topics' leaders and our rights, without creating topics.
pub fn metadata(head: Head<'_>, topics: &[String]) -> Result<BytesMut, BusError> {
    let topics =
        topics.iter().map(|name| MetadataRequestTopic::default().with_name(Some(topic(name)))).collect();
    let request = MetadataRequest::default()
        .with_topics(Some(topics))
        .with_allow_auto_topic_creation(false)
        .with_include_topic_authorized_operations(head.version >= RIGHTS_FROM);
    framed(head, &request)
}

/// Creates topics with one partition and [`TOPIC_SETTINGS`]. From version 4 on, a replication factor of -1
/// means the cluster's default.
pub fn create_topics(
    head: Head<'_>,
    names: &[String],
    replication: i16,
    timeout_ms: i32,
) -> Result<BytesMut, BusError> {
    let configs = TOPIC_SETTINGS.map(|(name, value)| {
        CreatableTopicConfig::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(Some(StrBytes::from_static_str(value)))
    });
    let new = |name: &String| {
        CreatableTopic::default()
            .with_name(topic(name))
            .with_num_partitions(1)
            .with_replication_factor(replication)
            .with_configs(configs.to_vec())
    };
    let request = CreateTopicsRequest::default()
        .with_topics(names.iter().map(new).collect())
        .with_timeout_ms(timeout_ms);
    framed(head, &request)
}

/// A record to publish.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The topic's full name.
    pub topic: &'a str,
    /// The partition that its key belongs to.
    pub partition: i32,
    /// Its key; an empty one is sent as no key.
    pub key: &'a str,
    /// Its value.
    pub value: &'a [u8],
    /// Our wall clock, in ms since 1970; topics with LogAppendTime replace it.
    pub now_ms: i64,
}

/// Appends one record, acknowledged by all in-sync replicas.
pub fn produce(head: Head<'_>, record: Outgoing<'_>, timeout_ms: i32) -> Result<BytesMut, BusError> {
    let partition =
        PartitionProduceData::default().with_index(record.partition).with_records(Some(batch(record)?));
    let topic_data =
        TopicProduceData::default().with_name(topic(record.topic)).with_partition_data(vec![partition]);
    let request =
        ProduceRequest::default().with_acks(-1).with_timeout_ms(timeout_ms).with_topic_data(vec![topic_data]);
    framed(head, &request)
}

/// Size of this record's batch, as `max.message.bytes` counts it.
pub fn batch_bytes(record: Outgoing<'_>) -> usize {
    batch(record).map_or(record.value.len(), |batch| batch.len())
}

/// A batch of one record, uncompressed.
fn batch(record: Outgoing<'_>) -> Result<Bytes, BusError> {
    let key = (!record.key.is_empty()).then(|| Bytes::copy_from_slice(record.key.as_bytes()));
    let record = Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence: NO_SEQUENCE,
        timestamp: record.now_ms,
        key,
        value: Some(Bytes::copy_from_slice(record.value)),
        headers: Default::default(),
    };
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut bytes, [&record], &options)
        .map_err(|e| BusError::Rejected(format!("the record cannot be written: {e:#}")))?;
    Ok(bytes.freeze())
}

/// Asks for the first ([`EARLIEST`]) or next ([`LATEST`]) offsets of partitions of one topic, or for those of
/// the first records of a time in ms since 1970 or later.
pub fn list_offsets(
    head: Head<'_>,
    name: &str,
    partitions: &[i32],
    which: i64,
) -> Result<BytesMut, BusError> {
    let asked = |partition: &i32| {
        ListOffsetsPartition::default().with_partition_index(*partition).with_timestamp(which)
    };
    let topic = ListOffsetsTopic::default()
        .with_name(topic(name))
        .with_partitions(partitions.iter().map(asked).collect());
    framed(head, &ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]))
}

/// Limits on the wait and on the size of the response.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimits {
    /// The broker answers after this time, with or without records.
    pub max_wait_ms: i32,
    /// Maximum bytes of records in the whole response; a larger first batch is still sent.
    pub max_bytes: i32,
    /// The same limit for one partition.
    pub partition_max_bytes: i32,
}

/// Asks for records: (topic's full name, partition, offset), in the order the broker should serve them.
pub fn fetch(
    head: Head<'_>,
    wanted: &[(String, i32, i64)],
    limits: FetchLimits,
) -> Result<BytesMut, BusError> {
    let mut topics: Vec<FetchTopic> = Vec::new();
    for (name, partition, offset) in wanted {
        let partition = FetchPartition::default()
            .with_partition(*partition)
            .with_fetch_offset(*offset)
            .with_partition_max_bytes(limits.partition_max_bytes);
        match topics.last_mut() {
            Some(last) if *last.topic == **name => last.partitions.push(partition),
            _ => topics.push(FetchTopic::default().with_topic(topic(name)).with_partitions(vec![partition])),
        }
    }
    let request = FetchRequest::default()
        .with_replica_id((-1).into())
        .with_max_wait_ms(limits.max_wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(limits.max_bytes)
        .with_isolation_level(READ_COMMITTED)
        .with_topics(topics);
    framed(head, &request)
}
