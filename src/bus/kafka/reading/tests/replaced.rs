//! Topics deleted and created again, records removed by retention, topics that are missing, new partitions.

use super::*;
use crate::bus::kafka::responses::TopicId;

const OLD: TopicId = [1; 16];
const NEW: TopicId = [2; 16];
/// Broker 1 leads both.
const BOTH: [(Key, i32); 2] = [(METRICS, 1), (TRIGGER, 1)];

/// Leaders of a cluster in which all topics have this id.
fn known_as(id: TopicId, leaders: &[(Key, i32)]) -> Leaders {
    let ids = leaders.iter().map(|((topic, _), _)| (*topic, id)).collect();
    Leaders { ids, ..led(leaders) }
}

impl Bench {
    /// Begins a poll and sends a Fetch to broker 1, which leads all; returns what is asked.
    fn ask(&mut self, leaders: Leaders) -> Vec<(Key, i64)> {
        self.begin(LONG_NS);
        assert!(matches!(self.next(), Step::FindLeaders { .. }));
        self.tell(Event::Leaders(Ok(leaders)));
        self.send(1).0
    }

    /// Expects a warning that contains these words.
    fn warns_of(&mut self, words: &[&str]) {
        let step = self.next();
        let Step::Warn(line) = &step else { panic!("{step:?}") };
        for word in words {
            assert!(line.contains(word), "{word:?} is missing in: {line}");
        }
    }

    /// Answers the Fetch to broker 1 with "no such offset" and the question that follows with this range.
    fn lose(&mut self, id: Option<TopicId>, range: (i64, i64)) {
        self.receive(1);
        self.answer(1, 0, vec![part(METRICS, 1, &[])]);
        assert_eq!(self.next(), Step::Distrust);
        assert!(matches!(self.next(), Step::FindRange { key: METRICS, .. }));
        self.tell(Event::Range { key: METRICS, id, range: Ok(Some(range)) });
    }
}

/// A reader of metrics and trigger that has read records of each.
fn reader(id: Option<TopicId>) -> Bench {
    let mut bench = Bench::new(&[(METRICS, 5), (TRIGGER, 8)]);
    bench.ask(id.map_or(led(&BOTH), |id| known_as(id, &BOTH)));
    bench.receive(1);
    bench.answer(1, 0, vec![part(METRICS, 0, &plain(5)), part(TRIGGER, 0, &plain(8))]);
    assert_eq!(offsets(&bench.done().expect("records")), [5, 8]);
    bench
}

#[test]
fn a_topic_with_another_id_is_read_from_its_beginning_with_one_warning() {
    let mut bench = reader(Some(OLD));
    let mut leaders = known_as(OLD, &BOTH);
    leaders.ids.insert(Topic::Metrics, NEW);
    bench.begin(LONG_NS);
    bench.next();
    bench.tell(Event::Leaders(Ok(leaders.clone())));
    bench.warns_of(&["topic metrics was deleted and created again", "its beginning"]);
    let mut asked = bench.send(1).0;
    asked.sort();
    assert_eq!(asked, [(TRIGGER, 9), (METRICS, 0)], "the other topic goes on");
    bench.receive(1);
    bench.answer(1, 0, vec![part(METRICS, 0, &plain(0))]);
    assert_eq!(offsets(&bench.done().expect("a record")), [0]);
    assert!(bench.ask(leaders).contains(&(METRICS, 1)), "it was told once");
}

#[test]
fn what_the_old_topic_still_answers_is_dropped() {
    let mut bench = Bench::new(&[(METRICS, 5), (TRIGGER, 8)]);
    bench.begin(LONG_NS);
    bench.next();
    bench.tell(Event::Leaders(Ok(known_as(OLD, &[(METRICS, 1), (TRIGGER, 2)]))));
    bench.send(1);
    bench.send(2);
    bench.receive(1);
    bench.tell(Event::Failed { broker: 1, error: away("reset") });
    bench.chores();
    bench.receive(2);
    bench.silent(2);
    bench.now_ns += LONG_NS;
    bench.begin(LONG_NS);
    bench.next();
    bench.tell(Event::Leaders(Ok(known_as(NEW, &[(METRICS, 1), (TRIGGER, 2)]))));
    assert_eq!(bench.chores().len(), 2, "one warning for each topic");
    assert_eq!(bench.send(1).0, [(METRICS, 0)]);
    bench.receive(1);
    bench.silent(1);
    bench.receive(2);
    bench.answer(2, LONG_NS, vec![part(TRIGGER, 0, &plain(8))]);
    bench.next();
    bench.tell(Event::Leaders(Ok(known_as(NEW, &[(METRICS, 1), (TRIGGER, 2)]))));
    assert_eq!(bench.send(2).0, [(TRIGGER, 0)], "the old topic's record 8 is not delivered");
}

#[test]
fn an_offset_that_only_the_old_topic_had_leads_to_the_beginning() {
    let mut bench = reader(Some(OLD));
    bench.ask(known_as(OLD, &BOTH));
    bench.lose(Some(NEW), (0, 3));
    bench.next();
    let mut leaders = known_as(OLD, &BOTH);
    leaders.ids.insert(Topic::Metrics, NEW);
    bench.tell(Event::Leaders(Ok(leaders)));
    bench.warns_of(&["topic metrics was deleted and created again"]);
    assert!(bench.send(1).0.contains(&(METRICS, 0)), "without a second warning");
}

#[test]
fn without_ids_a_partition_that_ends_before_what_was_read_is_a_new_one() {
    let mut bench = reader(None);
    bench.ask(led(&BOTH));
    bench.lose(None, (0, 3));
    bench.warns_of(&["offset 6 does not exist", "0 to 3", "deleted and created again", "continuing at 0"]);
    bench.lead(&BOTH);
    assert!(bench.send(1).0.contains(&(METRICS, 0)));
}

#[test]
fn records_removed_by_retention_are_skipped_to_the_oldest_one() {
    for id in [None, Some(OLD)] {
        let mut bench = reader(id);
        bench.ask(id.map_or(led(&BOTH), |id| known_as(id, &BOTH)));
        bench.lose(id, (40, 90));
        bench.warns_of(&["offset 6 does not exist", "40 to 90", "continuing at 40"]);
        bench.lead(&BOTH);
        assert!(bench.send(1).0.contains(&(METRICS, 40)));
    }
}

#[test]
fn a_log_that_lost_its_newest_records_is_not_read_twice() {
    let mut bench = reader(Some(OLD));
    bench.ask(known_as(OLD, &BOTH));
    bench.lose(Some(OLD), (0, 3));
    bench.warns_of(&["offset 6 does not exist", "continuing at 3"]);
}

#[test]
fn a_missing_topic_is_a_fault_and_spares_the_others() {
    let mut bench = reader(Some(OLD));
    bench.after_ms(1);
    bench.begin(LONG_NS);
    bench.next();
    let faults = BTreeMap::from([(Topic::Metrics, away("metrics is missing"))]);
    bench.tell(Event::Leaders(Ok(Leaders { faults, ..known_as(OLD, &[(TRIGGER, 1)]) })));
    assert_eq!(bench.next(), Step::Distrust, "it may be created again");
    assert_eq!(bench.send(1).0, [(TRIGGER, 9)]);
    bench.receive(1);
    bench.now_ns += LONG_NS;
    bench.answer(1, LONG_NS, vec![part(TRIGGER, 0, &[])]);
    assert_eq!(bench.done(), Err(away("metrics is missing")));
}

#[test]
fn a_new_subscription_belongs_to_the_topic_as_it_is_now() {
    let mut bench = reader(Some(OLD));
    bench.reading.start(Topic::Metrics, BTreeMap::from([(0, 2)]));
    let mut leaders = known_as(OLD, &BOTH);
    leaders.ids.insert(Topic::Metrics, NEW);
    assert!(bench.ask(leaders).contains(&(METRICS, 2)), "and there is no warning");
}

#[test]
fn a_new_partition_is_read_from_its_beginning() {
    let mut bench = reader(None);
    bench.begin(LONG_NS);
    bench.next();
    let more = [(METRICS, 1), ((Topic::Metrics, 1), 1), (TRIGGER, 1), ((Topic::Register, 0), 1)];
    bench.tell(Event::Leaders(Ok(led(&more))));
    bench.warns_of(&["topic metrics has a new partition 1"]);
    let mut asked = bench.send(1).0;
    asked.sort();
    assert_eq!(asked, [(TRIGGER, 9), (METRICS, 6), ((Topic::Metrics, 1), 0)]);
}
