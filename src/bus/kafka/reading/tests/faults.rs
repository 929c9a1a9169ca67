//! Rounds with faults: who is told what, and when a broker is given up.

use super::*;

/// How long a late broker keeps its connection.
const PATIENCE_NS: u64 = 5 * NS_PER_S;

/// A poll whose Fetch to broker 1 is in flight.
fn asked(bench: &mut Bench, timeout_ns: u64) {
    bench.begin(timeout_ns);
    bench.lead(&[(METRICS, 1)]);
    bench.send(1);
    bench.receive(1);
}

#[test]
fn an_offset_that_does_not_exist_moves_to_the_nearest_end() {
    for (from, range, nearest) in [(5, (10, 20), 10), (99, (10, 20), 20), (15, (10, 20), 15), (5, (9, 3), 9)]
    {
        let mut bench = Bench::new(&[(METRICS, from)]);
        asked(&mut bench, LONG_NS);
        bench.answer(1, 0, vec![part(METRICS, 1, &[]), part(METRICS, 0, &plain(from))]);
        let limit_ns = bench.now_ns + LONG_NS + GRACE_NS;
        assert_eq!(bench.next(), Step::Distrust, "it may be another topic by now");
        assert_eq!(bench.next(), Step::FindRange { key: METRICS, limit_ns }, "and its records are dropped");
        bench.tell(Event::Range { key: METRICS, id: None, range: Ok(Some(range)) });
        let Step::Warn(line) = bench.next() else { panic!("no warning") };
        for word in [format!("offset {from} "), format!("{} to {}", range.0, range.1), nearest.to_string()] {
            assert!(line.contains(&word), "{word:?} is missing in: {line}");
        }
        bench.lead(&[(METRICS, 1)]);
        assert_eq!(bench.send(1).0, [(METRICS, nearest)]);
    }
}

#[test]
fn an_unknown_range_is_asked_for_again() {
    let mut bench = Bench::new(&[(METRICS, 5)]);
    asked(&mut bench, LONG_NS);
    bench.answer(1, 0, vec![part(METRICS, 1, &[])]);
    assert_eq!(bench.next(), Step::Distrust);
    bench.next();
    bench.tell(Event::Range { key: METRICS, id: None, range: Ok(None) });
    bench.lead(&[(METRICS, 1)]);
    bench.send(1);
    bench.receive(1);
    bench.answer(1, LONG_NS, vec![part(METRICS, 0, &plain(5))]);
    let step = bench.next();
    assert!(matches!(step, Step::FindRange { key: METRICS, .. }), "until then nothing is read: {step:?}");
}

#[test]
fn a_range_that_cannot_be_had_is_a_fault() {
    let mut bench = Bench::new(&[(METRICS, 5)]);
    asked(&mut bench, LONG_NS);
    bench.answer(1, 0, vec![part(METRICS, 1, &[])]);
    assert_eq!(bench.next(), Step::Distrust);
    bench.next();
    bench.now_ns += LONG_NS;
    bench.tell(Event::Range { key: METRICS, id: None, range: Err(away("no offsets")) });
    assert_eq!(bench.next(), Step::Distrust);
    bench.sleep();
    assert_eq!(bench.done(), Err(away("no offsets")));
}

#[test]
fn silence_is_a_fault_and_after_some_patience_a_reason_to_hang_up() {
    let mut bench = Bench::new(&[(METRICS, 5)]);
    asked(&mut bench, LONG_NS);
    bench.now_ns += LONG_NS;
    bench.silent(1);
    bench.lead(&[(METRICS, 1)]);
    assert_eq!(bench.receive(1), START_NS + LONG_NS + GRACE_NS, "the poll waits a little longer");
    bench.now_ns += GRACE_NS;
    bench.silent(1);
    assert_eq!(bench.done(), Err(away("silent")));
    let hung_up_ns = START_NS + LONG_NS + GRACE_NS + PATIENCE_NS;
    while bench.now_ns + LONG_NS < hung_up_ns {
        bench.begin(LONG_NS);
        bench.lead(&[(METRICS, 1)]);
        assert_eq!(
            bench.receive(1),
            bench.now_ns + LONG_NS,
            "nothing is sent, and the poll is not prolonged"
        );
        bench.now_ns += LONG_NS;
        bench.silent(1);
        assert_eq!(bench.chores(), []);
        assert_eq!(bench.done(), Err(away("silent")));
    }
    bench.begin(LONG_NS);
    bench.lead(&[(METRICS, 1)]);
    bench.receive(1);
    bench.now_ns = hung_up_ns;
    bench.silent(1);
    assert_eq!((bench.next(), bench.next()), (Step::HangUp(1), Step::Distrust));
    assert_eq!(bench.done(), Err(away("silent")));
    assert!(bench.reading.flights.is_empty());
}

#[test]
fn a_broker_that_hung_may_still_answer() {
    let mut bench = Bench::new(&[(METRICS, 5)]);
    asked(&mut bench, LONG_NS);
    bench.now_ns += LONG_NS + GRACE_NS;
    bench.silent(1);
    assert_eq!(bench.done(), Err(away("silent")));
    bench.begin(LONG_NS);
    bench.lead(&[(METRICS, 1)]);
    bench.receive(1);
    bench.after_ms(900);
    bench.answer(1, 3 * NS_PER_S, vec![part(METRICS, 0, &plain(5))]);
    assert_eq!(offsets(&bench.done().expect("the late record")), [5]);
    assert!(bench.reading.subscriptions.are_well());
}

#[test]
fn a_poll_that_nobody_answered_says_for_which_topic() {
    let mut bench = Bench::new(&[(METRICS, 5)]);
    bench.begin(LONG_NS);
    bench.lead(&[(METRICS, 1)]);
    bench.send(1);
    bench.receive(1);
    bench.tell(Event::Gone { broker: 1 });
    bench.now_ns += LONG_NS;
    let Err(BusError::Unavailable(text)) = bench.done() else { panic!("nobody answered") };
    assert_eq!(text, "kafka a:1 does not answer in time for topic metrics: is it hung?");
}

#[test]
fn a_failed_broker_is_dropped_and_asked_again_after_a_backoff() {
    let mut bench = Bench::new(&[(METRICS, 5)]);
    asked(&mut bench, LONG_NS);
    bench.tell(Event::Failed { broker: 1, error: away("reset") });
    assert_eq!((bench.next(), bench.next()), (Step::HangUp(1), Step::Distrust));
    assert_eq!(bench.next(), Step::ListOpen(vec![]), "a failed partition is not asked for in a backoff");
    bench.tell(Event::Leaders(Ok(led(&[]))));
    let due_ns = bench.sleep();
    assert!(due_ns > START_NS && due_ns < START_NS + 100 * NS_PER_MS, "{due_ns}");
    bench.lead(&[(METRICS, 1)]);
    assert_eq!(bench.send(1).0, [(METRICS, 5)], "at the same offset");
    bench.receive(1);
    bench.answer(1, 0, vec![part(METRICS, 0, &plain(5))]);
    assert!(bench.done().is_ok());
    assert_eq!(bench.reading.retry.not_before_ns(), 0, "the backoff is over");
}

#[test]
fn during_a_backoff_open_connections_are_still_read() {
    let mut bench = Bench::new(&[(METRICS, 5), (TRIGGER, 8)]);
    bench.begin(LONG_NS);
    bench.lead(&[(METRICS, 1), (TRIGGER, 2)]);
    bench.send(1);
    assert!(matches!(bench.next(), Step::Connect { broker: 2, .. }));
    bench.tell(Event::Failed { broker: 2, error: away("refused") });
    assert_eq!((bench.next(), bench.next()), (Step::HangUp(2), Step::Distrust));
    bench.receive(1);
    bench.answer(1, LONG_NS, vec![part(METRICS, 0, &[])]);
    assert_eq!(bench.next(), Step::ListOpen(vec![METRICS]));
    bench.tell(Event::Leaders(Ok(led(&[(METRICS, 1)]))));
    assert_eq!(bench.send(1).0, [(METRICS, 5)]);
}

#[test]
fn faulty_answers_are_errors_with_the_reason() {
    let malformed = || Err(Malformed("a length is negative"));
    for (read, word) in
        [(malformed(), "response of broker 1 is malformed: a length"), (Ok((3, vec![])), "(all)")]
    {
        let mut bench = Bench::new(&[(METRICS, 5)]);
        asked(&mut bench, LONG_NS);
        bench.now_ns += LONG_NS;
        bench.tell(Event::Answered {
            broker: 1,
            answer: FetchAnswer { read, is_cut: false, took_ns: 0, rests_until_ns: 0 },
        });
        assert_eq!(bench.chores(), [Step::HangUp(1), Step::Distrust]);
        let error = bench.done().unwrap_err();
        assert!(error.is_transient() && error.to_string().contains(word), "{error}");
    }
}

#[test]
fn the_error_of_one_partition_spares_the_others_of_the_same_broker() {
    let mut bench = Bench::new(&[(METRICS, 5), (TRIGGER, 8)]);
    bench.begin(LONG_NS);
    for code in [0, 6] {
        bench.lead(&[(METRICS, 1), (TRIGGER, 1)]);
        bench.send(1);
        bench.receive(1);
        bench.answer(1, LONG_NS, vec![part(TRIGGER, code, &[]), part(METRICS, 0, &[])]);
    }
    assert_eq!(bench.chores(), [Step::Distrust], "the connection is kept, the leaders are not");
    assert_eq!(bench.next(), Step::ListOpen(vec![METRICS]));
    bench.tell(Event::Leaders(Ok(led(&[(METRICS, 1)]))));
    assert_eq!(bench.send(1).0, [(METRICS, 5)]);
    bench.receive(1);
    bench.answer(1, 0, vec![part(METRICS, 0, &plain(5))]);
    assert_eq!(offsets(&bench.done().expect("the other topic")), [5]);
    assert!(bench.reading.retry.not_before_ns() > 0, "one good answer does not end the backoff of a fault");
}

#[test]
fn unknown_leaders_are_a_fault_of_all_that_is_not_in_flight() {
    let mut bench = Bench::new(&[(METRICS, 5), (TRIGGER, 8)]);
    bench.begin(LONG_NS);
    bench.lead(&[(METRICS, 1), (TRIGGER, 2)]);
    bench.send(1);
    bench.send(2);
    bench.receive(1);
    bench.answer(1, LONG_NS, vec![part(METRICS, 0, &[])]);
    bench.receive(2);
    bench.silent(2);
    bench.next();
    bench.tell(Event::Leaders(Err(away("no metadata"))));
    assert_eq!(bench.next(), Step::Distrust);
    let fault = |key| bench.reading.subscriptions.get(key).and_then(|progress| progress.fault.clone());
    assert_eq!((fault(METRICS), fault(TRIGGER)), (Some(away("no metadata")), None));
    bench.receive(2);
}

/// Another topic is read all the time, in polls of 100 ms.
#[test]
fn a_fault_is_told_at_most_once_a_second_while_others_deliver() {
    let mut bench = Bench::new(&[(METRICS, 0), (TRIGGER, 8)]);
    let (mut told, mut delivered) = (Vec::new(), Vec::new());
    let end_ns = START_NS + 10 * NS_PER_S;
    bench.begin(NS_PER_S / 10);
    while bench.now_ns < end_ns {
        match bench.next() {
            Step::FindLeaders { .. } => {
                bench.tell(Event::Leaders(Ok(led(&[(METRICS, 1), (TRIGGER, 2)]))));
            }
            Step::ListOpen(keys) => {
                assert_eq!(keys, [METRICS]);
                bench.tell(Event::Leaders(Ok(led(&[(METRICS, 1)]))));
            }
            Step::Connect { broker: 1, .. } => bench.tell(Event::Connected),
            Step::Connect { broker, .. } => bench.tell(Event::Failed { broker, error: away("refused") }),
            Step::Send { .. } => bench.tell(Event::Sent),
            Step::Receive { broker, .. } => {
                bench.after_ms(50);
                let next = bench.reading.subscriptions.get(METRICS).expect("metrics").next;
                bench.answer(broker, 0, vec![part(METRICS, 0, &plain(next))]);
            }
            Step::Done(result) => {
                match result {
                    Ok(records) => delivered.extend(offsets(&records)),
                    Err(error) => {
                        assert_eq!(error, away("refused"));
                        told.push(bench.now_ns);
                    }
                }
                bench.begin(NS_PER_S / 10);
            }
            Step::HangUp(2) | Step::Distrust => {}
            step => panic!("{step:?}"),
        }
    }
    assert!((9..=10).contains(&told.len()), "told {} times in 10 s", told.len());
    assert!(told.windows(2).all(|pair| pair[1] - pair[0] >= LEAST_TELL_NS), "{told:?}");
    assert!(delivered.len() >= 190, "only {} records", delivered.len());
    assert_eq!(delivered, Vec::from_iter(0..delivered.len() as i64), "none lost, none twice");
}

#[test]
fn records_held_back_for_a_fault_come_with_the_next_poll_unless_their_topic_moved() {
    for is_moved in [false, true] {
        let mut bench = Bench::new(&[(METRICS, 5), (TRIGGER, 8)]);
        bench.begin(LONG_NS);
        bench.lead(&[(METRICS, 1), (TRIGGER, 1)]);
        bench.send(1);
        bench.receive(1);
        bench.answer(1, 0, vec![part(TRIGGER, 6, &[]), part(METRICS, 0, &plain(5))]);
        assert_eq!(bench.chores(), [Step::Distrust]);
        assert!(bench.done().unwrap_err().to_string().contains("trigger"));
        if is_moved {
            bench.reading.start(Topic::Metrics, BTreeMap::from([(0, 0)]));
        }
        bench.begin(LONG_NS);
        match bench.next() {
            Step::Done(Ok(records)) if !is_moved => assert_eq!(offsets(&records), [5]),
            Step::ListOpen(_) if is_moved => {}
            step => panic!("{step:?}"),
        }
    }
}

#[test]
fn a_partition_without_a_leader_is_a_fault_and_the_leaders_are_asked_for_again() {
    let mut bench = Bench::new(&[(METRICS, 5)]);
    bench.begin(LONG_NS);
    bench.lead(&[(METRICS, -1)]);
    assert_eq!(bench.next(), Step::Distrust, "otherwise the same leaders would be used again");
    let due_ns = bench.sleep();
    assert!(due_ns > START_NS + NS_PER_MS, "a backoff, not a busy loop");
    bench.lead(&[(METRICS, 1)]);
    bench.send(1);
    bench.receive(1);
    bench.answer(1, 0, vec![part(METRICS, 0, &plain(5))]);
    assert_eq!(offsets(&bench.done().expect("a record")), [5]);
    bench.after_ms(1);
    bench.begin(0);
    bench.lead(&[]);
    assert_eq!(bench.next(), Step::Distrust);
    bench.sleep();
    let Err(BusError::Unavailable(text)) = bench.done() else { panic!("no leader") };
    assert_eq!(text, "partition 0 of topic metrics currently has no leader");
}
