//! A scripted server on raw TCP: it sends exactly what a test specifies, well-formed or not.

use floodgate::clock;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Longest wait of a script for its client, so that tests cannot hang.
const PATIENCE: Duration = Duration::from_secs(20);

/// A received request.
#[derive(Clone, Debug)]
pub struct Received {
    /// Number of the connection, from 0.
    pub connection: usize,
    /// Request line and headers, without the empty line.
    pub head: String,
    /// The body, as long as `content-length` says.
    pub body: Vec<u8>,
}

impl Received {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (n, value) = line.split_once(':')?;
            n.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The first line.
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }
}

#[derive(Default)]
struct Shared {
    ending: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
    received: Mutex<Vec<Received>>,
    scripts: Mutex<Vec<JoinHandle<()>>>,
}

/// The byte stream of a connection.
pub trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// One connection, driven by its script.
pub struct Conn {
    /// Its number, from 0.
    pub number: usize,
    wire: Box<dyn Wire>,
    pending: Vec<u8>,
    shared: Arc<Shared>,
}

impl Conn {
    /// The next request; `None` if the client closed the connection.
    pub fn request(&mut self) -> Option<Received> {
        let head_end = loop {
            if let Some(at) = self.pending.windows(4).position(|w| w == b"\r\n\r\n") {
                break at;
            }
            self.fill()?;
        };
        let head = String::from_utf8_lossy(&self.pending[..head_end]).into_owned();
        let mut received = Received { connection: self.number, head, body: Vec::new() };
        let length = received.header("content-length").and_then(|v| v.parse().ok()).unwrap_or(0usize);
        while self.pending.len() < head_end + 4 + length {
            self.fill()?;
        }
        received.body = self.pending[head_end + 4..head_end + 4 + length].to_vec();
        self.pending.drain(..head_end + 4 + length);
        self.shared.received.lock().unwrap().push(received.clone());
        Some(received)
    }

    fn fill(&mut self) -> Option<()> {
        let mut bytes = [0; 16 * 1024];
        match self.wire.read(&mut bytes) {
            Ok(count) if count > 0 => self.pending.extend_from_slice(&bytes[..count]),
            _ => return None,
        }
        Some(())
    }

    /// Sends bytes in one piece; returns false if the client is gone.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.wire.write_all(bytes.as_ref()).and_then(|()| self.wire.flush()).is_ok()
    }

    /// Sends bytes one by one, with a pause after each.
    pub fn send_bytewise(&mut self, bytes: impl AsRef<[u8]>, pause: Duration) -> bool {
        bytes.as_ref().iter().all(|byte| {
            let sent = self.send([*byte]);
            clock::sleep(pause);
            sent
        })
    }

    /// Does nothing until the client closes the connection or the server stops.
    pub fn stall(&mut self) {
        while self.fill().is_some() {}
    }
}

/// A server that runs a script on a thread for each connection.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts on a free port of 127.0.0.1.
    pub fn start(script: impl Fn(&mut Conn) + Send + Sync + 'static) -> Server {
        Server::wrapped("127.0.0.1:0", |tcp| Ok(Box::new(tcp)), script).unwrap()
    }

    /// Answers every request with the same bytes.
    pub fn answering(response: impl Into<Vec<u8>>) -> Server {
        let response = response.into();
        Server::start(move |conn| while conn.request().is_some() && conn.send(&response) {})
    }

    /// Starts on `address`, with connections wrapped (in TLS, say) before the script gets them.
    pub fn wrapped(
        address: &str,
        wrap: impl Fn(TcpStream) -> io::Result<Box<dyn Wire>> + Send + Sync + 'static,
        script: impl Fn(&mut Conn) + Send + Sync + 'static,
    ) -> io::Result<Server> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let both = Arc::new((wrap, script));
        let acceptor = thread::spawn(move || {
            for (number, tcp) in listener.incoming().flatten().enumerate() {
                if theirs.ending.load(Ordering::SeqCst) {
                    return;
                }
                let _ = tcp.set_nodelay(true);
                let _ = tcp.set_read_timeout(Some(PATIENCE));
                let _ = tcp.set_write_timeout(Some(PATIENCE));
                theirs.streams.lock().unwrap().push(tcp.try_clone().unwrap());
                let (shared, both) = (Arc::clone(&theirs), Arc::clone(&both));
                let script = thread::spawn(move || {
                    let closer = tcp.try_clone().unwrap();
                    if let Ok(wire) = (both.0)(tcp) {
                        (both.1)(&mut Conn { number, wire, pending: Vec::new(), shared });
                    }
                    let _ = closer.shutdown(Shutdown::Both);
                });
                theirs.scripts.lock().unwrap().push(script);
            }
        });
        Ok(Server { address, shared, acceptor: Some(acceptor) })
    }

    /// `http://` and the address, then `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// All requests so far, in order of arrival.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.shared.streams.lock().unwrap().len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::SeqCst);
        // Wakes the acceptor.
        let _ = TcpStream::connect(self.address);
        let _ = self.acceptor.take().map(JoinHandle::join);
        for stream in self.shared.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        let scripts = std::mem::take(&mut *self.shared.scripts.lock().unwrap());
        let failed = scripts.into_iter().map(JoinHandle::join).filter(Result::is_err).count();
        if failed > 0 && !thread::panicking() {
            panic!("{failed} server scripts panicked");
        }
    }
}
