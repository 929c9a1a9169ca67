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
//! The data's way, in one direction: command line → plan → `test_config` → bus → driver session → schedule, of
//! which driver i of n takes its share → worker (clock, HTTP client → sample → tally) → collector (the driver's
//! tally) → reporter → `metrics` → bus → orchestrator's aggregate → summary → table, JSON, dashboard.
//!
//! # Words
//!
//! | word | meaning |
//! |---|---|
//! | plan | what to send, how fast, how much: the content of one `test_config` |
//! | schedule | pure function: the k-th request → its planned start, and when to stop |
//! | share | the part of the fleet's schedule that one driver executes |
//! | ticket | the index k of one planned request; within a driver one atomic cursor hands them out |
//! | latency | from the **planned** start to the last byte of the response |
//! | service time | from the actual send to the last byte |
//! | lag | send less the later of its planned start and the moment a slot was free: the generator's own health |
//! | queued | planned start passed while every slot was busy: the target is slower than the plan |
//! | tally | one worker's or driver's counts and histograms; tallies merge |
//! | report | one `metrics` message: a driver's cumulative, numbered tally |
//! | fleet | the registered drivers and who of them is alive |
//! | run | the life of one test: configured → ready → running → finishing → completed / aborted / failed |
//! | epoch | start time of a role's process in ms: two processes with one node id are two drivers |
//! | open / closed loop | requests start by the schedule, or when the last one ended |
//!
//! # Who may import whom
//!
//! | layer | modules | may import |
//! |---|---|---|
//! | 0, values: no net, threads, clock or log | [`units`] [`message`] [`plan`] [`schedule`] [`stats`] [`broker_time`] | layer 0; `stats` no message |
//! | 1, effects: one file or folder for each dependency | [`clock`] [`complaints`] [`names`] [`bus`] [`http`] [`logging`] [`signals`] [`terminal`] [`threads`] | layers 0 and 1; `bus` no stats and no plan, `http` no bus |
//! | 2, roles | [`driver`] [`orchestrator`] [`target`] | layers 0 and 1, never each other |
//! | 3, where roles meet | [`cli`] [`run`] | everything below |
//!
//! `tests/it/tidy.rs` reads the sources and fails where this table, or a limit of size, is broken.
//!
//! # Reading order
//!
//! [`message`] (what the roles say), [`plan`] and [`schedule`] (what is sent when), [`stats`] (what comes out),
//! [`driver::worker`] (the hot loop), [`driver::session`], `orchestrator::runs` and `orchestrator::aggregate` (the
//! protocol), then the shells around them.
pub mod broker_time;
pub mod bus;
pub mod cli;
pub mod clock;
pub mod complaints;
pub mod driver;
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
pub mod logging;
pub mod message;
pub mod names;
pub mod orchestrator;
pub mod plan;
pub mod run;
pub mod schedule;
pub mod signals;
pub mod stats;
pub mod target;
pub mod terminal;
pub mod threads;
pub mod units;
