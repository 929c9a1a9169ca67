//! The floor: the minimum that any client must do on the same sockets: epoll, read, write. It parses and
//! measures nothing, and counts answers by their known length. It wakes up for each answer, or rests like
//! floodgate in a closed loop, so that several answers share a wake-up.

use floodgate::clock::{Clock, SystemClock};
use floodgate::driver::coalescing::Coalescing;
use floodgate::http::os::poller::wait_precisely;
use rustix::event::epoll;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// `floor URL CONNECTIONS SECONDS wakes|rests`: prints `requests N seconds S`.
pub fn main(arguments: &[String]) {
    let [url, connections, seconds, manner] = arguments else {
        panic!("floor URL CONNECTIONS SECONDS wakes|rests")
    };
    let rest = url.strip_prefix("http://").expect("an http URL");
    let (authority, path) = rest.split_once('/').expect("a path");
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    let count = connections.parse().expect("a number");
    let seconds = seconds.parse().expect("a number");
    let length = Duration::from_secs(seconds);
    let (requests, took) =
        run(authority, request.as_bytes(), count, length, manner == "rests").expect("a server");
    println!("requests {requests} seconds {}", took.as_secs_f64());
}

#[allow(clippy::disallowed_methods)]
fn run(
    authority: &str,
    request: &[u8],
    count: usize,
    length: Duration,
    rests: bool,
) -> std::io::Result<(u64, Duration)> {
    wait_precisely();
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut connections = Vec::with_capacity(count);
    for index in 0..count {
        let stream = TcpStream::connect(authority)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let flags = epoll::EventFlags::IN;
        epoll::add(&poll, stream.as_fd(), epoll::EventData::new_u64(index as u64), flags)?;
        connections.push(stream);
    }
    for connection in &mut connections {
        connection.write_all(request)?;
    }
    let mut events: Vec<epoll::Event> = Vec::with_capacity(1_024);
    let mut buffer = [0u8; 16_384];
    let (begin, mut requests) = (Instant::now(), 0);
    let mut coalescing = Coalescing::new(SystemClock.now_ns());
    while begin.elapsed() < length {
        events.clear();
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in &events {
            let connection = &mut connections[event.data.u64() as usize];
            match connection.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                // nginx writes these small answers in one piece.
                Ok(_) => {
                    requests += 1;
                    connection.write_all(request)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if rests {
            let rest_ns = coalescing.rest_ns(SystemClock.now_ns(), events.len() as u64, count);
            SystemClock.rest(rest_ns);
        }
    }
    Ok((requests, begin.elapsed()))
}
