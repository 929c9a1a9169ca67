//! All drivers are silent for a moment, since the brokers do not take their heartbeats.

use super::*;

#[test]
fn drivers_that_are_silent_together_have_not_sent_everything() {
    let mut run = started();
    ["a", "b"].iter().for_each(|name| lose(&mut run, name, "it was silent for 3 s", false, 1_300));
    assert!(tick(&mut run, 1_310).is_empty());
    assert_eq!(run.phase, Phase::Running);
    for name in ["a", "b"] {
        run.change(&Change::Back(node(name)), at(1_400));
        say(&mut run, name, DriverState::Running, 1_400);
    }
    tick(&mut run, 1_410);
    assert_eq!(run.phase, Phase::Running);
    lose(&mut run, "a", "it was silent for 3 s", false, 1_500);
    say(&mut run, "b", DriverState::Finishing, 1_600);
    tick(&mut run, 1_600);
    assert_eq!(run.phase, Phase::Finishing, "one that is lost is not waited for");
}
