//! A fake Kafka 0.11 broker, for faults that a real one does not show on demand. It uses the oldest protocol
//! versions, which are the easiest to write.

use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A received request.
pub struct Request {
    /// Its API key.
    pub api: u8,
    /// All its bytes.
    pub bytes: Vec<u8>,
}

impl Request {
    /// Whether it names this topic.
    pub fn names(&self, topic: &str) -> bool {
        self.bytes.windows(topic.len()).any(|window| window == topic.as_bytes())
    }

    /// Whether its last bytes are these.
    pub fn ends_with(&self, bytes: &[u8]) -> bool {
        self.bytes.ends_with(bytes)
    }
}

/// The broker's reaction to a request.
pub enum Reply {
    /// Answers with this body.
    Body(Vec<u8>),
    /// Closes the connection.
    Close,
    /// Does not answer.
    Silence,
}

type Script = Arc<Mutex<dyn FnMut(&Request) -> Reply + Send>>;

/// A listening socket whose script is set later, since scripts refer to each other's ports.
pub struct FakeBroker {
    listener: TcpListener,
}

impl FakeBroker {
    /// Takes a free port.
    pub fn new() -> Self {
        FakeBroker { listener: TcpListener::bind("127.0.0.1:0").expect("a free port") }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.listener.local_addr().expect("an address").port()
    }

    /// Serves until the test process ends. ApiVersions is answered without the script.
    pub fn serve(self, script: impl FnMut(&Request) -> Reply + Send + 'static) -> String {
        let address = format!("127.0.0.1:{}", self.port());
        let script: Script = Arc::new(Mutex::new(script));
        thread::spawn(move || {
            for client in self.listener.incoming().flatten() {
                let script = Arc::clone(&script);
                thread::spawn(move || converse(client, &script));
            }
        });
        address
    }
}

fn converse(mut client: TcpStream, script: &Script) {
    while let Some(request) = read_frame(&mut client) {
        let (api, version) = (request[1], request[3]);
        let reply = match (api, version) {
            (18, 2..) => Reply::Body(api_versions(35, &[])),
            (18, _) => {
                Reply::Body(api_versions(0, &[(3, 0, 4), (19, 0, 2), (0, 0, 3), (2, 0, 1), (1, 0, 4)]))
            }
            _ => script.lock().expect("the script")(&Request { api, bytes: request.clone() }),
        };
        match reply {
            Reply::Body(body) => {
                let answer = [&request[4..8], &body].concat();
                if write_frame(&mut client, &answer).is_err() {
                    return;
                }
            }
            Reply::Close => return,
            Reply::Silence => {}
        }
    }
}

/// Reads one frame without its length; `None` if the connection is closed.
pub fn read_frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut frame).ok()?;
    Some(frame)
}

/// Writes one frame with its length.
pub fn write_frame(stream: &mut TcpStream, frame: &[u8]) -> std::io::Result<()> {
    stream.write_all(&[&(frame.len() as u32).to_be_bytes(), frame].concat())
}

/// Body of an ApiVersions response, version 0.
pub fn api_versions(error: i16, apis: &[(i16, i16, i16)]) -> Vec<u8> {
    let mut body = error.to_be_bytes().to_vec();
    body.extend((apis.len() as u32).to_be_bytes());
    for (key, lowest, highest) in apis {
        body.extend([key.to_be_bytes(), lowest.to_be_bytes(), highest.to_be_bytes()].concat());
    }
    body
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}

/// Body of a Metadata response, version 4: brokers as (id, host, port), topics as (name, leader or -1) with
/// one partition each.
pub fn metadata(brokers: &[(i32, &str, u16)], topics: &[(&str, i32)]) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend((brokers.len() as u32).to_be_bytes());
    for (id, host, port) in brokers {
        body.extend(id.to_be_bytes());
        body.extend(string(host));
        body.extend(u32::from(*port).to_be_bytes());
        body.extend([0xff, 0xff]);
    }
    body.extend([0xff, 0xff]);
    body.extend(1i32.to_be_bytes());
    body.extend((topics.len() as u32).to_be_bytes());
    for (topic, leader) in topics {
        body.extend([0, 0]);
        body.extend(string(topic));
        body.extend([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        body.extend(leader.to_be_bytes());
        body.extend([0; 8]);
    }
    body
}

/// The same if none of the topics exists.
pub fn unknown_topics(brokers: &[(i32, &str, u16)], topics: &[(&str, i32)]) -> Vec<u8> {
    let mut body = metadata(brokers, &[]);
    let count_at = body.len() - 4;
    body[count_at..].copy_from_slice(&(topics.len() as u32).to_be_bytes());
    for (topic, _) in topics {
        body.extend([0, 3]);
        body.extend(string(topic));
        body.extend([0; 5]);
    }
    body
}

/// Body of a CreateTopics response, version 2, for one topic.
pub fn created(topic: &str, error: i16, message: &str) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 0, 0, 0, 0, 1];
    body.extend(string(topic));
    body.extend(error.to_be_bytes());
    body.extend(string(message));
    body
}

/// Body of a Produce response, version 3.
pub fn produced(topic: &str, error: i16) -> Vec<u8> {
    let mut body = 1u32.to_be_bytes().to_vec();
    body.extend(string(topic));
    body.extend([0, 0, 0, 1, 0, 0, 0, 0]);
    body.extend(error.to_be_bytes());
    body.extend(7i64.to_be_bytes());
    body.extend(1_234i64.to_be_bytes());
    body.extend([0; 4]);
    body
}

/// Body of a ListOffsets response, version 1.
pub fn listed_offset(topic: &str, offset: i64) -> Vec<u8> {
    let mut body = 1u32.to_be_bytes().to_vec();
    body.extend(string(topic));
    body.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    body.extend((-1i64).to_be_bytes());
    body.extend(offset.to_be_bytes());
    body
}

/// A stored batch of one record.
pub fn batch(offset: i64, value: &'static [u8]) -> Vec<u8> {
    let record = Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 0,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset,
        sequence: -1,
        timestamp: 0,
        key: None,
        value: Some(Bytes::from_static(value)),
        headers: Default::default(),
    };
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut bytes, [&record], &options).expect("a batch");
    bytes.to_vec()
}

/// Body of a Fetch response, version 4, for one partition.
pub fn fetched(topic: &str, error: i16, batches: &[u8]) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend(1u32.to_be_bytes());
    body.extend(string(topic));
    body.extend([0, 0, 0, 1, 0, 0, 0, 0]);
    body.extend(error.to_be_bytes());
    body.extend([0; 16]);
    body.extend([0xff; 4]);
    body.extend((batches.len() as u32).to_be_bytes());
    body.extend(batches);
    body
}
