use super::*;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

fn soon() -> u64 {
    clock::now_ns() + 20 * NS_PER_S
}

fn source(url: String) -> TokenSource {
    TokenSource::Endpoint(TokenEndpoint {
        url,
        client: "c".to_owned(),
        secret: Secret::new("s"),
        scope: Some("a b".to_owned()),
        ca_pem: None,
        header_urlencode: false,
    })
}

fn listen() -> (TcpListener, TokenSource) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/token", listener.local_addr().expect("an address"));
    (listener, source(url))
}

/// Reads one request and answers it with a token for `life_s`. Returns the request.
fn serve(mut client: TcpStream, token: &str, life_s: u64) -> String {
    let (mut text, mut bytes) = (String::new(), vec![0; 4_096]);
    while !text.ends_with("scope=a+b") {
        let count = client.read(&mut bytes).expect("a request");
        text.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    let body = format!("{{\"access_token\":\"{token}\",\"expires_in\":{life_s}}}");
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    client.write_all(format!("{head}{body}").as_bytes()).expect("sent");
    text
}

/// Serves this many requests, each with a new token, then is gone. Returns their texts.
fn server(count: usize, life_s: u64) -> (TokenSource, thread::JoinHandle<Vec<String>>) {
    let (listener, source) = listen();
    let served = thread::spawn(move || {
        let clients = listener.incoming().flatten().take(count).enumerate();
        clients.map(|(number, client)| serve(client, &format!("t{number}"), life_s)).collect()
    });
    (source, served)
}

#[test]
fn a_token_is_asked_for_once_and_again_after_a_refusal() {
    let (source, served) = server(2, 60);
    let tokens = Tokens::default();
    let get = || tokens.get(&source, None, soon()).expect("a token");
    assert_eq!([get().reveal(), get().reveal()], ["t0", "t0"]);
    tokens.forget();
    assert_eq!(get().reveal(), "t1");
    let requests = served.join().expect("served");
    let request = requests[0].to_lowercase();
    // c:s
    assert!(request.contains("authorization: basic yzpz\r\n"), "{request}");
    assert!(request.contains("content-type: application/x-www-form-urlencoded"), "{request}");
    assert!(request.ends_with("\r\n\r\ngrant_type=client_credentials&scope=a+b"), "{request}");
}

#[test]
fn a_token_is_replaced_ahead_of_its_end() {
    let (source, _served) = server(2, 1_000);
    let tokens = Tokens::default();
    let began_ns = clock::now_ns();
    let get = |after_s| tokens.get_at(began_ns + after_s * NS_PER_S, &source, None, soon()).expect("a token");
    let got = [0, 700, 900, 901].map(|after_s| get(after_s).reveal().to_owned());
    assert_eq!(got, ["t0", "t0", "t1", "t1"]);
}

#[test]
fn a_valid_token_is_used_on_while_the_server_is_away() {
    let (source, served) = server(1, 1_000);
    let tokens = Tokens::default();
    let began_ns = clock::now_ns();
    let get = |after_s| tokens.get_at(began_ns + after_s * NS_PER_S, &source, None, soon());
    assert_eq!(get(0).expect("a token").reveal(), "t0");
    served.join().expect("served");
    for after_s in [850, 851, 870, 970] {
        assert_eq!(get(after_s).expect("still valid").reveal(), "t0", "{after_s} s");
    }
    let error = get(1_000).expect_err("no longer valid");
    assert!(
        error.is_transient() && error.to_string().starts_with("no token for Kafka: POST http://"),
        "{error}"
    );
}

#[test]
fn one_request_serves_all_and_nobody_waits_beyond_its_deadline() {
    let (listener, source) = listen();
    let tokens = Tokens::default();
    let get = |deadline_ns| tokens.get(&source, None, deadline_ns);
    let (go_on, waits) = mpsc::channel::<()>();
    thread::scope(|scope| {
        for _ in 0..2 {
            let error = get(clock::now_ns() + 1).expect_err("no answer yet");
            assert!(error.is_transient() && error.to_string().contains("does not answer in time"), "{error}");
        }
        scope.spawn(move || {
            let (client, _) = listener.accept().expect("a client");
            waits.recv().expect("told to go on");
            serve(client, "t0", 60);
            listener.set_nonblocking(true).expect("set");
            assert!(listener.accept().is_err(), "a second request");
        });
        let late = scope.spawn(|| get(soon()).expect("a token").reveal().to_owned());
        go_on.send(()).expect("it waits");
        assert_eq!(late.join().expect("a token"), "t0");
    });
}
