//! Who could not keep up with the schedule.

use super::*;
use crate::stats::generator::TargetOn;

/// Threads that were busy and waited for a CPU for these shares of their time.
fn busy(busy: f64, cpu_wait: f64) -> Generator {
    Generator { busy: Some(busy), cpu_wait: Some(cpu_wait), worker_s: 20.0, ..Generator::default() }
}

fn closed(generator: Generator) -> Facts {
    Facts { is_closed: true, rates_rps: None, generator, ..kept() }
}

#[test]
fn in_a_closed_loop_a_generator_without_time_to_spare_is_the_bottleneck() {
    let says = |busy_share, cpu_wait| codes(&closed(busy(busy_share, cpu_wait)));
    assert_eq!(says(0.979, 0.0), ["all_well"]);
    assert_eq!(says(0.98, 0.0), ["generator_saturated"]);
    assert_eq!(says(0.5, 0.099), ["all_well"]);
    assert_eq!(says(0.5, 0.1), ["generator_saturated"]);
    let starved = verdict(&closed(busy(0.99, 0.62)));
    assert!(starved[0].starts_with("The generator was the bottleneck: its threads"), "{starved:?}");
    assert!(starved[0].contains("got no CPU 62 % of the time"), "{starved:?}");
    let full = verdict(&closed(busy(0.98, 0.02)));
    assert!(full[0].contains("had work to do 98 % of the time"), "{full:?}");
    assert_eq!(verdict(&closed(busy(0.4, 0.01))), ["OK: the target set the pace, no errors."]);
    assert_eq!(verdict(&closed(busy(0.9, 0.01))), ["OK: no errors."]);
    assert_eq!(verdict(&closed(Generator::default())), ["OK: no errors."]);
    let running = Facts { finished: false, ..closed(busy(0.9, 0.01)) };
    assert_eq!(verdict(&running), ["OK so far: no errors."]);
}

#[test]
fn a_starved_generator_that_met_the_schedule_is_not_blamed() {
    assert_eq!(codes(&Facts { generator: busy(0.9, 0.5), ..kept() }), ["all_well"]);
}

#[test]
fn a_starved_generator_takes_all_the_blame_for_queued_requests() {
    let facts =
        Facts { generator: busy(0.9, 0.5), queued: 17_000, rates_rps: Some((1_000.0, 700.0)), ..kept() };
    assert_eq!(codes(&facts), ["generator_saturated"]);
    let idle = Facts { generator: busy(0.3, 0.02), ..facts.clone() };
    assert_eq!(codes(&idle), ["target_slow", "target_slow"]);
    let unsent = Facts { never_sent: 400, sent: 19_600, ..facts };
    let lines = verdict(&unsent);
    assert_eq!(codes(&unsent), ["generator_saturated", "never_sent"]);
    assert!(!lines.iter().any(|line| line.contains("The target")), "{lines:?}");
}

#[test]
fn both_are_named_if_the_target_is_too_slow_for_any_generator() {
    let queued = |sent, generator| {
        codes(&Facts { generator, queued: 19_900, rates_rps: Some((60_000.0, sent)), ..kept() })
    };
    // Measured with three busy loops next to both, next to the generator, and without any time to spare.
    let both = ["generator_saturated", "target_slow", "target_slow"];
    assert_eq!(queued(24_551.0, busy(0.606, 0.483)), both);
    assert_eq!(queued(40_643.0, busy(0.889, 0.709)), ["generator_saturated"]);
    assert_eq!(queued(54_350.0, busy(0.945, 0.716)), ["generator_saturated"]);
    assert_eq!(queued(50_000.0, busy(0.99, 0.02)), ["generator_saturated"]);
}

#[test]
fn a_host_short_of_ports_is_named_if_the_schedule_was_missed() {
    let short = |sent| Facts {
        short_of_ports: vec![("m1".to_owned(), 0.5)],
        rates_rps: Some((1_000.0, sent)),
        ..kept()
    };
    assert_eq!(codes(&short(1_000.0)), ["all_well"]);
    let lines = verdict(&short(520.0));
    assert!(
        lines[0]
            .starts_with("The host of driver m1 is short of local ports (the target is not to blame): 50 %"),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[test]
fn one_starved_driver_of_many_is_named_along_with_the_target() {
    let facts = Facts { queued: 2_000, starved: vec![("b".to_owned(), busy(0.9, 0.5))], ..kept() };
    assert_eq!(codes(&facts), ["generator_saturated", "target_slow"]);
    let first = findings(&facts).swap_remove(0);
    assert_eq!(first.driver.as_deref(), Some("b"));
    assert!(first.text.starts_with("The generator was the bottleneck on b: its threads"), "{}", first.text);
}

#[test]
fn few_requests_or_little_time_are_no_finding() {
    let few = Facts { sent: 9, responses: 9, planned: 9, ..closed(busy(1.0, 0.9)) };
    assert_eq!(codes(&few), ["all_well"]);
    let short = Generator { worker_s: 0.1, ..busy(1.0, 0.9) };
    assert_eq!(codes(&closed(short)), ["all_well"]);
    // 1 % of 20 requests is no finding; half of them is one.
    let late = Facts { sent: 20, planned: 20, responses: 20, lag: Some(lag(50.0)), ..kept() };
    assert_eq!(codes(&late), ["all_well"]);
    let all_late = Distribution { median: 50.0, p90: 50.0, p95: 50.0, ..lag(50.0) };
    let half = Facts { lag: Some(all_late), ..late.clone() };
    assert_eq!(codes(&half), ["generator_lag"]);
    assert!(
        verdict(&half)[0].contains("half of its requests were sent more than 50"),
        "{:?}",
        verdict(&half)
    );
    let slow = Facts { rates_rps: Some((10.0, 8.0)), lag: None, ..late };
    assert_eq!(codes(&slow), ["all_well"], "4 of 20 requests behind");
}

#[test]
fn with_drivers_and_target_in_one_process_the_machine_is_blamed_or_a_note_says_so() {
    let own = |generator| closed(Generator { target_on: Some(TargetOn::SameProcess), ..generator });
    let full = verdict(&own(busy(0.99, 0.35)));
    assert_eq!(full.len(), 1, "{full:?}");
    assert!(
        full[0]
            .starts_with("This machine was the bottleneck: the drivers and their own target share its CPUs")
    );
    assert!(full[0].contains("waited for one 35 % of the time"), "{full:?}");
    assert_eq!(codes(&own(busy(0.3, 0.01))), ["all_well", "shared_host"]);
    let near = Generator { target_on: Some(TargetOn::SameHost), ..busy(0.99, 0.35) };
    assert_eq!(codes(&closed(near)), ["generator_saturated", "shared_host"]);
}

#[test]
fn queued_requests_name_the_target_and_not_the_generator() {
    let stalled = Facts { queued: 953, lag: Some(lag(3.0)), latency_p99_ms: Some(800.0), ..kept() };
    assert_eq!(
        verdict(&stalled),
        ["The target was slower than the plan: 953 of 20,000 requests (4.8 %) had to wait for a free \
             connection."]
    );
    // A few requests are no finding.
    assert_eq!(codes(&Facts { queued: 9, ..kept() }), ["all_well"]);
}

#[test]
fn few_queued_requests_or_a_short_queue_are_a_note_that_blames_nobody() {
    // Measured: nginx and a client at 20,000/s on a core each, nothing else running, rate kept.
    let quiet = Facts { planned: 60_000, sent: 60_000, queued: 244, lag: Some(lag(0.4)), ..kept() };
    assert_eq!(
        verdict(&quiet),
        [
            "OK: schedule met, no errors.",
            "Note: 244 of 60,000 requests (0.4 %) had to wait for a free connection."
        ]
    );
    assert_eq!(codes(&quiet), ["all_well", "queued"]);
    let starved = Facts { generator: busy(0.9, 0.5), ..quiet.clone() };
    assert_eq!(codes(&starved), ["all_well", "queued"], "the schedule was met");
    assert_eq!(codes(&Facts { queued: 599, ..quiet.clone() }), ["all_well", "queued"]);
    let queue = |queued, latency_p99_ms: f64| {
        let p99 = Some(latency_p99_ms);
        codes(&Facts { queued, latency_p99_ms: p99, service_p99_ms: Some(0.3), ..quiet.clone() })
    };
    assert_eq!(queue(599, 800.0), ["all_well", "queued"], "less than 1 %");
    assert_eq!(queue(600, 5.4), ["target_slow"]);
    // Also measured: 3.2 % on quiet cores.
    assert_eq!(queue(2_999, 5.3), ["all_well", "queued"], "less than 5 %, for no longer than a pause");
    assert_eq!(queue(3_000, 0.5), ["target_slow"]);
}

#[test]
fn a_queue_that_a_generator_pause_may_have_caused_is_not_blamed_on_the_target() {
    let peak = |max| Some(Distribution { max, ..lag(0.1) });
    let paused =
        Facts { queued: 240, lag: peak(6.69), due_in_pauses: 240.0, latency_p99_ms: Some(6.0), ..kept() };
    assert_eq!(
        verdict(&paused),
        ["240 of 20,000 requests (1.2 %) had to wait for a free connection: the generator itself may \
             have paused (at most 6.69 ms), or the target was slower than the plan."]
    );
    for slower in [Facts { due_in_pauses: 239.9, ..paused.clone() }, Facts { lag: peak(1.0), ..paused }] {
        assert!(verdict(&slower)[0].starts_with("The target was slower than the plan: 240 of 20,000"));
    }
}

#[test]
fn lag_is_blamed_on_the_generator_above_one_ms_or_a_twentieth_of_the_latency() {
    let lags = |lag_ms, latency_ms| {
        let facts = Facts { lag: Some(lag(lag_ms)), latency_p99_ms: latency_ms, ..kept() };
        verdict(&facts)[0].starts_with("The generator could not keep up with the schedule")
    };
    assert!(!lags(1.0, Some(2.0)));
    assert!(lags(1.001, Some(2.0)));
    assert!(!lags(1.001, Some(20.1)));
    assert!(!lags(5.0, Some(100.0)));
    assert!(lags(5.001, Some(100.0)));
    assert!(lags(1.001, None));
    assert!(!lags(1.0, None));
    let closed = Facts { lag: Some(lag(2.0)), rates_rps: None, is_closed: true, ..kept() };
    assert!(verdict(&closed)[0].starts_with("The generator was the bottleneck"));
}
