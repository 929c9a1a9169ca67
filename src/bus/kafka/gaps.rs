//! Log lines about skipped records, limited to a few per second: otherwise any client that can write to a
//! topic could flood the logs of all its readers. Suppressed lines are counted.

use super::batches::PassedOver;
use crate::clock::NS_PER_S;

/// Maximum lines per second.
const MOST_LINES: u32 = 5;

/// The lines of one handle.
#[derive(Debug, Default)]
pub struct Gaps {
    second: u64,
    lines: u32,
    untold: u64,
}

impl Gaps {
    /// The lines to log for these gaps at `now_ns`.
    pub fn lines(&mut self, topic: &str, partition: i32, gaps: &[PassedOver], now_ns: u64) -> Vec<String> {
        let mut said = Vec::new();
        if now_ns / NS_PER_S != self.second {
            (self.second, self.lines) = (now_ns / NS_PER_S, 0);
            if self.untold > 0 {
                said.push(format!("skipped {} more ranges of records, not listed here", self.untold));
                self.untold = 0;
            }
        }
        for gap in gaps {
            if self.lines >= MOST_LINES {
                self.untold += 1;
                continue;
            }
            self.lines += 1;
            let (from, last, why) = (gap.from, gap.to - 1, &gap.why);
            said.push(format!(
                "topic {topic}, partition {partition}: skipped offsets {from} to {last}: {why}"
            ));
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_logs_a_few_lines_a_second_and_the_rest_is_counted() {
        let gap = PassedOver { from: 3, to: 5, why: "it is malformed".to_owned() };
        let mut gaps = Gaps::default();
        let first = gaps.lines("metrics", 0, std::slice::from_ref(&gap), NS_PER_S);
        assert_eq!(first, ["topic metrics, partition 0: skipped offsets 3 to 4: it is malformed"]);
        assert_eq!(gaps.lines("metrics", 0, &vec![gap; 1_000], NS_PER_S + 5).len(), 4);
        assert_eq!(gaps.lines("trigger", 0, &[], NS_PER_S + 9), [""; 0]);
        let later = gaps.lines("trigger", 0, &[], 2 * NS_PER_S);
        assert_eq!(later, ["skipped 996 more ranges of records, not listed here"]);
        assert_eq!(gaps.lines("trigger", 0, &[], 3 * NS_PER_S), [""; 0]);
    }
}
