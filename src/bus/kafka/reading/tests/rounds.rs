//! Rounds without faults: positions, turns, waits, flights.

use super::*;

#[test]
fn records_are_delivered_and_the_next_fetch_continues_after_them() {
    let mut bench = Bench::new(&[(METRICS, 5)]);
    bench.begin(LONG_NS);
    let limit_ns = START_NS + LONG_NS + GRACE_NS;
    assert_eq!(bench.next(), Step::FindLeaders { topics: vec![Topic::Metrics], limit_ns });
    assert_eq!(bench.next(), Step::FindLeaders { topics: vec![Topic::Metrics], limit_ns }, "unanswered");
    bench.lead(&[(METRICS, 3)]);
    assert_eq!(bench.next(), Step::Connect { broker: 3, limit_ns });
    assert_eq!(bench.send(3), (vec![(METRICS, 5)], LONG_NS));
    assert_eq!(bench.receive(3), limit_ns);
    bench.after_ms(200);
    bench.answer(3, 200 * NS_PER_MS, vec![part(METRICS, 0, &[plain(5), plain(6)].concat())]);
    let records = bench.done().expect("records");
    assert_eq!(offsets(&records), [5, 6]);
    assert_eq!((records[0].topic, records[0].partition, &records[0].key[..]), (Topic::Metrics, 0, "d1"));
    bench.read_one(METRICS, 7);
}

#[test]
fn the_wait_is_what_is_left_of_the_poll_after_connecting() {
    let mut bench = Bench::new(&[(METRICS, 5)]);
    bench.begin(LONG_NS);
    bench.lead(&[(METRICS, 1)]);
    assert!(matches!(bench.next(), Step::Connect { .. }));
    bench.after_ms(300);
    assert_eq!(bench.send(1).1, LONG_NS - 300 * NS_PER_MS);
}

#[test]
fn each_partition_is_asked_first_in_turn() {
    let keys = [TRIGGER, METRICS, (Topic::Metrics, 1)];
    let mut bench = Bench::new(&keys.map(|key| (key, 0)));
    let mut firsts = Vec::new();
    for _ in 0..6 {
        bench.begin(LONG_NS);
        bench.lead(&keys.map(|key| (key, 1)));
        let (wanted, _) = bench.send(1);
        assert_eq!(wanted.len(), 3);
        firsts.push(wanted[0].0);
        bench.receive(1);
        let ((first, next), record) = (wanted[0], plain(wanted[0].1));
        bench.answer(1, 0, vec![part(first, 0, &record)]);
        assert_eq!(offsets(&bench.done().expect("a record")), [next]);
    }
    assert_eq!(firsts, [keys, keys].concat());
}

#[test]
fn several_brokers_wait_less_and_are_polled_in_turn() {
    let mut bench = Bench::new(&[(METRICS, 5), (TRIGGER, 8)]);
    bench.begin(10 * LONG_NS);
    bench.lead(&[(METRICS, 1), (TRIGGER, 2)]);
    assert_eq!(bench.send(1), (vec![(METRICS, 5)], LONGEST_WAIT_OF_SEVERAL_NS));
    assert_eq!(bench.send(2), (vec![(TRIGGER, 8)], LONGEST_WAIT_OF_SEVERAL_NS));
    for _ in 0..3 {
        for broker in [1, 2] {
            let turn_ns = bench.receive(broker) - bench.now_ns;
            assert!(turn_ns < 50 * NS_PER_MS, "{turn_ns} ns on one of two connections");
            bench.now_ns += turn_ns;
            bench.silent(broker);
        }
        bench.lead(&[(METRICS, 1), (TRIGGER, 2)]);
    }
    bench.receive(1);
    bench.answer(1, 0, vec![part(METRICS, 0, &plain(5))]);
    bench.receive(2);
    bench.answer(2, 0, vec![part(TRIGGER, 0, &plain(8))]);
    assert_eq!(offsets(&bench.done().expect("both")), [5, 8]);
}

/// Broker 1 answers, so that the poll ends while the Fetch to broker 2 is in flight.
fn with_flight_to_2(bench: &mut Bench) {
    bench.begin(LONG_NS);
    bench.lead(&[(METRICS, 1), (TRIGGER, 2)]);
    bench.send(1);
    bench.send(2);
    bench.receive(1);
    bench.answer(1, 0, vec![part(METRICS, 0, &plain(5))]);
    bench.receive(2);
    bench.silent(2);
    assert_eq!(offsets(&bench.done().expect("a record")), [5]);
    bench.begin(LONG_NS);
}

#[test]
fn a_fetch_in_flight_is_kept_over_polls() {
    let mut bench = Bench::new(&[(METRICS, 5), (TRIGGER, 8)]);
    with_flight_to_2(&mut bench);
    bench.lead(&[(METRICS, 1), (TRIGGER, 2)]);
    assert_eq!(bench.send(1).0, [(METRICS, 6)], "only broker 1 is asked again");
    bench.receive(1);
    bench.silent(1);
    bench.receive(2);
    bench.answer(2, 0, vec![part(TRIGGER, 0, &plain(8))]);
    assert_eq!(offsets(&bench.done().expect("the record of the earlier Fetch")), [8]);
}

#[test]
fn an_answer_for_a_subscription_that_moved_is_dropped() {
    for moved_to in [50, 7] {
        let mut bench = Bench::new(&[(METRICS, 5), (TRIGGER, 8)]);
        with_flight_to_2(&mut bench);
        bench.reading.start(Topic::Trigger, BTreeMap::from([(0, moved_to)]));
        bench.begin(LONG_NS);
        bench.lead(&[(METRICS, 1), (TRIGGER, 2)]);
        bench.send(1);
        bench.receive(1);
        bench.silent(1);
        bench.receive(2);
        bench.answer(2, LONG_NS, vec![part(TRIGGER, 0, &plain(8)), part(TRIGGER, 1, &plain(8))]);
        bench.lead(&[(METRICS, 1), (TRIGGER, 2)]);
        assert_eq!(bench.send(2).0, [(TRIGGER, moved_to)]);
    }
}

#[test]
fn parts_of_an_answer_that_nobody_asked_for_are_dropped() {
    let mut bench = Bench::new(&[(METRICS, 5)]);
    bench.begin(LONG_NS);
    bench.lead(&[(METRICS, 1)]);
    bench.send(1);
    bench.receive(1);
    let foreign = FetchedPartition { topic: "other".to_owned(), ..part(METRICS, 0, &[]) };
    bench.answer(1, LONG_NS, vec![foreign, part(TRIGGER, 0, &plain(1)), part(METRICS, 0, &plain(5))]);
    assert_eq!(offsets(&bench.done().expect("ours")), [5]);
    bench.answer(7, 0, vec![part(METRICS, 0, &plain(6))]);
    bench.read_one(METRICS, 6);
}

#[test]
fn what_cannot_be_read_is_skipped_with_a_warning() {
    let mut bench = Bench::new(&[(METRICS, 5)]);
    bench.begin(LONG_NS);
    bench.lead(&[(METRICS, 1)]);
    bench.send(1);
    bench.receive(1);
    bench.answer(1, 0, vec![part(METRICS, 0, &[0; 12])]);
    let Step::Warn(line) = bench.next() else { panic!("no warning") };
    assert!(line.contains("topic metrics, partition 0: skipped offsets 5 to 5"), "{line}");
    bench.lead(&[(METRICS, 1)]);
    assert_eq!(bench.send(1).0, [(METRICS, 6)], "without a pause, since the position moved");
}

#[test]
fn an_early_empty_answer_pauses() {
    let empty = |took_ns| {
        let mut bench = Bench::new(&[(METRICS, 5)]);
        bench.begin(LONG_NS);
        bench.lead(&[(METRICS, 1)]);
        bench.send(1);
        bench.receive(1);
        bench.answer(1, took_ns, vec![part(METRICS, 0, &[])]);
        bench.next()
    };
    assert_eq!(empty(LONG_NS / 2 - 1), Step::Sleep { until_ns: START_NS + 10 * NS_PER_MS });
    assert!(matches!(empty(LONG_NS / 2), Step::FindLeaders { .. }));
}

#[test]
fn an_empty_poll_ends_at_its_deadline() {
    let mut bench = Bench::new(&[(METRICS, 5)]);
    bench.begin(LONG_NS);
    bench.lead(&[(METRICS, 1)]);
    bench.send(1);
    bench.receive(1);
    bench.now_ns += LONG_NS;
    bench.answer(1, LONG_NS, vec![part(METRICS, 0, &[])]);
    assert_eq!(bench.done(), Ok(Vec::new()));
}

#[test]
fn a_poll_without_a_timeout_still_asks_once() {
    let mut bench = Bench::new(&[(METRICS, 5)]);
    bench.begin(0);
    bench.lead(&[(METRICS, 1)]);
    assert_eq!(bench.send(1), (vec![(METRICS, 5)], 0));
    assert_eq!(bench.receive(1), START_NS + GRACE_NS);
    bench.after_ms(3);
    bench.answer(1, 0, vec![part(METRICS, 0, &[])]);
    assert_eq!(bench.done(), Ok(Vec::new()));
}

#[test]
fn without_a_subscription_a_poll_only_sleeps() {
    let mut bench = Bench::new(&[]);
    bench.begin(LONG_NS);
    assert_eq!(bench.sleep(), START_NS + LONG_NS);
    assert_eq!(bench.done(), Ok(Vec::new()));
    assert_eq!(bench.done(), Ok(Vec::new()), "the poll is over");
}

#[test]
fn a_broker_that_throttles_gets_no_fetch_until_it_reads_again() {
    let mut bench = Bench::new(&[(METRICS, 5)]);
    bench.begin(LONG_NS);
    bench.lead(&[(METRICS, 1)]);
    bench.send(1);
    bench.receive(1);
    let rests_until_ns = bench.now_ns + LONG_NS / 2;
    bench.throttle(1, rests_until_ns);
    bench.sleep();
    bench.lead(&[(METRICS, 1)]);
    assert_eq!(bench.sleep(), rests_until_ns);
    bench.lead(&[(METRICS, 1)]);
    assert_eq!(bench.send(1), (vec![(METRICS, 5)], LONG_NS / 2), "nothing is skipped");
    bench.receive(1);

    let rests_until_ns = bench.now_ns + 3 * LONG_NS;
    bench.throttle(1, rests_until_ns);
    bench.sleep();
    bench.lead(&[(METRICS, 1)]);
    assert!(bench.sleep() < rests_until_ns);
    let error = bench.done().expect_err("nothing was read").to_string();
    assert!(error.contains("throttles this client"), "{error}");
    bench.begin(LONG_NS);
    bench.lead(&[(METRICS, 1)]);
    bench.sleep();
    assert!(bench.done().is_err(), "still without a Fetch");
    assert_eq!(bench.chores(), [], "it is not distrusted");
}
