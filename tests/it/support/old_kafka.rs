//! Makes a real broker look like Kafka 0.11: a proxy that offers only the oldest versions this project
//! supports. So a new broker verifies our oldest requests.

use super::fake_broker::{api_versions, read_frame, write_frame};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

/// Starts the proxy in front of `broker` and returns its address. It runs until the test process ends.
pub fn in_front_of(broker: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let own_port = listener.local_addr().expect("an address").port();
    let broker = broker.to_string();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let broker = broker.clone();
            thread::spawn(move || serve(client, &broker, own_port));
        }
    });
    format!("127.0.0.1:{own_port}")
}

/// Answers ApiVersions itself, as 0.11 does; forwards everything else to the broker.
fn serve(mut client: TcpStream, broker: &str, own_port: u16) {
    let _ = client.set_nodelay(true);
    let Ok(mut upstream) = TcpStream::connect(broker) else { return };
    let _ = upstream.set_nodelay(true);
    while let Some(request) = read_frame(&mut client) {
        let (api, version) = (request[1], request[3]);
        let answer = if api == 18 {
            let oldest = [(3, 0, 4), (19, 0, 2), (0, 0, 3), (2, 0, 1), (1, 0, 4), (18, 0, 1)];
            let known = if version > 1 { api_versions(35, &[]) } else { api_versions(0, &oldest) };
            [&request[4..8], &known].concat()
        } else {
            if write_frame(&mut upstream, &request).is_err() {
                break;
            }
            let Some(mut answer) = read_frame(&mut upstream) else { break };
            if api == 3 {
                redirect(&mut answer, broker, own_port);
            }
            answer
        };
        if write_frame(&mut client, &answer).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}

/// Makes the metadata point to the proxy: the port follows the host, in four bytes.
fn redirect(answer: &mut [u8], broker: &str, own_port: u16) {
    let (host, port) = broker.rsplit_once(':').expect("HOST:PORT");
    let port: u32 = port.parse().expect("a port");
    let wanted = [host.as_bytes(), &port.to_be_bytes()].concat();
    let at = answer.windows(wanted.len()).position(|window| window == wanted).expect("the broker's address");
    let at = at + host.len();
    answer[at..at + 4].copy_from_slice(&u32::from(own_port).to_be_bytes());
}

/// Starts a listener that reads once and then calls `react` with the connection. Returns its address.
pub fn listener(react: impl Fn(&mut TcpStream, &[u8]) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut bytes = [0; 4_096];
            let count = client.read(&mut bytes).unwrap_or(0);
            react(&mut client, &bytes[..count]);
            let _ = client.flush();
        }
    });
    address
}
