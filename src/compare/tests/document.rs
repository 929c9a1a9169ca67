//! A comparison that is written and read again.

use super::{ab_test, run};
use crate::compare::{Comparison, Figure, SCHEMA, Settings, Word, compare};
use serde_json::{Value, json};

/// Compared in sections, with every optional field somewhere.
fn document() -> Comparison {
    let conditions = vec!["p99 > +10%".parse().expect("valid")];
    let settings = Settings { conditions, ..Settings::default() };
    let mut b = run(&[60.0; 20]);
    b.summary.started_at = Some(1_790_000_001_000.5);
    b.summary.total.errors.insert("timeout".to_owned(), 7);
    compare(&[run(&[50.0; 20])], &[b], &settings).expect("one pair")
}

#[test]
fn a_document_that_is_read_again_is_the_same() {
    let written = document();
    let read: Comparison = serde_json::from_str(&written.document()).expect("its own form");
    assert_eq!(read, written);
    assert_eq!(read.document(), written.document());
    let words = [Word::Faster, Word::Slower, Word::Same, Word::Unclear, Word::NotComparable];
    for word in words {
        assert_eq!(serde_json::to_value(word).expect("JSON"), json!(word.as_str()));
    }
    for figure in Figure::ALL {
        assert_eq!(serde_json::to_value(figure).expect("JSON"), json!(figure.name()));
    }
}

#[test]
fn only_a_document_of_this_schema_and_with_known_units_is_read() {
    let value = serde_json::to_value(document()).expect("JSON");
    assert_eq!(Comparison::of(&value), Some(document()));
    let with = |path: &str, part: Value| {
        let mut value = value.clone();
        *value.pointer_mut(path).expect(path) = part;
        Comparison::of(&value)
    };
    assert!(with("/sentence", json!("Other.")).is_some());
    assert_eq!(with("/schema", json!("floodgate.compare/2")), None);
    assert_eq!(with("/outcome", json!("better")), None);
    assert_eq!(with("/figures/0/name", json!("p42")), None);
    assert_eq!(with("/figures/0/unit", json!("\u{1b}[2J")), None);
    assert_eq!(with("/figures/0/change_unit", json!("points")), None);
    for odd in [json!(null), json!({}), json!({"schema": SCHEMA}), json!([1])] {
        assert_eq!(Comparison::of(&odd), None, "{odd}");
    }
}

#[test]
fn what_the_verdict_of_a_test_says_is_no_note() {
    let mut test = ab_test(60.0);
    let notes = ["The generator was late", "the run lost 1 of its drivers"];
    test.comparison.as_mut().expect("compared")["notes"] = json!(notes);
    test.verdict = vec!["OK.".to_owned(), "The generator was late.".to_owned()];
    let read = Comparison::of_test(&test).expect("compared");
    assert_eq!(read.notes, notes[1..]);
    test.verdict.clear();
    assert_eq!(Comparison::of_test(&test).expect("compared").notes, notes);
    test.comparison = None;
    assert_eq!(Comparison::of_test(&test), None);
}

#[test]
fn figures_with_the_same_reason_are_named_together() {
    let short = compare(&[run(&[50.0; 5])], &[run(&[60.0; 5])], &Settings::default()).expect("one pair");
    let [(word, reason, figures)] = &short.undecided()[..] else { panic!("{:?}", short.undecided()) };
    assert_eq!((*word, *reason), (Word::Unclear, "a run of 5 s is too short: 10 s are needed"));
    assert_eq!(figures[..], ["p50", "p90", "p99", "p99.9", "mean", "throughput", "errors"]);
    let clear = document();
    assert_eq!(clear.undecided().iter().map(|group| &group.2[..]).collect::<Vec<_>>(), [["p99.9"]]);
    assert_eq!(Comparison { reasons: vec!["x".to_owned()], ..short }.undecided(), []);
}
