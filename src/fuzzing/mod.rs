//! One entry per parser of external input, and inputs for them, shared by `cargo test`, `just fuzz` and the
//! targets in `fuzz/`. Not part of the public interface.

mod generator;
mod seeds;

use crate::bus::kafka::fuzzing as bus_over_kafka;
use crate::bus::{Record, Topic};
use crate::cli::fuzzing as flags;
use crate::curl;
use crate::feed::{Format, Loaded, Table, Wanted, survey};
use crate::http::native::chunked::Chunked;
use crate::http::native::response::{KnownHead, Response};
use crate::http::server::intake::{Limits, read_all};
use crate::message::{TestConfig, Trigger, bounds, decode};
use crate::orchestrator::fuzzing as orchestrator;
use crate::orchestrator::replay::Replay;
use crate::plan::request::Request;
use crate::plan::{Defaults, Plan};
use crate::plan_file::{PlanFile, describe};
use crate::schedule::Schedule;
use crate::stats::histogram::{Histogram, fuzzing as histograms};
use crate::store::{Lines, write_line};
use crate::template::{CellRef, Column, Compiled, Context, Filter, Moment, NoCells, Place, Template};
use crate::units::clip;
pub use generator::Generator;

/// One parser.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, also that of its file in `fuzz/fuzz_targets/`.
    pub name: &'static str,
    /// Runs it; only a panic is a failure.
    pub run: fn(&[u8]),
    /// Valid inputs to mutate.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All parsers.
pub const TARGETS: [Target; 20] = [
    Target { name: "register", run: register, seeds: seeds::registers },
    Target { name: "test_config", run: test_config, seeds: seeds::plans },
    Target { name: "trigger", run: trigger, seeds: seeds::triggers },
    Target { name: "metrics", run: metrics, seeds: seeds::reports },
    Target { name: "heartbeat", run: heartbeat, seeds: seeds::heartbeats },
    Target { name: "histogram", run: histogram, seeds: seeds::histograms },
    Target { name: "http_response", run: http_response, seeds: seeds::responses },
    Target { name: "http_request", run: http_request, seeds: seeds::requests },
    Target { name: "chunked", run: chunked, seeds: seeds::chunks },
    Target { name: "kafka_frame", run: bus_over_kafka::frame, seeds: seeds::frames },
    Target { name: "kafka_answer", run: bus_over_kafka::answer, seeds: seeds::answers },
    Target { name: "kafka_batches", run: bus_over_kafka::batches, seeds: bus_over_kafka::batch_seeds },
    Target { name: "configure", run: orchestrator::configure, seeds: seeds::plans },
    Target { name: "saved_records", run: saved_records, seeds: seeds::saved_records },
    Target { name: "url", run: url, seeds: seeds::urls },
    Target { name: "template", run: template, seeds: seeds::templates },
    Target { name: "feed", run: feed, seeds: seeds::feeds },
    Target { name: "plan_file", run: plan_file, seeds: seeds::plan_files },
    Target { name: "curl", run: curl_command, seeds: seeds::curl_commands },
    Target { name: "flags", run: flags::values, seeds: seeds::flags },
];

/// A `register` record, as an orchestrator reads it.
pub fn register(bytes: &[u8]) {
    orchestrator::record(crate::bus::Topic::Register, bytes);
}

/// A `heartbeat` record, as an orchestrator reads it.
pub fn heartbeat(bytes: &[u8]) {
    orchestrator::record(crate::bus::Topic::Heartbeat, bytes);
}

/// A `metrics` record with its histograms, as an orchestrator reads it.
pub fn metrics(bytes: &[u8]) {
    orchestrator::record(crate::bus::Topic::Metrics, bytes);
}

/// A `test_config` record, as orchestrators and drivers read it, up to the schedule of a share.
pub fn test_config(bytes: &[u8]) {
    orchestrator::record(crate::bus::Topic::TestConfig, bytes);
    let Ok(config) = decode::<TestConfig>(bytes) else { return };
    let _ = config.plan_hash();
    let defaults = Defaults { target_url: Some("http://127.0.0.1/".to_owned()), ..Defaults::default() };
    let Ok(plan) = Plan::new(&config, &defaults) else { return };
    let share = Schedule::new(&plan).share(1, 3);
    let _ = (share.start_ns(u64::from(u32::MAX)), share.planned_before(1 << 40), share.planned_end_ns());
    let _ = (share.warmup_start_ns(7), share.warmup_count(), share.phase_ns());
}

/// A plan file, up to the lines that describe it.
pub fn plan_file(bytes: &[u8]) {
    let Ok(file) = PlanFile::parse("plan.toml", bytes) else { return };
    let config = file.options.config("t", Some(2));
    let _ = config.as_ref().map(describe::terms);
    let broken = config.and_then(|config| Plan::as_written(&config).map_err(|mut errors| errors.remove(0)));
    let _ = broken.map_err(|error| file.plan_error(&error));
}

/// A `trigger` record, as a driver reads it.
pub fn trigger(bytes: &[u8]) {
    let _ = decode::<Trigger>(bytes).map(|trigger| trigger.is_stop());
}

/// A histogram: as text, and as the bytes that the text may encode.
pub fn histogram(bytes: &[u8]) {
    histograms::read(bytes);
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(histogram) = Histogram::decode(text)
    {
        let mut sum = histogram.clone();
        sum.merge(&histogram);
        let _ = (sum.distribution(), sum.since(&histogram).distribution());
    }
}

/// A response, in one piece and byte by byte, with and without a known head.
pub fn http_response(bytes: &[u8]) {
    for (piece, to_head) in [(bytes.len().max(1), false), (1, false), (7, true)] {
        let (mut response, mut known) = (Response::new(to_head), KnownHead::default());
        let mut held = Vec::new();
        for part in bytes.chunks(piece) {
            held.extend_from_slice(part);
            let Ok(step) = response.advance_knowing(&held, &mut known) else { return };
            held.drain(..step.consumed);
            response.skip(usize::try_from(response.body_left()).unwrap_or(usize::MAX).min(3));
            if step.done {
                break;
            }
        }
        let _ = (response.finish(&held), response.status(), response.keep_alive(), response.bytes());
    }
}

/// Requests as the endpoints parse them. Where the bytes are cut must not matter.
pub fn http_request(bytes: &[u8]) {
    let limits = Limits { head_bytes: 1_024, body_bytes: 256, keeps_body: true };
    let whole = read_all(bytes, usize::MAX, limits);
    for piece in [1, 7] {
        assert_eq!(read_all(bytes, piece, limits), whole, "in pieces of {piece}");
    }
}

/// A chunked body, in one piece and byte by byte.
pub fn chunked(bytes: &[u8]) {
    for piece in [bytes.len().max(1), 1] {
        let mut body = Chunked::default();
        for part in bytes.chunks(piece) {
            match body.advance(part) {
                Ok(used) => assert!(used <= part.len()),
                Err(_) => break,
            }
        }
    }
}

/// A file of saved records: what is read is written and read again, and a result follows or an error.
pub fn saved_records(bytes: &[u8]) {
    let mut replay = Replay::new(None);
    for record in Lines::new(bytes).flatten() {
        let again: Vec<_> = Lines::new(&write_line(&record)[..]).collect();
        // A plan may have contained secrets, and line breaks between the parts of a value become spaces.
        let value = |record: &Record| String::from_utf8_lossy(&record.value).replace(['\r', '\n'], " ");
        let is_same = matches!(&again[..], [Ok(again)] if value(again) == value(&record));
        assert!(record.topic == Topic::TestConfig || is_same, "{record:?}");
        let _ = replay.add(&record);
    }
    let _ = replay.finish().map(|replayed| replayed.summary().document());
}

/// A URL from a plan or a flag.
pub fn url(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(request) = Request::get(&text) {
        let _ = (request.host(), request.port(), request.path(), request.is_https());
    }
}

/// A template: what is accepted renders the same twice, and has its width.
pub fn template(bytes: &[u8]) {
    let Ok(template) = Template::parse(bytes) else { return };
    let slot = |_: &Column| Some(CellRef { feed: 0, column: 0 });
    let mut context = Context { seed: 1, driver: "driver-1", slot: &slot, fields: 0 };
    let mut compiled = Compiled::default();
    if compiled.template(&template, Place::Body, &mut context).is_err() {
        return;
    }
    let moment = Moment { ticket: bytes.len() as u64, ..Moment::default() };
    let render = || {
        let mut out = Vec::new();
        compiled.render(&moment, &NoCells, &mut out);
        out
    };
    let rendered = render();
    assert_eq!(rendered, render());
    assert!(compiled.width().is_none_or(|width| width == rendered.len()));
    assert!(compiled.patched().is_none_or(|mut patched| patched.render(&moment) == rendered));
}

/// A feed in all formats, with whatever columns it has.
pub fn feed(bytes: &[u8]) {
    for format in [Format::Csv, Format::Jsonl, Format::Urls] {
        let Ok(found) = survey(format, bytes) else { continue };
        let wanted = |column: &String| Wanted {
            column: column.clone(),
            filter: Some(Filter::Json),
            places: [Place::Body].into(),
        };
        let wanted: Vec<_> = found.columns.iter().map(wanted).collect();
        let Loaded { table, sha256 } = Table::read(format, bytes, &wanted).expect("it was read before");
        assert_eq!((table.rows(), sha256), (found.count, found.sha256));
        assert_eq!(table.cell(found.count, 0), b"");
    }
}

/// curl commands. The plan they become is a valid one.
pub fn curl_command(bytes: &[u8]) {
    let Ok(plan) = curl::plan_of_text(bytes) else { return };
    let read = PlanFile::parse("plan.toml", plan.as_bytes());
    let config = read.map(|file| file.options.config("t", Some(2)));
    let built = config.map(|config| config.map(|config| Plan::as_written(&config).map(drop)));
    assert_eq!(built, Ok(Ok(Ok(()))), "{plan}");
}

/// The entries by name, for `fuzz/`, except those in other modules.
pub mod entries {
    pub use super::{
        chunked, curl_command as curl, feed, heartbeat, histogram, http_request, http_response, metrics,
        plan_file, register, saved_records, template, test_config, trigger, url,
    };
    pub use crate::bus::kafka::fuzzing::{
        answer as kafka_answer, batches as kafka_batches, frame as kafka_frame,
    };
    pub use crate::cli::fuzzing::values as flags;
    pub use crate::orchestrator::fuzzing::configure;
}

/// Runs `target` on one input. A panic becomes an error that contains the input.
///
/// # Errors
/// The name of the target, the panic message, and the input in a form that can be pasted into a test.
pub fn attempt(target: &Target, input: &[u8]) -> Result<(), String> {
    std::panic::catch_unwind(|| (target.run)(input)).map_err(|payload| {
        let words = payload.downcast_ref::<String>().map(String::as_str);
        let words = words.or(payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
        format!("{} panicked ({}) over b\"{}\"", target.name, clip(words, 300), input.escape_ascii())
    })
}

/// Whether an input is small enough for the message parsers, whose callers reject larger ones.
pub fn is_readable(input: &[u8]) -> bool {
    bounds::check(input).is_ok()
}
