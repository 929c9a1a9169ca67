//! `--http-proxy`: tunnels through a proxy that the test runs.

use crate::client_contract::tls;
use crate::support::http_server::Server;
use crate::support::process::{run, stderr, stdout};
use floodgate::stats::summary::Summary;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A proxy that notes what it is asked for, and tunnels to `target` whatever host is named; with `refuses`,
/// it answers 403.
fn proxy(target: SocketAddr, refuses: bool) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("an address");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&asked);
    thread::spawn(move || {
        for mut near in listener.incoming().flatten() {
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && near.read(&mut byte).is_ok_and(|n| n == 1) {
                head.push(byte[0]);
            }
            notes.lock().expect("notes").push(String::from_utf8_lossy(&head).into_owned());
            if refuses {
                let _ = near.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
                continue;
            }
            let far = TcpStream::connect(target).expect("connects");
            near.write_all(b"HTTP/1.1 200 Connection established\r\nvia: test\r\n\r\n").expect("writes");
            pipe(near.try_clone().expect("cloned"), far.try_clone().expect("cloned"));
            pipe(far, near);
        }
    });
    (address, asked)
}

fn pipe(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}

fn summary(words: &[&str]) -> (Summary, String) {
    let output = run("floodgate", &[&["run", "--json", "-q"], words].concat(), &[]);
    let text = stdout(&output);
    (serde_json::from_str(&text).unwrap_or_else(|why| panic!("{why}: {}", stderr(&output))), text)
}

fn is_noted(summary: &Summary) -> bool {
    summary.findings.iter().any(|finding| finding.code == "proxied")
}

#[test]
fn requests_go_through_the_tunnel_of_a_proxy_with_and_without_tls() {
    let plain = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let secure = tls::server(tls::ok);
    let ca = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/tls/ca.pem");
    for (server, url, authority) in [
        (&plain, "http://shop.invalid/x", "shop.invalid:80"),
        (&secure, "https://localhost:8443/x", "localhost:8443"),
    ] {
        let (address, asked) = proxy(server.address, false);
        let flag = format!("http://joe:swordfish@{address}");
        let (found, text) = summary(&[url, "-n", "6", "-c", "2", "--ca-cert", ca, "--http-proxy", &flag]);
        assert_eq!(
            (found.total.responses, found.conservation.planned, is_noted(&found)),
            (6, 6, true),
            "{text}"
        );
        assert!(!text.contains("swordfish") && !text.contains("am9l"), "{text}");
        let asked = asked.lock().expect("notes").clone();
        let expected = format!(
            "CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\nproxy-authorization: Basic am9lOnN3b3JkZmlzaA==\r\n\r\n"
        );
        assert_eq!(asked, vec![expected; 2], "one tunnel for each connection");
        let received = server.received();
        assert_eq!(received.len(), 6);
        let is_target = |head: &str| head.starts_with("GET /x HTTP/1.1\r\n") && !head.contains("proxy-");
        assert!(received.iter().all(|request| is_target(&request.head)), "{received:?}");
    }
}

#[test]
fn a_tunnel_that_is_refused_is_a_connect_error_with_its_cause() {
    let (address, asked) = proxy(SocketAddr::from(([127, 0, 0, 1], 9)), true);
    let (found, text) =
        summary(&["https://localhost/x", "-n", "2", "-c", "1", "--http-proxy", &format!("http://{address}")]);
    assert_eq!((found.total.responses, found.total.errors.get("connect")), (0, Some(&2)), "{text}");
    assert!(text.contains("the proxy refused the tunnel: HTTP/1.1 403 Forbidden"), "{text}");
    let said = "Could not connect to localhost:443 through the proxy: the proxy refused the tunnel";
    assert!(found.verdict[0].starts_with(said), "{:?}", found.verdict);
    assert!(!is_noted(&found), "nothing was measured through it");
    assert_eq!(asked.lock().expect("notes").len(), 2);
}
