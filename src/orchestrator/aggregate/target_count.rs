//! Requests that floodgate-targets counted during a test, from each driver's readings at its start and its
//! end.
//!
//! Drivers may load different targets, and the counters of two processes are unrelated. So the readings are
//! grouped by the counting process; each group counts maximum end − minimum start.

use crate::message::{MAX_INSTANCE_BYTES, Metrics, TargetCount, TargetSeen};
use std::collections::BTreeMap;

/// What a final report says about its target; `None` if the target does not count.
pub fn read(message: &Metrics) -> Option<TargetCount> {
    if !message.is_final {
        return None;
    }
    if message.target_restarted {
        return Some(TargetCount::Restarted);
    }
    let mut seen = message.target_seen.clone()?;
    seen.instance = seen.instance.filter(|name| name.len() <= MAX_INSTANCE_BYTES);
    Some(TargetCount::Seen(seen))
}

/// Requests that the targets of all drivers counted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Not every driver has a target that counts, or not every final report is in.
    Nothing,
    /// Requests, warm-up included.
    Requests(u64),
    /// It cannot be determined, for this reason.
    Unknown(String),
}

/// Sums the readings of the drivers, each with its name.
pub fn sum<'a>(drivers: impl Iterator<Item = (&'a str, Option<&'a TargetCount>)>) -> Counted {
    let (mut seen, mut restarted, mut silent) = (Vec::new(), Vec::new(), false);
    for (name, count) in drivers {
        match count {
            Some(TargetCount::Seen(one)) => seen.push(one),
            Some(TargetCount::Restarted) => restarted.push(name),
            None => silent = true,
        }
    }
    if let Some(first) = restarted.first() {
        let others = match restarted.len() - 1 {
            0 => String::new(),
            1 => " and one more driver".to_owned(),
            more => format!(" and {more} more drivers"),
        };
        return Counted::Unknown(format!(
            "driver {first}{others} reached a different process at the end than at the start, so the target \
             was restarted during the test, or several processes share its address"
        ));
    }
    if silent || seen.is_empty() { Counted::Nothing } else { sum_of_processes(&seen) }
}

fn sum_of_processes(seen: &[&TargetSeen]) -> Counted {
    let mut processes: BTreeMap<Option<&str>, (u64, u64)> = BTreeMap::new();
    for one in seen {
        let span = processes.entry(one.instance.as_deref()).or_insert((one.before, one.after));
        *span = (span.0.min(one.before), span.1.max(one.after));
    }
    if processes.contains_key(&None) && processes.len() > 2 {
        return Counted::Unknown(
            "the drivers loaded several targets, and not all of them report which; run the same version \
             everywhere"
                .to_owned(),
        );
    }
    if processes.contains_key(&None) {
        // With at most one named process, all read the same counter: only their versions differ.
        let min = processes.values().map(|span| span.0).min().unwrap_or(0);
        let max = processes.values().map(|span| span.1).max().unwrap_or(0);
        return Counted::Requests(max.saturating_sub(min));
    }
    let spans = processes.values().map(|(before, after)| after.saturating_sub(*before));
    Counted::Requests(spans.fold(0, u64::saturating_add))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(before: u64, after: u64, instance: &str) -> Option<TargetCount> {
        let instance = (!instance.is_empty()).then(|| instance.to_owned());
        Some(TargetCount::Seen(TargetSeen { before, after, instance }))
    }

    fn counted(counts: &[Option<TargetCount>]) -> Counted {
        let names = ["d1", "d2", "d3"];
        sum(names.into_iter().zip(counts).map(|(name, count)| (name, count.as_ref())))
    }

    #[test]
    fn each_process_is_counted_separately() {
        let one = [seen(5, 90, "a"), seen(3, 103, "a")];
        assert_eq!(counted(&one), Counted::Requests(100), "one counter, read twice");
        let two = [seen(0, 50, "a"), seen(1_000, 1_050, "b"), seen(20, 70, "a")];
        assert_eq!(counted(&two), Counted::Requests(70 + 50));
        assert_eq!(counted(&[seen(u64::MIN, u64::MAX, "a"), seen(0, 9, "b")]), Counted::Requests(u64::MAX));
        assert_eq!(counted(&[seen(9, 3, "a")]), Counted::Requests(0), "implausible readings do not panic");
    }

    #[test]
    fn if_a_name_is_missing_all_read_one_counter() {
        assert_eq!(counted(&[seen(0, 90, ""), seen(2, 100, "")]), Counted::Requests(100));
        assert_eq!(counted(&[seen(0, 90, ""), seen(2, 100, "a")]), Counted::Requests(100));
    }

    #[test]
    fn indistinguishable_counters_give_no_figure() {
        let Counted::Unknown(why) = counted(&[seen(0, 9, ""), seen(0, 9, "a"), seen(0, 9, "b")]) else {
            panic!("a figure")
        };
        assert!(why.contains("several targets"), "{why}");
    }

    #[test]
    fn a_restart_is_named_and_no_figure_is_invented() {
        let Counted::Unknown(why) = counted(&[seen(0, 9, "a"), Some(TargetCount::Restarted)]) else {
            panic!("a figure")
        };
        assert!(why.starts_with("driver d2 reached"), "{why}");
        let Counted::Unknown(why) =
            counted(&[Some(TargetCount::Restarted), None, Some(TargetCount::Restarted)])
        else {
            panic!("a figure")
        };
        assert!(why.starts_with("driver d1 and one more driver reached"), "{why}");
    }

    #[test]
    fn there_is_no_figure_before_all_drivers_have_reported() {
        assert_eq!(counted(&[]), Counted::Nothing);
        assert_eq!(counted(&[seen(0, 9, "a"), None]), Counted::Nothing);
    }
}
