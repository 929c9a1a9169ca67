//! Scripted events with a time that only moves when a test says so.

mod faults;
mod replaced;
mod rounds;
mod world;

use super::flight::GRACE_NS;
use super::*;
use crate::bus::kafka::fuzzing::plain;
use crate::bus::kafka::responses::FetchedPartition;
use crate::bus::kafka::settings::KafkaSettings;
use crate::bus::kafka::wire::Malformed;

const METRICS: Key = (Topic::Metrics, 0);
const TRIGGER: Key = (Topic::Trigger, 0);
/// Timeout of most polls.
const LONG_NS: u64 = NS_PER_S;
const START_NS: u64 = 100 * NS_PER_S;

fn shared() -> Arc<Context> {
    Arc::new(Context::new(KafkaSettings::new(vec!["a:1".to_owned()])).expect("settings"))
}

fn away(text: &str) -> BusError {
    BusError::Unavailable(text.to_owned())
}

fn part(key: Key, error: i16, batches: &[u8]) -> FetchedPartition<'_> {
    let (topic, partition) = (key.0.name().to_owned(), key.1);
    FetchedPartition { topic, partition, error, aborted: Vec::new(), batches, whole: true }
}

/// Leaders of a cluster without topic ids.
fn led(leaders: &[(Key, i32)]) -> Leaders {
    Leaders { of: leaders.iter().copied().collect(), ..Leaders::default() }
}

fn offsets(records: &[Record]) -> Vec<i64> {
    records.iter().map(|record| record.offset).collect()
}

/// A reading whose steps are checked one by one.
struct Bench {
    reading: Reading,
    now_ns: u64,
}

impl Bench {
    /// Reads these partitions from these offsets.
    fn new(subscribed: &[(Key, i64)]) -> Self {
        let mut bench = Bench { reading: Reading::new(shared()), now_ns: START_NS };
        for topic in Topic::ALL {
            let of_topic = subscribed.iter().filter(|((known, _), _)| *known == topic);
            let offsets: BTreeMap<i32, i64> = of_topic.map(|((_, part), next)| (*part, *next)).collect();
            if !offsets.is_empty() {
                bench.reading.start(topic, offsets);
            }
        }
        bench
    }

    fn begin(&mut self, timeout_ns: u64) {
        self.reading.begin(self.now_ns, timeout_ns);
    }

    fn next(&mut self) -> Step {
        self.reading.next(self.now_ns)
    }

    fn tell(&mut self, event: Event<'_>) {
        self.reading.handle(self.now_ns, event);
    }

    fn after_ms(&mut self, ms: u64) {
        self.now_ns += ms * NS_PER_MS;
    }

    /// Expects the question for the leaders and answers it.
    fn lead(&mut self, leaders: &[(Key, i32)]) {
        let step = self.next();
        assert!(matches!(step, Step::FindLeaders { .. }), "{step:?}");
        self.tell(Event::Leaders(Ok(led(leaders))));
    }

    /// Expects that this broker is connected and gets a Fetch; returns what is asked and the wait.
    fn send(&mut self, to: i32) -> (Vec<(Key, i64)>, u64) {
        let step = self.next();
        assert!(matches!(step, Step::Connect { broker, .. } if broker == to), "{step:?} instead of {to}");
        self.tell(Event::Connected);
        let step = self.next();
        let Step::Send { broker, wanted, max_wait_ns, .. } = step else { panic!("{step:?}") };
        assert_eq!(broker, to);
        self.tell(Event::Sent);
        (wanted, max_wait_ns)
    }

    /// Expects to receive from this broker; returns until when.
    fn receive(&mut self, from: i32) -> u64 {
        let step = self.next();
        let Step::Receive { broker, limit_ns } = step else { panic!("{step:?}") };
        assert_eq!(broker, from);
        limit_ns
    }

    /// Answers a Fetch after `took_ns`.
    fn answer(&mut self, broker: i32, took_ns: u64, parts: Vec<FetchedPartition<'_>>) {
        let answer = FetchAnswer { read: Ok((0, parts)), is_cut: false, took_ns, rests_until_ns: 0 };
        self.tell(Event::Answered { broker, answer });
    }

    /// Answers a Fetch without records, since a quota is used up.
    fn throttle(&mut self, broker: i32, rests_until_ns: u64) {
        let answer = FetchAnswer { read: Ok((0, Vec::new())), is_cut: false, took_ns: 0, rests_until_ns };
        self.tell(Event::Answered { broker, answer });
    }

    fn silent(&mut self, broker: i32) {
        self.tell(Event::Silent { broker, error: away("silent") });
    }

    /// Expects a sleep and sleeps.
    fn sleep(&mut self) -> u64 {
        let step = self.next();
        let Step::Sleep { until_ns } = step else { panic!("{step:?}") };
        self.now_ns = self.now_ns.max(until_ns);
        until_ns
    }

    fn done(&mut self) -> Result<Vec<Record>, BusError> {
        match self.next() {
            Step::Done(result) => result,
            step => panic!("{step:?}"),
        }
    }

    /// Takes steps that report nothing back and returns them, except sleeps.
    fn chores(&mut self) -> Vec<Step> {
        self.reading.poll.chores.drain(..).filter(|step| !matches!(step, Step::Sleep { .. })).collect()
    }

    /// A poll in which broker 1 answers at once with one record of `key`.
    fn read_one(&mut self, key: Key, offset: i64) {
        self.begin(LONG_NS);
        self.lead(&[(key, 1)]);
        assert_eq!(self.send(1).0, [(key, offset)]);
        self.receive(1);
        self.answer(1, 0, vec![part(key, 0, &plain(offset))]);
        assert_eq!(offsets(&self.done().expect("a record")), [offset]);
    }
}
