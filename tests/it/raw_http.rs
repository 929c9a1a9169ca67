//! A bare HTTP client for tests, which sends exactly the bytes that the test specifies.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// One response as received.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// One connection.
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    pub fn open(addr: SocketAddr) -> Connection {
        let stream = TcpStream::connect_timeout(&addr, Duration::from_secs(5)).expect("connect");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("timeout");
        stream.set_nodelay(true).expect("no delay");
        Connection(BufReader::new(stream))
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).expect("send");
    }

    /// Sends bytes that the server may no longer accept; returns whether they were sent.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.0.get_mut().write_all(bytes).is_ok()
    }

    /// Makes a send fail if the server does not accept it in time.
    pub fn give_up_after(&mut self, timeout: Duration) {
        self.0.get_ref().set_write_timeout(Some(timeout)).expect("timeout");
    }

    /// Closes the sending side.
    pub fn end(&mut self) {
        self.0.get_ref().shutdown(std::net::Shutdown::Write).expect("shutdown");
    }

    /// The raw incoming bytes.
    pub fn stream(&mut self) -> &mut impl Read {
        &mut self.0
    }

    pub fn receive(&mut self) -> Answer {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("status line");
        let status = line.split(' ').nth(1).and_then(|s| s.parse().ok());
        let status = status.unwrap_or_else(|| panic!("status line {line:?}"));
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).expect("header");
            match line.trim_end().split_once(':') {
                Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
                None => break,
            }
        }
        let mut answer = Answer { status, headers, body: String::new() };
        let length = answer.header("Content-Length").and_then(|v| v.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("body");
        answer.body = String::from_utf8(body).expect("text");
        answer
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        self.receive()
    }
}

/// One `GET` on a new connection.
pub fn get(addr: SocketAddr, path: &str) -> Answer {
    Connection::open(addr).get(path)
}

/// One request with a body on a new connection.
pub fn post(addr: SocketAddr, path: &str, body: &str) -> Answer {
    let mut connection = Connection::open(addr);
    let length = body.len();
    connection.send(
        format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}")
            .as_bytes(),
    );
    connection.receive()
}
