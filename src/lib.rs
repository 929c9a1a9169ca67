//! Floodgate, a distributed HTTP load tester: the map of the code.
//!
//! ```text
//!             POST /configure                    five topics
//!   operator ────────────────▶ orchestrator ◀───────────────────▶ driver 1 ──HTTP──▶
//!            ◀────────────────   fleet          register          driver 2 ──HTTP──▶ target
//!             GET /dashboard     runs           test_config         …
//!                                aggregate      trigger           driver n ──HTTP──▶
//!                                               metrics
//!                                               heartbeat
//! ```
//!
//! Data flows in one direction: command line and plan file → plan → `test_config` → bus → driver session →
//! schedule (driver i of n takes its share) → worker (clock, HTTP client → sample → tally) → collector (the
//! driver's tally) → reporter → `metrics` → bus → orchestrator's aggregate → summary → table, JSON,
//! dashboard.
//!
//! # Glossary
//!
//! | word | meaning |
//! |---|---|
//! | plan | what to send, how fast and how much: the content of one `test_config` |
//! | schedule | pure function: the k-th request → its planned start, and when to stop |
//! | share | the part of the fleet's schedule that one driver executes |
//! | ticket | the index k of one planned request; one atomic cursor per driver hands them out |
//! | latency | from the **planned** start to the last byte of the response |
//! | service time | from the actual send to the last byte |
//! | lag | send time minus the later of its planned start and the moment a slot was free: the generator's own health |
//! | queued | planned start passed while every slot was busy: the target is slower than the plan |
//! | tally | one worker's or driver's counts and histograms; tallies merge |
//! | report | one `metrics` message: a driver's cumulative, numbered tally |
//! | fleet | the registered drivers, and which of them are alive |
//! | run | the life of one test: configured → ready → running → finishing → completed / aborted / failed |
//! | epoch | start time of a role's process, in ms: two processes with the same node id are two drivers |
//! | open / closed loop | requests start on schedule / when the previous one ends |
//!
//! # Import rules
//!
//! | layer | modules | may import |
//! |---|---|---|
//! | 0, values: no network, threads, clock or log | [`units`] [`check`] [`message`] [`plan`] [`plan_file`] [`schedule`] [`stats`] [`broker_time`] [`thresholds`] [`html`] [`plot`] [`report`] [`compare`] [`curl`] [`digest`] [`recording`] [`template`] [`feed`] [`spelling`] [`vegeta`] | layer 0, but `stats` not message |
//! | 1, effects: one file or folder per dependency | [`clock`] [`complaints`] [`dns`] [`fetch`] [`files`] [`host`] [`bus`] [`http`] [`logging`] [`signals`] [`store`] [`terminal`] [`threads`] [`tls`] | layers 0 and 1, but `bus` not stats or plan, `http` not bus, `store` not http |
//! | 2, roles | [`driver`] [`orchestrator`] [`target`] | layers 0 and 1, never each other |
//! | 3, combinations of roles | [`cli`] [`run`] [`programs`] | everything below |
//!
//! `tests/it/tidy/` checks the sources against this table and against size limits.
//!
//! # Reading order
//!
//! [`message`] (what the roles exchange), [`plan`] and [`schedule`] (what is sent when), [`stats`] (the
//! results), [`driver::worker`] (the hot loop), [`driver::session`], `orchestrator::runs` and
//! `orchestrator::aggregate` (the protocol), then the shells around them.
pub mod broker_time;
pub mod bus;
pub mod check;
pub mod cli;
pub mod clock;
pub mod compare;
pub mod complaints;
pub mod curl;
pub mod digest;
pub mod dns;
pub mod driver;
pub mod feed;
pub mod fetch;
pub mod files;
#[doc(hidden)]
pub mod fuzzing;
pub mod host;
pub mod html;
pub mod http;
pub mod logging;
pub mod message;
pub mod orchestrator;
pub mod plan;
pub mod plan_file;
pub mod plot;
pub mod programs;
pub mod recording;
pub mod report;
pub mod run;
pub mod schedule;
pub mod signals;
pub mod spelling;
pub mod stats;
pub mod store;
pub mod target;
pub mod template;
pub mod terminal;
pub mod threads;
pub mod thresholds;
pub mod tls;
pub mod units;
pub mod vegeta;
