//! Where every request went.

use super::text::labelled;
use crate::stats::summary::Conservation;
use crate::units::format_count;

/// Every sum with its parts.
pub fn sums(counts: &Conservation) -> Vec<String> {
    let mut planned = vec![("sent", counts.sent), ("never sent", counts.never_sent)];
    planned.extend(Some(("lost", counts.lost)).filter(|(_, n)| *n > 0));
    let mut sent = vec![("responses", counts.responses), ("errors", counts.errors)];
    sent.extend(Some(("in flight on lost drivers", counts.lost_in_flight)).filter(|(_, n)| *n > 0));
    let mut texts = vec![sum("planned", counts.planned, &planned), sum("sent", counts.sent, &sent)];
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
    let text = sum("target counted", seen, &parts);
    // A request that failed may or may not have reached the target, so fewer is no difference.
    if counts.errors + counts.warmup_errors > 0 { text.replace('≠', "of") } else { text }
}

/// `sent 5 = responses 4 + errors 1`
fn sum(name: &str, total: u64, parts: &[(&str, u64)]) -> String {
    let all = parts.iter().fold(0, |all: u64, (_, n)| all.saturating_add(*n));
    let sign = if total == all { "=" } else { "≠" };
    let parts: Vec<_> = parts.iter().map(|(name, n)| format!("{name} {}", format_count(*n))).collect();
    format!("{name} {} {sign} {}", format_count(total), parts.join(" + "))
}

/// Every difference in words.
pub fn differences(counts: &Conservation) -> Vec<String> {
    counts.differences().iter().map(|text| labelled("", &format!("DIFFERENCE: {text}"))).collect()
}
