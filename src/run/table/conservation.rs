//! Where every request went.

use super::text::labelled;
use crate::stats::summary::Conservation;
use crate::units::{format_count, format_sum};

/// Every sum with its parts.
pub fn sums(counts: &Conservation) -> Vec<String> {
    let mut planned = vec![("sent", counts.sent), ("never sent", counts.never_sent)];
    planned.extend(Some(("lost", counts.lost)).filter(|(_, n)| *n > 0));
    let mut sent = vec![("responses", counts.responses), ("errors", counts.errors)];
    sent.extend(Some(("in flight on lost drivers", counts.lost_in_flight)).filter(|(_, n)| *n > 0));
    let mut texts =
        vec![format_sum("planned", counts.planned, &planned), format_sum("sent", counts.sent, &sent)];
    if counts.lost_unknown {
        texts.push("lost: unknown (the plan has no number of requests)".to_owned());
    }
    if counts.resent > 0 {
        texts.push(format!("resent {} (sent once more, on a new connection)", format_count(counts.resent)));
    }
    texts.extend(counts.target_seen.map(|seen| target(counts, seen)));
    if counts.reports_missing > 0 {
        texts.push(format!("{} reports missing", format_count(counts.reports_missing)));
    }
    let label = |at: usize| if at == 0 { "conservation" } else { "" };
    texts.iter().enumerate().map(|(at, text)| labelled(label(at), text)).collect()
}

/// What a floodgate-target counted, against what was sent.
fn target(counts: &Conservation, seen: u64) -> String {
    let mut parts = vec![("sent", counts.sent), ("warm-up", counts.warmup_sent)];
    parts.extend(Some(("original drivers", counts.target_beyond)).filter(|(_, n)| *n > 0));
    // Usually a server does not count the attempts that it could not read.
    let has_counted_resent = counts.resent > 0 && seen > counts.sent + counts.warmup_sent;
    parts.extend(Some(("resent", counts.resent)).filter(|_| has_counted_resent));
    let text = format_sum("target counted", seen, &parts);
    // A request that failed may or may not have reached the target, so fewer is no difference.
    if counts.errors + counts.warmup_errors > 0 { text.replace('≠', "of") } else { text }
}

/// Every difference in words.
pub fn differences(counts: &Conservation) -> Vec<String> {
    counts.differences().iter().map(|text| labelled("", &format!("DIFFERENCE: {text}"))).collect()
}
