//! A scripted peer on a loopback socket, for unit tests of sockets. It speaks the oldest versions of the
//! protocol, which are the easiest to write.

use super::settings::Address;
use super::versions::Api;
use crate::clock;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// One connection of a client, and how long each answer to it takes.
pub struct Client(TcpStream, Duration);

/// The head of a request.
pub struct Request {
    /// The API key.
    pub api: i16,
    /// The version.
    pub version: i16,
    /// Number of the request.
    pub correlation: [u8; 4],
}

/// A free port.
pub fn listener() -> (TcpListener, Address) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    (listener, Address { host: "127.0.0.1".to_owned(), port })
}

/// Serves one client after the other, each with `script`, until the test process ends.
pub fn serve(listener: TcpListener, script: impl FnMut(Client) + Send + 'static) {
    serve_after(Duration::ZERO, listener, script);
}

/// Like [`serve`], but each answer takes `delay`, as over a long distance.
pub fn serve_after(delay: Duration, listener: TcpListener, mut script: impl FnMut(Client) + Send + 'static) {
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            script(Client(client, delay));
        }
    });
}

/// A peer that serves each client with `script`.
pub fn peer(script: impl FnMut(Client) + Send + 'static) -> Address {
    let (listener, address) = listener();
    serve(listener, script);
    address
}

impl Client {
    /// The next request; `None` if the client closed the connection.
    pub fn request(&mut self) -> Option<Request> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).ok()?;
        let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut bytes).ok()?;
        let number = |at: usize| i16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let correlation = [bytes[4], bytes[5], bytes[6], bytes[7]];
        Some(Request { api: number(0), version: number(2), correlation })
    }

    /// Answers the first requests, for versions, as a broker with our lowest versions. Returns the next one.
    pub fn agree(&mut self) -> Option<Request> {
        loop {
            let request = self.request()?;
            if request.api != Api::Versions.key() {
                return Some(request);
            }
            match request.version {
                0 => self.answer(&request, &lowest_versions()),
                // An older broker: error 35 in version 0, without versions.
                _ => self.answer(&request, &[0, 35, 0, 0, 0, 0]),
            }
        }
    }

    /// Answers `request` with this body.
    pub fn answer(&mut self, request: &Request, body: &[u8]) {
        self.write(&frame(request.correlation, body), usize::MAX);
    }

    /// Sends these bytes in pieces, each in its own packet.
    pub fn write(&mut self, bytes: &[u8], piece: usize) {
        let _ = self.0.set_nodelay(true);
        clock::sleep(self.1);
        for piece in bytes.chunks(piece) {
            if self.0.write_all(piece).is_err() {
                return;
            }
            if piece.len() < bytes.len() {
                clock::sleep(Duration::from_millis(2));
            }
        }
    }
}

/// A response with the old header.
pub fn frame(correlation: [u8; 4], body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 4).to_be_bytes(), &correlation[..], body].concat()
}

/// Body of an ApiVersions response, version 0.
fn lowest_versions() -> Vec<u8> {
    let apis = [
        Api::Metadata,
        Api::CreateTopics,
        Api::Produce,
        Api::ListOffsets,
        Api::Fetch,
        Api::SaslHandshake,
        Api::SaslAuthenticate,
    ];
    let mut body = [&0i16.to_be_bytes()[..], &(apis.len() as u32).to_be_bytes()].concat();
    for api in apis {
        body.extend([api.key(), 0, *api.ours().start()].map(i16::to_be_bytes).concat());
    }
    body
}

/// Body of a Metadata response, version 4: brokers by id, topics as (name, leader) with one partition each.
pub fn metadata(brokers: &[(i32, Address)], topics: &[(&str, i32)]) -> Vec<u8> {
    let string = |text: &str| [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat();
    let mut body = vec![0; 4];
    body.extend((brokers.len() as u32).to_be_bytes());
    for (id, address) in brokers {
        body.extend(id.to_be_bytes());
        body.extend(string(&address.host));
        body.extend(u32::from(address.port).to_be_bytes());
        body.extend([0xff, 0xff]); // rack
    }
    body.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]); // cluster id, controller
    body.extend((topics.len() as u32).to_be_bytes());
    for (topic, leader) in topics {
        body.extend([0, 0]);
        body.extend(string(topic));
        body.extend([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]); // one partition without an error, number 0
        body.extend(leader.to_be_bytes());
        body.extend([0; 8]); // replicas
    }
    body
}
