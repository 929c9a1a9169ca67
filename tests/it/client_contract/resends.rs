//! Servers that close connections in different ways, and how often each request reaches them.
//!
//! A request is resent only if the server cannot have read it. So no server reads more requests than were
//! sent, and a server that reads everything has read exactly as many.

use super::harness::{Factory, client, exchange, settings};
use floodgate::clock::{self, NS_PER_MS};
use floodgate::http::Client;
use floodgate::http::os::listener::reset_on_drop;
use floodgate::plan::request::Request;
use floodgate::stats::outcome::{ErrorKind, Outcome};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const REQUESTS: u64 = 300;
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// One connection of such a server.
struct Peer {
    number: u64,
    tcp: TcpStream,
    read: Arc<AtomicU64>,
}

impl Peer {
    /// Reads one request and counts it; false if none arrived.
    fn reads(&mut self) -> bool {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match self.tcp.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return false,
            }
        }
        self.read.fetch_add(1, SeqCst);
        true
    }

    fn answers(&mut self) -> bool {
        self.reads() && self.tcp.write_all(OK).is_ok()
    }
}

/// A server whose connections close as soon as their script returns.
struct Closer {
    url: String,
    read: Arc<AtomicU64>,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Closer {
    fn start(script: fn(&mut Peer)) -> Closer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (read, ending) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (counter, end) = (Arc::clone(&read), Arc::clone(&ending));
        let thread = thread::spawn(move || {
            let mut peers = Vec::new();
            for (number, tcp) in (0..).zip(listener.incoming().flatten()) {
                if end.load(SeqCst) {
                    break;
                }
                tcp.set_nodelay(true).unwrap();
                tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                let mut peer = Peer { number, tcp, read: Arc::clone(&counter) };
                peers.push(thread::spawn(move || script(&mut peer)));
            }
            peers.into_iter().for_each(|peer| peer.join().unwrap());
        });
        Closer { url, read, ending, thread: Some(thread) }
    }

    fn client<F: Factory>(&self, method: &str) -> F::Client {
        client::<F>(Request::new(method, &self.url, &[], Vec::new()).unwrap(), settings())
    }

    fn read(&self) -> u64 {
        self.read.load(SeqCst)
    }
}

impl Drop for Closer {
    fn drop(&mut self) {
        self.ending.store(true, SeqCst);
        let _ = TcpStream::connect(self.url.trim_start_matches("http://").trim_end_matches('/'));
        let joined = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || joined.is_some_and(|end| end.is_ok()));
    }
}

/// The outcomes of the requests.
#[derive(Debug)]
struct Figures {
    responses: u64,
    closed: u64,
    resent: u64,
    read: u64,
}

/// Sends [`REQUESTS`] requests with a pause after each, and checks what holds for every server.
fn run<F: Factory>(script: fn(&mut Peer), pause: fn(u64) -> u64) -> Figures {
    let server = Closer::start(script);
    let mut client = server.client::<F>("GET");
    let mut figures = Figures { responses: 0, closed: 0, resent: 0, read: 0 };
    for number in 0..REQUESTS {
        let completion = exchange(&mut client);
        match completion.outcome {
            Outcome::Status(200) => figures.responses += 1,
            Outcome::Error(ErrorKind::Closed) => figures.closed += 1,
            other => panic!("{other:?}"),
        }
        figures.resent += u64::from(completion.resent);
        let pause_ns = pause(number);
        if pause_ns > 0 {
            client.poll(clock::now_ns() + pause_ns, |_| panic!("nothing is in flight"));
        }
    }
    drop(client);
    figures.read = server.read();
    assert_eq!(figures.responses + figures.closed, REQUESTS, "{figures:?}");
    assert!((figures.responses..=REQUESTS).contains(&figures.read), "{figures:?}");
    figures
}

fn no_pause(_: u64) -> u64 {
    0
}

pub fn destroyed_after_processing<F: Factory>() {
    let script = |peer: &mut Peer| {
        (0..4).all(|_| peer.answers());
        peer.reads();
    };
    let figures = run::<F>(script, no_pause);
    assert_eq!((figures.read, figures.closed, figures.resent), (REQUESTS, REQUESTS / 5, 0));
}

pub fn reset_after_processing<F: Factory>() {
    let script = |peer: &mut Peer| {
        (0..4).all(|_| peer.answers());
        peer.reads();
        reset_on_drop(&peer.tcp);
    };
    let figures = run::<F>(script, no_pause);
    assert_eq!((figures.read, figures.closed, figures.resent), (REQUESTS, REQUESTS / 5, 0));
}

pub fn closed_at_once<F: Factory>() {
    let script = |peer: &mut Peer| {
        peer.reads();
    };
    let figures = run::<F>(script, no_pause);
    assert_eq!((figures.read, figures.closed, figures.resent), (REQUESTS, REQUESTS, 0));
}

pub fn closed_while_idle_in_a_race<F: Factory>() {
    let script = |peer: &mut Peer| {
        peer.tcp.set_read_timeout(Some(Duration::from_millis(3))).unwrap();
        while peer.answers() {}
    };
    // About as long as the server waits.
    run::<F>(script, |number| 2_500_000 + number % 20 * 50_000);
}

pub fn rejected_by_a_proxy<F: Factory>() {
    let script = |peer: &mut Peer| {
        // Closes every third connection unused, and the others at the fifth request, after reading it.
        if peer.number % 3 != 2 {
            (0..4).all(|_| peer.answers());
            peer.reads();
        }
    };
    run::<F>(script, no_pause);
}

pub fn closed_after_some_without_notice<F: Factory>() {
    let script = |peer: &mut Peer| {
        (0..3).all(|_| peer.answers());
    };
    let figures = run::<F>(script, no_pause);
    assert!(figures.read + figures.closed >= REQUESTS, "{figures:?}");
}

/// Sends a second request over a connection that has ended without the client having checked it.
fn second_after_the_end<F: Factory>(script: fn(&mut Peer)) {
    for method in ["GET", "POST"] {
        let server = Closer::start(script);
        let mut client = server.client::<F>(method);
        assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
        clock::sleep(Duration::from_nanos(50 * NS_PER_MS));
        let second = exchange(&mut client);
        assert_eq!(second.outcome, Outcome::Status(200), "{method}");
        // The ureq client checks the connection before each request.
        assert_eq!(second.resent, F::KIND == floodgate::http::ClientKind::Native, "{method}");
        assert_eq!(server.read(), 2, "{method}");
    }
}

pub fn a_request_after_the_close_is_resent<F: Factory>() {
    second_after_the_end::<F>(|peer| {
        peer.answers();
        // The client must not see the end together with the response.
        clock::sleep(Duration::from_millis(20));
    });
}

pub fn a_request_that_meets_a_reset_is_resent<F: Factory>() {
    second_after_the_end::<F>(|peer| {
        peer.answers();
        clock::sleep(Duration::from_millis(20));
        reset_on_drop(&peer.tcp);
    });
}

pub fn the_server_closes_first<F: Factory>() {
    // Counts a connection if the client closed it while the server delayed its own close.
    let server = Closer::start(|peer| {
        peer.reads();
        let _ = peer.tcp.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
        peer.tcp.set_read_timeout(Some(Duration::from_millis(30))).unwrap();
        if peer.tcp.read(&mut [0]).is_ok() {
            peer.read.fetch_add(1, SeqCst);
        }
    });
    let mut client = server.client::<F>("GET");
    for _ in 0..5 {
        assert_eq!(exchange(&mut client).outcome, Outcome::Status(200));
        client.poll(clock::now_ns() + 60 * NS_PER_MS, |_| panic!("nothing is in flight"));
    }
    assert_eq!(server.read(), 5);
}
