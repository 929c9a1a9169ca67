//! First and next offsets of a topic's partitions.

use super::cluster::Cluster;
use super::versions::Api;
use super::{faults, requests, responses};
use crate::bus::{BusError, Position, Start, Topic};
use std::collections::BTreeMap;

/// Where to start in each partition; `ask` gets the offsets that [`ask`] explains.
pub fn of_start(
    start: &Start,
    mut ask: impl FnMut(i64) -> Result<BTreeMap<i32, i64>, BusError>,
) -> Result<BTreeMap<i32, i64>, BusError> {
    match start {
        Start::Beginning => ask(requests::EARLIEST),
        Start::End => ask(requests::LATEST),
        Start::At(Position(noted)) => {
            let mut offsets = ask(requests::EARLIEST)?;
            for (partition, offset) in &mut offsets {
                *offset = noted.get(partition).copied().unwrap_or(*offset);
            }
            Ok(offsets)
        }
        Start::Since(ms) => {
            // The ends come first: a record appended between the two questions must not be missed.
            let mut offsets = ask(requests::LATEST)?;
            // Negative times would select something else.
            let found = ask((*ms).max(0))?;
            offsets.extend(found.into_iter().filter(|(_, offset)| *offset >= 0));
            Ok(offsets)
        }
    }
}

/// Where a partition is read on if the broker does not have its offset `next`, but a `range` of first and
/// next offset; and a line for the log. If it `was_read` up to `next` and now ends before, its topic was
/// probably replaced by another one of the same name; without topic ids, nothing else shows it.
pub fn moved(name: &str, partition: i32, next: i64, range: (i64, i64), was_read: bool) -> (i64, String) {
    let (first, end) = range;
    let is_replaced = was_read && next > end;
    let to = if is_replaced { first } else { next.clamp(first, end.max(first)) };
    let why = if is_replaced { "; the topic was probably deleted and created again" } else { "" };
    let line = format!(
        "topic {name}, partition {partition}: offset {next} does not exist (the broker has {first} to \
         {end}){why}; continuing at {to}"
    );
    (to, line)
}

/// Asks the leaders of `topic` for the offsets selected by `which`, by partition: [`requests::EARLIEST`],
/// [`requests::LATEST`], or a time in ms since 1970 for the first record of that time or later (-1 if there
/// is none). One attempt.
pub fn ask(
    cluster: &mut Cluster,
    topic: Topic,
    which: i64,
    deadline_ns: u64,
) -> Result<BTreeMap<i32, i64>, BusError> {
    let name = cluster.settings().topic_name(topic);
    let mut by_leader: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for (partition, leader) in cluster.leaders(topic, deadline_ns)? {
        by_leader.entry(leader).or_default().push(partition);
    }
    if by_leader.is_empty() {
        return Err(BusError::Unavailable(format!("the cluster reports no partitions for topic {name}")));
    }
    let mut offsets = BTreeMap::new();
    for (leader, partitions) in by_leader {
        let connection = cluster.connection(leader, deadline_ns)?;
        let address = connection.address().clone();
        let asked = connection.call(
            Api::ListOffsets,
            |head| requests::list_offsets(head, &name, &partitions, which),
            deadline_ns,
        );
        let answer = asked.inspect_err(|_| cluster.hang_up(leader))?;
        let listed = answer
            .body()
            .and_then(|mut body| responses::list_offsets(&mut body, answer.version))
            .map_err(|malformed| faults::malformed(&address, malformed))?;
        for partition in listed {
            if partition.error != 0 {
                return Err(faults::topic(partition.error, &name, "get the offsets", None));
            }
            offsets.insert(partition.partition, partition.offset);
        }
    }
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The offsets for `start` in a topic with these offsets, and the questions asked.
    fn started(start: &Start, found: &[(i32, i64)]) -> (BTreeMap<i32, i64>, Vec<i64>) {
        let mut asked = Vec::new();
        let offsets = of_start(start, |which| {
            asked.push(which);
            Ok(match which {
                requests::EARLIEST => BTreeMap::from([(0, 5), (1, 6)]),
                requests::LATEST => BTreeMap::from([(0, 50), (1, 60)]),
                _ => found.iter().copied().collect(),
            })
        });
        (offsets.expect("offsets"), asked)
    }

    #[test]
    fn a_noted_position_replaces_the_beginning() {
        assert_eq!(started(&Start::Beginning, &[]).0, BTreeMap::from([(0, 5), (1, 6)]));
        assert_eq!(started(&Start::End, &[]).0, BTreeMap::from([(0, 50), (1, 60)]));
        let noted = Position(BTreeMap::from([(1, 9), (7, 7)]));
        assert_eq!(started(&Start::At(noted), &[]).0, BTreeMap::from([(0, 5), (1, 9)]));
    }

    #[test]
    fn a_partition_without_a_record_of_that_time_starts_at_its_end() {
        let (offsets, asked) = started(&Start::Since(1_234), &[(0, 17), (1, -1)]);
        assert_eq!(offsets, BTreeMap::from([(0, 17), (1, 60)]));
        assert_eq!(asked, [requests::LATEST, 1_234], "the end is known before the time is looked up");
        assert_eq!(started(&Start::Since(9), &[]).0, BTreeMap::from([(0, 50), (1, 60)]));
    }

    #[test]
    fn a_missing_offset_leads_to_the_nearest_one_or_to_a_new_beginning() {
        let to = |next, was_read| moved("metrics", 0, next, (10, 20), was_read).0;
        assert_eq!([to(5, false), to(5, true), to(15, true)], [10, 10, 15], "removed by retention");
        assert_eq!([to(21, false), to(21, true)], [20, 10], "never there, or there before");
        assert_eq!(moved("metrics", 0, 5, (9, 3), true).0, 9, "a range that makes no sense");
        assert!(moved("metrics", 0, 21, (10, 20), true).1.contains("deleted and created again"));
    }

    #[test]
    fn a_negative_time_is_not_taken_for_a_special_one() {
        for ms in [-1, -2, i64::MIN] {
            assert_eq!(started(&Start::Since(ms), &[(0, 5), (1, 6)]).1, [requests::LATEST, 0]);
        }
    }

    #[test]
    fn an_error_of_either_question_is_returned() {
        let away = || BusError::Unavailable("away".to_owned());
        for failing in [requests::LATEST, 7] {
            let asked = of_start(&Start::Since(7), |which| {
                if which == failing { Err(away()) } else { Ok(BTreeMap::from([(0, 1)])) }
            });
            assert_eq!(asked, Err(away()));
        }
    }
}
