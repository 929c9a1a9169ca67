//! Writes many records in one request, so that one process can stand for many drivers.

use bytes::{Buf, Bytes, BytesMut};
use floodgate::clock;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse, RequestHeader, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes, encode_request_header_into_buffer};
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, Record,
    RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const PRODUCE: i16 = 0;
const VERSION: i16 = 7;
/// Largest batch, in bytes; brokers accept 1 MiB.
const BATCH_BYTES: usize = 300_000;
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to a cluster of one broker.
pub struct Producer {
    stream: TcpStream,
    prefix: String,
    correlation: i32,
}

impl Producer {
    pub fn connect(kafka: &str, prefix: &str) -> Result<Producer, String> {
        let first = kafka.split(',').next().unwrap_or_default();
        let stream = TcpStream::connect(first).map_err(|e| format!("{first}: {e}"))?;
        let set = stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(PATIENCE)));
        set.map_err(|e| format!("{first}: {e}"))?;
        Ok(Producer { stream, prefix: prefix.to_owned(), correlation: 0 })
    }

    /// Appends all records, each with its key, to partition 0 of a topic.
    pub fn append(&mut self, topic: &str, records: &[(&str, Vec<u8>)]) -> Result<(), String> {
        let mut rest = records;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take_while(|(_, value)| {
                bytes += value.len();
                bytes <= BATCH_BYTES
            });
            let (batch, later) = rest.split_at(fits.count().max(1));
            self.send(topic, batch)?;
            rest = later;
        }
        Ok(())
    }

    fn send(&mut self, topic: &str, records: &[(&str, Vec<u8>)]) -> Result<(), String> {
        let now_ms = clock::wall_ms(clock::now_ns()) as i64;
        let batch: Vec<Record> =
            records.iter().zip(0..).map(|((key, value), i)| record(key, value, i, now_ms)).collect();
        let mut bytes = BytesMut::new();
        let options = RecordEncodeOptions { version: 2, compression: Compression::None };
        RecordBatchEncoder::encode(&mut bytes, &batch, &options).map_err(|e| format!("{e:#}"))?;
        let data = PartitionProduceData::default().with_index(0).with_records(Some(bytes.freeze()));
        let name = TopicName(StrBytes::from_string(format!("{}{topic}", self.prefix)));
        let topic = TopicProduceData::default().with_name(name).with_partition_data(vec![data]);
        let request =
            ProduceRequest::default().with_acks(-1).with_timeout_ms(5_000).with_topic_data(vec![topic]);
        self.correlation += 1;
        let header = RequestHeader::default()
            .with_request_api_key(PRODUCE)
            .with_request_api_version(VERSION)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(StrBytes::from_static_str("bench-fleet")));
        let mut frame = BytesMut::from(&[0; 4][..]);
        encode_request_header_into_buffer(&mut frame, &header).map_err(|e| format!("{e:#}"))?;
        request.encode(&mut frame, VERSION).map_err(|e| format!("{e:#}"))?;
        let length = (frame.len() - 4) as u32;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame).map_err(|e| format!("cannot write to the broker: {e}"))?;
        self.acknowledged()
    }

    fn acknowledged(&mut self) -> Result<(), String> {
        let mut length = [0; 4];
        let failed = |e| format!("no answer from the broker: {e}");
        self.stream.read_exact(&mut length).map_err(failed)?;
        let mut answer = vec![0; u32::from_be_bytes(length).min(1 << 20) as usize];
        self.stream.read_exact(&mut answer).map_err(failed)?;
        let mut answer = Bytes::from(answer);
        if answer.len() < 4 || answer.get_i32() != self.correlation {
            return Err("the broker answered another request".to_owned());
        }
        let response = ProduceResponse::decode(&mut answer, VERSION).map_err(|e| format!("{e:#}"))?;
        let mut partitions = response.responses.iter().flat_map(|topic| &topic.partition_responses);
        match partitions.find(|partition| partition.error_code != 0) {
            Some(partition) => Err(format!("the broker refused a batch: error {}", partition.error_code)),
            None => Ok(()),
        }
    }
}

fn record(key: &str, value: &[u8], offset: i64, now_ms: i64) -> Record {
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        timestamp_type: TimestampType::Creation,
        offset,
        sequence: NO_SEQUENCE + offset as i32,
        timestamp: now_ms,
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        value: Some(Bytes::copy_from_slice(value)),
        headers: Default::default(),
    }
}
