//! A cluster that fails at random: whatever happens, no record is lost or doubled and every poll ends.

use super::*;
use proptest::prelude::*;

const PARTITIONS: [Key; 3] = [TRIGGER, METRICS, (Topic::Metrics, 1)];
/// Records in each partition.
const END: i64 = 40;

/// Two brokers; every byte decides what happens next, and when they are used up, all goes well.
struct World {
    reading: Reading,
    now_ns: u64,
    luck: std::vec::IntoIter<u8>,
    /// The Fetches in flight.
    asked: BTreeMap<i32, Vec<(Key, i64)>>,
    open: [bool; 2],
}

impl World {
    fn new(luck: Vec<u8>) -> Self {
        let bench = Bench::new(&PARTITIONS.map(|key| (key, 0)));
        let (asked, open) = (BTreeMap::new(), [false; 2]);
        World { reading: bench.reading, now_ns: START_NS, luck: luck.into_iter(), asked, open }
    }

    /// 0 means that all goes well.
    fn draw(&mut self, most: u8) -> u8 {
        self.luck.next().map_or(0, |byte| byte % (most + 1))
    }

    fn poll(&mut self, timeout_ns: u64) -> Result<Vec<Record>, BusError> {
        let deadline_ns = self.now_ns + timeout_ns;
        self.reading.begin(self.now_ns, timeout_ns);
        for _ in 0..5_000 {
            let step = self.reading.next(self.now_ns);
            if let Step::Done(result) = step {
                let late_ns = self.now_ns.saturating_sub(deadline_ns);
                assert!(late_ns <= 2 * GRACE_NS + 50 * NS_PER_MS, "{late_ns} ns after the deadline");
                return result;
            }
            self.take(step);
        }
        panic!("the poll does not end");
    }

    fn take(&mut self, step: Step) {
        let event = match step {
            Step::Sleep { until_ns } => {
                self.now_ns = self.now_ns.max(until_ns);
                return;
            }
            Step::HangUp(broker) => {
                self.asked.remove(&broker);
                self.open[broker as usize] = false;
                return;
            }
            Step::Distrust | Step::Warn(_) | Step::Done(_) => return,
            Step::FindRange { key, .. } => Event::Range {
                key,
                id: None,
                range: match self.draw(3) {
                    3 => Err(away("no offsets")),
                    2 => Ok(None),
                    _ => Ok(Some((0, END))),
                },
            },
            Step::FindLeaders { .. } => Event::Leaders(match self.draw(9) {
                9 => Err(away("no metadata")),
                luck => Ok(led(&PARTITIONS.map(|key| (key, self.leader(key, luck))))),
            }),
            Step::ListOpen(keys) => {
                let open = keys
                    .into_iter()
                    .map(|key| (key, key.1))
                    .filter(|(_, leader)| self.open[*leader as usize]);
                Event::Leaders(Ok(led(&open.collect::<Vec<_>>())))
            }
            Step::Connect { broker, .. } => {
                self.now_ns += NS_PER_MS;
                self.open[broker as usize] = true;
                if self.draw(5) == 5 {
                    Event::Failed { broker, error: away("refused") }
                } else {
                    Event::Connected
                }
            }
            Step::Send { broker, wanted, .. } => {
                assert!(self.asked.insert(broker, wanted).is_none(), "two Fetches at once");
                if self.draw(7) == 7 { Event::Failed { broker, error: away("reset") } } else { Event::Sent }
            }
            Step::Receive { broker, limit_ns } => return self.receive(broker, limit_ns),
        };
        self.reading.handle(self.now_ns, event);
    }

    /// Partitions 0 belong to broker 0, partition 1 to broker 1, or to nobody, or they move.
    fn leader(&self, key: Key, luck: u8) -> i32 {
        match luck {
            8 => -1,
            7 => 1 - key.1,
            _ => key.1,
        }
    }

    fn receive(&mut self, broker: i32, limit_ns: u64) {
        match self.draw(12) {
            12 => {
                self.reading.handle(self.now_ns, Event::Failed { broker, error: away("reset") });
            }
            9..12 => {
                self.now_ns = self.now_ns.max(limit_ns);
                self.reading.handle(self.now_ns, Event::Silent { broker, error: away("silent") });
            }
            8 => {
                self.asked.remove(&broker);
                self.reading.handle(self.now_ns, Event::Gone { broker });
            }
            luck => {
                self.now_ns += NS_PER_MS;
                let wanted = self.asked.remove(&broker).expect("a Fetch in flight");
                let batches: Vec<Vec<u8>> =
                    wanted.iter().map(|(_, next)| batches_from(*next, luck)).collect();
                let code = [0, 0, 0, 0, 0, 0, 1, 6][usize::from(luck)];
                let parts = wanted
                    .iter()
                    .zip(&batches)
                    .map(|((key, _), batches)| part(*key, code, batches))
                    .collect();
                let answer = FetchAnswer {
                    read: Ok((0, parts)),
                    is_cut: false,
                    took_ns: NS_PER_MS,
                    rests_until_ns: 0,
                };
                self.reading.handle(self.now_ns, Event::Answered { broker, answer });
            }
        }
    }
}

/// Up to three records; as a real broker may, from before the requested offset.
fn batches_from(next: i64, luck: u8) -> Vec<u8> {
    let from = (next - i64::from(luck == 2)).max(0);
    (from..END.min(next + i64::from(luck % 4) + 1)).flat_map(plain).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn no_record_is_lost_or_doubled(luck in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut world = World::new(luck);
        let mut seen: BTreeMap<Key, Vec<i64>> = BTreeMap::new();
        for poll in 0..1_000u64 {
            for record in world.poll([0, 20, 700][(poll % 3) as usize] * NS_PER_MS).unwrap_or_default() {
                seen.entry((record.topic, record.partition)).or_default().push(record.offset);
            }
            if world.luck.len() == 0 && seen.values().map(Vec::len).sum::<usize>() >= 3 * END as usize {
                break;
            }
        }
        prop_assert_eq!(world.luck.len(), 0, "the luck was used");
        for key in PARTITIONS {
            let all = Vec::from_iter(0..END);
            prop_assert_eq!(seen.get(&key), Some(&all), "{:?}", key);
        }
    }
}
