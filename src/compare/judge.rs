//! From estimates to words: one rule for every method. A change is called if its interval lies beyond the
//! noise floor; it is `same` if the interval lies inside the floor; everything else is unclear.

use super::document::{Change, Word};
use super::estimate::{Estimate, holm};
use super::figures::{Family, Figure};
use super::floor::Floor;
use crate::units::trim_number;

/// The chance of any wrong call in a family of figures.
pub const ALPHA: f64 = 0.05;
/// No more than this many times as long is advised.
const MAX_TIMES: f64 = 50.0;

/// What is known of one figure before it is judged.
pub struct Evidence {
    /// The figure.
    pub figure: Figure,
    /// Its values in A and B.
    pub values: (Option<f64>, Option<f64>),
    /// The estimate and its floor, or why there is none; `None` for a figure that is not tested.
    pub tested: Option<Result<Tested, String>>,
    /// Whether the runs must not be compared by this figure.
    pub is_barred: bool,
}

/// What a figure is judged by.
pub struct Tested {
    /// The change.
    pub estimate: Estimate,
    /// How large it must be.
    pub floor: Floor,
    /// Sections of each run, for a single pair.
    pub sections: Option<usize>,
}

/// Judges all figures, each family by itself, with this chance of a wrong call in a family.
pub fn judge(evidence: Vec<Evidence>, alpha: f64) -> Vec<Change> {
    let levels = levels(&evidence, alpha);
    evidence.iter().zip(levels).map(|(one, level)| change(one, level)).collect()
}

/// The level of each figure's interval.
fn levels(evidence: &[Evidence], alpha: f64) -> Vec<f64> {
    let mut levels = vec![alpha; evidence.len()];
    for family in [Family::Latency, Family::Volume] {
        let known = |one: &Evidence| match &one.tested {
            Some(Ok(tested)) if one.figure.family() == family => {
                Some(tested.estimate.chance(tested.floor.size))
            }
            _ => None,
        };
        let members: Vec<(usize, f64)> =
            evidence.iter().enumerate().filter_map(|(at, one)| Some((at, known(one)?))).collect();
        let chances: Vec<f64> = members.iter().map(|(_, chance)| *chance).collect();
        for ((at, _), level) in members.iter().zip(holm(&chances, alpha)) {
            levels[*at] = level;
        }
    }
    levels
}

fn change(evidence: &Evidence, level: f64) -> Change {
    let figure = evidence.figure;
    let (a, b) = evidence.values;
    let mut change = Change {
        figure,
        family: figure.family(),
        unit: figure.unit().into(),
        a,
        b,
        change_unit: figure.change_unit().into(),
        change: a.zip(b).and_then(|(a, b)| difference(figure, a, b)),
        low: None,
        high: None,
        floor: None,
        floor_source: None,
        confidence: None,
        sections: None,
        word: if evidence.is_barred { Word::NotComparable } else { Word::Unclear },
        reason: None,
        tested: evidence.tested.is_some(),
    };
    match &evidence.tested {
        Some(Ok(tested)) => judged(&mut change, tested, level),
        Some(Err(why)) => change.reason = Some(why.clone()),
        None => change.reason = Some("a single request, so it is not tested".to_owned()),
    }
    change
}

fn judged(change: &mut Change, tested: &Tested, level: f64) {
    let estimate = &tested.estimate;
    let (low, high) = estimate.interval(level);
    let floor = tested.floor;
    let shown = |value: f64| shown(change.figure, value);
    change.change = Some(shown(estimate.center()));
    (change.low, change.high) = (Some(shown(low)), Some(shown(high)));
    change.floor = Some(shown(floor.size)).filter(|floor| floor.is_finite());
    change.floor_source = Some(floor.source);
    change.confidence = Some(round(100.0 * (1.0 - level).min(estimate.most_confidence())));
    change.sections = tested.sections;
    let (if_higher, if_lower) = match change.figure.is_better_high() {
        true => (Word::Faster, Word::Slower),
        false => (Word::Slower, Word::Faster),
    };
    change.word = if low > floor.size {
        if_higher
    } else if high < -floor.size {
        if_lower
    } else if low >= -floor.margin && high <= floor.margin {
        Word::Same
    } else {
        change.reason = Some(more(estimate.center(), (low, high), floor));
        Word::Unclear
    };
}

/// What would turn an unclear change into a clear one: the width of an interval falls with the square root of
/// the measurements.
fn more(center: f64, (low, high): (f64, f64), floor: Floor) -> String {
    // Between the two, only better runs help.
    if center.abs() > floor.margin && center.abs() <= floor.size {
        return format!("no larger than {}", floor.source.text());
    }
    let (side, edge) = match center.abs() > floor.size {
        true => ("a change", floor.size),
        false => ("that there is none", floor.margin),
    };
    let gap = (center.abs() - edge).abs();
    let times = ((high - low) / 2.0 / gap.max(1e-12)).powi(2).ceil().max(2.0);
    if times <= MAX_TIMES {
        format!("about {} times as many measurements would show {side}", trim_number(times))
    } else {
        format!("too close to the floor ({})", floor.source.text())
    }
}

/// The change from `a` to `b` as it is shown: in % of A, or in percentage points.
fn difference(figure: Figure, a: f64, b: f64) -> Option<f64> {
    match figure.is_ratio() {
        true => (a > 0.0).then(|| round(100.0 * (b / a - 1.0))),
        false => Some(round(b - a)),
    }
}

/// A difference on the scale of the estimates as it is shown.
fn shown(figure: Figure, value: f64) -> f64 {
    round(if figure.is_ratio() { 100.0 * value.exp_m1() } else { value })
}

/// No more digits than were measured.
fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::super::floor::FloorSource;
    use super::*;

    fn one(figure: Figure, center: f64, error: f64, floor: f64) -> Evidence {
        let estimate = Estimate::Student { center, error, freedom: 18.0 };
        let floor = Floor { size: floor, source: FloorSource::Noise, margin: 0.05 };
        let b = if figure.is_ratio() { center.exp() } else { 1.0 + center };
        Evidence {
            figure,
            values: (Some(1.0), Some(b)),
            tested: Some(Ok(Tested { estimate, floor, sections: Some(10) })),
            is_barred: false,
        }
    }

    fn word(figure: Figure, center: f64, error: f64) -> Word {
        judge(vec![one(figure, center, error, 0.05)], ALPHA)[0].word
    }

    #[test]
    fn the_word_follows_from_the_interval_and_the_floor() {
        assert_eq!(word(Figure::P99, 0.10, 0.01), Word::Slower);
        assert_eq!(word(Figure::P99, -0.10, 0.01), Word::Faster);
        assert_eq!(word(Figure::P99, 0.01, 0.01), Word::Same);
        assert_eq!(word(Figure::P99, 0.06, 0.01), Word::Unclear, "significant, but not beyond the floor");
        assert_eq!(word(Figure::P99, 0.01, 0.10), Word::Unclear, "not the same just because it is noisy");
        assert_eq!(word(Figure::Throughput, 0.10, 0.01), Word::Faster, "more is better");
        assert_eq!(word(Figure::Errors, 0.10, 0.01), Word::Slower);
        assert_eq!(word(Figure::P99, 0.05, 0.0), Word::Same, "at the floor");
    }

    #[test]
    fn each_figure_of_a_family_makes_a_call_harder() {
        // 2.5 errors beyond the floor: 95 % confidence (2.1) is reached, 98.75 % (2.8) is not.
        let close = || one(Figure::P99, 0.075, 0.01, 0.05);
        let none = |figure| one(figure, 0.0, 0.01, 0.05);
        assert_eq!(judge(vec![close()], ALPHA)[0].word, Word::Slower);
        let family = vec![none(Figure::P50), close(), none(Figure::P90), none(Figure::Mean)];
        let judged = judge(family, ALPHA);
        assert_eq!((judged[1].word, judged[1].confidence), (Word::Unclear, Some(98.75)));
        let other = judge(vec![close(), none(Figure::Throughput), none(Figure::Errors)], ALPHA);
        assert_eq!(other[0].word, Word::Slower, "the other family does not count");
    }

    #[test]
    fn what_is_unclear_says_what_would_help() {
        let reason = |center, error| {
            judge(vec![one(Figure::P50, center, error, 0.05)], ALPHA)[0].reason.clone().expect("unclear")
        };
        assert_eq!(reason(0.10, 0.04), "about 3 times as many measurements would show a change");
        assert_eq!(reason(0.0, 0.04), "about 3 times as many measurements would show that there is none");
        assert_eq!(reason(0.0501, 0.04), "too close to the floor (--noise)");
        let drifting = judge(vec![one(Figure::P50, 0.10, 0.01, 0.3)], ALPHA);
        assert_eq!(drifting[0].reason.as_deref(), Some("no larger than --noise"));
        let near = judge(vec![one(Figure::P50, 0.01, 0.001, 0.3)], ALPHA);
        assert_eq!(
            near[0].word,
            Word::Same,
            "a floor that the runs raise is no margin, but this is within it"
        );
    }

    #[test]
    fn untested_figures_stay_unclear_and_swapped_runs_mirror_the_word() {
        let untested = Evidence { tested: None, ..one(Figure::Max, 0.0, 0.0, 0.0) };
        let short = Evidence { tested: Some(Err("short".to_owned())), ..one(Figure::P999, 0.0, 0.0, 0.0) };
        let judged = judge(vec![untested, short, one(Figure::P50, 0.1, 0.001, 0.05)], ALPHA);
        assert_eq!((judged[0].word, judged[0].tested), (Word::Unclear, false));
        assert_eq!((judged[1].reason.as_deref(), judged[1].low), (Some("short"), None));
        assert_eq!(judged[2].confidence, Some(95.0), "what cannot be tested does not count");
        assert!((judged[2].change.expect("known") - 10.517).abs() < 0.001);
    }
}
