//! Parses responses, in every version that [`super::versions`] may agree on.
//!
//! Layouts: <https://kafka.apache.org/protocol.html#protocol_messages>

use super::transactions::Aborted;
use super::versions::{Api, BrokerVersions};
use super::wire::{Malformed, Reader};

/// The cluster as one broker sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Id, host and port of each broker.
    pub brokers: Vec<(i32, String, i32)>,
    /// The broker that creates topics; -1 if none.
    pub controller: i32,
    /// The requested topics.
    pub topics: Vec<TopicMetadata>,
}

/// Distinguishes a topic from an earlier one of the same name.
pub type TopicId = [u8; 16];

/// One topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicMetadata {
    /// 0, or why it is not described.
    pub error: i16,
    /// Its full name.
    pub name: String,
    /// Its id; `None` from a broker older than 2.8.
    pub id: Option<TopicId>,
    /// What the cluster allows this client, one bit per operation; `i32::MIN` from a broker older than 2.3.
    pub rights: i32,
    /// Each partition and the broker that leads it, -1 for none.
    pub leaders: Vec<(i32, i32)>,
}

/// The result of creating one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its full name.
    pub name: String,
    /// 0, or why it was not created.
    pub error: i16,
    /// The broker's error message.
    pub message: Option<String>,
}

/// The result of appending one record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Produced {
    /// 0, or why it was not appended.
    pub error: i16,
    /// When it was appended, in ms since 1970; -1 if the topic does not store that.
    pub append_ms: i64,
    /// The broker's error message.
    pub message: Option<String>,
}

/// One partition's first or next offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedOffset {
    /// The partition.
    pub partition: i32,
    /// 0, or why the offset is unknown.
    pub error: i16,
    /// The offset; -1 if no record has the requested time or a later one.
    pub offset: i64,
}

/// The data read from one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedPartition<'a> {
    /// The topic's full name.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// 0, or why it was not read.
    pub error: i16,
    /// The aborted transactions in the batches.
    pub aborted: Vec<Aborted>,
    /// Record batches; the last one may be incomplete.
    pub batches: &'a [u8],
    /// Whether all announced bytes are present.
    pub whole: bool,
}

/// The response's correlation id and body.
pub fn body(api: Api, version: i16, bytes: &[u8]) -> Result<(i32, Reader<'_>), Malformed> {
    let flexible = version >= api.flexible_from();
    let mut reader = Reader::new(bytes, flexible);
    let correlation = reader.i32()?;
    // The response to ApiVersions always has the old header, so that a client can read it even if the broker
    // does not know the requested version.
    if api != Api::Versions {
        reader.tags()?;
    }
    Ok((correlation, reader))
}

/// The error code, and the broker's versions as (key, lowest, highest).
pub fn api_versions(reader: &mut Reader<'_>) -> Result<(i16, BrokerVersions), Malformed> {
    let error = reader.i16()?;
    let apis = reader.list(|reader| {
        let api = (reader.i16()?, reader.i16()?, reader.i16()?);
        reader.tags()?;
        Ok(api)
    })?;
    Ok((error, apis))
}

/// The answer to one message of a login. It has no `Debug`, since its bytes belong to the login.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Authenticated {
    /// 0, or why the login is refused.
    pub error: i16,
    /// The broker's error message.
    pub message: Option<String>,
    /// The broker's message of the login.
    pub bytes: Vec<u8>,
    /// How long the session lasts, in ms; 0 without a limit.
    pub lifetime_ms: i64,
}

/// Version 1: the error code, and the mechanisms that the broker offers.
pub fn sasl_handshake(reader: &mut Reader<'_>) -> Result<(i16, Vec<String>), Malformed> {
    Ok((reader.i16()?, reader.list(Reader::string)?))
}

/// Versions 0 to 2.
pub fn sasl_authenticate(reader: &mut Reader<'_>, version: i16) -> Result<Authenticated, Malformed> {
    let (error, message) = (reader.i16()?, reader.nullable_string()?);
    let (bytes, whole) = reader.bytes_as_far_as_there()?;
    if !whole {
        return Err(Malformed("the response is truncated"));
    }
    let lifetime_ms = if version >= 1 { reader.i64()? } else { 0 };
    Ok(Authenticated { error, message, bytes: bytes.to_vec(), lifetime_ms })
}

/// How long the broker will not read our next request, in ms: 0 from brokers before 2.0, which wait before
/// they answer (KIP-219).
pub fn throttle_ms(api: Api, version: i16, reader: &mut Reader<'_>) -> Result<i32, Malformed> {
    match (api, version) {
        (Api::Metadata, 6..) | (Api::CreateTopics | Api::ListOffsets, 3..) | (Api::Fetch, 8..) => {
            reader.i32()
        }
        (Api::Produce, 6..) => {
            produce(reader, version)?;
            reader.i32()
        }
        _ => Ok(0),
    }
}

/// Versions 4 to 10.
pub fn metadata(reader: &mut Reader<'_>, version: i16) -> Result<Metadata, Malformed> {
    reader.i32()?; // throttle time
    let brokers = reader.list(|reader| {
        let broker = (reader.i32()?, reader.string()?, reader.i32()?);
        reader.nullable_string()?; // rack
        reader.tags()?;
        Ok(broker)
    })?;
    reader.nullable_string()?; // cluster id
    let controller = reader.i32()?;
    let topics = reader.list(|reader| topic_metadata(reader, version))?;
    Ok(Metadata { brokers, controller, topics })
}

fn topic_metadata(reader: &mut Reader<'_>, version: i16) -> Result<TopicMetadata, Malformed> {
    let error = reader.i16()?;
    let name = reader.string()?;
    let mut id = None;
    if version >= 10 {
        // All zeros mean that the cluster has no ids.
        id = TopicId::try_from(reader.take(16)?).ok().filter(|id| *id != [0; 16]);
    }
    reader.i8()?; // internal or not
    let leaders = reader.list(|reader| {
        reader.i16()?; // error; the leader is -1 as well if absent
        let partition = (reader.i32()?, reader.i32()?);
        if version >= 7 {
            reader.i32()?; // leader epoch
        }
        reader.list(Reader::i32)?; // replicas
        reader.list(Reader::i32)?; // in-sync replicas
        if version >= 5 {
            reader.list(Reader::i32)?; // offline replicas
        }
        reader.tags()?;
        Ok(partition)
    })?;
    let rights = if version >= 8 { reader.i32()? } else { i32::MIN };
    reader.tags()?;
    Ok(TopicMetadata { error, name, id, rights, leaders })
}

/// Versions 2 to 5.
pub fn create_topics(reader: &mut Reader<'_>, version: i16) -> Result<Vec<CreatedTopic>, Malformed> {
    reader.i32()?; // throttle time
    reader.list(|reader| {
        let name = reader.string()?;
        let error = reader.i16()?;
        let message = reader.nullable_string()?;
        if version >= 5 {
            reader.i32()?; // partitions
            reader.i16()?; // replication factor
            reader.list(|reader| {
                reader.string()?; // name of a setting
                reader.nullable_string()?; // its value
                reader.take(3)?; // read-only, source, sensitive
                reader.tags()
            })?;
        }
        reader.tags()?;
        Ok(CreatedTopic { name, error, message })
    })
}

/// Versions 3 to 9; the response to a request with one record.
pub fn produce(reader: &mut Reader<'_>, version: i16) -> Result<Produced, Malformed> {
    let topics = reader.list(|reader| {
        reader.string()?; // topic
        let partitions = reader.list(|reader| produced_partition(reader, version))?;
        reader.tags()?;
        Ok(partitions)
    })?;
    topics.into_iter().flatten().next().ok_or(Malformed("the response contains no partition"))
}

fn produced_partition(reader: &mut Reader<'_>, version: i16) -> Result<Produced, Malformed> {
    reader.i32()?; // partition
    let error = reader.i16()?;
    reader.i64()?; // offset
    let append_ms = reader.i64()?;
    if version >= 5 {
        reader.i64()?; // oldest offset
    }
    let mut message = None;
    if version >= 8 {
        let details = reader.list(|reader| {
            reader.i32()?; // index in the batch
            let message = reader.nullable_string()?;
            reader.tags()?;
            Ok(message)
        })?;
        message = reader.nullable_string()?.or(details.into_iter().flatten().next());
    }
    reader.tags()?;
    Ok(Produced { error, append_ms, message })
}

/// Versions 1 to 6; the response for partitions of one topic.
pub fn list_offsets(reader: &mut Reader<'_>, version: i16) -> Result<Vec<ListedOffset>, Malformed> {
    if version >= 2 {
        reader.i32()?; // throttle time
    }
    let topics = reader.list(|reader| {
        reader.string()?; // topic
        let partitions = reader.list(|reader| {
            let partition = reader.i32()?;
            let error = reader.i16()?;
            reader.i64()?; // timestamp
            let offset = reader.i64()?;
            if version >= 4 {
                reader.i32()?; // leader epoch
            }
            reader.tags()?;
            Ok(ListedOffset { partition, error, offset })
        })?;
        reader.tags()?;
        Ok(partitions)
    })?;
    Ok(topics.into_iter().flatten().collect())
}

/// Versions 4 to 12. If the response was `cut` short, returns the partitions that are present.
pub fn fetch<'a>(
    reader: &mut Reader<'a>,
    version: i16,
    cut: bool,
) -> Result<(i16, Vec<FetchedPartition<'a>>), Malformed> {
    reader.i32()?; // throttle time
    let mut error = 0;
    if version >= 7 {
        error = reader.i16()?;
        reader.i32()?; // fetch session
    }
    let mut fetched = Vec::new();
    let walked = reader.list(|reader| {
        let topic = reader.string()?;
        reader.list(|reader| {
            fetched.push(fetched_partition(reader, version, &topic)?);
            reader.tags()
        })?;
        reader.tags()
    });
    match walked {
        Err(_) if cut && !fetched.is_empty() => Ok((error, fetched)),
        Err(malformed) => Err(malformed),
        Ok(_) => Ok((error, fetched)),
    }
}

fn fetched_partition<'a>(
    reader: &mut Reader<'a>,
    version: i16,
    topic: &str,
) -> Result<FetchedPartition<'a>, Malformed> {
    let partition = reader.i32()?;
    let error = reader.i16()?;
    reader.i64()?; // next offset
    reader.i64()?; // last stable offset
    if version >= 5 {
        reader.i64()?; // oldest offset
    }
    let aborted = reader.list(|reader| {
        let aborted = Aborted { producer: reader.i64()?, first_offset: reader.i64()? };
        reader.tags()?;
        Ok(aborted)
    })?;
    if version >= 11 {
        reader.i32()?; // preferred replica
    }
    let (batches, whole) = reader.bytes_as_far_as_there()?;
    Ok(FetchedPartition { topic: topic.to_string(), partition, error, aborted, batches, whole })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_produce_response_is_parsed() {
        // Version 9: one topic "t", partition 0, no error, offset 5, appended at 1000, oldest 0, no details,
        // no message, no tags; then throttle time and tags.
        let mut bytes = vec![0, 0, 0, 7, 0, 2, 2, b't', 2, 0, 0, 0, 0, 0, 0];
        bytes.extend(5i64.to_be_bytes());
        bytes.extend(1_000i64.to_be_bytes());
        bytes.extend(0i64.to_be_bytes());
        bytes.extend([1, 0, 0, 0, 0, 0, 0, 0, 0]);
        let (correlation, mut reader) = body(Api::Produce, 9, &bytes).unwrap();
        assert_eq!(correlation, 7);
        assert_eq!(produce(&mut reader, 9).unwrap(), Produced { error: 0, append_ms: 1_000, message: None });
    }

    #[test]
    fn the_wait_that_a_broker_asks_for_is_found() {
        let at =
            |api, version, bytes: &[u8]| throttle_ms(api, version, &mut Reader::new(bytes, version >= 9));
        for (api, from) in
            [(Api::Metadata, 6), (Api::CreateTopics, 3), (Api::ListOffsets, 3), (Api::Fetch, 8)]
        {
            assert_eq!(at(api, from, &[0, 0, 1, 2, 9]), Ok(258), "{api:?}");
            assert_eq!(at(api, from - 1, &[0, 0, 1, 2, 9]), Ok(0), "the broker has waited: {api:?}");
        }
        // Version 6: one topic "t", partition 0, no error, three numbers; then the wait.
        let produced = [&[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &[0; 24]].concat();
        let bytes = [&produced[..], &[0, 0, 1, 2]].concat();
        assert_eq!(at(Api::Produce, 6, &bytes), Ok(258));
        assert_eq!(at(Api::Produce, 5, &bytes), Ok(0));
        assert!(at(Api::Produce, 6, &produced).is_err());
        assert_eq!(at(Api::SaslAuthenticate, 2, &[0, 0, 1, 2]), Ok(0));
    }

    #[test]
    fn a_cut_fetch_response_yields_what_is_present() {
        // Version 4: throttle, one topic "t", two partitions; the first announces 100 bytes and has 3.
        let mut bytes = vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 2, 0, 0, 0, 3, 0, 0];
        bytes.extend([0; 16]);
        bytes.extend([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 100, 1, 2, 3]);
        let mut reader = Reader::new(&bytes, false);
        assert!(fetch(&mut reader.clone(), 4, false).is_err());
        let (error, fetched) = fetch(&mut reader, 4, true).unwrap();
        assert_eq!((error, fetched.len()), (0, 1));
        assert_eq!(
            (fetched[0].partition, fetched[0].batches, fetched[0].whole),
            (3, &[1u8, 2, 3][..], false)
        );
    }

    proptest! {
        #[test]
        fn malformed_responses_never_panic(bytes: Vec<u8>, version in 0i16..13, cut: bool) {
            let apis =
                [Api::Versions, Api::Metadata, Api::CreateTopics, Api::Produce, Api::ListOffsets, Api::Fetch];
            for api in apis {
                let Ok((_, reader)) = body(api, version, &bytes) else { continue };
                let _ = api_versions(&mut reader.clone());
                let _ = metadata(&mut reader.clone(), version);
                let _ = create_topics(&mut reader.clone(), version);
                let _ = produce(&mut reader.clone(), version);
                let _ = list_offsets(&mut reader.clone(), version);
                let _ = fetch(&mut reader.clone(), version, cut);
            }
        }
    }
}
