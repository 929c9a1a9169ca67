//! Requests that failed, and responses with an error status.

use super::words::{counted, of};
use super::{Facts, Finding};
use crate::stats::causes::{ErrorSample, NO_DESCRIPTOR, NO_PORT, UNTRUSTED};
use crate::stats::counts::is_error_status;
use crate::stats::outcome::ErrorKind;
use crate::units::{format_count, sum};

/// Whether every request failed before a connection was established. Then the schedule was neither met nor
/// missed.
pub fn nothing_reached(facts: &Facts) -> bool {
    let before_send = |name: &String| ErrorKind::ALL.iter().any(|k| k.name() == name && k.is_before_send());
    let failed = facts.errors.iter().filter(|(_, n)| **n > 0);
    facts.responses == 0
        && facts.errors.values().any(|n| *n > 0)
        && failed.map(|(name, _)| name).all(before_send)
}

pub fn find(facts: &Facts, found: &mut Vec<Finding>) {
    if facts.finished && facts.sent + facts.never_sent + facts.planned == 0 && facts.lost.is_empty() {
        found.push(Finding::failure("nothing_sent", "Nothing was sent.".to_owned()));
    }
    let total = sum(facts.errors.values().copied());
    let is_unreached = nothing_reached(facts);
    if is_unreached {
        found.push(Finding::failure("errors", unreached(facts, total)));
    }
    let kinds = facts.errors.values().filter(|n| **n > 0).count();
    if total > 0 && !(is_unreached && kinds == 1) {
        let severity = if facts.responses == 0 { Finding::failure } else { Finding::warning };
        found.push(severity("errors", failed(facts, total)));
    }
    own_host(facts, found);
    error_status(facts, found);
    if facts.resent > 0 {
        found.push(Finding::info(
            "resent",
            format!(
                "{} were resent on a new connection, because the server had closed the first one before it \
                 could read them.",
                of(facts.resent, facts.sent, "requests")
            ),
        ));
    }
}

fn unreached(facts: &Facts, total: u64) -> String {
    let all = |kind: ErrorKind| facts.errors.get(kind.name()) == Some(&total);
    let target = facts.target.as_deref().unwrap_or("the target");
    let (what, advice) = if let (true, Some(sample)) = (all(ErrorKind::Tls), facts.causes.first()) {
        // Any other reason of rustls is advice enough.
        let is_untrusted = sample.cause.starts_with(UNTRUSTED);
        let advice = if is_untrusted { "--ca-cert trusts your own CA" } else { "" };
        (format!("The TLS handshake with {target} failed"), advice)
    } else if all(ErrorKind::Tls) {
        let advice = "check that the port speaks TLS and that its certificate names this host and is trusted \
                      (--ca-cert trusts your own CA)";
        (format!("The TLS handshake with {target} failed"), advice)
    } else if all(ErrorKind::Dns) {
        // A proxy resolves the target's name itself.
        let whose = if facts.generator.proxied { "the proxy" } else { target };
        (format!("Could not resolve the name of {whose}"), "check its spelling and the DNS settings")
    } else if facts.generator.proxied {
        let advice = "check that the proxy is running and that it may connect to the target";
        (format!("Could not connect to {target} through the proxy"), advice)
    } else {
        (format!("Could not connect to {target}"), "check the address and that the server is running")
    };
    let (cause, count) = match facts.causes.first() {
        Some(sample) => (sample.cause.as_str(), sample.count.min(total)),
        None => ("all requests failed before a connection was established", total),
    };
    let advice = if advice.is_empty() { String::new() } else { format!("; {advice}") };
    format!("{what}: {cause} ({} of {}){advice}.", format_count(count), format_count(total))
}

/// Kinds with their shares, then the most frequent known cause of each kind.
fn failed(facts: &Facts, total: u64) -> String {
    let mut kinds: Vec<_> = facts.errors.iter().filter(|(_, n)| **n > 0).collect();
    kinds.sort_by_key(|(name, n)| (std::cmp::Reverse(**n), name.as_str()));
    let shown: Vec<_> = kinds.iter().map(|(name, n)| counted(name, **n, facts.sent)).collect();
    let causes: Vec<String> = kinds
        .iter()
        .filter_map(|(name, _)| facts.causes.iter().find(|sample| sample.kind == **name))
        .map(|sample| format!("{}: {}", sample.kind, sample.cause))
        .collect();
    let causes = if causes.is_empty() || nothing_reached(facts) {
        String::new()
    } else {
        format!(" Most frequent cause of {}.", causes.join("; of "))
    };
    let failed = of(total, facts.sent, "requests");
    format!("Errors: {failed} failed: {}.{causes}", shown.join(", "))
}

/// The resource that the drivers' own hosts ran out of.
pub fn shortage(facts: &Facts) -> Option<&ErrorSample> {
    let lacks = |what: &str| facts.causes.iter().find(|sample| sample.cause.starts_with(what));
    lacks(NO_PORT).or_else(|| lacks(NO_DESCRIPTOR))
}

/// Connections that the drivers' own host could not open.
fn own_host(facts: &Facts, found: &mut Vec<Finding>) {
    let failed = facts.errors.get(ErrorKind::Connect.name()).is_some_and(|n| *n > 0);
    if let Some(sample) = shortage(facts) {
        found.push(Finding::warning("ports_exhausted", exhausted(sample)));
    } else if failed && facts.causes.is_empty() && !nothing_reached(facts) {
        let text = "Some connections could not be opened: the server refused them or was unreachable, or \
                    the driver's host ran out of ports or file descriptors (its log then says so).";
        found.push(Finding::warning("errors", text.to_owned()));
    }
}

fn exhausted(sample: &ErrorSample) -> String {
    let hosts = match sample.drivers.as_slice() {
        [] => "The generator's host".to_owned(),
        [one] => format!("The host of driver {one}"),
        several => format!("The hosts of drivers {}", several.join(", ")),
    };
    let (what, advice) = if sample.cause.starts_with(NO_PORT) {
        let advice = "a port stays in use for a minute after its connection closes, so keep connections \
                      open, use fewer, spread them over more hosts, or widen net.ipv4.ip_local_port_range";
        ("local ports", advice)
    } else {
        ("file descriptors", "use fewer connections, or raise the limit (ulimit -n)")
    };
    let n = format_count(sample.count);
    format!("{hosts} ran out of {what} (the target is not to blame): {n} requests got none; {advice}.")
}

fn error_status(facts: &Facts, found: &mut Vec<Finding>) {
    let refused: Vec<_> = facts.status.iter().filter(|(code, _)| is_error_status(code)).collect();
    let refusals = sum(refused.iter().map(|(_, n)| **n));
    if refusals > 0 {
        let codes: Vec<_> = refused.iter().map(|(code, n)| counted(code, **n, facts.responses)).collect();
        let share = of(refusals, facts.responses, "responses");
        found.push(Finding::warning(
            "error_status",
            format!("{share} had an error status: {}.", codes.join(", ")),
        ));
    }
}
