use super::*;
use crate::bus::kafka::scripted::{self, Client, frame, peer};
use crate::bus::kafka::security::Security;

impl Connection {
    /// Opens a connection whose stages do not matter.
    fn open(address: &Address, access: &Arc<Access>, deadline_ns: u64) -> Result<Self, BusError> {
        Self::open_noting(address, access, deadline_ns, &Stage::default())
    }
}

fn soon() -> u64 {
    clock::now_ns() + 20 * NS_PER_S
}

fn access() -> Arc<Access> {
    Arc::new(Access::new("test", Security::default()).expect("no TLS"))
}

fn names() -> [String; 1] {
    ["t".to_owned()]
}

/// Asks for metadata over one connection and returns the body of the response.
fn ask(connection: &mut Connection) -> Result<Vec<u8>, BusError> {
    let asked = connection.call(Api::Metadata, |head| requests::metadata(head, &names()), soon());
    asked.map(|answer| {
        let mut body = answer.body().expect("a header");
        std::iter::from_fn(|| body.i8().ok()).map(|byte| byte as u8).collect()
    })
}

/// The error of a first question to a peer that agrees on versions and then does this.
fn failing(mut script: impl FnMut(&mut Client, &scripted::Request) + Send + 'static) -> (String, bool) {
    let address = peer(move |mut client| {
        while let Some(request) = client.agree() {
            script(&mut client, &request);
        }
    });
    let mut connection = Connection::open(&address, &access(), soon()).expect("open");
    let error = ask(&mut connection).expect_err("a failure");
    assert!(error.is_transient() && error.to_string().contains(&address.to_string()), "{error}");
    (error.to_string(), connection.closed_by_peer())
}

#[test]
fn a_response_is_assembled_from_pieces_of_any_size() {
    let body: Vec<u8> = (0..40).collect();
    let sent = body.clone();
    let mut piece = 0;
    let address = peer(move |mut client| {
        while let Some(request) = client.agree() {
            piece += 1;
            client.write(&frame(request.correlation, &sent), piece);
        }
    });
    let mut connection = Connection::open(&address, &access(), soon()).expect("open");
    assert_eq!(connection.version(Api::Metadata), *Api::Metadata.ours().start());
    for _ in 0..12 {
        assert_eq!(ask(&mut connection), Ok(body.clone()));
        assert!(!connection.is_busy());
    }
}

#[test]
fn the_wrong_number_loses_the_connection() {
    let (text, closed) = failing(|client, request| {
        let wrong = request.correlation.map(|byte| byte ^ 1);
        client.write(&frame(wrong, b"x"), usize::MAX);
    });
    assert!(text.contains("its response does not match our request") && !closed, "{text}");
}

#[test]
fn two_responses_to_one_request_lose_the_connection() {
    let (text, _) = failing(|client, request| {
        let two = [frame(request.correlation, b"x"), frame(request.correlation, b"x")].concat();
        client.write(&two, usize::MAX);
    });
    assert!(text.contains("its response does not match our request"), "{text}");
}

#[test]
fn a_response_without_a_request_loses_the_connection() {
    let address = peer(|mut client| {
        while let Some(request) = client.agree() {
            client.answer(&request, b"x");
            client.answer(&request, b"x");
        }
    });
    let mut connection = Connection::open(&address, &access(), soon()).expect("open");
    // Both may arrive at once; then the first call fails already.
    if ask(&mut connection).is_ok() {
        let error = connection.receive(soon()).expect_err("nothing was asked");
        assert!(error.to_string().contains("it sent a response without a request"), "{error}");
    }
}

#[test]
fn a_peer_that_closes_is_noted() {
    let address = peer(|mut client| {
        client.agree();
    });
    let mut connection = Connection::open(&address, &access(), soon()).expect("open");
    let error = ask(&mut connection).expect_err("closed");
    assert!(error.to_string().contains("closed by the broker"), "{error}");
    assert!(connection.closed_by_peer() && error.is_transient());
}

#[test]
fn an_incomplete_response_is_continued_by_a_later_call() {
    let (go_on, waits) = std::sync::mpsc::channel::<()>();
    let address = peer(move |mut client| {
        let Some(request) = client.agree() else { return };
        let bytes = frame(request.correlation, b"abcdef");
        client.write(&bytes[..7], usize::MAX);
        let _ = waits.recv();
        client.write(&bytes[7..], usize::MAX);
        let _ = client.request();
    });
    let mut connection = Connection::open(&address, &access(), soon()).expect("open");
    connection.send(Api::Metadata, |head| requests::metadata(head, &names()), soon()).expect("send");
    for _ in 0..3 {
        assert!(connection.receive(clock::now_ns()).expect("so far").is_none());
        assert!(connection.is_busy());
    }
    go_on.send(()).expect("the peer waits");
    let answer = connection.receive(soon()).expect("the rest").expect("complete");
    assert!(answer.received_ns >= answer.sent_ns && connection.used_ns() == answer.received_ns);
}

#[test]
fn a_silent_broker_is_named_after_the_deadline() {
    let address = peer(|mut client| while client.agree().is_some() {});
    let mut connection = Connection::open(&address, &access(), soon()).expect("open");
    let deadline_ns = clock::now_ns() + 20_000_000;
    let error = connection
        .call(Api::Metadata, |head| requests::metadata(head, &names()), deadline_ns)
        .expect_err("silence");
    assert_eq!(error.to_string(), format!("Kafka broker {address} does not answer in time: is it hung?"));
}

#[test]
fn a_probe_tells_an_old_broker_by_its_closing() {
    let old = peer(|mut client| {
        client.request();
    });
    assert_eq!(Connection::probe(&old, &access(), soon()), Ok(None));
    let new = peer(|mut client| {
        client.agree();
    });
    let versions = Connection::probe(&new, &access(), soon()).expect("an answer").expect("versions");
    assert!(versions.contains(&(Api::Fetch.key(), 0, 4)));
}

#[test]
fn a_broker_that_throttles_gets_no_request_until_it_reads_again() {
    let (told, received) = std::sync::mpsc::channel();
    let address = peer(move |mut client| {
        while let Some(request) = client.agree() {
            told.send(request.api).expect("the test waits");
            client.answer(&request, b"x");
        }
    });
    let mut connection = Connection::open(&address, &access(), soon()).expect("open");
    connection.rests_until_ns = clock::now_ns() + NS_PER_S / 50;
    let until_ns = connection.rests_until_ns;
    ask(&mut connection).expect("after the wait");
    assert!(received.recv().is_ok() && clock::now_ns() >= until_ns);
    connection.rests_until_ns = clock::now_ns() + 3_600 * NS_PER_S;
    let asked = connection.call(Api::Metadata, |head| requests::metadata(head, &names()), clock::now_ns());
    let error = asked.expect_err("the deadline is earlier");
    assert!(
        error.is_transient() && error.to_string().contains("throttles this client for 3600 s"),
        "{error}"
    );
    assert!(connection.is_resting());
    drop(connection);
    assert!(received.try_recv().is_err(), "nothing was sent");
}
