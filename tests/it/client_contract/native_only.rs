//! The native client with many slots.

use super::faults::silent_listener;
use super::harness::{error, settings, timeout_of};
use crate::support::http_server::Server;
use floodgate::clock::{self, NS_PER_MS, NS_PER_S};
use floodgate::http::native::{MAX_CONNECTING, NativeClient};
use floodgate::http::{Client, Completion, Settings, Ticket};
use floodgate::plan::request::Request;
use floodgate::stats::outcome::{ErrorKind, Outcome};
use floodgate::threads::StopFlag;
use std::net::SocketAddr;
use std::time::Duration;

pub const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn client(server: &Server, slots: usize, settings: Settings) -> NativeClient {
    client_at(server.address, slots, settings)
}

/// A client that gets `/` from a server at this address, if one exists.
pub fn client_at(address: SocketAddr, slots: usize, settings: Settings) -> NativeClient {
    let request = [Request::get(&format!("http://{address}/")).unwrap()];
    NativeClient::new(&request, &settings, slots, vec![address].into(), StopFlag::default()).unwrap()
}

fn ticket(number: u64) -> Ticket {
    Ticket { planned_ns: number, ..Ticket::default() }
}

/// Polls until `count` requests have ended.
pub fn collect(client: &mut NativeClient, count: usize) -> Vec<Completion> {
    let mut all = Vec::new();
    let deadline_ns = clock::now_ns() + 30 * NS_PER_S;
    while all.len() < count && clock::now_ns() < deadline_ns {
        client.poll(deadline_ns, |completion| all.push(completion));
    }
    assert_eq!(all.len(), count);
    all
}

#[test]
fn many_slots_carry_many_requests_at_a_time() {
    let server = Server::answering(OK);
    let slots = MAX_CONNECTING + 40;
    let mut client = client(&server, slots, settings());
    for round in 0..5 {
        (0..slots as u64).for_each(|n| {
            client.send(ticket(n));
        });
        assert_eq!((client.in_flight(), client.free_since_ns()), (slots, None));
        let mut numbers: Vec<u64> = collect(&mut client, slots).iter().map(|c| c.ticket.planned_ns).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..slots as u64).collect::<Vec<_>>(), "round {round}");
        assert_eq!(client.in_flight(), 0);
    }
    assert_eq!((server.connections(), server.received().len()), (slots, 5 * slots));
}

#[test]
fn the_slot_that_is_free_longest_is_next() {
    let server = Server::answering(OK);
    let mut client = client(&server, 3, settings());
    let mut ends = Vec::new();
    for number in 0..3 {
        client.send(ticket(number));
        ends.push(collect(&mut client, 1)[0].ended_ns);
    }
    // All three were free from the start, so each is used once.
    assert_eq!(server.connections(), 3);
    for end_ns in ends {
        assert_eq!(client.free_since_ns(), Some(end_ns));
        client.send(ticket(9));
    }
    collect(&mut client, 3);
    assert_eq!(server.connections(), 3);
}

#[test]
fn a_slow_request_does_not_hold_others_up() {
    let server = Server::start(|conn| {
        while conn.request().is_some() {
            if conn.number == 0 {
                conn.stall();
            }
            conn.send(OK);
        }
    });
    let mut client = client(&server, 2, timeout_of(Duration::from_millis(800)));
    client.send(ticket(0));
    client.poll(clock::now_ns() + 50 * NS_PER_MS, |_| panic!("the first is stalled"));
    let mut fast = 0;
    let mut timed_out = 0;
    client.send(ticket(1));
    while timed_out == 0 {
        let mut free = 0;
        client.poll(clock::now_ns() + NS_PER_S, |completion| match completion.outcome {
            Outcome::Status(200) => free += 1,
            outcome => {
                assert_eq!((outcome, completion.ticket), (error(ErrorKind::Timeout), ticket(0)));
                timed_out += 1;
            }
        });
        fast += free;
        (0..free).for_each(|_| {
            client.send(ticket(1));
        });
    }
    assert!(fast > 20, "{fast} requests alongside a stalled one");
}

#[test]
fn responses_that_arrived_during_a_pause_do_not_time_out() {
    let server = Server::answering(OK);
    // More than one poll returns.
    let slots = 100;
    let mut client = client(&server, slots, timeout_of(Duration::from_millis(500)));
    (0..2).for_each(|round| {
        (0..slots as u64).for_each(|n| {
            client.send(ticket(n));
        });
        if round == 1 {
            clock::sleep(Duration::from_millis(700));
        }
        let all = collect(&mut client, slots);
        assert!(all.iter().all(|c| c.outcome == Outcome::Status(200)), "round {round}: {all:?}");
    });
}

#[test]
fn deadlines_hold_for_each_of_many() {
    let server = Server::start(|conn| conn.stall());
    let mut client = client(&server, 20, timeout_of(Duration::from_millis(300)));
    for number in 0..20 {
        client.send(ticket(number));
        client.poll(clock::now_ns() + 5 * NS_PER_MS, |_| panic!("too early"));
    }
    for completion in collect(&mut client, 20) {
        assert_eq!(completion.outcome, error(ErrorKind::Timeout));
        let took_ms = (completion.ended_ns - completion.sent_ns) / NS_PER_MS;
        assert!((300..1_500).contains(&took_ms), "took {took_ms} ms");
    }
}

#[test]
fn abort_gives_up_everything_at_once() {
    let server = Server::start(|conn| conn.stall());
    let slots = MAX_CONNECTING + 20;
    let mut client = client(&server, slots, settings());
    (0..slots as u64).for_each(|n| {
        client.send(ticket(n));
    });
    client.poll(clock::now_ns() + 20 * NS_PER_MS, |_| panic!("nothing is answered"));
    let mut aborted = 0;
    client.abort(|completion| {
        assert_eq!(completion.outcome, error(ErrorKind::Aborted));
        aborted += 1;
    });
    assert_eq!((aborted, client.in_flight()), (slots, 0));
    assert!(client.free_since_ns().is_some());
    client.poll(clock::now_ns() + 20 * NS_PER_MS, |_| panic!("nothing is in flight"));
}

#[test]
fn refused_connects_end_all_that_wait_for_their_turn() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let slots = 3 * MAX_CONNECTING;
    let mut client = client_at(address, slots, settings());
    for _ in 0..2 {
        (0..slots as u64).for_each(|n| {
            client.send(ticket(n));
        });
        let all = collect(&mut client, slots);
        assert!(all.iter().all(|c| c.outcome == error(ErrorKind::Connect)));
    }
}

#[test]
fn closed_idle_connections_are_noticed_and_replaced() {
    let server = Server::start(|conn| {
        conn.request();
        conn.send(OK);
    });
    let mut client = client(&server, 10, settings());
    for round in 1..=5 {
        (0..10).for_each(|n| {
            client.send(ticket(n));
        });
        assert!(collect(&mut client, 10).iter().all(|c| c.outcome == Outcome::Status(200)));
        assert_eq!(server.connections(), 10 * round);
        client.poll(clock::now_ns() + 20 * NS_PER_MS, |_| {});
    }
    assert_eq!(server.received().len(), 50);
}

#[test]
fn waits_end_on_time() {
    let server = Server::answering(OK);
    let mut client = client(&server, 1, settings());
    let mut late_ns: Vec<u64> = (0..50)
        .map(|_| {
            let until_ns = clock::now_ns() + 700_000;
            client.poll(until_ns, |_| {});
            clock::now_ns() - until_ns
        })
        .collect();
    late_ns.sort_unstable();
    // Waits rounded up to milliseconds would all be 300 µs late.
    assert!(late_ns[10] < 250_000, "{late_ns:?}");
}

#[test]
fn every_slot_tries_every_address_once() {
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let (listener, filled) = silent_listener();
    let addresses = vec![listener.local_addr().unwrap(), server.address];
    let request = [Request::get(&server.url("/")).unwrap()];
    let slots = 20;
    let mut client =
        NativeClient::new(&request, &settings(), slots, addresses.into(), StopFlag::default()).unwrap();
    for n in 0..slots as u64 {
        client.send(ticket(n));
        client.poll(clock::now_ns() + 10 * NS_PER_MS, |_| panic!("the first address does not answer"));
    }
    // From now on the first address refuses. Each slot learns this only with its kernel's next retry, one
    // after the other; by then others have moved on to the good address.
    drop((listener, filled));
    let all = collect(&mut client, slots);
    let good = all.iter().filter(|c| c.outcome == Outcome::Status(200)).count();
    assert_eq!(good, slots);
}

#[test]
fn absurd_numbers_of_slots_are_refused() {
    let request = [Request::get("http://127.0.0.1/").unwrap()];
    for slots in [0, 100_001] {
        let addresses = vec!["127.0.0.1:80".parse().unwrap()];
        let built = NativeClient::new(&request, &settings(), slots, addresses.into(), StopFlag::default());
        assert!(built.is_err_and(|e| e.to_string().contains(&slots.to_string())));
    }
}
