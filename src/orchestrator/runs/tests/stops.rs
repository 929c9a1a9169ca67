//! A user's STOP.

use super::*;

#[test]
fn stop_ends_the_run_aborted_and_is_written_once() {
    let mut run = started();
    let command = run.stop("Ctrl-C", at(1_500)).expect("a STOP");
    assert_eq!(command, Command::Stop(Trigger::stop("t", "Ctrl-C")));
    assert_eq!(run.stop("again", at(1_501)), None);
    read_back(&mut run, &[command], 1_510);
    assert_eq!(run.phase, Phase::Finishing);
    run.final_report(&node("a"), 10);
    run.final_report(&node("b"), 10);
    tick(&mut run, 1_600);
    assert_eq!(run.phase, Phase::Aborted);
    assert_eq!(run.end.and_then(|end| end.stopped).expect("a STOP").reason, "Ctrl-C");
}

#[test]
fn a_stop_that_cannot_be_written_is_tried_again_with_its_reason() {
    let mut run = started();
    let stop = run.stop("Ctrl-C", at(1_200)).expect("a STOP");
    run.written(&stop, Err("away".to_owned()), at(1_300));
    assert!(run.tick(at(2_299), 0).is_empty());
    let again = run.tick(at(2_300), 0);
    assert_eq!(again, [Command::Stop(Trigger::stop("t", "Ctrl-C"))]);
    run.written(&again[0], Err("away, still".to_owned()), at(2_400));
    assert_eq!(run.notes.len(), 1, "{:?}", run.notes);
    assert!(matches!(&tick(&mut run, 3_400)[..], [Command::Stop(_)]));
    assert!(run.stopped.is_some() && tick(&mut run, 20_000).len() == 1, "then its END");
    let mut early = run_of(&["a"]);
    let stop = early.stop("no", at(5)).expect("a STOP");
    early.written(&stop, Err("away".to_owned()), at(6));
    say(&mut early, "a", DriverState::Ready, 7);
    assert!(tick(&mut early, 8).is_empty(), "the gate stays closed");
    assert!(early.ends_unstarted());
    assert!(matches!(&tick(&mut early, 1_006)[..], [Command::Stop(_)]));
}

#[test]
fn a_stopped_run_waits_at_most_timeout_plus_five_seconds() {
    let mut run = started();
    stop(&mut run, "enough", 1_200);
    tick(&mut run, 9_999);
    assert_eq!(run.phase, Phase::Finishing);
    tick(&mut run, 10_000);
    assert_eq!(run.phase, Phase::Aborted);
}

#[test]
fn a_stop_before_the_trigger_ends_the_run_at_once() {
    let mut run = run_of(&["a"]);
    stop(&mut run, "no", 5);
    say(&mut run, "a", DriverState::Ready, 6);
    assert!(matches!(&tick(&mut run, 7)[..], [Command::End(_)]));
    assert_eq!(run.phase, Phase::Aborted);
}
