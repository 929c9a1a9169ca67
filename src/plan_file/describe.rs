//! What a plan does, in a few lines for people.

use crate::feed::{Pick, pick};
use crate::message::{FeedSpec, NamedRequest, RequestSpec, TestConfig, secrets};
use crate::plan::words::{self, amount, connections, gloss, load, request, target};
use crate::plan::{DEFAULT_CONNECTIONS, DEFAULT_DURATION, DEFAULT_TIMEOUT, Plan};
use crate::schedule::supply;
use crate::units::{clip, format_bytes, format_count, format_duration, format_duration_ms, trim_number};

/// Maximum number of characters of a value.
const MAX_CHARS: usize = 200;
/// Maximum number of headers and conditions that are listed.
const MAX_LISTED: usize = 20;

/// Terms with their values, in the order of a test.
pub fn terms(config: &TestConfig) -> Vec<(&'static str, String)> {
    let fleet = config.fleet.clone().unwrap_or_default();
    let name = config.test_type.name();
    let ms = |ms: Option<u64>| ms.filter(|ms| *ms > 0).map(format_duration_ms);
    let mut terms = vec![("type", format!("{name} ({})", gloss(name).unwrap_or_default()))];
    terms.extend(sent(config));
    terms.extend(config.feeds.iter().map(|feed| ("feed", self::feed(feed))));
    terms.push(("load", load(config, &fleet)));
    let usual =
        || default(format!("{DEFAULT_CONNECTIONS} in total, or with --orchestrator each driver's own"));
    terms.push(("connections", connections(config, &fleet).unwrap_or_else(usual)));
    terms.extend(ms(config.warmup_ms).map(|text| ("warm-up", text)));
    terms.push(("ends", ends(config)));
    let timeout =
        config.timeout_ms.map_or_else(|| default(format_duration(DEFAULT_TIMEOUT)), format_duration_ms);
    terms.push(("timeout", timeout));
    let per_connection = config.max_requests_per_connection.map(|n| format!("after {n} requests"));
    terms.extend(per_connection.map(|text| ("reconnects", text)));
    terms.extend(config.client.iter().map(|client| ("client", clip(client, 20))));
    terms.extend(config.host.iter().map(|host| ("host", clip(host, MAX_CHARS))));
    let unverified = config.insecure.filter(|insecure| *insecure);
    terms.extend(unverified.map(|_| ("certificates", "are not verified".to_owned())));
    let loss = config.on_driver_loss.map(|loss| format!("{loss:?}").to_ascii_lowercase());
    terms.extend(loss.map(|text| ("driver lost", text)));
    let conditions = config.thresholds.iter().take(MAX_LISTED);
    terms.extend(conditions.map(|condition| ("fails if", clip(condition, MAX_CHARS))));
    terms
}

/// The request, its headers and its body.
fn sent(config: &TestConfig) -> Vec<(&'static str, String)> {
    if !config.requests.is_empty() {
        return several(config);
    }
    let mut terms = match &config.ab[..] {
        [] if config.target_url.is_none() => {
            let method = clip(config.method(), 20);
            vec![(
                "request",
                format!("{method} of the built-in target, or with --orchestrator of each driver's own"),
            )]
        }
        [] => vec![("request", request(config))],
        urls => {
            let sides = ["request A", "request B"].into_iter().zip(urls);
            sides
                .map(|(side, url)| (side, format!("{} {}", clip(config.method(), 20), target(url))))
                .collect()
        }
    };
    let Some(spec) = &config.request else { return terms };
    terms.extend(headers(spec));
    terms.extend(expected(spec));
    let length = Plan::as_written(config).map_or(0, |plan| plan.request().body().len());
    if length > 0 {
        terms.push(("body", format_bytes(length as u64)));
    }
    terms
}

/// The target, what all requests have in common, and each of them with its share.
fn several(config: &TestConfig) -> Vec<(&'static str, String)> {
    let own = || "the built-in target, or with --orchestrator each driver's own".to_owned();
    let mut terms = vec![("target", config.target_url.as_deref().map_or_else(own, target))];
    terms.extend(config.request.iter().flat_map(headers));
    terms.extend(config.request.iter().filter_map(expected));
    let weight = |one: &NamedRequest| u64::from(one.weight.unwrap_or(1));
    let all: u64 = config.requests.iter().map(weight).sum();
    for one in &config.requests {
        let share = weight(one) as f64 * 100.0 / all.max(1) as f64;
        let text = format!("{:<16}{:>6} %  {}", one.name, trim_number(share), words::named(one));
        terms.push(("request", text));
        terms.extend(expected(&one.spec));
    }
    terms
}

fn headers(spec: &RequestSpec) -> Vec<(&'static str, String)> {
    let line = |(name, value): &(String, String)| {
        let value = if secrets::is_secret(name) { secrets::HIDDEN } else { value };
        ("header", clip(&format!("{name}: {value}"), MAX_CHARS))
    };
    spec.headers.iter().take(MAX_LISTED).map(line).collect()
}

/// What its responses must look like, as in a `test_config`.
fn expected(spec: &RequestSpec) -> Option<(&'static str, String)> {
    let text = serde_json::to_string(spec.expect.as_ref()?).unwrap_or_default();
    Some(("expects", clip(&text, MAX_CHARS)))
}

/// A feed: how many rows it has, how they are chosen, and whether drivers need its file.
fn feed(feed: &FeedSpec) -> String {
    let pick = match pick(feed.pick.unwrap_or_default(), feed.at_end).unwrap_or_default() {
        Pick::Cycle => "one after the other, again and again",
        Pick::Random => "by chance",
        Pick::Unique => "each once",
    };
    let needs = match (&feed.data, &feed.file) {
        (None, Some(file)) => format!("; drivers of a fleet need {} in their --feeds folder", clip(file, 60)),
        _ => String::new(),
    };
    format!("{}: {} rows, {pick}{needs}", feed.name, format_count(feed.count))
}

/// When it ends: after a time, a number of requests, or whichever is first.
fn ends(config: &TestConfig) -> String {
    let fleet = config.fleet.clone().unwrap_or_default();
    let stages = config.stages.iter().chain(&fleet.stages).map(|stage| stage.duration_ms).sum::<u64>();
    let time = config.duration_ms.or(Some(stages).filter(|ms| *ms > 0)).map(format_duration_ms);
    let requests = amount(fleet.requests, config.message_count_per_driver);
    let requests = requests.map(|text| {
        let (count, whose) = text.split_once(' ').unwrap_or((&text, ""));
        format!("{count} requests {whose}")
    });
    // The number of drivers hardly matters.
    let rows = Plan::as_written(config).ok().and_then(|plan| supply::exhausted(&plan, 1));
    let rows = rows.map(|end| {
        let (requests, rows) = (format_count(end.requests), format_count(end.rows));
        format!("{requests} requests, because {} has {rows} rows", end.feed)
    });
    match (time, rows.or(requests)) {
        (Some(time), Some(requests)) => format!("after {time} or {requests}, whichever is first"),
        (Some(one), None) | (None, Some(one)) => format!("after {one}"),
        (None, None) => default(format!("after {}", format_duration(DEFAULT_DURATION))),
    }
}

fn default(text: String) -> String {
    format!("{text} (default)")
}
